//! What clients register: services and checks as sent, validated.

mod check;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::json;

use crate::fields::Fields;
use crate::http::Refusal;
use crate::store::Service;
pub use check::ScriptChecks;
pub(crate) use check::{CheckDefinition, GrpcProbe, HttpProbe, Pace, Probe, Verify, update};

/// A service with its checks.
#[derive(Debug)]
pub(crate) struct ServiceDefinition {
    pub(crate) service: Service,
    pub(crate) checks: Vec<CheckDefinition>,
}

impl ServiceDefinition {
    /// From the body of `/v1/agent/service/register`.
    pub(crate) fn parse(body: &[u8], scripts: ScriptChecks) -> Result<Self, Refusal> {
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
                    scripts,
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
        let refusal =
            ServiceDefinition::parse(body.as_bytes(), ScriptChecks::Refused).expect_err("refused");
        (refusal.status, refusal.message)
    }

    #[test]
    fn checks_get_their_ids() {
        let parse =
            |text: &str| ServiceDefinition::parse(text.as_bytes(), ScriptChecks::Refused).unwrap();
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
            (r#"{"Name":"x","Check":{"AliasNode":"n"}}"#, "no Docker and alias"),
            (r#"{"Name":"x","Check":{"GRPC":"a:1","GRPCUseTLS":true}}"#, "without TLS only"),
        ] {
            let (status, message) = refused(body);
            assert!(status == 400 && message.contains(part), "{body}: {status} {message}");
        }
        assert_eq!(refused(r#"{"Name":"x","Check":{"Args":["true"],"Interval":"1s"}}"#).0, 500);
    }
}
