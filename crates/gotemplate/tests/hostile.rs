//! Whatever the text, parsing and executing it end with a result: no panic, no endless loop, no
//! overflow of a small stack.
#![allow(clippy::unwrap_used)] // It is a test.

mod support;

use gotemplate::{Functions, Limits, Options, Template, Value};
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// Runs on a thread with the stack of a musl or test thread.
fn on_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 << 20).spawn(test).unwrap().join().unwrap();
}

fn parse_error(text: &str) -> String {
    Template::parse("t", text, &Functions::new()).err().map(|e| e.to_string()).unwrap_or_default()
}

/// Parses and, if that works, executes; the message of what went wrong.
fn outcome(text: &str) -> Result<String, String> {
    let template = Template::parse("t", text, &support::functions()).map_err(|e| e.to_string())?;
    let json = serde_json::json!({"a": {"b": [1, "x", null]}, "s": "text", "n": 3});
    template.execute(&support::data(&json)).map_err(|e| e.to_string())
}

#[test]
fn deep_nesting_is_refused_on_a_small_stack() {
    on_small_stack(|| {
        for (open, close) in [
            ("{{if true}}", "{{end}}"),
            ("{{range .}}", "{{end}}"),
            ("{{with .}}", "{{end}}"),
            ("{{if true}}{{else if true}}", ""),
            ("{{block \"x\" .}}", "{{end}}"),
        ] {
            let text = open.repeat(100_000) + &close.repeat(100_000);
            assert!(parse_error(&text).contains("nested too deeply"), "{open}");
        }
        let text = format!("{{{{{}1{}}}}}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(parse_error(&text).contains("nested too deeply"));
        let text = format!("{{{{if true}}}}a{}", "{{else if true}}b".repeat(100_000));
        assert!(parse_error(&text).contains("nested too deeply"));
    });
}

#[test]
fn the_deepest_nesting_that_is_allowed_works_on_a_small_stack() {
    on_small_stack(|| {
        let blocks = "{{if true}}".repeat(199) + "x" + &"{{end}}".repeat(199);
        assert_eq!(outcome(&blocks).unwrap(), "x");
        let parens = format!("{{{{{}1{}}}}}", "(print ".repeat(199), ")".repeat(199));
        assert_eq!(outcome(&parens).unwrap(), "1");
        let half = format!(
            "{}{{{{{}1{}}}}}{}",
            "{{with true}}".repeat(99),
            "(print ".repeat(99),
            ")".repeat(99),
            "{{end}}".repeat(99)
        );
        assert_eq!(outcome(&half).unwrap(), "1");
    });
}

#[test]
fn endless_recursion_ends_at_gos_limit_on_a_small_stack() {
    on_small_stack(|| {
        let text = r#"{{define "x"}}{{with .}}{{range $.a.b}}{{template "x" $}}{{end}}{{end}}{{end}}{{template "x" .}}"#;
        let error = outcome(text).unwrap_err();
        assert!(error.ends_with("exceeded maximum template depth (100000)"), "{error}");
    });
}

#[test]
fn recursion_through_a_function_is_bounded() {
    on_small_stack(|| {
        let template: Rc<RefCell<Option<Rc<Template>>>> = Rc::default();
        let mut functions = Functions::new();
        let shared = template.clone();
        functions.add("again", move |args| {
            let template = shared.borrow().clone().ok_or("not parsed yet")?;
            let data = args.first().cloned().unwrap_or_default();
            template.execute(&data).map(Value::from).map_err(|e| e.to_string())
        });
        let parsed = Template::parse("t", "{{again .}}", &functions).unwrap();
        *template.borrow_mut() = Some(Rc::new(parsed));
        let parsed = template.borrow().clone().unwrap();
        let error = parsed.execute(&Value::Nil).unwrap_err().to_string();
        assert!(error.contains("exceeded maximum evaluation depth"), "{error}");
        // The count is back at its start: the same again, not less.
        assert_eq!(parsed.execute(&Value::Nil).unwrap_err().to_string(), error);
        *template.borrow_mut() = None;
    });
}

#[test]
fn multiplying_recursion_ends() {
    // Doubles 60 times: it would take for ever.
    let mut text = String::from(r#"{{define "t0"}}{{end}}"#);
    for i in 1..60 {
        let j = i - 1;
        text += &format!(
            r#"{{{{define "t{i}"}}}}{{{{template "t{j}"}}}}{{{{template "t{j}"}}}}{{{{end}}}}"#
        );
    }
    text += r#"{{template "t59"}}"#;
    let error = outcome(&text).unwrap_err();
    assert!(error.contains("takes too long"), "{error}");
}

#[test]
fn deep_data_is_not_printed_beyond_the_limit() {
    on_small_stack(|| {
        let nested = |levels| (0..levels).fold(Value::from(1i64), |v, _| Value::from(vec![v]));
        let template = Template::parse("t", "{{.}}", &Functions::new()).unwrap();
        let text = template.execute(&nested(150)).unwrap();
        assert_eq!(text, "[".repeat(150) + "1" + &"]".repeat(150));
        let error = template.execute(&nested(1000)).unwrap_err().to_string();
        assert!(error.contains("nested too deeply"), "{error}");
    });
}

#[test]
fn text_that_doubles_itself_ends_with_an_error() {
    let text =
        format!("{{{{$x := \"0123456789\"}}}}{}", "{{$x = printf \"%s%s\" $x $x}}".repeat(60));
    let error = outcome(&text).expect_err("2^60 bytes");
    assert!(error.contains("error calling printf: makes too much text"), "{error}");
}

/// As [`outcome`], with a list function such as embedders have, and less room.
fn outcome_in(limits: Limits, text: &str) -> Result<String, String> {
    let mut functions = support::functions();
    functions.add("numbers", |args| match args {
        [Value::Int(count)] => Ok((0..*count).map(Value::from).collect::<Vec<_>>().into()),
        _ => Err("want a number".into()),
    });
    let options = Options { limits, ..Options::default() };
    let template =
        Template::parse_with("t", text, &functions, &options).map_err(|e| e.to_string())?;
    let json = serde_json::json!({"s": "text".repeat(1000)});
    template.execute(&support::data(&json)).map_err(|e| e.to_string())
}

#[test]
fn nothing_is_made_beyond_the_limit() {
    let limits = Limits { output: 1 << 20, made: 1 << 20, ..Limits::default() };
    let list = "{{$a := numbers 10000}}";
    for (text, message) in [
        // Lists count as text does.
        (list.repeat(10), "error calling numbers: makes too much text: more than 1048576 bytes"),
        (
            r#"{{define "x"}}{{$a := numbers 10000}}{{template "x"}}{{end}}{{template "x"}}"#
                .into(),
            "error calling numbers: makes too much text",
        ),
        // One call that asks for much: 10 GB, 400 MB, 10 GB, 400 MB, 80 MB.
        (list.to_owned() + r#"{{printf "%999999d" $a}}"#, "error calling printf: makes too much"),
        (format!("{{{{print{}}}}}", " .s".repeat(1000)), "error calling print: makes too much"),
        (
            format!("{{{{printf \"{}\" 1}}}}", "%999999[1]d".repeat(10_000)),
            "error calling printf: makes too much",
        ),
        (
            format!("{{{{printf \"{}\" nil}}}}", "%999999[1]v".repeat(10_000)),
            "error calling printf: makes too much",
        ),
        (format!("{{{{html{}}}}}", " .s".repeat(1000)), "error calling html: makes too much"),
        (list.to_owned() + &"{{$a}}".repeat(100), "too much output: more than 1048576 bytes"),
    ] {
        let error = outcome_in(limits, &text).unwrap_err();
        assert!(error.contains(message), "{error:.300}");
    }
}

#[test]
fn nothing_takes_longer_than_the_limit() {
    let limits = Limits { steps: 100_000, ..Limits::default() };
    let variables: String = (0..10_000).map(|i| format!("{{{{$v{i} := 1}}}}")).collect();
    for text in [
        "{{range 1000000}}{{end}}".to_owned(),
        // What is long within an iteration counts.
        format!("{{{{range 1000}}}}{{{{if and{}}}}}{{{{end}}}}{{{{end}}}}", " 1".repeat(1000)),
        format!("{{{{range 1000}}}}{{{{if or{}}}}}{{{{end}}}}{{{{end}}}}", " (0)".repeat(1000)),
        format!("{{{{range 1000}}}}{{{{if 1{}}}}}{{{{end}}}}{{{{end}}}}", " | not".repeat(1000)),
        format!("{{{{range 1000}}}}{{{{if $.zzz{}}}}}{{{{end}}}}{{{{end}}}}", ".a".repeat(1000)),
        "{{range 1000}}{{if eq $.s $.s}}{{end}}{{end}}".to_owned(),
        "{{range 1000}}{{if js $.s}}{{end}}{{end}}".to_owned(),
        "{{range 1000}}{{if printf \"%9000d\" 1}}{{end}}{{end}}".to_owned(),
        format!("{{{{$x := 1}}}}{variables}{{{{range 1000}}}}{{{{$x}}}}{{{{end}}}}"),
        format!("{{{{$x := 1}}}}{variables}{{{{range 1000}}}}{{{{$x = 2}}}}{{{{end}}}}"),
    ] {
        let error = outcome_in(limits, &text).unwrap_err();
        assert!(error.contains("takes too long: more than 100000 steps"), "{error:.300}");
    }
    // What does not look at all of its argument costs nothing more.
    let list = "{{$a := numbers 10000}}{{range $i := 9000}}{{if index $a $i}}{{end}}{{end}}";
    assert_eq!(outcome_in(limits, list).unwrap(), "");
}

#[test]
fn recursion_does_not_pile_up_blocks_without_end() {
    on_small_stack(|| {
        let open = "{{if true}}".repeat(150);
        let close = "{{end}}".repeat(150);
        let text = format!(
            r#"{{{{define "x"}}}}{open}{{{{template "x"}}}}{close}{{{{end}}}}{{{{template "x"}}}}"#
        );
        let error = outcome(&text).unwrap_err();
        assert!(error.contains("too many open blocks and variables"), "{error:.300}");
    });
}

#[test]
fn numbers_at_their_ends_do_not_overflow() {
    for text in [
        "{{slice .s -9223372036854775808}}",
        "{{index .a.b 18446744073709551615}}",
        "{{printf \"%*d\" -9223372036854775808 1}}",
        "{{printf \"%.999999d %999999.999999f\" 1 1.5 | len}}",
        "{{printf \"%.99999999999999999999d\" 1}}",
        "{{printf \"%[99999999999999999999]d\" 1}}",
        "{{0x1p99999999999}}",
        "{{0x1p-99999999999}}",
        "{{printf \"%c %q %U\" -9223372036854775808 -9223372036854775808 -1}}",
        "{{range $i, $e := -9223372036854775808}}x{{end}}",
        "{{range 9223372036854775807}}{{break}}{{end}}",
    ] {
        let _ = outcome(text);
    }
}

/// Pieces that templates are made of, and some that do not fit.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{- ",
    " -}}",
    "{{if ",
    "{{else",
    "{{else if ",
    "{{end}}",
    "{{range ",
    "{{with ",
    "{{define \"x\"}}",
    "{{template \"x\" ",
    "{{block \"y\" ",
    "{{break}}",
    "{{continue}}",
    "{{/*",
    "*/}}",
    "(",
    ")",
    "|",
    " ",
    "\n",
    ".",
    ".a",
    ".a.b",
    "$",
    "$x",
    ":=",
    "=",
    ",",
    "\"",
    "\"s\"",
    "`",
    "'",
    "'c'",
    "0",
    "1",
    "-1",
    "0x",
    "1.5",
    "1e9",
    "1+2i",
    "true",
    "nil",
    "and ",
    "or ",
    "not ",
    "len ",
    "index ",
    "slice ",
    "call ",
    "html ",
    "js ",
    "urlquery ",
    "print ",
    "printf ",
    "printf \"%v %d %[2]*.[1]*f\" ",
    "println ",
    "eq ",
    "lt ",
    "upper ",
    "fail \"x\"",
    "strs ",
    "ž",
    "🎉",
    "\\",
    "\0",
    "%",
    "x",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn token_soup_ends_with_a_result(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)
    ) {
        let _ = outcome(&pieces.concat());
    }

    #[test]
    fn actions_of_token_soup_end_with_a_result(
        actions in prop::collection::vec(
            prop::collection::vec(prop::sample::select(PIECES), 1..6), 1..6)
    ) {
        let text: String =
            actions.iter().map(|pieces| format!("{{{{{}}}}}", pieces.join(" "))).collect();
        let _ = outcome(&text);
    }

    #[test]
    fn any_text_ends_with_a_result(text in "\\PC*") {
        let _ = outcome(&text);
        let _ = outcome(&format!("{{{{{text}}}}}"));
    }

    #[test]
    fn formats_end_with_a_result(
        format in "[%\\[\\]*.+# 0-9vTdboOxXcqUeEfFgGstpw-]{0,12}", n in any::<i64>(), f in any::<f64>()
    ) {
        let template = Template::parse("t", "{{printf .f .n .x .s .l}}", &Functions::new()).unwrap();
        let data = gotemplate::Map::of_any([
            ("f", Value::from(format)),
            ("n", n.into()),
            ("x", f.into()),
            ("s", "žluť".into()),
            ("l", vec![Value::from(n), Value::Nil].into()),
        ]);
        template.execute(&data.into()).unwrap();
    }

    #[test]
    fn text_without_actions_is_kept(text in "[^{]*") {
        prop_assert_eq!(outcome(&text).unwrap(), text);
    }
}
