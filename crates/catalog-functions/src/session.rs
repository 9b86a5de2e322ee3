//! What the functions of one template work with: the answers, and what this execution has asked.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::{Rc, Weak},
    sync::Arc,
};

use gotemplate::{Limits, Value};

use crate::{
    Host, PARTS,
    answers::{Answer, Answers, Need, Shared},
    functions::regex::Patterns,
    objects::Scratch,
};

/// Lives as long as its template, and is made new in part for each execution.
pub(crate) struct Session {
    /// What `env` finds.
    pub(crate) environment: Arc<BTreeMap<String, String>>,
    /// What is known of the machine.
    pub(crate) host: Host,
    /// The template itself, for functions that execute parts of it.
    pub(crate) template: RefCell<Weak<gotemplate::Template>>,
    /// Compiled regular expressions.
    pub(crate) patterns: Patterns,
    /// What parts that functions execute may still take.
    pub(crate) limits: Cell<Limits>,
    /// How many such parts are within each other.
    pub(crate) level: Cell<usize>,
    scratch: RefCell<Rc<Scratch>>,
    answers: RefCell<Shared>,
    needs: RefCell<BTreeSet<Need>>,
    missing: RefCell<BTreeSet<Need>>,
}

impl Session {
    pub(crate) fn new(environment: Arc<BTreeMap<String, String>>, host: Host) -> Session {
        Session {
            environment,
            host,
            template: RefCell::default(),
            patterns: Patterns::default(),
            limits: Cell::new(PARTS),
            level: Cell::new(0),
            scratch: RefCell::default(),
            answers: RefCell::default(),
            needs: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    /// An execution begins.
    pub(crate) fn begin(&self, answers: &Answers) {
        self.answers.replace(answers.known.clone());
        self.limits.set(PARTS);
        self.patterns.begin();
    }

    /// It has ended: what it has asked, and what of that is not known.
    pub(crate) fn end(&self) -> (BTreeSet<Need>, BTreeSet<Need>) {
        self.answers.take();
        self.scratch.take();
        (self.needs.take(), self.missing.take())
    }

    /// Asks; what is not known is missing.
    pub(crate) fn ask(&self, need: Need) -> Option<Rc<Answer>> {
        let answer = self.answers.borrow().borrow().get(&need).cloned();
        if answer.is_none() {
            self.hold_back(&need);
        }
        self.needs.borrow_mut().insert(need);
        answer
    }

    /// There is an answer, but not one to go by.
    pub(crate) fn hold_back(&self, need: &Need) {
        self.missing.borrow_mut().insert(need.clone());
    }

    /// Where this execution puts things aside.
    pub(crate) fn scratch(&self) -> Value {
        Value::Object(self.scratch.borrow().clone())
    }
}
