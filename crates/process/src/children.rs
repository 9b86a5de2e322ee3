//! Starting, signalling and reaping.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use tokio::signal::unix::{SignalKind, signal};

use crate::output::{Pipe, Role};
use crate::place::Place;
use crate::{
    Exit, ExitStatus, Group, Identity, Output, Pid, Source, SpawnError, Spec, Streams, credentials,
    program,
};

/// How many orphans are reaped in a row before others get their turn.
const REAP_BATCH: u32 = 256;

/// Owner of all children. One per program.
#[derive(Debug)]
pub struct Processes {
    /// Those that we started and have not reaped.
    table: HashMap<i32, Group>,
    child_signals: tokio::signal::unix::Signal,
    output: Output,
}

impl Processes {
    /// Clears the signal mask of this thread, makes us the reaper of our descendants' orphans, and
    /// listens for SIGCHLD. Must be called inside a tokio runtime that has I/O enabled, on the
    /// thread that will call [`Processes::spawn`].
    ///
    /// # Errors
    /// What the system says if it refuses any of that.
    pub fn start(output: Output) -> io::Result<Processes> {
        SigSet::empty().thread_set_mask()?;
        // PID 1 gets orphans anyway.
        if Pid::ours().as_raw() != 1 {
            nix::sys::prctl::set_child_subreaper(true)?;
        }
        let child_signals = signal(SignalKind::child())?;
        Ok(Processes { table: HashMap::new(), child_signals, output })
    }

    /// Starts a process. It runs, or the error says why it cannot: a failure of exec is known here.
    ///
    /// # Errors
    /// If there is no such program, it cannot be executed, its directory cannot be entered, it
    /// cannot become whom it should be, or the system is out of something.
    pub fn spawn(&mut self, spec: &Spec<'_>) -> Result<Pid, SpawnError> {
        // What we are already takes no privilege, and no fork.
        let identity = spec.identity.filter(|identity| !identity.is_ours());
        let place = Place { directory: spec.directory, identity };
        place.check_directory(spec.program)?;
        let path = program::resolve(spec.program, spec.environment, place)?;
        let mut command = Command::new(&path);
        command.arg0(spec.program).args(spec.args).env_clear().envs(spec.environment);
        if spec.group == Group::Own {
            command.process_group(0);
        }
        let other =
            |reason, source| SpawnError::Other { program: spec.program.to_owned(), reason, source };
        let pipes = self
            .connect(&mut command, &spec.streams, identity)
            .map_err(|error| other("its standard streams cannot be connected", error))?;
        match (identity, spec.directory) {
            (Some(identity), directory) => {
                credentials::assume(&mut command, identity, directory)
                    .map_err(|error| other("its working directory cannot be passed", error))?
            }
            (None, Some(directory)) => drop(command.current_dir(directory)),
            (None, None) => {}
        }
        #[expect(clippy::disallowed_methods, reason = "this is the place where processes start")]
        let child =
            command.spawn().map_err(|error| program::explain(spec.program, &path, place, error))?;
        // The kernel's pid_t is an i32. The Child is dropped: it must never wait, and never does.
        let pid = Pid(child.id().cast_signed());
        self.table.insert(pid.0, spec.group);
        // Our copies of the children's ends go, so that the end of file is seen.
        drop(command);
        self.output.adopt(pid, pipes);
        Ok(pid)
    }

    /// Connects the streams, and returns our ends of the pipes.
    fn connect(
        &self,
        command: &mut Command,
        streams: &Streams,
        owner: Option<&Identity>,
    ) -> io::Result<Vec<Pipe>> {
        let mut pipes = Vec::new();
        match streams {
            Streams::Inherit => {}
            Streams::Raw => {
                command.stdin(null()?);
            }
            Streams::Null => {
                command.stdin(null()?).stdout(null()?).stderr(null()?);
            }
            Streams::Lines { source } => {
                command.stdin(null()?);
                command.stdout(self.line_pipe(source, source.stdout, owner, &mut pipes)?);
                command.stderr(self.line_pipe(source, source.stderr, owner, &mut pipes)?);
            }
            Streams::Capture(capture) => {
                command.stdin(null()?);
                let (pipe, end) = Pipe::new(Role::Capture(capture.buffer()), owner)?;
                pipes.push(pipe);
                command.stdout(OwnedFd::from(end));
                command.stderr(match capture.stderr() {
                    Some(source) => self.line_pipe(source, source.stderr, owner, &mut pipes)?,
                    None => null()?,
                });
            }
        }
        Ok(pipes)
    }

    /// A pipe for lines, or /dev/null if nobody wants them.
    fn line_pipe(
        &self,
        source: &Arc<Source>,
        level: log::Level,
        owner: Option<&Identity>,
        pipes: &mut Vec<Pipe>,
    ) -> io::Result<Stdio> {
        let logged = source.structured || self.output.wants(level);
        if !logged && source.tail().is_none() {
            return null();
        }
        let (pipe, end) = Pipe::new(Role::lines(Arc::clone(source), level, logged), owner)?;
        pipes.push(pipe);
        Ok(Stdio::from(OwnedFd::from(end)))
    }

    /// The next exit of a child that we started; orphans are reaped in silence. Cancel safe: a
    /// status is taken from the system only by the poll that returns it. Pending for as long as
    /// nobody exits.
    pub async fn next_exit(&mut self) -> Exit {
        loop {
            for _ in 0..REAP_BATCH {
                let Some((pid, status)) = reap() else {
                    // A child that ends from now on sends a signal, which recv does not miss.
                    self.child_signals.recv().await;
                    continue;
                };
                if self.table.remove(&pid).is_some() {
                    return Exit { pid: Pid(pid), status };
                }
            }
            // Somebody makes orphans by the hundred: let the others have their turn.
            tokio::task::yield_now().await;
        }
    }

    /// Signals one process. Does nothing if it has been reported by [`Processes::next_exit`].
    pub fn signal(&self, pid: Pid, signal: Signal) {
        if self.table.contains_key(&pid.0) {
            // It is ours and not reaped. It may have become another user's (by its identity, or as a
            // set-user-ID program), which is the one way to fail when we may not signal others'
            // (CAP_KILL); then there is nothing to be done.
            if let Err(error) = kill(nix::unistd::Pid::from_raw(pid.0), signal) {
                log::warn!("cannot send {signal} to process {pid}: {error}");
            }
        }
    }

    /// Signals a process with all of its group; a process without a group of its own
    /// ([`Group::Ours`]) alone. Does nothing if it has been reported by [`Processes::next_exit`].
    pub fn signal_group(&self, pid: Pid, signal: Signal) {
        match self.table.get(&pid.0) {
            None => {}
            Some(Group::Ours) => self.signal(pid, signal),
            Some(Group::Own) => match killpg(nix::unistd::Pid::from_raw(pid.0), signal) {
                Ok(()) => {}
                // It has left its group for another one, and nobody stayed behind.
                Err(Errno::ESRCH) => self.signal(pid, signal),
                Err(error) => {
                    log::warn!("cannot send {signal} to process group {pid}: {error}");
                }
            },
        }
    }

    /// How many of those that we started have not been reported by [`Processes::next_exit`].
    pub fn running(&self) -> usize {
        self.table.len()
    }
}

/// Not `Stdio::null()`: that opens the file while it spawns, and a failure would look like one of the
/// program's.
fn null() -> io::Result<Stdio> {
    let file =
        File::options().read(true).write(true).open("/dev/null").map_err(|error| {
            io::Error::new(error.kind(), format!("cannot open /dev/null: {error}"))
        })?;
    Ok(Stdio::from(file))
}

/// Takes one ended child from the system, if there is any.
///
/// Not by nix: its `waitpid` reaps a child that a real-time signal killed, fails to decode the
/// signal, and returns an error instead of the pid, which is then lost.
#[expect(unsafe_code, reason = "waitpid, see above")]
fn reap() -> Option<(i32, ExitStatus)> {
    let mut status = 0;
    // SAFETY: status outlives the call, which writes at most one int there. No other part of the
    // program waits for children, so none is taken away from an owner of a Child.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    // 0: nobody has ended; -1: no children at all (WNOHANG is never interrupted).
    (pid > 0).then(|| (pid, ExitStatus::from_wait(status)))
}

/// std starts a process with a working directory by `posix_spawn` only if the C library has this
/// function, and looks for it in a way that links it into no static program. So we ask for it, or
/// std would fork.
#[cfg(target_feature = "crt-static")]
#[used]
static ADDCHDIR: unsafe extern "C" fn(
    *mut libc::posix_spawn_file_actions_t,
    *const libc::c_char,
) -> libc::c_int = libc::posix_spawn_file_actions_addchdir_np;
