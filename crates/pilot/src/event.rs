//! Events in words, as they stand in the log.

use config::{
    Config,
    job::{ElectionEvent, GlobalEvent, JobEvent, SignalEvent, TemplateEvent, Trigger, WatchEvent},
};

/// `SOURCE EVENT`, in the words of a 3.x file; the program's own events without a source.
pub(crate) fn describe(event: Trigger, config: &Config) -> String {
    let (source, word) = words(event, config);
    match event {
        Trigger::Global(_) | Trigger::Signal(_) => word.to_owned(),
        Trigger::Job(..) | Trigger::Watch(..) | Trigger::Election(..) | Trigger::Template(..) => {
            format!("{source} {word}")
        }
    }
}

/// Source and event, in the words of a 3.x file. A signal is both.
pub(crate) fn words(event: Trigger, config: &Config) -> (String, &'static str) {
    match event {
        Trigger::Global(event) => {
            let word = match event {
                GlobalEvent::Startup => "startup",
                GlobalEvent::Shutdown => "shutdown",
                GlobalEvent::EnterMaintenance => "enterMaintenance",
                GlobalEvent::ExitMaintenance => "exitMaintenance",
            };
            ("global".to_owned(), word)
        }
        Trigger::Job(id, event) => {
            let word = match event {
                JobEvent::Healthy => "healthy",
                JobEvent::Unhealthy => "unhealthy",
                JobEvent::ExitSuccess => "exitSuccess",
                JobEvent::ExitFailed => "exitFailed",
                JobEvent::Stopping => "stopping",
                JobEvent::Stopped => "stopped",
            };
            (config.jobs.get(id.0).map_or_else(|| "?".to_owned(), |job| job.name.clone()), word)
        }
        Trigger::Watch(id, event) => {
            let word = match event {
                WatchEvent::Changed => "changed",
                WatchEvent::Healthy => "healthy",
                WatchEvent::Unhealthy => "unhealthy",
            };
            let name = config.watches.get(id.0).map_or("?", |watch| &watch.name);
            (format!("watch.{name}"), word)
        }
        Trigger::Election(id, event) => {
            let word = match event {
                ElectionEvent::Elected => "elected",
                ElectionEvent::Demoted => "demoted",
            };
            let name = config.elections.get(id.0).map_or("?", |election| &election.name);
            (format!("election.{name}"), word)
        }
        Trigger::Template(id, event) => {
            let word = match event {
                TemplateEvent::Changed => "changed",
                TemplateEvent::Failed => "failed",
            };
            let name = config.templates.get(id.0).map_or("?", |template| &template.name);
            (format!("template.{name}"), word)
        }
        Trigger::Signal(signal) => {
            let word = match signal {
                SignalEvent::Hup => "SIGHUP",
                SignalEvent::Usr2 => "SIGUSR2",
            };
            (word.to_owned(), word)
        }
    }
}
