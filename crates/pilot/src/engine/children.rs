//! The processes of the jobs and their checks: which pid is whose, how each is started, signalled
//! and reported.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use config::{
    Config,
    job::{JobEvent, JobId, StopTarget},
    template::TemplateId,
};
use process::{
    Capture, Exit, ExitStatus, Group, Identity, Pid, Processes, Signal, SpawnError, Streams,
    Traffic,
};
use tokio::task::{self, JoinSet};

use super::{
    changes,
    checks::{Check, Doer, Means},
    program::{Place, Program, stop_signal},
    sensors::Sensors,
};
use crate::{
    environment::Environment,
    machine::{CheckRun, Input, Kept, Verdict},
};

/// All children, by what they are for.
pub(super) struct Children {
    processes: Processes,
    purposes: HashMap<Pid, Purpose>,
    /// Checks that are no processes: what is well, or what is not.
    probes: JoinSet<Result<String, String>>,
    /// Whose they are.
    probing: HashMap<task::Id, (JobId, CheckRun)>,
    jobs: Vec<Programs>,
}

/// What a child is for. A child of a configuration that is no more has no purpose.
#[derive(Clone, Copy)]
enum Purpose {
    Main(JobId),
    Check(JobId, CheckRun),
    Candidate(TemplateId),
}

/// What has ended.
pub(super) enum Ended {
    /// A job's process.
    Job(Input),
    /// Checks that are no processes: all that have ended by now.
    Probes(Vec<Input>),
    /// The check of a template's candidate.
    Trial(TemplateId, Pid, ExitStatus),
    /// Something that nobody is concerned with any more.
    Forgotten,
}

/// What all jobs of one configuration can run.
pub(super) struct Plan(Vec<Programs>);

/// What one job can run, and what of it is running.
struct Programs {
    name: String,
    main: Option<Program>,
    pid_variable: Option<String>,
    signal: Signal,
    target: StopTarget,
    running: Option<Pid>,
    /// What the running process writes, if it is a sensor.
    capture: Option<Capture>,
    wish: Wish,
    check: Check,
}

/// What we want of a running process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// That it runs.
    Run,
    /// That it exits: it has been asked to.
    Stop,
}

impl Children {
    pub(super) fn new(processes: Processes, Plan(jobs): Plan) -> Children {
        Children {
            processes,
            purposes: HashMap::new(),
            probes: JoinSet::new(),
            probing: HashMap::new(),
            jobs,
        }
    }

    /// As whom a job's process runs, if that is somebody else.
    pub(super) fn identity(&self, id: JobId) -> Option<&Identity> {
        self.jobs.get(id.0)?.main.as_ref()?.identity()
    }

    /// Starts a job's process; it finds `change` in its environment. `Some`: it could not be
    /// started.
    pub(super) fn start(
        &mut self,
        id: JobId,
        environment: &mut Environment,
        sensors: &Sensors,
        change: Option<&Path>,
    ) -> Option<Input> {
        let job = self.jobs.get_mut(id.0)?;
        let program = job.main.as_ref()?;
        let capture = sensors.capture(id);
        let streams = match (&capture, &program.streams) {
            (Some(capture), Streams::Lines { source }) => {
                Streams::Capture(capture.clone().with_stderr(Arc::clone(source)))
            }
            (_, streams) => streams.clone(),
        };
        match program.start(
            &mut self.processes,
            streams,
            environment,
            change.map(changes::variable),
        ) {
            Ok(pid) => {
                job.capture = capture;
                log::debug!("{} has started with pid {pid}", job.name);
                job.running = Some(pid);
                job.wish = Wish::Run;
                self.purposes.insert(pid, Purpose::Main(id));
                if let Some(variable) = &job.pid_variable {
                    environment.running(variable, pid);
                }
                None
            }
            Err(error) => {
                log::error!("{} cannot be started: {error}", job.name);
                Some(Input::Exited(id, ExitStatus::Code(error.exit_code())))
            }
        }
    }

    /// Starts a job's check. `Some`: it could not be started.
    pub(super) fn check(
        &mut self,
        id: JobId,
        run: CheckRun,
        environment: &Environment,
    ) -> Option<Input> {
        let check = &mut self.jobs.get_mut(id.0)?.check;
        let means = check.means()?;
        check.prepare();
        match means {
            Means::Probe(probe) => {
                let task = self.probes.spawn(async move { probe.find_out().await });
                self.probing.insert(task.id(), (id, run));
                check.started(Doer::Task(task));
                None
            }
            Means::Command(program) => {
                let streams = program.streams.clone();
                match program.start(&mut self.processes, streams, environment, None) {
                    Ok(pid) => {
                        check.started(Doer::Process(pid));
                        self.purposes.insert(pid, Purpose::Check(id, run));
                        None
                    }
                    Err(error) => {
                        check.impossible(error);
                        Some(Input::Checked(id, run, Verdict::Failed))
                    }
                }
            }
        }
    }

    /// Asks a job's process to stop because it is unhealthy.
    pub(super) fn recycle(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get(id.0)
            && let Some(pid) = job.running
        {
            log::warn!("{} (pid {pid}) is unhealthy: it is stopped and started again", job.name);
        }
        self.terminate(id);
    }

    /// Asks a job's process to stop.
    pub(super) fn terminate(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id.0) else { return };
        let Some(pid) = job.running else { return };
        job.wish = Wish::Stop;
        log::debug!("{} is asked to stop", job.name);
        match job.target {
            StopTarget::Process => self.processes.signal(pid, job.signal),
            StopTarget::Group => signal_group(&self.processes, job, pid, job.signal),
        }
    }

    /// Kills a job's process and its descendants.
    pub(super) fn kill(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id.0) else { return };
        let Some(pid) = job.running else { return };
        match std::mem::replace(&mut job.wish, Wish::Stop) {
            Wish::Run => log::warn!("{} (pid {pid}) is killed: its time is up", job.name),
            Wish::Stop => {
                log::warn!("{} (pid {pid}) is killed: it has not stopped in time", job.name);
            }
        }
        signal_group(&self.processes, job, pid, Signal::SIGKILL);
    }

    /// Ends a running check; if it is a process, its descendants too.
    pub(super) fn kill_check(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id.0) else { return };
        let Some(doer) = job.check.doer() else { return };
        job.check.killed();
        match doer {
            Doer::Process(pid) => {
                log::debug!("the check of {} (pid {pid}) is killed", job.name);
                self.processes.signal_group(pid, Signal::SIGKILL);
            }
            Doer::Task(task) => task.abort(),
        }
    }

    /// What a job's last check has said has been heard.
    pub(super) fn heard(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(id.0) {
            job.check.heard();
        }
    }

    /// A job's checks have made another state of it; tells the log.
    pub(super) fn turned(&mut self, id: JobId, event: JobEvent) {
        if let Some(job) = self.jobs.get_mut(id.0) {
            job.check.turned(event);
        }
    }

    /// Tells the log of a job that will never start, for want of these events.
    pub(super) fn unreachable(&self, id: JobId, awaited: &str) {
        if let Some(job) = self.jobs.get(id.0)
            && job.main.is_some()
        {
            log::warn!("{} will never start: {awaited} cannot come any more", job.name);
        }
    }

    /// Tells the log of a job that has waited for these events as long as it may.
    pub(super) fn gave_up(&self, id: JobId, awaited: &str) {
        if let Some(job) = self.jobs.get(id.0) {
            log::warn!("{} does not run: it has waited in vain for {awaited}", job.name);
        }
    }

    /// Tells the log whose exit ends the program.
    pub(super) fn decided(&self, id: JobId, code: u8) {
        if let Some(job) = self.jobs.get(id.0) {
            log::info!("the exit of {} is the end of all: stopping, with {code}", job.name);
        }
    }

    /// Tells the log whose health ends the program.
    pub(super) fn condemned(&self, id: JobId, code: u8) {
        if let Some(job) = self.jobs.get(id.0) {
            log::error!("the bad health of {} is the end of all: stopping, with {code}", job.name);
        }
    }

    /// Tells the log of a check that hangs.
    pub(super) fn overdue(&self, id: JobId) {
        if let Some(job) = self.jobs.get(id.0) {
            log::warn!(
                "the check of {} has not ended for longer than its result is good for, and has no \
                 timeout: no further check runs until it ends",
                job.name
            );
        }
    }

    /// A job's process, while it runs.
    pub(super) fn pid(&self, id: JobId) -> Option<Pid> {
        self.jobs.get(id.0)?.running
    }

    /// What a sensor's process, which has exited, has written.
    pub(super) fn captured(&mut self, id: JobId) -> Option<Capture> {
        self.jobs.get_mut(id.0)?.capture.take()
    }

    /// How long a job's check, which has just ended, took. `None`: another one has ended, which
    /// did not count any more.
    pub(super) fn check_took(&mut self, id: JobId) -> Option<Duration> {
        self.jobs.get_mut(id.0)?.check.took()
    }

    /// What a job's last check that has been heard has said, or else why it has failed.
    pub(super) fn said(&self, id: JobId) -> String {
        self.jobs.get(id.0).map(|job| job.check.said()).unwrap_or_default()
    }

    /// How much was logged for each job.
    pub(super) fn traffic(&self) -> impl Iterator<Item = (&str, Traffic)> {
        self.jobs.iter().map(|job| {
            let programs = [job.main.as_ref(), job.check.program()].into_iter().flatten();
            let traffic =
                programs.fold(Traffic::default(), |sum, program| match &program.streams {
                    Streams::Lines { source } => {
                        let Traffic { lines, bytes } = source.traffic();
                        Traffic { lines: sum.lines + lines, bytes: sum.bytes + bytes }
                    }
                    _ => sum,
                });
            (job.name.as_str(), traffic)
        })
    }

    /// Starts the check of a template's candidate; what it writes goes to `tail`, too.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn try_candidate(
        &mut self,
        id: TemplateId,
        check: &Program,
        environment: &Environment,
    ) -> Result<Pid, SpawnError> {
        let pid = check.start(&mut self.processes, check.streams.clone(), environment, None)?;
        self.purposes.insert(pid, Purpose::Candidate(id));
        Ok(pid)
    }

    /// Kills the check of a template's candidate and its descendants.
    pub(super) fn kill_trial(&mut self, pid: Pid) {
        self.processes.signal_group(pid, Signal::SIGKILL);
    }

    /// The next exit, or the next end of a check. Cancel safe.
    pub(super) async fn next(&mut self, environment: &mut Environment) -> Ended {
        tokio::select! {
            exit = self.processes.next_exit() => self.exited(exit, environment),
            Some(first) = self.probes.join_next_with_id() => {
                let mut inputs = Vec::new();
                let mut over = Some(first);
                while let Some(one) = over {
                    let (task, found) = match one {
                        Ok((task, found)) => (task, Some(found)),
                        Err(aborted) => (aborted.id(), None),
                    };
                    inputs.extend(self.found(task, found));
                    over = self.probes.try_join_next_with_id();
                }
                Ended::Probes(inputs)
            }
        }
    }

    fn found(&mut self, task: task::Id, found: Option<Result<String, String>>) -> Option<Input> {
        let (id, run) = self.probing.remove(&task)?;
        let verdict = Verdict::of(matches!(found, Some(Ok(_))));
        self.jobs.get_mut(id.0)?.check.found(task, found);
        Some(Input::Checked(id, run, verdict))
    }

    fn exited(&mut self, exit: Exit, environment: &mut Environment) -> Ended {
        let input = match self.purposes.remove(&exit.pid) {
            None => return Ended::Forgotten,
            Some(Purpose::Candidate(id)) => return Ended::Trial(id, exit.pid, exit.status),
            Some(Purpose::Main(id)) => self.jobs.get_mut(id.0).map(|job| {
                let quiet = exit.status.success() || job.wish == Wish::Stop;
                let level = if quiet { log::Level::Debug } else { log::Level::Warn };
                log::log!(level, "{} (pid {}) {}", job.name, exit.pid, exit.status);
                job.running = None;
                if let Some(variable) = &job.pid_variable {
                    environment.remove(variable);
                }
                Input::Exited(id, exit.status)
            }),
            Some(Purpose::Check(id, run)) => self.jobs.get_mut(id.0).map(|job| {
                job.check.exited(exit.pid, exit.status);
                Input::Checked(id, run, Verdict::of(exit.status.success()))
            }),
        };
        input.map_or(Ended::Forgotten, Ended::Job)
    }

    /// The next configuration comes into force. Children of jobs that it does not keep are
    /// strangers from now on.
    pub(super) fn succeed(&mut self, plan: Plan, kept: &Kept, environment: &mut Environment) {
        let Plan(jobs) = plan;
        let mut before = std::mem::replace(&mut self.jobs, jobs);
        self.purposes.retain(|_, purpose| {
            let (Purpose::Main(id) | Purpose::Check(id, _)) = purpose else {
                // Whoever has begun it knows whether it still counts.
                return true;
            };
            match kept.new_place(*id) {
                Some(new) => {
                    *id = new;
                    true
                }
                None => false,
            }
        });
        self.probing.retain(|_, (id, _)| match kept.new_place(*id) {
            Some(new) => {
                *id = new;
                true
            }
            None => false,
        });
        for (old, new) in kept.pairs() {
            if let (Some(before), Some(job)) = (before.get_mut(old.0), self.jobs.get_mut(new.0)) {
                // Its sources count on, and what its check has said stays said.
                std::mem::swap(&mut job.main, &mut before.main);
                job.check.inherit(&mut before.check);
                job.running = before.running;
                job.capture = before.capture.take();
                job.wish = before.wish;
                if let (Some(variable), Some(pid)) = (&job.pid_variable, job.running) {
                    environment.running(variable, pid);
                }
            }
        }
    }
}

impl Plan {
    /// Prepares what a configuration can run.
    ///
    /// # Errors
    /// A job's user or group does not exist, or its check cannot be used.
    pub(super) fn build(config: &Config) -> Result<Plan, String> {
        config.jobs.iter().map(Programs::build).collect::<Result<_, _>>().map(Plan)
    }
}

impl Programs {
    fn build(job: &config::Job) -> Result<Programs, String> {
        let place = Place::of(job)?;
        let main = job
            .exec
            .as_ref()
            .map(|exec| Program::new(&job.name, &exec.command, exec.streams, &place, None));
        Ok(Programs {
            name: job.name.clone(),
            main,
            pid_variable: job.exec.as_ref().and_then(|exec| exec.pid_variable.clone()),
            signal: stop_signal(job.stop.signal),
            target: job.stop.target,
            running: None,
            capture: None,
            wish: Wish::Run,
            check: Check::build(job, &place)?,
        })
    }
}

/// A process that shares our group is signalled alone: the group is ours too.
fn signal_group(processes: &Processes, job: &Programs, pid: Pid, signal: Signal) {
    match job.main.as_ref().map(|program| program.group) {
        Some(Group::Ours) => processes.signal(pid, signal),
        _ => processes.signal_group(pid, signal),
    }
}
