//! What is known of a process: its number while it runs, its status when it has ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;

use nix::sys::signal::Signal;

/// The number of a process that [`crate::Processes`] started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub(crate) i32);

impl Pid {
    /// Our own number: 1 when we are a container's init.
    pub fn ours() -> Pid {
        Pid(nix::unistd::Pid::this().as_raw())
    }

    /// The bare number, as the kernel counts.
    pub fn as_raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The end of a process that we started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Which one; its number is free for reuse from now on.
    pub pid: Pid,
    /// How it ended.
    pub status: ExitStatus,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It exited by itself, with this code.
    Code(u8),
    /// A signal killed it. A bare number, since real-time signals have no name.
    Signal(i32),
}

impl ExitStatus {
    /// Decodes what `waitpid` stores.
    pub(crate) fn from_wait(status: i32) -> ExitStatus {
        let status = std::process::ExitStatus::from_raw(status);
        match (status.code(), status.signal()) {
            // The kernel keeps eight bits of an exit code, so the conversion cannot fail.
            (Some(code), _) => ExitStatus::Code(u8::try_from(code).unwrap_or(u8::MAX)),
            (None, signal) => ExitStatus::Signal(signal.unwrap_or_default()),
        }
    }

    /// The code by which a shell would report this end: 128+n for a signal n.
    pub fn code(self) -> u8 {
        match self {
            ExitStatus::Code(code) => code,
            ExitStatus::Signal(signal) => u8::try_from(signal).unwrap_or(0).saturating_add(128),
        }
    }

    /// Whether it exited with code 0.
    pub fn success(self) -> bool {
        self == ExitStatus::Code(0)
    }
}

/// Reads as the end of a sentence: "exited with 3", "was killed by SIGKILL".
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ExitStatus::Code(code) => write!(f, "exited with {code}"),
            ExitStatus::Signal(number) => match Signal::try_from(number) {
                Ok(signal) => write!(f, "was killed by {signal}"),
                Err(_) => write!(f, "was killed by signal {number}"),
            },
        }
    }
}
