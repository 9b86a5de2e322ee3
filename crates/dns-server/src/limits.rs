//! What clients may take, and what they are given.

use std::time::Duration;

/// What clients may take, and what they are given.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many TCP connections are open at a time; the next one is closed at once.
    pub connections: usize,
    /// How long a connection may be silent, a request take to arrive, and an answer to be taken.
    pub idle: Duration,
    /// Longest request over TCP, in bytes; longer ones end the connection.
    pub request: u16,
    /// Longest answer over UDP, in bytes, whatever more the client can take: the fragments of
    /// longer datagrams get lost.
    pub datagram: u16,
    /// How many records answer a client that has not said how much it can take (Consul's
    /// `udp_answer_limit`).
    pub plain_answers: usize,
    /// What a client is told when it gets a part of the records only.
    pub cut: Cut,
    /// How long an orderly end waits for answers that are being sent.
    pub drain: Duration,
}

/// What a client is told when it gets a part of the records only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nothing: a few instances are as good as all (Consul's default).
    Silent,
    /// The truncation flag, so that it asks again over TCP (Consul's `enable_truncate`).
    Told,
}

impl Default for Limits {
    /// For clients on the same machine.
    fn default() -> Self {
        Limits {
            connections: 128,
            idle: Duration::from_secs(10),
            request: 4096,
            datagram: 4096,
            plain_answers: 3,
            cut: Cut::Silent,
            drain: Duration::from_secs(1),
        }
    }
}
