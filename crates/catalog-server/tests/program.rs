//! `catalog-server` as a program.

use std::time::Duration;

use testkit::{Ended, Program, Signal, http};

const SOON: Duration = Duration::from_secs(10);

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_catalog-server"))
}

#[test]
fn tells_its_port_serves_and_stops() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut running = program().args(["-http", "127.0.0.1:0", "-node", "laptop"]).spawn();
        let line = running.wait_for_line("listening on http://127.0.0.1:");
        let address = line.rsplit('/').next().unwrap().to_owned();
        let nodes = http("GET", &address, "/v1/catalog/nodes?pretty", "").unwrap();
        assert!(nodes.body.contains("\"Node\": \"laptop\""), "{}", nodes.body);
        running.signal(signal);
        assert_eq!(running.wait(SOON).ended, Ended::Code(0));
    }
}

#[test]
fn answers_dns() {
    let mut running = program().args(["-http", "127.0.0.1:0", "-dns", "127.0.0.1:0"]).spawn();
    let line = running.wait_for_line("answering DNS on ");
    let (host, port) = line.rsplit(' ').next().unwrap().rsplit_once(':').unwrap();
    let address = running.wait_for_line("listening on http://");
    let address = address.rsplit('/').next().unwrap();
    let register = |body: &str| {
        let answer = http("PUT", address, "/v1/agent/service/register", body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    let web = |id: &str, ip: &str, tag: &str, status: &str| {
        register(&format!(
            r#"{{"ID":"{id}","Name":"Web","Address":"{ip}","Port":80,"Tags":["{tag}"],
                "Check":{{"TTL":"60s","Status":"{status}"}}}}"#
        ));
    };
    let at = format!("@{host}");
    let dig = |question: &[&str]| {
        let args = ["+short", "+time=5", &at, "-p", port];
        let finished = Program::new("dig").args(args).args(question).spawn().wait(SOON);
        let mut lines: Vec<String> = finished.stdout.lines().map(str::to_owned).collect();
        lines.sort();
        lines.join(" ")
    };
    web("w1", "10.0.0.1", "blue", "passing");
    web("w2", "10.0.0.2", "green", "passing");
    web("w3", "10.0.0.3", "green", "warning");
    register(r#"{"Name":"plain","Port":99}"#);
    assert_eq!(dig(&["web.service.consul"]), "10.0.0.1 10.0.0.2");
    assert_eq!(dig(&["GREEN.web.service.dc1.consul", "+tcp"]), "10.0.0.2");
    assert_eq!(dig(&["plain.service.consul", "SRV"]), "1 1 99 localhost.node.dc1.consul.");
    assert_eq!(dig(&["localhost.node.consul"]), "127.0.0.1");
    assert_eq!(dig(&["nope.service.consul"]), "");

    // Somebody else's default address is left to them; one that was asked for is not.
    let taken = program().args(["-http", "127.0.0.1:0", "-dns", &format!("{host}:{port}")]);
    let failed = taken.spawn().wait(SOON);
    assert_eq!(failed.ended, Ended::Code(1));
    assert!(failed.stderr.contains("(-dns off does without)"), "{}", failed.stderr);
}

#[test]
fn help_and_version() {
    let help = program().arg("-help").spawn().wait(SOON);
    assert!(help.ended == Ended::Code(0) && help.stdout.contains("-min-deregister TIME"));
    let version = program().arg("--version").spawn().wait(SOON);
    assert_eq!(version.stdout, format!("catalog-server {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_wrong_is_said() {
    let unknown = program().arg("-htp").spawn().wait(SOON);
    assert_eq!(unknown.ended, Ended::Code(2));
    assert_eq!(unknown.stderr, "catalog-server: unknown flag -htp (-help lists the flags)\n");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failed = program().args(["-http", &address]).spawn().wait(SOON);
    assert_eq!(failed.ended, Ended::Code(1));
    assert!(failed.stderr.contains(&format!("cannot listen on {address}: ")), "{}", failed.stderr);
}
