//! What clients put into the catalog past the agent: nodes that run no agent, and what is on them.

use serde_json::{Map, Value};

use crate::definition::read_service;
use crate::fields::{Fields, Malformed};
use crate::http::Refusal;
use crate::store::{Check, Node, Service, Status};

/// The body of `/v1/catalog/register`.
#[derive(Debug)]
pub(crate) struct Registration {
    /// The node without what is on it.
    pub(crate) node: Node,
    /// Whether a node that is there stays as it is.
    pub(crate) keep_node: bool,
    pub(crate) service: Option<Service>,
    pub(crate) checks: Vec<Check>,
}

/// The body of `/v1/catalog/deregister`.
#[derive(Debug)]
pub(crate) struct Deregistration {
    pub(crate) node: String,
    pub(crate) what: Deregistered,
}

/// What is to be removed from a node.
#[derive(Debug)]
pub(crate) enum Deregistered {
    /// The node itself, with all that is on it.
    Node,
    /// A service with its checks, by id.
    Service(String),
    /// A check by id.
    Check(String),
}

impl Registration {
    /// Reads a body. A check's service is not looked for yet.
    pub(crate) fn parse(body: &[u8], datacenter: &str) -> Result<Self, Refusal> {
        let mut fields = Fields::parse(body)?;
        let node = Node {
            id: fields.text("ID")?,
            name: fields.text("Node")?,
            address: fields.text("Address")?,
            meta: fields.text_map("NodeMeta")?,
            tagged_addresses: fields.text_map("TaggedAddresses")?,
            ..Node::default()
        };
        let keep_node = fields.flag("SkipNodeUpdate")?;
        let service = fields.object("Service")?.map(service).transpose()?;
        let several = fields.objects("Checks")?;
        let single = fields.object("Check")?;
        let mut checks = Vec::new();
        for fields in several.into_iter().chain(single) {
            checks.push(read_check(fields, &node.name)?);
        }
        own_datacenter(&mut fields, datacenter)?;
        fields.ignore(&["WriteRequest", "Token", "Namespace"]);
        fields.finish()?;
        if node.name.is_empty() {
            return Err(Refusal::internal("Must provide node"));
        }
        if node.address.is_empty() && !keep_node {
            let text = "Must provide address if SkipNodeUpdate is not set";
            return Err(Refusal::internal(text));
        }
        if !node.id.is_empty() && node.id.len() != 36 {
            return Err(Refusal::internal("Bad node ID: uuid string is wrong length"));
        }
        Ok(Self { node, keep_node, service, checks })
    }
}

impl Deregistration {
    /// Reads a body.
    pub(crate) fn parse(body: &[u8], datacenter: &str) -> Result<Self, Refusal> {
        let mut fields = Fields::parse(body)?;
        let node = fields.text("Node")?;
        let (service, check) = (fields.text("ServiceID")?, fields.text("CheckID")?);
        own_datacenter(&mut fields, datacenter)?;
        fields.ignore(&["Address", "WriteRequest", "Token", "Namespace"]);
        fields.finish()?;
        if node.is_empty() {
            return Err(Refusal::internal("Must provide node"));
        }
        let what = match (service.is_empty(), check.is_empty()) {
            (false, _) => Deregistered::Service(service),
            (true, false) => Deregistered::Check(check),
            (true, true) => Deregistered::Node,
        };
        Ok(Self { node, what })
    }
}

fn own_datacenter(fields: &mut Fields, own: &str) -> Result<(), Refusal> {
    match fields.text("Datacenter")? {
        named if named.is_empty() || named == own => Ok(()),
        _ => Err(Refusal::internal("No path to datacenter")),
    }
}

fn service(mut fields: Fields) -> Result<Service, Refusal> {
    let service = read_service(&mut fields, "Service")?;
    fields.ignore(&["Kind", "Connect", "Proxy", "Namespace", "CreateIndex", "ModifyIndex"]);
    fields.finish()?;
    if service.name.is_empty() {
        return Err(Refusal::internal("Must provide service name with ID"));
    }
    Ok(service)
}

/// A check as the catalog shows it.
pub(crate) fn read_check(mut fields: Fields, node: &str) -> Result<Check, Refusal> {
    let (check_id, name) = (fields.text("CheckID")?, fields.text("Name")?);
    let of = fields.text("Node")?;
    if !of.is_empty() && of != node {
        let text = format!("check node {of:?} does not match node {node:?}");
        return Err(Refusal::internal(&text));
    }
    let status = match fields.text("Status")?.as_str() {
        "" => Status::Critical,
        text => Status::parse(text)
            .ok_or_else(|| Refusal::bad(&format!("Invalid check status: '{text}'")))?,
    };
    let definition = fields.map("Definition")?;
    let check = Check {
        id: if check_id.is_empty() { name.clone() } else { check_id },
        name,
        status,
        notes: fields.text("Notes")?,
        output: fields.text("Output")?,
        service_id: fields.text("ServiceID")?,
        kind: kind(&definition, &fields.text("Type")?),
        definition,
        create: 0,
        modify: 0,
    };
    fields.ignore(&["ServiceName", "ServiceTags", "Namespace"]);
    fields.ignore(&["CreateIndex", "ModifyIndex"]);
    fields.finish()?;
    if check.id.is_empty() {
        return Err(Malformed("a check has neither CheckID nor Name".into()).into());
    }
    Ok(check)
}

/// What somebody who makes such checks would call it.
fn kind(definition: &Map<String, Value>, named: &str) -> &'static str {
    let kinds = [("HTTP", "http"), ("TCP", "tcp"), ("GRPC", "grpc"), ("TTL", "ttl")];
    let others = [("", "script"), ("", "maintenance")];
    let fits = |(field, kind): &(&str, &str)| definition.contains_key(*field) || *kind == named;
    kinds.into_iter().chain(others).find(fits).map_or("", |(_, kind)| kind)
}
