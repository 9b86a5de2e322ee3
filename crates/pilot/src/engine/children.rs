//! The processes of the jobs: which pid is whose, how each is started, signalled and reported.

use std::{
    collections::HashMap,
    io::{IsTerminal as _, stdin},
    sync::Arc,
};

use config::{
    Command, Config,
    job::{JobId, StopTarget},
};
use process::{ExitStatus, Group, Pid, Processes, Signal, Source, SpawnError, Spec, Streams};

use crate::{
    environment::Environment,
    logging::level,
    machine::{CheckRun, Input},
};

/// All children, by what they are for.
pub(super) struct Children {
    processes: Processes,
    purposes: HashMap<Pid, Purpose>,
    jobs: Vec<Programs>,
}

/// What a child is for. A child of a configuration that is no more has no purpose.
#[derive(Clone, Copy)]
enum Purpose {
    Main(JobId),
    Check(JobId, CheckRun),
}

/// What one job can run, and what of it is running.
struct Programs {
    name: String,
    main: Option<Program>,
    pid_variable: Option<String>,
    target: StopTarget,
    running: Option<Pid>,
    wish: Wish,
    check: Option<Program>,
    checking: Option<Pid>,
    outcome: Outcome,
    health: Health,
}

/// A command and its streams, ready to be started.
struct Program {
    command: Command,
    streams: Streams,
    group: Group,
}

/// What we want of a running process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// That it runs.
    Run,
    /// That it exits: it has been asked to.
    Stop,
}

/// How the last check ended, in the words of the log.
enum Outcome {
    /// It exited, or is still running.
    Exited(ExitStatus),
    /// It was killed, for its time or because its result no longer counts.
    Overdue,
    /// It could not be started.
    Impossible(SpawnError),
}

/// The last check's result, so that the log tells of changes only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing has been checked yet.
    Unknown,
    /// It passed.
    Healthy,
    /// It failed.
    Unhealthy,
}

impl Children {
    pub(super) fn new(processes: Processes, config: &Config) -> Children {
        let jobs = config.jobs.iter().map(Programs::new).collect();
        Children { processes, purposes: HashMap::new(), jobs }
    }

    /// Starts a job's process. `Some`: it could not be started.
    pub(super) fn start(&mut self, id: JobId, environment: &mut Environment) -> Option<Input> {
        let job = self.jobs.get_mut(id.0)?;
        let program = job.main.as_ref()?;
        match spawn(&mut self.processes, program, environment) {
            Ok(pid) => {
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
        let job = self.jobs.get_mut(id.0)?;
        let program = job.check.as_ref()?;
        match spawn(&mut self.processes, program, environment) {
            Ok(pid) => {
                job.checking = Some(pid);
                job.outcome = Outcome::Exited(ExitStatus::Code(0));
                self.purposes.insert(pid, Purpose::Check(id, run));
                None
            }
            Err(error) => {
                let status = ExitStatus::Code(error.exit_code());
                job.outcome = Outcome::Impossible(error);
                Some(Input::Checked(id, run, status))
            }
        }
    }

    /// Asks a job's process to stop.
    pub(super) fn terminate(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id.0) else { return };
        let Some(pid) = job.running else { return };
        job.wish = Wish::Stop;
        log::debug!("{} is asked to stop", job.name);
        match job.target {
            StopTarget::Process => self.processes.signal(pid, Signal::SIGTERM),
            StopTarget::Group => signal_group(&self.processes, job, pid, Signal::SIGTERM),
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

    /// Kills a running check and its descendants.
    pub(super) fn kill_check(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(id.0)
            && let Some(pid) = job.checking
        {
            job.outcome = Outcome::Overdue;
            log::debug!("the check of {} (pid {pid}) is killed", job.name);
            self.processes.signal_group(pid, Signal::SIGKILL);
        }
    }

    /// A check has counted; tells the log if its result is another than that of the one before.
    pub(super) fn checked(&mut self, id: JobId, health: Health) {
        let Some(job) = self.jobs.get_mut(id.0) else { return };
        let before = std::mem::replace(&mut job.health, health);
        if before == health {
            return;
        }
        let name = &job.name;
        match (health, &job.outcome) {
            (Health::Unhealthy, Outcome::Exited(status)) if before == Health::Unknown => {
                log::info!("{name} is not healthy yet: its check {status}");
            }
            (Health::Healthy | Health::Unknown, _) => log::info!("{name} is healthy"),
            (Health::Unhealthy, Outcome::Exited(status)) => {
                log::warn!("{name} is unhealthy: its check {status}");
            }
            (Health::Unhealthy, Outcome::Overdue) => {
                log::warn!("{name} is unhealthy: its check took too long and was killed");
            }
            (Health::Unhealthy, Outcome::Impossible(error)) => {
                log::error!("{name} is unhealthy: its check cannot be started: {error}");
            }
        }
    }

    /// Tells the log of a job that will never start.
    pub(super) fn unreachable(&self, id: JobId) {
        if let Some(job) = self.jobs.get(id.0)
            && job.main.is_some()
        {
            log::warn!("{} will never start: what it waits for cannot come any more", job.name);
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

    /// The next exit. `None`: of a child that no job is concerned with any more. Cancel safe.
    pub(super) async fn next_exit(&mut self, environment: &mut Environment) -> Option<Input> {
        let exit = self.processes.next_exit().await;
        let purpose = self.purposes.remove(&exit.pid)?;
        match purpose {
            Purpose::Main(id) => {
                let job = self.jobs.get_mut(id.0)?;
                let quiet = exit.status.success() || job.wish == Wish::Stop;
                let level = if quiet { log::Level::Debug } else { log::Level::Warn };
                log::log!(level, "{} (pid {}) {}", job.name, exit.pid, exit.status);
                job.running = None;
                if let Some(variable) = &job.pid_variable {
                    environment.exited(variable);
                }
                Some(Input::Exited(id, exit.status))
            }
            Purpose::Check(id, run) => {
                let job = self.jobs.get_mut(id.0)?;
                if job.checking == Some(exit.pid) {
                    job.checking = None;
                    if !matches!(job.outcome, Outcome::Overdue) {
                        job.outcome = Outcome::Exited(exit.status);
                    }
                }
                Some(Input::Checked(id, run, exit.status))
            }
        }
    }

    /// The next configuration comes into force. `kept` is the application's place in the old and
    /// in the new one; all other children are strangers from now on.
    pub(super) fn succeed(
        &mut self,
        config: &Config,
        kept: Option<(JobId, JobId)>,
        environment: &mut Environment,
    ) {
        let running = kept.and_then(|(old, _)| self.jobs.get(old.0)?.running);
        self.jobs = config.jobs.iter().map(Programs::new).collect();
        self.purposes.clear();
        if let (Some((_, new)), Some(pid)) = (kept, running)
            && let Some(job) = self.jobs.get_mut(new.0)
        {
            job.running = Some(pid);
            self.purposes.insert(pid, Purpose::Main(new));
            if let Some(variable) = &job.pid_variable {
                environment.running(variable, pid);
            }
        }
    }
}

impl Programs {
    fn new(job: &config::Job) -> Programs {
        let main =
            job.exec.as_ref().map(|exec| Program::new(&job.name, &exec.command, exec.streams));
        let check = job.health.as_ref().and_then(|health| {
            Some(Program::new(&job.name, health.command.as_ref()?, health.streams))
        });
        Programs {
            name: job.name.clone(),
            main,
            pid_variable: job.exec.as_ref().and_then(|exec| exec.pid_variable.clone()),
            target: job.stop.target,
            running: None,
            wish: Wish::Run,
            check,
            checking: None,
            outcome: Outcome::Exited(ExitStatus::Code(0)),
            health: Health::Unknown,
        }
    }
}

impl Program {
    fn new(name: &str, command: &Command, streams: config::job::Streams) -> Program {
        let interactive = matches!(streams, config::job::Streams::Inherit) && stdin().is_terminal();
        Program {
            command: command.clone(),
            streams: match streams {
                config::job::Streams::Inherit => Streams::Inherit,
                config::job::Streams::Raw => Streams::Raw,
                config::job::Streams::Logged { stdout, stderr } => Streams::Lines {
                    source: Arc::new(Source {
                        name: name.to_owned(),
                        stdout: level(stdout),
                        stderr: level(stderr),
                    }),
                },
            },
            // A program in a group of its own could not read from the terminal.
            group: if interactive { Group::Ours } else { Group::Own },
        }
    }
}

fn spawn(
    processes: &mut Processes,
    program: &Program,
    environment: &Environment,
) -> Result<Pid, SpawnError> {
    processes.spawn(&Spec {
        program: &program.command.program,
        args: &program.command.args,
        environment: environment.variables(),
        streams: program.streams.clone(),
        group: program.group,
    })
}

/// A process that shares our group is signalled alone: the group is ours too.
fn signal_group(processes: &Processes, job: &Programs, pid: Pid, signal: Signal) {
    match job.main.as_ref().map(|program| program.group) {
        Some(Group::Ours) => processes.signal(pid, signal),
        _ => processes.signal_group(pid, signal),
    }
}
