use proptest::prelude::*;

use super::*;

fn post(path: &str, body: &str) -> Result<Request, String> {
    match parse("POST", path, None, body.as_bytes()) {
        Ok(Routed::Call(request)) => Ok(request),
        Ok(Routed::Events(_)) => panic!("{path} is no stream"),
        Err(refusal) => {
            assert_eq!(refusal.status, 400, "{body}: {}", refusal.message);
            Err(refusal.message)
        }
    }
}

fn environ(body: &str) -> Result<Vec<(String, Option<String>)>, String> {
    match post("/v3/environ", body)? {
        Request::Environ(variables) => Ok(variables.into_iter().collect()),
        other => panic!("{other:?}"),
    }
}

fn metric(body: &str) -> Result<Vec<(String, f64)>, String> {
    match post("/v3/metric", body)? {
        Request::Metric(values) => Ok(values),
        other => panic!("{other:?}"),
    }
}

fn events(query: &str) -> Result<Filter, String> {
    match parse("GET", "/v3/events", Some(query), b"") {
        Ok(Routed::Events(filter)) => Ok(filter),
        Ok(Routed::Call(call)) => panic!("{call:?}"),
        Err(refusal) => {
            assert_eq!(refusal.status, 400, "{query}: {}", refusal.message);
            Err(refusal.message)
        }
    }
}

#[test]
fn values_of_variables_are_their_text() {
    let body = r#"{
        "TEXT": "a=b \"c\" \u00fc\n", "NUMBER": 1.50, "LARGE": 123456789012345678901234567890,
        "EXPONENT": 1e3, "YES": true, "NO": false, "GONE": null, "EMPTY": "", "_0": "-"
    }"#;
    let expected = [
        ("EMPTY", None),
        ("EXPONENT", Some("1e3")),
        ("GONE", None),
        ("LARGE", Some("123456789012345678901234567890")),
        ("NO", Some("false")),
        ("NUMBER", Some("1.50")),
        ("TEXT", Some("a=b \"c\" ü\n")),
        ("YES", Some("true")),
        ("_0", Some("-")),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned)));
    assert_eq!(environ(body).unwrap(), expected);
    assert_eq!(environ(" {} ").unwrap(), []);
}

#[test]
fn what_is_wrong_with_a_body_is_said_with_what_would_be_right() {
    for (body, says) in [
        ("", r#"the body is empty: want a JSON object such as {"NAME": "value""#),
        ("  \n", "the body is empty"),
        ("A=b", "the body is not a JSON object such as"),
        ("[]", "the body is not a JSON object such as"),
        ("\"A\"", "the body is not a JSON object such as"),
        ("null", "the body is not a JSON object such as"),
        (r#"{"A": "b""#, "line 1 column 9"),
        (r#"{"A": "b"} {}"#, "trailing characters"),
        (r#"{"A": "b", "A": "c"}"#, r#""A" is there twice"#),
        (r#"{"A": {}}"#, "A: want a string (or a number, true, false), or null"),
        (r#"{"A": ["b"]}"#, "A: want a string"),
        (r#"{"A": "b\u0000c"}"#, "A: a variable cannot hold a NUL"),
        (r#"{"": "b"}"#, r#""" is no name of a variable: want letters, digits and _"#),
        (r#"{"A=": "b"}"#, r#""A=" is no name"#),
        (r#"{"1A": "b"}"#, r#""1A" is no name"#),
        (r#"{"Ä": "b"}"#, r#""Ä" is no name"#),
        (r#"{"A B": "b"}"#, r#""A B" is no name"#),
        // Also behind good ones.
        (r#"{"A": "b", "C": "d", "E-": "f"}"#, r#""E-" is no name"#),
    ] {
        let message = environ(body).expect_err(body);
        assert!(message.contains(says), "{body}: {message}");
    }
    let mut bytes = br#"{"A": "x"}"#.to_vec();
    bytes[7] = 0xff;
    assert_eq!(parse("POST", "/v3/environ", None, &bytes).unwrap_err().status, 400);
}

#[test]
fn values_of_metrics_are_finite_numbers() {
    let body = r#"{"z": 1, "a": -2.5, "text": " 3e2 ", "zero": "0"}"#;
    let expected = [("z", 1.0), ("a", -2.5), ("text", 300.0), ("zero", 0.0)];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(metric(body).unwrap(), expected);
    for value in ["\"\"", "\"x\"", "null", "true", "[1]", "{}", "\"NaN\"", "\"inf\"", "1e999"] {
        let message = metric(&format!("{{\"m\": {value}}}")).expect_err(value);
        assert!(message.contains("\"m\": want a finite number"), "{value}: {message}");
    }
    assert!(metric("").unwrap_err().contains(r#"such as {"name": 1.5}"#));
}

#[test]
fn a_filter_names_sources_and_events() {
    assert_eq!(events("").unwrap(), Filter::default());
    let filter = events("source=app&event=healthy&event=exitFailed&source=watch.db%2D1&").unwrap();
    assert_eq!(filter.sources, ["app", "watch.db-1"]);
    assert_eq!(filter.events, ["healthy", "exitFailed"]);
    for (query, says) in [
        ("event=heathly", "there is no event \"heathly\": want one of healthy, unhealthy,"),
        ("event", "there is no event \"\""),
        ("source=", "source: want a job's name"),
        ("job=app", "\"job\": no such parameter: want source and event"),
        ("source=%zz", "not percent-encoded"),
        ("source=%f", "not percent-encoded"),
        ("source=%ff", "not percent-encoded"),
    ] {
        let message = events(query).expect_err(query);
        assert!(message.contains(says), "{query}: {message}");
    }
}

#[test]
fn every_path_has_one_method() {
    for (path, allowed) in ROUTES {
        for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "get", ""] {
            let outcome = parse(method, path, None, b"{}");
            if method == allowed {
                assert!(outcome.is_ok(), "{method} {path}: {outcome:?}");
            } else {
                let refusal = outcome.expect_err(path);
                assert_eq!((refusal.status, refusal.allow), (405, Some(allowed)));
            }
        }
        assert_eq!(label(path), path);
        assert_eq!(parse(allowed, &format!("{path}/"), None, b"{}").unwrap_err().status, 404);
    }
    assert_eq!(label("/v3/secret"), "other");
}

proptest! {
    #[test]
    fn whatever_comes_is_understood_or_refused(
        route in 0..ROUTES.len(),
        query in ".{0,40}",
        body in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let (path, method) = ROUTES[route];
        if let Err(refusal) = parse(method, path, Some(&query), &body) {
            prop_assert_eq!(refusal.status, 400);
        }
    }

    #[test]
    fn what_is_set_is_what_was_meant(
        name in "[A-Za-z_][A-Za-z0-9_]{0,20}",
        value in "[^\0]{1,40}",
    ) {
        let body = serde_json::json!({ name.as_str(): value }).to_string();
        prop_assert_eq!(environ(&body).unwrap(), [(name, Some(value))]);
    }
}
