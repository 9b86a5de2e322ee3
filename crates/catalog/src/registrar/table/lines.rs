//! What the log is told about an instance.

use super::row::Row;
use super::{Job, Verb};
use crate::{Error, Registration};

impl Row {
    /// One line when the instance enters the catalog and one when it leaves; none when an agent
    /// that had lost it gets it again, since the outage's own lines tell of that.
    pub(super) fn note(&mut self, job: &Job) {
        match job.verb {
            Verb::Register(_) if !std::mem::replace(&mut self.listed, true) => {
                let Registration { address, port, .. } = &*job.registration;
                log::info!("{} is in the catalog, at {address}:{port}", job.id);
            }
            Verb::Deregister if std::mem::take(&mut self.listed) => {
                log::info!("{} is out of the catalog", job.id);
            }
            _ => {}
        }
    }

    /// One line for each spell of failures.
    pub(super) fn tell(&mut self, job: &Job, error: &Error) {
        if !std::mem::replace(&mut self.told, true) {
            let what = match job.verb {
                Verb::Register(_) => "registration",
                Verb::Heartbeat => "heartbeat",
                Verb::Mark => "marking it as critical",
                Verb::Compare => "comparison with the catalog",
                Verb::Deregister => "deregistration",
            };
            log::warn!("{}: {what} {error}", job.id);
        }
    }
}
