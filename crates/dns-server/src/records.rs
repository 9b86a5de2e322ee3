//! What the zone found, as records. All live for no time: the next question may have another
//! answer.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, SOA, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::zone::{Address, Instance, Node};

const TTL: u32 = 0;
/// The zone.
pub(crate) const ORIGIN: &str = "consul";

/// A record that answers, and the address of the host that it names, if that host is ours.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) record: Record,
    pub(crate) address: Option<Record>,
}

impl From<Record> for Answer {
    fn from(record: Record) -> Self {
        Answer { record, address: None }
    }
}

/// The name of the zone.
pub(crate) fn origin() -> Name {
    absolute(&[ORIGIN]).unwrap_or_default()
}

/// The record about the zone itself.
pub(crate) fn soa(now: SystemTime) -> Record {
    let within = |label| absolute(&[label, ORIGIN]).unwrap_or_default();
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // The serial wraps around by definition (RFC 1982).
    let soa = SOA::new(within("ns"), within("hostmaster"), seconds as u32, 3600, 600, 86400, 0);
    Record::from_rdata(origin(), TTL, RData::SOA(soa))
}

/// The server of the zone. `None`: its node's name cannot be a domain name.
pub(crate) fn name_server(server: &Node, datacenter: &str) -> Option<Answer> {
    let name = node_name(&server.name, datacenter)?;
    let address = located(&name, &server.address);
    let record = Record::from_rdata(origin(), TTL, RData::NS(NS(name)));
    Some(Answer { record, address })
}

/// Where something is, as far as records of this type tell.
pub(crate) fn of_address(owner: &Name, address: &Address, wanted: RecordType) -> Vec<Answer> {
    let record = located(owner, address);
    record.filter(|record| suits(record, wanted)).map(Answer::from).into_iter().collect()
}

/// Where the instances of a service are, as far as records of this type tell.
pub(crate) fn of_service(
    owner: &Name,
    instances: &[Instance],
    wanted: RecordType,
    datacenter: &str,
) -> Vec<Answer> {
    if wanted == RecordType::SRV {
        let mut seen = HashSet::new();
        let answers = instances.iter().filter_map(|one| srv(owner, one, datacenter));
        return answers.filter(|answer| seen.insert(answer.record.data.clone())).collect();
    }
    let mut seen = HashSet::new();
    let addresses = instances.iter().map(|one| one.address.as_ref().unwrap_or(&one.node.address));
    let (hosts, ips): (Vec<_>, Vec<_>) = addresses
        .filter_map(|address| located(owner, address))
        .filter(|record| suits(record, wanted))
        .partition(|record| record.record_type() == RecordType::CNAME);
    let mut answers: Vec<Answer> = ips
        .into_iter()
        .filter(|record| seen.insert(record.data.clone()))
        .map(Answer::from)
        .collect();
    if answers.is_empty() {
        // A name has one canonical name.
        answers.extend(hosts.into_iter().next().map(Answer::from));
    }
    answers
}

fn srv(owner: &Name, instance: &Instance, datacenter: &str) -> Option<Answer> {
    let place = instance.address.as_ref().unwrap_or(&instance.node.address);
    let target = match (&instance.address, place) {
        (_, Address::Host(host)) => host_name(host)?,
        (None, Address::Ip(ip)) => {
            node_name(&instance.node.name, datacenter).or_else(|| address_name(*ip, datacenter))?
        }
        (Some(_), Address::Ip(ip)) => address_name(*ip, datacenter)?,
    };
    let address = match place {
        Address::Ip(_) => located(&target, place),
        Address::Host(_) => None,
    };
    let data = SRV::new(1, instance.weight, instance.port, target);
    Some(Answer { record: Record::from_rdata(owner.clone(), TTL, RData::SRV(data)), address })
}

/// `None` for a host that cannot be a domain name.
fn located(owner: &Name, address: &Address) -> Option<Record> {
    let data = match address {
        Address::Ip(IpAddr::V4(ip)) => RData::A(A(*ip)),
        Address::Ip(IpAddr::V6(ip)) => RData::AAAA(AAAA(*ip)),
        Address::Host(host) => RData::CNAME(CNAME(host_name(host)?)),
    };
    Some(Record::from_rdata(owner.clone(), TTL, data))
}

fn suits(record: &Record, wanted: RecordType) -> bool {
    let addresses = [RecordType::A, RecordType::AAAA].contains(&wanted);
    wanted == RecordType::ANY
        || wanted == record.record_type()
        || (addresses && record.record_type() == RecordType::CNAME)
}

fn node_name(node: &str, datacenter: &str) -> Option<Name> {
    let labels: Vec<&str> = node.split('.').chain(["node", datacenter, ORIGIN]).collect();
    absolute(&labels)
}

fn address_name(ip: IpAddr, datacenter: &str) -> Option<Name> {
    let hex = match ip {
        IpAddr::V4(ip) => format!("{:08x}", u32::from(ip)),
        IpAddr::V6(ip) => format!("{:032x}", u128::from(ip)),
    };
    absolute(&[&hex, "addr", datacenter, ORIGIN])
}

fn host_name(host: &str) -> Option<Name> {
    let labels: Vec<&str> = host.strip_suffix('.').unwrap_or(host).split('.').collect();
    absolute(&labels)
}

/// `None` if a label is empty or too long, or all of them are.
fn absolute(labels: &[&str]) -> Option<Name> {
    if labels.iter().any(|label| label.is_empty()) {
        return None;
    }
    let mut name = Name::from_labels(labels.iter().map(|label| label.as_bytes())).ok()?;
    name.set_fqdn(true);
    Some(name)
}
