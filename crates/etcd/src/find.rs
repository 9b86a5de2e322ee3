//! Answers to the questions of templates, as far as etcd can know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use catalog::{
    Endpoint, Error, Finding, Found, Health, HealthCheck, Index, Instance, Keys, Listed, Node,
    Pair, Question, ServiceQuestion, Status, Weights,
};

use crate::wire::{self, Kv, Span};
use crate::{Etcd, local};

impl Etcd {
    pub(crate) async fn answer_to(
        &self,
        question: &Question,
        after: Option<Index>,
        wait: Duration,
    ) -> Result<Found, Error> {
        let span = self.span(question)?;
        let found = self.gateway.follow(&span, after, wait).await?;
        let finding = match question {
            Question::Service(wanted) => Finding::Service(endpoints(wanted, &found.kvs)),
            Question::Keys { .. } => Finding::Keys(found.kvs.into_iter().map(pair).collect()),
            _ => Finding::Services(self.listed(&found.kvs)),
        };
        Ok(Found { finding, index: Some(found.index) })
    }

    fn span(&self, question: &Question) -> Result<Span, Error> {
        match question {
            Question::Service(wanted) => {
                local(wanted.datacenter.as_deref())?;
                near(wanted.near.as_deref())?;
                Ok(Span::under(&self.folder(&wanted.name)?))
            }
            Question::Services { datacenter } => {
                local(datacenter.as_deref())?;
                Ok(Span::under(&format!("{}/", self.prefix)))
            }
            Question::Keys { keys: wanted, datacenter } => {
                local(datacenter.as_deref())?;
                keys(wanted)
            }
            Question::Node { .. } | Question::Nodes { .. } => {
                Err(Error::Refused("etcd has no nodes, only services and keys".to_owned()))
            }
            Question::Datacenters => {
                Err(Error::Refused("etcd has no datacenters, only services and keys".to_owned()))
            }
        }
    }

    /// The services of all instances that can be understood, by the folders that they are in.
    fn listed(&self, kvs: &[Kv]) -> Vec<Listed> {
        let mut services: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for kv in kvs {
            let path = String::from_utf8_lossy(&kv.key);
            let path = path.strip_prefix(&*self.prefix).and_then(|path| path.strip_prefix('/'));
            let Some((service, _)) = path.and_then(|path| path.split_once('/')) else { continue };
            let Some((instance, _)) = wire::instance(kv) else { continue };
            services.entry(service.to_owned()).or_default().extend(instance.tags);
        }
        let listed = |(name, tags): (String, BTreeSet<String>)| Listed {
            name,
            tags: tags.into_iter().collect(),
        };
        services.into_iter().map(listed).collect()
    }
}

/// Where there are no nodes nothing is near.
pub(crate) fn near(node: Option<&str>) -> Result<(), Error> {
    match node {
        None => Ok(()),
        Some(_) => Err(Error::Refused("etcd knows no distances".to_owned())),
    }
}

fn keys(wanted: &Keys) -> Result<Span, Error> {
    match wanted {
        Keys::One(key) if key.is_empty() => {
            Err(Error::Refused("no key in etcd is empty".to_owned()))
        }
        Keys::One(key) => Ok(Span::one(key)),
        Keys::Under(prefix) => Ok(Span::under(prefix)),
    }
}

fn endpoints(wanted: &ServiceQuestion, kvs: &[Kv]) -> Vec<Endpoint> {
    let node = Arc::new(Node::default());
    let fits = |(instance, status): &(Instance, Status)| {
        (wanted.health == Health::Any || *status == Status::Passing)
            && wanted.tag.as_ref().is_none_or(|tag| instance.tags.contains(tag))
    };
    let found = kvs.iter().filter_map(wire::instance).filter(fits);
    let mut endpoints: Vec<Endpoint> =
        found.map(|(instance, status)| endpoint(instance, status, Arc::clone(&node))).collect();
    endpoints.sort_by(|a, b| a.id.cmp(&b.id));
    endpoints
}

/// An instance has one check: the one that its heartbeats speak of.
fn endpoint(found: Instance, status: Status, node: Arc<Node>) -> Endpoint {
    let check = HealthCheck {
        id: format!("service:{}", found.id),
        name: found.name.clone(),
        status,
        notes: String::new(),
        output: String::new(),
        service_id: found.id.clone(),
        service_name: found.name.clone(),
    };
    Endpoint {
        id: found.id,
        name: found.name,
        address: found.address,
        port: found.port,
        tags: found.tags,
        meta: found.meta,
        weights: Weights { passing: 1, warning: 1 },
        node,
        checks: vec![check],
    }
}

fn pair(found: Kv) -> Pair {
    Pair {
        key: String::from_utf8_lossy(&found.key).into_owned(),
        value: found.value,
        flags: 0,
        create_index: u64::try_from(found.create_revision).unwrap_or_default(),
        modify_index: u64::try_from(found.mod_revision).unwrap_or_default(),
        lock_index: 0,
        session: String::new(),
    }
}
