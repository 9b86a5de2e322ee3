//! How the next configuration takes over.
//!
//! A reload keeps what has not changed: such a job's process, its checks and its place in the
//! catalog go on as if nothing had happened. What has changed, or is no more, stops in order while
//! this machine is in force ([`Phase::Retiring`]); then the next machine starts with the states of
//! the kept jobs, and its new jobs learn what was so before they came ([`Heritage`]): a job that
//! waits for the success of an unchanged one need not wait for it to happen again.

use std::{sync::Arc, time::Instant};

use config::{
    Config, Generation,
    election::ElectionId,
    job::{
        ElectionEvent, GlobalEvent, Job, JobEvent, JobId, Role, SignalEvent, StopAfter,
        TemplateEvent, Trigger, WatchEvent, When,
    },
    template::TemplateId,
    watch::WatchId,
};

use super::{Action, Input, Instances, JobState, Machine, Maintenance, Phase, Ran, Run, StopStep};

/// Which job (and election) of the next configuration is which of the one in force, by the place in
/// the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    jobs: Vec<Option<JobId>>,
    elections: Vec<Option<ElectionId>>,
}

impl Kept {
    /// The old place of each job that is kept, beside its new one.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (JobId, JobId)> {
        let pair = |(new, old): (usize, &Option<JobId>)| Some(((*old)?, JobId(new)));
        self.jobs.iter().enumerate().filter_map(pair)
    }

    /// The new place of an old job.
    pub(crate) fn new_place(&self, old: JobId) -> Option<JobId> {
        self.pairs().find(|(place, _)| *place == old).map(|(_, new)| new)
    }

    /// As [`Kept::pairs`], for elections.
    pub(crate) fn elections(&self) -> impl Iterator<Item = (ElectionId, ElectionId)> {
        let pair = |(new, old): (usize, &Option<ElectionId>)| Some(((*old)?, ElectionId(new)));
        self.elections.iter().enumerate().filter_map(pair)
    }

    /// The new place of an old election.
    fn place_of_election(&self, old: ElectionId) -> Option<ElectionId> {
        self.elections().find(|(place, _)| *place == old).map(|(_, new)| new)
    }

    /// What was heard under the old configuration in the terms of the new one; `watch` and
    /// `template` tell which of its watches and templates is which. `None`: it concerns nobody any
    /// more.
    pub(crate) fn translate(
        &self,
        input: Input,
        watch: impl Fn(WatchId) -> Option<WatchId>,
        template: impl Fn(TemplateId) -> Option<TemplateId>,
    ) -> Option<Input> {
        Some(match input {
            Input::Exited(job, status) => Input::Exited(self.new_place(job)?, status),
            Input::Checked(job, run, verdict) => Input::Checked(self.new_place(job)?, run, verdict),
            Input::Deregistered(job, number, notified) => {
                Input::Deregistered(self.new_place(job)?, number, notified)
            }
            Input::Changed(id, instances) => Input::Changed(watch(id)?, instances),
            Input::Rendered(id, event) => Input::Rendered(template(id)?, event),
            Input::Elected(id) => Input::Elected(self.place_of_election(id)?),
            Input::Demoted(id) => Input::Demoted(self.place_of_election(id)?),
            Input::Resigned(id) => Input::Resigned(self.place_of_election(id)?),
            Input::Start
            | Input::Tick
            | Input::Signal(_)
            | Input::Maintenance(_)
            | Input::ToggleMaintenance
            | Input::Stop(_) => input,
        })
    }
}

/// The configuration that is to come.
#[derive(Debug)]
pub(super) struct Successor {
    config: Arc<Config>,
    kept: Kept,
    /// Signals that have come meanwhile.
    pub(super) signals: Vec<SignalEvent>,
}

impl Successor {
    pub(super) fn keeps(&self, old: JobId) -> bool {
        self.kept.new_place(old).is_some()
    }
}

/// What a machine knows of the time before it.
#[derive(Debug, Default)]
pub(super) struct Heritage {
    kept: Kept,
    /// Events that have happened and whose outcome still stands.
    facts: Vec<Trigger>,
    signals: Vec<SignalEvent>,
}

impl Heritage {
    pub(super) fn has_kept(&self, id: JobId) -> bool {
        self.kept.jobs.get(id.0).is_some_and(Option::is_some)
    }
}

impl Machine {
    /// Whether the configuration can be replaced now: not before `preStart` is through, whose
    /// result belongs to the configuration that started it.
    pub(crate) fn can_retire(&self) -> bool {
        self.phase == Phase::Running
            && self.ids().all(|id| {
                self.spec(id).role != Role::Gate || self.job(id).stop == StopStep::Stopped
            })
    }

    /// Stops what `next` does not keep; [`Action::Retired`] tells when that is done. To be called
    /// when [`Machine::can_retire`].
    pub(crate) fn retire(&mut self, next: Arc<Config>, now: Instant) -> Vec<Action> {
        if !self.can_retire() {
            return Vec::new();
        }
        self.phase = Phase::Retiring;
        self.limit_stop(now);
        let kept = kept(&self.config, &next, |id| self.has_waited_in_vain(id));
        self.successor = Some(Successor { config: next, kept: kept.clone(), signals: Vec::new() });
        self.step_down_for_good(|id| kept.place_of_election(id).is_none(), now);
        for id in self.ids() {
            if self.is_to_stop(id) && !self.is_hook_of_a_demotion(id) {
                self.begin_stop(id);
            }
        }
        self.finish(now)
    }

    /// Whether a stop concerns a job: all of them, or those that a reload does not keep, but none
    /// that has its work to do at the end of others.
    pub(super) fn is_to_stop(&self, id: JobId) -> bool {
        match self.phase {
            Phase::Retiring => {
                !self.is_kept(id) && !self.is_hook_of_a_replacement(id) && !self.lingers(id)
            }
            _ => !self.runs_while_stopping(id),
        }
    }

    /// Whether an election outlives the reload that is under way.
    pub(super) fn keeps_election(&self, id: ElectionId) -> bool {
        self.phase == Phase::Retiring
            && self.successor.as_ref().is_some_and(|next| next.kept.place_of_election(id).is_some())
    }

    fn is_kept(&self, id: JobId) -> bool {
        self.successor.as_ref().is_some_and(|successor| successor.keeps(id))
    }

    /// What is hooked to the end of something that stops now still has its work to do. If that has
    /// stopped long ago it was a beginning, and what it began stops as others do.
    fn is_hook_of_a_replacement(&self, id: JobId) -> bool {
        self.spec(id).when.triggers().any(|trigger| match trigger {
            Trigger::Job(source, JobEvent::Stopping | JobEvent::Stopped) => {
                !self.is_kept(source) && self.job(source).stop != StopStep::Stopped
            }
            _ => false,
        })
    }

    /// Whether a hook of the end is ready until its successor is, although it is replaced: the end
    /// of what it is hooked to may come meanwhile.
    pub(super) fn lingers(&self, id: JobId) -> bool {
        self.phase == Phase::Retiring
            && self.runs_while_stopping(id)
            && self.waits(id)
            && !self.job(id).run.has_begun()
            && !self.is_hook_of_a_replacement(id)
    }

    /// Whether a job is over without ever having begun, because what it waits for could not come.
    fn has_waited_in_vain(&self, id: JobId) -> bool {
        let job = self.job(id);
        job.stop == StopStep::Stopped && job.ran == Ran::No && self.spec(id).role != Role::Gate
    }

    /// Patience with what is to be replaced has ended.
    pub(super) fn cut_short(&mut self, now: Instant) {
        let Some(successor) = &self.successor else { return };
        let leaving: Vec<JobId> = self.ids().filter(|id| !successor.keeps(*id)).collect();
        // First of all hooks, so that none is started now.
        for id in &leaving {
            self.begin_stop(*id);
        }
        for id in leaving {
            if self.job(id).run.is_running() {
                self.actions.push(Action::Kill(id));
            }
            match self.job(id).stop {
                StopStep::Holding => self.announce_stop(id, now),
                StopStep::Hooks { .. } => self.begin_deregistration(id, now),
                StopStep::Draining { .. } => self.terminate(id, now),
                _ => {}
            }
        }
    }

    /// The machine of the next configuration, once this one has answered [`Action::Retired`], and
    /// which jobs it has kept. `seen` tells what a watch of the next configuration has seen last,
    /// and `rendered` what has become of a template so far and still stands.
    pub(crate) fn succeed(
        &mut self,
        seen: impl Fn(WatchId) -> Option<Instances>,
        rendered: impl Fn(TemplateId) -> Vec<TemplateEvent>,
        now: Instant,
    ) -> Option<(Machine, Kept)> {
        let Successor { config, kept, signals } = self.successor.take()?;
        let next_config = Arc::clone(&config);
        let mut next = Machine::new(config, now);
        next.maintenance = self.maintenance;
        next.applied = self.applied;
        next.told = self.told;
        for (old, new) in kept.elections() {
            if let (Some(before), Some(candidacy)) =
                (self.elections.get(old.0), next.elections.get_mut(new.0))
            {
                *candidacy = *before;
            }
        }
        next.deregistrations = self.deregistrations;
        for (old, new) in kept.pairs() {
            let fresh = std::mem::take(&mut next.job_mut(new).seen);
            let state = JobState { seen: fresh, ..self.job(old).clone() };
            let seen = &self.job(old).seen;
            let job = next.job_mut(new);
            *job = state;
            if job.seen.len() == seen.len() {
                job.seen.clone_from(seen);
            }
            job.move_watches(|watch| successor(&self.config, &next_config, watch));
        }
        next.verdict.first_failure = next.failure_of_the_past();
        let facts = next.facts(&kept, seen, rendered);
        next.heritage = Heritage { facts, kept: kept.clone(), signals };
        Some((next, kept))
    }

    /// The code of the first job that has ended for good with a failure.
    fn failure_of_the_past(&self) -> Option<u8> {
        let failed = |id: JobId| {
            let (status, at) = self.job(id).last_exit?;
            let over = self.job(id).stop == StopStep::Stopped && !status.success();
            (over && self.spec(id).role == Role::Ordinary).then(|| (at, status.code()))
        };
        self.ids().filter_map(failed).min_by_key(|(at, _)| *at).map(|(_, code)| code)
    }

    /// What has happened already and still stands, so that new jobs need not wait for it.
    fn facts(
        &mut self,
        kept: &Kept,
        seen: impl Fn(WatchId) -> Option<Instances>,
        rendered: impl Fn(TemplateId) -> Vec<TemplateEvent>,
    ) -> Vec<Trigger> {
        let mut facts = Vec::new();
        for (_, id) in kept.pairs() {
            let job = self.job(id);
            let exited = job.last_exit.filter(|_| !job.run.is_running());
            facts.extend(exited.map(|(status, _)| match status.success() {
                true => Trigger::Job(id, JobEvent::ExitSuccess),
                false => Trigger::Job(id, JobEvent::ExitFailed),
            }));
            let health = job.health.filter(|_| job.stop == StopStep::Live);
            facts.extend(health.map(|(event, _)| Trigger::Job(id, event)));
        }
        // 2.x: `preStart` is not run again, whatever has become of it. One that came with an earlier
        // reload has never run at all; what waits for it must not wait for ever.
        for id in self.ids() {
            if self.spec(id).role != Role::Gate || self.config.generation != Generation::V2 {
                continue;
            }
            if kept.jobs.get(id.0).is_some_and(Option::is_none) {
                let job = self.job_mut(id);
                job.run = Run::Over;
                job.stop = StopStep::Stopped;
            }
            let success = Trigger::Job(id, JobEvent::ExitSuccess);
            if !facts.contains(&success) {
                facts.push(success);
            }
        }
        for id in (0..self.config.watches.len()).map(WatchId) {
            let instances = match seen(id) {
                Some(Instances::Some) => WatchEvent::Healthy,
                Some(Instances::None) => WatchEvent::Unhealthy,
                None => continue,
            };
            facts.extend([WatchEvent::Changed, instances].map(|event| Trigger::Watch(id, event)));
        }
        for id in (0..self.config.templates.len()).map(TemplateId) {
            facts.extend(rendered(id).into_iter().map(|event| Trigger::Template(id, event)));
        }
        let leading = self.election_ids().filter(|id| self.leads(*id));
        facts.extend(leading.map(|id| Trigger::Election(id, ElectionEvent::Elected)));
        if self.told == Maintenance::On {
            facts.push(Trigger::Global(GlobalEvent::EnterMaintenance));
        }
        facts
    }

    /// New jobs hear of what was so before them, and all of the signals that came in between.
    pub(super) fn inherit(&mut self, now: Instant) {
        let facts = std::mem::take(&mut self.heritage.facts);
        for fact in facts {
            for id in self.ids() {
                if !self.heritage.has_kept(id) {
                    self.heard(id, fact, now);
                }
            }
            self.begin_watching(fact);
        }
        for signal in std::mem::take(&mut self.heritage.signals) {
            self.publish(Trigger::Signal(signal));
        }
    }
}

/// The watch of the next configuration that is this one of the old.
pub(crate) fn successor(old: &Config, next: &Config, watch: WatchId) -> Option<WatchId> {
    let known = old.watches.get(watch.0)?;
    // In 3.x the first of a name speaks for all of them.
    let same = |other: &config::Watch| {
        other.name == known.name
            && (next.generation == Generation::V3 || other.subject == known.subject)
    };
    next.watches.iter().position(same).map(WatchId)
}

/// The template of the next configuration that has this one's name.
pub(crate) fn namesake(old: &Config, next: &Config, template: TemplateId) -> Option<TemplateId> {
    let known = old.templates.get(template.0)?;
    next.templates.iter().position(|other| other.name == known.name).map(TemplateId)
}

/// Which jobs of `next` are unchanged ones of `old`. Of those some may have waited in vain.
fn kept(old: &Config, next: &Config, in_vain: impl Fn(JobId) -> bool) -> Kept {
    let mut kept = Kept {
        jobs: (0..next.jobs.len())
            .map(|index| {
                let job = next.jobs.get(index)?;
                let place = old.jobs.iter().position(|other| other.name == job.name)?;
                same(old, old.jobs.get(place)?, next, job).then_some(JobId(place))
            })
            .collect(),
        // The lock of another catalog is another one.
        elections: (next.elections.iter())
            .map(|election| {
                let place = old.elections.iter().position(|other| other == election)?;
                (old.catalog == next.catalog).then_some(ElectionId(place))
            })
            .collect(),
    };
    loop {
        let lost = (0..next.jobs.len()).find(|index| {
            let Some(Some(place)) = kept.jobs.get(*index) else { return false };
            let for_another = in_vain(*place);
            let lost = |trigger| match trigger {
                // A hook of something that is replaced has done its work with it; its successor
                // gets a new one. And what its successor does may be what another has missed.
                Trigger::Job(source, event) => {
                    (for_another || matches!(event, JobEvent::Stopping | JobEvent::Stopped))
                        && kept.jobs.get(source.0).is_none_or(Option::is_none)
                }
                _ => false,
            };
            next.jobs.get(*index).is_some_and(|job| job.when.triggers().any(lost))
        });
        match lost.and_then(|index| kept.jobs.get_mut(index)) {
            Some(place) => *place = None,
            None => return kept,
        }
    }
}

/// Whether a job need not be replaced. How it stops may have changed: that is simply adopted.
fn same(old: &Config, before: &Job, next: &Config, job: &Job) -> bool {
    if next.generation == Generation::V2 {
        match job.role {
            // They are untouched by a reload, whatever has become of them.
            Role::Essential | Role::Gate => return before.role == job.role,
            // They start afresh with every reload.
            _ if is_coprocess(job) => return false,
            _ => {}
        }
    }
    let events = |config: &Config, job: &Job| -> Vec<String> {
        job.when.triggers().map(|trigger| crate::event::describe(trigger, config)).collect()
    };
    let shape = |job: &Job| {
        let mut job = job.clone();
        match &mut job.when {
            When::On { conditions, .. } => {
                for condition in conditions {
                    condition.trigger = Trigger::Global(GlobalEvent::Startup);
                }
            }
            When::Every { after, .. } => *after = Trigger::Global(GlobalEvent::Startup),
        }
        job
    };
    let stop = job.stop.clone();
    events(old, before) == events(next, job)
        && Job { stop: stop.clone(), ..shape(before) } == Job { stop, ..shape(job) }
}

fn is_coprocess(job: &Job) -> bool {
    let StopAfter { deregistered, .. } = job.stop.after;
    deregistered && job.role == Role::Ordinary && job.exec.is_some()
}
