//! The way from a source to a [`Config`].

use crate::{Config, Errors, Host, Source, error::Problem};

/// Renders, parses, validates and translates a configuration. `application` are the words behind
/// the flags of the command line, not rendered; empty if there are none.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(source: &Source, application: &[String], host: &Host) -> Result<Config, Errors> {
    let _ = (application, host);
    let problem = Problem::nowhere("", "not supported yet", "want a later version");
    Err(Errors::new(&source.name, false, vec![problem]))
}
