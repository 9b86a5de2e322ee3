//! The same questions to the real Consul and to ours, asked by `dig`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests report by panicking"
)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use dns_server::{Cut, Limits};
use serde_json::json;
use support::{Dns, Lists, dig};
use testkit::{Consul, free_port, http, wait_until};

const SOON: Duration = Duration::from_secs(30);

/// Asked with and without EDNS by dig's default, which is with 1232 bytes.
const QUESTIONS: &[&str] = &[
    "one.service.consul A",
    "one.service.consul AAAA",
    "one.service.consul SRV",
    "one.service.consul ANY",
    "one.service.consul SOA",
    "one.service.consul NS",
    "one.service.dc1.consul A",
    "one.service.DC1.consul SRV",
    "one.service.dc9.consul A",
    "one.service.dc9.consul SRV",
    "six.service.consul A",
    "six.service.consul AAAA",
    "six.service.consul ANY",
    "six.service.consul SRV",
    "host.service.consul A",
    "host.service.consul AAAA",
    "host.service.consul CNAME",
    "host.service.consul ANY",
    "host.service.consul SRV",
    "hosts.service.consul SRV",
    "bare.service.consul A",
    "bare.service.consul SRV",
    "mixed.service.consul A",
    "mixed.service.consul AAAA",
    "mixed.service.consul ANY",
    "mixed.service.consul SRV",
    "BIGname.Service.CONSUL A",
    "TAG.bigname.service.consul SRV",
    "tag.bigname.service.consul A",
    "other.bigname.service.consul A",
    "same.service.consul A",
    "same.service.consul SRV",
    "none.service.consul A",
    "none.service.consul SRV",
    "none.service.consul ANY",
    "a.b.one.service.consul A",
    "my.dotted.service.consul A",
    "_one._tcp.service.consul SRV",
    "_ONE._TCP.service.dc1.consul SRV",
    "_one._udp.service.consul SRV",
    "_one._udp.service.consul A",
    "_bigname._tag.service.consul SRV",
    "_bigname._tag.service.dc1.consul SRV",
    "_one._none.service.consul SRV",
    "_one.service.consul SRV",
    "_one._tcp.service.dc9.consul SRV",
    "laptop.node.consul A",
    "LAPTOP.node.dc1.consul A",
    "laptop.node.dc9.consul A",
    "laptop.node.dc9.consul AAAA",
    "ext4.node.consul A",
    "ext6.node.consul AAAA",
    "exthost.node.consul A",
    "exthost.node.consul AAAA",
    "exthost.node.consul ANY",
    "none.node.consul A",
    "consul SOA",
    "consul NS",
    "consul A",
    "consul ANY",
    "ns.consul A",
    "service.consul A",
    "node.consul A",
    "addr.consul A",
    "x.y.consul A",
    "0a010001.addr.consul A",
    "0a010001.addr.dc1.consul A",
    "0a010001.addr.consul ANY",
    "20010db8000000000000000000000006.addr.consul AAAA",
    "one.service.consul A +norecurse",
    "one.service.consul A +cdflag",
    "one.service.consul SRV +tcp",
    "one.service.consul A +noedns",
    "one.service.consul SRV +noedns +tcp",
    "example.com A +noedns",
    "example.com A +noedns +tcp",
    ". NS +noedns",
    "same.service.consul SRV +noedns",
    "many.service.consul A +tcp",
    "many.service.consul SRV +noedns +tcp",
    "many.service.consul A +bufsize=4096 +ignore",
];

/// How many records answer, for questions that are answered with a part of the instances.
const CUT: &[&str] = &[
    "many.service.consul A +noedns +ignore",
    "many.service.consul A +bufsize=512 +ignore",
    "many.service.consul A +bufsize=513 +ignore",
    "many.service.consul A +bufsize=900 +ignore",
    "many.service.consul SRV +noedns +ignore",
    "many.service.consul SRV +bufsize=600 +ignore",
    "many.service.consul SRV +bufsize=1232 +ignore",
];

fn lists() -> Lists {
    let one = |name, tag, address: &str, port| (name, tag, address.to_owned(), port);
    let mut services = vec![
        one("one", "", "10.1.0.1", 5432),
        one("six", "", "2001:db8::6", 6),
        one("host", "", "db.example.com", 7),
        one("hosts", "", "a.example.com", 7),
        one("hosts", "", "b.example.com", 8),
        one("bare", "", "", 9),
        one("mixed", "", "2001:db8::7", 6),
        one("mixed", "", "10.1.0.9", 6),
        one("BigName", "Tag", "10.1.0.2", 5),
        one("same", "", "10.1.0.5", 1),
        one("same", "", "10.1.0.5", 2),
    ];
    services.extend((1..=60).map(|i| one("many", "", &format!("10.9.0.{i}"), i)));
    let nodes = vec![("Ext4", "10.2.2.2"), ("ext6", "2001:db8::9"), ("exthost", "ext.example.com")];
    Lists { services, nodes }
}

/// A real Consul that knows the same.
fn consul(lists: &Lists, config: &serde_json::Value) -> (Consul, SocketAddr) {
    let port = free_port();
    let mut base = json!({ "node_name": "laptop", "ports": { "dns": port } });
    for (key, value) in config.as_object().unwrap() {
        base[key] = value.clone();
    }
    let consul = Consul::start_with(base);
    let put = |path: &str, body: serde_json::Value| {
        let answer = http("PUT", &consul.address(), path, body.to_string()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    for (i, (name, tag, address, port)) in lists.services.iter().enumerate() {
        let tags = Some(tag).filter(|tag| !tag.is_empty());
        let body = json!({ "ID": format!("{name}-{i}"), "Name": name, "Address": address,
            "Port": port, "Tags": tags.into_iter().collect::<Vec<_>>() });
        put("/v1/agent/service/register", body);
    }
    for (name, address) in &lists.nodes {
        put("/v1/catalog/register", json!({ "Node": name, "Address": address }));
    }
    wait_until("Consul's catalog has all services", SOON, || {
        let many = http("GET", &consul.address(), "/v1/catalog/service/many", "").unwrap();
        let same = http("GET", &consul.address(), "/v1/catalog/service/same", "").unwrap();
        let counts = (many.json().as_array().unwrap().len(), same.json().as_array().unwrap().len());
        if counts == (60, 2) { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    (consul, SocketAddr::from(([127, 0, 0, 1], port)))
}

/// The answers that `dig` tells of, each as its lines that matter, those of a section sorted.
fn answers(told: &str) -> Vec<Vec<String>> {
    let mut answers: Vec<Vec<String>> = Vec::new();
    let mut section = "";
    for line in told.lines() {
        // Other TTLs would differ; other widths of columns do not.
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(head) = line.strip_prefix(";; ->>HEADER<<- ") {
            answers.push(vec![head.split(", id").next().unwrap().to_owned()]);
            section = "";
        }
        let Some(answer) = answers.last_mut() else { continue };
        if let Some(rest) = line.strip_prefix(";; flags:") {
            // Of the counts the additional ones differ, by TXT records.
            answer.push(rest.split("AUTHORITY").next().unwrap().to_owned());
        } else if line.ends_with("SECTION:") {
            section = ["QUESTION", "ANSWER", "AUTHORITY", "ADDITIONAL"]
                .into_iter()
                .find(|name| line.contains(name))
                .unwrap_or("");
        } else if !section.is_empty()
            && !line.is_empty()
            && !line.starts_with(";;")
            && !line.contains(" IN TXT ")
        {
            let mut words: Vec<&str> = line.split(' ').collect();
            if words.get(3) == Some(&"SOA") {
                words[6] = "SERIAL";
            }
            answer.push(format!("{section}: {}", words.join(" ")));
        }
    }
    for answer in &mut answers {
        answer[2..].sort();
        answer.dedup();
    }
    answers
}

fn counts(told: &str) -> Vec<String> {
    let flags = told.lines().filter_map(|line| line.strip_prefix(";; flags:"));
    flags.map(|flags| flags.split(", AUTHORITY").next().unwrap().to_owned()).collect()
}

#[test]
fn as_consul_answers() {
    let lists = lists();
    let (_consul, theirs) = consul(&lists, &json!({}));
    let ours = Dns::start(lists, Limits::default());
    let (expected, seen) = (dig(theirs, QUESTIONS), dig(ours.address, QUESTIONS));
    let (expected, seen) = (answers(&expected), answers(&seen));
    assert_eq!((expected.len(), seen.len()), (QUESTIONS.len(), QUESTIONS.len()));
    for (question, (expected, seen)) in QUESTIONS.iter().zip(expected.iter().zip(&seen)) {
        assert_eq!(expected, seen, "{question}: Consul's and ours");
    }
    let (expected, seen) = (counts(&dig(theirs, CUT)), counts(&dig(ours.address, CUT)));
    assert_eq!((expected.len(), &expected), (CUT.len(), &seen), "{CUT:?}: Consul's and ours");
}

#[test]
fn as_consul_says_that_it_cut() {
    let lists = lists();
    let (_consul, theirs) = consul(&lists, &json!({ "dns_config": { "enable_truncate": true } }));
    let ours = Dns::start(lists, Limits { cut: Cut::Told, ..Limits::default() });
    let questions = [CUT, &["many.service.consul A +bufsize=4096 +ignore"]].concat();
    let (expected, seen) =
        (counts(&dig(theirs, &questions)), counts(&dig(ours.address, &questions)));
    assert_eq!(expected, seen, "{questions:?}: Consul's and ours");
    assert!(seen[0].contains(" tc "), "{seen:?}");
    assert!(!seen[seen.len() - 1].contains(" tc "), "{seen:?}");
}
