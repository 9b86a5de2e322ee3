//! Templates over a catalog: what a template may ask and compute. Pure: it is given answers, and
//! reads nothing itself.
//!
//! # Theory of operation
//! A [`Template`] is executed again and again. Each execution ([`Template::execute`]) looks up what
//! it asks for in [`Answers`]; what is not there is an empty value, and the execution goes on, so
//! that one [`Pass`] finds as many questions as can be found without the answers. Its owner sees to
//! the answers and executes again, until nothing is missing.
//!
//! The functions stand in tables (`functions`), each with the types that it takes. They work on the
//! `session` of their template: the answers, the questions of this execution, the scratch pad. What
//! the catalog has found is never copied: templates see `objects` that read their fields from the
//! answer, and lists of them that are made once for each answer. `query` reads the queries of
//! `service` and the like; `json`, `yaml` and `toml` write what Go's libraries write.
//!
//! What values nest has an end (`depth`), and so has what one execution may take: it runs in an
//! init program, beside all that this has to do.
//!
//! # Differences from the original
//! - Values and files that are not UTF-8 text are errors where they are used.
//! - Keys of maps are text, also those that YAML has as numbers.
//! - `loop` gives a list, so that `range $i, $n := loop 3` works too.
//! - Regular expressions have ASCII classes, and no `\p`.
//! - `parseFloat` reads no hexadecimal numbers.
//! - A node that does not exist is false in `if` and `with`, and has empty fields.

mod answers;
mod depth;
mod functions;
mod host;
mod json;
mod objects;
mod query;
mod session;
mod toml;
mod yaml;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};

use gotemplate::{Limits, MissingKey, ParseError, Value};

pub use answers::{Answers, Known, Need};
pub use host::{Host, Interface};

use session::Session;

/// What one execution may take: some ten times of what 5,000 services of three instances need.
const LIMITS: Limits = Limits { steps: 50_000_000, output: 64 << 20, made: 256 << 20 };

/// What the parts may take together that one execution executes by `executeTemplate`.
const PARTS: Limits = Limits { steps: 5_000_000, ..LIMITS };

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
    /// What `timestamp` and `sockaddr` see.
    pub host: Host,
}

/// A template that can be executed.
pub struct Template {
    inner: Rc<gotemplate::Template>,
    session: Rc<Session>,
}

/// What one execution has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Everything that was asked for.
    pub needs: BTreeSet<Need>,
    /// What of it is not known, or is known to be nothing to go by: a `key` that does not exist, a
    /// `safeTree` without keys. If this is not empty the text is not what it should be.
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
        let session = Rc::new(Session::new(options.environment.clone(), options.host));
        let functions = functions::functions(&session, &options.denied);
        let missing_key =
            if options.error_on_missing_key { MissingKey::Error } else { MissingKey::Zero };
        let options = gotemplate::Options {
            left: options.left_delimiter.clone(),
            right: options.right_delimiter.clone(),
            missing_key,
            limits: LIMITS,
        };
        let inner = gotemplate::Template::parse_with(name, text, &functions, &options);
        let inner = Rc::new(inner.map_err(|error| explained(name, &error))?);
        session.template.replace(Rc::downgrade(&inner));
        Ok(Template { inner, session })
    }

    /// Executes it with what is known.
    #[must_use]
    pub fn execute(&self, answers: &Answers) -> Pass {
        self.session.begin(answers);
        let text = self.inner.execute(&Value::Nil);
        let text = text.map_err(|error| advised(error.to_string(), error.advice()));
        let (needs, missing) = self.session.end();
        Pass { needs, missing, text }
    }
}

/// What Go says, with the column, and what could be done about it.
fn explained(name: &str, error: &ParseError) -> String {
    let (said, line) = (error.to_string(), error.line());
    let place = format!("template: {name}:{line}: ");
    let what = said.strip_prefix(&place).unwrap_or(&said);
    let column = error.column().map_or(String::new(), |column| format!("{column}:"));
    let place = if what.len() < said.len() { place.trim_end() } else { "" };
    let function = what.strip_prefix("function \"").and_then(|rest| rest.split('"').next());
    let advice = function.and_then(functions::unknown);
    let text = advised(format!("{place}{column} {what}"), advice.as_deref().or(error.advice()));
    match error.action() {
        "" => text,
        // It is what the words are about.
        action if what.contains(action) => text,
        action => format!("{text} (near {action})"),
    }
}

/// A message with what is behind it.
fn advised(message: String, advice: Option<&str>) -> String {
    match advice {
        Some(advice) => format!("{message}: {advice}"),
        None => message,
    }
}
