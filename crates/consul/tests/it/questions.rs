//! Questions of templates to a real agent: what only Consul knows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use catalog::{
    Catalog, Endpoint, Error, Finding, Found, Health, Keys, Question, ServiceQuestion, Status,
    Survey, Weights,
};
use consul::Token;
use serde_json::json;
use testkit::{Consul, wait_until};

use crate::fake::{Deed, Fake, ok};
use crate::support::{LONG, Runtime, client, client_with};

struct Scene {
    consul: Consul,
    catalog: Arc<dyn Catalog>,
    runtime: Runtime,
}

impl Scene {
    fn start_with(config: serde_json::Value) -> Scene {
        let consul = Consul::start_with(config);
        let catalog = client(&consul.address());
        Scene { consul, catalog, runtime: Runtime::start() }
    }

    #[track_caller]
    fn ask(&self, question: &Question) -> Result<Found, Error> {
        let (catalog, question) = (Arc::clone(&self.catalog), question.clone());
        let wait = Duration::from_secs(1);
        self.runtime.wait(async move { catalog.find(&question, None, wait).await })
    }

    #[track_caller]
    fn endpoints(&self, question: &Question) -> Vec<Endpoint> {
        match self.ask(question) {
            Ok(Found { finding: Finding::Service(found), index: Some(_) }) => found,
            other => panic!("{other:?}"),
        }
    }

    fn put(&self, path: &str) {
        assert_eq!(self.consul.request("PUT", path, "").status, 200, "{path}");
    }

    #[track_caller]
    fn is_in_maintenance(&self, check: &str, service: &str) {
        wait_until(check, LONG, || {
            let seen = self.endpoints(&any(service));
            let is_there = seen[0].checks.iter().any(|it| it.id == check);
            if is_there && seen[0].status() == Status::Critical {
                assert_eq!(self.endpoints(&passing(service)), []);
                Ok(())
            } else {
                Err(format!("{seen:?}"))
            }
        });
    }
}

fn service(name: &str, health: Health) -> ServiceQuestion {
    ServiceQuestion { name: name.to_owned(), tag: None, datacenter: None, near: None, health }
}

fn any(name: &str) -> Question {
    Question::Service(service(name, Health::Any))
}

fn passing(name: &str) -> Question {
    Question::Service(service(name, Health::Passing))
}

fn key(name: &str) -> Question {
    Question::Keys { keys: Keys::One(name.to_owned()), datacenter: None }
}

#[test]
fn an_instance_comes_with_its_node_its_checks_and_its_weights() {
    let scene = Scene::start_with(json!({}));
    scene.consul.register(json!({ "Name": "plain", "ID": "plain-1" }));
    scene.consul.register(json!({
        "Name": "rich", "ID": "rich-1", "Address": "10.0.0.7", "Port": 70000, "Tags": ["b", "a"],
        "Meta": {"k": "v"}, "Weights": {"Passing": 7, "Warning": 3},
        "Checks": [
            {"CheckID": "one", "Name": "first", "TTL": "1h", "Status": "passing", "Notes": "why"},
            {"CheckID": "two", "Name": "second", "TTL": "1h", "Status": "warning"},
        ],
    }));
    scene.put("/v1/agent/check/warn/two?note=slow");
    let rich = wait_until("the catalog has them", LONG, || {
        // A new node's own check comes a moment later.
        let slow = |it: &Endpoint| it.checks.iter().any(|check| check.output == "slow");
        let all = [scene.endpoints(&any("rich")), scene.endpoints(&any("plain"))].concat();
        if all.len() == 2 && slow(&all[0]) && all[0].checks.len() == 3 {
            Ok(all)
        } else {
            Err(format!("{all:?}"))
        }
    });
    let [rich, plain] = &rich[..] else { panic!("two") };
    assert_eq!((rich.address.as_str(), rich.port), ("10.0.0.7", 0), "a port that is none");
    assert_eq!((rich.tags.join(" "), rich.meta["k"].as_str()), ("b a".to_owned(), "v"));
    assert_eq!(rich.weights, Weights { passing: 7, warning: 3 });
    assert_eq!(rich.status(), Status::Warning);
    let mut checks: Vec<_> = rich.checks.iter().collect();
    checks.sort_by(|a, b| a.id.cmp(&b.id));
    let of = |check: &catalog::HealthCheck| {
        let catalog::HealthCheck { name, status, notes, output, service_id, .. } = check;
        format!("{name}|{}|{notes}|{output}|{service_id}", status.as_str())
    };
    assert_eq!(of(checks[0]), "first|passing|why||rich-1");
    assert_eq!(of(checks[2]), "second|warning||slow|rich-1");
    // The node's own.
    assert_eq!(of(checks[1]), "Serf Health Status|passing||Agent alive and reachable|");
    assert_eq!(scene.endpoints(&passing("rich")), []);

    assert_eq!(plain.node, rich.node);
    assert_eq!(plain.node.name, scene.consul.node());
    assert_eq!(plain.node.tagged_addresses["lan"], plain.node.address);
    assert_eq!(plain.address, plain.node.address, "it is where its node is");
    assert_eq!((plain.port, plain.weights), (0, Weights { passing: 1, warning: 1 }));
    assert_eq!(scene.endpoints(&passing("plain")), std::slice::from_ref(plain));

    scene.put("/v1/agent/service/maintenance/plain-1?enable=true");
    scene.is_in_maintenance("_service_maintenance:plain-1", "plain");
    scene.put("/v1/agent/service/maintenance/plain-1?enable=false");
    scene.put("/v1/agent/maintenance?enable=true");
    scene.is_in_maintenance("_node_maintenance", "plain");
}

#[test]
fn places_keys_and_what_consul_cannot_be_asked() {
    let scene = Scene::start_with(json!({}));
    scene.consul.register(json!({ "Name": "app", "ID": "app-1" }));
    assert_eq!(scene.consul.request("PUT", "/v1/kv/f/a?flags=42", "x").status, 200);
    let own = Question::Node { name: None, datacenter: None };
    let Ok(Found { finding: Finding::Node(Some(own)), .. }) = scene.ask(&own) else { panic!() };
    let dc = Some(own.node.datacenter.clone());
    let near = Some("_agent".to_owned());
    let question = ServiceQuestion {
        datacenter: dc.clone(),
        near: near.clone(),
        ..service("consul", Health::Any)
    };
    assert_eq!(scene.endpoints(&Question::Service(question))[0].node, own.node);
    let nodes = scene.ask(&Question::Nodes { datacenter: dc, near }).unwrap().finding;
    assert_eq!(nodes, Finding::Nodes(vec![Arc::clone(&own.node)]));
    match scene.ask(&key("f/a")).unwrap().finding {
        Finding::Keys(found) => assert_eq!(found[0].flags, 42),
        other => panic!("{other:?}"),
    }
    // Another datacenter is never taken for an empty one.
    let dc = Some("nowhere".to_owned());
    let elsewhere = [
        Question::Service(ServiceQuestion { datacenter: dc.clone(), ..service("x", Health::Any) }),
        Question::Services { datacenter: dc.clone() },
        Question::Nodes { datacenter: dc.clone(), near: None },
        Question::Node { name: Some("x".to_owned()), datacenter: dc.clone() },
        Question::Keys { keys: Keys::Under("f".to_owned()), datacenter: dc },
    ];
    for question in elsewhere {
        let found = scene.ask(&question);
        let failed = matches!(&found, Err(Error::Failed(why)) if why.contains("datacenter"));
        assert!(failed, "{question}: {found:?}");
    }
    for question in [key("/a"), key("a/../b"), key("a//b"), key(""), any("")] {
        let found = scene.ask(&question);
        assert!(matches!(found, Err(Error::Refused(_))), "{question}: {found:?}");
    }
    // What has a meaning in a path has none in a name.
    for name in ["a/b", "a?b", "a&dc=x", "é %2F"] {
        assert_eq!(scene.endpoints(&any(name)), []);
        let node = Question::Node { name: Some(name.to_owned()), datacenter: None };
        assert_eq!(scene.ask(&node).unwrap().finding, Finding::Node(None), "{name}");
    }
}

#[test]
fn a_survey_says_who_may_not_ask_and_follows_once_that_is_allowed() {
    const MASTER: &str = "c0ffee00-0000-4000-8000-000000000001";
    let scene = Scene::start_with(json!({
        "primary_datacenter": "dc1",
        "acl": {"enabled": true, "default_policy": "deny",
            "tokens": {"master": MASTER, "default": MASTER}}
    }));
    let admin = |path: &str, body: &str| {
        let made = scene.consul.request("PUT", path, body);
        assert_eq!(made.status, 200, "{path}: {}", made.body);
        made
    };
    admin("/v1/kv/secret", "x");
    // One that may nothing.
    let token = admin("/v1/acl/token", "{}").json();
    let [accessor, secret] =
        ["AccessorID", "SecretID"].map(|field| token[field].as_str().unwrap().to_owned());
    let catalog = client_with(&scene.consul.address(), |options| {
        options.token = Some(Token::Value(secret));
    });
    let mut survey = {
        let catalog = Arc::clone(&catalog);
        scene.runtime.enter(|| {
            let mut survey = Survey::new(catalog, LONG);
            survey.follow(BTreeSet::from([key("secret"), any("app")]));
            survey
        })
    };
    // Consul hides services from those who may not see them, and refuses keys.
    let said = wait_until("it says that it may not ask", LONG, || {
        survey.trouble(&key("secret")).ok_or("no trouble")
    });
    assert_eq!(said, "refused: HTTP 403: Permission denied");
    assert_eq!(survey.trouble(&any("app")), None);
    let places = {
        let catalog = Arc::clone(&catalog);
        scene.runtime.wait(async move { catalog.places().unwrap().await })
    };
    assert_eq!(places, Ok(Some(150)), "who may not read an agent's limit takes the usual one");

    let rules = r#"{"Name": "all", "Rules": "key_prefix \"\" { policy = \"read\" }"}"#;
    admin("/v1/acl/policy", rules);
    admin(&format!("/v1/acl/token/{accessor}"), r#"{"Policies": [{"Name": "all"}]}"#);
    scene.runtime.wait(async move {
        loop {
            let news = survey.news().await;
            let mut values = news.iter().filter_map(|(question, finding)| match &**finding {
                Finding::Keys(found) if *question == key("secret") => found.first(),
                _ => None,
            });
            if values.any(|pair| pair.value == b"x") {
                break;
            }
        }
        while survey.trouble(&key("secret")).is_some() {
            survey.news().await;
        }
    });
}

/// What Consul's order means, and what Go writes for what is empty.
#[test]
fn answers_are_in_order_unless_distances_are_asked_for() {
    let endpoint = |node: &str, id: &str| {
        json!({ "Node": {"Node": node, "Address": "10.0.0.9", "Meta": null},
            "Service": {"ID": id, "Service": "x", "Tags": null, "Meta": null}, "Checks": null })
    };
    let body = json!([endpoint("b", "1"), endpoint("a", "2"), endpoint("a", "1")]).to_string();
    let fake = Fake::start(Deed::Answer(ok(&body)));
    let catalog = fake.client();
    let ask = |question: Question| {
        let catalog = Arc::clone(&catalog);
        fake.runtime.wait(async move { catalog.find(&question, None, LONG).await.unwrap().finding })
    };
    let ids = |near: Option<&str>| {
        let near = near.map(str::to_owned);
        match ask(Question::Service(ServiceQuestion { near, ..service("x", Health::Any) })) {
            Finding::Service(found) => {
                assert!(found.iter().all(|it| it.status() == Status::Passing), "without checks");
                found.iter().map(|it| format!("{}{}", it.node.name, it.id)).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ids(None), ["a1", "a2", "b1"]);
    assert_eq!(ids(Some("_agent")), ["b1", "a2", "a1"]);

    fake.set(Deed::Answer(ok(&json!([{"Node": "b"}, {"Node": "a"}]).to_string())));
    let names = |near: Option<&str>| match ask(Question::Nodes {
        datacenter: None,
        near: near.map(str::to_owned),
    }) {
        Finding::Nodes(found) => found.iter().map(|it| it.name.clone()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!((names(None).join(" "), names(Some("n")).join(" ")), ("a b".into(), "b a".into()));

    let services = json!({"b": ["z", "y"], "a": null}).to_string();
    fake.set(Deed::Answer(ok(&services)));
    let listed = |name: &str, tags: &[&str]| catalog::Listed {
        name: name.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    let names = Finding::Services(vec![listed("a", &[]), listed("b", &["y", "z"])]);
    assert_eq!(ask(Question::Services { datacenter: None }), names);
    fake.set(Deed::Answer(ok(r#"["dc2", "dc1"]"#)));
    let names = Finding::Datacenters(vec!["dc1".to_owned(), "dc2".to_owned()]);
    assert_eq!(ask(Question::Datacenters), names);
    let lines = fake.lines.lock().unwrap().clone();
    assert_eq!(lines[0], "GET /v1/health/service/x? HTTP/1.1");
    assert_eq!(lines[1], "GET /v1/health/service/x?&near=_agent HTTP/1.1");

    // What is no answer is an error that may pass.
    for body in ["", "null", "{}", r#"[{"Node": {}}]"#, "[[]]"] {
        fake.set(Deed::Answer(ok(body)));
        let (catalog, question) = (Arc::clone(&catalog), any("x"));
        let found = fake.runtime.wait(async move { catalog.find(&question, None, LONG).await });
        assert!(matches!(found, Err(Error::Failed(_))), "{body}: {found:?}");
    }
}
