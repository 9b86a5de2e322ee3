//! What the registry in memory answers to questions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::{Row, State};
use crate::{
    Endpoint, Finding, Health, HealthCheck, Listed, Node, NodeService, NodeServices, Question,
    ServiceQuestion, Status, Weights,
};

/// Everything runs on one node, in one datacenter.
const NODE: &str = "memory";
const DATACENTER: &str = "dc1";

impl State {
    /// Datacenters and distances are nobody's business here.
    pub(super) fn finding(&self, question: &Question, now: Instant) -> Finding {
        match question {
            Question::Service(wanted) => Finding::Service(self.endpoints(wanted, now)),
            Question::Services { .. } => Finding::Services(self.listed()),
            Question::Node { name, .. } => {
                let known = name.as_ref().is_none_or(|name| name == NODE);
                Finding::Node(known.then(|| self.node_services()))
            }
            Question::Nodes { .. } => Finding::Nodes(vec![node()]),
            Question::Datacenters => Finding::Datacenters(vec![DATACENTER.to_owned()]),
            Question::Keys { keys, .. } => Finding::Keys(self.locks.pairs(keys)),
        }
    }

    fn endpoints(&self, wanted: &ServiceQuestion, now: Instant) -> Vec<Endpoint> {
        let fits = |row: &&Row| {
            row.registration.name == wanted.name
                && (wanted.health == Health::Any || row.status(now) == Status::Passing)
                && wanted.tag.as_ref().is_none_or(|tag| row.registration.tags.contains(tag))
        };
        let node = node();
        let found = self.rows.values().filter(fits);
        found.map(|row| row.endpoint(Arc::clone(&node), now)).collect()
    }

    fn listed(&self) -> Vec<Listed> {
        let mut services: BTreeMap<&str, BTreeSet<&String>> = BTreeMap::new();
        for Row { registration, .. } in self.rows.values() {
            services.entry(&registration.name).or_default().extend(&registration.tags);
        }
        let listed = |(name, tags): (&str, BTreeSet<&String>)| Listed {
            name: name.to_owned(),
            tags: tags.into_iter().cloned().collect(),
        };
        services.into_iter().map(listed).collect()
    }

    fn node_services(&self) -> NodeServices {
        let service = |Row { registration, .. }: &Row| NodeService {
            id: registration.id.clone(),
            name: registration.name.clone(),
            address: registration.address.clone(),
            port: registration.port,
            tags: registration.tags.clone(),
            meta: registration.meta.clone(),
            enable_tag_override: registration.enable_tag_override,
        };
        let mut services: Vec<NodeService> = self.rows.values().map(service).collect();
        services.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        NodeServices { node: node(), services }
    }
}

impl Row {
    fn endpoint(&self, node: Arc<Node>, now: Instant) -> Endpoint {
        let wanted = &self.registration;
        let check = HealthCheck {
            id: wanted.check_id.clone(),
            name: wanted.name.clone(),
            status: self.status(now),
            notes: String::new(),
            output: self.output.clone(),
            service_id: wanted.id.clone(),
            service_name: wanted.name.clone(),
        };
        Endpoint {
            id: wanted.id.clone(),
            name: wanted.name.clone(),
            address: wanted.address.clone(),
            port: wanted.port,
            tags: wanted.tags.clone(),
            meta: wanted.meta.clone(),
            weights: Weights { passing: 1, warning: 1 },
            node,
            checks: vec![check],
        }
    }
}

fn node() -> Arc<Node> {
    Arc::new(Node {
        id: String::new(),
        name: NODE.to_owned(),
        address: "127.0.0.1".to_owned(),
        datacenter: DATACENTER.to_owned(),
        tagged_addresses: BTreeMap::new(),
        meta: BTreeMap::new(),
    })
}
