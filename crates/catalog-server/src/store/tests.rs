use super::*;

fn store() -> Store {
    let mut store = Store::default();
    store.set_node(Node { name: "n".into(), ..Node::default() });
    store
}

fn service(id: &str, name: &str) -> Service {
    Service {
        id: id.into(),
        name: name.into(),
        tags: vec!["a".into()],
        address: String::new(),
        port: 80,
        meta: BTreeMap::new(),
        tagged_addresses: serde_json::Map::new(),
        weights: (1, 1),
        enable_tag_override: false,
        create: 0,
        modify: 0,
    }
}

fn check(id: &str, service: &str, status: Status) -> Check {
    Check {
        id: id.into(),
        name: id.into(),
        status,
        notes: String::new(),
        output: String::new(),
        service_id: service.into(),
        kind: "ttl",
        create: 0,
        modify: 0,
    }
}

/// The topics of `all` that `change` touches.
fn touched(store: &mut Store, all: &[Topic], change: impl FnOnce(&mut Store)) -> Vec<Topic> {
    let before: Vec<u64> = all.iter().map(|topic| store.index(topic)).collect();
    change(store);
    let changed = all.iter().zip(before).filter(|(topic, before)| {
        let now = store.index(topic);
        assert!(now >= *before, "{topic:?} went back from {before} to {now}");
        now > *before
    });
    changed.map(|(topic, _)| topic.clone()).collect()
}

#[test]
fn a_change_touches_what_it_belongs_to_and_nothing_else() {
    let mut store = store();
    store.set_service("n", service("web-1", "web"));
    store.set_service("n", service("db-1", "db"));
    let of = |kind: fn(String) -> Topic, name: &str| kind(name.to_owned());
    let all = [
        Topic::Nodes,
        Topic::Services,
        of(Topic::Node, "n"),
        of(Topic::NodeChecks, "n"),
        of(Topic::Service, "web"),
        of(Topic::Health, "web"),
        of(Topic::ServiceChecks, "web"),
        of(Topic::Service, "db"),
        of(Topic::Health, "db"),
        of(Topic::State, "any"),
        of(Topic::State, "passing"),
        of(Topic::State, "critical"),
    ];
    let again = touched(&mut store, &all, |s| s.set_service("n", service("web-1", "web")));
    assert_eq!(again, [], "the same again is no change");

    let port = touched(&mut store, &all, |s| {
        s.set_service("n", Service { port: 81, ..service("web-1", "web") });
    });
    assert_eq!(
        port,
        [of(Topic::Node, "n"), of(Topic::Service, "web"), of(Topic::Health, "web")],
        "the list of names is the same"
    );

    let own = touched(&mut store, &all, |s| {
        s.set_check("n", check("c", "web-1", Status::Critical));
    });
    let own_topics = [
        of(Topic::NodeChecks, "n"),
        of(Topic::Health, "web"),
        of(Topic::ServiceChecks, "web"),
        of(Topic::State, "any"),
        of(Topic::State, "critical"),
    ];
    assert_eq!(own, own_topics);

    let nodes = touched(&mut store, &all, |s| s.set_check("n", check("m", "", Status::Passing)));
    assert!(nodes.contains(&of(Topic::Health, "web")) && nodes.contains(&of(Topic::Health, "db")));

    let better = touched(&mut store, &all, |s| {
        assert!(s.update_check("n", "c", Status::Passing, "fine".into()));
    });
    assert!(better.contains(&of(Topic::State, "passing")));
    assert!(better.contains(&of(Topic::State, "critical")), "it has left that state");

    let gone = touched(&mut store, &all, |s| assert!(s.remove_service("n", "web-1")));
    assert!(gone.contains(&of(Topic::Service, "web")) && gone.contains(&Topic::Services));
    assert!(!gone.contains(&of(Topic::Service, "db")));
    assert!(store.node("n").is_some_and(|n| !n.checks.contains_key("c")));
    assert_eq!(store.instances("web").count(), 0);
}

#[test]
fn a_service_that_changes_its_name_leaves_the_old_list() {
    let mut store = store();
    store.set_service("n", service("x", "old"));
    store.set_service("n", service("x", "new"));
    assert_eq!(store.service_names().map(|(name, _)| name).collect::<Vec<_>>(), ["new"]);
    let (_, found) = store.instances("new").next().unwrap();
    assert!(found.create < found.modify);
}

#[test]
fn nothing_is_kept_of_names_that_come_and_go() {
    let mut store = store();
    for n in 0..100 {
        let id = format!("id-{n}");
        store.set_service("n", service(&id, &id));
        store.remove_service("n", &id);
    }
    assert_eq!(store.by_name.len(), 0);
    assert!(store.index(&Topic::Service("id-7".into())) > 100);
}
