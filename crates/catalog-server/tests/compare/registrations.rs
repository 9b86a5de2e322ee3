//! Services, their checks, and nodes.

use super::Pair;

#[test]
fn services_and_their_checks() {
    let pair = Pair::start();
    let register = "/v1/agent/service/register";
    pair.same("PUT", register, r#"{"ID":"web-1","Name":"web","Port":80,"Address":"10.0.0.1","Tags":["a","B"],"Meta":{"x":"y"},"Check":{"TTL":"60s","Notes":"n"}}"#);
    pair.same("PUT", register, r#"{"name":"db","enable_tag_override":true,"checks":[{"ttl":"60s","status":"passing"},{"CheckID":"c2","Name":"second","TTL":"1m"}]}"#);
    pair.same("PUT", register, r#"{"Name":"plain","Weights":{"Passing":3,"Warning":2},"TaggedAddresses":{"lan":{"Address":"1.2.3.4","Port":5}}}"#);
    let queries = [
        "/v1/agent/services",
        "/v1/agent/service/web-1",
        "/v1/agent/service/nope",
        "/v1/agent/checks",
        "/v1/catalog/datacenters",
        "/v1/catalog/services",
        "/v1/catalog/services?node-meta=a:b",
        "/v1/catalog/service/web",
        "/v1/catalog/service/web?tag=a",
        "/v1/catalog/service/web?tag=b",
        "/v1/catalog/service/web?tag=a&tag=zz",
        "/v1/catalog/service/plain",
        "/v1/catalog/service/nope",
        "/v1/catalog/service/",
        "/v1/catalog/nodes",
        "/v1/catalog/node/nope",
        "/v1/catalog/connect/web",
        "/v1/health/service/web",
        "/v1/health/service/web?passing",
        "/v1/health/service/web?passing=false",
        "/v1/health/service/web?passing=zz",
        "/v1/health/service/db?passing=1",
        "/v1/health/service/plain?passing&near=_agent",
        "/v1/health/service/plain?tag=a",
        "/v1/health/service/",
        "/v1/health/checks/db",
        "/v1/health/checks/nope",
        "/v1/health/node/nope",
        "/v1/health/state/critical",
        "/v1/health/state/any",
        "/v1/health/state/foo",
        "/v1/agent/health/service/name/nope",
        "/v1/agent/health/service/id/nope",
        "/v1/agent/health/service/id/nope?format=text",
        "/v1/agent/health/service/id/plain",
        "/v1/agent/health/service/id/web-1?format=text",
        "/v1/catalog/services?index=x",
        "/v1/catalog/services?wait=x",
        "/v1/catalog/services?index=1&wait=10ms",
        "/v1/nope",
        "/v1/agent/nope",
        "/nope",
    ];
    let node = pair.theirs.node();
    let own = [format!("/v1/catalog/node/{node}"), format!("/v1/health/node/{node}")];
    let all = || queries.iter().copied().chain(own.iter().map(String::as_str));
    all().for_each(|query| pair.get(query));

    for (path, body) in [
        ("/v1/agent/check/pass/service:web-1", ""),
        ("/v1/agent/check/pass/c2?note=fine", ""),
        ("/v1/agent/check/pass/nope", ""),
        ("/v1/agent/check/fail/service:db:1?note=bad", ""),
        ("/v1/agent/check/warn/service:web-1", ""),
        ("/v1/agent/check/update/service:web-1", r#"{"Status":"passing","Output":"o"}"#),
        ("/v1/agent/check/update/service:web-1", r#"{"Status":"silly"}"#),
        ("/v1/agent/check/update/nope", r#"{"Status":"passing"}"#),
        ("/v1/agent/check/register", r#"{"Name":"mem","TTL":"60s","Status":"passing"}"#),
        ("/v1/agent/check/register", r#"{"ID":"m3","Name":"M","ServiceID":"plain","TTL":"500s"}"#),
    ] {
        pair.same("PUT", path, body);
    }
    // Registering again keeps the state of its checks.
    pair.same("PUT", register, r#"{"ID":"web-1","Name":"web","Port":81,"Check":{"TTL":"60s"}}"#);
    all().for_each(|query| pair.get(query));

    for path in [
        "/v1/agent/service/maintenance/db?enable=true&reason=why",
        "/v1/agent/maintenance?enable=true",
        "/v1/agent/check/deregister/mem",
        "/v1/agent/check/deregister/nope",
        "/v1/agent/service/deregister/web-1",
        "/v1/agent/service/deregister/nope",
    ] {
        pair.same("PUT", path, "");
    }
    pair.get("/v1/agent/health/service/id/db?format=text");
    all().for_each(|query| pair.get(query));
    pair.same("PUT", "/v1/agent/maintenance?enable=false", "");
    pair.same("PUT", "/v1/agent/service/maintenance/db?enable=false", "");
    all().for_each(|query| pair.get(query));
}

#[test]
fn what_is_refused() {
    let pair = Pair::start();
    let register = "/v1/agent/service/register";
    for body in [
        "",
        "{",
        "{}",
        r#"{"Name":"x","Port":"80"}"#,
        r#"{"Name":"x","Foo":1}"#,
        r#"{"Name":"x","Check":{"TTL":"zz"}}"#,
        r#"{"Name":"x","Check":{"HTTP":"http://x"}}"#,
        r#"{"Name":"x","Check":{"TTL":"10s","HTTP":"http://x","Interval":"1s"}}"#,
        r#"{"Name":"x","Check":{"TTL":"10s","Status":"silly"}}"#,
        r#"{"Name":"x","Check":{"Args":["true"],"Interval":"1s"}}"#,
        r#"{"Name":"x","Check":{}}"#,
        r#"{"Name":"x","Check":{"Notes":"n"}}"#,
    ] {
        pair.same("PUT", register, body);
    }
    for body in [
        "",
        r#"{"Name":"m"}"#,
        r#"{"TTL":"5s"}"#,
        r#"{"Name":"m","ServiceID":"nope","TTL":"5s"}"#,
        r#"{"Name":"m","TTL":"5s","Status":"silly"}"#,
    ] {
        pair.same("PUT", "/v1/agent/check/register", body);
    }
    for (method, path) in [
        ("PUT", "/v1/agent/service/deregister/"),
        ("PUT", "/v1/agent/service/maintenance/nope?enable=true"),
        ("PUT", "/v1/agent/service/maintenance/"),
        ("PUT", "/v1/agent/service/maintenance/x"),
        ("PUT", "/v1/agent/service/maintenance/x?enable=maybe"),
        ("PUT", "/v1/agent/maintenance"),
        ("PUT", "/v1/agent/check/update/x"),
        ("GET", register),
        ("DELETE", "/v1/agent/services"),
        ("POST", "/v1/kv/a"),
        ("OPTIONS", "/v1/agent/services"),
        ("GET", "/v1/kv//a"),
        ("GET", "/v1/health/state/"),
        ("GET", "/v1/health/node/"),
        ("GET", "/v1/catalog/node/"),
    ] {
        pair.same(method, path, "");
    }
}

#[test]
fn nodes_without_an_agent() {
    let pair = Pair::start();
    let register = |body: &str| pair.same("PUT", "/v1/catalog/register", body);
    let deregister = |body: &str| pair.same("PUT", "/v1/catalog/deregister", body);
    let session = |body: &str| pair.same("PUT", "/v1/session/create", body);
    let queries = || {
        for query in [
            "/v1/catalog/nodes",
            "/v1/catalog/nodes?node-meta=a:b",
            "/v1/catalog/node/ext",
            "/v1/catalog/node/no-address",
            "/v1/catalog/services",
            "/v1/catalog/service/db",
            "/v1/health/node/ext",
            "/v1/health/service/db",
            "/v1/health/service/db?passing&near=ext",
            "/v1/health/checks/db",
            "/v1/health/state/warning",
            "/v1/health/state/any",
            "/v1/session/node/ext",
        ] {
            pair.get(query);
        }
    };
    for body in [
        "",
        "{",
        "{}",
        r#"{"Node":"ext"}"#,
        r#"{"Address":"1.2.3.4"}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","Foo":1}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","Service":{"ID":"x"}}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","Datacenter":"elsewhere"}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","Check":{"Node":"other","CheckID":"c"}}"#,
        r#"{"Node":"ext","Address":"1.2.3.4","ID":"zz"}"#,
    ] {
        register(body);
    }
    register(
        r#"{"Node":"ext","Address":"1.2.3.4","NodeMeta":{"a":"b"},"TaggedAddresses":{"lan":"1.1.1.1"},
            "Service":{"Service":"db","Tags":["a"],"Address":"5.6.7.8","Port":99,"Meta":{"x":"y"}},
            "Check":{"CheckID":"c1","Name":"n1","Status":"passing","ServiceID":"db","Output":"o",
                "Notes":"n","Definition":{"TCP":"1.2.3.4:5","Interval":"5s"}}}"#,
    );
    register(r#"{"Node":"ext","Address":"1.2.3.4","Check":{"Name":"lost","ServiceID":"none"}}"#);
    queries();
    register(r#"{"Node":"ext","SkipNodeUpdate":true,"Service":{"ID":"db-2","Service":"db"}}"#);
    register(r#"{"Node":"ext","Address":"1.2.3.4","Datacenter":"dc1"}"#);
    queries();
    register(
        r#"{"Node":"ext","Address":"1.2.3.5","Checks":[{"Name":"l1","Status":"warning"},{"Name":"l2"}]}"#,
    );
    register(r#"{"Node":"no-address","SkipNodeUpdate":true,"Service":{"Service":"db"}}"#);
    session(r#"{"Node":"ext","NodeChecks":["l1"]}"#);
    session(r#"{"Node":"ext","NodeChecks":[],"ServiceChecks":[{"ID":"c1"}]}"#);
    session(r#"{"Node":"ext"}"#);
    queries();
    for body in [
        "",
        "{}",
        r#"{"Node":"nope"}"#,
        r#"{"Node":"ext","Foo":1}"#,
        r#"{"Node":"ext","ServiceID":"nope"}"#,
        r#"{"Node":"ext","CheckID":"nope"}"#,
        r#"{"Node":"ext","Datacenter":"elsewhere"}"#,
        r#"{"Node":"ext","CheckID":"l1"}"#,
        r#"{"Node":"ext","ServiceID":"db"}"#,
    ] {
        deregister(body);
        queries();
    }
    deregister(r#"{"Node":"ext"}"#);
    queries();
    for (method, path) in [("GET", "register"), ("GET", "deregister"), ("PUT", "nodes")] {
        pair.same(method, &format!("/v1/catalog/{path}"), "");
    }
    pair.get("/v1/acl/list");
    pair.get("/v1/internal/ui/nope");
}
