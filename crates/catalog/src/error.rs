//! What can go wrong with a request, and what that means for the next one.

use std::time::Duration;

/// Why a request has failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The registry does not have the instance.
    #[error("not registered")]
    Unknown,
    /// No connection: nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke or the answer made no sense; the request may have been carried out.
    #[error("{0}")]
    Interrupted(String),
    /// No answer in time; the request may still be carried out.
    #[error("no answer within {}s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The registry will not do it (HTTP 4xx): what it said.
    #[error("refused: {0}")]
    Refused(String),
    /// The registry cannot do it now (HTTP 5xx, 429): what it said.
    #[error("failed: {0}")]
    Failed(String),
}

/// What an error means for the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The registry is not there: everybody waits and one request at a time probes.
    Outage,
    /// This request may succeed later: back off and retry.
    Retry,
    /// The same request will fail again: give up until something else changes.
    GiveUp,
}

impl From<http_client::Error> for Error {
    fn from(error: http_client::Error) -> Self {
        use http_client::Error as Http;
        match error {
            Http::Unreachable(reason) => Error::Unreachable(reason),
            Http::Interrupted(reason) => Error::Interrupted(reason),
            Http::Timeout(after) => Error::Timeout(after),
            Http::TooLong(_) => Error::Failed(error.to_string()),
            Http::Path(reason) => Error::Refused(reason),
        }
    }
}

impl Error {
    /// Whether and how to try again.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Unreachable(_) | Error::Interrupted(_) | Error::Timeout(_) => Class::Outage,
            Error::Failed(_) => Class::Retry,
            Error::Unknown | Error::Refused(_) => Class::GiveUp,
        }
    }

    /// Whether the request may have been carried out although there is no answer.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(self, Error::Interrupted(_) | Error::Timeout(_))
    }
}
