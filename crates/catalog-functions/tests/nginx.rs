//! The templates of articles that people have built on, for none, one and several instances: byte
//! for byte what stands in `nginx/`, and accepted by nginx itself.
//!
//! `router.ctmpl` makes a host of each service with the tag `http`; `shop.ctmpl` has two services,
//! of which either may be missing.

#![allow(clippy::unwrap_used, clippy::panic)] // It is a test.

mod support;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use catalog::{Endpoint, Finding, Listed, Node, Question, Weights};
use catalog_functions::{Answers, Known, Need, Template};
use testkit::{Ended, Program};

/// A service: its name, its tags, and how many instances it has.
type Service = (&'static str, &'static [&'static str], u16);

fn tags(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

fn instances(all: &[Service], wanted: &str) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for (network, (name, its_tags, count)) in (0u16..).zip(all) {
        if *name != wanted {
            continue;
        }
        endpoints.extend((1..=*count).map(|number| Endpoint {
            id: format!("{name}-{number}"),
            name: (*name).to_owned(),
            address: format!("10.{network}.0.{number}"),
            port: 49152 + number,
            tags: tags(its_tags),
            meta: BTreeMap::new(),
            weights: Weights { passing: 1, warning: 1 },
            node: Arc::new(Node::default()),
            checks: Vec::new(),
        }));
    }
    endpoints
}

/// Renders a file of `nginx/`, answering as a catalog with these services would.
fn render(file: &str, services: &[Service]) -> String {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    let template = Template::parse(file, &text, &support::options()).unwrap();
    let mut answers = Answers::new();
    loop {
        let pass = template.execute(&answers);
        if pass.missing.is_empty() {
            return pass.text.unwrap();
        }
        for need in pass.missing {
            let Need::Catalog(question) = &need else { panic!("{need:?}") };
            let finding = match question {
                Question::Service(asked) => Finding::Service(instances(services, &asked.name)),
                Question::Services { .. } => {
                    let present = services.iter().filter(|(_, _, count)| *count > 0);
                    let listed = |(name, its_tags, _): &Service| Listed {
                        name: (*name).to_owned(),
                        tags: tags(its_tags),
                    };
                    Finding::Services(present.map(listed).collect())
                }
                other => panic!("{other:?}"),
            };
            answers.learn(need, Known::Catalog(Arc::new(finding)));
        }
    }
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nginx")
}

/// `nginx -t`.
fn accepted_by_nginx(configuration: &str) -> Result<(), String> {
    let binary = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx"];
    let binary = binary.into_iter().find(|path| Path::new(path).exists());
    let binary =
        binary.unwrap_or_else(|| panic!("no nginx: scripts/install-test-needs installs it"));
    let program = Program::new(binary).file("nginx.conf", configuration);
    let prefix = program.dir().display().to_string();
    let arguments = ["-t", "-p", &prefix, "-c", "nginx.conf", "-g", "pid pid; error_log stderr;"];
    let program = program.args(arguments);
    let finished = program.spawn().wait(Duration::from_secs(20));
    if finished.ended == Ended::Code(0) { Ok(()) } else { Err(finished.stderr) }
}

fn check(name: &str, cases: &[(&str, &[Service])]) {
    let mut differences = Vec::new();
    for (case, services) in cases {
        let text = render(&format!("{name}.ctmpl"), services);
        let path = folder().join(format!("{name}.{case}.conf"));
        if std::env::var_os("GOLDEN_WRITE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if text != expected {
            differences.push(format!("{name}.{case}: want\n{expected}got\n{text}"));
        }
        if let Err(error) = accepted_by_nginx(&text) {
            differences.push(format!("{name}.{case}: {error}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_host_for_each_service_with_a_tag() {
    check(
        "router",
        &[
            ("none", &[("consul", &[], 1), ("db", &["primary"], 2)]),
            ("one", &[("consul", &[], 1), ("paas-monitor", &["http"], 1)]),
            (
                "several",
                &[
                    ("consul", &[], 1),
                    ("db", &["primary"], 2),
                    ("paas-monitor", &["http", "v2"], 7),
                    ("shop", &["canary", "http"], 3),
                ],
            ),
        ],
    );
}

#[test]
fn a_location_only_if_its_service_exists() {
    check(
        "shop",
        &[
            ("none", &[("customers", &[], 0), ("sales", &[], 0)]),
            ("one", &[("customers", &[], 1), ("sales", &[], 0)]),
            ("several", &[("customers", &[], 3), ("sales", &[], 2)]),
        ],
    );
}

#[test]
fn nginx_refuses_what_is_wrong() {
    let error = accepted_by_nginx("events {}\nhttp { upstream customers { } }\n");
    let error = error.expect_err("an upstream without servers");
    assert!(error.contains("no servers are inside upstream"), "{error}");
}
