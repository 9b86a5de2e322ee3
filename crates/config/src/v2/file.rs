//! What a 1.x or 2.x file may say.

use std::{path::PathBuf, time::Duration};

use super::jobs::CHECK_STREAMS;
use crate::{
    Command, Generation, Host, Logging,
    decode::{
        Field, Object, control,
        drain::drain,
        health::{Checked, checked},
        logging,
        metadata::meta,
        name::{self, Names, is_service_name},
        registry::{Registry, registry},
        service::{ConsulExtras, address, service, tags},
        surroundings::stop_signal,
        telemetry::{Endpoint, endpoint, metric},
    },
    job::{Drain, Health, KillAfter, OnFailure, Probe, Restarts, Service, StopSignal},
    json5::Value,
};

const SECOND: Duration = Duration::from_secs(1);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// A service has no process of its own that could be restarted.
const ON_FAILURE: [(&str, OnFailure); 2] =
    [("none", OnFailure::Nothing), ("shutdown", OnFailure::Shutdown)];

pub(crate) struct File {
    pub(super) registry: Registry,
    pub(super) control: Option<PathBuf>,
    pub(super) logging: Logging,
    pub(super) pre_start: Option<Command>,
    pub(super) pre_stop: Option<Command>,
    pub(super) post_stop: Option<Command>,
    /// For the application.
    pub(super) kill_after: KillAfter,
    /// For the application.
    pub(super) stop_signal: StopSignal,
    pub(super) coprocesses: Vec<Coprocess>,
    pub(super) services: Vec<Advertised>,
    pub(super) tasks: Vec<Task>,
    pub(super) backends: Vec<Backend>,
    pub(super) telemetry: Option<Endpoint>,
    /// One for each of the telemetry's metrics.
    pub(super) sensors: Vec<Sensor>,
}

pub(super) struct Coprocess {
    pub(super) name: String,
    pub(super) command: Command,
    pub(super) restarts: Restarts,
}

pub(super) struct Advertised {
    pub(super) service: Service,
    pub(super) health: Health,
    pub(super) drain: Option<Drain>,
}

pub(super) struct Task {
    pub(super) name: String,
    pub(super) command: Command,
    pub(super) frequency: Duration,
    pub(super) timeout: Duration,
}

pub(super) struct Backend {
    pub(super) name: String,
    pub(super) tag: Option<String>,
    pub(super) poll: Duration,
    pub(super) on_change: Command,
    pub(super) timeout: Option<Duration>,
}

pub(super) struct Sensor {
    pub(super) check: Command,
    pub(super) poll: Duration,
    pub(super) timeout: Option<Duration>,
}

impl File {
    pub(crate) fn read(root: &mut Object<'_>, host: &Host) -> Self {
        root.take("$schema");
        let pre_start = pre_start(root);
        let mut file = Self {
            registry: registry(root, host),
            control: control::socket(root),
            logging: logging::logging(root),
            pre_start,
            pre_stop: root.take("preStop").and_then(|field| field.command()),
            post_stop: root.take("postStop").and_then(|field| field.command()),
            kill_after: root.take("stopTimeout").map_or(KillAfter::After(STOP_TIMEOUT), kill_after),
            stop_signal: stop_signal(root).unwrap_or(StopSignal::Term),
            coprocesses: objects(root, "coprocesses", coprocess),
            services: Vec::new(),
            tasks: objects(root, "tasks", task),
            backends: Vec::new(),
            telemetry: None,
            sensors: Vec::new(),
        };
        file.backends = objects(root, "backends", |object| backend(object, &file.registry));
        if !root.has("consul") && !root.has("etcd") {
            let want = "want one of them, like \"consul\": \"consul:8500\", or \"consul\": false";
            root.problem("neither \"consul\" nor \"etcd\" is given", want);
        }
        let backends = root.take("backends").filter(|_| file.registry.is_off());
        if let Some(field) = backends.filter(|_| !file.backends.is_empty()) {
            field.refuse("watches, but \"consul\" is false", "want a catalog, or no backends");
        }
        let mut names = Names::default();
        if let Some(mut object) = root.take("telemetry").and_then(|field| field.object()) {
            let mut telemetry = endpoint(&mut object, host, Generation::V2);
            file.sensors = sensors(&mut object, &mut telemetry);
            object.finish();
            names.take(&telemetry.service.name);
            file.telemetry = Some(telemetry);
        }
        let registry = &file.registry;
        file.services =
            objects(root, "services", |object| advertised(object, &mut names, registry, host));
        file
    }
}

/// Reads every object of a list.
fn objects<'a, T>(
    object: &mut Object<'a>,
    key: &'static str,
    mut read: impl FnMut(&mut Object<'a>) -> T,
) -> Vec<T> {
    let items = object.take(key).map_or_else(Vec::new, |field| field.items());
    let read = |item: &Field<'a>| {
        let mut object = item.object()?;
        let value = read(&mut object);
        object.finish();
        Some(value)
    };
    items.iter().filter_map(read).collect()
}

/// `preStart`, which 1.x calls `onStart`.
fn pre_start(root: &mut Object<'_>) -> Option<Command> {
    let pre_start = root.take("preStart");
    let on_start = root.take("onStart");
    if let (Some(_), Some(on_start)) = (&pre_start, &on_start) {
        let fault = "is given beside \"preStart\", which is the same hook";
        on_start.refuse(fault, "want one of the two");
    }
    pre_start.or(on_start)?.command()
}

/// Negative means at once, 0 means the default.
fn kill_after(field: Field<'_>) -> KillAfter {
    if field.is_negative() {
        return KillAfter::AtOnce;
    }
    let timeout = field.any_duration().filter(|timeout| !timeout.is_zero());
    KillAfter::After(timeout.unwrap_or(STOP_TIMEOUT))
}

fn command(object: &mut Object<'_>, key: &'static str) -> Command {
    let field = object.require(key, "want a command, \"…\" or [\"…\", \"…\"]");
    field.and_then(|field| field.command()).unwrap_or_else(Command::stand_in)
}

fn poll(object: &mut Object<'_>, key: &'static str) -> Duration {
    let field = object.require(key, "want a number of seconds from 1 on");
    field.and_then(|field| field.duration(SECOND)).unwrap_or(SECOND)
}

fn timeout(object: &mut Object<'_>) -> Option<Duration> {
    object.take("timeout").and_then(|field| field.timeout())
}

fn coprocess(object: &mut Object<'_>) -> Coprocess {
    let name = object.take("name").and_then(|field| field.text());
    let command = command(object, "command");
    Coprocess {
        name: name.unwrap_or_else(|| command.program.clone()),
        restarts: object
            .take("restarts")
            .and_then(|field| field.restarts())
            .unwrap_or(Restarts::Never),
        command,
    }
}

fn task(object: &mut Object<'_>) -> Task {
    let name = object.take("name").and_then(|field| field.text());
    let command = command(object, "command");
    let frequency = object.require("frequency", "want a duration of at least 1ms");
    let shortest = Duration::from_millis(1);
    let frequency = frequency.and_then(|field| field.duration(shortest)).unwrap_or(SECOND);
    Task {
        name: name.unwrap_or_else(|| command.program.clone()),
        command,
        frequency,
        timeout: timeout(object).unwrap_or(frequency),
    }
}

fn backend(object: &mut Object<'_>, registry: &Registry) -> Backend {
    let field = object.require("name", "want the service's name in the catalog");
    let name = field.as_ref().and_then(Field::name).unwrap_or_default();
    if let Some(field) = field {
        registry.check_service_name(&field, &name);
    }
    Backend {
        name,
        tag: object.take("tag").and_then(|field| field.text()),
        poll: poll(object, "poll"),
        on_change: command(object, "onChange"),
        timeout: timeout(object),
    }
}

/// A service whose name is not among `names`, to which it is added.
fn advertised(
    object: &mut Object<'_>,
    names: &mut Names,
    registry: &Registry,
    host: &Host,
) -> Advertised {
    let field = object.require("name", "want the name to be advertised");
    let name = field.as_ref().and_then(Field::name).unwrap_or_default();
    if let Some(field) = field.filter(|_| !name.is_empty()) {
        registry.check_service_name(&field, &name);
        if !names.take(&name) {
            let fault = "is the name of another service here, and would replace it in the catalog";
            field.refuse(fault, "want another name");
        } else if !is_service_name(&name) {
            field.warn(&format!("{name:?} is unusual and may not be found by DNS: {}", name::RULE));
        }
    }
    let poll = poll(object, "poll");
    let ttl_field = object.require("ttl", "want a number of seconds from 1 on");
    let ttl = ttl_field.as_ref().and_then(|field| field.duration(SECOND));
    if let (Some(field), Some(ttl)) = (&ttl_field, ttl)
        && ttl <= poll
    {
        field.warn("is not longer than \"poll\": the service will turn critical between checks");
    }
    let mut service = service(&name, host, Generation::V2);
    service.address = address(object, host);
    service.port = object.take("port").and_then(|field| field.port(0)).unwrap_or(0);
    service.tags = tags(object);
    service.meta = meta(object);
    service.ttl = ttl.unwrap_or(SECOND);
    let extras = ConsulExtras::take(object, registry, Generation::V2);
    service.enable_tag_override = extras.enable_tag_override;
    service.deregister_critical_after = extras.deregister_critical_after;
    Advertised {
        service,
        health: health(object, poll),
        drain: drain(object).map(|(_, drain)| drain),
    }
}

/// `health`, a command or an object as in 3.x, with the `timeout` beside it. Without one a command
/// may take for ever, as in the originals; other checks have until the next one.
fn health(object: &mut Object<'_>, poll: Duration) -> Health {
    let timeout = timeout(object);
    let plain = |probe, timeout| Health::plain(probe, poll, timeout, CHECK_STREAMS);
    let Some(field) = object.take("health") else { return plain(Probe::Always, timeout) };
    if !matches!(field.node.value, Value::Object(_)) {
        return plain(field.command().map_or(Probe::Always, Probe::Exec), timeout);
    }
    let Some(mut object) = field.object() else { return plain(Probe::Always, timeout) };
    let Checked { probe, start_period, failures, successes, on_failure } =
        checked(&mut object, &ON_FAILURE);
    object.finish();
    let timeout = match probe {
        Probe::Exec(_) | Probe::Always => timeout,
        _ => timeout.or(Some(poll)),
    };
    let on_failure = on_failure.map_or(OnFailure::Nothing, |(_, choice)| choice);
    Health { start_period, failures, successes, on_failure, ..plain(probe, timeout) }
}

/// The sensors; their metrics go to `telemetry`.
fn sensors(object: &mut Object<'_>, telemetry: &mut Endpoint) -> Vec<Sensor> {
    objects(object, "sensors", |object| {
        let metric = metric(object, &telemetry.metrics);
        telemetry.metrics.push(metric);
        Sensor {
            check: command(object, "check"),
            poll: poll(object, "poll"),
            timeout: timeout(object),
        }
    })
}
