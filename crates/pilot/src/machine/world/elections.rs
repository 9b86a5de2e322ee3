//! What the machine does about elections, and what must never happen there.

use std::time::{Duration, Instant};

use config::{
    election::ElectionId,
    job::{ElectionEvent, Trigger},
};

use super::{Due, World};
use crate::machine::Maintenance;

impl World {
    pub(super) fn stands(&mut self, election: ElectionId) {
        assert!(!self.stopping, "candidate for {election:?} while everything stops");
        assert!(!self.resigning.contains(&election), "{election:?} has not been left yet");
        assert!(self.standing.insert(election), "candidate for {election:?} twice");
        self.given_up.remove(&election);
    }

    pub(super) fn resigns(&mut self, election: ElectionId) {
        assert!(self.standing.remove(&election), "{election:?} was not stood in");
        assert!(!self.leading.contains(&election), "the elected one gives way without `demoted`");
        let late = self.is_late();
        let patient = |at: &Instant| self.now - *at < Duration::from_secs(10);
        let given_up = self.given_up.contains(&election);
        if !late && given_up && self.demoted.get(&election).is_some_and(patient) {
            let demoted = self.demoted[&election];
            let mut hooks = self.hooks_of(Trigger::Election(election, ElectionEvent::Demoted));
            hooks.retain(|job| self.running[job] >= demoted);
            assert!(hooks.is_empty(), "{election:?} is left before {hooks:?} have ended");
        }
        let late = self.draw().lives.unwrap_or_default().min(Duration::from_secs(1));
        self.resigning.insert(election);
        self.resignations.push((self.now - self.begin, election));
        self.schedule.push((self.now + late, Due::Resigned(election)));
    }

    /// The jobs learn that we are elected, or are not any more.
    pub(super) fn turns(&mut self, election: ElectionId, event: ElectionEvent) {
        match event {
            ElectionEvent::Elected => {
                assert!(self.standing.contains(&election), "elected without being a candidate");
                assert!(self.leading.insert(election), "elected twice");
                assert!(!self.stopping, "elected while everything stops");
                let on = self.machine.maintenance() == Maintenance::On;
                assert!(!on, "elected during maintenance");
            }
            ElectionEvent::Demoted => {
                assert!(self.leading.remove(&election), "demoted without having been elected");
                self.demoted.insert(election, self.now);
                if self.lost == Some(election) {
                    self.given_up.remove(&election);
                } else {
                    self.given_up.insert(election);
                }
            }
        }
    }
}
