//! The commands that follow changes of files: one after another, each once for all files that have
//! changed together.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use process::{Exit, ExitStatus, Group, Pid, Processes, Signal, SpawnError, Spec, Streams};

use crate::{plan::Hook, settings::Command};

/// A command that has been asked to stop is killed after this.
const GRACE: Duration = Duration::from_secs(5);

/// Commands that wait, and the one that runs.
#[derive(Default)]
pub(crate) struct Hooks {
    waiting: VecDeque<Hook>,
    running: Option<Running>,
}

struct Running {
    pid: Pid,
    shown: String,
    timeout: Duration,
    /// When it is killed.
    deadline: Instant,
    /// Why it is being stopped, if it is.
    stopped: Option<Stopped>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// Its time was up.
    Late,
    /// So was ours.
    Unwanted,
}

impl Hooks {
    /// A file has changed. One that waits already need not wait twice.
    pub(crate) fn add(&mut self, hook: &Hook) {
        if !self.waiting.contains(hook) {
            self.waiting.push_back(hook.clone());
        }
    }

    /// Whether nothing waits and nothing runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_none()
    }

    /// Whether something could start.
    pub(crate) fn is_waiting(&self) -> bool {
        self.running.is_none() && !self.waiting.is_empty()
    }

    /// Starts the next one, if none runs.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start_next(&mut self, processes: &mut Processes) -> Result<(), String> {
        while self.running.is_none() {
            let Some(hook) = self.waiting.pop_front() else { break };
            let shown = shown(&hook.command);
            log::info!("running {shown}");
            let pid = spawn(processes, &hook).map_err(|error| format!("{shown}: {error}"))?;
            if let Some(timeout) = hook.timeout {
                let deadline = later(Instant::now(), timeout);
                self.running = Some(Running { pid, shown, timeout, deadline, stopped: None });
            }
        }
        Ok(())
    }

    /// Somebody has exited. `None`: another one.
    pub(crate) fn exited(&mut self, exit: &Exit) -> Option<Result<(), String>> {
        let ended = self.running.take_if(|running| running.pid == exit.pid)?;
        let shown = ended.shown;
        Some(match (ended.stopped, exit.status) {
            (Some(Stopped::Late), _) => Err(format!(
                "{shown}: had not ended after {:?}, and was killed: want command_timeout longer, \
                 or a command that ends",
                ended.timeout
            )),
            (Some(Stopped::Unwanted), _) | (None, ExitStatus::Code(0)) => Ok(()),
            (None, status) => Err(format!("{shown}: {status}")),
        })
    }

    /// We end: what waits is forgotten, what runs is asked to stop.
    pub(crate) fn stop(&mut self, processes: &Processes) {
        self.waiting.clear();
        if let Some(running) = &mut self.running
            && running.stopped.is_none()
        {
            running.stopped = Some(Stopped::Unwanted);
            running.deadline = running.deadline.min(later(Instant::now(), GRACE));
            processes.signal_group(running.pid, Signal::SIGTERM);
        }
    }

    /// When [`Hooks::due`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.running.as_ref().map(|running| running.deadline)
    }

    /// Kills what has run for too long.
    pub(crate) fn due(&mut self, processes: &Processes, now: Instant) {
        if let Some(running) = self.running.as_mut().filter(|running| running.deadline <= now) {
            running.stopped.get_or_insert(Stopped::Late);
            processes.signal_group(running.pid, Signal::SIGKILL);
            // Should it not be gone at once, which only the system can delay.
            running.deadline = later(now, GRACE);
        }
    }
}

/// So much later; in the far future there is no clock.
pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
    now.checked_add(by.min(FAR)).unwrap_or(now)
}

fn spawn(processes: &mut Processes, hook: &Hook) -> Result<Pid, SpawnError> {
    let (program, args) = words(&hook.command);
    processes.spawn(&Spec {
        program: &program,
        args: &args,
        environment: &hook.environment,
        directory: None,
        identity: None,
        streams: Streams::Raw,
        group: Group::Own,
    })
}

/// The program and its arguments.
pub(crate) fn words(command: &Command) -> (String, Vec<String>) {
    match command {
        Command::Shell(line) => ("sh".to_owned(), vec!["-c".to_owned(), line.clone()]),
        Command::Words(words) => match words.split_first() {
            Some((program, args)) => (program.clone(), args.to_vec()),
            None => (String::new(), Vec::new()),
        },
    }
}

/// For messages.
pub(crate) fn shown(command: &Command) -> String {
    match command {
        Command::Shell(line) => format!("{line:?}"),
        Command::Words(words) => format!("{words:?}"),
    }
}
