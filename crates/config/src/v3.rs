//! 3.x: jobs that react to events, and watches.
//!
//! `file` is what the user may write, [`when`] resolves what jobs wait for, [`jobs`] translates,
//! [`order`] decides which job stops after which.

mod file;
mod jobs;
mod order;
mod when;

use crate::{Config, Generation, Host, Watch, decode::Object, job::GlobalEvent, job::Trigger};

/// Reads and translates a file of this generation.
pub(crate) fn config(mut root: Object<'_>, has_application: bool, host: &Host) -> Config {
    let report = root.report();
    if has_application {
        report.warn(
            "the words on the command line are ignored: a 3.x file names its application in \"jobs\"",
        );
    }
    let file = file::File::read(&mut root, host);
    let mut jobs = jobs::translate(&file, report);
    order::decide(&mut jobs, file.catalog.as_ref());
    let watch = |watch: &file::Watched| Watch {
        name: watch.name.clone(),
        service: watch.name.clone(),
        tag: watch.tag.clone(),
        datacenter: watch.datacenter.clone(),
        interval: watch.interval,
        after: Trigger::Global(GlobalEvent::Startup),
    };
    let config = Config {
        generation: Generation::V3,
        catalog: file.catalog,
        logging: file.logging,
        jobs,
        watches: file.watches.iter().map(watch).collect(),
        telemetry: file.telemetry,
        control: Some(file.control),
        stop_timeout: Some(file.stop_timeout),
        warnings: Vec::new(),
    };
    if config.jobs.is_empty() && config.watches.is_empty() && config.telemetry.is_none() {
        report.warn("there is nothing to run: the file has no jobs");
    }
    root.finish();
    config
}
