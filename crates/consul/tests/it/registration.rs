//! Registering, heartbeats, repairing, deregistering.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Deregistration, Registration, Status};
use serde_json::json;
use testkit::{Consul, wait_until};

use crate::support::{LONG, Scene, client_with, lines, registration};

#[test]
fn an_instance_comes_stays_and_goes() {
    let scene = Scene::start();
    let app = Arc::new(registration("app"));
    scene.registrar.passing(&app);
    scene.wait_for("app", "passing");
    let found = &scene.consul.services()["app-host"];
    assert_eq!(found["Address"], "10.1.2.3");
    assert_eq!(found["Port"], 8000);
    assert_eq!(found["Tags"], json!(["a", "b"]));
    assert_eq!(found["Meta"], json!({"version": "1"}));
    let checks = scene.consul.get("/v1/agent/checks").json();
    assert_eq!(checks["service:app-host"]["ServiceID"], "app-host");

    assert_eq!(scene.deregister("app-host", LONG), Deregistration::Acknowledged);
    assert_eq!(scene.consul.services(), json!({}));
    assert_eq!(scene.lines(log::Level::Info), Vec::<String>::new());
}

#[test]
fn without_heartbeats_the_ttl_expires_and_a_passing_check_mends_it() {
    let scene = Scene::start();
    let app = Arc::new(Registration { ttl: Duration::from_secs(1), ..registration("app") });
    {
        let _checks = scene.checks(&[Arc::clone(&app)], Duration::from_millis(200));
        scene.wait_for("app", "passing");
    }
    scene.registrar.failing("app-host");
    scene.wait_for("app", "critical");
    scene.registrar.passing(&app);
    scene.wait_for("app", "passing");
}

#[test]
fn an_announced_instance_has_its_status_before_the_first_check() {
    let scene = Scene::start();
    scene.registrar.announce(&Arc::new(registration("app")), Status::Warning);
    scene.wait_for("app", "warning");
    scene.registrar.passing(&Arc::new(registration("app")));
    scene.wait_for("app", "passing");
}

#[test]
fn what_the_agent_lost_is_registered_again_by_the_next_heartbeat() {
    let scene = Scene::start();
    let app = Arc::new(registration("app"));
    scene.registrar.passing(&app);
    scene.wait_for("app", "passing");
    scene.consul.deregister("app-host");
    assert_eq!(scene.consul.health("app"), []);
    scene.registrar.passing(&app);
    scene.wait_for("app", "passing");
}

#[test]
fn a_changed_address_is_put_right_and_overridden_tags_are_left_alone() {
    let scene = Scene::start();
    let app = Arc::new(Registration { enable_tag_override: true, ..registration("moved") });
    let _checks = scene.checks(&[Arc::clone(&app)], Duration::from_millis(500));
    scene.wait_for("moved", "passing");
    let foreign = json!({"ID": "moved-host", "Name": "moved", "Address": "10.9.9.9", "Port": 8000,
        "Meta": {"version": "1"}, "Tags": ["x"], "EnableTagOverride": true,
        "Check": {"CheckID": "service:moved-host", "TTL": "10s", "Status": "passing"}});
    scene.consul.register(foreign);
    wait_until("the address is right", LONG, || {
        let found = scene.consul.services()["moved-host"].clone();
        if found["Address"] == "10.1.2.3" { Ok(()) } else { Err(found.to_string()) }
    });
    assert_eq!(lines(log::Level::Info, "moved-host: changed in the catalog").len(), 1);
}

#[test]
fn names_that_mean_something_in_a_url_work() {
    let scene = Scene::start();
    let id = "web app?x=1#ü&y%2F";
    let odd = Arc::new(Registration {
        id: id.to_owned(),
        check_id: format!("service:{id}"),
        ..registration("odd name&tag=b")
    });
    scene.registrar.passing(&odd);
    wait_until("it is there", LONG, || scene.consul.services().get(id).cloned());
    scene.registrar.passing(&odd);
    assert_eq!(scene.deregister(id, LONG), Deregistration::Acknowledged);
    assert_eq!(scene.consul.services(), json!({}));
    assert_eq!(lines(log::Level::Warn, id), Vec::<String>::new());
}

#[test]
fn a_new_check_id_replaces_the_old_check() {
    let scene = Scene::start();
    scene.registrar.passing(&Arc::new(registration("app")));
    scene.wait_for("app", "passing");
    let renamed = Registration { check_id: "app-host".to_owned(), ..registration("app") };
    scene.registrar.passing(&Arc::new(renamed));
    wait_until("only the new check is there", LONG, || {
        let checks = scene.consul.get("/v1/agent/checks").json();
        let ids: Vec<String> = checks.as_object().unwrap().keys().cloned().collect();
        if ids == ["app-host"] { Ok(()) } else { Err(format!("{ids:?}")) }
    });
}

#[test]
fn many_instances_leave_at_once() {
    let scene = Scene::start();
    let many: Vec<_> = (0..100).map(|n| Arc::new(registration(&format!("app{n}")))).collect();
    for one in &many {
        scene.registrar.passing(one);
    }
    wait_until("all are there", LONG, || scene.consul.services().as_object().unwrap().len() == 100);
    let begun = Instant::now();
    let leaving: Vec<_> = many.iter().map(|r| scene.registrar.deregister(&r.id, LONG)).collect();
    for one in leaving {
        assert_eq!(scene.runtime.wait(one), Deregistration::Acknowledged);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(scene.consul.services(), json!({}));
}

#[test]
fn an_instance_that_was_never_sent_leaves_without_a_request() {
    let scene = Scene::start();
    assert_eq!(scene.deregister("nobody", Duration::ZERO), Deregistration::Acknowledged);
}

#[test]
fn a_token_is_refused_and_another_is_accepted() {
    let scene = Scene::around(Consul::start_with(json!({
        "primary_datacenter": "dc1",
        "acl": {"enabled": true, "default_policy": "deny",
            "tokens": {"master": "c0ffee", "default": "c0ffee"}}
    })));
    let with = |token: &str| {
        let token = Some(consul::Token::Value(token.to_owned()));
        let catalog = client_with(&scene.consul.address(), |options| options.token = token);
        scene.runtime.enter(|| catalog::Registrar::spawn(catalog)).0
    };
    let app = Arc::new(registration("acl"));
    let stranger = with("5ec2e7");
    stranger.passing(&app);
    let told = wait_until("a warning", LONG, || lines(log::Level::Warn, "acl-host: ").pop());
    assert_eq!(told, "acl-host: registration refused: HTTP 403: ACL not found");
    stranger.passing(&app);
    // Somebody unknown takes nothing out, either; what was refused was never there.
    let left = stranger.deregister("acl-host", Duration::ZERO);
    assert_eq!(scene.runtime.wait(left), Deregistration::Acknowledged);
    assert_eq!(scene.consul.services(), json!({}));

    let friend = with("c0ffee");
    friend.passing(&app);
    scene.wait_for("acl", "passing");
    assert_eq!(lines(log::Level::Warn, "acl-host: ").len(), 1, "one line, however often refused");
    assert_eq!(lines(log::Level::Trace, "5ec2e7"), Vec::<String>::new());
}
