//! The agent's JSON.

pub(super) mod finding;
mod object;

use std::collections::BTreeMap;

use serde::Serialize;

use catalog::{
    Error, Holder, Instance, Registered, Registration, Session, SessionTerms, Status, Token, base64,
};

use object::objects;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceOut<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    address: &'a str,
    port: u16,
    tags: &'a [String],
    meta: &'a BTreeMap<String, String>,
    enable_tag_override: bool,
    check: CheckOut<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CheckOut<'a> {
    #[serde(rename = "CheckID")]
    check_id: &'a str,
    name: &'a str,
    notes: String,
    #[serde(rename = "TTL")]
    ttl: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deregister_critical_service_after: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateOut<'a> {
    status: &'static str,
    output: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SessionOut<'a> {
    name: &'a str,
    #[serde(rename = "TTL")]
    ttl: String,
    lock_delay: String,
    behavior: &'static str,
    checks: [&'static str; 0],
}

objects! {
    struct ServiceIn {
        needs {
            "ID" => id: String,
            "Service" => service: String,
        }
        takes {
            "Address" => address: String,
            // Consul takes any integer.
            "Port" => port: i64,
            "Tags" => tags: Vec<String>,
            "Meta" => meta: BTreeMap<String, String>,
            "Weights" => weights: Option<WeightsIn>,
            "EnableTagOverride" => enable_tag_override: bool,
        }
    }

    struct WeightsIn {
        needs {}
        takes {
            "Passing" => passing: Option<i64>,
            "Warning" => warning: Option<i64>,
        }
    }

    struct EntryIn {
        needs { "Service" => service: ServiceIn }
        takes { "Node" => node: NodeIn }
    }

    #[derive(Default)]
    struct NodeIn {
        needs {}
        takes {
            "Node" => node: String,
            "Address" => address: String,
        }
    }

    struct SessionIn {
        needs { "ID" => id: String }
        takes {}
    }

    struct PairIn {
        needs { "Key" => key: String }
        takes {
            "Value" => value: String,
            "Session" => session: String,
            "LockIndex" => lock_index: u64,
            "Flags" => flags: u64,
            "CreateIndex" => create_index: u64,
            "ModifyIndex" => modify_index: u64,
        }
    }
}

/// Body of `agent/service/register`.
pub(super) fn service(wanted: &Registration, status: Status) -> Result<Vec<u8>, Error> {
    encode(&ServiceOut {
        id: &wanted.id,
        name: &wanted.name,
        address: &wanted.address,
        port: wanted.port,
        tags: &wanted.tags,
        meta: &wanted.meta,
        enable_tag_override: wanted.enable_tag_override,
        check: CheckOut {
            check_id: &wanted.check_id,
            name: &wanted.name,
            notes: format!("heartbeat of {}, due every {:?}", wanted.id, wanted.ttl),
            ttl: go_duration(wanted.ttl),
            status: status.as_str(),
            deregister_critical_service_after: wanted.deregister_critical_after.map(go_duration),
        },
    })
}

/// Body of `agent/check/update`.
pub(super) fn update(status: Status, output: &str) -> Result<Vec<u8>, Error> {
    encode(&UpdateOut { status: status.as_str(), output })
}

/// Answer of `agent/service/ID`.
pub(super) fn registered(body: &[u8]) -> Result<Registered, Error> {
    let found: ServiceIn = serde_json::from_slice(body).map_err(nonsense)?;
    Ok(Registered {
        name: found.service,
        address: found.address,
        port: port(found.port),
        tags: found.tags,
        meta: found.meta,
    })
}

/// Answer of `health/service/NAME`.
pub(super) fn instances(body: &[u8]) -> Result<Vec<Instance>, Error> {
    let found: Vec<EntryIn> = serde_json::from_slice(body).map_err(nonsense)?;
    let instance = |EntryIn { node, service }| Instance {
        id: service.id,
        name: service.service,
        // A service without an address is where its node is.
        address: if service.address.is_empty() { node.address } else { service.address },
        port: port(service.port),
        tags: service.tags,
        meta: service.meta,
        node: node.node,
    };
    Ok(found.into_iter().map(instance).collect())
}

/// Answer of `kv/KEY` for a lock.
pub(super) fn holder(body: &[u8]) -> Result<Option<Holder>, Error> {
    let Some(pair) = pairs(body)?.pop().filter(|pair| !pair.session.is_empty()) else {
        return Ok(None);
    };
    let value = value(&pair)?;
    Ok(Some(Holder { session: Session(pair.session), token: Token(pair.lock_index), value }))
}

fn pairs(body: &[u8]) -> Result<Vec<PairIn>, Error> {
    serde_json::from_slice(body).map_err(nonsense)
}

fn value(pair: &PairIn) -> Result<Vec<u8>, Error> {
    base64::decode(&pair.value).ok_or_else(|| {
        Error::Failed(format!("the answer makes no sense: the value of {} is no base64", pair.key))
    })
}

/// Body of `session/create`.
pub(super) fn session(terms: &SessionTerms) -> Result<Vec<u8>, Error> {
    encode(&SessionOut {
        name: &terms.name,
        ttl: go_duration(terms.ttl),
        lock_delay: go_duration(terms.lock_delay),
        behavior: "release",
        checks: [],
    })
}

/// Answer of `session/create`.
pub(super) fn opened(body: &[u8]) -> Result<Session, Error> {
    let SessionIn { id } = serde_json::from_slice(body).map_err(nonsense)?;
    Ok(Session(id))
}

/// One instance with a port that is none must not hide the others.
fn port(number: i64) -> u16 {
    u16::try_from(number).unwrap_or(0)
}

fn go_duration(duration: std::time::Duration) -> String {
    format!("{}ms", duration.as_millis())
}

fn encode(body: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(|error| Error::Refused(format!("cannot be sent: {error}")))
}

fn nonsense(error: serde_json::Error) -> Error {
    Error::Failed(format!("the answer makes no sense: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_registration_in_consuls_words() {
        let wanted = Registration {
            id: "app-1".into(),
            name: "app".into(),
            check_id: "service:app-1".into(),
            address: "10.0.0.1".into(),
            port: 80,
            tags: vec!["a".into()],
            meta: BTreeMap::from([("k".into(), "v".into())]),
            ttl: Duration::from_secs(10),
            enable_tag_override: true,
            deregister_critical_after: Some(Duration::from_secs(90)),
        };
        let body = service(&wanted, Status::Warning).unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            concat!(
                r#"{"ID":"app-1","Name":"app","Address":"10.0.0.1","Port":80,"Tags":["a"],"#,
                r#""Meta":{"k":"v"},"EnableTagOverride":true,"Check":{"CheckID":"service:app-1","#,
                r#""Name":"app","Notes":"heartbeat of app-1, due every 10s","TTL":"10000ms","#,
                r#""Status":"warning","DeregisterCriticalServiceAfter":"90000ms"}}"#
            )
        );
    }

    #[test]
    fn instances_without_an_address_are_at_their_node() {
        let body = br#"[{"Node":{"Node":"n","Address":"10.0.0.9"},"Checks":[],
            "Service":{"ID":"a","Service":"app","Address":"","Port":0,"Tags":null,"Meta":null}}]"#;
        let found = instances(body).unwrap();
        assert_eq!((found[0].address.as_str(), found[0].node.as_str()), ("10.0.0.9", "n"));
    }

    #[test]
    fn a_session_depends_on_no_check() {
        let terms = SessionTerms {
            name: "a \"b\"".into(),
            ttl: Duration::from_millis(1500),
            lock_delay: Duration::ZERO,
        };
        assert_eq!(
            String::from_utf8(session(&terms).unwrap()).unwrap(),
            concat!(
                r#"{"Name":"a \"b\"","TTL":"1500ms","LockDelay":"0ms","Behavior":"release","#,
                r#""Checks":[]}"#
            )
        );
    }

    #[test]
    fn a_value_that_is_no_base64_is_an_error_that_may_pass() {
        let body = br#"[{"Key":"a","Value":"?","LockIndex":0,"Session":"s"}]"#;
        assert!(matches!(finding::pairs(body), Err(Error::Failed(_))));
        assert!(matches!(holder(body), Err(Error::Failed(_))));
    }

    #[test]
    fn nonsense_is_an_error_that_may_pass() {
        for body in ["", "<html>", "[{}]", "{\"a\":1}", "[{\"Service\":{\"ID\":1}}]"] {
            let error = instances(body.as_bytes()).unwrap_err();
            assert!(matches!(error, Error::Failed(_)), "{body}: {error:?}");
        }
    }
}
