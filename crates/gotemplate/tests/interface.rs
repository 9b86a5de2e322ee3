//! What embedders rely on beyond Go: closures with state, several executions, objects, and
//! what later versions of Go brought.
#![allow(clippy::unwrap_used)] // It is a test.

mod support;

use gotemplate::{Functions, Map, Template, Value};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

fn render(text: &str, data: impl Into<Value>) -> String {
    let template = Template::parse("t", text, &support::functions()).unwrap();
    template.execute(&data.into()).unwrap()
}

#[test]
fn functions_keep_state_over_executions() {
    let calls = Rc::new(Cell::new(0i64));
    let counted = calls.clone();
    let mut functions = Functions::new();
    functions.add("next", move |_| {
        counted.set(counted.get() + 1);
        Ok(counted.get().into())
    });
    let template = Template::parse("t", "{{next}} {{next}}", &functions).unwrap();
    assert_eq!(template.execute(&Value::Nil).unwrap(), "1 2");
    assert_eq!(template.execute(&Value::Nil).unwrap(), "3 4");
    assert_eq!(calls.get(), 4);
}

#[test]
fn functions_added_later_do_not_change_a_template() {
    let mut functions = Functions::new();
    functions.add("f", |_| Ok("old".into()));
    let template = Template::parse("t", "{{f}}", &functions).unwrap();
    functions.add("f", |_| Ok("new".into()));
    assert_eq!(template.execute(&Value::Nil).unwrap(), "old");
}

#[test]
fn a_function_hides_a_builtin_and_a_keyword() {
    let mut functions = Functions::new();
    functions.add("len", |_| Ok("mine".into()));
    functions.add("break", |_| Ok("broken".into()));
    let template = Template::parse("t", "{{len 1}} {{break}}", &functions).unwrap();
    assert_eq!(template.execute(&Value::Nil).unwrap(), "mine broken");
}

#[test]
fn what_was_written_before_an_error_is_kept() {
    let template = Template::parse("t", "a{{.x.y}}b{{index .x 3}}", &Functions::new()).unwrap();
    let mut output = String::from("before ");
    let error = template.execute_into(&mut output, &Value::Nil).unwrap_err();
    assert_eq!(output, "before a<no value>b");
    assert_eq!((error.line(), error.column()), (1, 12));
}

#[test]
fn errors_know_their_line() {
    let error = Template::parse("t", "a\nb\n{{.x", &Functions::new()).err().unwrap();
    assert_eq!(error.line(), 3);
    let template = Template::parse("t", "a\nb\n  {{len 3}}", &Functions::new()).unwrap();
    let error = template.execute(&Value::Nil).unwrap_err();
    assert_eq!((error.line(), error.column()), (3, 4));
}

#[test]
fn definitions_are_found_by_name() {
    let text = r#"{{define "x"}}<{{.}}>{{end}}main"#;
    let template = Template::parse("t", text, &Functions::new()).unwrap();
    assert!(template.defines("x") && template.defines("t") && !template.defines("y"));
    let mut output = String::new();
    template.execute_template("x", &mut output, &"v".into()).unwrap();
    assert_eq!(output, "<v>");
}

#[test]
fn an_environment_is_typed() {
    let env = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
    assert_eq!(render("{{.A}} {{printf \"%T\" .}}", env), "1 map[string]string");
    assert_eq!(render("{{.a}}", Map::of_strings([("a", "x")])), "x");
}

#[test]
fn later_go_else_with() {
    let text = "{{with .a}}a{{else with .b}}b{{.}}{{else}}none{{end}}";
    assert_eq!(render(text, Map::of_strings([("b", "x")])), "bx");
    assert_eq!(render(text, Map::of_strings([("c", "x")])), "none");
}

#[test]
fn later_go_range_over_int() {
    assert_eq!(render("{{range 3}}{{.}}{{end}}", Value::Nil), "012");
    assert_eq!(render("{{range $i := 2}}{{$i}}{{end}}", Value::Nil), "01");
    assert_eq!(render("{{range 0}}x{{else}}none{{end}}", Value::Nil), "none");
    assert_eq!(render("{{range -5}}x{{else}}none{{end}}", Value::Nil), "none");
}

#[test]
fn range_assigns_both_variables_by_name() {
    let text = "{{$i := 9}}{{$e := 9}}{{$z := 9}}{{range $i, $e = strs \"a\" \"b\"}}{{end}}{{$i}}{{$e}}{{$z}}";
    assert_eq!(render(text, Value::Nil), "1b9");
}

#[test]
fn text_is_never_cut_within_a_character() {
    let template = Template::parse("t", "{{slice \"ž\" 0 1}}", &Functions::new()).unwrap();
    let error = template.execute(&Value::Nil).unwrap_err().to_string();
    assert!(error.ends_with("error calling slice: slice bounds split a character"), "{error}");
}

#[test]
fn complex_constants_are_refused_clearly() {
    let error = Template::parse("t", "{{1+2i}}", &Functions::new()).err().unwrap();
    assert_eq!(error.to_string(), "template: t:1: complex constants are not supported: 1+2i");
}

/// What is said beyond Go's words about a text that cannot be parsed.
#[test]
fn a_parse_error_has_advice_and_shows_its_action() {
    for (text, advice, action) in [
        ("a\n{{range .}}\n{{if 1}}{{end}}", "{{range}} of line 2 has no {{end}}", "{{range .}}"),
        ("{{range .}}\n{{if 1}}", "{{if}} of line 2 has no {{end}}", "{{if 1}}"),
        ("\n{{- with .}}x{{else}}\n", "{{with}} of line 2 has no {{end}}", "{{with .}}"),
        ("{{if 1}}\n{{else if 2}}", "{{if}} of line 2 has no {{end}}", "{{else if 2}}"),
        ("\n\n{{define \"x\"}}", "{{define}} of line 3 has no {{end}}", "{{define \"…\"}}"),
        ("{{block \"x\" .}}{{end", "", "{{end …"),
        ("{{block \"x\" .}}", "{{block}} of line 1 has no {{end}}", "{{block \"…\" .}}"),
        ("{{end}}", "nothing is open here that it could belong to", "{{end}}"),
        ("{{$service := 1}}{{$servce}}", "did you mean $service?", "{{$servce}}"),
        ("{{$x}}", "", "{{$x}}"),
        ("{{frob \"secret\" `secret` 's' 1}}", "", "{{frob \"…\" \"…\" \"…\" 1}}"),
        ("{{ printf \"secret", "", "{{ printf …"),
        ("{{  1\n\t.x\u{1b} }}", "", "{{ 1 …"),
        ("x", "", ""),
    ] {
        let error = Template::parse("t", text, &Functions::new()).err();
        let error = error.as_ref();
        let told = error.map_or((None, ""), |error| (error.advice(), error.action()));
        assert_eq!((told.0.unwrap_or_default(), told.1), (advice, action), "{text:?}");
    }
    let long = format!("{{{{ {} }}}}", "f ".repeat(1000));
    let error = Template::parse("t", &long, &Functions::new()).err().unwrap();
    assert!(error.action().len() < 100, "{}", error.action());
}

/// What is said beyond Go's words about a field that is not there.
#[test]
fn an_error_about_a_field_has_advice() {
    struct Pair;
    impl gotemplate::Object for Pair {
        fn type_name(&self) -> &str {
            "*dep.Pair"
        }
        fn field_names(&self) -> &[&str] {
            &["Key", "Value"]
        }
        fn method(&self, name: &str) -> Option<gotemplate::Signature> {
            (name == "Get").then_some(gotemplate::Signature::ANY)
        }
    }
    let data: Value = Map::of_any([
        ("pair", Value::object(Pair)),
        ("list", vec![Value::Nil].into()),
        ("text", "x".into()),
    ])
    .into();
    for (text, advice) in [
        ("{{.pair.Vlaue}}", Some("did you mean .Value?")),
        ("{{.pair.value}}", Some("did you mean .Value?")),
        ("{{.pair.get}}", Some("did you mean .Get?")),
        ("{{.pair.Other}}", Some("it has .Key .Value")),
        ("{{.list.Name}}", Some("it is a list: want {{range}} over it, or index")),
        ("{{.text.Name}}", None),
        ("{{template \"x\"}}", None),
    ] {
        let template = Template::parse("t", text, &Functions::new()).unwrap();
        let error = template.execute(&data).unwrap_err();
        assert_eq!(error.advice(), advice, "{text}: {error}");
    }
}
