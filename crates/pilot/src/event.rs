//! Events in words, as they stand in the log.

use config::{
    Config,
    job::{GlobalEvent, JobEvent, SignalEvent, Trigger, WatchEvent},
};

/// `SOURCE EVENT`, in the words of a 3.x file.
pub(crate) fn describe(event: Trigger, config: &Config) -> String {
    match event {
        Trigger::Global(event) => match event {
            GlobalEvent::Startup => "startup",
            GlobalEvent::Shutdown => "shutdown",
            GlobalEvent::EnterMaintenance => "enterMaintenance",
            GlobalEvent::ExitMaintenance => "exitMaintenance",
        }
        .to_owned(),
        Trigger::Job(id, event) => {
            let event = match event {
                JobEvent::Healthy => "healthy",
                JobEvent::Unhealthy => "unhealthy",
                JobEvent::ExitSuccess => "exitSuccess",
                JobEvent::ExitFailed => "exitFailed",
                JobEvent::Stopping => "stopping",
                JobEvent::Stopped => "stopped",
            };
            let name = config.jobs.get(id.0).map_or("?", |job| &job.name);
            format!("{name} {event}")
        }
        Trigger::Watch(id, event) => {
            let event = match event {
                WatchEvent::Changed => "changed",
                WatchEvent::Healthy => "healthy",
                WatchEvent::Unhealthy => "unhealthy",
            };
            let name = config.watches.get(id.0).map_or("?", |watch| &watch.name);
            format!("watch.{name} {event}")
        }
        Trigger::Signal(SignalEvent::Hup) => "SIGHUP".to_owned(),
        Trigger::Signal(SignalEvent::Usr2) => "SIGUSR2".to_owned(),
    }
}
