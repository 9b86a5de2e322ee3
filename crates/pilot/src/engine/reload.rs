//! The next configuration: read, prepared so that nothing about it can fail any more, and put in
//! force when the one before it has made room.

use std::{path::Path, sync::Arc, time::Instant};

use config::{Config, election::ElectionId, job::JobEvent, template::TemplateId, watch::WatchId};
use control::{Server, Socket};

use super::{Engine, children::Plan, control::Control, discovery::Discovery, templates::Templates};
use crate::{
    environment::Changes,
    logging,
    machine::{Input, Kept, Machine, namesake, successor},
    telemetry::Endpoint,
};

/// Reads the configuration once more, in our environment with these changes.
pub(crate) type Reload = Box<dyn Fn(&Changes) -> Result<Config, String>>;

/// A configuration that can come into force.
pub(super) struct Successor {
    config: Arc<Config>,
    discovery: Discovery,
    templates: Templates,
    plan: Plan,
    /// If it is another than the one that we have.
    endpoint: Option<Endpoint>,
    /// If it is another than the one that we have.
    control: Option<Control>,
}

impl Engine {
    /// Reads the configuration again. A bad one changes nothing; a good one comes into force as
    /// soon as what it does not keep has stopped. If another one comes before that, it is dropped.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn reload(&mut self) -> Result<Option<Input>, String> {
        if self.machine.is_stopping() {
            return Err("the program is stopping".to_owned());
        }
        let next = (self.read)(self.environment.changes()).and_then(|config| self.prepare(config));
        match next {
            Ok(next) => {
                log::info!("reloading the configuration");
                for warning in &next.config.warnings {
                    log::warn!("{warning}");
                }
                self.next = Some(next);
                // Whoever performs it finds that there is something to make room for.
                Ok(Some(Input::Tick))
            }
            Err(errors) => {
                log::error!("the configuration was not reloaded, the old one stays: {errors}");
                Err(errors)
            }
        }
    }

    fn prepare(&mut self, config: Config) -> Result<Successor, String> {
        if config.generation != self.machine.config().generation {
            return Err(
                "it is of another generation (1.x/2.x or 3.x) than the one in force, which \
                        cannot be turned into jobs: restart instead"
                    .to_owned(),
            );
        }
        // The one that will be in force by then.
        let (discovery, endpoint, control) = match &self.coming {
            Some(coming) => (&coming.discovery, &coming.endpoint, &coming.control),
            None => (&self.discovery, &None, &None),
        };
        let discovery = Discovery::build(&config, Some(discovery))?;
        let plan = Plan::build(&config)?;
        let templates = Templates::build(&config, &self.environment)?;
        // What the one that waits has taken already is passed on, if this one is good.
        let waits = self.next.as_ref();
        let waiting = waits.and_then(|next| next.endpoint.as_ref()).map(Endpoint::address);
        let address = config.telemetry.as_ref().map(|telemetry| telemetry.listen);
        let ours = [endpoint, &self.endpoint].map(|have| have.as_ref().map(Endpoint::address));
        let mut endpoint = match address {
            Some(address) if !ours.contains(&Some(address)) && waiting != Some(address) => {
                Some(listen(address)?)
            }
            _ => None,
        };
        let waiting = waits.and_then(|next| next.control.as_ref()).map(Control::path);
        let path = config.control.as_ref();
        let ours = [control, &self.control].map(|have| have.as_ref().map(Control::path));
        let mut control = match path {
            Some(path) if !ours.contains(&Some(path)) && waiting != Some(path) => {
                Some(self.open(path)?)
            }
            _ => None,
        };
        if config.logging != self.logging {
            logging::change(&config.logging)
                .map_err(|error| format!("logging.output: cannot write there: {error}"))?;
            self.logging = config.logging.clone();
        }
        if let Some(waited) = self.next.take() {
            endpoint = endpoint.or(waited.endpoint.filter(|had| Some(had.address()) == address));
            control = control.or(waited.control.filter(|had| Some(had.path()) == path));
        }
        Ok(Successor { config: Arc::new(config), discovery, templates, plan, endpoint, control })
    }

    /// If there is a next configuration and it can come, room is made for it. Whatever is queued
    /// does not hold it up: a job that can never be started, without a back-off, is always queued.
    pub(super) fn retire(&mut self) -> Option<u8> {
        if !self.machine.can_retire() {
            return None;
        }
        let next = self.next.take()?;
        // What is seen from now on is seen by the watches of the next configuration.
        self.discovery.watches.end();
        let goes_on = self.discovery.asks_as(&next.discovery);
        if !(goes_on && self.templates.are_as(&next.templates)) {
            self.end_templates();
        }
        let config = Arc::clone(&next.config);
        self.coming = Some(next);
        let actions = self.machine.retire(config, Instant::now());
        self.perform(actions)
    }

    /// The next configuration comes into force; what it keeps goes on.
    pub(super) fn succeed(&mut self) {
        let Some(coming) = self.coming.take() else { return };
        let Successor { config, mut discovery, mut templates, plan, endpoint, control } = coming;
        discovery.watches.inherit(&self.discovery.watches);
        templates.inherit(&mut self.templates);
        let seen = |watch| discovery.seen(watch);
        let rendered = |template| templates.facts(template);
        let succeeded = self.machine.succeed(seen, rendered, Instant::now());
        let Some((machine, kept)) = succeeded else { return };
        self.translate(&kept, &config);
        let is_healthy = |job| {
            let health = machine.view(job).and_then(|view| view.health);
            health.is_some_and(|(event, _)| event == JobEvent::Healthy)
        };
        discovery.keep(&mut self.discovery, &kept, is_healthy);
        self.changes.keep(self.machine.config(), &config, &kept);
        self.environment.describe(&config);
        self.describe_elections(&machine, &discovery);
        self.children.succeed(plan, &kept, &mut self.environment);
        self.sensors.describe(&config);
        if let Some(metrics) = &self.metrics {
            metrics.forget(self.machine.config(), &config);
        }
        self.machine = machine;
        self.discovery = discovery;
        self.templates = templates;
        self.succeed_endpoint(&config, endpoint);
        self.succeed_control(&config, control);
        self.measure(&config);
        self.generation += 1;
        log::info!("the configuration is in force: number {}", self.generation);
        self.inputs.push_front(Input::Start);
    }

    /// Tokens of those that we lead on.
    fn describe_elections(&mut self, machine: &Machine, discovery: &Discovery) {
        for id in (0..machine.config().elections.len()).map(ElectionId) {
            if machine.leads(id)
                && let Some((variable, token)) = discovery.elections.token(id)
            {
                self.environment.add(&variable, &token.to_string());
            }
        }
    }

    /// What is queued was heard under the configuration before: its numbers of jobs and watches are
    /// those of others in the next one.
    fn translate(&mut self, kept: &Kept, next: &Config) {
        let old = self.machine.config();
        let watch = |id: WatchId| successor(old, next, id);
        let inputs = std::mem::take(&mut self.inputs);
        let template = |id: TemplateId| namesake(old, next, id);
        let translate = |input| kept.translate(input, watch, template);
        self.inputs = inputs.into_iter().filter_map(translate).collect();
    }

    fn succeed_endpoint(&mut self, config: &Config, endpoint: Option<Endpoint>) {
        let wanted = config.telemetry.as_ref().map(|telemetry| telemetry.listen);
        if endpoint.is_some() || wanted.is_none() {
            self.endpoint = endpoint;
        } else if let Some(address) = wanted
            && self.endpoint.as_ref().map(Endpoint::address) != Some(address)
        {
            // It was ours when this was prepared, and a configuration in between has given it up.
            self.endpoint = listen(address).inspect_err(|error| log::error!("{error}")).ok();
        }
    }

    fn succeed_control(&mut self, config: &Config, control: Option<Control>) {
        let wanted = config.control.as_ref();
        if control.is_some() || wanted.is_none() {
            if let Some(before) = std::mem::replace(&mut self.control, control) {
                self.closing.spawn(before.close());
            }
        } else if let Some(path) = wanted
            && self.control.as_ref().map(Control::path) != Some(path)
        {
            self.control = self.open(path).inspect_err(|error| log::error!("{error}")).ok();
        }
    }

    /// Takes a control socket and answers there.
    pub(super) fn open(&self, path: &Path) -> Result<Control, String> {
        open(path, &self.events, &self.requests)
    }
}

/// Listens for those who want metrics.
pub(super) fn listen(address: std::net::SocketAddr) -> Result<Endpoint, String> {
    Endpoint::start(address)
        .map_err(|error| format!("telemetry: cannot listen on {address}: {error}"))
}

/// Takes a control socket and answers there; `requests` counts.
pub(super) fn open(
    path: &Path,
    events: &control::Events,
    requests: &control::Observer,
) -> Result<Control, String> {
    let started = Socket::bind(path).map_err(|error| error.to_string()).and_then(|socket| {
        Server::start(socket, events.clone(), Arc::clone(requests))
            .map_err(|error| error.to_string())
    });
    let (server, calls) = started.map_err(|error| format!("control.socket: {error}"))?;
    Ok(Control::new(path.to_owned(), server, calls))
}
