//! What a 3.x file may say.

use std::{path::PathBuf, time::Duration};

use super::{
    elections::elections,
    health::{self, RawHealth},
    templates::templates,
    watches,
    when::{self, RawWhen},
};
use crate::{
    Command, Election, Generation, Host, Logging, Template, Watch,
    decode::{
        Field, Object, control,
        drain::drain,
        logging::{self, streams},
        metadata::meta,
        name::{self, Names, is_service_name},
        registry::{Registry, registry},
        service::{ConsulExtras, address, service, tags},
        surroundings::{stop_signal, surroundings},
        telemetry::{Endpoint, endpoint, metric},
    },
    job::{
        Backoff, Drain, Health, InitialStatus, Restarts, Role, Service, StopSignal, Streams,
        Surroundings,
    },
    json5::Value,
};

const SECOND: Duration = Duration::from_secs(1);
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

const STATUSES: [(&str, InitialStatus); 3] = [
    ("passing", InitialStatus::Passing),
    ("warning", InitialStatus::Warning),
    ("critical", InitialStatus::Critical),
];

const BACKOFFS: [(&str, Backoff); 2] =
    [("exponential", Backoff::Exponential), ("none", Backoff::None)];
/// `essential`: only a failure ends the program.
const ON_FAILURE: &str = "onFailure";

pub(super) struct File<'a> {
    pub(super) registry: Registry,
    pub(super) logging: Logging,
    pub(super) stop_timeout: Duration,
    pub(super) control: PathBuf,
    pub(super) jobs: Vec<RawJob<'a>>,
    pub(super) watches: Vec<Watch>,
    pub(super) elections: Vec<Election>,
    pub(super) templates: Vec<Template>,
    pub(super) telemetry: Option<Endpoint>,
}

/// A job whose `when` is not resolved yet: that needs the names of all.
pub(super) struct RawJob<'a> {
    pub(super) name: String,
    pub(super) exec: Option<Command>,
    pub(super) when: RawWhen<'a>,
    pub(super) timeout: Option<Duration>,
    pub(super) stop_timeout: Option<Duration>,
    /// With its field, for errors.
    pub(super) restarts: Option<(Field<'a>, Restarts)>,
    pub(super) health: Option<Health>,
    pub(super) service: Option<Service>,
    pub(super) streams: Streams,
    pub(super) surroundings: Surroundings,
    pub(super) stop_signal: Option<StopSignal>,
    /// With its field, for errors.
    pub(super) drain: Option<(Field<'a>, Drain)>,
    pub(super) role: Role,
    /// The names of the jobs that stop before this one, each with its field.
    pub(super) stop_after: Vec<(Field<'a>, String)>,
    /// With its field, for errors.
    pub(super) backoff: Option<(Field<'a>, Backoff)>,
}

impl<'a> File<'a> {
    pub(super) fn read(root: &mut Object<'a>, host: &Host) -> Self {
        root.take("$schema");
        let stop_timeout = root.take("stopTimeout").and_then(|field| field.any_duration());
        let mut file = Self {
            registry: registry(root, host),
            logging: logging::logging(root),
            stop_timeout: stop_timeout.filter(|time| !time.is_zero()).unwrap_or(STOP_TIMEOUT),
            control: control::socket(root).unwrap_or_else(|| control::SOCKET.into()),
            jobs: Vec::new(),
            watches: Vec::new(),
            elections: Vec::new(),
            templates: Vec::new(),
            telemetry: None,
        };
        let mut services = Names::default();
        if let Some(mut object) = root.take("telemetry").and_then(|field| field.object()) {
            let mut telemetry = endpoint(&mut object, host, Generation::V3);
            for field in object.take("metrics").map_or_else(Vec::new, |field| field.items()) {
                if let Some(mut object) = field.object() {
                    let metric = metric(&mut object, &telemetry.metrics);
                    telemetry.metrics.push(metric);
                    object.finish();
                }
            }
            object.finish();
            services.take(&telemetry.service.name);
            file.telemetry = Some(telemetry);
        }
        let jobs = root.take("jobs").map_or_else(Vec::new, |field| field.items());
        file.jobs = read_jobs(&jobs, &mut services, &file.registry, host);
        let watches = root.take("watches").map_or_else(Vec::new, |field| field.items());
        for field in &watches {
            if let Some(mut object) = field.object() {
                let watch = watches::watch(&mut object, &file.watches, &file.registry);
                file.watches.push(watch);
                object.finish();
            }
        }
        let stood = root.take("elections").map_or_else(Vec::new, |field| field.items());
        file.elections = elections(&stood, &mut services, &file.registry, host);
        let rendered = root.take("templates").map_or_else(Vec::new, |field| field.items());
        file.templates = templates(&rendered);
        let others = [
            (&watches, "watches", "watches"),
            (&stood, "stands for election", "elections"),
            (&rendered, "renders", "templates"),
        ];
        file.needs_catalog(&jobs, &others);
        file
    }

    /// Advertising, watching, standing and rendering want a catalog. Where the file wants none, what is
    /// advertised is checked and nothing more.
    fn needs_catalog(&self, jobs: &[Field<'_>], others: &[(&Vec<Field<'_>>, &str, &str)]) {
        if let Registry::Of(_) = self.registry {
            return;
        }
        let advertised = self.jobs.iter().position(|job| job.service.is_some());
        let advertised = match self.registry {
            Registry::Absent => advertised.and_then(|index| jobs.get(index)),
            _ => None,
        };
        let first =
            others.iter().find_map(|(fields, what, which)| Some((fields.first()?, *what, *which)));
        let advertised_first = advertised.map(|field| (field, "is advertised", "services"));
        let Some((field, what, which)) = advertised_first.or(first) else {
            return;
        };
        let (fault, rule) = match self.registry {
            Registry::Absent => (
                format!("{what}, but neither \"consul\" nor \"etcd\" is given"),
                match advertised {
                    Some(_) => {
                        "want one of them, like \"consul\": \"consul:8500\", or \"consul\": false"
                            .into()
                    }
                    None => "want one of them, like \"consul\": \"consul:8500\"".into(),
                },
            ),
            _ => (
                format!("{what}, but \"consul\" is false"),
                format!("want a catalog, or no {which}"),
            ),
        };
        if let Some(object) = field.object() {
            object.problem(&fault, &rule);
        }
    }
}

/// Reads all jobs. Names that the file gives come before those that are made from commands.
/// `services` are the names of what is advertised, to which theirs are added.
fn read_jobs<'a>(
    fields: &[Field<'a>],
    services: &mut Names,
    registry: &Registry,
    host: &Host,
) -> Vec<RawJob<'a>> {
    let mut names = Names::default();
    let mut jobs = Vec::new();
    for field in fields {
        let Some(mut object) = field.object() else {
            // Keeps later jobs' numbers in line with the list.
            jobs.push(RawJob::stand_in());
            continue;
        };
        let job = job(&mut object, &mut names, services, registry, host);
        object.finish();
        jobs.push(job);
    }
    for job in jobs.iter_mut().filter(|job| job.name.is_empty()) {
        let program = job.exec.as_ref().map_or("", |command| &command.program);
        job.name = names.unique(program);
    }
    jobs
}

/// Reads a job; its name stays empty if the file does not give one.
fn job<'a>(
    object: &mut Object<'a>,
    names: &mut Names,
    services: &mut Names,
    registry: &Registry,
    host: &Host,
) -> RawJob<'a> {
    let exec_field = object.take("exec");
    let exec = exec_field.as_ref().map(|field| field.command().unwrap_or_else(Command::stand_in));
    let name_field = object.take("name").filter(|field| !field.is_empty_string());
    let name = name_field.as_ref().and_then(Field::name).unwrap_or_default();
    if let Some(field) = name_field.as_ref().filter(|_| !name.is_empty())
        && !names.take(&name)
    {
        field.refuse("is the name of another job", "want every name once");
    }
    let port = object.take("port");
    let health_field = object.take("health");
    let health = health_field.as_ref().map(|field| health::health(field, port.is_some()));
    if name_field.is_none() && exec.is_none() {
        object
            .problem("\"name\" is missing", "want one, for there is no \"exec\" to be named after");
    }
    let service = port.map(|port| {
        if health_field.is_none() {
            object.problem("\"health\" is missing", "want it, for there is a \"port\"");
        }
        let named_after = name_field.as_ref().or(exec_field.as_ref());
        let program = exec.as_ref().map_or("", |command| &command.program);
        let name = if name_field.is_some() { &name } else { program };
        if let Some(field) = named_after.filter(|_| !name.is_empty()) {
            check_service_name(field, name, services);
        }
        let mut service = service(name, host, Generation::V3);
        service.port = port.port(0).unwrap_or(1);
        service.ttl = health.as_ref().and_then(|health| health.ttl).unwrap_or(SECOND);
        service
    });
    // Read in any case: the keys are known, whether there is a port or not.
    let extras = ConsulExtras::take(object, registry, Generation::V3);
    let drain = drain(object);
    if let Some((field, _)) = drain.as_ref().filter(|_| service.is_none()) {
        let rule = "want a \"port\" beside it, or none: there is nothing to be noticed";
        field.refuse("is the drain of something that is not advertised", rule);
    }
    let tags = tags(object);
    let meta = meta(object);
    let initial = object.take_any(&["initialStatus", "initial_status"]);
    let initial = initial.filter(|field| !field.is_empty_string());
    let initial = initial.and_then(|field| field.choice(&STATUSES));
    let service = match service {
        None => {
            object.take("interfaces");
            None
        }
        Some(service) => Some(Service {
            address: address(object, host),
            tags,
            meta,
            initial_status: initial,
            enable_tag_override: extras.enable_tag_override,
            deregister_critical_after: extras.deregister_critical_after,
            ..service
        }),
    };
    let when = when::read(object);
    if let (Some(interval), None) = (&when.interval, &exec) {
        interval.0.refuse("has nothing to run", "want \"exec\" beside \"when\"");
    }
    if let Some(health) = &health {
        health.check_restart(&when, exec.is_some());
    }
    RawJob {
        role: role(object, &when, exec.is_some()),
        surroundings: surroundings(object),
        stop_signal: stop_signal(object),
        drain,
        stop_after: object
            .take("stopAfter")
            .map_or_else(Vec::new, |field| field.strings())
            .into_iter()
            .filter_map(|field| field.text().map(|name| (field, name)))
            .collect(),
        backoff: object
            .take("backoff")
            .filter(|field| !field.is_empty_string())
            .and_then(|field| field.choice(&BACKOFFS).map(|backoff| (field, backoff))),
        name,
        exec,
        when,
        timeout: object.take("timeout").and_then(|field| field.timeout()),
        stop_timeout: object.take("stopTimeout").and_then(|field| field.any_duration()),
        restarts: object
            .take("restarts")
            .and_then(|field| field.restarts().map(|restarts| (field, restarts))),
        health: health.map(|RawHealth { health, .. }| health),
        service,
        streams: streams(object),
    }
}

/// The name of an advertised job, which may come from its command, is one of a service, and not
/// among `services`, to which it is added.
fn check_service_name(field: &Field<'_>, name: &str, services: &mut Names) {
    if !is_service_name(name) {
        let fault = match field.node.value {
            Value::String(_) => "is not the name of a service".to_owned(),
            _ => format!("begins with {name:?}, which is not the name of a service"),
        };
        field.refuse(&fault, name::RULE);
    } else if !services.take(name) {
        field.refuse("is the name of another service here", "want another name");
    }
}

impl RawJob<'_> {
    fn stand_in() -> Self {
        Self {
            name: String::new(),
            exec: None,
            when: RawWhen::default(),
            timeout: None,
            stop_timeout: None,
            restarts: None,
            health: None,
            service: None,
            streams: Streams::Raw,
            surroundings: Surroundings::default(),
            stop_signal: None,
            drain: None,
            role: Role::Ordinary,
            stop_after: Vec::new(),
            backoff: None,
        }
    }
}

/// `essential`: whether the job's exit, or only its failure, ends the program.
fn role(object: &mut Object<'_>, when: &RawWhen<'_>, has_exec: bool) -> Role {
    let Some(field) = object.take("essential").filter(|field| !field.is_empty_string()) else {
        return Role::Ordinary;
    };
    let role = match &field.node.value {
        Value::Bool(false) => return Role::Ordinary,
        Value::Bool(true) => Role::Essential,
        Value::String(word) if word.eq_ignore_ascii_case(ON_FAILURE) => Role::Gate,
        _ => {
            field.refuse("is unknown", "want true, false or \"onFailure\"");
            return Role::Ordinary;
        }
    };
    if !has_exec {
        field.refuse("has nothing to run", "want \"exec\" beside \"essential\"");
    }
    if when.interval.is_some() && role == Role::Essential {
        let fault = "stands beside \"when.interval\", and the first run would end the program";
        field.refuse(fault, "want one of the two, or \"onFailure\"");
    }
    role
}
