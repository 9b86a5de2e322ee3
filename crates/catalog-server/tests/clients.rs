//! Real clients, written by others, against this catalog: the `consul` command line and py-consul.
//! Needs scripts/install-consul and scripts/install-py-consul.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests report by panicking"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use catalog_server::{Background, Log, Options};
use testkit::{Consul, Ended, Finished, Program, Running, Signal, http};

/// Each command starts a large program, on a machine that may be busy.
const SOON: Duration = Duration::from_secs(30);

struct Catalog(Background);

impl Catalog {
    fn start() -> Self {
        let http = ([127, 0, 0, 1], 0).into();
        let node = "laptop".into();
        Self(
            Background::start(Options { http, node, log: Log::Silent, ..Options::default() })
                .unwrap(),
        )
    }

    /// The command line of `consul`, with this catalog as its agent.
    fn program(&self, args: &[&str]) -> Program {
        let address = self.0.address().to_string();
        Program::new(Consul::binary()).env("CONSUL_HTTP_ADDR", address).args(args)
    }

    /// Runs a command to its end.
    #[track_caller]
    fn run(&self, args: &[&str]) -> Finished {
        self.program(args).spawn().wait(SOON)
    }

    /// What a command that succeeds writes, without blanks around it.
    #[track_caller]
    fn consul(&self, args: &[&str]) -> String {
        let finished = self.run(args);
        assert_eq!(finished.ended, Ended::Code(0), "consul {args:?}: {finished:?}");
        finished.stdout.trim().to_owned()
    }

    /// What a command that fails complains of.
    #[track_caller]
    fn fails(&self, args: &[&str]) -> String {
        let finished = self.run(args);
        assert_eq!(finished.ended, Ended::Code(1), "consul {args:?}: {finished:?}");
        finished.stdout + &finished.stderr
    }

    #[track_caller]
    fn put(&self, path: &str, body: &str) {
        let response = http("PUT", &self.0.address().to_string(), path, body).unwrap();
        assert_eq!(response.status, 200, "PUT {path} {body}: {}", response.body);
    }
}

#[test]
fn kv() {
    let catalog = Catalog::start();
    let consul = |args: &[&str]| catalog.consul(args);
    assert!(consul(&["kv", "put", "a/b", "hello"]).contains("Data written to: a/b"));
    consul(&["kv", "put", "-flags=42", "a/c", "world"]);
    assert_eq!(consul(&["kv", "get", "a/b"]), "hello");
    let detailed = consul(&["kv", "get", "-detailed", "a/c"]);
    assert!(detailed.contains("Flags            42"), "{detailed}");
    assert_eq!(consul(&["kv", "get", "-recurse", "a/"]), "a/b:hello\na/c:world");
    assert_eq!(consul(&["kv", "get", "-keys", "-separator=/", ""]), "a/");
    let index = detailed.lines().find_map(|line| line.strip_prefix("ModifyIndex")).unwrap().trim();
    let cas = |index: &str| format!("-modify-index={index}");
    assert!(catalog.fails(&["kv", "put", "-cas", &cas("1"), "a/c", "x"]).contains("CAS failed"));
    consul(&["kv", "put", "-cas", &cas(index), "a/c", "changed"]);
    assert_eq!(consul(&["kv", "get", "a/c"]), "changed");
    assert!(catalog.fails(&["kv", "delete", "-cas", &cas("1"), "a/c"]).contains("CAS failed"));

    let exported = consul(&["kv", "export", "a/"]);
    consul(&["kv", "delete", "a/b"]);
    assert!(catalog.fails(&["kv", "get", "a/b"]).contains("No key exists at: a/b"));
    consul(&["kv", "delete", "-recurse", "a/"]);
    assert_eq!(consul(&["kv", "get", "-recurse"]), "");
    let import = catalog.program(&["kv", "import", "-"]).stdin(&exported).spawn().wait(SOON);
    assert_eq!(import.ended, Ended::Code(0), "{import:?}");
    assert_eq!(consul(&["kv", "export", "a/"]), exported);
}

#[test]
fn services_nodes_and_maintenance() {
    let catalog = Catalog::start();
    let consul = |args: &[&str]| catalog.consul(args);
    assert_eq!(consul(&["catalog", "datacenters"]), "dc1");
    let register = ["services", "register", "-name=web", "-port=80", "-tag=x", "-address=10.0.0.1"];
    assert_eq!(consul(&register), "Registered service: web");
    let file = r#"{"service": {"name": "db", "port": 5432, "meta": {"k": "v"},
        "checks": [{"name": "alive", "ttl": "30s", "status": "passing"}]}}"#;
    let from_file = catalog.program(&["services", "register", "db.json"]).file("db.json", file);
    let from_file = from_file.spawn().wait(SOON);
    assert_eq!(from_file.ended, Ended::Code(0), "{from_file:?}");
    let tags = consul(&["catalog", "services", "-tags"]);
    let names: Vec<&str> = tags.split_whitespace().collect();
    assert_eq!(names, ["consul", "db", "web", "x"]);
    let nodes = consul(&["catalog", "nodes", "-service=web", "-detailed"]);
    assert!(nodes.contains("laptop") && nodes.contains("127.0.0.1"), "{nodes}");
    assert!(consul(&["catalog", "nodes", "-near=_agent"]).contains("laptop"));
    assert!(consul(&["members"]).contains("laptop"));

    consul(&["maint", "-enable", "-service=web", "-reason=broken"]);
    consul(&["maint", "-enable", "-reason=all of it"]);
    let maintained = consul(&["maint"]);
    assert!(maintained.contains("broken") && maintained.contains("all of it"), "{maintained}");
    consul(&["maint", "-disable", "-service=web"]);
    consul(&["maint", "-disable"]);
    assert_eq!(consul(&["maint"]), "");
    assert_eq!(consul(&["services", "deregister", "-id=web"]), "Deregistered service: web");
    consul(&["services", "deregister", "-id=db"]);
    assert_eq!(consul(&["catalog", "services"]), "consul");
}

/// A `consul watch` of one type: it hands each state to `cat`, so that its output tells them all.
fn watch(catalog: &Catalog, what: &[&str]) -> Running {
    let args: Vec<&str> = ["watch"].iter().chain(what).chain(&["cat"]).copied().collect();
    catalog.program(&args).spawn()
}

#[test]
fn watches() {
    let catalog = Catalog::start();
    let register = |tags: &str| {
        let body = format!(r#"{{"Name":"web","Tags":["{tags}"],"Check":{{"TTL":"60s"}}}}"#);
        catalog.put("/v1/agent/service/register", &body);
    };
    register("first");
    catalog.put("/v1/kv/app/one", "1");
    let mut services = watch(&catalog, &["-type=services"]);
    let mut nodes = watch(&catalog, &["-type=nodes"]);
    let mut service = watch(&catalog, &["-type=service", "-service=web", "-passingonly=true"]);
    let mut state = watch(&catalog, &["-type=checks", "-state=warning"]);
    let mut checks = watch(&catalog, &["-type=checks", "-service=web"]);
    let mut key = watch(&catalog, &["-type=key", "-key=app/one"]);
    let mut prefix = watch(&catalog, &["-type=keyprefix", "-prefix=app/"]);
    let mut event = watch(&catalog, &["-type=event", "-name=deploy"]);
    // All have told how it is now; the key's value is in base64.
    services.wait_for_line("first");
    nodes.wait_for_line("laptop");
    service.wait_for_line("[]");
    state.wait_for_line("[]");
    checks.wait_for_line("critical");
    key.wait_for_line("\"MQ==\"");
    prefix.wait_for_line("MQ==");

    register("second");
    services.wait_for_line("second");
    catalog.put("/v1/catalog/register", r#"{"Node":"far","Address":"10.0.0.9"}"#);
    nodes.wait_for_line("far");
    catalog.put("/v1/agent/check/warn/service:web?note=hm", "");
    state.wait_for_line("hm");
    catalog.put("/v1/agent/check/pass/service:web?note=fine", "");
    service.wait_for_line("fine");
    checks.wait_for_line("fine");
    catalog.put("/v1/kv/app/one", "2");
    key.wait_for_line("Mg==");
    catalog.put("/v1/kv/app/deep/two", "3");
    prefix.wait_for_line("app/deep/two");
    let fired = catalog.consul(&["event", "-name=deploy", "now"]);
    event.wait_for_line(fired.strip_prefix("Event ID: ").unwrap());
}

#[test]
fn two_locks_exclude_each_other() {
    let catalog = Catalog::start();
    let both = catalog.program(&[]).script(
        "critical",
        // The folder can be made by one at a time.
        "mkdir busy || exit 7\nsleep 0.2\nrmdir busy\necho \"$CONSUL_LOCK_HELD $1\" >>done",
    );
    let lock = |name: &str| {
        let command = format!("cd {} && ./critical {name}", both.dir().display());
        catalog.program(&["lock", "-child-exit-code", "app/lock", &command]).spawn()
    };
    let mut running: Vec<Running> = ["one", "two", "three"].map(lock).into();
    for one in &mut running {
        let finished = one.wait(2 * SOON);
        assert_eq!(finished.ended, Ended::Code(0), "{finished:?}");
    }
    let done = std::fs::read_to_string(both.path("done")).unwrap();
    let mut done: Vec<&str> = done.lines().collect();
    done.sort_unstable();
    assert_eq!(done, ["true one", "true three", "true two"]);

    // One that is asked to stop gives the lock back.
    let mut holder = catalog.program(&["lock", "app/lock", "echo held; sleep 60"]).spawn();
    holder.wait_for_line("held");
    let refused = catalog.run(&["lock", "-try=300ms", "app/lock", "echo never"]);
    assert_ne!(refused.ended, Ended::Code(0), "{refused:?}");
    assert!(!refused.stdout.contains("never"), "{refused:?}");
    holder.signal(Signal::SIGTERM);
    let next = catalog.consul(&["lock", "app/lock", "echo mine"]);
    assert_eq!(next, "mine");
}

#[test]
fn py_consul() {
    let catalog = Catalog::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/py_consul.py");
    let port = catalog.0.address().port().to_string();
    let finished = Program::new(python()).arg(script).arg(port).spawn().wait(2 * SOON);
    assert_eq!(finished.ended, Ended::Code(0), "{}{}", finished.stdout, finished.stderr);
    assert_eq!(finished.stdout, "all is well\n");
}

/// The interpreter with py-consul: `PY_CONSUL`, else what `scripts/install-py-consul` installs.
fn python() -> PathBuf {
    let default =
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/py-consul/bin/python");
    let path = std::env::var_os("PY_CONSUL").map_or_else(default, PathBuf::from);
    let path = path.as_path();
    assert!(
        path.is_file(),
        "this test needs py-consul, and {} is not there: run scripts/install-py-consul",
        path.display()
    );
    path.to_owned()
}
