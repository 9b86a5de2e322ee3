use std::time::Duration;

use serde_json::json;

use super::*;
use crate::view;

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
        definition: serde_json::Map::new(),
        create: 0,
        modify: 0,
    }
}

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const TWO: &str = "22222222-2222-4222-8222-222222222222";

fn session(id: &str, behavior: Behavior) -> Session {
    Session {
        id: id.into(),
        name: String::new(),
        node: "n".into(),
        lock_delay: Duration::from_secs(15),
        behavior,
        ttl: String::new(),
        lifetime: Duration::ZERO,
        checks: SessionChecks::default(),
        create: 0,
    }
}

fn write(store: &mut Store, change: impl FnOnce(&mut Transaction<'_>)) {
    let done: Result<(), ()> = store.transaction(Instant::now(), |keys| {
        change(keys);
        Ok(())
    });
    assert_eq!(done, Ok(()));
}

fn lock(store: &mut Store, key: &str, session: &str, now: Instant) -> Result<bool, LockError> {
    store.transaction(now, |keys| keys.lock(key, b"v".to_vec(), 0, session))
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
        s.set_check("n", check("c", "web-1", Status::Critical), Instant::now());
    });
    let own_topics = [
        of(Topic::NodeChecks, "n"),
        of(Topic::Health, "web"),
        of(Topic::ServiceChecks, "web"),
        of(Topic::State, "any"),
        of(Topic::State, "critical"),
    ];
    assert_eq!(own, own_topics);

    let nodes = touched(&mut store, &all, |s| {
        s.set_check("n", check("m", "", Status::Passing), Instant::now())
    });
    assert!(nodes.contains(&of(Topic::Health, "web")) && nodes.contains(&of(Topic::Health, "db")));

    let better = touched(&mut store, &all, |s| {
        assert!(s.update_check("n", "c", Status::Passing, "fine".into(), Instant::now()));
    });
    assert!(better.contains(&of(Topic::State, "passing")));
    assert!(better.contains(&of(Topic::State, "critical")), "it has left that state");

    let gone =
        touched(&mut store, &all, |s| assert!(s.remove_service("n", "web-1", Instant::now())));
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
        store.remove_service("n", &id, Instant::now());
    }
    assert_eq!(store.by_name.len(), 0);
    assert!(store.index(&Topic::Service("id-7".into())) > 100);
}

/// What a query of a topic would answer.
fn answer(store: &Store, topic: &Topic) -> String {
    let checks = |wanted: &dyn Fn(&Check) -> bool| -> Vec<serde_json::Value> {
        let all = store.nodes().flat_map(|n| n.checks.values().map(move |c| (n, c)));
        all.filter(|(_, c)| wanted(c)).map(|(n, c)| view::check(n, c)).collect()
    };
    let shown = match topic {
        Topic::Everything => json!(store.nodes().map(view::ui_node).collect::<Vec<_>>()),
        Topic::Nodes => json!(store.nodes().map(|n| view::node(n, "dc")).collect::<Vec<_>>()),
        Topic::Node(name) => json!(store.node(name).map(|n| view::node_services(n, "dc"))),
        Topic::NodeChecks(_) => json!(checks(&|_| true)),
        Topic::Services => json!(store.service_names().collect::<Vec<_>>()),
        Topic::Service(name) => json!(
            store
                .instances(name)
                .map(|(n, s)| view::catalog_service(n, s, "dc"))
                .collect::<Vec<_>>()
        ),
        Topic::Health(name) => {
            json!(store.instances(name).map(|(n, s)| view::health(n, s, "dc")).collect::<Vec<_>>())
        }
        Topic::ServiceChecks(name) => json!(
            store
                .instances(name)
                .flat_map(|(n, s)| n.checks_of(&s.id).map(move |c| view::check(n, c)))
                .collect::<Vec<_>>()
        ),
        Topic::State(state) => json!(checks(&|c| state == "any" || c.status.as_str() == state)),
        Topic::Sessions | Topic::NodeSessions(_) => {
            json!(store.sessions().map(view::session).collect::<Vec<_>>())
        }
        Topic::Session(id) => json!(store.session(id).map(view::session)),
        Topic::Events => json!(store.events("").map(view::event).collect::<Vec<_>>()),
        Topic::Key(key) => json!(store.kv().get(key).map(|pair| view::pair(key, pair))),
        Topic::Prefix(prefix) => {
            json!(store.kv().below(prefix).map(|(k, p)| view::pair(k, p)).collect::<Vec<_>>())
        }
    };
    shown.to_string()
}

/// No client that waits misses a change: whatever happens, an answer that differs has a higher
/// index.
#[test]
fn a_different_answer_has_a_higher_index() {
    let name = |text: &str| text.to_owned();
    let mut topics = vec![Topic::Everything, Topic::Nodes, Topic::Services, Topic::Node(name("n"))];
    topics.push(Topic::NodeChecks(name("n")));
    for service in ["a", "b", "c"] {
        topics.extend(
            [Topic::Service, Topic::Health, Topic::ServiceChecks].map(|t| t(name(service))),
        );
    }
    topics.extend(["any", "passing", "critical"].map(|state| Topic::State(name(state))));
    let sessions = [ONE, TWO];
    topics.extend([Topic::Sessions, Topic::NodeSessions(name("n"))]);
    topics.extend(sessions.map(|id| Topic::Session(name(id))));
    topics.extend(["k", "k/1", "k/2", "l"].map(|key| Topic::Key(name(key))));
    topics.extend(["", "k", "k/", "l"].map(|prefix| Topic::Prefix(name(prefix))));

    // A fixed sequence (xorshift), so that a failure can be repeated.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut pick = |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize % n
    };
    let (mut store, mut now) = (store(), Instant::now());
    let mut seen: Vec<(u64, String)> =
        topics.iter().map(|topic| (store.index(topic), answer(&store, topic))).collect();
    for step in 0..800 {
        let (ids, names, keys) = (["1", "2", "3"], ["a", "b", "c"], ["k", "k/1", "k/2", "l"]);
        let id = ids[pick(3)];
        let status = [Status::Passing, Status::Warning, Status::Critical][pick(3)];
        let what = pick(15);
        now += Duration::from_secs(5);
        match what {
            0 | 1 => {
                let tags = vec![name(names[pick(3)])];
                store.set_service("n", Service { tags, ..service(id, names[pick(3)]) });
            }
            2 => drop(store.remove_service("n", id, Instant::now())),
            3 => {
                let of = ["", "1", "2", "3"][pick(4)];
                let known = of.is_empty() || store.node("n").unwrap().services.contains_key(of);
                if known {
                    store.set_check("n", check(id, of, status), Instant::now());
                }
            }
            4 => drop(store.update_check("n", id, status, name(names[pick(3)]), Instant::now())),
            5 => drop(store.remove_check("n", id, Instant::now())),
            6 => {
                let address = name(names[pick(3)]);
                store.set_node(Node { name: name("n"), address, ..Node::default() });
            }
            7 => write(&mut store, |t| t.set(keys[pick(4)], vec![pick(2) as u8], 0)),
            8 => write(&mut store, |t| t.delete(keys[pick(4)])),
            9 => write(&mut store, |t| t.delete_below(["", "k/"][pick(2)])),
            10 => {
                let behavior = [Behavior::Release, Behavior::Delete][pick(2)];
                let mut session = session(sessions[pick(2)], behavior);
                session.checks.node = ids[..pick(2)].iter().map(|id| name(id)).collect();
                store.end_session(&session.id, now);
                let _ = store.add_session(session, now);
            }
            11 => write(&mut store, |t| {
                let _ = t.lock(keys[pick(4)], vec![pick(2) as u8], 0, sessions[pick(2)]);
            }),
            12 => write(&mut store, |t| {
                let _ = t.unlock(keys[pick(4)], vec![pick(2) as u8], 0, sessions[pick(2)]);
            }),
            13 => store.end_session(sessions[pick(2)], now),
            14 if pick(8) == 0 => {
                store.remove_node("n", now);
                store.set_node(Node { name: name("n"), ..Node::default() });
            }
            _ => {
                let key = keys[pick(4)];
                let failed: Result<(), ()> = store.transaction(now, |t| {
                    t.set(key, b"never".to_vec(), 0);
                    t.delete_below("k/");
                    Err(())
                });
                assert_eq!(failed, Err(()));
            }
        }
        for (topic, (index, before)) in topics.iter().zip(&mut seen) {
            let (now, after) = (store.index(topic), answer(&store, topic));
            assert!(now >= *index, "step {step}, change {what}: {topic:?} went back to {now}");
            assert!(
                now > *index || after == *before,
                "step {step}, change {what}: {topic:?} stayed at {now}\n{before}\n{after}"
            );
            (*index, *before) = (now, after);
        }
    }
}

#[test]
fn one_session_holds_a_lock_at_a_time() {
    let (mut store, now) = (store(), Instant::now());
    for id in [ONE, TWO] {
        store.add_session(session(id, Behavior::Release), now).unwrap();
    }
    let held =
        |store: &Store| store.kv().get("k").map(|pair| (pair.session.clone(), pair.lock_index));
    assert_eq!(lock(&mut store, "k", ONE, now), Ok(true));
    assert_eq!(lock(&mut store, "k", TWO, now), Ok(false));
    assert_eq!(lock(&mut store, "k", ONE, now), Ok(true), "its holder may set it");
    assert_eq!(held(&store), Some((Some(ONE.into()), 1)));
    let unlock = |store: &mut Store, session: &str| {
        store.transaction(now, |keys| keys.unlock("k", Vec::new(), 0, session))
    };
    assert_eq!(unlock(&mut store, TWO), Ok(false));
    assert_eq!(unlock(&mut store, ONE), Ok(true));
    assert_eq!(held(&store), Some((None, 1)));
    assert_eq!(lock(&mut store, "k", TWO, now), Ok(true), "no delay after a release");
    assert_eq!(held(&store), Some((Some(TWO.into()), 2)));
    assert_eq!(lock(&mut store, "k", "", now), Err(LockError::Missing));
    assert_eq!(lock(&mut store, "k", "x", now), Err(LockError::NoUuid));
}

#[test]
fn a_session_that_ends_keeps_its_locks_from_others_for_a_while() {
    let (mut store, start) = (store(), Instant::now());
    let seconds = Duration::from_secs;
    for (id, behavior) in [(ONE, Behavior::Release), (TWO, Behavior::Delete)] {
        let session = session(id, behavior);
        let session = Session { ttl: "10s".into(), lifetime: seconds(10), ..session };
        store.add_session(session, start).unwrap();
    }
    assert_eq!(lock(&mut store, "one", ONE, start), Ok(true));
    assert_eq!(lock(&mut store, "two", TWO, start), Ok(true));
    let renewed = start + seconds(8);
    assert!(store.renew_session(ONE, renewed).is_some());
    store.expire_sessions(start + seconds(19));
    assert_eq!(store.sessions().count(), 2, "it is lenient up to twice the TTL");
    let end = start + seconds(20);
    store.expire_sessions(end);
    assert_eq!(store.sessions().map(|s| s.id.as_str()).collect::<Vec<_>>(), [ONE]);
    assert_eq!(store.kv().get("two"), None);
    assert_eq!(lock(&mut store, "two", ONE, end + seconds(14)), Ok(false));
    assert_eq!(lock(&mut store, "two", ONE, end + seconds(16)), Ok(true));
    store.expire_sessions(renewed + seconds(20));
    let kept = store.kv().get("one").expect("its value stays");
    assert_eq!((&kept.session, kept.lock_index), (&None, 1));
}

#[test]
fn a_session_ends_with_what_it_depends_on() {
    let now = Instant::now();
    let with = |ids: &[&str]| {
        let mut store = store();
        store.set_service("n", service("web-1", "web"));
        store.set_check("n", check("own", "", Status::Passing), now);
        store.set_check("n", check("web", "web-1", Status::Warning), now);
        let mut session = session(ONE, Behavior::Release);
        session.checks.node = ids.iter().map(|id| (*id).to_owned()).collect();
        (store.add_session(session, now), store)
    };
    assert_eq!(with(&["none"]).0, Err(sessions::SessionError::Check("none".into())));
    let ended = |change: fn(&mut Store)| {
        let (added, mut store) = with(&["own", "web"]);
        assert_eq!(added, Ok(()));
        change(&mut store);
        store.session(ONE).is_none()
    };
    let update = |id: &'static str, status| {
        move |store: &mut Store| {
            assert!(store.update_check("n", id, status, "o".into(), Instant::now()));
        }
    };
    let with_update = |id, status| {
        let (_, mut store) = with(&["own", "web"]);
        update(id, status)(&mut store);
        store.session(ONE).is_none()
    };
    assert!(!with_update("own", Status::Warning) && !with_update("web", Status::Passing));
    assert!(with_update("own", Status::Critical) && with_update("web", Status::Critical));
    assert!(ended(|s| assert!(s.remove_check("n", "own", Instant::now()))));
    assert!(ended(|s| assert!(s.remove_service("n", "web-1", Instant::now()))));
}
