//! From the bytes of a request to the bytes of its answer.

use std::collections::HashSet;
use std::time::SystemTime;

use hickory_proto::op::{Edns, Message, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RecordType};

use crate::limits::{Cut, Limits};
use crate::records::{Answer, ORIGIN, name_server, of_address, of_service, origin, soa};
use crate::shuffle::shuffle;
use crate::subject::{Subject, subject};
use crate::zone::{Address, Zone};

/// Octets of a message's header.
const HEADER: usize = 12;
/// What every client can take over UDP (RFC 1035), in bytes.
const PLAIN: u16 = 512;
/// No record that answers is shorter, in bytes.
const SHORTEST: usize = 12;

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Datagram,
    Stream,
}

/// When a request came, and what decides the order of its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: SystemTime,
    pub(crate) seed: u64,
}

/// The answer to a request; `None` if there is to be none.
pub(crate) fn reply(
    bytes: &[u8],
    zone: &dyn Zone,
    way: Way,
    limits: &Limits,
    moment: Moment,
) -> Option<Vec<u8>> {
    let [id_high, id_low, flags, ..] = *bytes.first_chunk::<HEADER>()?;
    let id = u16::from_be_bytes([id_high, id_low]);
    let code = OpCode::from_u8((flags >> 3) & 0b1111);
    if flags & 0b1000_0000 != 0 {
        // An answer. Two servers must not answer each other for ever.
        return None;
    }
    let refused = |status| Message::error_msg(id, code, status).to_vec().ok();
    if code != OpCode::Query {
        return refused(ResponseCode::NotImp);
    }
    let Ok(request) = Message::from_vec(bytes) else { return refused(ResponseCode::FormErr) };
    let [question] = request.queries.as_slice() else { return refused(ResponseCode::FormErr) };

    let mut message = blank(&request, limits);
    let ours = matches!(question.query_class, DNSClass::IN | DNSClass::ANY)
        && !matches!(question.query_type, RecordType::AXFR | RecordType::IXFR)
        && origin().zone_of(&question.name);
    if !ours {
        message.metadata.response_code = ResponseCode::Refused;
        return message.to_vec().ok();
    }
    message.metadata.authoritative = true;
    let found = find(&question.name, question.query_type, zone, moment);
    match found {
        Found::Records(answers) => {
            let room = room(way, request.edns.as_ref(), limits);
            let most = if room == PLAIN { limits.plain_answers } else { usize::MAX };
            fit(&mut message, &answers, usize::from(room), most, limits.cut)
        }
        Found::Zone => {
            message.add_answer(soa(moment.now));
            if let Some(server) = name_server(&zone.server(), &zone.datacenter()) {
                message.add_authority(server.record);
                message.add_additionals(server.address);
            }
            message.to_vec().ok()
        }
        Found::Nothing(status) => {
            message.metadata.response_code = status;
            message.add_authority(soa(moment.now));
            message.to_vec().ok()
        }
    }
}

/// The answer to a request that says nothing yet.
fn blank(request: &Message, limits: &Limits) -> Message {
    let mut message = Message::response(request.metadata.id, OpCode::Query);
    message.metadata = Metadata::response_from_request(&request.metadata);
    message.queries.clone_from(&request.queries);
    if request.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(limits.datagram.max(PLAIN));
        message.edns = Some(edns);
    }
    message
}

/// How long an answer may be, in bytes.
fn room(way: Way, edns: Option<&Edns>, limits: &Limits) -> u16 {
    match (way, edns) {
        (Way::Stream, _) => u16::MAX,
        (Way::Datagram, None) => PLAIN,
        (Way::Datagram, Some(edns)) => edns.max_payload().clamp(PLAIN, limits.datagram.max(PLAIN)),
    }
}

enum Found {
    /// At least one.
    Records(Vec<Answer>),
    /// The zone itself.
    Zone,
    /// No record: NXDOMAIN, or NOERROR for a name that has records of other types.
    Nothing(ResponseCode),
}

fn find(name: &Name, wanted: RecordType, zone: &dyn Zone, moment: Moment) -> Found {
    let datacenter = zone.datacenter();
    let (exists, answers) = match (wanted, subject(&below(name), &datacenter)) {
        // As Consul has it, for any name.
        (RecordType::SOA, _) => return Found::Zone,
        (RecordType::NS, _) => {
            (true, name_server(&zone.server(), &datacenter).into_iter().collect())
        }
        (_, Subject::Service { name: service, tag }) => {
            let mut instances = zone.service(&service, tag.as_deref());
            shuffle(&mut instances, moment.seed);
            (!instances.is_empty(), of_service(name, &instances, wanted, &datacenter))
        }
        (_, Subject::Node(node)) => match zone.node(&node) {
            Some(node) => (true, of_address(name, &node.address, wanted)),
            None => (false, Vec::new()),
        },
        (_, Subject::Address(ip)) => (true, of_address(name, &Address::Ip(ip), wanted)),
        (_, Subject::NoAddress) => (true, Vec::new()),
        (_, Subject::Nothing) => (false, Vec::new()),
    };
    match (exists, answers.is_empty()) {
        (_, false) => Found::Records(answers),
        (true, true) => Found::Nothing(ResponseCode::NoError),
        (false, true) => Found::Nothing(ResponseCode::NXDomain),
    }
}

/// The labels below the zone, in lower case.
fn below(name: &Name) -> Vec<String> {
    let labels = usize::from(name.num_labels()).saturating_sub(ORIGIN.split('.').count());
    let text = |label: &[u8]| String::from_utf8_lossy(label).to_lowercase();
    name.iter().take(labels).map(text).collect()
}

/// The message with as many answers as there is room for, in bytes, and at most `most`. Each
/// comes with its address or not at all.
fn fit(
    message: &mut Message,
    answers: &[Answer],
    room: usize,
    most: usize,
    cut: Cut,
) -> Option<Vec<u8>> {
    let mut fitting = 0;
    let mut excess = answers.len().min(most).min(room / SHORTEST) + 1;
    let mut best = None;
    // The longest that fits is mostly the longest of all.
    let mut tried = excess - 1;
    while fitting + 1 < excess || best.is_none() {
        match encode(message, answers.get(..tried).unwrap_or(answers), room) {
            Some(bytes) => {
                fitting = tried;
                best = Some(bytes);
            }
            None if tried == 0 => return None,
            None => excess = tried,
        }
        tried = fitting.midpoint(excess);
    }
    let mut bytes = best?;
    if fitting < answers.len()
        && cut == Cut::Told
        && let Some(flags) = bytes.get_mut(2)
    {
        *flags |= TRUNCATED;
    }
    Some(bytes)
}

/// Of the third octet of a message.
const TRUNCATED: u8 = 0b10;

/// `None` if it is longer than there is room.
fn encode(message: &mut Message, answers: &[Answer], room: usize) -> Option<Vec<u8>> {
    let mut seen = HashSet::new();
    let addresses = answers.iter().filter_map(|answer| answer.address.as_ref());
    message.additionals = addresses.filter(|record| seen.insert(&record.name)).cloned().collect();
    message.answers = answers.iter().map(|answer| answer.record.clone()).collect();
    let bytes = message.to_vec().ok()?;
    // What does not fit into any message is left out by the encoder, which flags that.
    let whole = bytes.get(2).is_some_and(|flags| flags & TRUNCATED == 0);
    (whole && bytes.len() <= room).then_some(bytes)
}

#[cfg(test)]
mod tests;
