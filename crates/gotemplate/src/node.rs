//! The parse tree, and how its nodes print themselves in error messages.

use crate::builtins::Builtin;
use crate::function::Function;
use crate::number::Number;
use crate::quote::{Escape, quote};
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// A byte offset into the template's text.
pub(crate) type Pos = usize;

/// The nodes between two tags.
pub(crate) type List = Vec<Node>;

/// Something at the level of text and actions.
pub(crate) enum Node {
    /// A piece of the template's text.
    Text(Range<usize>),
    Action(Action),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(Invocation),
    Break,
    Continue,
}

impl Node {
    /// Whether this is nothing but space.
    pub(crate) fn is_empty(&self, text: &str) -> bool {
        match self {
            Node::Text(range) => text.get(range.clone()).unwrap_or("").trim().is_empty(),
            _ => false,
        }
    }
}

/// `{{pipeline}}`
pub(crate) struct Action {
    pub(crate) pos: Pos,
    pub(crate) pipe: Pipe,
}

/// What `if`, `with` and `range` have in common.
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) list: List,
    pub(crate) else_list: Option<List>,
}

/// `{{template "name" pipeline}}`
pub(crate) struct Invocation {
    pub(crate) pos: Pos,
    pub(crate) name: Rc<str>,
    pub(crate) pipe: Option<Pipe>,
}

/// `$x := command | command`
pub(crate) struct Pipe {
    pub(crate) pos: Pos,
    /// The variables exist already and are assigned to.
    pub(crate) assigns: bool,
    pub(crate) variables: Vec<Rc<str>>,
    /// Never empty.
    pub(crate) commands: Vec<Command>,
}

/// A function, field or value with its arguments.
pub(crate) struct Command {
    pub(crate) pos: Pos,
    pub(crate) first: Expr,
    pub(crate) args: Vec<Expr>,
}

/// What an identifier calls.
pub(crate) enum Callee {
    Builtin(Builtin),
    Function(Rc<Function>),
}

/// An operand.
pub(crate) enum Expr {
    Dot(Pos),
    Nil(Pos),
    Bool(Pos, bool),
    Number(Pos, Box<Number>),
    String(Pos, Box<Literal>),
    /// `.A.B`
    Field(Pos, Vec<Rc<str>>),
    /// `$x.A.B`
    Variable(Pos, Rc<str>, Vec<Rc<str>>),
    /// `(pipeline).A.B`
    Chain(Pos, Box<Expr>, Vec<Rc<str>>),
    Identifier(Pos, Rc<str>, Callee),
    Pipe(Box<Pipe>),
}

/// A string literal.
pub(crate) struct Literal {
    /// As it was written.
    pub(crate) quoted: Box<str>,
    /// What it means.
    pub(crate) text: Rc<str>,
}

impl Expr {
    pub(crate) fn pos(&self) -> Pos {
        match self {
            Expr::Dot(pos)
            | Expr::Nil(pos)
            | Expr::Bool(pos, _)
            | Expr::Number(pos, _)
            | Expr::String(pos, _)
            | Expr::Field(pos, _)
            | Expr::Variable(pos, ..)
            | Expr::Chain(pos, ..)
            | Expr::Identifier(pos, ..) => *pos,
            Expr::Pipe(pipe) => pipe.pos,
        }
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[Rc<str>]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Dot(_) => f.write_str("."),
            Expr::Nil(_) => f.write_str("nil"),
            Expr::Bool(_, value) => write!(f, "{value}"),
            Expr::Number(_, number) => f.write_str(&number.text),
            Expr::String(_, literal) => f.write_str(&literal.quoted),
            Expr::Field(_, fields) => write_fields(f, fields),
            Expr::Variable(_, name, fields) => {
                f.write_str(name)?;
                write_fields(f, fields)
            }
            Expr::Chain(_, node, fields) => {
                match &**node {
                    Expr::Pipe(pipe) => write!(f, "({pipe})")?,
                    node => write!(f, "{node}")?,
                }
                write_fields(f, fields)
            }
            Expr::Identifier(_, name, _) => f.write_str(name),
            Expr::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in std::iter::once(&self.first).chain(&self.args).enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            match arg {
                Expr::Pipe(pipe) => write!(f, "({pipe})")?,
                arg => write!(f, "{arg}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            // Go prints assignments as declarations, too.
            write!(f, "{} := ", self.variables.join(", "))?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            let separator = if i > 0 { " | " } else { "" };
            write!(f, "{separator}{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{{}}}}}", self.pipe)
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", quote(&self.name, Escape::Unprintable))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}
