//! What there is to be seen of a job from outside.

use std::time::Instant;

use config::{
    election::ElectionId,
    job::{JobEvent, JobId, Need, Trigger, When},
};
use process::ExitStatus;

use super::{Candidacy, JobState, Machine, Run, StopStep};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits for its first trigger.
    Waiting,
    /// Its process runs.
    Running,
    /// Its process has exited and is started again soon.
    Backoff,
    /// It has begun, and no process is running: it has none, or waits for its next trigger.
    Idle,
    /// It is being stopped: those who use its service have time to notice.
    Draining,
    /// It is being stopped.
    Stopping,
    /// It is over.
    Completed,
}

/// What we are in an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// We do not stand.
    Out,
    /// We stand, and are not elected.
    Standing,
    /// We are elected.
    Leading,
    /// We are about to leave.
    Leaving,
}

/// A job as it is seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JobView {
    /// What it does.
    pub(crate) state: State,
    /// Since when.
    pub(crate) since: Instant,
    /// How often its process was started again by itself.
    pub(crate) restarts: u64,
    /// How and when its process exited last.
    pub(crate) last_exit: Option<(ExitStatus, Instant)>,
    /// Whether its last check passed, and since when that is so.
    pub(crate) health: Option<(JobEvent, Instant)>,
}

impl Machine {
    /// A job as it is now.
    pub(crate) fn view(&self, id: JobId) -> Option<JobView> {
        let job = self.jobs.get(id.0)?;
        let (state, since) = job.shown;
        let JobState { restarted: restarts, last_exit, health, .. } = *job;
        Some(JobView { state, since, restarts, last_exit, health })
    }

    /// What we are in an election now.
    pub(crate) fn candidacy(&self, id: ElectionId) -> Candidate {
        match self.elections.get(id.0) {
            Some(Candidacy::Standing) => Candidate::Standing,
            Some(Candidacy::Leading) => Candidate::Leading,
            Some(Candidacy::SteppingDown { .. } | Candidacy::GivingWay | Candidacy::Resigning) => {
                Candidate::Leaving
            }
            Some(Candidacy::Out) | None => Candidate::Out,
        }
    }

    /// The events that a job waits for and that have not come yet.
    pub(crate) fn awaited(&self, id: JobId) -> Vec<Trigger> {
        let (Some(spec), Some(job)) = (self.config.jobs.get(id.0), self.jobs.get(id.0)) else {
            return Vec::new();
        };
        match &spec.when {
            When::On { need: Need::All, conditions, .. } => conditions
                .iter()
                .zip(&job.seen)
                .filter(|(_, seen)| !**seen)
                .map(|(condition, _)| condition.trigger)
                .collect(),
            when => when.triggers().collect(),
        }
    }

    /// Notes since when what is to be seen is so.
    pub(super) fn show(&mut self, now: Instant) {
        for job in &mut self.jobs {
            let state = job.state();
            if job.shown.0 != state {
                job.shown = (state, now);
            }
        }
    }
}

impl JobState {
    fn state(&self) -> State {
        match (self.stop, self.run) {
            (StopStep::Stopped, _) => State::Completed,
            (StopStep::Draining { .. }, _) => State::Draining,
            (StopStep::Live, Run::Waiting { .. }) => State::Waiting,
            (StopStep::Live, Run::Running { .. }) => State::Running,
            (StopStep::Live, Run::Resting { .. }) => State::Backoff,
            (StopStep::Live, Run::Idle) => State::Idle,
            (StopStep::Live, Run::Over) => State::Completed,
            _ => State::Stopping,
        }
    }
}
