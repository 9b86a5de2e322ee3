//! One event loop: it hears what happens, asks the [`Machine`] what follows, and does it.
//!
//! Everything that the program does begins here and nothing here waits: processes are started
//! and signalled at once, requests to the catalog are handed to their tasks, output goes to its
//! thread. What comes of it arrives as the next input.

mod children;
mod discovery;

use std::{collections::VecDeque, io, sync::Arc, time::Instant};

use config::{
    Config, Generation, Logging,
    job::{GlobalEvent, JobEvent, SignalEvent, Trigger},
    watch::WatchId,
};
use process::{Output, Processes};

use crate::{
    environment::Environment,
    logging,
    machine::{Action, Input, Instances, Machine, Maintenance, Urgency},
    signals::{Received, Signals},
};
use children::{Children, Health};
use discovery::{Discovery, News};

/// Reads the configuration once more, for a reload.
pub(crate) type Reload = Box<dyn Fn() -> Result<Config, String>>;

/// The program at work.
pub(crate) struct Engine {
    machine: Machine,
    children: Children,
    discovery: Discovery,
    environment: Environment,
    signals: Signals,
    output: Output,
    reload: Reload,
    /// How we log; a reload changes it before the machine's configuration.
    logging: Logging,
    /// A valid configuration that waits for its predecessor to make room.
    next: Option<Successor>,
    inputs: VecDeque<Input>,
}

struct Successor {
    config: Arc<Config>,
    discovery: Discovery,
}

impl Engine {
    /// Prepares everything; after this nothing about the configuration can fail. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// The catalog's settings cannot be used, or the kernel refuses to tell of children.
    pub(crate) fn build(
        config: Config,
        signals: Signals,
        output: Output,
        reload: Reload,
    ) -> Result<Engine, String> {
        let system = |error: io::Error| format!("cannot listen for the exits of children: {error}");
        let discovery = Discovery::build(&config, None)?;
        let environment = Environment::new(&config);
        let processes = Processes::start(output.clone()).map_err(system)?;
        let children = Children::new(processes, &config);
        Ok(Engine {
            logging: config.logging.clone(),
            machine: Machine::new(Arc::new(config)),
            children,
            discovery,
            environment,
            signals,
            output,
            reload,
            next: None,
            inputs: VecDeque::new(),
        })
    }

    /// Runs until everything has stopped; answers with our exit code.
    pub(crate) async fn run(mut self) -> u8 {
        self.inputs.push_back(Input::Start);
        loop {
            if let Some(input) = self.inputs.pop_front()
                && let Some(code) = self.handle(input)
            {
                return code;
            }
            // Even if more is to be handled: what follows from a failed start may be another
            // start, without end, and must not make us deaf. The runtime has to be given its turn
            // to hear of anything.
            if !self.inputs.is_empty() {
                tokio::task::yield_now().await;
            }
            let input = self.hear().await;
            self.inputs.extend(input);
        }
    }

    /// Waits for the next thing to happen. `None`: it concerns no job.
    async fn hear(&mut self) -> Option<Input> {
        let deadline = self.machine.deadline();
        tokio::select! {
            // In this order: what has ended comes before what is to begin, and before news.
            biased;
            signal = self.signals.next() => self.signalled(signal),
            exit = self.children.next_exit(&mut self.environment) => exit,
            () = std::future::ready(()), if !self.inputs.is_empty() => None,
            () = until(deadline) => Some(Input::Tick),
            news = self.discovery.next() => Some(match news {
                News::Deregistered(job, number) => Input::Deregistered(job, number),
                News::Changed(watch, instances) => self.changed(watch, &instances),
            }),
        }
    }

    fn changed(&self, id: WatchId, instances: &[catalog::Instance]) -> Input {
        if let Some(watch) = self.machine.config().watches.get(id.0) {
            log::info!("{} has changed: {} healthy", watch.name, instances.len());
        }
        let instances = if instances.is_empty() { Instances::None } else { Instances::Some };
        Input::Changed(self.source(id), instances)
    }

    /// In 3.x, watches of one name (a service's tags, say) are one source of events: the first of
    /// them. In 2.x each has a command of its own.
    fn source(&self, id: WatchId) -> WatchId {
        if self.machine.config().generation == Generation::V2 {
            return id;
        }
        let watches = &self.machine.config().watches;
        let first = watches.get(id.0).and_then(|watch| {
            watches.iter().position(|other| other.name == watch.name).map(WatchId)
        });
        first.unwrap_or(id)
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
            (Received::Hangup, Generation::V2) => self.reload(),
            (Received::User1, Generation::V2) => {
                self.output.reopen();
                Some(Input::Maintenance(self.toggle_maintenance()))
            }
            (Received::User2, Generation::V2) => None,
        }
    }

    fn toggle_maintenance(&self) -> Maintenance {
        match self.machine.maintenance() {
            Maintenance::Off => {
                log::info!("maintenance: services leave the catalog until the next SIGUSR1");
                Maintenance::On
            }
            Maintenance::On => {
                log::info!("maintenance is over: services return to the catalog");
                Maintenance::Off
            }
        }
    }

    /// Reads the configuration again. A bad one changes nothing.
    fn reload(&mut self) -> Option<Input> {
        let next = (self.reload)().and_then(|config| {
            if config.generation != Generation::V2 {
                return Err("it is of the 3.x generation now, and a running 1.x/2.x application \
                            cannot be turned into jobs: restart instead"
                    .to_owned());
            }
            let discovery = Discovery::build(&config, Some(&self.discovery))?;
            if config.logging != self.logging {
                logging::change(&config.logging)
                    .map_err(|error| format!("logging.output: cannot write there: {error}"))?;
                self.logging = config.logging.clone();
            }
            Ok(Successor { config: Arc::new(config), discovery })
        });
        match next {
            Ok(next) => {
                log::info!("reloading the configuration");
                for warning in &next.config.warnings {
                    log::warn!("{warning}");
                }
                self.next = Some(next);
                Some(Input::Tick)
            }
            Err(errors) => {
                log::error!("the configuration was not reloaded, the old one stays: {errors}");
                None
            }
        }
    }

    /// Lets the machine decide and does what it says. `Some`: all is over.
    fn handle(&mut self, input: Input) -> Option<u8> {
        for action in self.machine.on(input, Instant::now()) {
            match action {
                Action::Spawn(job) => {
                    let failed = self.children.start(job, &mut self.environment);
                    self.inputs.extend(failed);
                }
                Action::Check(job, run) => {
                    let failed = self.children.check(job, run, &self.environment);
                    self.inputs.extend(failed);
                }
                Action::Terminate(job) => self.children.terminate(job),
                Action::Kill(job) => self.children.kill(job),
                Action::KillCheck(job) => self.children.kill_check(job),
                Action::Announce(job) => self.discovery.announce(job),
                Action::Passing(job) => self.discovery.passing(job),
                Action::Failing(job) => self.discovery.failing(job),
                Action::Deregister(job, number) => self.discovery.deregister(job, number),
                Action::Watch(watch) => self.discovery.watch(watch),
                Action::Published(event) => self.published(event),
                Action::Unreachable(job) => self.children.unreachable(job),
                Action::Overdue(job) => self.children.overdue(job),
                Action::Retired => self.succeed(),
                Action::Exit(code) => return Some(code),
            }
        }
        if self.next.is_some() && self.inputs.is_empty() && self.machine.can_retire() {
            return self.retire();
        }
        None
    }

    /// Makes room for the next configuration. A command that is running because a watch has seen
    /// a change is cut, so the next configuration has to see that change again. Nothing is queued
    /// now and nothing is heard in between: an input that names a job never meets another machine.
    fn retire(&mut self) -> Option<u8> {
        for index in 0..self.machine.config().watches.len() {
            if self.machine.reacts(self.source(WatchId(index))) {
                self.discovery.forget(WatchId(index));
            }
        }
        self.discovery.unwatch();
        self.handle(Input::Retire)
    }

    fn published(&mut self, event: Trigger) {
        log::debug!("event: {}", crate::event::describe(event, self.machine.config()));
        match event {
            // Nothing reacts to changes any more, and the catalog's agent may be about to stop.
            Trigger::Global(GlobalEvent::Shutdown) => self.discovery.unwatch(),
            Trigger::Job(job, JobEvent::Healthy) => self.children.checked(job, Health::Healthy),
            Trigger::Job(job, JobEvent::Unhealthy) => self.children.checked(job, Health::Unhealthy),
            _ => {}
        }
    }

    /// The next configuration comes into force; the application goes on.
    fn succeed(&mut self) {
        let Some(next) = self.next.take() else { return };
        let (machine, kept) = self.machine.succeed(Arc::clone(&next.config));
        self.environment.describe(&next.config);
        self.children.succeed(&next.config, kept, &mut self.environment);
        self.machine = machine;
        let previous = std::mem::replace(&mut self.discovery, next.discovery);
        self.discovery.inherit(&previous);
        self.inputs.push_front(Input::Start);
    }
}

/// Sleeps until then, or for ever.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
