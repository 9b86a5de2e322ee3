//! One event loop: it hears what happens, asks the [`Machine`] what follows, and does it.
//!
//! Everything that the program does begins here and nothing here waits: processes are started
//! and signalled at once, requests to the catalog are handed to their tasks, output goes to its
//! thread. What comes of it arrives as the next input.

mod advice;
mod alarm;
mod changes;
mod checks;
mod children;
mod control;
mod discovery;
mod elections;
mod measure;
mod probes;
mod program;
mod registry;
mod reload;
mod sensors;
mod status;
mod templates;
mod watches;

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use ::control::{Events, Observer, wire};
use config::{
    Config, Generation, Logging,
    job::{ElectionEvent, GlobalEvent, JobId, Role, SignalEvent, Trigger},
    watch::WatchId,
};
use metrics::{Counter, Family};
use process::{Output, Processes};
use tokio::task::JoinSet;

use crate::{
    environment::Environment,
    event,
    machine::{Action, Input, Instances, Machine, Urgency},
    signals::{Received, Signals},
    telemetry::{Endpoint, Metrics},
};
pub(crate) use advice::advice;
use alarm::{Alarm, until};
use changes::Changes;
use children::{Children, Ended, Plan};
use control::Control;
use discovery::{Discovery, News};
use elections::Vote;
pub(crate) use reload::Reload;
use reload::Successor;
use sensors::Sensors;
use status::Clock;
use templates::Templates;
pub(crate) use templates::faults;
use watches::Seen;

/// How long after the start of a configuration what was needed only for that leaves memory: it has
/// registered, watches and checks by then.
const TIDY: Duration = Duration::from_secs(2);

/// Requests to the control socket, by status and path, once somebody measures.
type Counted = Arc<Mutex<Option<Family<Counter, 2>>>>;

/// The program at work.
pub(crate) struct Engine {
    machine: Machine,
    children: Children,
    discovery: Discovery,
    templates: Templates,
    /// What the jobs have been told of what watches see.
    changes: Changes,
    environment: Environment,
    signals: Signals,
    output: Output,
    /// Reads the configuration once more.
    read: Reload,
    /// When we began.
    started: Instant,
    clock: Clock,
    sensors: Sensors,
    control: Option<Control>,
    /// Control sockets that a reload has moved elsewhere, until their last answers are given.
    closing: JoinSet<()>,
    /// Those who listen to events.
    events: Events,
    /// Counts requests to the control socket.
    requests: Observer,
    /// Where to; nowhere without telemetry.
    counted: Counted,
    endpoint: Option<Endpoint>,
    metrics: Option<Metrics>,
    /// How we log; a reload changes it before the machine's configuration.
    logging: Logging,
    /// A valid configuration that waits for its turn.
    next: Option<Successor>,
    /// The one for which the configuration in force is making room.
    coming: Option<Successor>,
    /// How many configurations have come into force.
    generation: u64,
    /// When what only a start needs should leave memory.
    tidy: Option<Instant>,
    /// For the machine's deadline.
    alarm: Alarm,
    inputs: VecDeque<Input>,
    /// Whether the last thing that was heard was an exit.
    reaped: bool,
}

impl Engine {
    /// Prepares everything; after this nothing about the configuration can fail. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// The catalog's settings cannot be used, a job's user does not exist, an address or a socket
    /// cannot be listened on, or the kernel refuses to tell of children.
    pub(crate) fn build(
        config: Config,
        signals: Signals,
        output: Output,
        read: Reload,
    ) -> Result<Engine, String> {
        let system = |error: io::Error| format!("cannot listen for the exits of children: {error}");
        let discovery = Discovery::build(&config, None)?;
        let environment = Environment::new(&config);
        let templates = Templates::build(&config, &environment)?;
        let processes = Processes::start(output.clone()).map_err(system)?;
        let children = Children::new(processes, Plan::build(&config)?);
        let counted = Counted::default();
        let requests = counter(&counted);
        let events = Events::new();
        let control = match &config.control {
            None => None,
            Some(path) => match reload::open(path, &events, &requests) {
                Ok(control) => Some(control),
                Err(error) if control::is_optional(path) => {
                    log::warn!(
                        "{error}; going on without: -status, -reload and so on will not work"
                    );
                    None
                }
                Err(error) => return Err(error),
            },
        };
        let listen = config.telemetry.as_ref().map(|telemetry| telemetry.listen);
        let endpoint = listen.map(reload::listen).transpose()?;
        let config = Arc::new(config);
        let mut sensors = Sensors::default();
        sensors.describe(&config);
        let mut engine = Engine {
            logging: config.logging.clone(),
            machine: Machine::new(Arc::clone(&config), Instant::now()),
            children,
            discovery,
            templates,
            changes: Changes::new(&config),
            environment,
            signals,
            output,
            read,
            started: Instant::now(),
            clock: Clock::now(),
            sensors,
            control,
            closing: JoinSet::new(),
            events,
            requests,
            counted,
            endpoint,
            metrics: None,
            next: None,
            coming: None,
            generation: 1,
            tidy: None,
            alarm: Alarm::new(),
            inputs: VecDeque::new(),
            reaped: false,
        };
        engine.measure(&config);
        Ok(engine)
    }

    /// Runs until everything has stopped; answers with our exit code.
    pub(crate) async fn run(mut self) -> u8 {
        self.inputs.push_back(Input::Start);
        loop {
            while let Some(input) = self.inputs.pop_front() {
                let is_check = matches!(input, Input::Checked(..));
                if let Some(code) = self.handle(input) {
                    self.templates.ended().await;
                    if let Some(control) = self.control {
                        control.close().await;
                    }
                    return code;
                }
                // Those that have ended together are one piece of news: there is one of each job at
                // most, and none comes again before its interval.
                if !is_check || !matches!(self.inputs.front(), Some(Input::Checked(..))) {
                    break;
                }
            }
            // Even if more is to be handled: what follows from a failed start may be another
            // start, and from an exit another exit, without end, and must not make us deaf. The
            // runtime has to be given its turn to hear of anything, signals included.
            if !self.inputs.is_empty() || self.reaped {
                tokio::task::yield_now().await;
            }
            let input = self.hear().await;
            self.inputs.extend(input);
        }
    }

    /// Waits for the next thing to happen. `None`: it concerns no job.
    async fn hear(&mut self) -> Option<Input> {
        let deadline = self.machine.deadline();
        let reaped = std::mem::take(&mut self.reaped);
        tokio::select! {
            // In this order: what has ended comes before what is to begin, and before news.
            biased;
            signal = self.signals.next() => self.signalled(signal),
            ended = self.children.next(&mut self.environment), if !reaped => {
                self.reaped = !matches!(ended, Ended::Probes(_));
                match ended {
                    Ended::Job(input) => Some(input),
                    Ended::Probes(inputs) => {
                        self.inputs.extend(inputs);
                        None
                    }
                    Ended::Trial(template, check, status) => {
                        self.templates.tried(template, check, status);
                        None
                    }
                    Ended::Forgotten => None,
                }
            }
            due = self.alarm.at(deadline) => {
                self.time_loop(due);
                Some(Input::Tick)
            }
            call = next_of(&mut self.control, Control::next) => self.called(call),
            ask = next_of(&mut self.endpoint, Endpoint::next) => {
                self.asked(ask);
                None
            }
            reading = self.sensors.next() => {
                self.read(reading);
                None
            }
            news = self.discovery.next() => Some(match news {
                News::Deregistered(job, number, notified) => {
                    Input::Deregistered(job, number, notified)
                }
                News::Changed(watch) => self.changed(watch),
                News::Voted(Vote::Elected(election)) => Input::Elected(election),
                News::Voted(Vote::Demoted(election)) => Input::Demoted(election),
                News::Voted(Vote::Resigned(election)) => Input::Resigned(election),
            }),
            news = self.templates.next() => self.rendered(news),
            Some(_) = self.closing.join_next() => None,
            _ = until(self.tidy) => {
                self.tidy = None;
                process::release_code();
                None
            }
            // Whatever is queued waits for one thing of each kind at most, and delays nothing.
            // After an exit everything else comes first once: exits may follow each other without end.
            () = std::future::ready(()), if !self.inputs.is_empty() || reaped => None,
        }
    }

    fn changed(&self, id: WatchId) -> Input {
        let config = self.machine.config();
        let seen = self.discovery.watches.seen(id);
        if let (Some(watch), Some(seen)) = (config.watches.get(id.0), seen) {
            let what = match seen {
                Seen::Instances(_) => "healthy",
                Seen::Entries(_) => "found",
            };
            log::info!("{} has changed: {} {what}", watch.name, seen.len());
            self.count_instances(id, seen.len());
        }
        let seen = seen.map_or(Instances::None, Seen::instances);
        Input::Changed(changes::first_of(config, id), seen)
    }

    fn signalled(&mut self, signal: Received) -> Option<Input> {
        match signal {
            Received::Terminate | Received::Interrupt => log::info!("{signal}: stopping"),
            _ => log::debug!("{signal}"),
        }
        match (signal, self.machine.config().generation) {
            (Received::Terminate, _) => Some(Input::Stop(Urgency::Orderly)),
            (Received::Interrupt, _) => Some(Input::Stop(Urgency::Now)),
            (Received::Hangup, Generation::V3) => Some(Input::Signal(SignalEvent::Hup)),
            (Received::User2, Generation::V3) => Some(Input::Signal(SignalEvent::Usr2)),
            (Received::User1, Generation::V3) => {
                self.output.reopen();
                None
            }
            (Received::Hangup, Generation::V2) if self.machine.is_stopping() => None,
            // What was wrong with it stands in the log.
            (Received::Hangup, Generation::V2) => self.reload().unwrap_or(None),
            (Received::User1, Generation::V2) => {
                self.output.reopen();
                Some(Input::ToggleMaintenance)
            }
            (Received::User2, Generation::V2) => None,
        }
    }

    /// Lets the machine decide and does what it says. `Some`: all is over.
    fn handle(&mut self, input: Input) -> Option<u8> {
        match input {
            Input::Start => self.tidy = Instant::now().checked_add(TIDY),
            Input::Checked(job, ..) => self.time_check(job),
            // It was true when it was told; meanwhile we may have been stopped for a while.
            Input::Elected(election) if !self.discovery.elections.leads(election) => return None,
            Input::Exited(job, status) => {
                self.changes.ended(job);
                if let Some(capture) = self.children.captured(job)
                    && status.success()
                {
                    self.sensors.exited(job, capture);
                }
            }
            _ => {}
        }
        let actions = self.machine.on(input, Instant::now());
        self.perform(actions)
    }

    fn perform(&mut self, actions: Vec<Action>) -> Option<u8> {
        for action in actions {
            match action {
                Action::Spawn(job, reason) => {
                    let begun = Instant::now();
                    let change = self.changes.tell(
                        job,
                        reason,
                        self.machine.config(),
                        &self.discovery.watches,
                        self.children.identity(job),
                    );
                    let failed = self.children.start(
                        job,
                        &mut self.environment,
                        &self.sensors,
                        change.as_deref(),
                    );
                    self.time_start(begun);
                    self.inputs.extend(failed);
                }
                Action::Check(job, run) => {
                    let begun = Instant::now();
                    let failed = self.children.check(job, run, &self.environment);
                    self.time_start(begun);
                    self.inputs.extend(failed);
                }
                Action::Heard(job) => self.children.heard(job),
                // What keeps others company is healthy whenever we are: that is no news.
                Action::Turned(job, _) if self.is_company(job) => {}
                Action::Turned(job, event) => self.children.turned(job, event),
                Action::Terminate(job) => self.children.terminate(job),
                Action::Recycle(job) => {
                    self.discovery.mark_unhealthy(job);
                    self.children.recycle(job);
                }
                Action::Kill(job) => self.children.kill(job),
                Action::KillCheck(job) => self.children.kill_check(job),
                Action::Announce(job) => self.discovery.announce(job),
                Action::Passing(job) => self.discovery.passing(job),
                Action::Failing(job) => self.discovery.failing(job),
                Action::Deregister(job, number) => self.discovery.deregister(job, number),
                Action::Mark(job, number) => self.discovery.mark(job, number),
                Action::Stand(election) => self.discovery.stand(election),
                Action::Resign(election) => {
                    self.inputs.extend(self.discovery.elections.resign(election));
                }
                Action::Watch(watch) => self.discovery.watch(watch),
                Action::Published(event) => self.published(event),
                Action::Unreachable(job) => {
                    self.children.unreachable(job, &self.awaited(job));
                }
                Action::GaveUp(job) => self.children.gave_up(job, &self.awaited(job)),
                Action::Decided(job, code) => self.children.decided(job, code),
                Action::Condemned(job, code) => self.children.condemned(job, code),
                Action::Overdue(job) => self.children.overdue(job),
                Action::Retired => self.succeed(),
                Action::Exit(code) => return Some(code),
            }
        }
        self.retire()
    }

    fn is_company(&self, id: JobId) -> bool {
        let job = self.machine.config().jobs.get(id.0);
        job.is_some_and(|job| job.role == Role::Companion)
    }

    fn published(&mut self, event: Trigger) {
        log::debug!("event: {}", event::describe(event, self.machine.config()));
        self.count_event(event);
        self.events.publish(|| {
            let (source, event) = event::words(event, self.machine.config());
            let time = process::timestamp(std::time::SystemTime::now());
            wire::Event { time, source, event: event.to_owned() }
        });
        match event {
            Trigger::Global(GlobalEvent::Startup) => self.templates.begin(self.discovery.catalog()),
            // Nothing reacts to changes any more, and the catalog's agent may be about to stop.
            Trigger::Global(GlobalEvent::Shutdown) => {
                self.discovery.watches.end();
                self.end_templates();
            }
            Trigger::Election(election, ElectionEvent::Elected) => {
                if let Some((variable, token)) = self.discovery.elected(election) {
                    self.environment.add(&variable, &token.to_string());
                }
            }
            Trigger::Election(election, ElectionEvent::Demoted) => {
                if let Some(variable) = self.discovery.demoted(election) {
                    self.environment.remove(&variable);
                }
            }
            Trigger::Global(GlobalEvent::EnterMaintenance) => {
                log::info!("maintenance: services leave the catalog");
            }
            Trigger::Global(GlobalEvent::ExitMaintenance) => {
                log::info!("maintenance is over: services return to the catalog");
            }
            _ => {}
        }
    }
}

/// What comes next from something that there may be; pending if there is not.
async fn next_of<S, T>(source: &mut Option<S>, next: impl AsyncFnOnce(&mut S) -> T) -> T {
    match source {
        Some(source) => next(source).await,
        None => std::future::pending().await,
    }
}

/// Counts requests to the control socket once there is something to count with.
fn counter(counted: &Counted) -> Observer {
    let counted = Arc::clone(counted);
    Arc::new(move |path, code| {
        let requests = counted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(requests) = requests.as_ref() {
            requests.with([&code.to_string(), path]).inc();
        }
    })
}
