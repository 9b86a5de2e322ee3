//! 1.x and 2.x: services, backends, tasks, coprocesses and hooks around one application.
//!
//! `file` is what the user may write, [`jobs`] translates it: everything that runs becomes a
//! job, in the order in which the originals started it.

mod file;
mod jobs;
mod migration;

pub(crate) use file::File;
pub(crate) use migration::{Marked, migration, same_shape, words_as_rendered, words_as_typed};

use crate::{Command, Config, Generation, Host, Secrets, decode::Object};

/// Reads and translates a file of this generation.
pub(crate) fn config(mut root: Object<'_>, application: Option<Command>, host: &Host) -> Config {
    let report = root.report();
    let file = file::File::read(&mut root, host);
    root.finish();
    let translated = jobs::translate(&file, application, report);
    Config {
        generation: Generation::V2,
        catalog: file.registry.catalog(),
        logging: file.logging,
        jobs: translated.jobs,
        watches: translated.watches,
        elections: Vec::new(),
        templates: Vec::new(),
        telemetry: translated.telemetry,
        control: file.control,
        stop_timeout: None,
        warnings: Vec::new(),
        secrets: Secrets::default(),
    }
}
