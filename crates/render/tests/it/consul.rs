//! A real Consul: what it says, and what becomes of files when it is killed, emptied, frozen or
//! fails.

use std::{collections::BTreeMap, time::Duration};

use render::{Event, Outcome, TemplateId};
use serde_json::json;
use testkit::{Consul, HttpStub, wait_until};

use crate::support::{LONG, Owner, client};

const WEB: &str = r#"{{range service "web"}}{{.Address}}:{{.Port}}
{{end}}"#;

/// How long a file is looked at that must not change.
const WHILE: Duration = Duration::from_secs(4);

fn register(consul: &Consul, name: &str, number: u16) {
    consul.register(json!({ "ID": format!("{name}-{number}"), "Name": name,
        "Address": format!("10.0.0.{number}"), "Port": 80 }));
}

/// Looks at the file again and again: it is what it was, whole.
#[track_caller]
fn stands(owner: &Owner, text: &str, time: Duration) {
    let until = std::time::Instant::now() + time;
    while std::time::Instant::now() < until {
        assert_eq!(owner.file(), text);
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_file_follows_what_consul_says() {
    let consul = Consul::start();
    register(&consul, "web", 1);
    let text = format!("{WEB}{{{{key \"motd\"}}}}");
    let owner = Owner::start(client(&consul.address()), &text, |_| {});
    wait_until("the key is missed", LONG, || {
        let waiting = owner.waiting();
        if waiting == ["key \"motd\" does not exist"] {
            Ok(())
        } else {
            Err(format!("{waiting:?}"))
        }
    });
    consul.request("PUT", "/v1/kv/motd", "hello");
    assert_eq!(owner.event(), Event::Rendered(TemplateId(0), Outcome::Replaced));
    assert_eq!(owner.file(), "10.0.0.1:80\nhello");
    register(&consul, "web", 2);
    owner.wait_for("10.0.0.1:80\n10.0.0.2:80\nhello");
    // A check that fails takes the instance out.
    consul.register(json!({ "ID": "web-3", "Name": "web", "Address": "10.0.0.3", "Port": 80,
        "Check": { "TTL": "600s", "Status": "passing" } }));
    owner.wait_for("10.0.0.1:80\n10.0.0.2:80\n10.0.0.3:80\nhello");
    consul.request("PUT", "/v1/agent/check/fail/service:web-3", "");
    owner.wait_for("10.0.0.1:80\n10.0.0.2:80\nhello");
    consul.request("DELETE", "/v1/kv/motd", "");
    wait_until("the key is missed", LONG, || !owner.waiting().is_empty());
    consul.deregister("web-1");
    stands(&owner, "10.0.0.1:80\n10.0.0.2:80\nhello", Duration::from_secs(1));
    consul.request("PUT", "/v1/kv/motd", "again");
    owner.wait_for("10.0.0.2:80\nagain");
}

#[test]
fn a_killed_consul_changes_nothing_and_an_empty_one_is_followed() {
    let mut consul = Consul::start();
    register(&consul, "web", 1);
    let owner = Owner::start(client(&consul.address()), WEB, |_| {});
    owner.wait_for("10.0.0.1:80\n");
    consul.kill();
    stands(&owner, "10.0.0.1:80\n", WHILE);
    consul.restart_empty();
    owner.wait_for("");
    register(&consul, "web", 2);
    owner.wait_for("10.0.0.2:80\n");
}

#[test]
fn an_empty_consul_is_not_believed_about_what_must_be_there() {
    let mut consul = Consul::start();
    for number in [1, 2] {
        register(&consul, "web", number);
        register(&consul, "db", number);
    }
    // Consul itself is a service, and remains one.
    let text = r#"{{range services}}{{if ne .Name "consul"}}{{.Name}}:{{range service .Name}} {{.ID}}{{end}}
{{end}}{{end}}"#;
    let owner = Owner::start(client(&consul.address()), text, |template| {
        template.minimum = BTreeMap::from([("web".to_owned(), 2)]);
        template.shrink_after = Duration::from_secs(600);
    });
    let whole = "db: db-1 db-2\nweb: web-1 web-2\n";
    owner.wait_for(whole);
    consul.restart_empty();
    let refused = wait_until("it is told", LONG, || {
        owner.told().into_iter().find(|event| matches!(event, Event::Failed(..)))
    });
    let reason = "service \"web\" has 0 passing instances, its minimum is 2: refused for 10m, \
                  unless they come back before";
    assert_eq!(refused, Event::Failed(TemplateId(0), reason.to_owned()));
    register(&consul, "web", 1);
    stands(&owner, &owner.file(), Duration::from_secs(1));
    // Others may be gone: at once if that was known before, else as soon as these are back.
    assert!(owner.file().ends_with("web: web-1 web-2\n"), "{}", owner.file());
    assert_eq!(owner.waiting(), [reason]);
    register(&consul, "web", 2);
    owner.wait_for("web: web-1 web-2\n");
}

#[test]
fn a_frozen_consul_changes_nothing_and_is_followed_when_it_thaws() {
    let consul = Consul::start();
    register(&consul, "web", 1);
    let owner = Owner::start(client(&consul.address()), WEB, |_| {});
    owner.wait_for("10.0.0.1:80\n");
    consul.freeze();
    stands(&owner, "10.0.0.1:80\n", WHILE);
    consul.thaw();
    register(&consul, "web", 2);
    owner.wait_for("10.0.0.1:80\n10.0.0.2:80\n");
}

/// What a Consul answers that runs but cannot do its work; and one whose index means nothing.
#[test]
fn errors_change_nothing() {
    let stub = HttpStub::start();
    let entry = |port: u16| {
        json!([{ "Node": { "Node": "n", "Address": "10.0.0.1", "Datacenter": "dc1" },
            "Service": { "ID": "web-1", "Service": "web", "Address": "", "Port": port },
            "Checks": [] }])
        .to_string()
    };
    stub.set_body(&entry(80));
    let owner = Owner::start(client(&stub.address()), WEB, |_| {});
    owner.wait_for("10.0.0.1:80\n");
    for (status, body) in [(500, "No cluster leader"), (403, "Permission denied"), (200, "{\"a\"")]
    {
        let before = stub.count();
        stub.set_status(status);
        stub.set_body(body);
        wait_until("it has asked", LONG, || stub.count() > before + 1);
        stands(&owner, "10.0.0.1:80\n", Duration::from_secs(1));
    }
    stub.set_body(&entry(81));
    owner.wait_for("10.0.0.1:81\n");
    stub.set_body("[]");
    owner.wait_for("");
}

/// One pass for each level of questions, as good as; and a change reaches the file.
#[test]
fn a_thousand_services_are_few_passes() {
    const SERVICES: u16 = 1000;
    // It takes two hundred connections from one address, as it is installed.
    let consul = Consul::start();
    // Of a node without an agent, which would take out what it does not know.
    let node = json!({ "Node": "elsewhere", "Address": "10.0.0.1" }).to_string();
    assert_eq!(consul.request("PUT", "/v1/catalog/register", node).status, 200);
    let one = |number: u16, port: u16| {
        let id = format!("s{number:04}");
        json!({ "Service": { "Verb": "set", "Node": "elsewhere",
            "Service": { "ID": id, "Service": id, "Port": port } } })
    };
    let set = |entries: Vec<serde_json::Value>| {
        let answer = consul.request("PUT", "/v1/txn", json!(entries).to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    for from in (1..SERVICES).step_by(50) {
        set((from..from + 50).map(|number| one(number, number)).collect());
    }
    let text = r#"{{range services}}{{range service .Name}}{{.Name}} {{.Port}}
{{end}}{{end}}"#;
    let owner = Owner::start(client(&consul.address()), text, |_| {});
    wait_until("it is rendered", LONG, || {
        let count = owner.file().lines().filter(|line| line.starts_with('s')).count();
        if count == usize::from(SERVICES) {
            Ok(())
        } else {
            Err(format!("{count}, {:?}", owner.waiting()))
        }
    });
    // One of four at a time would be 250.
    wait_until("it is one text of few passes", LONG, || match owner.effort() {
        effort if effort.texts == 1 && effort.passes < 50 => Ok(()),
        effort => Err(format!("{effort:?}")),
    });
    set(vec![one(7, 7777)]);
    wait_until("the change is there", LONG, || owner.file().contains("s0007 7777\n"));
    assert_eq!(owner.file().lines().count(), usize::from(SERVICES) + 1, "with Consul itself");
}
