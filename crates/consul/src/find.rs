//! Answers to the questions of templates.

use std::time::Duration;

use http_client::encode;

use catalog::{Error, Finding, Found, Health, Index, Keys, Query, Question};

use crate::Consul;
use crate::read::{Freshness, check_key, key_path, known, parameter};
use crate::request::Scope;
use crate::wire::finding;

/// Connections that an agent takes from one address unless it is told otherwise.
const CONNECTIONS: usize = 200;

impl Consul {
    pub(crate) async fn answer_to(
        &self,
        question: &Question,
        after: Option<Index>,
        wait: Duration,
    ) -> Result<Found, Error> {
        let path = match question {
            Question::Node { name: None, datacenter } => {
                let own = Box::pin(self.get("/v1/agent/self", Scope::Agent));
                let own = own.await.map_err(known)?;
                node_path(&finding::own_name(&own.body)?, datacenter.as_deref())
            }
            question => path(question)?,
        };
        let found = self.read(&path, Freshness::Allowed, after, wait).await?;
        let body = &found.body;
        let finding = match question {
            Question::Service(wanted) => {
                let mut endpoints = finding::endpoints(body, &self.nodes)?;
                if wanted.near.is_none() {
                    endpoints.sort_by(|a, b| (&a.node.name, &a.id).cmp(&(&b.node.name, &b.id)));
                }
                Finding::Service(endpoints)
            }
            Question::Services { .. } => Finding::Services(finding::listed(body)?),
            Question::Node { .. } => Finding::Node(finding::node_services(body, &self.nodes)?),
            Question::Nodes { near, .. } => {
                let mut nodes = finding::nodes(body, &self.nodes)?;
                if near.is_none() {
                    nodes.sort_by(|a, b| a.name.cmp(&b.name));
                }
                Finding::Nodes(nodes)
            }
            Question::Datacenters => Finding::Datacenters(finding::datacenters(body)?),
            Question::Keys { .. } => Finding::Keys(finding::pairs(body)?),
        };
        // The agent knows its datacenters, and cannot wait for another.
        let index = (*question != Question::Datacenters).then_some(found.index);
        Ok(Found { finding, index })
    }
}

impl Consul {
    /// How many requests may wait. Each has a connection, of which an agent takes so many from one
    /// address (`limits.http_max_conns_per_client`); it cuts others without a word. Whatever does
    /// not wait needs some, too, and so may others at our address.
    pub(crate) async fn bearable(&self) -> Result<Option<usize>, Error> {
        let limit = match self.get("/v1/agent/self", Scope::Agent).await {
            Ok(own) => finding::connections(&own.body)?,
            // A token that may not read that.
            Err(Error::Refused(_)) => Some(CONNECTIONS),
            Err(error) => return Err(known(error)),
        };
        Ok(limit.map(|limit| limit - limit / 4))
    }
}

/// Where to ask. Parameters can be appended.
fn path(question: &Question) -> Result<String, Error> {
    let (mut path, datacenter, near) = match question {
        Question::Service(wanted) => {
            let path = service_path(&wanted.name, wanted.tag.as_deref(), wanted.health);
            (path, &wanted.datacenter, &wanted.near)
        }
        Question::Services { datacenter } => {
            ("/v1/catalog/services?".to_owned(), datacenter, &None)
        }
        Question::Node { name, datacenter } => {
            return Ok(node_path(name.as_deref().unwrap_or_default(), datacenter.as_deref()));
        }
        Question::Nodes { datacenter, near } => ("/v1/catalog/nodes?".to_owned(), datacenter, near),
        Question::Datacenters => ("/v1/catalog/datacenters?".to_owned(), &None, &None),
        Question::Keys { keys, datacenter } => {
            check_key(keys.as_str())?;
            let verb = if matches!(keys, Keys::One(_)) { "" } else { "recurse" };
            (key_path(keys.as_str(), verb), datacenter, &None)
        }
    };
    parameter(&mut path, "&dc=", datacenter.as_deref());
    parameter(&mut path, "&near=", near.as_deref());
    Ok(path)
}

/// The passing instances of a service.
pub(crate) fn instances_path(query: &Query) -> String {
    let mut path = service_path(&query.service, query.tag.as_deref(), Health::Passing);
    parameter(&mut path, "&dc=", query.datacenter.as_deref());
    parameter(&mut path, "&near=", query.near.as_deref());
    path
}

fn service_path(name: &str, tag: Option<&str>, health: Health) -> String {
    let mut path = String::from("/v1/health/service/");
    encode(&mut path, name);
    path.push_str(match health {
        Health::Passing => "?passing=1",
        Health::Any => "?",
    });
    parameter(&mut path, "&tag=", tag);
    path
}

fn node_path(name: &str, datacenter: Option<&str>) -> String {
    let mut path = String::from("/v1/catalog/node/");
    encode(&mut path, name);
    path.push('?');
    parameter(&mut path, "&dc=", datacenter);
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, Options};

    #[test]
    fn what_waits_in_thousands_is_small() {
        let address = Address::Http { host: "127.0.0.1".to_owned(), port: 1 };
        let consul = Consul::build(Options::new(vec![address])).unwrap();
        let size = size_of_val(&consul.answer_to(&Question::Datacenters, None, Duration::ZERO));
        assert!(size < 3500, "{size} bytes");
    }
}
