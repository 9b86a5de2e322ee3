//! What clients register: services and checks as sent, validated.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use crate::fields::{Fields, Malformed};
use crate::http::Refusal;
use crate::store::{Service, Status};

/// A service with its checks.
#[derive(Debug)]
pub(crate) struct ServiceDefinition {
    pub(crate) service: Service,
    pub(crate) checks: Vec<CheckDefinition>,
}

/// A check that the agent runs or waits for.
#[derive(Debug)]
pub(crate) struct CheckDefinition {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) notes: String,
    /// Its state until the first result.
    pub(crate) status: Status,
    /// Empty: the node's.
    pub(crate) service_id: String,
    pub(crate) probe: Probe,
    /// How long its service may be critical before it is removed; zero is for ever.
    pub(crate) deregister_after: Duration,
    /// How many results in a row it takes to become passing, and critical; at least 1.
    pub(crate) thresholds: (u32, u32),
}

/// Where the state of a check comes from.
#[derive(Debug, Clone)]
pub(crate) enum Probe {
    /// A client says so, at least this often.
    Ttl(Duration),
    /// A request is answered with a good status.
    Http(HttpProbe, Pace),
    /// A connection to `host:port` is accepted.
    Tcp(String, Pace),
}

/// The request of an HTTP check.
#[derive(Debug, Clone)]
pub(crate) struct HttpProbe {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// How often a check is made, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

impl Probe {
    /// As queries show it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Ttl(_) => "ttl",
            Self::Http(..) => "http",
            Self::Tcp(..) => "tcp",
        }
    }
}

impl ServiceDefinition {
    /// From the body of `/v1/agent/service/register`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::parse(body)?;
        let mut service = read_service(&mut fields, "Name")?;
        tag_address(&mut service);
        let single = fields.object("Check")?.filter(|check| !check.is_empty());
        let several = fields.objects("Checks")?;
        fields.ignore(&["Kind", "Token", "Namespace", "Connect", "Proxy"]);
        fields.finish()?;
        if service.name.is_empty() {
            return Err(Refusal::bad("Missing service name"));
        }
        let raw: Vec<Fields> = several.into_iter().chain(single).collect();
        let alone = raw.len() == 1;
        let checks = raw
            .into_iter()
            .enumerate()
            .map(|(at, check)| {
                let mut check = CheckDefinition::read(
                    check,
                    "Status for checks must 'passing', 'warning', 'critical'",
                )?;
                if check.id.is_empty() {
                    check.id = match alone {
                        true => format!("service:{}", service.id),
                        false => format!("service:{}:{}", service.id, at + 1),
                    };
                }
                if check.name.is_empty() {
                    check.name = format!("Service '{}' check", service.name);
                }
                check.service_id.clone_from(&service.id);
                Ok(check)
            })
            .collect::<Result<Vec<_>, Refusal>>()?;
        Ok(Self { service, checks })
    }
}

impl CheckDefinition {
    /// From the body of `/v1/agent/check/register`.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut check = Self::read(Fields::parse(body)?, "Bad check status")?;
        if check.name.is_empty() {
            return Err(Refusal::bad("Missing check name"));
        }
        if check.id.is_empty() {
            check.id.clone_from(&check.name);
        }
        Ok(check)
    }

    fn read(mut fields: Fields, bad_status: &str) -> Result<Self, Refusal> {
        let (check_id, id) = (fields.text("CheckID")?, fields.text("ID")?);
        let id = if check_id.is_empty() { id } else { check_id };
        let name = fields.text("Name")?;
        let notes = fields.text("Notes")?;
        let service_id = fields.text("ServiceID")?;
        let status = fields.text("Status")?;
        let deregister_after = fields.duration("DeregisterCriticalServiceAfter")?;
        let thresholds =
            (fields.int("SuccessBeforePassing")?, fields.int("FailuresBeforeCritical")?);
        let probe = Self::probe(&mut fields)?;
        fields.finish()?;
        let status = match status.as_str() {
            "" => Status::Critical,
            text => Status::parse(text).ok_or_else(|| Refusal::bad(bad_status))?,
        };
        let threshold = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1);
        Ok(Self {
            id,
            name,
            notes,
            status,
            service_id,
            probe,
            deregister_after,
            thresholds: (threshold(thresholds.0), threshold(thresholds.1)),
        })
    }

    fn probe(fields: &mut Fields) -> Result<Probe, Refusal> {
        let ttl = fields.duration("TTL")?;
        let interval = fields.duration("Interval")?;
        let timeout = fields.duration("Timeout")?;
        let url = fields.text("HTTP")?;
        let tcp = fields.text("TCP")?;
        let method = fields.text("Method")?;
        let body = fields.text("Body")?;
        let headers = headers(fields)?;
        let script = !fields.texts("Args")?.is_empty()
            | !fields.texts("ScriptArgs")?.is_empty()
            | !fields.text("Script")?.is_empty()
            | !fields.text("DockerContainerID")?.is_empty();
        let other = [fields.text("GRPC")?, fields.text("AliasService")?, fields.text("AliasNode")?];
        fields.ignore(&["Shell", "GRPCUseTLS", "TLSSkipVerify", "OutputMaxSize", "Token"]);

        let timed =
            script || !url.is_empty() || !tcp.is_empty() || other.iter().any(|o| !o.is_empty());
        let invalid = |text: &str| Err(Refusal::bad(&format!("Invalid check: {text}")));
        if !interval.is_zero() && !ttl.is_zero() {
            return invalid("Interval and TTL cannot both be specified");
        }
        if script {
            return Err(Refusal::internal(
                "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
            ));
        }
        if other.iter().any(|o| !o.is_empty()) {
            return invalid("gRPC and alias checks are not supported by the development catalog");
        }
        if timed && interval.is_zero() {
            return invalid("Interval must be > 0 for Script, HTTP, or TCP checks");
        }
        if !timed && ttl.is_zero() {
            return invalid("TTL must be > 0 for TTL checks");
        }
        let timeout = if timeout.is_zero() { Duration::from_secs(10) } else { timeout };
        let pace = Pace { interval, timeout };
        Ok(if !url.is_empty() {
            let method = if method.is_empty() { "GET".into() } else { method };
            Probe::Http(HttpProbe { url, method, headers, body }, pace)
        } else if !tcp.is_empty() {
            Probe::Tcp(tcp, pace)
        } else {
            Probe::Ttl(ttl)
        })
    }
}

/// What the agent and the catalog are told of a service alike; `name` is the field of its name.
pub(crate) fn read_service(fields: &mut Fields, name: &str) -> Result<Service, Refusal> {
    let name = fields.text(name)?;
    let id = fields.text("ID")?;
    let weights = match fields.object("Weights")? {
        None => (1, 1),
        Some(mut weights) => {
            let pair = (weights.int("Passing")?, weights.int("Warning")?);
            weights.finish()?;
            (pair.0.unwrap_or(1), pair.1.unwrap_or(1))
        }
    };
    if weights.0 < 1 || weights.1 < 0 {
        let text = "Invalid Weights: Passing must be greater than 0 and Warning not negative";
        return Err(Refusal::bad(text));
    }
    Ok(Service {
        id: if id.is_empty() { name.clone() } else { id },
        name,
        tags: fields.texts("Tags")?,
        address: fields.text("Address")?,
        port: fields.int("Port")?.unwrap_or(0),
        meta: fields.text_map("Meta")?,
        tagged_addresses: fields.map("TaggedAddresses")?,
        weights,
        enable_tag_override: fields.flag("EnableTagOverride")?,
        create: 0,
        modify: 0,
    })
}

/// Consul adds an IP address of a service to its tagged addresses.
fn tag_address(service: &mut Service) {
    let kind = match service.address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => "ipv4",
        Ok(IpAddr::V6(_)) => "ipv6",
        Err(_) => return,
    };
    let address = json!({ "Address": service.address, "Port": service.port });
    for side in ["lan", "wan"] {
        let tagged = service.tagged_addresses.entry(format!("{side}_{kind}"));
        tagged.or_insert_with(|| address.clone());
    }
}

/// `{"Name": ["value", …]}`
fn headers(fields: &mut Fields) -> Result<Vec<(String, String)>, Malformed> {
    let mut headers = Vec::new();
    for (name, values) in fields.map("Header")? {
        let mut list = Fields::from(serde_json::Map::from_iter([("Header".to_owned(), values)]));
        headers.extend(list.texts("Header")?.into_iter().map(|value| (name.clone(), value)));
    }
    Ok(headers)
}

/// The body of `/v1/agent/check/update/ID`: state and output.
pub(crate) fn update(body: &[u8]) -> Result<(Status, String), Refusal> {
    let mut fields = Fields::parse(body)?;
    let (status, output) = (fields.text("Status")?, fields.text("Output")?);
    fields.finish()?;
    let known = Status::parse(&status);
    Ok((known.ok_or_else(|| Refusal::bad(&format!("Invalid check status: '{status}'")))?, output))
}

/// A service of the agent's own making.
pub(crate) fn plain_service(name: &str, port: u16) -> Service {
    Service {
        id: name.to_owned(),
        name: name.to_owned(),
        tags: Vec::new(),
        address: String::new(),
        port: port.into(),
        meta: BTreeMap::new(),
        tagged_addresses: serde_json::Map::new(),
        weights: (1, 1),
        enable_tag_override: false,
        create: 0,
        modify: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> (u16, String) {
        let refusal = ServiceDefinition::parse(body.as_bytes()).expect_err("refused");
        (refusal.status, refusal.message)
    }

    #[test]
    fn checks_get_their_ids() {
        let parse = |text: &str| ServiceDefinition::parse(text.as_bytes()).unwrap();
        let ids = |d: &ServiceDefinition| d.checks.iter().map(|c| c.id.clone()).collect::<Vec<_>>();
        let one = parse(r#"{"Name":"w","ID":"w-1","Check":{"TTL":"1s"}}"#);
        assert_eq!(ids(&one), ["service:w-1"]);
        let two = parse(r#"{"Name":"w","Checks":[{"TTL":"1s"},{"TCP":"a:1","Interval":"1s"}]}"#);
        assert_eq!(ids(&two), ["service:w:1", "service:w:2"]);
        assert_eq!(ids(&parse(r#"{"Name":"w","Check":{}}"#)), [""; 0]);
        let named = parse(r#"{"Name":"w","Check":{"CheckID":"c","Name":"n","TTL":"1s"}}"#);
        assert_eq!((ids(&named), named.checks[0].name.as_str()), (vec!["c".into()], "n"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (body, part) in [
            (r#"{}"#, "Missing service name"),
            (r#"{"Name":"x","Check":{"HTTP":"http://x"}}"#, "Interval must be > 0"),
            (r#"{"Name":"x","Check":{"TTL":"1s","Interval":"1s"}}"#, "cannot both"),
            (r#"{"Name":"x","Check":{"Notes":"n"}}"#, "TTL must be > 0"),
            (r#"{"Name":"x","Check":{"TTL":"1s","Status":"silly"}}"#, "must 'passing'"),
            (r#"{"Name":"x","Weights":{"Passing":0}}"#, "Invalid Weights"),
            (r#"{"Name":"x","Check":{"GRPC":"a:1","Interval":"1s"}}"#, "not supported"),
        ] {
            let (status, message) = refused(body);
            assert!(status == 400 && message.contains(part), "{body}: {status} {message}");
        }
        assert_eq!(refused(r#"{"Name":"x","Check":{"Args":["true"],"Interval":"1s"}}"#).0, 500);
    }
}
