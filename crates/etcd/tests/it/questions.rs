//! Questions of templates: what etcd makes of them.

use std::collections::BTreeSet;
use std::time::Duration;

use catalog::{
    Endpoint, Error, Finding, Found, Health, Keys, Listed, Node, Question, ServiceQuestion, Status,
    Survey,
};
use testkit::wait_until;

use crate::support::{LONG, Scene};

impl Scene {
    #[track_caller]
    fn answer(&self, question: &Question) -> Result<Found, Error> {
        let question = question.clone();
        self.ask(|catalog| async move { catalog.find(&question, None, Duration::ZERO).await })
    }

    #[track_caller]
    fn finding(&self, question: &Question) -> Finding {
        self.answer(question).unwrap().finding
    }
}

fn service(name: &str) -> ServiceQuestion {
    let name = name.to_owned();
    ServiceQuestion { name, tag: None, datacenter: None, near: None, health: Health::Any }
}

#[test]
fn services_are_what_stands_in_their_folders() {
    let scene = Scene::start();
    scene.put("b-1", "b", 80);
    scene.put("a-2", "a", 82);
    scene.put("a-1", "a", 81);
    let critical = r#"{"id":"a-3","name":"a","address":"10.0.0.1","status":"critical"}"#;
    scene.etcd.put("/containerpilot/a/a-3", critical);
    // Nobody's, and what nobody can read.
    scene.etcd.put("/containerpilot/a/broken", "{");
    scene.etcd.put("/containerpilot/broken/x", "[]");
    scene.etcd.put("/containerpilot/loose", critical);
    scene.etcd.put("/containerpilot-2/c/c-1", critical);

    let Finding::Service(found) = scene.finding(&Question::Service(service("a"))) else { panic!() };
    let seen: Vec<(&str, u16, Status)> =
        found.iter().map(|it| (it.id.as_str(), it.port, it.status())).collect();
    let [up, down] = [Status::Passing, Status::Critical];
    assert_eq!(seen, [("a-1", 81, up), ("a-2", 82, up), ("a-3", 0, down)]);
    assert!(found.iter().all(|Endpoint { node, .. }| **node == Node::default()));
    assert_eq!((found[0].checks.len(), found[0].checks[0].service_id.as_str()), (1, "a-1"));
    let listed = |name: &str, tags: &[&str]| Listed {
        name: name.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
    };
    let names = vec![listed("a", &["port-81", "port-82"]), listed("b", &["port-80"])];
    let found = scene.finding(&Question::Services { datacenter: None });
    assert_eq!(found, Finding::Services(names));
}

#[test]
fn what_etcd_does_not_have_is_refused_in_words_and_a_survey_says_so() {
    let scene = Scene::start();
    let elsewhere = Some("dc2".to_owned());
    let cases = [
        (Question::Datacenters, "etcd has no datacenters"),
        (Question::Nodes { datacenter: None, near: None }, "etcd has no nodes"),
        (Question::Node { name: None, datacenter: None }, "etcd has no nodes"),
        (Question::Services { datacenter: elsewhere.clone() }, "no datacenters such as \"dc2\""),
        (
            Question::Service(ServiceQuestion { datacenter: elsewhere.clone(), ..service("a") }),
            "no datacenters such as \"dc2\"",
        ),
        (
            Question::Service(ServiceQuestion { near: elsewhere.clone(), ..service("a") }),
            "no distances",
        ),
        (Question::Service(service("a/b")), "cannot be a service's name"),
        (Question::Keys { keys: Keys::One(String::new()), datacenter: None }, "no key"),
        (
            Question::Keys { keys: Keys::Under(String::new()), datacenter: elsewhere },
            "no datacenters such as \"dc2\"",
        ),
    ];
    for (question, why) in &cases {
        let refused = scene.answer(question);
        let is_told = matches!(&refused, Err(Error::Refused(said)) if said.contains(why));
        assert!(is_told, "{question}: {refused:?}");
    }
    let (question, why) = &cases[0];
    let mut survey = scene.runtime.enter(|| Survey::new(scene.catalog.clone(), LONG));
    scene.runtime.enter(|| survey.follow(BTreeSet::from([question.clone()])));
    wait_until("a survey knows it", LONG, || {
        survey.trouble(question).filter(|said| said.contains(why)).ok_or("no trouble")
    });
}

#[test]
fn indexes_of_keys_are_revisions() {
    let scene = Scene::start();
    let question = Question::Keys { keys: Keys::One("/k".to_owned()), datacenter: None };
    scene.etcd.put("/k", "1");
    scene.etcd.put("/other", "1");
    scene.etcd.put("/k", "2");
    let Found { finding: Finding::Keys(found), index } = scene.answer(&question).unwrap() else {
        panic!()
    };
    let [pair] = &found[..] else { panic!("{found:?}") };
    assert_eq!(pair.modify_index, pair.create_index + 2);
    assert_eq!(Some(pair.modify_index), index.map(|index| index.0));
    assert_eq!((pair.flags, pair.lock_index, pair.session.as_str()), (0, 0, ""));
}
