//! Pipelines: declarations, commands and operands, the inside of actions.

use super::{Parsed, Parser};
use crate::advice::nearest;
use crate::builtins::Builtin;
use crate::node::{Callee, Command, Expr, Literal, Pipe};
use crate::number::Number;
use crate::quote::{Escape, quote, unquote};
use crate::token::{Kind, Token};
use std::rc::Rc;

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let pos = self.peek_non_space().start;
        let mut pipe = Pipe { pos, assigns: false, variables: Vec::new(), commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.back();
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        }
        self.check(&pipe, context)?;
        pipe.commands.shrink_to_fit();
        Ok(pipe)
    }

    /// `$x :=`, `$x =` and `$i, $x :=`, if the pipeline starts like that.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        loop {
            let mark = self.next;
            let token = self.next_non_space();
            if token.kind != Kind::Variable {
                self.next = mark;
                return Ok(());
            }
            let operator = self.next_non_space();
            let comma = operator.kind == Kind::Char && self.value(operator) == ",";
            let assigns = operator.kind == Kind::Assign;
            if !comma && !assigns && operator.kind != Kind::Declare {
                // A variable that is used; its token comes again as an operand.
                self.next = mark;
                return Ok(());
            }
            let name: Rc<str> = Rc::from(self.value(token));
            self.scope.variables.push(name.clone());
            pipe.variables.push(name);
            if !comma {
                pipe.assigns = assigns;
                return Ok(());
            }
            if context != "range" || pipe.variables.len() > 1 {
                return Err(self.error(format_args!("too many declarations in {context}")));
            }
            let follows = self.peek_non_space().kind;
            if !matches!(follows, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                return Err(self.error(format_args!("range can only initialize variables")));
            }
        }
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Parsed<()> {
        if pipe.commands.is_empty() {
            return Err(self.error(format_args!("missing value for {context}")));
        }
        for (i, command) in pipe.commands.iter().enumerate().skip(1) {
            if let Expr::Bool(..)
            | Expr::Dot(_)
            | Expr::Nil(_)
            | Expr::Number(..)
            | Expr::String(..) = command.first
            {
                let stage = i + 1;
                return Err(
                    self.error(format_args!("non executable command in pipeline stage {stage}"))
                );
            }
        }
        Ok(())
    }

    /// Operands between spaces, up to a pipe, a parenthesis or the right delimiter.
    fn command(&mut self) -> Parsed<Command> {
        let pos = self.peek_non_space().start;
        let mut operands = Vec::new();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                operands.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.back(),
                Kind::Pipe => {}
                _ => return Err(self.unexpected(token, "operand")),
            }
            break;
        }
        let mut operands = operands.into_iter();
        let Some(first) = operands.next() else {
            return Err(self.error(format_args!("empty command")));
        };
        Ok(Command { pos, first, args: operands.collect() })
    }

    /// A term and the fields behind it.
    fn operand(&mut self) -> Parsed<Option<Expr>> {
        let Some(term) = self.term()? else { return Ok(None) };
        let token = self.peek();
        if token.kind != Kind::Field {
            return Ok(Some(term));
        }
        let mut chain = Vec::new();
        while self.peek().kind == Kind::Field {
            let token = self.next();
            chain.push(self.field_name(token));
        }
        let pos = token.start;
        Ok(Some(match term {
            Expr::Field(_, mut fields) => {
                fields.extend(chain);
                Expr::Field(pos, fields)
            }
            Expr::Variable(_, name, mut fields) => {
                fields.extend(chain);
                Expr::Variable(pos, name, fields)
            }
            Expr::Bool(..) | Expr::String(..) | Expr::Number(..) | Expr::Nil(_) | Expr::Dot(_) => {
                let term = quote(&term.to_string(), Escape::Unprintable);
                return Err(self.error(format_args!("unexpected . after term {term}")));
            }
            Expr::Chain(..) | Expr::Identifier(..) | Expr::Pipe(_) => {
                Expr::Chain(pos, Box::new(term), chain)
            }
        }))
    }

    fn field_name(&self, token: Token) -> Rc<str> {
        Rc::from(self.value(token).strip_prefix('.').unwrap_or(""))
    }

    fn term(&mut self) -> Parsed<Option<Expr>> {
        let token = self.next_non_space();
        let pos = token.start;
        Ok(Some(match token.kind {
            Kind::Identifier => {
                let name = self.value(token);
                let callee = if let Some(function) = self.functions.get(name) {
                    Callee::Function(function.clone())
                } else if let Some(builtin) = Builtin::of(name) {
                    Callee::Builtin(builtin)
                } else {
                    let name = quote(name, Escape::Unprintable);
                    return Err(self.error(format_args!("function {name} not defined")));
                };
                Expr::Identifier(pos, Rc::from(name), callee)
            }
            Kind::Dot => Expr::Dot(pos),
            Kind::Nil => Expr::Nil(pos),
            Kind::Variable => {
                let name = self.value(token);
                let Some(known) = self.scope.variables.iter().find(|v| &***v == name) else {
                    let name = quote(name, Escape::Unprintable);
                    let known = self.scope.variables.iter().map(|known| &**known);
                    let meant = nearest(self.value(token), known.filter(|known| *known != "$"));
                    let advice = meant.map(|meant| format!("did you mean {meant}?"));
                    let error = self.error(format_args!("undefined variable {name}"));
                    return Err(error.advised(advice));
                };
                Expr::Variable(pos, known.clone(), Vec::new())
            }
            Kind::Field => Expr::Field(pos, vec![self.field_name(token)]),
            Kind::Bool => Expr::Bool(pos, self.value(token) == "true"),
            Kind::CharConstant => {
                let number = Number::from_char(self.value(token))
                    .map_err(|e| self.error(format_args!("{e}")))?;
                Expr::Number(pos, Box::new(number))
            }
            Kind::Complex | Kind::Number => {
                let number = Number::parse(self.value(token))
                    .map_err(|e| self.error(format_args!("{e}")))?;
                Expr::Number(pos, Box::new(number))
            }
            Kind::LeftParen => {
                self.nest()?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.nesting -= 1;
                Expr::Pipe(Box::new(pipe))
            }
            Kind::String | Kind::RawString => {
                let quoted = self.value(token);
                let text = unquote(quoted).map_err(|e| self.error(format_args!("{e}")))?;
                Expr::String(pos, Box::new(Literal { quoted: quoted.into(), text: text.into() }))
            }
            _ => {
                self.back();
                return Ok(None);
            }
        }))
    }
}
