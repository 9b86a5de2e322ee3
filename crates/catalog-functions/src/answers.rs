//! What is known, and the values that templates see of it.

use std::{cell::RefCell, collections::HashMap, path::PathBuf, rc::Rc, sync::Arc};

use catalog::{Finding, Question};
use gotemplate::Value;

use crate::query::Filter;

/// Something that a template needs to know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// What the catalog answers.
    Catalog(Question),
    /// What is in a file (`file`).
    File(PathBuf),
}

/// What a template is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// What the catalog answers.
    Catalog(Arc<Finding>),
    /// What is in a file.
    File(Arc<str>),
}

/// What is known. One for all templates of a thread; values that templates work with are made once
/// for each answer.
#[derive(Default)]
pub struct Answers {
    pub(crate) known: Shared,
}

impl Answers {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Answers {
        Answers::default()
    }

    /// This is known now.
    pub fn learn(&mut self, need: Need, known: Known) {
        self.known.borrow_mut().insert(need, Rc::new(Answer::new(known)));
    }

    /// What is known of this.
    #[must_use]
    pub fn get(&self, need: &Need) -> Option<Known> {
        self.known.borrow().get(need).map(|answer| answer.known.clone())
    }

    /// Nothing is known of this any more.
    pub fn forget(&mut self, need: &Need) {
        self.known.borrow_mut().remove(need);
    }
}

/// Answers, which executions look at while they run.
pub(crate) type Shared = Rc<RefCell<HashMap<Need, Rc<Answer>>>>;

/// What is known of one need, and what templates have made of it.
pub(crate) struct Answer {
    known: Known,
    values: RefCell<Vec<(View, Value)>>,
}

/// A way to see an answer. Two functions may show different values of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    Instances(Filter),
    Whole,
    /// Keys right below a prefix.
    Level,
    /// All keys below it.
    Tree,
}

impl Answer {
    fn new(known: Known) -> Answer {
        Answer { known, values: RefCell::default() }
    }

    /// What the catalog has found, if that is what was asked for.
    pub(crate) fn finding(&self) -> Option<&Arc<Finding>> {
        match &self.known {
            Known::Catalog(finding) => Some(finding),
            Known::File(_) => None,
        }
    }

    /// The text of a file, if that is what was asked for.
    pub(crate) fn text(&self) -> Option<&Arc<str>> {
        match &self.known {
            Known::Catalog(_) => None,
            Known::File(text) => Some(text),
        }
    }

    /// The value of a view, which is made when it is looked at first.
    pub(crate) fn value(&self, view: View, make: impl FnOnce() -> Value) -> Value {
        let mut values = self.values.borrow_mut();
        if let Some((_, value)) = values.iter().find(|(made, _)| *made == view) {
            return value.clone();
        }
        let value = make();
        values.push((view, value.clone()));
        value
    }
}
