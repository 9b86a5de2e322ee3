//! What can go wrong.

use std::path::PathBuf;
use std::time::Duration;

/// Why a request has failed. An answer with whatever status is none of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection: nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke or the answer was no HTTP; the request may have been carried out.
    #[error("{0}")]
    Interrupted(String),
    /// No answer in time; the request may still be carried out.
    #[error("no answer within {}s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The answer is longer than this many bytes.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// What was asked for is no path of a URL.
    #[error("{0}")]
    Path(String),
}

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file or folder cannot be read.
    #[error("{what} {}: {source}", .path.display())]
    Read {
        /// What it should hold.
        what: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{what} {}: {reason}", .path.display())]
    Content {
        /// What it should hold.
        what: &'static str,
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An option does not make sense.
    #[error("{0}")]
    Option(String),
}
