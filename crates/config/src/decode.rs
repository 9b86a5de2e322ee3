//! Reading a tree of JSON5 into what we know, and saying everything that is wrong with it.
//!
//! Nothing here stops at the first mistake. A method that reads a value reports what is wrong
//! with it to the [`Report`] and returns `None`; its caller goes on with a stand-in, so that
//! everything else is checked too. A [`crate::Config`] is handed out only if the report is empty,
//! so stand-ins are never seen.

pub(crate) mod authority;
pub(crate) mod control;
pub(crate) mod drain;
pub(crate) mod duration;
pub(crate) mod health;
pub(crate) mod logging;
pub(crate) mod metadata;
pub(crate) mod name;
pub(crate) mod registry;
mod scalar;
pub(crate) mod service;
pub(crate) mod suggestion;
pub(crate) mod surroundings;
pub(crate) mod telemetry;
pub(crate) mod tls;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use crate::{
    error::{Mask, Problem},
    json5::{Member, Node, Position, Span, SyntaxError, Value},
    keys::{Kind, Table},
};
use suggestion::{did_you_mean, foreign};

/// How keys are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// 1.x and 2.x.
    AnyCase,
    /// 3.x.
    Exact,
}

/// So many problems and warnings are kept; nobody reads more, and each costs a look at the text.
const MOST: usize = 100;

/// Collects what is wrong with one text.
pub(crate) struct Report<'a> {
    text: &'a str,
    mask: Mask,
    keys: Cell<Keys>,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<String>>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(text: &'a str, environment: &BTreeMap<String, String>) -> Self {
        Self {
            text,
            mask: Mask::new(text, environment),
            keys: Cell::new(Keys::AnyCase),
            problems: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// From now on keys are compared like this.
    pub(crate) fn compare_keys(&self, keys: Keys) {
        self.keys.set(keys);
    }

    /// A problem at a place of the text.
    pub(crate) fn problem(
        &self,
        path: &str,
        span: Span,
        fault: impl Into<String>,
        rule: impl Into<String>,
    ) {
        self.push(|| Problem::nowhere(path, fault, rule).at(self.text, span, &self.mask));
    }

    /// Whether so much is wrong that no more of it is said.
    fn is_full(&self) -> bool {
        self.problems.borrow().len() >= MOST
    }

    fn push(&self, problem: impl FnOnce() -> Problem) {
        if !self.is_full() {
            let problem = problem();
            self.problems.borrow_mut().push(problem);
        }
    }

    /// The text is not JSON5. What the error quotes is not shown if it is secret.
    pub(crate) fn syntax(&self, error: SyntaxError) {
        let SyntaxError { span, fault, rule } = error;
        if self.mask.hides(span) {
            self.problem("", span, "this secret is not a value", "want it in straight quotes");
        } else {
            self.problem("", span, fault, rule);
        }
    }

    /// A problem without a place, with a variable of the environment for example.
    pub(crate) fn problem_nowhere(
        &self,
        path: &str,
        fault: impl Into<String>,
        rule: impl Into<String>,
    ) {
        self.push(|| Problem::nowhere(path, fault, rule));
    }

    pub(crate) fn warn(&self, warning: impl Into<String>) {
        if self.takes_warnings() {
            self.warnings.borrow_mut().push(warning.into());
        }
    }

    fn takes_warnings(&self) -> bool {
        self.warnings.borrow().len() < MOST
    }

    /// The problems and the warnings.
    pub(crate) fn finish(self) -> (Vec<Problem>, Vec<String>) {
        (self.problems.into_inner(), self.warnings.into_inner())
    }

    fn same_key(&self, key: &str, other: &str) -> bool {
        match self.keys.get() {
            Keys::AnyCase => key.eq_ignore_ascii_case(other),
            Keys::Exact => key == other,
        }
    }
}

/// A value of the tree.
#[derive(Clone, Copy)]
pub(crate) struct Field<'a> {
    report: &'a Report<'a>,
    /// The whole tree.
    root: &'a Node,
    pub(crate) node: &'a Node,
    /// What it may be.
    kind: &'static Kind,
}

impl<'a> Field<'a> {
    /// The whole text.
    pub(crate) fn root(report: &'a Report<'a>, node: &'a Node, kind: &'static Kind) -> Self {
        Self { report, root: node, node, kind }
    }

    /// The way to the value: `jobs[1] (db).health`. Only messages need it, so it is looked for then.
    pub(crate) fn path(&self) -> String {
        let Span { start, end } = self.node.span;
        let leads = |node: &Node| node.span.start <= start && end <= node.span.end;
        let (mut path, mut at) = (String::new(), self.root);
        while !std::ptr::eq(at, self.node) {
            let next = match &at.value {
                Value::Object(members) => members
                    .iter()
                    .find(|member| leads(&member.value))
                    .map(|Member { key, value, .. }| (value, step(key))),
                Value::Array(items) => items
                    .iter()
                    .enumerate()
                    .find(|(_, item)| leads(item))
                    .map(|(index, item)| (item, format!("[{index}]{}", label(item)))),
                _ => None,
            };
            let Some((next, step)) = next else { break };
            path += &step;
            at = next;
        }
        path.strip_prefix('.').map_or_else(|| path.clone(), str::to_owned)
    }

    /// For debug builds: what the decoder takes the value for is what the table says.
    pub(crate) fn assert_kind(&self, is: impl Fn(&Kind) -> bool + Copy) {
        debug_assert!(self.kind.may_be(is), "{}: {:?}", self.path(), self.kind);
    }

    /// Something is wrong with the value: "`value` is not a duration".
    pub(crate) fn refuse(&self, fault: &str, rule: impl Into<String>) {
        let Report { text, mask, .. } = self.report;
        self.report.push(|| {
            let shown = self.shown();
            let problem = Problem::nowhere(&self.path(), format!("{shown} {fault}"), rule);
            let value = (!mask.hides(self.node.span)).then_some(shown);
            problem.at(text, self.node.span, mask).with_value(value)
        });
    }

    /// The same with a rule that takes time to find.
    pub(crate) fn refuse_by(&self, fault: &str, rule: impl FnOnce() -> String) {
        if !self.report.is_full() {
            self.refuse(fault, rule());
        }
    }

    /// Something is wrong with what the object or the list that this is says as a whole.
    pub(crate) fn problem(&self, fault: &str, rule: &str) {
        // The opening bracket stands for it.
        let start = self.node.span.start;
        if !self.report.is_full() {
            self.report.problem(&self.path(), Span { start, end: start + 1 }, fault, rule);
        }
    }

    /// The value as the user wrote it, short, and nothing of what is secret.
    fn shown(&self) -> String {
        const LONGEST: usize = 60;
        match &self.node.value {
            Value::Array(_) => return "a list".into(),
            Value::Object(_) => return "an object".into(),
            _ => {}
        }
        let written = self.report.mask.apply(self.report.text, self.node.span);
        let written =
            written.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).map_or_else(
                || written.clone(),
                // One style of quotes in all messages.
                |inside| format!("\"{inside}\""),
            );
        let mut shown: String = written.chars().filter(|char| !char.is_control()).collect();
        if shown.chars().count() > LONGEST {
            shown = shown.chars().take(LONGEST).collect::<String>() + "…";
        }
        shown
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Vec<Field<'a>> {
        let Value::Array(items) = &self.node.value else {
            self.refuse("is not a list", "want [ … ]");
            return Vec::new();
        };
        items.iter().map(|node| Field { node, ..*self }).collect()
    }

    /// The object's members.
    pub(crate) fn object(&self) -> Option<Object<'a>> {
        let Value::Object(members) = &self.node.value else {
            self.refuse("is not an object", "want { … }");
            return None;
        };
        static NONE: Table = Table::NONE;
        let table = self.kind.table();
        debug_assert!(table.is_some(), "{}: {:?}", self.path(), self.kind);
        let table = table.unwrap_or(&NONE);
        Some(Object { field: *self, members, table, taken: Vec::new() })
    }

    /// The members of an object whose keys are the user's own, each key once.
    pub(crate) fn entries(&self) -> Vec<Entry<'a>> {
        self.assert_kind(|kind| {
            matches!(kind, Kind::Variables | Kind::Metadata | Kind::Headers | Kind::Counts)
        });
        let Value::Object(members) = &self.node.value else {
            self.refuse("is not an object", "want { … }");
            return Vec::new();
        };
        let mut first: BTreeMap<&str, Span> = BTreeMap::new();
        let mut entries = Vec::new();
        for Member { key, key_span, value } in members {
            let value = Field { node: value, ..*self };
            let entry = Entry { key, key_span: *key_span, value };
            if let Some(first) = first.get(key.as_str()) {
                let line = Position::of(self.report.text, first.start).line;
                let rule = format!("want one of them; the first is on line {line}");
                entry.refuse_key(&format!("{key:?} is given twice"), &rule);
                continue;
            }
            first.insert(key, *key_span);
            entries.push(entry);
        }
        entries
    }

    pub(crate) fn warn(&self, warning: &str) {
        if self.report.takes_warnings() {
            let position = Position::of(self.report.text, self.node.span.start);
            self.report.warn(format!("line {}: {}: {warning}", position.line, self.path()));
        }
    }
}

/// A member of an object whose keys are the user's own.
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a str,
    key_span: Span,
    /// May be null.
    pub(crate) value: Field<'a>,
}

impl Entry<'_> {
    /// Something is wrong with the key.
    pub(crate) fn refuse_key(&self, fault: &str, rule: &str) {
        let report = self.value.report;
        if !report.is_full() {
            report.problem(&self.value.path(), self.key_span, fault, rule);
        }
    }
}

/// The way to a member whose key may be anything: `.key`, or `["a key"]`.
fn step(key: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    if !key.is_empty() && key.len() <= 40 && key.chars().all(plain) {
        return format!(".{key}");
    }
    // A part of a secret would not be recognised as one.
    if key.len() <= 40 { format!("[{key:?}]") } else { "[…]".into() }
}

/// ` (db)` for an object with that name.
fn label(node: &Node) -> String {
    let Value::Object(members) = &node.value else { return String::new() };
    let named = members.iter().find(|member| member.key.eq_ignore_ascii_case("name"));
    match named.map(|member| &member.value.value) {
        Some(Value::String(name)) if !name.is_empty() && name.len() <= 40 => format!(" ({name})"),
        _ => String::new(),
    }
}

/// An object that is being read: the keys of its table are asked for, whatever else it has is an
/// error.
pub(crate) struct Object<'a> {
    pub(crate) field: Field<'a>,
    members: &'a [Member],
    table: &'static Table,
    /// What has been asked for.
    taken: Vec<&'static str>,
}

impl<'a> Object<'a> {
    pub(crate) fn report(&self) -> &'a Report<'a> {
        self.field.report
    }

    /// The value of a key; `None` if it is not there or null.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.take_any(&[key])
    }

    /// The value of a key that has several spellings.
    pub(crate) fn take_any(&mut self, keys: &[&'static str]) -> Option<Field<'a>> {
        self.taken.extend(keys);
        let kind = keys.first().and_then(|key| self.table.kind(key));
        debug_assert!(kind.is_some(), "{keys:?} is not in the table {}", self.table.name);
        let kind = kind.unwrap_or(&Kind::Text);
        let report = self.field.report;
        let mut first: Option<&Member> = None;
        for member in self.members {
            if !keys.iter().any(|key| report.same_key(key, &member.key)) {
                continue;
            }
            let Some(first) = first else {
                first = Some(member);
                continue;
            };
            if report.is_full() {
                break;
            }
            let line = Position::of(report.text, first.key_span.start).line;
            let fault = if first.key == member.key {
                format!("{:?} is given twice", member.key)
            } else {
                format!("{:?} and {:?} are the same key", member.key, first.key)
            };
            let rule = format!("want one of them; the first is on line {line}");
            let path = Field { node: &member.value, ..self.field }.path();
            report.problem(&path, member.key_span, fault, rule);
        }
        let member = first.filter(|member| member.value.value != Value::Null)?;
        Some(Field { node: &member.value, kind, ..self.field })
    }

    /// The value of a key that is more than what a template leaves of an unset variable.
    pub(crate) fn given(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.take(key).filter(|field| !field.is_empty_string())
    }

    /// The value of a key that must be there.
    pub(crate) fn require(&mut self, key: &'static str, want: &str) -> Option<Field<'a>> {
        let field = self.take(key);
        if field.is_none() {
            self.problem(&format!("{key:?} is missing"), want);
        }
        field
    }

    /// Whether a key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        let report = self.field.report;
        let given = |member: &Member| {
            report.same_key(key, &member.key) && member.value.value != Value::Null
        };
        self.members.iter().any(given)
    }

    /// A problem with the object as a whole.
    pub(crate) fn problem(&self, fault: &str, rule: &str) {
        self.field.problem(fault, rule);
    }

    /// Everything has been asked for: what is left over is unknown.
    pub(crate) fn finish(self) {
        let report = self.field.report;
        let is_taken = |key: &&'static str| self.taken.contains(key);
        debug_assert!(self.names().all(|key| is_taken(&key)), "unread: {:?}", self.table);
        for member in self.members {
            if self.names().any(|key| report.same_key(key, &member.key)) {
                continue;
            }
            report.push(|| self.unknown(member));
        }
    }

    /// The keys that the object may have.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.table.keys().map(|key| key.name)
    }

    fn unknown(&self, member: &Member) -> Problem {
        let report = self.field.report;
        let fault = format!("{:?} is not a known key", member.key);
        let known = || {
            let mut known: Vec<&str> = self.names().collect();
            known.sort_unstable();
            format!("want one of {}", known.join(", "))
        };
        let rule = foreign(self.table.name, &member.key).map(str::to_owned);
        let rule = rule.or_else(|| did_you_mean(&member.key, self.names()));
        let rule = rule.unwrap_or_else(known);
        let problem = Problem::nowhere(&self.field.path(), fault, rule);
        let problem = problem.at(report.text, member.key_span, &report.mask);
        problem.with_value(Some(member.key.clone()))
    }
}
