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
