//! Services, their instances, tags and checks.

use std::{rc::Rc, sync::Arc};

use catalog::{Endpoint, Finding, HealthCheck, Listed, Status, Weights};
use gotemplate::{List, Object, Signature, Type, Value};

use super::{Fields, Part, Place, list, map, text};
use crate::query::Filter;

const INSTANCE: &Type = &Type::Named("*dep.HealthService");
const INSTANCES: &str = "[]*dep.HealthService";
const SERVICE: &Type = &Type::Named("*dep.CatalogSnippet");
const SERVICES: &str = "[]*dep.CatalogSnippet";

/// How an instance stands: its worst check, of which the checks of maintenance are the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    Passing,
    Warning,
    Critical,
    /// Taken out by somebody.
    Maintenance,
}

impl Standing {
    fn of(endpoint: &Endpoint) -> Standing {
        let standing = |check: &HealthCheck| match check.status {
            _ if check.id == "_node_maintenance" => Standing::Maintenance,
            _ if check.id.starts_with("_service_maintenance:") => Standing::Maintenance,
            Status::Passing => Standing::Passing,
            Status::Warning => Standing::Warning,
            Status::Critical => Standing::Critical,
        };
        endpoint.checks.iter().map(standing).max().unwrap_or(Standing::Passing)
    }

    fn as_str(self) -> &'static str {
        match self {
            Standing::Passing => "passing",
            Standing::Warning => "warning",
            Standing::Critical => "critical",
            Standing::Maintenance => "maintenance",
        }
    }
}

/// What `service` gives: the instances that the filter admits.
pub(crate) fn instances(finding: &Arc<Finding>, filter: Filter) -> Value {
    let Finding::Service(endpoints) = &**finding else { return no_instances() };
    let admitted = endpoints.iter().enumerate();
    let admitted = admitted.filter(|(_, endpoint)| filter.admits(Standing::of(endpoint)));
    Part::list(finding, endpoint, admitted.map(|(index, _)| (index, 0)))
}

/// No instances.
pub(crate) fn no_instances() -> Value {
    list(INSTANCES, INSTANCE, Vec::new())
}

/// What `services` gives.
pub(crate) fn listed(finding: &Arc<Finding>) -> Value {
    let Finding::Services(services) = &**finding else { return no_services() };
    Part::list(finding, service, (0..services.len()).map(|index| (index, 0)))
}

/// No services.
pub(crate) fn no_services() -> Value {
    list(SERVICES, SERVICE, Vec::new())
}

fn endpoint(finding: &Finding, place: Place) -> Option<&Endpoint> {
    match finding {
        Finding::Service(endpoints) => endpoints.get(place.0),
        _ => None,
    }
}

fn service(finding: &Finding, place: Place) -> Option<&Listed> {
    match finding {
        Finding::Services(services) => services.get(place.0),
        _ => None,
    }
}

fn check(finding: &Finding, place: Place) -> Option<&HealthCheck> {
    endpoint(finding, place)?.checks.get(place.1)
}

impl Fields for Endpoint {
    const TYPE: &'static Type = INSTANCE;
    const LIST: &'static str = INSTANCES;
    const NAMES: &'static [&'static str] = &[
        "Node",
        "NodeID",
        "NodeAddress",
        "NodeDatacenter",
        "NodeTaggedAddresses",
        "NodeMeta",
        "ServiceMeta",
        "Address",
        "ID",
        "Name",
        "Tags",
        "Checks",
        "Status",
        "Port",
        "Weights",
    ];

    fn field(&self, name: &str, finding: &Arc<Finding>, place: Place) -> Option<Value> {
        Some(match name {
            "Node" => text(&self.node.name),
            "NodeID" => text(&self.node.id),
            "NodeAddress" => text(&self.node.address),
            "NodeDatacenter" => text(&self.node.datacenter),
            "NodeTaggedAddresses" => map(&self.node.tagged_addresses),
            "NodeMeta" => map(&self.node.meta),
            "ServiceMeta" | "Meta" => map(&self.meta),
            "Address" => text(&self.address),
            "ID" => text(&self.id),
            "Name" => text(&self.name),
            "Tags" => tags(&self.tags),
            "Checks" => {
                let places = (0..self.checks.len()).map(|index| (place.0, index));
                Part::list(finding, check, places)
            }
            "Status" => text(Standing::of(self).as_str()),
            "Port" => i64::from(self.port).into(),
            "Weights" => Value::object(Shares(self.weights)),
            _ => return None,
        })
    }
}

impl Fields for HealthCheck {
    const TYPE: &'static Type = &Type::Named("*api.HealthCheck");
    const LIST: &'static str = "api.HealthChecks";
    const NAMES: &'static [&'static str] = &[
        "Node",
        "CheckID",
        "Name",
        "Status",
        "Notes",
        "Output",
        "ServiceID",
        "ServiceName",
        "ServiceTags",
    ];

    fn field(&self, name: &str, finding: &Arc<Finding>, place: Place) -> Option<Value> {
        let endpoint = endpoint(finding, place)?;
        Some(match name {
            "Node" => text(&endpoint.node.name),
            "CheckID" => text(&self.id),
            "Name" => text(&self.name),
            "Status" => text(self.status.as_str()),
            "Notes" => text(&self.notes),
            "Output" => text(&self.output),
            "ServiceID" => text(&self.service_id),
            "ServiceName" => text(&self.service_name),
            // A node's check is about no service.
            "ServiceTags" if self.service_id.is_empty() => tags(&[]),
            "ServiceTags" => tags(&endpoint.tags),
            _ => return None,
        })
    }
}

impl Fields for Listed {
    const TYPE: &'static Type = SERVICE;
    const LIST: &'static str = SERVICES;
    const NAMES: &'static [&'static str] = &["Name", "Tags"];

    fn field(&self, name: &str, _: &Arc<Finding>, _: Place) -> Option<Value> {
        Some(match name {
            "Name" => text(&self.name),
            "Tags" => tags(&self.tags),
            _ => return None,
        })
    }
}

/// `.Weights`.
struct Shares(Weights);

impl Object for Shares {
    fn type_name(&self) -> &str {
        "api.AgentWeights"
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Passing" => self.0.passing.into(),
            "Warning" => self.0.warning.into(),
            _ => return None,
        })
    }

    fn field_names(&self) -> &[&str] {
        &["Passing", "Warning"]
    }
}

/// `.Tags`: sorted, so that their order in the registry does not matter.
pub(crate) fn tags(tags: &[String]) -> Value {
    let mut tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    tags.sort_unstable();
    let tags = tags.into_iter().map(Value::from).collect();
    Value::object(Tags(Rc::new(List::new(Type::String, tags))))
}

struct Tags(Rc<List>);

impl Object for Tags {
    fn type_name(&self) -> &str {
        "dep.ServiceTags"
    }

    fn as_list(&self) -> Option<Rc<List>> {
        Some(self.0.clone())
    }

    fn method(&self, name: &str) -> Option<Signature> {
        (name == "Contains").then_some(Signature::fixed(&[Type::String]))
    }

    fn call_method(&self, _: &str, arguments: &[Value]) -> Result<Value, String> {
        let wanted = arguments.first().and_then(Value::as_str);
        Ok(self.0.items().iter().any(|tag| tag.as_str() == wanted).into())
    }
}
