//! What a service, a job or the telemetry endpoint says about being advertised.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use super::{Field, Object, registry::Registry};
use crate::{Generation, Host, interface, job::Service};

/// `tags`: the strings of a list.
pub(crate) fn tags(object: &mut Object<'_>) -> Vec<String> {
    let fields = object.take("tags").map_or_else(Vec::new, |field| field.strings());
    // A tag that a template renders to nothing is none.
    fields.iter().filter_map(Field::text).collect()
}

/// `interfaces`: the address to be advertised.
pub(crate) fn address(object: &mut Object<'_>, host: &Host) -> IpAddr {
    let stand_in = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let field = object.take("interfaces");
    let fields = field.as_ref().map_or_else(Vec::new, Field::strings);
    let mut wrong = false;
    let mut specifications = Vec::new();
    for specification in &fields {
        let Some(text) = specification.string() else {
            wrong = true;
            continue;
        };
        if interface::is_specification(&text) {
            specifications.push(text);
        } else {
            specification.refuse("is not an interface", interface::RULE);
            wrong = true;
        }
    }
    if wrong {
        return stand_in;
    }
    if specifications.is_empty() {
        specifications = interface::DEFAULT.map(String::from).to_vec();
    }
    match interface::check_interface(&specifications, &host.addresses) {
        Ok(address) => address,
        Err(error) => {
            let fault = error.to_string();
            let rule = "want \"interfaces\" to match one of them; \"static:ADDRESS\" always does";
            match field {
                Some(field) => object.report().problem(&field.path(), field.node.span, fault, rule),
                None => object.problem(&fault, rule),
            }
            stand_in
        }
    }
}

/// `consul` of a service or a job: `{enableTagOverride, deregisterCriticalServiceAfter}`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConsulExtras {
    pub(crate) enable_tag_override: bool,
    pub(crate) deregister_critical_after: Option<Duration>,
}

impl ConsulExtras {
    pub(crate) fn take(
        object: &mut Object<'_>,
        registry: &Registry,
        generation: Generation,
    ) -> Self {
        let Some(mut object) = object.take("consul").and_then(|field| field.object()) else {
            return Self::default();
        };
        let tags = object.take("enableTagOverride").and_then(|field| field.boolean());
        let after_field = object.take("deregisterCriticalServiceAfter");
        let mut after = after_field.as_ref().and_then(Field::timeout);
        object.finish();
        if let Some(field) = after_field.filter(|_| after.is_some() && registry.is_etcd()) {
            let why = "what is not renewed leaves etcd when its TTL ends";
            match generation {
                // Such files are in use, and did without.
                Generation::V2 => field.warn(&format!("is not used: {why}")),
                Generation::V3 => {
                    registry.refuse_on_etcd(&field, &format!("want it left out: {why}"));
                }
            }
            after = None;
        }
        Self { enable_tag_override: tags.unwrap_or(false), deregister_critical_after: after }
    }
}

/// The service of that name on this host, without anything that is optional.
pub(crate) fn service(name: &str, host: &Host, generation: Generation) -> Service {
    let id = format!("{name}-{}", host.hostname);
    Service {
        name: name.into(),
        check_id: match generation {
            Generation::V2 => id.clone(),
            Generation::V3 => format!("service:{id}"),
        },
        id,
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port: 0,
        tags: Vec::new(),
        meta: std::collections::BTreeMap::new(),
        ttl: Duration::from_secs(1),
        initial_status: None,
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}
