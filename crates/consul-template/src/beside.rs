//! The program that runs beside (`-exec`): started when all is rendered, told of changes or started
//! anew, asked to stop at our end.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use process::{Exit, Group, Pid, Processes, Signal, Spec, Streams};

use crate::{
    hooks::{later, shown, words},
    plan::Exec,
    settings::Command,
};

/// Asks it to stop, unless the settings or the signal that we got say otherwise.
const STOP: Signal = Signal::SIGINT;

/// What makes a line more than one program and its arguments.
const OPERATORS: [char; 8] = [';', '&', '|', '\n', '(', ')', '{', '`'];

/// The program and what is to become of it.
pub(crate) struct Beside {
    exec: Exec,
    state: State,
}

enum State {
    /// It has not been started.
    Waiting,
    Running(Pid),
    /// It will be told of a change, or started anew.
    Splaying(Pid, Instant),
    /// It has been asked to stop, and is killed then.
    Stopping {
        pid: Pid,
        kill: Instant,
        again: bool,
    },
    /// It ran, and does no more.
    Ended,
}

impl Beside {
    pub(crate) fn new(exec: Exec) -> Beside {
        Beside { exec, state: State::Waiting }
    }

    /// Whether another plan wants exactly this one.
    pub(crate) fn is(&self, exec: &Exec) -> bool {
        self.exec == *exec
    }

    /// Another plan has other words for it: it is started anew with these, if it runs.
    pub(crate) fn become_another(&mut self, exec: Exec, processes: &Processes) {
        self.restart(processes);
        self.exec = exec;
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    /// Whether there is no process.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state, State::Waiting | State::Ended)
    }

    /// Starts it.
    ///
    /// # Errors
    /// It cannot be: the exit code by which a shell would report that, and why.
    pub(crate) fn start(&mut self, processes: &mut Processes) -> Result<(), (u8, String)> {
        let simple = simple(&self.exec.command);
        let (program, args) = words(simple.as_ref().unwrap_or(&self.exec.command));
        log::info!("starting {}", shown(&self.exec.command));
        let spec = Spec {
            program: &program,
            args: &args,
            environment: &self.exec.environment,
            directory: None,
            identity: None,
            streams: Streams::Inherit,
            group: Group::Own,
        };
        match processes.spawn(&spec) {
            Ok(pid) => {
                self.state = State::Running(pid);
                Ok(())
            }
            Err(error) => {
                self.state = State::Ended;
                Err((error.exit_code(), format!("exec: {error}")))
            }
        }
    }

    /// A file has changed.
    pub(crate) fn changed(&mut self, processes: &Processes) {
        if let State::Running(pid) = self.state {
            match splay(self.exec.splay) {
                Duration::ZERO => self.reload(pid, processes),
                splay => self.state = State::Splaying(pid, later(Instant::now(), splay)),
            }
        }
    }

    fn reload(&mut self, pid: Pid, processes: &Processes) {
        self.state = State::Running(pid);
        match self.exec.reload_signal {
            Some(signal) => self.tell(pid, signal, processes),
            None => self.restart(processes),
        }
    }

    fn restart(&mut self, processes: &Processes) {
        if let State::Running(pid) | State::Splaying(pid, _) = self.state {
            self.ask(pid, self.exec.kill_signal.unwrap_or(STOP), true, processes);
        }
    }

    /// Passes a signal on.
    pub(crate) fn pass(&self, signal: Signal, processes: &Processes) {
        if let State::Running(pid) | State::Splaying(pid, _) | State::Stopping { pid, .. } =
            self.state
        {
            self.tell(pid, signal, processes);
        }
    }

    /// We end, by this signal or by ourselves.
    pub(crate) fn stop(&mut self, by: Option<Signal>, processes: &Processes) {
        match &mut self.state {
            State::Waiting => self.state = State::Ended,
            State::Running(pid) | State::Splaying(pid, _) => {
                let pid = *pid;
                let signal = self.exec.kill_signal.or(by).unwrap_or(STOP);
                self.ask(pid, signal, false, processes);
            }
            State::Stopping { again, .. } => *again = false,
            State::Ended => {}
        }
    }

    fn ask(&mut self, pid: Pid, signal: Signal, again: bool, processes: &Processes) {
        let kill = later(Instant::now(), self.exec.kill_timeout);
        self.state = State::Stopping { pid, kill, again };
        self.tell(pid, signal, processes);
    }

    /// A line for the shell may be many processes, of which we know only the shell.
    fn tell(&self, pid: Pid, signal: Signal, processes: &Processes) {
        match &self.exec.command {
            line @ Command::Shell(_) if simple(line).is_none() => {
                processes.signal_group(pid, signal);
            }
            _ => processes.signal(pid, signal),
        }
    }

    /// Somebody has exited. `Some`: it was this, and it is not to be started anew: its code.
    ///
    /// # Errors
    /// It cannot be started anew: as [`Beside::start`].
    pub(crate) fn exited(
        &mut self,
        exit: &Exit,
        processes: &mut Processes,
    ) -> Result<Option<u8>, (u8, String)> {
        let (pid, again) = match self.state {
            State::Running(pid) | State::Splaying(pid, _) => (pid, false),
            State::Stopping { pid, again, .. } => (pid, again),
            State::Waiting | State::Ended => return Ok(None),
        };
        if pid != exit.pid {
            return Ok(None);
        }
        log::info!("{} {}", shown(&self.exec.command), exit.status);
        if again {
            return self.start(processes).map(|()| None);
        }
        self.state = State::Ended;
        Ok(Some(exit.status.code()))
    }

    /// When [`Beside::due`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Splaying(_, at) => Some(at),
            State::Stopping { kill, .. } => Some(kill),
            State::Waiting | State::Running(_) | State::Ended => None,
        }
    }

    /// Does what it is time for.
    pub(crate) fn due(&mut self, processes: &Processes, now: Instant) {
        match &mut self.state {
            State::Splaying(pid, at) if *at <= now => {
                let pid = *pid;
                self.reload(pid, processes);
            }
            State::Stopping { pid, kill, .. } if *kill <= now => {
                let (line, timeout) = (shown(&self.exec.command), self.exec.kill_timeout);
                log::warn!("{line} has not stopped within {timeout:?} and is killed");
                processes.signal_group(*pid, Signal::SIGKILL);
                // Should it not be gone at once, which only the system can delay.
                *kill = later(now, timeout.max(Duration::from_secs(1)));
            }
            _ => {}
        }
    }
}

/// A line that is one program and its arguments takes the shell's place, so that signals reach the
/// program and its exit code is the one that we see.
fn simple(command: &Command) -> Option<Command> {
    let Command::Shell(line) = command else { return None };
    let first = line.split_whitespace().next().unwrap_or_default();
    // `exec A=b program` would look for a program of that name.
    let is_simple = !has_operators(line) && !first.contains('=') && first != "exec";
    is_simple.then(|| Command::Shell(format!("exec {line}")))
}

/// Whether one of the shell's operators stands in a line outside of quotes.
fn has_operators(line: &str) -> bool {
    let mut chars = line.chars();
    let mut quote = None;
    while let Some(char) = chars.next() {
        match (quote, char) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => quote = Some(char),
            // What stands behind it has no meaning.
            (None | Some('"'), '\\') => drop(chars.next()),
            (None, char) if OPERATORS.contains(&char) => return true,
            _ => {}
        }
    }
    false
}

/// Any time up to that. Neighbours should differ, and nobody should know more: the clock will do.
fn splay(longest: Duration) -> Duration {
    let nanoseconds = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Mixed, since several that hear of a change do so at the same moment.
    let seed = u64::from(now.subsec_nanos()) ^ (u64::from(std::process::id()) << 32);
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    Duration::from_nanos(mixed.checked_rem(nanoseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_the_place_of_the_shell() {
        for line in ["a && b", "a 'x'; b", "a \"\\\"\" | b", "A=b c", "exec a", "(a)", "a >b &"] {
            let is_simple = simple(&Command::Shell(line.to_owned())).is_some();
            assert!(!is_simple, "{line}");
        }
        for line in ["nginx -g \"daemon off;\"", "app -x 'y & z' \\; $HOME", "app >log 2>>errors"] {
            let command = simple(&Command::Shell(line.to_owned()));
            assert_eq!(command, Some(Command::Shell(format!("exec {line}"))));
        }
    }

    #[test]
    fn a_splay_is_within_its_limit() {
        for nanoseconds in [0, 1, 2, 1000, u64::MAX] {
            let longest = Duration::from_nanos(nanoseconds);
            assert!(splay(longest) <= longest, "{nanoseconds}");
        }
    }
}
