//! What one job can run: commands with all that is needed to start them.

use std::{
    ffi::OsString,
    io::{IsTerminal as _, stdin},
    sync::Arc,
};

use config::{
    Command, Job,
    job::{Lines, StopSignal, Surroundings},
};
use process::{Group, Identity, Pid, Processes, Signal, Source, SpawnError, Spec, Streams, Tail};

use crate::{environment::Environment, logging::level};

/// A command and its streams, ready to be started.
pub(super) struct Program {
    command: Command,
    pub(super) streams: Streams,
    pub(super) group: Group,
    place: Arc<Place>,
}

/// Where and as whom a job's processes run.
#[derive(Default)]
pub(super) struct Place {
    surroundings: Surroundings,
    identity: Option<Identity>,
}

impl Place {
    /// Where and as whom this job's processes run.
    ///
    /// # Errors
    /// Its user or group does not exist.
    pub(super) fn of(job: &Job) -> Result<Arc<Place>, String> {
        let Surroundings { user, group, .. } = &job.surroundings;
        let identity = match (user, group) {
            (None, None) => None,
            (user, group) => Some(
                Identity::lookup(user.as_deref(), group.as_deref())
                    .map_err(|error| format!("jobs ({}): {error}", job.name))?,
            ),
        };
        Ok(Arc::new(Place { surroundings: job.surroundings.clone(), identity }))
    }
}

impl Program {
    /// What `tail` keeps is what it writes, if that is logged line by line.
    pub(super) fn new(
        name: &str,
        command: &Command,
        streams: config::job::Streams,
        place: &Arc<Place>,
        tail: Option<&Tail>,
    ) -> Program {
        let interactive = matches!(streams, config::job::Streams::Inherit) && stdin().is_terminal();
        Program {
            command: command.clone(),
            streams: match streams {
                config::job::Streams::Inherit => Streams::Inherit,
                config::job::Streams::Raw => Streams::Raw,
                config::job::Streams::Logged { stdout, stderr, lines } => {
                    let source = Source::new(name.to_owned(), level(stdout), level(stderr));
                    let source = match tail {
                        Some(tail) => source.with_tail(tail.clone()),
                        None => source,
                    };
                    let source = match lines {
                        Lines::Text => source,
                        Lines::Json => source.structured(),
                    };
                    Streams::Lines { source: Arc::new(source) }
                }
            },
            // A program in a group of its own could not read from the terminal.
            group: if interactive { Group::Ours } else { Group::Own },
            place: Arc::clone(place),
        }
    }

    /// As whom it runs, if that is somebody else.
    pub(super) fn identity(&self) -> Option<&Identity> {
        self.place.identity.as_ref()
    }

    /// Starts it, with other streams than its own perhaps, and with a variable that nobody else
    /// finds.
    pub(super) fn start(
        &self,
        processes: &mut Processes,
        streams: Streams,
        environment: &Environment,
        variable: Option<(OsString, OsString)>,
    ) -> Result<Pid, SpawnError> {
        let Place { surroundings, identity } = &*self.place;
        let mut own = environment.of(surroundings, identity.as_ref());
        if let Some((name, value)) = variable {
            own.get_or_insert_with(|| environment.variables().clone()).insert(name, value);
        }
        processes.spawn(&Spec {
            program: &self.command.program,
            args: &self.command.args,
            environment: own.as_ref().unwrap_or(environment.variables()),
            directory: surroundings.workdir.as_deref(),
            identity: identity.as_ref(),
            streams,
            group: self.group,
        })
    }
}

/// The signal that asks a process to stop.
pub(super) fn stop_signal(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Term => Signal::SIGTERM,
        StopSignal::Int => Signal::SIGINT,
        StopSignal::Quit => Signal::SIGQUIT,
        StopSignal::Hup => Signal::SIGHUP,
        StopSignal::Usr1 => Signal::SIGUSR1,
        StopSignal::Usr2 => Signal::SIGUSR2,
        StopSignal::Winch => Signal::SIGWINCH,
        StopSignal::Abrt => Signal::SIGABRT,
        StopSignal::Kill => Signal::SIGKILL,
    }
}
