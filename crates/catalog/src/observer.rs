//! Who wants to know how requests go, such as telemetry.

use std::time::Duration;

use crate::{Class, Error};

/// Is told of every request to a registry when it has ended, once. Called on the task that sent the
/// request: it must neither wait nor take long.
///
/// A request that is given up before it ends is not told of: a watch's when the watch is dropped,
/// and when an outage of which others have found out is over.
pub trait Observer: Send + Sync {
    /// A request has ended. `took`: from sending, connecting included, until the whole answer was
    /// read or given up.
    fn request(&self, operation: Operation, took: Duration, outcome: Outcome);
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Putting an instance in.
    Register,
    /// Renewing its time to live.
    Heartbeat,
    /// Taking it out.
    Deregister,
    /// Comparing it with what the registry has.
    Lookup,
    /// Reading the instances of a service.
    Instances,
    /// The same, but the registry answers only when something has changed: how long that takes
    /// tells nothing about the registry.
    Wait,
    /// Reading keys.
    Entries,
    /// Reading anything else: the names of services, nodes.
    Find,
    /// What elections need: opening, renewing and closing sessions, taking locks, looking at them.
    Lock,
}

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was carried out.
    Ok,
    /// The registry will not do it, or does not have what it is about.
    Refused,
    /// The registry cannot do it now, and says so.
    Failed,
    /// No answer, or none that makes sense.
    Outage,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 9] = [
        Operation::Register,
        Operation::Heartbeat,
        Operation::Deregister,
        Operation::Lookup,
        Operation::Instances,
        Operation::Wait,
        Operation::Entries,
        Operation::Find,
        Operation::Lock,
    ];

    /// In one word, fit for a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Register => "register",
            Operation::Heartbeat => "heartbeat",
            Operation::Deregister => "deregister",
            Operation::Lookup => "lookup",
            Operation::Instances => "instances",
            Operation::Wait => "wait",
            Operation::Entries => "entries",
            Operation::Find => "find",
            Operation::Lock => "lock",
        }
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 4] = [Outcome::Ok, Outcome::Refused, Outcome::Failed, Outcome::Outage];

    /// In one word, fit for a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Outage => "outage",
        }
    }

    pub(crate) fn of<T>(result: &Result<T, Error>) -> Outcome {
        match result.as_ref().map_err(Error::class) {
            Ok(_) => Outcome::Ok,
            Err(Class::GiveUp) => Outcome::Refused,
            Err(Class::Retry) => Outcome::Failed,
            Err(Class::Outage) => Outcome::Outage,
        }
    }
}
