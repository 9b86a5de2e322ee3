//! `elections`.

use std::time::Duration;

use crate::{
    Election, Generation, Host,
    decode::{
        Field, Object,
        metadata::meta,
        name::{self, Names, is_service_name},
        registry::Registry,
        service::{address, service, tags},
    },
    job::Service,
    variable::election_variable,
};

const TTL: Duration = Duration::from_secs(15);
/// What etcd can keep at all. A leader has to renew well before.
const SHORTEST_TTL: Duration = Duration::from_secs(2);
/// What Consul accepts, unless it is told otherwise (`session_ttl_min`).
const SHORTEST_OF_CONSUL: Duration = Duration::from_secs(10);
/// Both are Consul's limits.
const LONGEST_TTL: Duration = Duration::from_secs(24 * 60 * 60);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Consul's default.
const LOCK_DELAY: Duration = Duration::from_secs(15);
/// Where the locks are, if a file does not say so.
const FOLDER: &str = "containerpilot";

/// Reads all elections. `services` are the names of what is advertised, to which those of leaders
/// are added.
pub(super) fn elections(
    fields: &[Field<'_>],
    services: &mut Names,
    registry: &Registry,
    host: &Host,
) -> Vec<Election> {
    let mut elections: Vec<Election> = Vec::new();
    for field in fields {
        if let Some(mut object) = field.object() {
            let election = election(&mut object, &elections, services, registry, host);
            object.finish();
            elections.push(election);
        }
    }
    elections
}

fn election(
    object: &mut Object<'_>,
    others: &[Election],
    services: &mut Names,
    registry: &Registry,
    host: &Host,
) -> Election {
    let name_field = object.require("name", "want what is elected, like \"primary\"");
    let name = name_field.as_ref().and_then(Field::name).unwrap_or_default();
    let ttl = object.take("ttl").filter(|field| !field.is_empty_string());
    let ttl = ttl.and_then(|field| ttl_of(&field, registry)).unwrap_or(TTL);
    let key_field = object.take("key").filter(|field| !field.is_empty_string());
    let key = match &key_field {
        Some(field) => key(field, registry),
        None => {
            let folder = registry.etcd_prefix().unwrap_or(FOLDER).trim_end_matches('/');
            let key = format!("{folder}/election/{name}/leader");
            if let Some(field) = name_field.as_ref().filter(|_| !name.is_empty()) {
                registry.check_key(field, &key);
            }
            key
        }
    };
    let election = Election {
        token_variable: election_variable(&name),
        service: leader_service(object, name_field.as_ref(), &name, ttl, host),
        lock_delay: object
            .take("lockDelay")
            .filter(|field| !field.is_empty_string())
            .and_then(|field| lock_delay(&field))
            .unwrap_or(LOCK_DELAY),
        candidate: host.hostname.clone(),
        name,
        key,
        ttl,
    };
    if let Some(field) = name_field.filter(|_| !election.name.is_empty()) {
        compare(&field, key_field.as_ref(), &election, others);
        if let Some(service) = &election.service
            && is_service_name(&service.name)
            && !services.take(&service.name)
        {
            field.refuse("is the name of another service here", "want another name");
        }
    }
    election
}

fn ttl_of(field: &Field<'_>, registry: &Registry) -> Option<Duration> {
    let ttl = field.any_duration()?;
    if ttl < SHORTEST_TTL {
        field.refuse("is too short", "want at least 2s: a leader renews three times within it");
    } else if ttl > LONGEST_TTL {
        field.refuse("is too long", "want at most 24h, which is all that Consul grants");
    } else if ttl < SHORTEST_OF_CONSUL && registry.is_consul() {
        field.warn("is less than the 10s that Consul grants, unless its session_ttl_min is less");
    }
    Some(ttl)
}

fn lock_delay(field: &Field<'_>) -> Option<Duration> {
    let delay = field.any_duration()?;
    if delay > LONGEST_DELAY {
        field.refuse("is too long", "want at most 60s, which is all that Consul grants");
    }
    Some(delay)
}

fn key(field: &Field<'_>, registry: &Registry) -> String {
    let key = field.text().unwrap_or_default();
    if key.ends_with('/') {
        field.refuse("ends with /", "want the name of one key: it holds the lock");
    } else {
        registry.check_key(field, &key);
    }
    key
}

/// What the leader advertises, if it does.
fn leader_service(
    object: &mut Object<'_>,
    name_field: Option<&Field<'_>>,
    name: &str,
    ttl: Duration,
    host: &Host,
) -> Option<Service> {
    let is_advertised = object.take("service").and_then(|field| field.boolean()) == Some(true);
    // Read in any case: the keys are known, whether anything is advertised or not.
    let (port, tags, meta) = (object.take("port"), tags(object), meta(object));
    if !is_advertised {
        object.take("interfaces");
        if let Some(port) = port {
            let rule = "want it beside, or no port: the leader is not advertised";
            port.refuse("stands without \"service\": true", rule);
        }
        return None;
    }
    if port.is_none() {
        object.problem("\"port\" is missing", "want it, for the leader is advertised; 0 for none");
    }
    if let Some(field) = name_field.filter(|_| !name.is_empty() && !is_service_name(name)) {
        field.refuse("is not the name of a service", name::RULE);
    }
    Some(Service {
        address: address(object, host),
        port: port.and_then(|port| port.port(0)).unwrap_or(0),
        tags,
        meta,
        ttl,
        ..service(name, host, Generation::V3)
    })
}

/// Two elections have neither name, variable nor lock in common.
fn compare(
    field: &Field<'_>,
    key_field: Option<&Field<'_>>,
    election: &Election,
    others: &[Election],
) {
    if others.iter().any(|other| other.name == election.name) {
        field.refuse("is the name of another election", "want every name once");
        return;
    }
    let same_variable = |other: &&Election| other.token_variable == election.token_variable;
    if let Some(other) = others.iter().find(same_variable) {
        let fault = format!(
            "has its token in the same variable as {:?}: {}",
            other.name, election.token_variable
        );
        field.refuse(&fault, "want names that differ in letters or digits");
    }
    if others.iter().any(|other| other.key == election.key) {
        let rule = "want a lock for each: nobody can be elected to both";
        key_field.unwrap_or(field).refuse("has the same lock as another election", rule);
    }
}
