//! Sessions, and what they hold.

use testkit::wait_until;

use super::Pair;
use super::pair::{SETTLED, filled};

#[test]
fn sessions() {
    let pair = Pair::start();
    let create = "/v1/session/create";
    let check = "/v1/agent/check/register";
    pair.same("PUT", check, r#"{"Name":"well","TTL":"60s","Status":"passing"}"#);
    pair.same("PUT", check, r#"{"Name":"ill","TTL":"60s"}"#);
    let node = pair.theirs.node();
    pair.get(&format!("/v1/health/node/{node}"));
    for body in [
        "",
        "{}",
        "{",
        r#"{"Name":"x","TTL":"10s","LockDelay":"3s","Behavior":"delete"}"#,
        r#"{"LockDelay":3}"#,
        r#"{"LockDelay":2000}"#,
        r#"{"LockDelay":"0s"}"#,
        r#"{"LockDelay":"200s","Node":"NODE"}"#,
        r#"{"LockDelay":"x"}"#,
        r#"{"TTL":"x"}"#,
        r#"{"TTL":"1s"}"#,
        r#"{"TTL":"25h"}"#,
        r#"{"TTL":"0s"}"#,
        r#"{"Behavior":"x"}"#,
        r#"{"Node":"nowhere"}"#,
        r#"{"Foo":"x"}"#,
        r#"{"Checks":[]}"#,
        r#"{"NodeChecks":[]}"#,
        r#"{"Checks":["serfHealth","well"]}"#,
        r#"{"NodeChecks":["well"],"ServiceChecks":[{"ID":"well"}]}"#,
        r#"{"Checks":["nope"]}"#,
        r#"{"NodeChecks":["nope"]}"#,
        r#"{"ServiceChecks":[{"ID":"nope"}]}"#,
        r#"{"NodeChecks":["ill"]}"#,
        r#"{"Checks":["ill"]}"#,
    ] {
        pair.same("PUT", create, &body.replace("NODE", &node));
    }
    let own = format!("/v1/session/node/{node}");
    for query in [
        "/v1/session/list",
        own.as_str(),
        "/v1/session/node/nowhere",
        "/v1/session/list?index=1&wait=1ms",
    ] {
        pair.get(query);
    }
    let session = pair.session("SESSION", r#"{"Name":"mine","TTL":"20s","NodeChecks":["well"]}"#);
    let nobody = "00000000-0000-0000-0000-000000000000";
    for (method, path) in [
        ("GET", "/v1/session/info/SESSION"),
        ("PUT", "/v1/session/renew/SESSION"),
        ("PUT", "/v1/session/renew/NOBODY"),
        ("PUT", "/v1/session/renew/zz"),
        ("PUT", "/v1/session/renew/"),
        ("PUT", "/v1/session/destroy/NOBODY"),
        ("PUT", "/v1/session/destroy/zz"),
        ("PUT", "/v1/session/destroy/"),
        ("GET", "/v1/session/info/NOBODY"),
        ("GET", "/v1/session/info/"),
        ("GET", "/v1/session/node/"),
        ("GET", "/v1/session/create"),
        ("GET", "/v1/session/renew/SESSION"),
        ("PUT", "/v1/session/list"),
        ("OPTIONS", "/v1/session/list"),
        ("GET", "/v1/session/nope"),
    ] {
        pair.same_with(&[&session], method, &path.replace("NOBODY", nobody), "");
    }
    pair.same("PUT", "/v1/agent/check/fail/well", "");
    pair.get(&format!("/v1/health/node/{node}"));
    pair.same_with(&[&session], "GET", "/v1/session/info/SESSION", "");
    pair.get("/v1/session/list");
}

#[test]
fn locks() {
    let pair = Pair::start();
    let short = r#"{"LockDelay":"200ms"}"#;
    let one = pair.session("ONE", short);
    let two = pair.session("TWO", r#"{"LockDelay":"60s"}"#);
    let three = pair.session("THREE", r#"{"LockDelay":"60s","Behavior":"delete"}"#);
    let names = [&one, &two, &three];
    let nobody = "00000000-0000-0000-0000-000000000000";
    let steps = |steps: &[(&str, &str, &str)]| {
        for (method, path, body) in steps {
            pair.same_with(&names, method, &path.replace("NOBODY", nobody), body);
            let key = path.split(['?']).next().unwrap();
            pair.same_with(&names, "GET", key, "");
        }
    };
    steps(&[
        ("PUT", "/v1/kv/l?acquire=ONE", "one"),
        ("PUT", "/v1/kv/l?acquire=TWO", "two"),
        ("PUT", "/v1/kv/l?acquire=ONE&flags=7", "one again"),
        ("PUT", "/v1/kv/l?release=TWO", "two"),
        ("PUT", "/v1/kv/l?release=ONE", "free"),
        ("PUT", "/v1/kv/l?acquire=TWO", "two"),
        ("PUT", "/v1/kv/l", "set by a stranger"),
        ("PUT", "/v1/kv/l?cas=0", "stale"),
        ("PUT", "/v1/session/destroy/TWO", ""),
        ("PUT", "/v1/kv/l?acquire=ONE", "too early"),
        ("PUT", "/v1/kv/m?acquire=THREE", "three"),
        ("PUT", "/v1/kv/n?acquire=THREE", "three"),
        ("PUT", "/v1/session/destroy/THREE", ""),
        ("PUT", "/v1/kv/m?acquire=ONE", "too early"),
        ("PUT", "/v1/kv/n", "anybody may set it"),
        ("PUT", "/v1/kv/x?acquire=zz", ""),
        ("PUT", "/v1/kv/x?acquire=NOBODY", ""),
        ("PUT", "/v1/kv/x?acquire=", ""),
        ("PUT", "/v1/kv/x?release=", ""),
        ("PUT", "/v1/kv/x?release=NOBODY", ""),
        ("PUT", "/v1/kv/x?release=zz", ""),
        ("PUT", "/v1/kv/x?release=ONE&acquire=ONE", ""),
        ("PUT", "/v1/kv/x?release=ONE&cas=0", ""),
        ("DELETE", "/v1/kv/x?recurse&cas=0", ""),
        ("PUT", "/v1/kv/y?acquire=ONE", "held"),
        ("DELETE", "/v1/kv/y", ""),
        ("PUT", "/v1/kv/y?acquire=ONE", "held again"),
    ]);
    // Nobody waits for a lock that was given back.
    let four = pair.session("FOUR", short);
    let names = [&one, &four];
    pair.same_with(&names, "PUT", "/v1/kv/y?release=ONE", "");
    pair.same_with(&names, "PUT", "/v1/kv/y?acquire=FOUR", "");
    pair.same_with(&names, "PUT", "/v1/session/destroy/FOUR", "");
    wait_until("the delay is over", SETTLED, || {
        let path = "/v1/kv/y?acquire=ONE";
        let (ours, theirs) = (
            pair.ask_ours("PUT", &filled(path, &names, 0), ""),
            pair.ask_theirs("PUT", &filled(path, &names, 1), ""),
        );
        ours == theirs && ours.contains("true")
    });
}
