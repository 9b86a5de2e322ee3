use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use hickory_proto::op::{MessageType, Query};
use hickory_proto::rr::{RData, Record};
use proptest::prelude::*;

use super::*;
use crate::zone::{Instance, Node};

/// `web` has many instances with addresses of their own, `odd` is on nodes of odd names.
struct Shop {
    web: u32,
}

fn node(name: &str, address: &str) -> Node {
    Node { name: name.into(), address: address.into() }
}

impl Zone for Shop {
    fn datacenter(&self) -> String {
        "dc1".into()
    }

    fn server(&self) -> Node {
        node("laptop", "127.0.0.1")
    }

    fn service(&self, name: &str, tag: Option<&str>) -> Vec<Instance> {
        let laptop = node("laptop", "127.0.0.1");
        let one = |node: Node, address: Option<&str>, port| Instance {
            node,
            address: address.map(Address::from),
            port,
            weight: 1,
        };
        match (name, tag) {
            ("web", None | Some("v1")) => (1..=self.web)
                .map(|i| one(laptop.clone(), Some(&format!("10.0.{}.{}", i >> 8, i & 255)), 80))
                .collect(),
            ("same", None) => {
                [1, 2, 2].map(|port| one(laptop.clone(), Some("10.0.0.1"), port)).into()
            }
            ("odd", None) => vec![
                one(node(&"n".repeat(64), "10.0.0.1"), None, 1),
                one(node("", "10.0.0.2"), None, 2),
                one(node("a.b", "10.0.0.3"), None, 3),
                one(laptop.clone(), Some("no..host"), 4),
                one(laptop.clone(), Some(&"x.".repeat(200)), 5),
                one(laptop.clone(), Some(""), 6),
            ],
            ("naïve", None) => vec![one(laptop, None, 7)],
            _ => Vec::new(),
        }
    }

    fn node(&self, name: &str) -> Option<Node> {
        (name == "laptop").then(|| node("laptop", "::1"))
    }
}

fn moment(seed: u64) -> Moment {
    Moment { now: UNIX_EPOCH + Duration::from_secs(1_700_000_000), seed }
}

/// A question, and what the client can take.
fn question(name: &str, kind: RecordType, payload: Option<u16>) -> Message {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.edns = payload.map(|payload| {
        let mut edns = Edns::new();
        edns.set_max_payload(payload);
        edns
    });
    message
}

fn bytes(message: &Message, zone: &Shop, way: Way, limits: &Limits, seed: u64) -> Option<Vec<u8>> {
    reply(&message.to_vec().unwrap(), zone, way, limits, moment(seed))
}

fn asked(message: &Message, zone: &Shop, way: Way) -> Message {
    let answer = bytes(message, zone, way, &Limits::default(), 0).unwrap();
    Message::from_vec(&answer).unwrap()
}

fn ask(name: &str, kind: RecordType) -> Message {
    asked(&question(name, kind, Some(4096)), &Shop { web: 2 }, Way::Datagram)
}

fn shown(records: &[Record]) -> BTreeSet<String> {
    records.iter().map(|record| format!("{} {}", record.record_type(), record.data)).collect()
}

#[test]
fn a_name_is_echoed_in_its_own_case() {
    let answer = ask("V1.WEB.Service.CONSUL.", RecordType::A);
    let echoed = answer.queries[0].name.to_ascii();
    assert_eq!(echoed, "V1.WEB.Service.CONSUL.");
    assert_eq!(answer.answers[0].name.to_ascii(), "V1.WEB.Service.CONSUL.");
    assert_eq!(shown(&answer.answers).len(), 2);
    assert!(answer.metadata.authoritative && answer.metadata.recursion_desired);
    assert!(!answer.metadata.recursion_available && answer.metadata.id == 7);
}

#[test]
fn an_empty_answer_carries_the_zone() {
    for (name, kind, status) in [
        ("web.service.consul.", RecordType::TXT, ResponseCode::NoError),
        ("web.service.consul.", RecordType::AAAA, ResponseCode::NoError),
        ("laptop.node.consul.", RecordType::A, ResponseCode::NoError),
        ("laptop.node.consul.", RecordType::SRV, ResponseCode::NoError),
        ("zz.addr.consul.", RecordType::A, ResponseCode::NoError),
        ("none.service.consul.", RecordType::A, ResponseCode::NXDomain),
        ("v2.web.service.consul.", RecordType::SRV, ResponseCode::NXDomain),
        ("none.node.consul.", RecordType::ANY, ResponseCode::NXDomain),
        ("web.service.dc2.consul.", RecordType::A, ResponseCode::NXDomain),
        ("consul.", RecordType::A, ResponseCode::NXDomain),
    ] {
        let answer = ask(name, kind);
        assert_eq!(answer.metadata.response_code, status, "{name} {kind}");
        assert!(answer.answers.is_empty(), "{answer}");
        let soa = BTreeSet::from([
            "SOA ns.consul. hostmaster.consul. 1700000000 3600 600 86400 0".to_owned()
        ]);
        assert_eq!(shown(&answer.authorities), soa, "{name} {kind}");
    }
}

#[test]
fn odd_names_become_no_records_or_other_names() {
    let answer = ask("odd.service.consul.", RecordType::SRV);
    let expected = [
        "SRV 1 1 1 0a000001.addr.dc1.consul.",
        "SRV 1 1 2 0a000002.addr.dc1.consul.",
        "SRV 1 1 3 a.b.node.dc1.consul.",
    ];
    assert_eq!(shown(&answer.answers), expected.map(str::to_owned).into());
    assert_eq!(answer.additionals.len(), 3);
    assert_eq!(shown(&ask("odd.service.consul.", RecordType::A).answers).len(), 3);
    // A label's bytes need not be text in ASCII.
    let mut message = question("x.service.consul.", RecordType::A, None);
    let labels = ["NAïVE".as_bytes(), b"service", b"consul"];
    message.queries[0].name = Name::from_labels(labels).unwrap();
    message.queries[0].name.set_fqdn(true);
    let answer = asked(&message, &Shop { web: 0 }, Way::Datagram);
    assert_eq!(shown(&answer.answers), ["A 127.0.0.1".to_owned()].into());
}

#[test]
fn the_same_is_said_once() {
    assert_eq!(ask("same.service.consul.", RecordType::A).answers.len(), 1);
    let answer = ask("same.service.consul.", RecordType::SRV);
    assert_eq!((answer.answers.len(), answer.additionals.len()), (2, 1));
}

#[test]
fn orders_vary() {
    let shop = Shop { web: 20 };
    let question = question("web.service.consul.", RecordType::A, Some(4096));
    let order = |seed| bytes(&question, &shop, Way::Datagram, &Limits::default(), seed).unwrap();
    assert_eq!(order(1), order(1));
    let orders: BTreeSet<Vec<u8>> = (0..10).map(order).collect();
    assert_eq!(orders.len(), 10);
}

#[test]
fn a_client_gets_what_it_can_take() {
    let shop = Shop { web: 300 };
    let name = "web.service.consul.";
    for kind in [RecordType::A, RecordType::SRV] {
        for payload in [513_u16, 600, 1232, 1400, 4096, 65535] {
            let question = question(name, kind, Some(payload));
            let told = Limits { cut: Cut::Told, ..Limits::default() };
            let bytes = bytes(&question, &shop, Way::Datagram, &told, 0).unwrap();
            let room = usize::from(payload.min(4096));
            let answer = Message::from_vec(&bytes).unwrap();
            let each = if kind == RecordType::A { 16 } else { 90 };
            assert!(bytes.len() <= room && bytes.len() + each > room, "{payload}: {}", bytes.len());
            assert!(answer.metadata.truncation);
            if kind == RecordType::SRV {
                assert_eq!(answer.answers.len(), answer.additionals.len());
            }
        }
        for payload in [None, Some(0), Some(512)] {
            let answer = asked(&question(name, kind, payload), &shop, Way::Datagram);
            assert_eq!(answer.answers.len(), 3);
            assert!(!answer.metadata.truncation, "nobody wanted to be told");
        }
    }
    // What fits is not called cut.
    let told = Limits { cut: Cut::Told, ..Limits::default() };
    let plain = question(name, RecordType::A, None);
    let bytes = bytes(&plain, &Shop { web: 3 }, Way::Datagram, &told, 0).unwrap();
    assert!(!Message::from_vec(&bytes).unwrap().metadata.truncation);
}

#[test]
fn a_stream_takes_what_a_message_can_hold() {
    let question = question("web.service.consul.", RecordType::SRV, None);
    let all = asked(&question, &Shop { web: 500 }, Way::Stream);
    assert_eq!((all.answers.len(), all.additionals.len()), (500, 500));
    let told = Limits { cut: Cut::Told, ..Limits::default() };
    let bytes = bytes(&question, &Shop { web: 10_000 }, Way::Stream, &told, 0).unwrap();
    let most = Message::from_vec(&bytes).unwrap();
    assert!(bytes.len() > 65_000, "{}", bytes.len());
    assert_eq!(most.answers.len(), most.additionals.len());
    assert!(most.metadata.truncation);
    let named: BTreeSet<String> = most.additionals.iter().map(|a| a.name.to_ascii()).collect();
    for answer in &most.answers {
        let RData::SRV(srv) = &answer.data else { panic!("{answer}") };
        assert!(named.contains(&srv.target.to_ascii()));
    }
}

#[test]
fn what_is_not_ours_is_refused() {
    let refused = |message: &Message| {
        let answer = asked(message, &Shop { web: 1 }, Way::Stream);
        assert!(answer.answers.is_empty() && !answer.metadata.authoritative, "{answer}");
        answer.metadata.response_code == ResponseCode::Refused
    };
    for name in ["example.com.", ".", "notconsul.", "consul.example."] {
        assert!(refused(&question(name, RecordType::A, None)), "{name}");
    }
    assert!(refused(&question("consul.", RecordType::AXFR, None)));
    let mut chaos = question("web.service.consul.", RecordType::A, None);
    chaos.queries[0].set_query_class(DNSClass::CH);
    assert!(refused(&chaos));
}

#[test]
fn what_cannot_be_read_is_said_to_be_so() {
    let shop = Shop { web: 1 };
    let status = |bytes: &[u8]| {
        let answer = reply(bytes, &shop, Way::Datagram, &Limits::default(), moment(0))?;
        Some(Message::from_vec(&answer).unwrap().metadata.response_code)
    };
    let good = question("web.service.consul.", RecordType::A, None);
    let bytes = good.to_vec().unwrap();
    assert_eq!(status(&bytes), Some(ResponseCode::NoError));
    assert_eq!(status(&[]), None);
    assert_eq!(status(&bytes[..11]), None);
    assert_eq!(status(&bytes[..12]), Some(ResponseCode::FormErr));
    assert_eq!(status(&bytes[..bytes.len() - 1]), Some(ResponseCode::FormErr));
    // A name that points at itself.
    let mut looped = bytes[..12].to_vec();
    looped.extend([0xc0, 12, 0, 1, 0, 1]);
    assert_eq!(status(&looped), Some(ResponseCode::FormErr));
    let mut answer = bytes.clone();
    answer[2] |= 0x80;
    assert_eq!(status(&answer), None);
    let mut update = bytes.clone();
    update[2] |= 5 << 3;
    assert_eq!(status(&update), Some(ResponseCode::NotImp));
    let mut two = good;
    two.add_query(Query::query(Name::from_ascii("consul.").unwrap(), RecordType::SOA));
    assert_eq!(status(&two.to_vec().unwrap()), Some(ResponseCode::FormErr));
}

proptest! {
    /// Whatever arrives: no panic, and an answer that can be read and is not too long.
    #[test]
    fn anything_may_arrive(
        noise in proptest::collection::vec(any::<u8>(), 0..80),
        at in 0usize..60,
        kind in 0u16..300,
    ) {
        let shop = Shop { web: 40 };
        let known = question("web.service.consul.", RecordType::from(kind), Some(1232));
        let mut mutated = known.to_vec().unwrap();
        let end = mutated.len().min(at + noise.len() / 8);
        mutated.splice(at.min(end)..end, noise.iter().take(noise.len() / 8).copied());
        for request in [noise, mutated] {
            for (way, room) in [(Way::Datagram, 4096), (Way::Stream, 65535)] {
                let answer = reply(&request, &shop, way, &Limits::default(), moment(0));
                if let Some(answer) = answer {
                    prop_assert!(answer.len() <= room);
                    prop_assert_eq!(&answer[..2], &request[..2]);
                    prop_assert!(Message::from_vec(&answer).is_ok());
                }
            }
        }
    }
}
