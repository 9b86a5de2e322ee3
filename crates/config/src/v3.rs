//! 3.x: jobs that react to events, and where these come from: checks, watches, elections, templates.
//!
//! `file` is what the user may write, [`when`] resolves what jobs wait for by the names of
//! [`sources`], [`jobs`] translates, [`order`] decides which job stops after which.

mod elections;
mod file;
mod health;
mod jobs;
mod order;
mod sources;
mod templates;
mod watches;
mod when;

pub(crate) use when::events;

use crate::{
    Config, Generation, Host, Secrets,
    decode::Object,
    job::{GlobalEvent, JobId, Trigger},
};

/// Reads and translates a file of this generation.
pub(crate) fn config(mut root: Object<'_>, has_application: bool, host: &Host) -> Config {
    let report = root.report();
    if has_application {
        report.warn(
            "the words on the command line are ignored: a 3.x file names its application in \
             \"jobs\", and flags stand before all other words",
        );
    }
    let file = file::File::read(&mut root, host);
    let mut jobs = jobs::translate(&file, report);
    let startup = Trigger::Global(GlobalEvent::Startup);
    let telemetry = file.telemetry.map(|endpoint| {
        let name = jobs::unused_name(&jobs, &endpoint.service.name);
        let (telemetry, job) = endpoint.translate(JobId(jobs.len()), name, startup);
        jobs.push(job);
        telemetry
    });
    let catalog = file.registry.catalog();
    order::decide(&mut jobs, catalog.as_ref());
    jobs::report_idle_drains(&jobs, report);
    let config = Config {
        generation: Generation::V3,
        catalog,
        logging: file.logging,
        jobs,
        watches: file.watches,
        elections: file.elections,
        templates: file.templates,
        telemetry,
        control: Some(file.control),
        stop_timeout: Some(file.stop_timeout),
        warnings: Vec::new(),
        secrets: Secrets::default(),
    };
    let observes_nothing =
        config.watches.is_empty() && config.elections.is_empty() && config.templates.is_empty();
    if config.jobs.is_empty() && observes_nothing {
        report.warn("there is nothing to run: the file has no jobs");
    }
    root.finish();
    config
}
