//! Why a process could not be started.

use std::io;

use thiserror::Error;

/// Why a process could not be started: what, where we looked, what is wrong.
#[derive(Debug, Error)]
pub enum SpawnError {
    /// There is no such program.
    #[error("cannot run {program:?}: {reason}")]
    NotFound {
        /// As it was asked for.
        program: String,
        /// Where we looked.
        reason: String,
    },
    /// There is something of that name, but it cannot be executed.
    #[error("cannot run {program:?}: {reason}")]
    NotExecutable {
        /// As it was asked for.
        program: String,
        /// Which file, and why not.
        reason: String,
    },
    /// It cannot run where it should: its working directory is missing, none, or closed to it.
    #[error("cannot run {program:?}: its working directory {reason}")]
    Directory {
        /// As it was asked for.
        program: String,
        /// Which directory, and what is wrong with it.
        reason: String,
    },
    /// It cannot run as whom it should.
    #[error("cannot run {program:?} as {identity}: {reason}")]
    Identity {
        /// As it was asked for.
        program: String,
        /// As whom.
        identity: String,
        /// Why not.
        reason: String,
    },
    /// The system refused: out of processes, of memory, of descriptors.
    #[error("cannot run {program:?}: {reason}: {source}")]
    Other {
        /// As it was asked for.
        program: String,
        /// What we were about to do.
        reason: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl SpawnError {
    /// The exit code by which a shell would report it: 127 if there is no such program, else 126.
    pub fn exit_code(&self) -> u8 {
        match self {
            SpawnError::NotFound { .. } => 127,
            SpawnError::NotExecutable { .. }
            | SpawnError::Directory { .. }
            | SpawnError::Identity { .. }
            | SpawnError::Other { .. } => 126,
        }
    }
}
