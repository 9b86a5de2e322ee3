//! Rendering from real catalogs, in good times and bad.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::json;
use testkit::{Consul, Etcd, free_port, wait_until};

use crate::support::{PATIENCE, await_file, end, program, put, register, run, settings, stop};

const TOKEN: &str = "7f6a2f0a-6f43-4d3c-8d7f-2a1d5c1b9e10";

const WRONG: &str = "11111111-2222-3333-4444-555555555555";

/// As the article has it: an upstream for each service that there is, and a location for it.
const NGINX: &str = r#"
{{ range services }}{{ if .Name | regexMatch "^(customers|sales)$" }}upstream {{ .Name }} {
{{ range service .Name }}  server {{ .Address }}:{{ .Port }};
{{ end }}}
{{ end }}{{ end }}"#;

#[test]
fn the_line_of_the_article() {
    let consul = Consul::start();
    let program = program(&["-once", "-consul", &consul.address(), "-template"])
        .arg("nginx.conf.ctmpl:nginx.conf:cat nginx.conf >>reloaded")
        .file("nginx.conf.ctmpl", NGINX);
    // Nothing is an answer.
    assert_eq!(run(&program).0, 0);
    assert_eq!(fs::read_to_string(program.path("nginx.conf")).unwrap(), "\n");
    register(&consul, "sales", 3000);
    register(&consul, "customers", 4000);
    register(&consul, "customers", 4001);
    let (code, finished) = run(&program);
    assert_eq!((code, finished.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(fs::read_to_string(program.path("nginx.conf")).unwrap());
}

#[test]
fn a_key_that_is_not_there_is_waited_for() {
    let consul = Consul::start();
    let mut running = program(&["-once", "-template", "in:out"])
        .env("CONSUL_HTTP_ADDR", consul.address())
        .file("in", "{{ key \"a/b\" }}{{ keyOrDefault \"c\" \"d\" }}")
        .spawn();
    let line = running.wait_for_line("[WARN] in waits: ");
    assert!(line.contains("a/b"), "{line}");
    put(&consul, "a/b", "x");
    assert_eq!(end(&mut running).0, 0);
    assert_eq!(running.read("out").as_deref(), Some("xd"));
}

#[test]
fn a_catalog_that_is_not_there_yet_is_waited_for() {
    let mut consul = Consul::start();
    put(&consul, "a", "1");
    consul.kill();
    let mut running = program(&["-consul", &consul.address(), "-log-level", "info"])
        .args(["-template", "in:out"])
        .file("in", "{{ range service \"web\" }}{{ .Port }} {{ end }}")
        .file("out", "old")
        .spawn();
    running.wait_for_line("[WARN] consul at");
    assert_eq!(running.read("out").as_deref(), Some("old"));
    consul.restart_empty();
    await_file(&running, "out", "");
    register(&consul, "web", 80);
    await_file(&running, "out", "80 ");
    // An outage changes nothing, and is one line.
    consul.kill();
    let outages =
        |running: &testkit::Running| running.stderr_so_far().matches("[WARN] consul at").count();
    wait_until("the outage is noticed", PATIENCE, || outages(&running) == 2);
    assert_eq!(running.read("out").as_deref(), Some("80 "));
    consul.restart_empty();
    await_file(&running, "out", "");
    assert_eq!(outages(&running), 2, "one line each: {}", running.stderr_so_far());
    assert_eq!(stop(&mut running).0, 0);
}

#[test]
fn etcd_is_a_catalog_too() {
    let etcd = Etcd::start();
    let template = "{{ keyOrDefault \"nothing\" \"none\" }}{{ range service \"web\" }}x{{ end }}\n";
    let by_flag = program(&["-once", "-etcd", &etcd.address(), "-template", "in"]);
    let by_file = program(&["-once", "-config", "c.hcl", "-template", "in"]).file(
        "c.hcl",
        format!("etcd {{ endpoints = [\"http://{}\"], prefix = \"/services\" }}", etcd.address()),
    );
    for program in [by_flag, by_file] {
        let (code, finished) = run(&program.file("in", template));
        assert_eq!((code, finished.stdout.as_str()), (0, "none\n"), "{}", finished.stderr);
    }
}

#[test]
fn keys_of_etcd_are_followed() {
    let etcd = Etcd::start();
    etcd.put("app/colour", "blue");
    let url = format!("http://{}", etcd.address());
    let mut running = program(&["-etcd", &url, "-template", "in:out"])
        .file("in", "{{ key \"app/colour\" }}{{ range ls \"app\" }} {{ .Key }}{{ end }}\n")
        .spawn();
    await_file(&running, "out", "blue colour\n");
    etcd.put("app/colour", "red");
    await_file(&running, "out", "red colour\n");
    assert_eq!(stop(&mut running).0, 0);
}

#[test]
fn tokens_by_flag_file_and_variable() {
    let consul = Consul::start_with(json!({ "primary_datacenter": "dc1",
        "acl": { "enabled": true, "default_policy": "deny",
            "tokens": { "master": TOKEN, "default": TOKEN } } }));
    let address = consul.address();
    let put = |path: &str, body: &str| {
        // The token is known a moment after the leader.
        wait_until(path, PATIENCE, || {
            let response = consul.request("PUT", &format!("{path}?token={TOKEN}"), body);
            if response.status == 200 { Ok(()) } else { Err(response.body) }
        });
    };
    put("/v1/kv/a", "1");
    // From now on who has no token may do nothing.
    put("/v1/agent/token/default", &json!({ "Token": "" }).to_string());
    let asked = |args: &[&str]| {
        program(&["-once", "-consul-addr", &address, "-template", "in"])
            .args(args)
            .file("in", "{{ key \"a\" }}\n")
            .file("token", TOKEN)
            .file("c", settings(json!({ "consul": { "token": TOKEN } })))
    };
    for program in [
        asked(&["-consul-token", TOKEN]),
        asked(&["--token", TOKEN]),
        asked(&["-consul-token-file", "token"]),
        asked(&["-config", "c"]),
        asked(&[]).env("CONSUL_HTTP_TOKEN", TOKEN),
        asked(&[]).env("CONSUL_TOKEN", TOKEN),
        // Flags win.
        asked(&["-consul-token", TOKEN]).env("CONSUL_HTTP_TOKEN", WRONG),
    ] {
        let (code, finished) = run(&program);
        assert_eq!((code, finished.stdout.as_str()), (0, "1\n"), "{}", finished.stderr);
    }
    // Who may not read waits, and hears why; the token is not in the log.
    let mut running = asked(&["-consul-token", WRONG]).spawn();
    running.wait_for_line("[WARN] in waits: ");
    let finished = stop(&mut running).1;
    assert!(!finished.stderr.contains(WRONG), "{}", finished.stderr);
}

#[test]
fn an_outage_is_one_line() {
    let address = format!("127.0.0.1:{}", free_port());
    let mut running = program(&["-consul", &address, "-template", "in:out"])
        .file("in", "{{ range nodes }}{{ end }}{{ range services }}{{ end }}{{ key \"a\" }}")
        .spawn();
    running.wait_for_line("[WARN] consul at");
    let begin = Instant::now();
    wait_until("more would have been said", PATIENCE, || begin.elapsed() > Duration::from_secs(7));
    let finished = stop(&mut running).1;
    assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
}

#[test]
fn a_key_that_goes_is_missed() {
    let consul = Consul::start();
    put(&consul, "a", "1");
    let address = consul.address();
    let program = program(&["-consul-addr", &address, "-template", "in:out"]);
    let mut running = program.file("in", "{{ key `a` }}").spawn();
    await_file(&running, "out", "1");
    consul.request("DELETE", "/v1/kv/a", "");
    running.wait_for_line("in waits: key \"a\" does not exist");
    put(&consul, "a", "2");
    await_file(&running, "out", "2");
}
