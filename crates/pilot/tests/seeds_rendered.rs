//! The articles' templates over a real Consul, by the whole program, in both of the ways in which
//! it renders: called as `consul-template`, and from its own configuration. What comes out is what
//! nginx takes.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

#[path = "support/link.rs"]
mod link;
mod support;

use std::path::Path;

use link::Link;
use serde_json::json;
use support::{PATIENCE, exit_code, output};
use testkit::{Consul, Program, wait_until};

/// What nginx says of a file, without its own paths.
const CHECK: &str = "nginx -q -t -g 'pid checked.pid;' -c";

/// The articles' services: the workshop's two, and what a registrator has found on two machines.
fn catalog() -> Consul {
    let consul = Consul::start();
    let service = |name: &str, number: usize, port: u16, tags: &[&str]| {
        consul.register(json!({ "Name": name, "ID": format!("{name}-{number}"), "Port": port,
            "Address": format!("192.0.2.{number}"), "Tags": tags }));
    };
    service("customers", 1, 4000, &[]);
    service("customers", 2, 4000, &[]);
    service("sales", 3, 3000, &[]);
    service("paas-monitor", 4, 49153, &["http"]);
    service("paas-monitor", 5, 49154, &["http"]);
    service("paas-monitor-admin", 4, 49155, &["admin-http"]);
    // At the address of its node; and one that is ill.
    consul.register(json!({ "Name": "sales", "ID": "sales-near", "Port": 3001 }));
    consul.register(json!({ "Name": "customers", "ID": "customers-ill", "Port": 4001,
        "Check": { "TTL": "60s", "Status": "critical" } }));
    consul
}

fn template(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(name);
    std::fs::read_to_string(file).expect("a template")
}

/// The file as the pilot renders it, which `nginx -t` has accepted.
fn by_the_pilot(consul: &Consul, name: &str) -> String {
    let program = Program::new(env!("CARGO_BIN_EXE_containerpilot"))
        .file("nginx.conf.ctmpl", template(name))
        .args(["-config", "app.json"]);
    let config = json!({ "consul": consul.address(), "control": { "socket": "control.socket" },
        "templates": [{ "name": "nginx", "source": program.path("nginx.conf.ctmpl"),
            "destination": program.path("nginx.conf"),
            "check": ["sh", "-c", format!("{CHECK} \"$0\"")] }],
        "jobs": [{ "name": "nginx", "exec": "touch rendered",
            "when": { "source": "template.nginx", "once": "changed" } }] });
    let run = program.file("app.json", config.to_string()).spawn();
    wait_until("the file is rendered", PATIENCE, || {
        run.read("rendered").map(drop).ok_or_else(|| output(&run))
    });
    run.read("nginx.conf").expect("a file")
}

/// The file as a script gets it, with the command line of the articles.
fn by_consul_template(consul: &Consul, name: &str) -> String {
    let link = Link::new();
    let mut run = Program::new(link.path())
        .file("nginx.conf.ctmpl", template(name))
        .args(["-once", "-consul", &consul.address(), "-template"])
        .arg(format!("nginx.conf.ctmpl:nginx.conf:{CHECK} $PWD/nginx.conf"))
        .spawn();
    let finished = run.wait(PATIENCE);
    assert_eq!(exit_code(&finished), 0, "{finished:#?}");
    run.read("nginx.conf").expect("a file")
}

#[test]
fn the_workshops_proxy_is_rendered() {
    let consul = catalog();
    let text = by_consul_template(&consul, "nginx.conf.ctmpl");
    insta::assert_snapshot!("workshop", text);
    assert_eq!(by_the_pilot(&consul, "nginx.conf.ctmpl"), text);
}

#[test]
fn the_workshops_proxy_is_rendered_without_any_service() {
    let consul = Consul::start();
    let text = by_consul_template(&consul, "nginx.conf.ctmpl");
    for word in ["upstream customers", "upstream sales", "proxy_pass"] {
        assert!(!text.contains(word), "{text}");
    }
    assert_eq!(by_the_pilot(&consul, "nginx.conf.ctmpl"), text);
}

#[test]
fn the_platforms_router_is_rendered() {
    let consul = catalog();
    let text = by_consul_template(&consul, "router.conf.ctmpl");
    insta::assert_snapshot!("router", text);
    assert_eq!(by_the_pilot(&consul, "router.conf.ctmpl"), text);
}
