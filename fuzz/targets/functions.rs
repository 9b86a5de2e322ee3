//! Any template over a catalog, and any text given to its functions that read JSON, YAML and
//! queries: all ends soon, in little memory, and the same way each time; what was written is read
//! as what it was.
//!
//! The first byte says which. Of a template, lines `NAME=value` before a line `---` are keys of the
//! catalog, and files.

#![no_main]

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use catalog::{
    Endpoint, Finding, HealthCheck, Keys, Listed, Node, NodeServices, Pair, Question, Status,
    Weights,
};
use catalog_functions::{Answers, Host, Interface, Known, Need, Options, Template};
use libfuzzer_sys::fuzz_target;

/// What takes longer is not executed again.
const SHORT: Duration = Duration::from_millis(50);

fuzz_target!(|input: &str| {
    let Some(first) = input.chars().next() else { return };
    let rest = &input[first.len_utf8()..];
    match first {
        'j' => json(rest),
        'y' => yaml(rest),
        'k' => keys(rest),
        'q' => query(rest),
        't' => template(rest),
        _ => template(input),
    }
});

fn options() -> Options {
    Options {
        left_delimiter: String::new(),
        right_delimiter: String::new(),
        error_on_missing_key: false,
        environment: Arc::new(BTreeMap::from([("NAME".to_owned(), "value".to_owned())])),
        denied: Vec::new(),
        host: Host {
            now: || UNIX_EPOCH + Duration::new(1_772_694_489, 120_345_000),
            interfaces: || {
                vec![Interface {
                    name: "eth0".to_owned(),
                    address: [172, 17, 0, 5].into(),
                    prefix: 16,
                    up: true,
                    loopback: false,
                    default: true,
                }]
            },
        },
    }
}

type Data = BTreeMap<String, String>;

fn template(input: &str) {
    let (data, text) = input.split_once("\n---\n").unwrap_or(("", input));
    let data: Data = data
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let start = Instant::now();
    let rendered = render(text, &data);
    if start.elapsed() < SHORT {
        let again = render(text, &data);
        // An address (%p, or a pointer within a list) is another one each time, as in Go.
        let may_differ = rendered.as_ref().is_ok_and(|text| text.contains("0x"))
            || rendered.as_ref().is_err_and(|text| text.contains("0x"));
        assert!(may_differ || again == rendered, "{rendered:?} first, then {again:?}");
    }
}

/// Executes a template until all that it asks for is known, or does not exist.
fn render(text: &str, data: &Data) -> Result<String, String> {
    let template = Template::parse("t", text, &options())?;
    let mut answers = Answers::new();
    for _ in 0..20 {
        let pass = template.execute(&answers);
        assert!(pass.missing.is_subset(&pass.needs));
        let unknown: Vec<Need> =
            pass.missing.iter().filter(|need| answers.get(need).is_none()).cloned().collect();
        if unknown.is_empty() {
            for need in &pass.missing {
                let keys = matches!(need, Need::Catalog(Question::Keys { .. }));
                assert!(keys, "{need:?} is known, and missing all the same");
            }
            return pass.text;
        }
        // Any number of things can be asked for; there need not be answers to all.
        for need in unknown.into_iter().take(1000) {
            let known = find_out(&need, data);
            answers.learn(need, known);
        }
    }
    Err("asks for more and more".to_owned())
}

fn find_out(need: &Need, data: &Data) -> Known {
    let question = match need {
        Need::Catalog(question) => question,
        Need::File(path) => {
            let text = path.to_str().and_then(|path| data.get(path));
            return Known::File(text.map_or("", String::as_str).into());
        }
    };
    let node = Arc::new(Node { name: "node".to_owned(), ..Node::default() });
    let finding = match question {
        Question::Service(asked) => Finding::Service(
            (0..asked.name.len() % 4).map(|number| endpoint(&asked.name, number, &node)).collect(),
        ),
        Question::Services { .. } => Finding::Services(
            data.keys().map(|name| Listed { name: name.clone(), tags: vec!["a".into()] }).collect(),
        ),
        Question::Node { name: Some(name), .. } if name.len() % 2 == 0 => Finding::Node(None),
        Question::Node { .. } => Finding::Node(Some(NodeServices { node, services: Vec::new() })),
        Question::Nodes { .. } => Finding::Nodes(vec![node]),
        Question::Datacenters => Finding::Datacenters(vec!["dc1".to_owned()]),
        Question::Keys { keys, .. } => {
            let wanted = |key: &str| match keys {
                Keys::One(name) => name == key,
                Keys::Under(prefix) => key.starts_with(prefix),
            };
            let pairs = data.iter().filter(|(key, _)| wanted(key));
            Finding::Keys(pairs.map(|(key, value)| pair(key, value)).collect())
        }
    };
    Known::Catalog(Arc::new(finding))
}

fn endpoint(name: &str, number: usize, node: &Arc<Node>) -> Endpoint {
    let status = [Status::Passing, Status::Warning, Status::Critical][number % 3];
    Endpoint {
        id: format!("{name}-{number}"),
        name: name.to_owned(),
        address: format!("10.0.0.{number}"),
        port: 8000,
        tags: vec!["b".to_owned(), "a".to_owned()],
        meta: BTreeMap::from([("rack".to_owned(), number.to_string())]),
        weights: Weights { passing: 1, warning: 1 },
        node: node.clone(),
        checks: vec![HealthCheck {
            id: "check".to_owned(),
            name: "check".to_owned(),
            status,
            notes: String::new(),
            output: "ok".to_owned(),
            service_id: name.to_owned(),
            service_name: name.to_owned(),
        }],
    }
}

fn pair(key: &str, value: &str) -> Pair {
    // A value may be no text.
    let value = match value.strip_prefix('\u{1}') {
        Some(value) => [value.as_bytes(), &[0xff]].concat(),
        None => value.as_bytes().to_vec(),
    };
    Pair {
        key: key.to_owned(),
        value,
        flags: 0,
        create_index: 1,
        modify_index: 2,
        lock_index: 0,
        session: String::new(),
    }
}

/// What a template makes of a text that is in the file `f`.
fn of_file(template: &str, text: &str) -> Result<String, String> {
    render(template, &Data::from([("f".to_owned(), text.to_owned())]))
}

fn json(text: &str) {
    let Ok(written) = of_file("{{file \"f\" | parseJSON | toJSON}}", text) else { return };
    for again in ["toJSON", "toJSONPretty", "toUnescapedJSON", "toUnescapedJSONPretty"] {
        let template = format!("{{{{file \"f\" | parseJSON | {again}}}}}");
        let other = of_file(&template, &written);
        let other = other.unwrap_or_else(|error| panic!("{again} of {written}: {error}"));
        let back = of_file("{{file \"f\" | parseJSON | toJSON}}", &other);
        assert_eq!(back.as_ref(), Ok(&written), "by {again}: {other}");
    }
    // What JSON has, YAML has too.
    let yaml = of_file("{{file \"f\" | parseJSON | toYAML}}", &written);
    let Ok(yaml) = yaml else { panic!("toYAML of {written}: {yaml:?}") };
    same_yaml(&yaml, &written);
    let _ = of_file("{{file \"f\" | parseJSON | toTOML}}", &written);
}

/// A map of many keys, between spaces: the order in which YAML has them.
fn keys(text: &str) {
    let members = text.split(' ').map(|key| (key.to_owned(), serde_json::Value::Null));
    json(&serde_json::Value::Object(members.collect()).to_string());
}

fn yaml(text: &str) {
    let Ok(json) = of_file("{{file \"f\" | parseYAML | toJSON}}", text) else { return };
    if let Ok(yaml) = of_file("{{file \"f\" | parseYAML | toYAML}}", text) {
        same_yaml(&yaml, &json);
    }
    let _ = of_file("{{file \"f\" | parseYAML | toTOML}}", text);
}

/// What was written as YAML is read as what it was.
fn same_yaml(yaml: &str, json: &str) {
    // Nothing at all is no data yet; and what is written is trimmed, so that line breaks at the end
    // of the last text may be lost. Nothing below nothing (-0) is nothing.
    let lost = ["\\n\"", "-0,", "-0]", "-0}"].into_iter().any(|part| json.contains(part));
    if yaml.is_empty() || lost || json == "-0" {
        return;
    }
    let back = of_file("{{file \"f\" | parseYAML | toJSON}}", yaml);
    assert_eq!(back.as_deref(), Ok(json), "by way of {yaml:?}");
}

fn query(query: &str) {
    for function in
        ["service", "services", "node", "nodes", "key", "ls", "tree", "keyExists", "keyExistsGet"]
    {
        let template = format!("{{{{range {function} (file \"f\")}}}}{{{{end}}}}");
        if let Err(error) = of_file(&template, query) {
            assert!(error.starts_with("template: t:1:"), "{error}");
        }
    }
}
