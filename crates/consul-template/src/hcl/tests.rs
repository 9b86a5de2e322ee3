use super::*;

use proptest::prelude::*;

fn good(text: &str) -> Node {
    let (node, errors) = parse(text);
    assert_eq!(errors, [], "{text}");
    node
}

fn member<'a>(node: &'a Node, key: &str) -> &'a Node {
    let Value::Object(members) = &node.value else { panic!("{node:?}") };
    &members.iter().find(|member| member.key == key).unwrap_or_else(|| panic!("{node:?}")).value
}

/// What the value of the only setting is.
fn value(written: &str) -> Value {
    member(&good(&format!("a = {written}\n")), "a").value.clone()
}

/// The text that it is.
fn text(written: &str) -> String {
    match value(written) {
        Value::String(text) => text,
        other => panic!("{written}: {other:?}"),
    }
}

fn keys(node: &Node) -> Vec<&str> {
    let Value::Object(members) = &node.value else { panic!("{node:?}") };
    members.iter().map(|member| member.key.as_str()).collect()
}

#[test]
fn values_and_blocks() {
    let node = good(
        "# a comment\nlog_level = \"warn\" // another\n/* and\none */\nonce = true\n\
         template {\n  perms = 0644\n  exec {\n    command = [\"a\", \"b\",]\n  }\n}\n\
         template {\n  wait = { min = \"5s\", max = \"10s\" }\n}\nempty {}\n",
    );
    assert_eq!(keys(&node), ["log_level", "once", "template", "template", "empty"]);
    assert_eq!(member(&node, "once").value, Value::Bool(true));
    let template = member(&node, "template");
    assert_eq!(member(template, "perms").value, Value::Number(f64::from(0o644)));
    let command = member(member(template, "exec"), "command");
    assert!(matches!(&command.value, Value::Array(items) if items.len() == 2), "{command:?}");
}

#[test]
fn what_only_the_first_version_allows() {
    // Several on a line, with commas or without, and names in quotes.
    let node =
        good("wait { min = \"5s\" max = \"10s\" }\nauth { a = 1, b = 2, }\n\"q\" = 1\n\"r\" {}");
    assert_eq!(keys(member(&node, "wait")), ["min", "max"]);
    assert_eq!(keys(member(&node, "auth")), ["a", "b"]);
    assert_eq!(keys(&node), ["wait", "auth", "q", "r"]);
    // Nothing is evaluated.
    assert_eq!(text(r#""${PORT:-80} $X $${Y} $$""#), "${PORT:-80} $X $${Y} $$");
    assert_eq!(text(r#""${a["b"]} c""#), "${a[\"b\"]} c");
    assert_eq!(text(r#""%{ if } 100% %%{x""#), "%{ if } 100% %%{x");
    assert_eq!(text("<<E\nserver ${host}; \"%{x}\" \\n\n\nE"), "server ${host}; \"%{x}\" \\n\n\n");
}

#[test]
fn numbers() {
    for (written, number) in
        [("0", 0.0), ("12", 12.0), ("-3", -3.0), ("1.5", 1.5), ("2e3", 2000.0), ("0x1F", 31.0)]
    {
        assert_eq!(value(written), Value::Number(number), "{written}");
    }
    for wrong in ["5s", "0x", "08", "1.2.3", "+1", "--1", "1-2"] {
        let (_, errors) = parse(&format!("a = {wrong}"));
        let message = format!("{wrong} is no number: want digits, or text in double quotes");
        assert_eq!(errors, [SyntaxError { offset: 4, message }], "{wrong}");
    }
}

#[test]
fn escapes() {
    assert_eq!(text(r#""{{ key \"a\" }}\n\t\\\u00e4\x41\101""#), "{{ key \"a\" }}\n\t\\äAA");
    assert_eq!(text("\"ä€😀\""), "ä€😀");
}

#[test]
fn heredocs_stay_as_they_are() {
    assert_eq!(text("<<END\n  {{ a }}\n\n  b\nEND"), "  {{ a }}\n\n  b\n");
    assert_eq!(text("<<END\n\nEND"), "\n");
    assert_eq!(text("<<END\nEND"), "");
    assert_eq!(text("<<END\r\na\r\n  END\r"), "a\r\n");
    assert_eq!(text("<<END\nENDING\nEND"), "ENDING\n");
    // The blanks before the end go, and no more.
    assert_eq!(text("<<-END\n    a\n      b\n  END"), "  a\n    b\n");
    assert_eq!(text("<<-END\na\n  b\n  END"), "a\n  b\n");
}

#[test]
fn places_are_those_of_the_file() {
    let file = "ä = 1\na = \"${x}\"\nb = 12\n";
    let node = good(file);
    let span = |key| member(&node, key).span;
    assert_eq!(&file[span("a").start..span("a").end], "\"${x}\"");
    assert_eq!(&file[span("b").start..span("b").end], "12");
}

#[test]
fn mistakes_in_values_are_all_told() {
    let (node, errors) = parse("a = warn\nb = 5s\nc = \"\\q\"\nd = 1\ntemplate \"x\" {\n}\n");
    let told: Vec<(usize, &str)> =
        errors.iter().map(|error| (error.offset, error.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (4, "warn is no value: want it in double quotes"),
            (13, "5s is no number: want digits, or text in double quotes"),
            (21, "the \\ begins no escape: want \\n, \\t, \\\", \\\\ or \\u and four digits"),
            (40, "template has a name: want template { … } without one"),
        ]
    );
    assert_eq!(keys(&node), ["d"]);
}

#[test]
fn mistakes_in_the_structure_end_it() {
    for (text, message) in [
        ("a", "the end of the file cannot stand behind a: want a = VALUE or a { … }"),
        ("a 1", "'1' cannot stand behind a: want a = VALUE or a { … }"),
        ("a b", "is no value of a: want a = VALUE or a { … }"),
        // What a terminal would obey is written as an escape.
        (
            "\"a\\u001b[1m\": 1",
            "':' cannot stand behind \"a\\u{1b}[1m\": want \"a\\u{1b}[1m\" = VALUE or \
             \"a\\u{1b}[1m\" { … }",
        ),
        ("= 1", "'=' cannot stand here: want the name of a setting"),
        (
            "a == 1",
            "'=' is no value: want text in double quotes, a number, true, false, [ … ] or { … }",
        ),
        (
            "a =",
            "the end of the file is no value: want text in double quotes, a number, true, false, [ … ] or { … }",
        ),
        ("a {", "the { has no }: want one at the end of the block"),
        ("a = 1 }", "the } has no {: want as many of both"),
        ("a = [1", "the [ has no ]: want one at the end of the list"),
        ("a = [1 2]", "'2' cannot stand in a list: want , or ]"),
        ("a = \"x", "the text does not end: want \" behind it"),
        (
            "a = \"x\ny\"",
            "the text does not end: want \" before the end of the line, \\n for one, or <<END",
        ),
        ("a = \"${x\"", "the text does not end: want \" behind it"),
        ("a = <<E\nx", "the text does not end: want a line that is E alone"),
        ("a = <x", "the text has no name for its end: want <<END or <<-END at the end of the line"),
        ("/* a", "the comment does not end: want */ behind it"),
    ] {
        let (_, errors) = parse(text);
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        assert_eq!(errors[0].message, message, "{text}");
    }
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["a {", "a = [", "a = [["] {
        let (_, errors) = parse(&open.repeat(100_000));
        assert!(!errors.is_empty(), "{open}");
    }
    let (_, errors) = parse(&format!("a = {}", "[".repeat(100_000)));
    assert_eq!(errors[0].message, "is nested too deeply: want at most 64 levels");
}

/// A tree as HCL.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Bool(is) => out.push_str(&is.to_string()),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => {
            out.push('"');
            out.push_str(&text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
            out.push('"');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write(&item.value, out);
                out.push_str(", ");
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push_str("{ ");
            for Member { key, value, .. } in members {
                out.push_str(&format!("{key} = "));
                write(&value.value, out);
                out.push('\n');
            }
            out.push('}');
        }
        Value::Null => {}
    }
}

/// A tree without places.
fn placeless(node: &Node) -> Node {
    let nowhere = Span::default();
    let value = match &node.value {
        Value::Array(items) => Value::Array(items.iter().map(placeless).collect()),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|Member { key, value, .. }| Member {
                    key: key.clone(),
                    key_span: nowhere,
                    value: placeless(value),
                })
                .collect(),
        ),
        other => other.clone(),
    };
    Node { span: nowhere, value }
}

fn tree() -> impl Strategy<Value = Node> {
    let node = |value| Node { span: Span::default(), value };
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(|number| Value::Number(f64::from(number))),
        // A text in which `${` is not closed is none.
        "[^${]{0,12}".prop_map(Value::String),
    ]
    .prop_map(node);
    let member = |value| ("[a-z_][a-z0-9_.-]{0,6}", value);
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec(member(inner), 0..4).prop_map(|members| {
                let member = |(key, value)| Member { key, key_span: Span::default(), value };
                Value::Object(members.into_iter().map(member).collect())
            }),
        ]
        .prop_map(node)
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(tree in tree()) {
        let mut file = "root = ".to_owned();
        write(&tree.value, &mut file);
        let (node, errors) = parse(&file);
        prop_assert_eq!(&errors, &[], "{}", file);
        prop_assert_eq!(placeless(member(&node, "root")), tree, "{}", file);
    }

    #[test]
    fn no_text_is_too_strange(text in "[a-z0-9 ={}\\[\\],\"\\\\$<\\-\n#/*ä.]{0,60}") {
        let (_, errors) = parse(&text);
        for error in errors {
            prop_assert!(text.is_char_boundary(error.offset), "{:?}", error);
        }
    }
}
