//! Keys and transactions on them.

use super::Pair;

#[test]
fn keys() {
    let pair = Pair::start();
    pair.get("/v1/kv/a");
    for (method, path, body) in [
        ("PUT", "/v1/kv/a", "hello"),
        ("PUT", "/v1/kv/a", "hello"),
        ("PUT", "/v1/kv/a/b/c", "x"),
        ("PUT", "/v1/kv/a/d?flags=42", "y"),
        ("PUT", "/v1/kv/empty", ""),
        ("PUT", "/v1/kv/sp%20ace%2Fx", "s"),
        ("PUT", "/v1/kv/", "z"),
        ("PUT", "/v1/kv/a?cas=0", "z"),
        ("PUT", "/v1/kv/new?cas=0", "z"),
        ("PUT", "/v1/kv/new?cas=5", "z"),
        ("PUT", "/v1/kv/new?cas=x", "z"),
        ("PUT", "/v1/kv/new?flags=x", "z"),
        ("DELETE", "/v1/kv/new?cas=5", ""),
        ("DELETE", "/v1/kv/new?cas=0", ""),
        ("DELETE", "/v1/kv/nope?cas=0", ""),
        ("DELETE", "/v1/kv/nope?cas=5", ""),
        ("DELETE", "/v1/kv/nope", ""),
        ("DELETE", "/v1/kv/", ""),
    ] {
        pair.same(method, path, body);
    }
    let queries = [
        "/v1/kv/a",
        "/v1/kv/a?raw",
        "/v1/kv/a?recurse",
        "/v1/kv/?recurse",
        "/v1/kv/a?keys",
        "/v1/kv/a/?keys&separator=/",
        "/v1/kv/?keys&separator=/",
        "/v1/kv/zz?keys",
        "/v1/kv/zz?recurse",
        "/v1/kv/",
        "/v1/kv/empty",
        "/v1/kv/empty?raw",
        "/v1/kv/sp%20ace/x",
        "/v1/kv/new",
    ];
    queries.iter().for_each(|query| pair.get(query));
    pair.same("DELETE", "/v1/kv/new", "");
    pair.same("DELETE", "/v1/kv/a/?recurse", "");
    queries.iter().for_each(|query| pair.get(query));
    pair.same("DELETE", "/v1/kv/?recurse", "");
    queries.iter().for_each(|query| pair.get(query));
    pair.same("PUT", "/v1/kv/big", &"x".repeat(512 * 1024));
}

#[test]
fn transactions() {
    let pair = Pair::start();
    let txn = "/v1/txn";
    let session = pair.session("SESSION", "");
    let names = [&session];
    let do_all = |bodies: &[&str]| {
        for body in bodies {
            pair.same_with(&names, "PUT", txn, body);
        }
        pair.get("/v1/kv/?recurse");
    };
    do_all(&[
        "",
        "{",
        "{}",
        "[]",
        "[{}]",
        r#"[{"KV":{}}]"#,
        r#"[{"KV":{"Verb":"set"}}]"#,
        r#"[{"KV":{"Verb":"foo","Key":"a"}}]"#,
        r#"[{"KV":{"Verb":"get","Key":"a","Foo":1}}]"#,
        r#"[{"KV":{"Verb":"set","Key":"a","Value":"zzz!"}}]"#,
        r#"[{"KV":{"Verb":"set","Key":"t/a","Value":"aGk=","Flags":3}},
            {"KV":{"Verb":"get","Key":"t/a"}},{"KV":{"Verb":"get-tree","Key":"t/"}}]"#,
        r#"[{"KV":{"Verb":"get","Key":"t/a"}},{"KV":{"Verb":"get-tree","Key":"t/"}}]"#,
        r#"[{"KV":{"Verb":"get","Key":"none"}},{"KV":{"Verb":"get-tree","Key":"none"}}]"#,
        // All that is wrong is said, and nothing of it happens.
        r#"[{"KV":{"Verb":"set","Key":"never","Value":"aGk="}},
            {"KV":{"Verb":"get","Key":"none"}},
            {"KV":{"Verb":"cas","Key":"t/a","Index":0}},
            {"KV":{"Verb":"cas","Key":"t/a","Index":99999}},
            {"KV":{"Verb":"lock","Key":"t/a","Session":"zz"}},
            {"KV":{"Verb":"lock","Key":"t/a"}},
            {"KV":{"Verb":"lock","Key":"t/a","Session":"00000000-0000-0000-0000-000000000000"}},
            {"KV":{"Verb":"unlock","Key":"t/a","Session":"zz"}},
            {"KV":{"Verb":"unlock","Key":"t/a"}},
            {"KV":{"Verb":"check-index","Key":"t/a","Index":1}},
            {"KV":{"Verb":"check-index","Key":"none","Index":1}},
            {"KV":{"Verb":"check-session","Key":"t/a","Session":"zz"}},
            {"KV":{"Verb":"check-session","Key":"none","Session":"zz"}},
            {"KV":{"Verb":"check-not-exists","Key":"t/a"}},
            {"KV":{"Verb":"delete-tree","Key":"t/"}},
            {"KV":{"Verb":"delete-cas","Key":"none","Index":1}}]"#,
        r#"[{"KV":{"Verb":"delete-cas","Key":"t/a","Index":1}}]"#,
        r#"[{"KV":{"Verb":"bogus","Key":"a"}},{"KV":{"Verb":"get","Key":""}},
            {"KV":{"Verb":"get-tree","Key":""}},{"KV":{"Verb":"delete-tree","Key":""}}]"#,
        r#"[{"KV":{"Verb":"check-not-exists","Key":"none"}},
            {"KV":{"Verb":"check-session","Key":"t/a","Session":""}},
            {"KV":{"Verb":"delete","Key":"none"}},{"KV":{"Verb":"delete-tree","Key":"none"}}]"#,
        r#"[{"KV":{"Verb":"lock","Key":"held","Session":"SESSION","Value":"aA=="}}]"#,
        r#"[{"KV":{"Verb":"check-session","Key":"held","Session":"SESSION"}},
            {"KV":{"Verb":"set","Key":"fenced","Value":"aA=="}}]"#,
        r#"[{"KV":{"Verb":"unlock","Key":"held","Session":"SESSION","Value":"aA=="}}]"#,
        r#"[{"KV":{"Verb":"lock","Key":"held","Session":"SESSION","Value":"aA=="}}]"#,
    ]);
    let other = pair.session("OTHER", "");
    let names = [&session, &other];
    let lock = r#"[{"KV":{"Verb":"lock","Key":"held","Session":"OTHER"}}]"#;
    pair.same_with(&names, "PUT", txn, lock);
    pair.same_with(&names, "PUT", "/v1/session/destroy/SESSION", "");
    pair.same_with(&names, "PUT", txn, lock);
    let index = pair.field("INDEX", "t/a", "ModifyIndex");
    for body in [
        r#"[{"KV":{"Verb":"check-index","Key":"t/a","Index":INDEX}},
            {"KV":{"Verb":"cas","Key":"t/a","Index":INDEX,"Value":"aA=="}}]"#,
        r#"[{"KV":{"Verb":"check-index","Key":"t/a","Index":INDEX}}]"#,
    ] {
        pair.same_with(&[&index], "PUT", txn, body);
    }
    let many = vec![r#"{"KV":{"Verb":"get","Key":"t/a"}}"#; 65].join(",");
    pair.same("PUT", txn, &format!("[{many}]"));
    pair.same("GET", txn, "");
    pair.get("/v1/kv/?recurse");
}
