//! What a job's checks say: in the log when that changes, and to whoever asks.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use config::{Job, job::JobEvent};
use process::{ExitStatus, Pid, SpawnError, Tail};
use tokio::task::AbortHandle;

use super::{
    probes::Probe,
    program::{Place, Program},
};

/// How a job is checked, and what its last check has said.
pub(super) struct Check {
    job: String,
    /// `None`: not at all, or it always passes.
    means: Option<Means>,
    /// From when until then the check that runs.
    running: Option<(Doer, Instant)>,
    /// How long the last check took.
    took: Option<Duration>,
    /// What the last check has written.
    said: Tail,
    /// Until a check that was started counts: what the one before has said.
    earlier: Option<String>,
    outcome: Outcome,
    health: Health,
    /// Why the job is unhealthy, as the log was told last, and when.
    told: Option<(String, Instant)>,
}

/// So long no other reason is told.
const SILENCE: Duration = Duration::from_secs(5);

/// A reason without what may be another each time: numbers in the words that a server has said.
fn essence(words: &str) -> String {
    let (ours, theirs) = words.split_once(": ").unwrap_or((words, ""));
    ours.chars().chain(theirs.chars().filter(|char| !char.is_ascii_digit())).collect()
}

/// What a check does.
#[derive(Clone)]
pub(super) enum Means {
    /// It runs this.
    Command(Arc<Program>),
    /// It does this itself.
    Probe(Arc<Probe>),
}

/// Who does a check.
#[derive(Clone)]
pub(super) enum Doer {
    /// A process.
    Process(Pid),
    /// A task.
    Task(AbortHandle),
}

/// How the last check ended, in the words of the log.
enum Outcome {
    /// Its process exited, or it is still at it.
    Exited(ExitStatus),
    /// It has found this: what is well, or what is not.
    Found(Result<String, String>),
    /// It was killed, for its time or because its result no longer counts.
    Overdue,
    /// It could not be started.
    Impossible(SpawnError),
}

/// The last result that was taken for true.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    /// Nothing has been checked yet.
    Unknown,
    /// It passed.
    Healthy,
    /// It failed.
    Unhealthy,
}

impl Check {
    /// Prepares a job's check.
    ///
    /// # Errors
    /// Certificates cannot be read, or something else about it cannot be used.
    pub(super) fn build(job: &Job, place: &Arc<Place>) -> Result<Check, String> {
        let said = Tail::new();
        let means = match &job.health {
            None => None,
            Some(health) => match health.command() {
                Some(command) => {
                    let program =
                        Program::new(&job.name, command, health.streams, place, Some(&said));
                    Some(Means::Command(Arc::new(program)))
                }
                None => Probe::build(health)
                    .map_err(|error| format!("jobs ({}): health: {error}", job.name))?
                    .map(|probe| Means::Probe(Arc::new(probe))),
            },
        };
        Ok(Check {
            job: job.name.clone(),
            means,
            running: None,
            took: None,
            said,
            earlier: None,
            outcome: Outcome::Exited(ExitStatus::Code(0)),
            health: Health::Unknown,
            told: None,
        })
    }

    /// Goes on as the check of the same job in the configuration before, with what it has been made
    /// from now: files that it names, such as certificates, may be others.
    pub(super) fn inherit(&mut self, before: &mut Check) {
        std::mem::swap(self, before);
        // A command's output is told where it was told before.
        if matches!(before.means, Some(Means::Probe(_))) {
            self.means = before.means.take();
        }
    }

    /// What it does.
    pub(super) fn means(&self) -> Option<Means> {
        self.means.clone()
    }

    /// The command, if it is one.
    pub(super) fn program(&self) -> Option<&Program> {
        match &self.means {
            Some(Means::Command(program)) => Some(program),
            _ => None,
        }
    }

    /// Who does the check that runs.
    pub(super) fn doer(&self) -> Option<Doer> {
        self.running.as_ref().map(|(doer, _)| doer.clone())
    }

    /// One is about to start.
    pub(super) fn prepare(&mut self) {
        // One that was abandoned has not become the last one.
        if self.earlier.is_none() {
            self.earlier = Some(self.last_words());
        }
        self.said.clear();
    }

    /// It has started.
    pub(super) fn started(&mut self, doer: Doer) {
        self.running = Some((doer, Instant::now()));
        self.outcome = Outcome::Exited(ExitStatus::Code(0));
    }

    /// It could not be started.
    pub(super) fn impossible(&mut self, error: SpawnError) {
        self.earlier = None;
        self.outcome = Outcome::Impossible(error);
    }

    /// It is to end.
    pub(super) fn killed(&mut self) {
        self.outcome = Outcome::Overdue;
    }

    /// A check's process has exited.
    pub(super) fn exited(&mut self, process: Pid, status: ExitStatus) {
        let is_its = |doer: &Doer| matches!(doer, Doer::Process(pid) if *pid == process);
        self.over(is_its, Outcome::Exited(status));
    }

    /// A check's task has ended; `None`: it was to end.
    pub(super) fn found(&mut self, task: tokio::task::Id, found: Option<Result<String, String>>) {
        let is_its = |doer: &Doer| matches!(doer, Doer::Task(handle) if handle.id() == task);
        self.over(is_its, found.map_or(Outcome::Overdue, Outcome::Found));
    }

    fn over(&mut self, is_its: impl Fn(&Doer) -> bool, outcome: Outcome) {
        if let Some((_, since)) = self.running.take_if(|(doer, _)| is_its(doer)) {
            self.took = Some(since.elapsed());
            // What has come to an end by itself at the last moment was not cut off.
            let is_cut_off = matches!(outcome, Outcome::Exited(status) if !status.success());
            if !(is_cut_off && matches!(self.outcome, Outcome::Overdue)) {
                self.outcome = outcome;
            }
        }
    }

    /// The last one has been heard. If the job is unhealthy for another reason than the log knows, it
    /// is told: not of each number that is another, and not all the time.
    pub(super) fn heard(&mut self) {
        self.earlier = None;
        let Some((words, since)) = &self.told else { return };
        if let Some(why) = self.why()
            && since.elapsed() >= SILENCE
            && essence(&why) != essence(words)
        {
            log::info!("{} is still unhealthy: {why}", self.job);
            self.told = Some((why, Instant::now()));
        }
    }

    /// Why the last check has failed; `None`: it has not.
    fn why(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Found(Ok(_)) => None,
            Outcome::Exited(status) if status.success() => None,
            Outcome::Found(Err(words)) => Some(words.clone()),
            Outcome::Exited(status) => Some(format!("its check {status}")),
            Outcome::Impossible(error) => Some(format!("its check cannot be started: {error}")),
            Outcome::Overdue => Some(self.overdue()),
        }
    }

    /// What it has said makes another state of the job: the log is told.
    pub(super) fn turned(&mut self, event: JobEvent) {
        let health = match event {
            JobEvent::Healthy => Health::Healthy,
            _ => Health::Unhealthy,
        };
        let before = std::mem::replace(&mut self.health, health);
        let name = &self.job;
        let why = self.why().filter(|_| health == Health::Unhealthy);
        match (&why, &self.outcome) {
            (None, _) if health == Health::Unhealthy => log::warn!("{name} is unhealthy"),
            (None, _) => log::info!("{name} is healthy"),
            (Some(why), Outcome::Impossible(_)) => log::error!("{name} is unhealthy: {why}"),
            (Some(why), _) => match before == Health::Unknown {
                true => log::info!("{name} is not healthy yet: {why}"),
                false => log::warn!("{name} is unhealthy: {why}"),
            },
        }
        self.told = why.map(|why| (why, Instant::now()));
    }

    /// How long the last check took, once.
    pub(super) fn took(&mut self) -> Option<Duration> {
        self.took.take()
    }

    /// What the last check that has been heard has said, or else why it has failed.
    pub(super) fn said(&self) -> String {
        self.earlier.clone().unwrap_or_else(|| self.last_words())
    }

    /// What the check that was started last has said, or else why it has failed.
    fn last_words(&self) -> String {
        let said = self.said.text();
        match &self.outcome {
            _ if !said.is_empty() => said,
            Outcome::Found(Ok(words) | Err(words)) => words.clone(),
            Outcome::Exited(status) if status.success() => said,
            Outcome::Exited(status) => format!("the check {status}, and wrote nothing"),
            Outcome::Overdue => self.overdue(),
            Outcome::Impossible(error) => format!("the check cannot be started: {error}"),
        }
    }

    fn overdue(&self) -> String {
        match &self.means {
            Some(Means::Probe(probe)) => probe.overdue(),
            _ => "its check took too long and was killed".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is healthy then, and must not be said to have taken too long.
    #[test]
    fn what_ends_well_when_its_time_is_up_has_ended_well() {
        let said = |status: ExitStatus| {
            let mut check = Check {
                job: "web".to_owned(),
                means: None,
                running: None,
                took: None,
                said: Tail::new(),
                earlier: None,
                outcome: Outcome::Exited(ExitStatus::Code(0)),
                health: Health::Unknown,
                told: None,
            };
            let pid = Pid::ours();
            check.prepare();
            check.started(Doer::Process(pid));
            check.killed();
            check.exited(pid, status);
            check.heard();
            check.said()
        };
        assert_eq!(said(ExitStatus::Code(0)), "");
        assert_eq!(said(ExitStatus::Signal(9)), "its check took too long and was killed");
    }
}
