//! What clients may take.

use std::time::Duration;

/// What clients may take of a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections are open at a time.
    pub connections: usize,
    /// What becomes of the next one.
    pub overflow: Overflow,
    /// What a client is taken for that has closed its sending half.
    pub half_closed: HalfClosed,
    /// How long a connection may be silent before a request, and how long a request's head may
    /// take to arrive.
    pub head: Duration,
    /// From the end of a request's head to the beginning of its answer; and from there until the
    /// client has taken the answer, unless that is a stream. For handlers, not for services.
    pub request: Duration,
    /// Longest body of a request, in bytes. For handlers, not for services.
    pub body: usize,
    /// How long a client may take nothing of a streaming answer (of a service, of any answer) that
    /// has something for it.
    pub stalled: Duration,
    /// How long an orderly end waits for answers that are under way.
    pub drain: Duration,
}

/// What becomes of a connection for which there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It waits in the kernel's queue.
    Wait,
    /// It is told 503.
    Refuse,
}

/// What a client is taken for that has closed its sending half. Over TCP the kernel does not know
/// more than that of one that has closed everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfClosed {
    /// One that waits for its answer.
    Waiting,
    /// One that is gone: nothing more is done for it. For answers that take long.
    Gone,
}

impl Default for Limits {
    /// For a handful of clients on the same machine.
    fn default() -> Self {
        Limits {
            connections: 32,
            overflow: Overflow::Wait,
            half_closed: HalfClosed::Waiting,
            head: Duration::from_secs(10),
            request: Duration::from_secs(10),
            body: 64 * 1024,
            stalled: Duration::from_secs(5 * 60),
            drain: Duration::from_secs(1),
        }
    }
}
