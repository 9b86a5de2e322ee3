//! Executes a template: walks its nodes and writes the output.
//!
//! Blocks and invocations live on a stack of their own, not on the thread's: recursion of
//! templates reaches Go's limit of 100000 without harm to a small thread.

use crate::error::ExecError;
use crate::gofmt;
use crate::item::Item;
use crate::limits::{self, Limits, MAX_OPEN};
use crate::node::{Action, Branch, Command, Expr, Invocation, Node, Pipe};
use crate::quote::{Escape, quote};
use crate::template::{MissingKey, Template};
use crate::value::{List, Map, Value};
use std::fmt;
use std::rc::Rc;

/// How deep templates may invoke templates; Go's limit.
const MAX_INVOCATIONS: usize = 100_000;

/// The node that is being evaluated: where an error is reported.
#[derive(Clone, Copy)]
pub(crate) enum At<'t> {
    Start,
    Action(&'t Action),
    Invocation(&'t Invocation),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Expr(&'t Expr),
}

impl At<'_> {
    fn pos(&self) -> usize {
        match self {
            At::Start => 0,
            At::Action(node) => node.pos,
            At::Invocation(node) => node.pos,
            At::Pipe(node) => node.pos,
            At::Command(node) => node.pos,
            At::Expr(node) => node.pos(),
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Start => Ok(()),
            At::Action(node) => node.fmt(f),
            At::Invocation(node) => node.fmt(f),
            At::Pipe(node) => node.fmt(f),
            At::Command(node) => node.fmt(f),
            At::Expr(node) => node.fmt(f),
        }
    }
}

/// A list of nodes under way.
struct Frame<'t> {
    nodes: std::slice::Iter<'t, Node>,
    dot: Item,
    /// How many variables there were before it.
    mark: usize,
    kind: FrameKind<'t>,
}

enum FrameKind<'t> {
    /// The body of an `if` or `with`.
    Block,
    /// The body of a `range`.
    Range(Box<Loop<'t>>),
    /// A template: what to return to.
    Template { name: &'t str, base: usize },
}

/// The state of a `range`.
struct Loop<'t> {
    branch: &'t Branch,
    source: Source,
    /// How many variables there are at the start of an iteration.
    mark: usize,
}

/// What a `range` walks over.
enum Source {
    /// The list and the index of the next element.
    List(Rc<List>, usize),
    /// The map and the last key.
    Map(Rc<Map>, Option<Rc<str>>),
    /// The next number and the one at which it ends.
    Int(i64, i64),
}

impl Source {
    fn next(&mut self) -> Option<(Item, Item)> {
        match self {
            Source::List(list, index) => {
                let value = list.items().get(*index)?.clone();
                let key = Value::Int(i64::try_from(*index).unwrap_or(i64::MAX));
                *index += 1;
                Some((Item::plain(key), Item::element(value, list.element())))
            }
            Source::Map(map, last) => {
                let (key, value) = map.after(last.as_deref())?;
                let (key, value) = (key.clone(), value.clone());
                *last = Some(key.clone());
                let element = map.element();
                Some((Item::plain(Value::String(key)), Item::element(value, element)))
            }
            Source::Int(next, end) => {
                let value = Item::plain(Value::Int(*next));
                (*next < *end).then(|| {
                    *next += 1;
                    (value.clone(), value)
                })
            }
        }
    }
}

/// One execution. `'t` is the template's life.
pub(crate) struct Exec<'t, 'o> {
    template: &'t Template,
    output: &'o mut String,
    limits: Limits,
    /// What is left of the limits in the end.
    left: &'o mut Limits,
    /// How long the output was before.
    written: usize,
    /// How long the output may become.
    longest: usize,
    /// The name of the template that is being executed.
    name: &'t str,
    at: At<'t>,
    frames: Vec<Frame<'t>>,
    variables: Vec<(&'t str, Item)>,
    /// Where the variables of the current template start.
    base: usize,
    invocations: usize,
    steps: u64,
    /// Bytes of text and lists that functions have made.
    made: usize,
}

impl<'t, 'o> Exec<'t, 'o> {
    /// An execution within these limits, which are less by what it has used when it has ended.
    pub(crate) fn new(
        template: &'t Template,
        output: &'o mut String,
        limits: &'o mut Limits,
    ) -> Exec<'t, 'o> {
        Exec {
            longest: output.len().saturating_add(limits.output),
            written: output.len(),
            limits: *limits,
            left: limits,
            template,
            output,
            name: "",
            at: At::Start,
            frames: Vec::new(),
            variables: Vec::new(),
            base: 0,
            invocations: 0,
            steps: 0,
            made: 0,
        }
    }

    /// Executes one of the template's trees.
    pub(crate) fn run(
        &mut self,
        name: &'t str,
        nodes: &'t [Node],
        data: &Value,
    ) -> Result<(), ExecError> {
        let result = self.walk(name, nodes, data);
        self.left.steps = self.limits.steps.saturating_sub(self.steps);
        let written = self.output.len().saturating_sub(self.written);
        self.left.output = self.limits.output.saturating_sub(written);
        self.left.made = self.room();
        result
    }

    fn walk(&mut self, name: &'t str, nodes: &'t [Node], data: &Value) -> Result<(), ExecError> {
        self.enter(name, nodes, Item::plain(data.clone()));
        while let Some(frame) = self.frames.last_mut() {
            match frame.nodes.next() {
                Some(node) => {
                    let dot = frame.dot.clone();
                    self.node(node, dot)?;
                }
                None => self.leave()?,
            }
            self.step()?;
        }
        Ok(())
    }

    /// How many bytes functions may still make.
    pub(crate) fn room(&self) -> usize {
        self.limits.made.saturating_sub(self.made)
    }

    /// Counts what a function has made.
    pub(crate) fn count_made(&mut self, value: &Value) -> Result<(), String> {
        let size = limits::size(value);
        self.made = self.made.saturating_add(size);
        if self.made > self.limits.made {
            let limit = self.limits.made;
            return Err(format!("makes too much text: more than {limit} bytes in all"));
        }
        self.steps = self.steps.saturating_add(limits::steps(size));
        Ok(())
    }

    /// Counts what takes time.
    pub(crate) fn spend(&mut self, steps: u64) -> Result<(), ExecError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limits.steps {
            let limit = self.limits.steps;
            return Err(self.error(format_args!("takes too long: more than {limit} steps")));
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), ExecError> {
        self.spend(1)?;
        if self.output.len() > self.longest {
            let limit = self.limits.output;
            return Err(self.error(format_args!("too much output: more than {limit} bytes")));
        }
        if self.frames.len() + self.variables.len() > MAX_OPEN {
            return Err(self
                .error(format_args!("too many open blocks and variables: more than {MAX_OPEN}")));
        }
        Ok(())
    }

    // Where we are.

    pub(crate) fn at(&mut self, at: At<'t>) {
        self.at = at;
    }

    pub(crate) fn missing_key(&self) -> MissingKey {
        self.template.missing_key
    }

    /// An error at the current node.
    pub(crate) fn error(&self, message: fmt::Arguments<'_>) -> ExecError {
        let before = self.template.text.get(..self.at.pos()).unwrap_or("");
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rfind('\n').map_or(before.len(), |i| before.len() - i - 1);
        let name = quote(self.name, Escape::Unprintable);
        let message = format!(
            "template: {}:{line}:{column}: executing {name} at <{}>: {message}",
            self.template.name, self.at
        );
        let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
        ExecError::new(message, number(line), number(column))
    }

    // Variables.

    pub(crate) fn push_variable(&mut self, name: &'t str, item: Item) {
        self.variables.push((name, item));
    }

    pub(crate) fn variable(&mut self, name: &str) -> Result<Item, ExecError> {
        let index = self.find_variable(name)?;
        Ok(self.variables.get(index).map_or_else(Item::none, |(_, item)| item.clone()))
    }

    pub(crate) fn set_variable(&mut self, name: &str, item: Item) -> Result<(), ExecError> {
        let index = self.find_variable(name)?;
        if let Some(variable) = self.variables.get_mut(index) {
            variable.1 = item;
        }
        Ok(())
    }

    /// The index of the innermost variable of that name in the current template.
    fn find_variable(&mut self, name: &str) -> Result<usize, ExecError> {
        let own = self.variables.get(self.base..).unwrap_or(&[]);
        let Some(index) = own.iter().rposition(|(n, _)| *n == name) else {
            return Err(self.error(format_args!("undefined variable: {name}")));
        };
        // As if names were bytes: there may be as many as the text can hold.
        let passed = own.len() - index;
        let index = self.base + index;
        self.spend(limits::steps(passed))?;
        Ok(index)
    }

    // Frames.

    fn push(&mut self, nodes: &'t [Node], dot: Item, mark: usize, kind: FrameKind<'t>) {
        self.frames.push(Frame { nodes: nodes.iter(), dot, mark, kind });
    }

    /// Starts a template: it sees no variables but `$`.
    fn enter(&mut self, name: &'t str, nodes: &'t [Node], dot: Item) {
        let mark = self.variables.len();
        let kind = FrameKind::Template { name: self.name, base: self.base };
        self.name = name;
        self.base = mark;
        self.invocations += 1;
        self.variables.push(("$", dot.clone()));
        self.push(nodes, dot, mark, kind);
    }

    /// The nodes of the last frame are through: goes on with its next iteration, or ends it.
    fn leave(&mut self) -> Result<(), ExecError> {
        if let Some(Frame { nodes, dot, kind: FrameKind::Range(state), .. }) =
            self.frames.last_mut()
        {
            self.variables.truncate(state.mark);
            if let Some((key, value)) = state.source.next() {
                *nodes = state.branch.list.iter();
                *dot = value.clone();
                let pipe = &state.branch.pipe;
                return self.set_loop_variables(pipe, key, value);
            }
        }
        self.pop();
        Ok(())
    }

    fn set_loop_variables(
        &mut self,
        pipe: &'t Pipe,
        key: Item,
        value: Item,
    ) -> Result<(), ExecError> {
        let (first, second) = match pipe.variables.as_slice() {
            [value_name] => (None, Some(value_name)),
            [key_name, value_name] => (Some(key_name), Some(value_name)),
            _ => (None, None),
        };
        if let Some(name) = first {
            self.set_variable(name, key)?;
        }
        if let Some(name) = second {
            self.set_variable(name, value)?;
        }
        Ok(())
    }

    fn pop(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        self.variables.truncate(frame.mark);
        if let FrameKind::Template { name, base } = frame.kind {
            self.name = name;
            self.base = base;
            self.invocations -= 1;
        }
    }

    /// Drops everything that is open within the innermost `range`.
    fn unwind_to_range(&mut self) {
        while let Some(frame) = self.frames.last() {
            if matches!(frame.kind, FrameKind::Range(_)) {
                return;
            }
            self.pop();
        }
    }

    // Nodes.

    fn node(&mut self, node: &'t Node, dot: Item) -> Result<(), ExecError> {
        match node {
            Node::Text(range) => {
                self.output.push_str(self.template.text.get(range.clone()).unwrap_or(""));
            }
            Node::Action(action) => {
                self.at(At::Action(action));
                let item = self.pipeline(&dot, &action.pipe)?;
                if action.pipe.variables.is_empty() {
                    self.print(action, item)?;
                }
            }
            Node::If(branch) | Node::With(branch) => {
                let mark = self.variables.len();
                let item = self.pipeline(&dot, &branch.pipe)?;
                let with = matches!(node, Node::With(_));
                if item.value.truth() {
                    let dot = if with { item } else { dot };
                    self.push(&branch.list, dot, mark, FrameKind::Block);
                } else if let Some(list) = &branch.else_list {
                    self.push(list, dot, mark, FrameKind::Block);
                } else {
                    self.variables.truncate(mark);
                }
            }
            Node::Range(branch) => self.range(branch, dot)?,
            Node::Template(invocation) => self.invoke(invocation, &dot)?,
            Node::Break => {
                self.unwind_to_range();
                self.pop();
            }
            Node::Continue => {
                self.unwind_to_range();
                if let Some(frame) = self.frames.last_mut() {
                    frame.nodes = [].iter();
                }
            }
        }
        Ok(())
    }

    fn print(&mut self, action: &'t Action, item: Item) -> Result<(), ExecError> {
        self.at(At::Action(action));
        match &item.value {
            Value::Nil => self.output.push_str("<no value>"),
            Value::String(text) => self.output.push_str(text),
            Value::Func(function) => {
                let type_name = function.type_name();
                return Err(self.error(format_args!("can't print {} of type {type_name}", self.at)));
            }
            value => {
                let room = self.limits.output;
                let text = gofmt::sprint_pointees(std::slice::from_ref(value), room);
                let text = text.map_err(|error| self.error(format_args!("{error}")))?;
                self.output.push_str(&text);
            }
        }
        Ok(())
    }

    fn range(&mut self, branch: &'t Branch, dot: Item) -> Result<(), ExecError> {
        let mark = self.variables.len();
        let item = self.pipeline(&dot, &branch.pipe)?;
        let source = match &item.value {
            Value::Nil => None,
            Value::List(list) => Some(Source::List(list.clone(), 0)),
            Value::Map(map) => Some(Source::Map(map.clone(), None)),
            Value::Int(end) => Some(Source::Int(0, *end)),
            other => match other.as_list() {
                Some(list) => Some(Source::List(list, 0)),
                None => {
                    let shown = gofmt::show(other, 'v');
                    return Err(self.error(format_args!("range can't iterate over {shown}")));
                }
            },
        };
        let mut source = source;
        if let Some((key, value)) = source.as_mut().and_then(Source::next) {
            self.set_loop_variables(&branch.pipe, key, value.clone())?;
            // There is a source, or it could not have given anything.
            if let Some(source) = source {
                let state = Loop { branch, source, mark: self.variables.len() };
                self.push(&branch.list, value, mark, FrameKind::Range(Box::new(state)));
            }
        } else if let Some(list) = &branch.else_list {
            self.push(list, dot, mark, FrameKind::Block);
        } else {
            self.variables.truncate(mark);
        }
        Ok(())
    }

    fn invoke(&mut self, invocation: &'t Invocation, dot: &Item) -> Result<(), ExecError> {
        self.at(At::Invocation(invocation));
        let Some((name, nodes)) = self.template.tree(&invocation.name) else {
            let name = quote(&invocation.name, Escape::Unprintable);
            return Err(self.error(format_args!("template {name} not defined")));
        };
        // The first template is not an invocation.
        if self.invocations > MAX_INVOCATIONS {
            return Err(
                self.error(format_args!("exceeded maximum template depth ({MAX_INVOCATIONS})"))
            );
        }
        let dot = match &invocation.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Item::none(),
        };
        self.enter(name, nodes, dot);
        Ok(())
    }
}
