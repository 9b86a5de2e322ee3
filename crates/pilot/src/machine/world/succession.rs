//! A reload: one machine takes over from another.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use config::{
    election::ElectionId,
    job::{JobId, TemplateEvent},
};

use super::{Due, World};
use crate::machine::{Input, Instances};

impl World {
    /// Makes room for the next configuration, if there is one and it can be.
    pub(super) fn retire(&mut self) {
        if self.machine.can_retire()
            && let Some(next) = self.next.take()
        {
            let actions = self.machine.retire(next, self.now);
            self.cut = self.machine.limits.hooks;
            for action in actions {
                self.act(action);
            }
        }
    }

    /// The next configuration comes into force; what is not kept has left.
    pub(super) fn succeed(&mut self) {
        self.cut = None;
        let seen = |_| Some(Instances::Some);
        let rendered = |_| vec![TemplateEvent::Changed];
        let (machine, kept) = self.machine.succeed(seen, rendered, self.now).expect("a successor");
        let (old, new) = (Arc::clone(&self.config), Arc::clone(machine.config()));
        let place = |id: JobId| kept.new_place(id);
        let left: Vec<_> = self.running.keys().filter(|id| place(**id).is_none()).collect();
        assert!(left.is_empty(), "replaced while {left:?} run");
        let left: Vec<_> = self.checking.keys().filter(|id| place(**id).is_none()).collect();
        assert!(left.is_empty(), "replaced while the checks of {left:?} run");
        let listed = |id: &&JobId| place(**id).is_none() && !self.withdrawn.contains(*id);
        let left: Vec<_> = self.registered.iter().filter(listed).collect();
        assert!(left.is_empty(), "replaced while {left:?} are in the catalog");
        fn moved<T: Clone>(
            map: &BTreeMap<JobId, T>,
            place: impl Fn(JobId) -> Option<JobId>,
        ) -> BTreeMap<JobId, T> {
            map.iter().filter_map(|(id, value)| Some((place(*id)?, value.clone()))).collect()
        }
        let moved_set = |set: &BTreeSet<JobId>| set.iter().filter_map(|id| place(*id)).collect();
        let left: Vec<_> = self.marked.iter().filter(|id| place(**id).is_none()).collect();
        assert!(left.is_empty(), "replaced while {left:?} are marked");
        let election =
            |id: ElectionId| kept.elections().find(|(old, _)| *old == id).map(|(_, new)| new);
        for left in self.standing.iter().chain(&self.resigning) {
            assert!(election(*left).is_some(), "replaced while we stand in {left:?}");
        }
        let elections = |set: &BTreeSet<ElectionId>| -> BTreeSet<ElectionId> {
            set.iter().filter_map(|id| election(*id)).collect()
        };
        self.standing = elections(&self.standing);
        self.resigning = elections(&self.resigning);
        self.leading = elections(&self.leading);
        self.demoted =
            self.demoted.iter().filter_map(|(id, at)| Some((election(*id)?, *at))).collect();
        self.given_up = elections(&self.given_up);
        self.departing = moved(&self.departing, place);
        self.told = moved(&self.told, place);
        self.terminated.clear();
        self.running = moved(&self.running, place);
        self.checking = moved(&self.checking, place);
        self.judged = moved(&self.judged, place);
        self.recycled = moved(&self.recycled, |id| {
            let name = &old.jobs[id.0].name;
            new.jobs.iter().position(|job| job.name == *name).map(JobId)
        });
        self.registered = moved_set(&self.registered);
        self.withdrawn = moved_set(&self.withdrawn);
        self.marked = moved_set(&self.marked);
        self.killed = moved_set(&self.killed);
        let schedule = std::mem::take(&mut self.schedule);
        self.schedule = schedule
            .into_iter()
            .filter_map(|(at, due)| {
                let due = match due {
                    Due::Exit(id, status) => Due::Exit(place(id)?, status),
                    Due::CheckEnd(id, run, verdict) => Due::CheckEnd(place(id)?, run, verdict),
                    Due::Deregistered(id, number, notified) => {
                        Due::Deregistered(place(id)?, number, notified)
                    }
                    Due::Resigned(id) => Due::Resigned(election(id)?),
                    other => other,
                };
                Some((at, due))
            })
            .collect();
        // Counts are those of the jobs of that name.
        let namesake = |id: JobId| {
            let name = &old.jobs[id.0].name;
            new.jobs.iter().position(|job| job.name == *name).map(JobId)
        };
        self.spawns = moved(&self.spawns, namesake);
        self.checks = moved(&self.checks, namesake);
        self.published.clear();
        self.config = new;
        self.machine = machine;
        self.reloads += 1;
        self.input(Input::Start);
    }
}
