//! A parsed template, ready to be executed any number of times.

use crate::error::{ExecError, ParseError};
use crate::exec::Exec;
use crate::function::Functions;
use crate::limits::Limits;
use crate::node::Node;
use crate::parser::{Trees, parse};
use crate::quote::{Escape, quote};
use crate::value::Value;
use std::rc::Rc;

/// What a map gives for a key that it does not have (Go's option `missingkey`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey {
    /// No value; printed as `<no value>`.
    #[default]
    Default,
    /// The zero value of the map's element type: empty text in a `map[string]string`.
    Zero,
    /// The execution stops with an error.
    Error,
}

/// How to read and execute a template.
#[derive(Clone, Debug)]
pub struct Options {
    /// What opens an action.
    pub left: String,
    /// What closes an action.
    pub right: String,
    /// What a missing key of a map gives.
    pub missing_key: MissingKey,
    /// How much an execution may take.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            left: "{{".to_owned(),
            right: "}}".to_owned(),
            missing_key: MissingKey::Default,
            limits: Limits::default(),
        }
    }
}

/// A parsed template with everything that it defines.
pub struct Template {
    pub(crate) name: Rc<str>,
    pub(crate) text: Box<str>,
    pub(crate) missing_key: MissingKey,
    pub(crate) limits: Limits,
    trees: Trees,
}

impl Template {
    /// Parses a template with Go's default options.
    ///
    /// # Errors
    /// Go's message for what is wrong with the text.
    pub fn parse(name: &str, text: &str, functions: &Functions) -> Result<Template, ParseError> {
        Template::parse_with(name, text, functions, &Options::default())
    }

    /// Parses a template with options.
    ///
    /// # Errors
    /// Go's message for what is wrong with the text.
    pub fn parse_with(
        name: &str,
        text: &str,
        functions: &Functions,
        options: &Options,
    ) -> Result<Template, ParseError> {
        let defaults = Options::default();
        let or = |given: &String, default: String| {
            if given.is_empty() { default } else { given.clone() }
        };
        let left = or(&options.left, defaults.left);
        let right = or(&options.right, defaults.right);
        let trees = parse(name, text, &left, &right, functions)?;
        let Options { missing_key, limits, .. } = *options;
        Ok(Template { name: name.into(), text: text.into(), missing_key, limits, trees })
    }

    /// The name that was given to [`Template::parse`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a template of that name is defined in the text.
    pub fn defines(&self, name: &str) -> bool {
        self.trees.contains_key(name)
    }

    /// Executes the template.
    ///
    /// # Errors
    /// Go's message for what went wrong.
    pub fn execute(&self, data: &Value) -> Result<String, ExecError> {
        let mut output = String::new();
        self.execute_into(&mut output, data)?;
        Ok(output)
    }

    /// Executes the template and appends to `output`, which holds what was written so far if
    /// there is an error.
    ///
    /// # Errors
    /// Go's message for what went wrong.
    pub fn execute_into(&self, output: &mut String, data: &Value) -> Result<(), ExecError> {
        self.execute_template(&self.name, output, data)
    }

    /// Executes one of the defined templates by its name and appends to `output`.
    ///
    /// # Errors
    /// Go's message for what went wrong, also if there is no template of that name.
    pub fn execute_template(
        &self,
        name: &str,
        output: &mut String,
        data: &Value,
    ) -> Result<(), ExecError> {
        let mut limits = self.limits;
        self.execute_within(&mut limits, name, output, data)
    }

    /// The same within limits of the caller's, from which it takes what it uses: for functions
    /// that execute templates, of which one execution may call many.
    ///
    /// # Errors
    /// Go's message for what went wrong, also if there is no template of that name.
    pub fn execute_within(
        &self,
        limits: &mut Limits,
        name: &str,
        output: &mut String,
        data: &Value,
    ) -> Result<(), ExecError> {
        let Some((name, nodes)) = self.tree(name) else {
            let quoted = |name| quote(name, Escape::Unprintable);
            let message = format!(
                "template: no template {} associated with template {}",
                quoted(name),
                quoted(&self.name)
            );
            return Err(ExecError::new(message, 0, 0));
        };
        Exec::new(self, output, limits).run(name, nodes, data)
    }

    /// A tree and its name.
    pub(crate) fn tree(&self, name: &str) -> Option<(&str, &[Node])> {
        self.trees.get_key_value(name).map(|(name, nodes)| (&**name, nodes.as_slice()))
    }
}
