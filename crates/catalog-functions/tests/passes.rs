//! What a template asks, pass by pass, until it knows all that it needs.

#![allow(clippy::expect_used)] // It is a test.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::UNIX_EPOCH,
};

use catalog::{
    Endpoint, Finding, Health, HealthCheck, Keys, Listed, Node, Pair, Question, ServiceQuestion,
    Status, Weights,
};
use catalog_functions::{Answers, Host, Known, Need, Options, Template};

fn options() -> Options {
    Options {
        left_delimiter: String::new(),
        right_delimiter: String::new(),
        error_on_missing_key: false,
        environment: Arc::new(BTreeMap::from([("NAME".to_owned(), "value".to_owned())])),
        denied: Vec::new(),
        host: Host { now: || UNIX_EPOCH, interfaces: Vec::new },
    }
}

fn template(text: &str) -> Template {
    Template::parse("t.ctmpl", text, &options()).expect("well-formed")
}

fn instances(name: &str) -> Need {
    Need::Catalog(Question::Service(ServiceQuestion {
        name: name.to_owned(),
        tag: None,
        datacenter: None,
        near: None,
        health: Health::Passing,
    }))
}

fn services() -> Need {
    Need::Catalog(Question::Services { datacenter: None })
}

fn key(key: &str) -> Need {
    Need::Catalog(Question::Keys { keys: Keys::One(key.to_owned()), datacenter: None })
}

fn folder(prefix: &str) -> Need {
    Need::Catalog(Question::Keys { keys: Keys::Under(prefix.to_owned()), datacenter: None })
}

fn endpoint(name: &str, number: u16) -> Endpoint {
    Endpoint {
        id: format!("{name}-{number}"),
        name: name.to_owned(),
        address: format!("10.0.0.{number}"),
        port: 8000 + number,
        tags: vec!["v2".to_owned(), "http".to_owned()],
        meta: BTreeMap::new(),
        weights: Weights { passing: 1, warning: 1 },
        node: Arc::new(Node { name: format!("node-{number}"), ..Node::default() }),
        checks: Vec::new(),
    }
}

fn found(finding: Finding) -> Known {
    Known::Catalog(Arc::new(finding))
}

fn service(name: &str, count: u16) -> Known {
    found(Finding::Service((1..=count).map(|number| endpoint(name, number)).collect()))
}

fn pair(key: &str, value: &[u8]) -> Pair {
    Pair {
        key: key.to_owned(),
        value: value.to_vec(),
        flags: 42,
        create_index: 1,
        modify_index: 2,
        lock_index: 0,
        session: String::new(),
    }
}

fn names(needs: impl IntoIterator<Item = Need>) -> Vec<String> {
    needs.into_iter().map(|need| format!("{need:?}")).collect()
}

#[test]
fn what_is_asked_within_a_loop_is_found_when_the_loop_is_known() {
    let template = template(
        "{{range services}}{{range service .Name}}{{.Name}}={{.Address}}:{{.Port}} {{end}}{{end}}",
    );
    let mut answers = Answers::new();
    let pass = template.execute(&answers);
    assert_eq!(names(pass.missing), names([services()]));
    assert_eq!(pass.text.as_deref(), Ok(""));

    let listed = |name: &str| Listed { name: name.to_owned(), tags: Vec::new() };
    answers.learn(services(), found(Finding::Services(vec![listed("db"), listed("web")])));
    let pass = template.execute(&answers);
    assert_eq!(names(pass.missing), names([instances("db"), instances("web")]));
    assert_eq!(pass.needs.len(), 3);

    answers.learn(instances("db"), service("db", 1));
    answers.learn(instances("web"), service("web", 2));
    let pass = template.execute(&answers);
    assert!(pass.missing.is_empty());
    let text = "db=10.0.0.1:8001 web=10.0.0.1:8001 web=10.0.0.2:8002 ";
    assert_eq!(pass.text.as_deref(), Ok(text));

    // What is no longer reached is no longer needed.
    answers.learn(services(), found(Finding::Services(vec![listed("web")])));
    let pass = template.execute(&answers);
    assert_eq!(pass.text.as_deref(), Ok("web=10.0.0.1:8001 web=10.0.0.2:8002 "));
    assert_eq!(names(pass.needs), names([instances("web"), services()]));

    answers.forget(&services());
    assert_eq!(names(template.execute(&answers).missing), names([services()]));
}

#[test]
fn an_answer_is_an_answer_even_if_it_is_empty() {
    let template = template("{{if service \"web\"}}yes{{else}}no{{end}}");
    let mut answers = Answers::new();
    answers.learn(instances("web"), service("web", 0));
    let pass = template.execute(&answers);
    assert!(pass.missing.is_empty());
    assert_eq!(pass.text.as_deref(), Ok("no"));
}

#[test]
fn a_key_that_does_not_exist_holds_back_and_its_relatives_do_not() {
    let mut answers = Answers::new();
    answers.learn(key("a/b"), found(Finding::Keys(Vec::new())));
    let pass = template("{{key \"/a/b\"}}").execute(&answers);
    assert_eq!(names(pass.missing), names([key("a/b")]));
    for (text, expected) in [
        ("{{keyOrDefault \"a/b\" \"d\"}}", "d"),
        ("{{keyExists \"a/b\"}}", "false"),
        ("{{with keyExistsGet \"a/b\"}}{{.Exists}} {{.Key}} {{.Value}}{{end}}", "false a/b "),
    ] {
        let pass = template(text).execute(&answers);
        assert!(pass.missing.is_empty(), "{text}");
        assert_eq!(pass.text.as_deref(), Ok(expected), "{text}");
    }
    answers.learn(key("a/b"), found(Finding::Keys(vec![pair("a/b", b"v")])));
    let pass = template("{{key \"a/b\"}} {{keyOrDefault \"a/b\" \"d\"}} {{keyExists \"a/b\"}}");
    let pass = pass.execute(&answers);
    assert!(pass.missing.is_empty());
    assert_eq!(pass.text.as_deref(), Ok("v v true"));
}

#[test]
fn a_safe_folder_without_keys_holds_back() {
    let mut answers = Answers::new();
    answers.learn(folder("a"), found(Finding::Keys(Vec::new())));
    for (function, safe) in [("ls", false), ("tree", false), ("safeLs", true), ("safeTree", true)] {
        let pass = template(&format!("{{{{range {function} \"a\"}}}}x{{{{end}}}}"));
        let pass = pass.execute(&answers);
        assert_eq!(pass.missing.len(), usize::from(safe), "{function}");
        assert_eq!(pass.text.as_deref(), Ok(""), "{function}");
    }
}

#[test]
fn files_are_needs_too() {
    let template = template("[{{file \"/etc/x\"}}]");
    let need = Need::File("/etc/x".into());
    let mut answers = Answers::new();
    let pass = template.execute(&answers);
    assert_eq!((names(pass.missing), pass.text.as_deref()), (names([need.clone()]), Ok("[]")));
    answers.learn(need.clone(), Known::File("text\n".into()));
    let pass = template.execute(&answers);
    assert_eq!((pass.missing.len(), pass.text.as_deref()), (0, Ok("[text\n]")));
    assert_eq!(answers.get(&need), Some(Known::File("text\n".into())));
    assert_eq!(answers.get(&services()), None);
}

#[test]
fn each_kind_of_question_has_an_empty_answer_while_it_is_unknown() {
    let text = "{{with node}}{{.Node.Node}}{{end}}{{(node).Node.Address}}\
                {{range (node).Services}}x{{end}}{{range nodes \"@dc1~_agent\"}}x{{end}}\
                {{range datacenters}}x{{end}}{{key \"k\" | parseJSON}}{{tree \"t\" | explode}}\
                {{service \"x|any\" | byTag}}{{ls \"t\" | byKey}}{{len (services)}}";
    let pass = template(text).execute(&Answers::new());
    assert_eq!(pass.text.as_deref(), Ok("map[]map[]map[]map[]0"));
    assert_eq!(pass.needs.len(), 7);
    assert_eq!(pass.missing, pass.needs);
}

/// Also what is printed as it is: lists, maps, and what they hold.
#[test]
fn equal_data_make_equal_texts() {
    let mut endpoint = endpoint("web", 1);
    endpoint.checks = vec![HealthCheck {
        id: "alive".to_owned(),
        name: String::new(),
        status: Status::Passing,
        notes: String::new(),
        output: String::new(),
        service_id: String::new(),
        service_name: String::new(),
    }];
    let pair = Pair {
        key: "t/a/b".to_owned(),
        value: b"1".to_vec(),
        flags: 0,
        create_index: 0,
        modify_index: 0,
        lock_index: 0,
        session: String::new(),
    };
    let template = template(
        "{{range tree \"t\" | byKey}}{{.}}{{end}}{{service \"web\"}}{{service \"web\" | byTag}}\
         {{range nodes}}{{.}}{{end}}{{nodes}}{{scratch.Set \"a\" (tree \"t\")}}{{scratch.Get \"a\"}}",
    );
    let mut answers = Answers::new();
    let mut texts = Vec::new();
    for _ in 0..2 {
        let node = Arc::clone(&endpoint.node);
        let found = [
            (instances("web"), Finding::Service(vec![endpoint.clone()])),
            (folder("t"), Finding::Keys(vec![pair.clone()])),
            (
                Need::Catalog(Question::Nodes { datacenter: None, near: None }),
                Finding::Nodes(vec![node]),
            ),
        ];
        for (need, finding) in found {
            answers.learn(need, Known::Catalog(Arc::new(finding)));
        }
        let pass = template.execute(&answers);
        assert!(pass.missing.is_empty(), "{:?}", pass.missing);
        texts.push(pass.text.expect("a text"));
    }
    assert_eq!(texts[0], texts[1]);
    assert!(!texts[0].contains("0x"), "{}", texts[0]);
}

#[test]
fn instances_are_filtered_by_how_they_stand() {
    let check = |id: &str, status| HealthCheck {
        id: id.to_owned(),
        name: String::new(),
        status,
        notes: String::new(),
        output: String::new(),
        service_id: String::new(),
        service_name: String::new(),
    };
    let mut endpoints: Vec<Endpoint> = (1..=4).map(|number| endpoint("web", number)).collect();
    endpoints[1].checks = vec![check("a", Status::Warning), check("b", Status::Passing)];
    endpoints[2].checks = vec![check("a", Status::Critical), check("b", Status::Warning)];
    endpoints[3].checks =
        vec![check("a", Status::Passing), check("_node_maintenance", Status::Critical)];
    let mut answers = Answers::new();
    let any = Need::Catalog(Question::Service(ServiceQuestion {
        name: "web".to_owned(),
        tag: None,
        datacenter: None,
        near: None,
        health: Health::Any,
    }));
    answers.learn(any, found(Finding::Service(endpoints)));
    for (query, expected) in [
        ("\"web|any\"", "1passing 2warning 3critical 4maintenance "),
        ("\"web\" \"any\"", "1passing 2warning 3critical 4maintenance "),
        ("\"web|passing,warning\"", "1passing 2warning "),
        ("\"web|critical\"", "3critical "),
        ("\"web|maintenance\"", "4maintenance "),
    ] {
        let text = format!(
            "{{{{range service {query}}}}}{{{{slice .Node 5}}}}{{{{.Status}}}} {{{{end}}}}"
        );
        let pass = template(&text).execute(&answers);
        assert!(pass.missing.is_empty());
        assert_eq!(pass.text.as_deref(), Ok(expected), "{query}");
    }
}

#[test]
fn a_value_that_is_no_text_is_an_error_only_where_it_is_used() {
    let mut answers = Answers::new();
    let pairs = vec![pair("a/bin", &[0xff, 0xfe]), pair("a/text", b"t")];
    answers.learn(folder("a"), found(Finding::Keys(pairs)));
    answers.learn(key("a/bin"), found(Finding::Keys(vec![pair("a/bin", &[0xff])])));
    let text = |text: &str| template(text).execute(&answers).text;
    assert_eq!(text("{{range tree \"a\"}}{{.Key}} {{end}}").as_deref(), Ok("bin text "));
    for wrong in [
        "{{range tree \"a\"}}{{.Value}}{{end}}",
        "{{tree \"a\" | explode | toJSON}}",
        "{{tree \"a\" | toJSON}}",
        "{{tree \"a\" | toYAML}}",
        "{{key \"a/bin\"}}",
    ] {
        let error = text(wrong).expect_err(wrong);
        assert!(error.contains("the value of the key \"a/bin\" is not UTF-8 text"), "{error}");
    }
}

#[test]
fn the_scratch_pad_is_empty_at_the_start_of_each_execution() {
    let template = template("{{scratch.Key \"a\"}}{{scratch.Set \"a\" 1}}{{scratch.Get \"a\"}}");
    for _ in 0..2 {
        assert_eq!(template.execute(&Answers::new()).text.as_deref(), Ok("false1"));
    }
}

#[test]
fn functions_that_are_denied_fail_when_they_are_called() {
    let options = Options { denied: vec!["file".to_owned()], ..options() };
    let parse = |text| Template::parse("t", text, &options).expect("well-formed");
    let pass = parse("{{if false}}{{file \"x\"}}{{end}}ok").execute(&Answers::new());
    assert_eq!(pass.text.as_deref(), Ok("ok"));
    let pass = parse("{{file \"x\"}}").execute(&Answers::new());
    assert!(
        pass.text.expect_err("denied").ends_with("error calling file: this function is denied")
    );
}

#[test]
fn an_execution_ends_whatever_templates_execute_each_other() {
    for text in [
        "{{define \"a\"}}{{executeTemplate \"a\"}}{{executeTemplate \"a\"}}{{end}}{{executeTemplate \"a\"}}",
        "{{define \"a\"}}{{range loop 100}}{{executeTemplate \"b\"}}{{end}}{{end}}\
         {{define \"b\"}}{{range loop 100}}{{executeTemplate \"c\"}}{{end}}{{end}}\
         {{define \"c\"}}{{range loop 100}}{{executeTemplate \"d\"}}{{end}}{{end}}\
         {{define \"d\"}}{{range loop 100}}{{$x := 1}}{{end}}{{end}}{{executeTemplate \"a\"}}",
    ] {
        assert!(template(text).execute(&Answers::new()).text.is_err());
    }
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    let deep_map = "{\"a\":".repeat(5000) + "1" + &"}".repeat(5000);
    let anchors: String =
        (1..30).map(|n| format!("a{n}: &a{n} [*a{m},*a{m}]\n", m = n - 1)).collect();
    let laughs = format!("a0: &a0 [x,x,x,x]\n{anchors}");
    let mut answers = Answers::new();
    for (name, text) in [("deep", &deep), ("map", &deep_map), ("laughs", &laughs)] {
        answers.learn(Need::File(name.into()), Known::File(text.as_str().into()));
    }
    let deep_key = "a/".repeat(5000) + "b";
    answers.learn(folder("k"), found(Finding::Keys(vec![pair(&format!("k/{deep_key}"), b"")])));
    for text in [
        "{{file \"deep\" | parseJSON}}",
        "{{file \"map\" | parseJSON}}",
        "{{file \"deep\" | parseYAML}}",
        "{{file \"map\" | parseYAML}}",
        "{{file \"laughs\" | parseYAML}}",
        "{{tree \"k\" | explode}}",
        "{{range loop 5000}}{{scratch.MapSet \"a\" \"x\" (scratch.Get \"a\")}}{{end}}",
    ] {
        let pass = template(text).execute(&answers);
        assert!(pass.missing.is_empty(), "{text}");
        let error = pass.text.expect_err(text);
        let words = ["levels deep", "excessive aliasing", "recursion limit exceeded"];
        assert!(words.iter().any(|word| error.contains(word)), "{error}");
    }
}

#[test]
fn the_deepest_there_can_be_fits_into_a_small_stack() {
    // That of the thread that renders.
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(the_deepest_there_can_be).expect("a thread").join().expect("no panic");
}

fn the_deepest_there_can_be() {
    let mut answers = Answers::new();
    let deep = "[".repeat(99) + &"]".repeat(99);
    answers.learn(Need::File("deep".into()), Known::File(deep.as_str().into()));
    for function in ["toJSON", "toYAML", "print", "printf \"%#v\""] {
        let text = format!(
            "{{{{define \"a\"}}}}{{{{$x := file \"deep\" | parseJSON | {function}}}}}\
             {{{{executeTemplate \"a\"}}}}{{{{end}}}}{{{{executeTemplate \"a\"}}}}"
        );
        let error = template(&text).execute(&answers).text.expect_err("endless");
        assert!(
            error.ends_with("templates execute each other more than 100 levels deep"),
            "{error}"
        );
    }
}

#[test]
fn a_misspelt_word_of_the_language_is_known() {
    let wrong = Template::parse("t.ctmpl", "{{rnge service \"db\"}}{{end}}", &options());
    let error = wrong.err().expect("no such function");
    assert!(error.contains(": did you mean range?"), "{error}");
}

/// Go's order of YAML's keys contradicts itself in corners, which the standard library's sorting
/// answers with a panic.
#[test]
fn keys_without_an_order_are_written() {
    let mut random = 1_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below).expect("fine")
    };
    for _ in 0..20 {
        let key = |_| (0..=next(5)).map(|_| ['0', '1', '9', 'a', '-'][next(5)]).collect::<String>();
        let keys: BTreeSet<String> = (0..60).map(key).collect();
        let members: Vec<String> = keys.iter().map(|key| format!("\"{key}\": 1")).collect();
        let text = format!("{{{{ parseJSON `{{{}}}` | toYAML }}}}", members.join(", "));
        let template = Template::parse("t", &text, &options()).expect("fine");
        let yaml = template.execute(&Answers::new()).text.expect("fine");
        assert_eq!(yaml.lines().count(), keys.len());
    }
    // Numbers in them are compared as numbers.
    let text = "{{ parseJSON `{\"a10\": 1, \"a9\": 1, \"b\": 1, \"a\": 1, \"-\": 1}` | toYAML }}";
    let template = Template::parse("t", text, &options()).expect("fine");
    let yaml = template.execute(&Answers::new()).text.expect("fine");
    assert_eq!(yaml, "'-': 1\na: 1\na9: 1\na10: 1\nb: 1");
}
