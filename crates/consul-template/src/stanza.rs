//! Reading a tree of settings into what we know, and saying everything that is wrong with it.

use std::{cell::RefCell, path::PathBuf, time::Duration};

use config::{
    did_you_mean,
    json5::{Member, Node, Position, Span, Value},
};

use crate::{
    field::{Field, Fields},
    value,
};

/// More mistakes than this are not told: a file with so many is none of settings.
const MOST: usize = 100;

/// Collects what is wrong with one file.
pub(crate) struct Report<'a> {
    /// The file's path.
    name: String,
    text: &'a str,
    /// In the order of the text.
    problems: RefCell<Vec<(usize, String)>>,
    warnings: RefCell<Vec<String>>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(name: String, text: &'a str) -> Report<'a> {
        Report { name, text, problems: RefCell::default(), warnings: RefCell::default() }
    }

    /// Something is wrong at this byte.
    pub(crate) fn problem(&self, offset: usize, message: impl Into<String>) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MOST {
            let behind = problems.partition_point(|(before, _)| *before <= offset);
            problems.insert(behind, (offset, message.into()));
        }
    }

    fn warn(&self, offset: usize, message: &str) {
        self.warnings.borrow_mut().push(self.place(offset, message));
    }

    fn place(&self, offset: usize, message: &str) -> String {
        let Position { line, column } = Position::of(self.text, offset);
        format!("{}:{line}:{column}: {message}", self.name)
    }

    /// Problems, and warnings.
    pub(crate) fn finish(self) -> (Vec<String>, Vec<String>) {
        let problems = self.problems.take();
        let problems = problems.iter().map(|(offset, text)| self.place(*offset, text)).collect();
        (problems, self.warnings.take())
    }
}

/// A value, and its name for messages.
pub(crate) struct Setting<'a> {
    report: &'a Report<'a>,
    path: String,
    node: &'a Node,
}

impl<'a> Setting<'a> {
    /// Something is wrong with it.
    pub(crate) fn refuse(&self, message: &str) {
        self.report.problem(self.node.span.start, format!("{}: {message}", self.path));
    }

    /// It is understood and does nothing.
    pub(crate) fn ignored(&self, why: &str) {
        self.report.warn(self.node.span.start, &format!("{} has no effect: {why}", self.path));
    }

    /// What comes of a text that `read` understands.
    pub(crate) fn read<T>(&self, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match read(&self.text()?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.refuse(&problem);
                None
            }
        }
    }

    /// A text.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.node.value {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.refuse("is no text: want it in double quotes");
                None
            }
        }
    }

    /// A number or a text, as it is written.
    pub(crate) fn written(&self) -> Option<String> {
        let Span { start, end } = self.node.span;
        match &self.node.value {
            Value::Number(_) => self.report.text.get(start..end).map(|text| text.trim().to_owned()),
            _ => self.text(),
        }
    }

    /// A text that is not empty.
    pub(crate) fn some_text(&self) -> Option<String> {
        self.text().filter(|text| !text.is_empty())
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(is) => Some(*is),
            // The original takes these for one, too.
            Value::String(text) if text == "true" || text == "1" => Some(true),
            Value::String(text) if text == "false" || text == "0" => Some(false),
            _ => {
                self.refuse("is no bool: want true or false");
                None
            }
        }
    }

    pub(crate) fn duration(&self) -> Option<Duration> {
        if let Value::Number(_) = self.node.value {
            self.refuse("is no duration: want a text with a unit, such as \"5s\"");
            return None;
        }
        self.read(value::duration)
    }

    /// A list of texts; one alone will do.
    pub(crate) fn texts(&self) -> Vec<String> {
        let Value::Array(items) = &self.node.value else {
            return self.text().into_iter().collect();
        };
        let item = |(index, node)| {
            let path = format!("{}[{index}]", self.path);
            Setting { report: self.report, path, node }.text()
        };
        items.iter().enumerate().filter_map(item).collect()
    }

    /// Whether it is one, or a list of them.
    pub(crate) fn is_stanza(&self) -> bool {
        match &self.node.value {
            Value::Object(_) => true,
            Value::Array(items) => items.iter().all(|item| matches!(item.value, Value::Object(_))),
            _ => false,
        }
    }

    pub(crate) fn is_number(&self) -> bool {
        matches!(self.node.value, Value::Number(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::Array(_))
    }

    /// The stanzas that it is: JSON has lists of them, HCL one at a time.
    pub(crate) fn stanzas(&self) -> Vec<Stanza<'a>> {
        let nodes = match &self.node.value {
            Value::Array(items) => items.iter().collect(),
            _ => vec![self.node],
        };
        nodes.into_iter().filter_map(|node| self.stanza(node)).collect()
    }

    fn stanza(&self, node: &'a Node) -> Option<Stanza<'a>> {
        match &node.value {
            Value::Object(members) => Some(Stanza {
                report: self.report,
                path: self.path.clone(),
                start: node.span.start,
                members,
                known: Vec::new(),
            }),
            _ => {
                let name = &self.path;
                let message = format!("{name}: is no stanza: want {name} {{ … }}");
                self.report.problem(node.span.start, message);
                None
            }
        }
    }
}

/// Settings in braces that are being read: those that we know are asked for, whatever else is there
/// is an error.
pub(crate) struct Stanza<'a> {
    report: &'a Report<'a>,
    path: String,
    start: usize,
    members: &'a [Member],
    known: Vec<&'static str>,
}

impl<'a> Stanza<'a> {
    /// The whole file.
    pub(crate) fn root(report: &'a Report<'a>, node: &'a Node) -> Option<Stanza<'a>> {
        match &node.value {
            Value::Object(members) => {
                let path = String::new();
                Some(Stanza { report, path, start: node.span.start, members, known: Vec::new() })
            }
            _ => {
                report.problem(node.span.start, "is no object: want { … }");
                None
            }
        }
    }

    /// Something is wrong with it as a whole.
    pub(crate) fn problem(&self, message: &str) {
        self.report.problem(self.start, format!("{}: {message}", self.path));
    }

    /// All settings of this name, in their order; those that are null are not there.
    pub(crate) fn all(&mut self, key: &'static str) -> Vec<Setting<'a>> {
        self.known.push(key);
        let path = match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        let named = self.members.iter().filter(|member| member.key == key);
        let given = named.filter(|member| member.value.value != Value::Null);
        given
            .map(|member| Setting { report: self.report, path: path.clone(), node: &member.value })
            .collect()
    }

    /// The setting of this name; the last one, if there are several.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Setting<'a>> {
        self.all(key).pop()
    }

    /// Reads all that are one value each. Not inlined: the code is the same for all, and kept once.
    #[inline(never)]
    pub(crate) fn read<T>(&mut self, fields: Fields<T>, into: &mut T) {
        for (key, field) in fields {
            if let Some(setting) = self.take(key) {
                match field {
                    Field::Text(at) => *at(into) = setting.some_text(),
                    Field::Path(at) => *at(into) = setting.some_text().map(PathBuf::from),
                    Field::Switch(at) => *at(into) = setting.boolean(),
                    Field::Duration(at) => *at(into) = setting.duration(),
                    Field::Signal(at) => *at(into) = setting.read(value::signal),
                }
            }
        }
    }

    /// The stanzas of this name, however they are spelt.
    pub(crate) fn stanzas(&mut self, key: &'static str) -> Vec<Stanza<'a>> {
        self.all(key).iter().flat_map(Setting::stanzas).collect()
    }

    /// Everything has been asked for: what is left over is unknown.
    pub(crate) fn finish(self) {
        for member in self.members {
            let key = &member.key;
            if self.known.iter().any(|known| known == key) {
                continue;
            }
            let place =
                if self.path.is_empty() { String::new() } else { format!("{}: ", self.path) };
            let known = || {
                let mut known = self.known.clone();
                known.sort_unstable();
                format!("want one of {}", known.join(", "))
            };
            let rule = did_you_mean(key, self.known.iter().copied()).unwrap_or_else(known);
            let message = format!("{place}{key:?} is not a known setting: {rule}");
            self.report.problem(member.key_span.start, message);
        }
    }
}
