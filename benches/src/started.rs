//! A program at work, and the end of it.
#![allow(clippy::disallowed_methods, reason = "measuring programs means starting them")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::contender::Contender;
use crate::probe::write_stamp;
use crate::proc;
use crate::scenario::Scenario;

/// How exactly an end is seen.
const LOOK: Duration = Duration::from_micros(50);

/// A contender that runs a scenario. Dropping it kills it and what it started.
pub(crate) struct Started {
    child: Child,
    _folder: TempDir,
}

impl Started {
    /// Starts a program of ours with a 3.x configuration.
    pub(crate) fn with_config(
        contender: &Contender,
        mut config: Value,
        stdout: Stdio,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("benches-").tempdir()?;
        config["control"] = json!({ "socket": folder.path().join("control") });
        let file = folder.path().join("config.json5");
        fs::write(&file, config.to_string())?;
        let program = contender.binary().context("no program to start")?;
        let words = [program.as_os_str(), "-config".as_ref(), file.as_os_str()];
        Self::run(contender, &words.map(OsString::from), folder, stdout, None)
    }

    /// Starts it; `None` if it cannot express the scenario. With `stamps`, the time of its exec
    /// goes there first.
    pub(crate) fn new(
        contender: &Contender,
        scenario: &Scenario,
        stdout: Stdio,
        stamps: Option<File>,
    ) -> Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("benches-").tempdir()?;
        let Some(words) = contender.command(scenario, folder.path())? else { return Ok(None) };
        let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        Self::run(contender, &words, folder, stdout, stamps).map(Some)
    }

    fn run(
        contender: &Contender,
        words: &[OsString],
        folder: TempDir,
        stdout: Stdio,
        stamps: Option<File>,
    ) -> Result<Self> {
        let mut words = words.iter();
        let mut command = Command::new(words.next().context("no program to start")?);
        command
            .args(words)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(stdout)
            // What a run complains about is worth reading; our own log is on stdout.
            .stderr(Stdio::inherit());
        if let Some(stamps) = stamps {
            #[allow(unsafe_code, reason = "the time just before exec is known there alone")]
            // SAFETY: it makes two system calls and allocates nothing.
            unsafe {
                command.pre_exec(move || write_stamp(&stamps));
            }
        }
        let child = command.spawn().with_context(|| format!("cannot start {}", contender.name))?;
        Ok(Self { child, _folder: folder })
    }

    /// The reading end of its standard output, if that is a pipe.
    pub(crate) fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Its resident memory in bytes, with that of helper processes of the same program.
    pub(crate) fn resident(&self) -> Result<f64> {
        self.own_processes().into_iter().map(proc::resident).sum()
    }

    /// Seconds of CPU time so far, its own and that of helper processes of the same program, not
    /// that of the programs they run.
    pub(crate) fn cpu(&self) -> Result<f64> {
        self.own_processes().into_iter().map(proc::cpu).sum()
    }

    /// The same with the programs it has run, once they have ended.
    pub(crate) fn cpu_with_children(&self) -> Result<f64> {
        Ok(self.cpu()? + proc::cpu_of_children(self.child.id())?)
    }

    /// A helper is a child that executes the same file, and still does a moment later: one that
    /// has forked and is about to execute a check does not count.
    fn own_processes(&self) -> Vec<u32> {
        let pid = self.child.id();
        let same = |other: &u32| {
            proc::executable(*other).is_some_and(|file| Some(file) == proc::executable(pid))
        };
        let mut own: Vec<u32> = proc::descendants(pid).into_iter().filter(same).collect();
        if !own.is_empty() {
            thread::sleep(Duration::from_millis(20));
            own.retain(same);
        }
        own.insert(0, pid);
        own
    }

    /// Sends a signal and measures the time to the end.
    pub(crate) fn stop(mut self, signal: Signal, patience: Duration) -> Result<Duration> {
        let start = Instant::now();
        kill(Pid::from_raw(self.child.id() as i32), signal)?;
        self.ended(patience)?;
        Ok(start.elapsed())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It did not end within `patience`.
    pub(crate) fn ended(&mut self, patience: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if start.elapsed() > patience {
                bail!("it did not end within {patience:?}");
            }
            thread::sleep(LOOK);
        }
    }

    /// Fails if it has ended already.
    pub(crate) fn expect_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("it ended too early: {status}"),
            None => Ok(()),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let left = proc::descendants(self.child.id());
            let _ = self.child.kill();
            let _ = self.child.wait();
            kill_all(&left);
        }
    }
}

/// Kills processes, best effort.
pub(crate) fn kill_all(pids: &[u32]) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid as i32), Signal::SIGKILL);
    }
}
