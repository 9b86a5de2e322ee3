//! From a 1.x or 2.x file to a 3.x file that does the same.
//!
//! Decisions are made on what the file means here and now; what is written is taken from the file
//! as it was typed. Template actions are kept if they stand inside of values, which is where they
//! usually stand: they are marked before the text is parsed, and written back. Where they do more
//! (make keys, or parts of lists), the rendered text is migrated, and the result says so.

use crate::{
    Config, Errors, Generation, Host, Source,
    decode::{Field, Report},
    error::Problem,
    job::Role,
    json5::{self, Node},
    keys, load,
    render::render,
    secrets::Secrets,
    v2::{self, Marked},
};

/// A migrated file.
#[derive(Clone, PartialEq, Eq)]
pub struct Migration {
    /// The text of the 3.x file, with comments about every move.
    pub text: String,
    /// What is not the same as before, to be told to the user; it stands in the text too.
    pub warnings: Vec<String>,
}

impl std::fmt::Debug for Migration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Tokens may stand in the text.
        f.debug_struct("Migration").field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

/// Writes a 1.x/2.x configuration and the application of its command line (not rendered; empty if
/// there is none) as a 3.x file.
///
/// # Errors
/// Everything that is wrong with the file, or that it is one of 3.x already.
pub fn migrate(source: &Source, application: &[String], host: &Host) -> Result<Migration, Errors> {
    let config = load(source, application, host)?;
    let mut migration = migrated(source, application, host, &config)?;
    // A warning may name what the file holds.
    for warning in &mut migration.warnings {
        *warning = config.secrets.hide(warning);
    }
    Ok(migration)
}

fn migrated(
    source: &Source,
    application: &[String],
    host: &Host,
    config: &Config,
) -> Result<Migration, Errors> {
    let refuse = |fault: &str, rule: &str| {
        let secrets = Secrets::of(&host.environment);
        Errors::new(&source.name, false, vec![Problem::nowhere("", fault, rule)], &secrets)
    };
    if config.generation == Generation::V3 {
        return Err(refuse("this is a 3.x file already", "want one of 1.x or 2.x"));
    }
    // It has been loaded, so that neither can fail; what follows needs both.
    let broken = || refuse("the file cannot be read again", "want it unchanged");
    let text = render(&source.text, &host.environment).map_err(|_| broken())?;
    let node = json5::parse(&text).map_err(|_| broken())?;
    let report = Report::new(&text, &host.environment);
    let mut root = Field::root(&report, &node, &keys::ROOT_V2).object().ok_or_else(broken)?;
    let file = v2::File::read(&mut root, host);

    let job = config.jobs.iter().find(|job| job.role == Role::Essential);
    let command = job.and_then(|job| job.exec.as_ref()).map(|exec| &exec.command);
    if let Some((marked, node)) = marked(source, &node)
        && let Some(words) = v2::words_as_typed(application)
    {
        let migrated = v2::migration(&source.name, &file, &node, &marked, words, true);
        // A template can do what nobody thinks of.
        let result = Source { name: source.name.clone(), text: migrated.text.clone() };
        if load(&result, &[], host).is_ok() {
            return Ok(migrated);
        }
    }
    let words = command.map_or_else(Vec::new, v2::words_as_rendered);
    let marked = Marked::plain(&text);
    let kept = text == source.text;
    Ok(v2::migration(&source.name, &file, &node, &marked, words, kept))
}

/// The file with its templates, if they only stand inside of values.
fn marked(source: &Source, rendered: &Node) -> Option<(Marked, Node)> {
    let marked = Marked::new(&source.text)?;
    let node = json5::parse(&marked.text).ok()?;
    v2::same_shape(&node, rendered).then_some((marked, node))
}
