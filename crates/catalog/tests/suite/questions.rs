//! Questions of templates: everything that a registry knows.

use std::sync::Arc;

use catalog::{
    Catalog, Endpoint, Error, Finding, Found, Health, Keys, Listed, Node, NodeServices, Pair,
    Question, Registration, ServiceQuestion, Status,
};
use tokio::time::{Instant, sleep};

use crate::registry::{LONG, MS, Places, SECOND, Scene, eventually};

impl Scene {
    /// About this scene's service.
    pub(crate) fn service(&self, health: Health) -> Question {
        Question::Service(ServiceQuestion {
            name: self.query().service,
            tag: None,
            datacenter: None,
            near: None,
            health,
        })
    }

    /// About one key of this scene.
    pub(crate) fn pair(&self, name: &str) -> Question {
        Question::Keys { keys: Keys::One(self.key(name)), datacenter: None }
    }

    /// About those that begin with this.
    pub(crate) fn pairs(&self, prefix: &str) -> Question {
        Question::Keys { keys: Keys::Under(self.key(prefix)), datacenter: None }
    }
}

pub(crate) async fn a_service_is_found_in_any_health_with_all_that_is_known_of_it(scene: Scene) {
    let catalog = scene.connect();
    let [one, two, three] = [1, 2, 3].map(|number| scene.registration(number));
    let two = Registration { tags: vec!["z".to_owned(), "y".to_owned()], ..two };
    let (any, passing) = (scene.service(Health::Any), scene.service(Health::Passing));
    assert_eq!(ask(&*catalog, &any).await, Finding::Service(Vec::new()));
    // Not in the order that is asked for.
    catalog.register(&three, Status::Critical, "just started").await.unwrap();
    catalog.register(&two, Status::Warning, "").await.unwrap();
    catalog.register(&one, Status::Passing, "").await.unwrap();
    let found = await_endpoints(&*catalog, &any, &[&one.id, &two.id, &three.id]).await;
    let seen: Vec<Status> = found.iter().map(Endpoint::status).collect();
    assert_eq!(seen, [Status::Passing, Status::Warning, Status::Critical]);
    for (found, wanted) in found.iter().zip([&one, &two, &three]) {
        let Registration { name, address, port, tags, meta, .. } = wanted;
        assert_eq!((&found.name, &found.address, found.port), (name, address, *port));
        assert_eq!((&found.tags, &found.meta), (tags, meta));
        let check = found.checks.iter().find(|check| check.service_id == wanted.id).unwrap();
        assert_eq!(&check.service_name, name);
        assert!(found.weights.passing > 0);
    }
    await_endpoints(&*catalog, &passing, &[&one.id]).await;
    for (tag, wanted) in [("y", vec![&*two.id]), ("a", vec![&*one.id, &*three.id]), ("c", vec![])] {
        let Question::Service(question) = any.clone() else { panic!() };
        let tagged = ServiceQuestion { tag: Some(tag.to_owned()), ..question };
        let tagged = Question::Service(tagged);
        await_endpoints(&*catalog, &tagged, &wanted).await;
    }
    for one in [&one, &two, &three] {
        catalog.deregister(one).await.unwrap();
    }
    await_endpoints(&*catalog, &any, &[]).await;
}

pub(crate) async fn the_names_of_services_have_the_tags_of_all_instances(scene: Scene) {
    let catalog = scene.connect();
    let [one, two] = [1, 2].map(|number| scene.registration(number));
    let two = Registration { tags: vec!["c".to_owned(), "a".to_owned()], ..two };
    let other = Registration { name: format!("{}-x", one.name), ..scene.registration(3) };
    for one in [&two, &one, &other] {
        catalog.register(one, Status::Critical, "").await.unwrap();
    }
    let question = Question::Services { datacenter: None };
    let ours = async || match ask(&*catalog, &question).await {
        Finding::Services(all) => {
            assert!(all.is_sorted_by_key(|one| one.name.clone()), "{all:?}");
            let ours = all.into_iter().filter(|listed| listed.name.starts_with(&one.name));
            ours.map(|Listed { name, tags }| (name, tags.join(" "))).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let listed = |name: &str, tags: &str| (name.to_owned(), tags.to_owned());
    let both = vec![listed(&one.name, "a b c"), listed(&other.name, "a b")];
    let without = vec![listed(&one.name, "a b")];
    for (wanted, gone) in [(both, vec![&two, &other]), (without, vec![&one]), (vec![], vec![])] {
        eventually("the names are right", async || {
            let seen = ours().await;
            if seen == wanted { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
        for one in gone {
            catalog.deregister(one).await.unwrap();
        }
    }
}

pub(crate) async fn keys_come_with_what_is_known_of_them(scene: Scene) {
    let catalog = scene.connect();
    let pairs = async |question: Question| match ask(&*catalog, &question).await {
        Finding::Keys(found) => found,
        other => panic!("{other:?}"),
    };
    assert_eq!(pairs(scene.pair("f/a")).await, []);
    assert_eq!(pairs(scene.pairs("f/")).await, []);
    let bytes: Vec<u8> = (0..=255).collect();
    for (name, value) in [("f/b", &b""[..]), ("f/a", &bytes), ("f", b"x")] {
        scene.registry.set(&scene.key(name), value);
    }
    let [first] = &pairs(scene.pair("f/a")).await[..] else { panic!("one") };
    let Pair { key, value, create_index, modify_index, session, .. } = first;
    assert_eq!((key, value), (&scene.key("f/a"), &bytes));
    assert_eq!((create_index == modify_index, session.as_str()), (true, ""));
    assert!(*create_index > 0);
    let keys = |found: &[Pair]| found.iter().map(|pair| pair.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&pairs(scene.pairs("f/")).await), ["f/a", "f/b"].map(|name| scene.key(name)));
    assert_eq!(pairs(scene.pairs("")).await.len(), 3);

    // Set again it is the same one, deleted and set it is another.
    scene.registry.set(&scene.key("f/a"), b"2");
    let [second] = &pairs(scene.pair("f/a")).await[..] else { panic!("one") };
    assert_eq!(second.create_index, first.create_index);
    assert!(second.modify_index > first.modify_index);
    scene.registry.unset(&scene.key("f/a"));
    assert_eq!(pairs(scene.pair("f/a")).await, []);
    scene.registry.set(&scene.key("f/a"), b"2");
    let [third] = &pairs(scene.pair("f/a")).await[..] else { panic!("one") };
    assert!(third.create_index > second.modify_index);
}

pub(crate) async fn nodes_and_datacenters_are_known_or_refused(scene: Scene) {
    let catalog = scene.connect();
    let own = Question::Node { name: None, datacenter: None };
    let nodes = Question::Nodes { datacenter: None, near: None };
    let strange = Question::Node { name: Some("strange".to_owned()), datacenter: None };
    if scene.traits.places == Places::Refused {
        for question in [own, nodes, strange, Question::Datacenters] {
            let refused = catalog.find(&question, None, SECOND).await;
            assert!(matches!(&refused, Err(Error::Refused(why)) if why.contains("has no")));
        }
        return;
    }
    let one = scene.registration(1);
    catalog.register(&one, Status::Critical, "").await.unwrap();
    let node = eventually("our node has our instance", async || match ask(&*catalog, &own).await {
        Finding::Node(Some(NodeServices { node, services })) => {
            let ours = services.iter().find(|service| service.id == one.id).cloned();
            let ours = ours.ok_or(format!("{services:?}"))?;
            assert!(services.is_sorted_by_key(|it| (it.name.clone(), it.id.clone())));
            let Registration { name, address, port, tags, meta, .. } = &one;
            assert_eq!((&ours.name, &ours.address, ours.port), (name, address, *port));
            assert_eq!((&ours.tags, &ours.meta), (tags, meta));
            Ok(node)
        }
        other => Err(format!("{other:?}")),
    })
    .await;
    let Node { name, address, datacenter, .. } = &*node;
    assert!([name, address, datacenter].iter().all(|text| !text.is_empty()), "{node:?}");
    let named = Question::Node { name: Some(name.clone()), datacenter: None };
    assert!(matches!(ask(&*catalog, &named).await, Finding::Node(Some(it)) if it.node == node));
    assert_eq!(ask(&*catalog, &strange).await, Finding::Node(None));
    assert_eq!(ask(&*catalog, &nodes).await, Finding::Nodes(vec![Arc::clone(&node)]));
    let datacenters = catalog.find(&Question::Datacenters, None, SECOND).await.unwrap();
    let names = Finding::Datacenters(vec![datacenter.clone()]);
    assert_eq!(datacenters, Found { finding: names, index: None });
}

pub(crate) async fn a_question_waits_for_a_change(scene: Scene) {
    let catalog = scene.connect();
    let one = scene.registration(1);
    let services = Question::Services { datacenter: None };
    for question in [scene.service(Health::Any), services, scene.pairs("")] {
        let settled = catalog.find(&question, None, SECOND).await.unwrap();
        let is_about_key = matches!(question, Question::Keys { .. });
        let waiter = {
            let (catalog, before) = (Arc::clone(&catalog), settled.finding);
            let ours = one.name.clone();
            tokio::spawn(async move {
                let mut after = settled.index;
                // What others do may wake a query; it says the same of ours then.
                loop {
                    let found = catalog.find(&question, after, LONG).await.unwrap();
                    after = found.index;
                    if of(&found.finding, &ours) != of(&before, &ours) {
                        return Instant::now();
                    }
                }
            })
        };
        sleep(300 * MS).await;
        assert!(!waiter.is_finished(), "nothing has changed");
        let changed = Instant::now();
        if is_about_key {
            scene.registry.set(&scene.key("x"), b"1");
        } else {
            catalog.register(&one, Status::Critical, "").await.unwrap();
        }
        let heard = waiter.await.unwrap();
        assert!(heard < changed + LONG / 3, "{:?}", heard - changed);
        catalog.deregister(&one).await.unwrap();
        let ours = async || match ask(&*catalog, &scene.service(Health::Any)).await {
            Finding::Service(found) if found.is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        };
        eventually("it has left", ours).await;
    }
}

/// An answer, as far as it is about one service if it is about all.
fn of(finding: &Finding, service: &str) -> Finding {
    match finding {
        Finding::Services(all) => {
            let ours = all.iter().filter(|listed| listed.name == service);
            Finding::Services(ours.cloned().collect())
        }
        other => other.clone(),
    }
}

async fn ask(catalog: &dyn Catalog, question: &Question) -> Finding {
    catalog.find(question, None, SECOND).await.unwrap().finding
}

/// Waits until exactly these are found.
async fn await_endpoints(
    catalog: &dyn Catalog,
    question: &Question,
    ids: &[&str],
) -> Vec<Endpoint> {
    eventually("the endpoints are found", async || match ask(catalog, question).await {
        Finding::Service(found) => {
            let seen: Vec<&str> = found.iter().map(|it| it.id.as_str()).collect();
            if seen == ids { Ok(found) } else { Err(format!("{seen:?}, want {ids:?}")) }
        }
        other => panic!("{other:?}"),
    })
    .await
}
