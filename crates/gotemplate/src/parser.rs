//! Builds the parse tree from the tokens: recursive descent, with Go's error messages.
//!
//! Go keeps a look-ahead of tokens per tree and reports the line of the token that was read
//! last, not of the one that is wrong. `Parser::line` follows it in that.

mod pipeline;

use crate::error::{ParseError, ParseTrouble};
use crate::function::Functions;
use crate::lexer::{Syntax, tokenize};
use crate::node::{Action, Branch, Invocation, List, Node};
use crate::quote::{Escape, is_print, quote, unquote};
use crate::token::{Kind, Token, Tokens};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// How deep blocks and parentheses may nest. Go has no limit here; recursion needs one, so that
/// hostile input cannot overflow a small stack.
const MAX_NESTING: u32 = 200;

/// About how much of an action is shown.
const LONGEST_SHOWN: usize = 60;

/// The trees that a text defines, by name; the text itself is one of them.
pub(crate) type Trees = BTreeMap<Rc<str>, List>;

/// Parses a text.
///
/// # Errors
/// Go's message for the first thing that is wrong.
pub(crate) fn parse(
    name: &str,
    text: &str,
    left: &str,
    right: &str,
    functions: &Functions,
) -> Result<Trees, ParseError> {
    let syntax = Syntax {
        left,
        right,
        break_is_keyword: functions.get("break").is_none(),
        continue_is_keyword: functions.get("continue").is_none(),
    };
    let mut parser = Parser {
        name,
        text,
        functions,
        tokens: tokenize(text, &syntax),
        next: 0,
        read: 0,
        line: 0,
        nesting: 0,
        scope: Scope::new(),
        trees: Trees::new(),
    };
    parser.top_level()?;
    Ok(parser.trees)
}

/// What belongs to one tree while it is parsed.
struct Scope {
    /// The variables that can be named here.
    variables: Vec<Rc<str>>,
    /// How many `range` bodies are open: `break` and `continue` need one.
    ranges: u32,
    /// The line of the action's left delimiter; 0 outside actions.
    action_line: u32,
}

impl Scope {
    fn new() -> Scope {
        Scope { variables: vec![Rc::from("$")], ranges: 0, action_line: 0 }
    }
}

/// What ended a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Else,
    End,
}

impl Stop {
    fn tag(self) -> &'static str {
        match self {
            Stop::Else => "{{else}}",
            Stop::End => "{{end}}",
        }
    }
}

/// A node, or the tag that ends the list.
enum Item {
    Node(Node),
    Stop(Stop),
}

struct Parser<'a> {
    name: &'a str,
    text: &'a str,
    functions: &'a Functions,
    tokens: Tokens,
    /// The index of the next token.
    next: usize,
    /// How many tokens have been looked at.
    read: usize,
    /// The line of the token that was looked at last by the current tree.
    line: u32,
    nesting: u32,
    scope: Scope,
    trees: Trees,
}

type Parsed<T> = Result<T, ParseError>;

impl Parser<'_> {
    // Tokens.

    fn next(&mut self) -> Token {
        // The last token, an end or an error, repeats.
        let last = Token { kind: Kind::Eof, start: self.text.len(), end: self.text.len(), line: 0 };
        let token = self.tokens.list.get(self.next).or(self.tokens.list.last()).unwrap_or(&last);
        self.next += 1;
        if self.next > self.read {
            self.read = self.next;
            self.line = token.line;
        }
        *token
    }

    fn back(&mut self) {
        self.next = self.next.saturating_sub(1);
    }

    fn peek(&mut self) -> Token {
        let token = self.next();
        self.back();
        token
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.back();
        token
    }

    fn value(&self, token: Token) -> &str {
        self.text.get(token.start..token.end).unwrap_or("")
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Token> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, context)) }
    }

    // Errors.

    fn error(&self, message: fmt::Arguments<'_>) -> ParseError {
        let message = format!("template: {}:{}: {message}", self.name, self.line);
        ParseError(Box::new(ParseTrouble {
            message,
            line: self.line,
            column: self.column(),
            action: self.action_at(self.next),
            advice: None,
        }))
    }

    /// The action in which the last of so many tokens is, in one short line; empty if it is in none.
    /// Texts in quotes are left out: they may be secret.
    fn action_at(&self, taken: usize) -> String {
        let tokens = self.tokens.list.get(..taken).unwrap_or(&self.tokens.list);
        let start = tokens.iter().rposition(|token| token.kind == Kind::LeftDelim);
        let mut shown = String::new();
        for token in self.tokens.list.iter().skip(start.unwrap_or(usize::MAX)) {
            match token.kind {
                Kind::String | Kind::RawString | Kind::CharConstant => shown.push_str("\"…\""),
                Kind::Space => shown.push(' '),
                Kind::Error => break,
                _ => {
                    let chars = self.value(*token).chars().filter(|char| is_print(*char));
                    shown.extend(chars.take(LONGEST_SHOWN));
                }
            }
            if token.kind == Kind::RightDelim {
                return shown;
            }
            if shown.len() > LONGEST_SHOWN {
                break;
            }
        }
        if shown.is_empty() { shown } else { format!("{} …", shown.trim_end()) }
    }

    /// Where on its line the token stands that was taken last.
    fn column(&self) -> Option<u32> {
        let token = self.tokens.list.get(self.next.checked_sub(1)?)?;
        let before = self.text.get(..token.start)?;
        let column = before.rfind('\n').map_or(before.len(), |at| before.len() - at - 1);
        (token.line == self.line).then_some(u32::try_from(column).ok()?)
    }

    fn unexpected(&self, token: Token, context: &str) -> ParseError {
        let shown = self.tokens.describe(&token, self.text);
        if token.kind != Kind::Error {
            return self.error(format_args!("unexpected {shown} in {context}"));
        }
        let start = self.scope.action_line;
        if start == 0 || start == token.line {
            return self.error(format_args!("{shown}"));
        }
        let action = if shown.ends_with(" action") { "" } else { " in action" };
        self.error(format_args!("{shown}{action} started at {}:{start}", self.name))
    }

    fn nest(&mut self) -> Parsed<()> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.error(format_args!("nested too deeply: at most {MAX_NESTING} levels")));
        }
        Ok(())
    }

    // Trees.

    fn top_level(&mut self) -> Parsed<()> {
        let mut root = List::new();
        loop {
            let token = self.peek();
            if token.kind == Kind::Eof {
                break;
            }
            if token.kind == Kind::LeftDelim {
                let mark = self.next;
                self.next();
                if self.next_non_space().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.next = mark;
            }
            match self.text_or_action()? {
                Item::Node(node) => root.push(node),
                Item::Stop(stop) => {
                    let error = self.error(format_args!("unexpected {}", stop.tag()));
                    let advice = "nothing is open here that it could belong to";
                    return Err(error.advised(Some(advice.to_owned())));
                }
            }
        }
        self.add(Rc::from(self.name), root)
    }

    /// Installs a tree under its name. One that is nothing but space gives way to another.
    fn add(&mut self, name: Rc<str>, list: List) -> Parsed<()> {
        let text = self.text;
        let is_empty = |list: &List| list.iter().all(|node| node.is_empty(text));
        match self.trees.get(&name) {
            Some(old) if !is_empty(old) => {
                if !is_empty(&list) {
                    let name = quote(&name, Escape::Unprintable);
                    return Err(self
                        .error(format_args!("template: multiple definition of template {name}")));
                }
            }
            _ => {
                self.trees.insert(name, list);
            }
        }
        Ok(())
    }

    /// `{{define "name"}} list {{end}}`, after the keyword.
    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let opened = self.next;
        let outer_scope = std::mem::replace(&mut self.scope, Scope::new());
        let outer_line = self.line;
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        let (list, stop) = self.list(opened)?;
        if stop != Stop::End {
            return Err(self.error(format_args!("unexpected {} in {CONTEXT}", stop.tag())));
        }
        self.add(name, list)?;
        self.scope = outer_scope;
        self.line = outer_line;
        Ok(())
    }

    /// A list up to and including the tag that ends it. The last of the first `opened` tokens is the
    /// keyword that it belongs to.
    fn list(&mut self, opened: usize) -> Parsed<(List, Stop)> {
        self.nest()?;
        let mut list = List::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => list.push(node),
                Item::Stop(stop) => {
                    self.nesting -= 1;
                    list.shrink_to_fit();
                    return Ok((list, stop));
                }
            }
        }
        let keyword = opened.checked_sub(1).and_then(|index| self.tokens.list.get(index));
        let advice = keyword.map(|keyword| {
            let Token { line, .. } = keyword;
            format!("{{{{{}}}}} of line {line} has no {{{{end}}}}", self.value(*keyword))
        });
        let mut error = self.error(format_args!("unexpected EOF")).advised(advice);
        error.0.action = self.action_at(opened);
        Err(error)
    }

    fn text_or_action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.start..token.end))),
            Kind::LeftDelim => {
                self.scope.action_line = token.line;
                let item = self.action();
                self.scope.action_line = 0;
                item
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    // Actions: the left delimiter is past.

    fn action(&mut self) -> Parsed<Item> {
        let token = self.next_non_space();
        Ok(Item::Node(match token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.jump("break", Node::Break)?,
            Kind::Continue => self.jump("continue", Node::Continue)?,
            Kind::Else => {
                // `else if` and `else with` leave their keyword for `control`.
                if !matches!(self.peek_non_space().kind, Kind::If | Kind::With) {
                    self.expect(Kind::RightDelim, "else")?;
                }
                return Ok(Item::Stop(Stop::Else));
            }
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::Stop(Stop::End));
            }
            Kind::If => Node::If(self.control("if")?),
            Kind::Range => Node::Range(self.control("range")?),
            Kind::Template => self.invocation()?,
            Kind::With => Node::With(self.control("with")?),
            _ => {
                self.back();
                let pos = self.peek().start;
                // Variables persist until the enclosing `end`.
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                Node::Action(Action { pos, pipe })
            }
        }))
    }

    fn jump(&mut self, keyword: &str, node: Node) -> Parsed<Node> {
        let token = self.next_non_space();
        if token.kind != Kind::RightDelim {
            return Err(self.unexpected(token, &format!("{{{{{keyword}}}}}")));
        }
        if self.scope.ranges == 0 {
            return Err(self.error(format_args!("{{{{{keyword}}}}} outside {{{{range}}}}")));
        }
        Ok(node)
    }

    /// `if`, `with` and `range`, after the keyword.
    fn control(&mut self, context: &str) -> Parsed<Branch> {
        let opened = self.next;
        let mark = self.scope.variables.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let range = u32::from(context == "range");
        self.scope.ranges += range;
        let (list, stop) = self.list(opened)?;
        self.scope.ranges -= range;
        let else_list =
            if stop == Stop::Else { Some(self.else_list(context, opened)?) } else { None };
        self.scope.variables.truncate(mark);
        Ok(Branch { pipe, list, else_list })
    }

    /// What follows `{{else`. `else if` is an `if` inside the `else` that shares its `end`.
    fn else_list(&mut self, context: &str, opened: usize) -> Parsed<List> {
        let keyword = self.peek().kind;
        let chained = matches!((context, keyword), ("if", Kind::If) | ("with", Kind::With));
        if chained {
            self.next();
            self.nest()?;
            let branch = self.control(context)?;
            self.nesting -= 1;
            let node = if keyword == Kind::If { Node::If(branch) } else { Node::With(branch) };
            return Ok(vec![node]);
        }
        let (list, stop) = self.list(opened)?;
        if stop != Stop::End {
            return Err(self.error(format_args!("expected end; found {}", stop.tag())));
        }
        Ok(list)
    }

    /// `{{block "name" pipeline}} list {{end}}`, after the keyword: defines and invokes.
    fn block(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let opened = self.next;
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;

        let outer_scope = std::mem::replace(&mut self.scope, Scope::new());
        let outer_line = self.line;
        let (list, stop) = self.list(opened)?;
        if stop != Stop::End {
            self.line = outer_line;
            return Err(self.error(format_args!("unexpected {} in {CONTEXT}", stop.tag())));
        }
        self.add(name.clone(), list)?;
        self.scope = outer_scope;
        self.line = outer_line;
        Ok(Node::Template(Invocation { pos: token.start, name, pipe: Some(pipe) }))
    }

    /// `{{template "name" pipeline}}`, after the keyword.
    fn invocation(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.template_name(token, CONTEXT)?;
        let mut pipe = None;
        if self.next_non_space().kind != Kind::RightDelim {
            self.back();
            pipe = Some(self.pipeline(CONTEXT, Kind::RightDelim)?);
        }
        Ok(Node::Template(Invocation { pos: token.start, name, pipe }))
    }

    fn template_name(&mut self, token: Token, context: &str) -> Parsed<Rc<str>> {
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return Err(self.unexpected(token, context));
        }
        unquote(self.value(token)).map(Rc::from).map_err(|e| self.error(format_args!("{e}")))
    }
}
