use proptest::prelude::*;

use super::*;

/// The tree without its places, for comparisons.
fn plain(node: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        // JSON has no numbers beyond the finite ones.
        Value::Number(number) if number.is_finite() => Json::from(*number),
        Value::Number(number) => Json::String(number.to_string()),
        Value::String(string) => Json::String(string.clone()),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => {
            members.iter().map(|member| (member.key.clone(), plain(&member.value))).collect()
        }
    }
}

fn parsed(text: &str) -> serde_json::Value {
    plain(&parse(text).unwrap_or_else(|error| panic!("{text}: {error}")))
}

#[test]
fn all_that_json5_adds_to_json() {
    use serde_json::json;
    for (text, expected) in [
        ("\u{feff}{}", json!({})),
        (
            "{a: 1, $b_: 2, ünï: 3, 'd e': 4, \\u0066: 5,}",
            json!({"a": 1.0, "$b_": 2.0, "ünï": 3.0, "d e": 4.0, "f": 5.0}),
        ),
        ("[1, 2,]", json!([1.0, 2.0])),
        ("// c\n[/* a\n */ 1 // b\n]// end", json!([1.0])),
        ("/***/[]", json!([])),
        (
            "[+1, -1, .5, 5., -0x10, 0XfF, 1e3, 1.5E-1, 0]",
            json!([1.0, -1.0, 0.5, 5.0, -16.0, 255.0, 1000.0, 0.15, 0.0]),
        ),
        ("[Infinity, -Infinity, +Infinity, NaN]", json!(["inf", "-inf", "inf", "NaN"])),
        (r#"'it''s'"#.get(..4).unwrap_or(""), json!("it")),
        (r#"["\b\f\n\r\t\v\0\x41\u0042\'\"\\\/\q"]"#, json!(["\u{8}\u{c}\n\r\t\u{b}\0AB'\"\\/q"])),
        ("\"one \\\n two \\\r\n three\"", json!("one  two  three")),
        (r#""\ud83d\ude00""#, json!("😀")),
        (r#""\ud83d!\udead""#, json!("\u{fffd}!\u{fffd}")),
        ("\u{a0}\u{2003}\u{2028}null\u{b}", json!(null)),
        ("\"a\u{2028}b\tc\"", json!("a\u{2028}b\tc")),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_json5() {
    for text in [
        "",
        "{",
        "}",
        "[",
        "]",
        "{a}",
        "{a:}",
        "{a:1 b:2}",
        "{,}",
        "[,]",
        "[1,,2]",
        "\"",
        "'\n'",
        "\"\\",
        "\"\\x4\"",
        "\"\\u004\"",
        "\"\\1\"",
        "\"\\01\"",
        "01",
        "-",
        "+",
        ".",
        "0x",
        "0xg",
        "1e",
        "1e+",
        "--1",
        "+-1",
        "1.2.3",
        "inf",
        "-inf",
        "-nan",
        "infinity",
        "True",
        "/*",
        "/",
        "// only",
        "{} {}",
        "1 2",
        "{a: 1}}",
        "{\\x61: 1}",
        "{\\u0020: 1}",
        "{1a: 1}",
        "`a`",
    ] {
        assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
    }
}

#[test]
fn every_value_and_key_knows_its_place() {
    let text = "{\n  größe: [ 'x', -12 ], // c\n}";
    let node = parse(text).expect("JSON5");
    let Value::Object(members) = &node.value else { panic!("{node:?}") };
    let written = |span: Span| &text[span.start..span.end];
    assert_eq!(written(members[0].key_span), "größe");
    assert_eq!(Position::of(text, members[0].key_span.start), Position { line: 2, column: 3 });
    assert_eq!(written(members[0].value.span), "[ 'x', -12 ]");
    let Value::Array(items) = &members[0].value.value else { panic!("{node:?}") };
    assert_eq!(written(items[0].span), "'x'");
    assert_eq!(written(items[1].span), "-12");
    // Columns are characters, not bytes.
    assert_eq!(Position::of(text, items[1].span.start), Position { line: 2, column: 17 });
    assert_eq!(written(node.span), text);
}

#[test]
fn no_depth_exhausts_the_stack() {
    for open in ["[", "{a:", "[{a:", "[/**/"] {
        let error = parse(&open.repeat(1_000_000)).expect_err("too deep");
        assert!(error.fault.contains("nested"), "{error}");
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(serde_json::Value::from),
        (-9_000_000_000_000_000i64..9_000_000_000_000_000)
            .prop_map(|number| (number as f64).into()),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn json_is_json5(value in json()) {
        prop_assert_eq!(&parsed(&value.to_string()), &value);
        prop_assert_eq!(&parsed(&format!("{value:#}")), &value);
    }

    #[test]
    fn nothing_panics(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn nothing_that_looks_like_json5_panics(text in r#"([\[\]{}:,'"\\+.\-/*0-9exau \n“–é]|//|/\*|\*/|true|NaN|Infinity|\\u[0-9a-f]{0,5}|\\x){0,40}"#) {
        if let Err(error) = parse(&text) {
            prop_assert!(text.is_char_boundary(error.span.start), "{}", error);
            let _ = Position::of(&text, error.span.start);
        }
    }
}
