//! Catalogs that go away, come back with nothing, or hang: the file stands, and follows at once
//! when they are back.

use std::time::{Duration, Instant};

use super::*;

/// Longer than it takes to notice.
const OUTAGE: Duration = Duration::from_secs(6);

/// For so long nothing happens to the file.
#[track_caller]
fn stands(run: &Running, wanted: &str, time: Duration) {
    let begun = Instant::now();
    wait_until("time has passed", PATIENCE, || {
        assert_eq!(run.read("places.txt").as_deref(), Some(wanted), "{}", output(run));
        begun.elapsed() >= time
    });
}

#[track_caller]
fn endures(run: &Running, wanted: &str) {
    stands(run, wanted, OUTAGE);
    assert_eq!(template(run)["state"], "current");
}

#[test]
fn one_that_is_killed_and_returns_with_its_memory() {
    let server = Consul::start();
    let mut agent = Consul::agent_of(&server);
    register(&server, [1, 2]);
    let run = start(&program(&agent.address(), PLACES, &json!({}), &[]));
    await_file(&run, &places([1, 2]));
    agent.kill();
    endures(&run, &places([1, 2]));
    server.deregister("web-1");
    agent.restart();
    await_file(&run, &places([2]));
    await_journal(&run, &["changed", "changed"]);
}

#[test]
fn one_that_freezes() {
    let consul = Consul::start();
    register(&consul, [1, 2]);
    let run = start(&program(&consul.address(), PLACES, &json!({}), &[]));
    await_file(&run, &places([1, 2]));
    consul.freeze();
    endures(&run, &places([1, 2]));
    consul.thaw();
    register(&consul, [3]);
    await_file(&run, &places([1, 2, 3]));
    await_journal(&run, &["changed", "changed"]);
}

/// Without a minimum the file says what the catalog says.
#[test]
fn one_that_returns_empty_is_believed() {
    let mut consul = Consul::start();
    register(&consul, [1, 2]);
    let run = start(&program(&consul.address(), PLACES, &json!({}), &[]));
    await_file(&run, &places([1, 2]));
    consul.restart_empty();
    await_file(&run, "");
    register(&consul, [2]);
    await_file(&run, &places([2]));
}

#[test]
fn one_that_returns_empty_is_not_believed_below_the_minimum() {
    let mut consul = Consul::start();
    register(&consul, [1, 2, 3]);
    let fields = json!({ "minimum": { "web": 2 }, "shrinkAfter": "1h" });
    let mut run = start(&program(&consul.address(), PLACES, &fields, &[]));
    await_file(&run, &places([1, 2, 3]));
    // One less is well.
    consul.deregister("web-3");
    await_file(&run, &places([1, 2]));
    await_journal(&run, &["changed", "changed"]);
    consul.restart_empty();
    await_journal(&run, &["changed", "changed", "failed"]);
    let failure = await_template(&run, "failed")["failure"].to_string();
    assert!(failure.contains("web"), "{failure}");
    // A reload does not forget what stands.
    let config = run.read("app.json").unwrap();
    support::talk::reload_with(&run, config);
    register(&consul, [7]);
    stands(&run, &places([1, 2]), Duration::from_secs(1));
    register(&consul, [8]);
    await_file(&run, &places([7, 8]));
    run.wait_for_line("template places: service \"web\" has 2 passing instances again");
    await_journal(&run, &["changed", "changed", "failed", "changed"]);
}

/// Nor is what stands beside it in the text: no file is half of before and half of after.
#[test]
fn what_is_not_believed_of_one_service_is_not_believed_of_the_rest() {
    let mut consul = Consul::start();
    let text = "limit {{ keyOrDefault \"limit\" \"10\" }}\n".to_owned() + PLACES;
    let full = |consul: &Consul| {
        consul.request("PUT", "/v1/kv/limit", "77");
        register(consul, [1]);
    };
    full(&consul);
    // The key and the service are answered one by one when they return.
    let fields = json!({ "minimum": { "web": 1 }, "shrinkAfter": "1h", "wait": "1s:10s" });
    let run = start(&program(&consul.address(), &text, &fields, &[]));
    let wanted = format!("limit 77\n{}", places([1]));
    await_file(&run, &wanted);
    let mut journal = vec!["changed"];
    for _ in 0..3 {
        consul.restart_empty();
        journal.push("failed");
        await_journal(&run, &journal);
        stands(&run, &wanted, Duration::from_millis(300));
        full(&consul);
        // The same text as before is no news.
        await_template(&run, "current");
        assert_eq!(run.read("places.txt"), Some(wanted.clone()));
    }
}

#[test]
fn what_stays_below_the_minimum_is_believed_after_a_while() {
    let consul = Consul::start();
    register(&consul, [1, 2]);
    let fields = json!({ "minimum": { "web": 2 }, "shrinkAfter": "3s" });
    let run = start(&program(&consul.address(), PLACES, &fields, &[]));
    await_file(&run, &places([1, 2]));
    let begun = Instant::now();
    consul.deregister("web-1");
    await_file(&run, &places([2]));
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    await_journal(&run, &["changed", "failed", "changed"]);
}
