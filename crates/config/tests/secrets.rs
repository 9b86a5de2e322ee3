//! Nothing that is shown of a configuration has a secret in it.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use config::{Config, advice, hide_secrets, hints};
use proptest::prelude::*;
use support::{good, host, load, words};

const FILES: [&str; 7] = [
    include_str!("fixtures/extensions.json5"),
    include_str!("fixtures/jobs.json5"),
    include_str!("fixtures/full.json"),
    include_str!("fixtures/api.json"),
    include_str!("fixtures/etcd.json5"),
    include_str!("fixtures/rendering.json5"),
    include_str!("fixtures/checks.json5"),
];

/// Every way to show something of a good configuration.
fn shown(config: &Config, host: &config::Host) -> Vec<String> {
    let mut shown = vec![
        format!("{config:?}"),
        format!("{config:#?}"),
        format!("{host:?}"),
        format!("{:?}", config.catalog),
        format!("{:?}", config.telemetry),
        format!("{:?}", config.watches),
        format!("{:?}", config.elections),
        format!("{:?}", config.templates),
        format!("{:?}", config.logging),
    ];
    shown.extend(config.jobs.iter().map(|job| format!("{job:#?}")));
    shown.extend(config.warnings.clone());
    shown.extend(advice(config, &host.environment));
    shown.extend(hints(config, &host.environment));
    shown
}

/// The text with a template in place of the strings at these places, or in front of them.
fn with_template(text: &str, places: &[(prop::sample::Index, bool)]) -> String {
    let quote = if text.starts_with("//") { '\'' } else { '"' };
    let mut parts: Vec<String> = text.split(quote).map(str::to_owned).collect();
    for (place, whole) in places {
        // Every second part is inside of quotes.
        let place = place.index(parts.len() / 2) * 2 + 1;
        let before = if *whole { "" } else { parts[place].as_str() };
        parts[place] = format!("{before}{{{{ .DB_PASSWORD }}}}");
    }
    parts.join(&quote.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn secrets_stay_hidden_wherever_a_template_puts_them(
        file in 0..FILES.len(),
        places in prop::collection::vec(any::<(prop::sample::Index, bool)>(), 1..4),
        secret in prop_oneof![
            "q7[a-z0-9]{4,12}z",
            "Q7[A-Z]{4,12}",
            "q7[ !\"'\\\\/:@#%&a-z0-9é-]{4,12}z",
            "[1-9]{6,9}",
        ],
        application in prop_oneof![Just(""), Just("app {{.DB_PASSWORD}} -x{{.DB_PASSWORD}}")],
    ) {
        let text = with_template(FILES[file], &places);
        // The beginning of the one is another one.
        let beginning: String = secret.chars().take(6).collect();
        let host = host(&[("DB_PASSWORD", &secret), ("OTHER_TOKEN", &beginning)]);
        let debug = format!("{secret:?}");
        let escaped = &debug[1..debug.len() - 1];
        let source = config::Source { name: "containerpilot.json5".into(), text };
        match config::load(&source, &words(application), &host) {
            Ok(config) => {
                // Parts alone show the numbers that they hold; only the whole knows what they are.
                let whole = if secret.bytes().all(|byte| byte.is_ascii_digit()) { 3 } else { usize::MAX };
                for shown in shown(&config, &host).iter().take(whole) {
                    prop_assert!(!shown.contains(&secret), "{}", shown);
                    prop_assert!(!shown.contains(escaped), "{}", shown);
                    prop_assert!(!shown.contains("from-the-file"), "{}", shown);
                    prop_assert!(!shown.contains("0123-4567"), "{}", shown);
                }
            }
            Err(errors) => {
                let message = format!("{errors}\n{errors:?}");
                prop_assert!(!message.contains(&secret), "{}\n{}", secret, message);
                prop_assert!(!message.contains(escaped), "{}\n{}", secret, message);
            }
        }
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    let text = FILES[0].replace("hello", "{{ .DB_PASSWORD }} and {{ .USER }}");
    let config = good(&text, "", &[("DB_PASSWORD", "hunter2-hunter2"), ("USER", "somebody")]);
    let whole = format!("{config:?}");
    for shown in
        ["\"*** and somebody\"", "\"SIGNING_SECRET\": Some(\"***\")", "/srv/app", "--listen"]
    {
        assert!(whole.contains(shown), "{shown}: {whole}");
    }
    // A part does not know what of its text is secret.
    assert!(format!("{:?}", config.jobs[0]).starts_with(
        "Job { name: \"app\", exec: Some(Exec { command: Command { program: …, args: … }"
    ));
    assert_eq!(
        format!("{:?}", config.jobs[1].surroundings),
        "Surroundings { user: None, group: None, workdir: None, env: {} }"
    );
    let source = config::Source { name: "file".into(), text };
    assert_eq!(format!("{source:?}"), "Source { name: \"file\", .. }");
}

#[test]
fn words_and_names_that_are_made_of_secrets() {
    let secret = "correct horse/battery";
    let text = "{ jobs: [{ name: 'x {{ .MY_SECRET }}', exec: 'run {{ .MY_SECRET }}' }] }";
    let config = good(text, "", &[("MY_SECRET", secret)]);
    let whole = format!("{config:?}").to_lowercase();
    for part in ["correct", "horse/battery", "horse_battery"] {
        assert!(!whole.contains(part), "{part}: {whole}");
    }
}

#[test]
fn secrets_that_a_template_encodes() {
    let secret = "p@ss/w&rd 'x'";
    let encoded = |function: &str| {
        let env = [("X".to_owned(), secret.to_owned())].into();
        config::render(&format!("{{{{ {function} .X }}}}"), &env).expect("a template")
    };
    for function in ["urlquery", "html", "js"] {
        let form = encoded(function);
        let text = |key: &str| {
            format!(
                "{{ jobs: [{{ name: 'a', {key}: 'db://u:{{{{ {function} .MY_SECRET }}}}@db' }}] }}"
            )
        };
        // In a good configuration, in the value that is wrong, and beside it.
        let config = good(&text("exec"), "", &[("MY_SECRET", secret)]);
        let wrong = ["restarts", "unknown"]
            .map(|key| load(&text(key), "", &host(&[("MY_SECRET", secret)])).expect_err("wrong"));
        for shown in [format!("{config:?}")].iter().chain(&wrong) {
            assert!(!shown.contains(&form) && !shown.contains("ss/w"), "{function}: {shown}");
        }
    }
}

#[test]
fn lines_of_the_log() {
    let environment = host(&[
        ("DB_PASSWORD", "abcdef"),
        ("API_TOKEN", "defghijk"),
        ("SHORT_SECRET", "short"),
        ("DB_PASS", "hunter2"),
        ("apiKey", "hunter3"),
        ("BYPASS_LIST", "friends"),
        ("OLDPWD", "/home/me"),
        ("HOME", "/home/me"),
    ])
    .environment;
    let hide = |text: &str| hide_secrets(text, &environment);
    assert_eq!(hide("/home/me short, abcdef."), "/home/me short, ***.");
    assert_eq!(hide("hunter2 hunter3 friends"), "*** *** friends");
    // Where one ends in the other, nothing of either is left.
    assert_eq!(hide("<abcdefghijk>"), "<***>");
    assert_eq!(hide("abcdefabcdef"), "******");
    assert_eq!(hide("größer"), "größer");
}

#[test]
fn secrets_of_the_file_are_hidden_in_errors_about_their_neighbours() {
    let text = "{ jobs: [{ exec: 'a', env: { DB_PASSWORD: 'hunter2', \"API_KEY_2\": \"hunter2\", MAIL_PASS: 'hunter2' }, ex: 1 }] }";
    let message = load(text, "", &host(&[])).expect_err("wrong");
    assert!(message.contains("DB_PASSWORD") && !message.contains("hunter2"), "{message}");
}

#[test]
fn a_password_of_etcd() {
    let etcd = |password: &str, rest: &str| {
        format!(
            "{{ etcd: {{ endpoints: 'e:1', username: 'pilot', password: {password} }}, {rest} }}"
        )
    };
    // It may stand elsewhere too.
    let text =
        etcd("'hunter2-hunter2'", "jobs: [{ exec: 'etcdctl --user pilot:hunter2-hunter2' }]");
    let config = good(&text, "", &[]);
    let whole = format!("{config:#?}");
    assert!(whole.contains("pilot:***") && !whole.contains("hunter2"), "{whole}");
    assert_eq!(config.secrets.hide("hunter2-hunter2"), "***");
    // A template has put it there.
    let host = host(&[("ETCD_PASSWORD", "hunter2-hunter2")]);
    for rest in
        ["jobs: 5", "job: []", "jobs: [{ exec: 'hunter2-hunter2', when: 'hunter2-hunter2' }]"]
    {
        for password in ["'hunter2-hunter2'", "'{{ .ETCD_PASSWORD }}'"] {
            let message = load(&etcd(password, rest), "", &host).expect_err(rest);
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
    for wrong in ["123456789", "['hunter2-hunter2']", "{ a: 'hunter2-hunter2' }"] {
        let message = load(&etcd(wrong, "jobs: []"), "", &host).expect_err(wrong);
        assert!(!message.contains("hunter2") && !message.contains("123456789"), "{message}");
    }
}

/// Where a secret is stored is what one wants to know when it cannot be read.
#[test]
fn the_name_of_a_file_with_a_secret_is_none() {
    let environment = [("CONSUL_HTTP_TOKEN_FILE", "/run/secrets/consul")];
    let host = host(&environment);
    assert_eq!(hide_secrets("/run/secrets/consul", &host.environment), "/run/secrets/consul");
    for text in [
        "{ consul: 'c:1', jobs: [] }",
        "{ consul: { tokenFile: '/run/secrets/consul' }, jobs: [] }",
    ] {
        let whole = format!("{:?}", good(text, "", &environment));
        assert!(whole.contains(r#"File("/run/secrets/consul")"#), "{whole}");
    }
    let text = "{ consul: { tokenFile: '/run/secrets/consul', token: 'hunter2' }, jobs: [] }";
    let message = load(text, "", &host).expect_err("both");
    assert!(message.contains("/run/secrets/consul") && !message.contains("hunter2"), "{message}");
}

/// The line of the file is shown too, and a template may have written the secret in other letters.
#[test]
fn a_quoted_secret_is_hidden_in_the_line_of_the_file() {
    let host = host(&[("DB_PASSWORD", r#"say "friend" \ enter"#)]);
    for text in [
        r#"{ jobs: [{ name: {{ printf "%q" .DB_PASSWORD }}, exec: 5 }] }"#,
        r#"{ jobs: [{ name: "a", exec: "a", when: { source: {{ printf "%q" .DB_PASSWORD }}, once: "x" } }] }"#,
    ] {
        let message = load(text, "", &host).expect_err(text);
        assert!(!message.contains("friend"), "{message}");
    }
}

/// A type of the model that derives `Debug` and holds text would show it.
#[test]
fn no_type_with_text_derives_debug() {
    let mut seen = 0;
    let files = [
        "lib",
        "job",
        "job/health",
        "catalog",
        "telemetry",
        "watch",
        "election",
        "source",
        "template",
    ];
    for file in files {
        let path = format!("{}/src/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("a source");
        for (at, _) in text.match_indices("\n#[derive(") {
            let item = &text[at + 1..];
            let (derived, item) = item.split_once('\n').expect("an item");
            let first = item.lines().next().expect("a line");
            let end = if first.ends_with(';') {
                first.len()
            } else {
                item.find("\n}\n").expect("an end")
            };
            let body = &item[..end];
            let holds_text = body.lines().any(|line| {
                !line.trim_start().starts_with("//")
                    && (line.contains("String") || line.contains("PathBuf"))
            });
            // Interfaces are the machine's, and what is wrong with `-config` is for its user.
            let exempt = ["InterfaceAddress", "SourceError"].iter().any(|name| body.contains(name));
            assert!(exempt || !derived.contains("Debug") || !holds_text, "{file}: {body}");
            seen += usize::from(holds_text);
        }
    }
    assert!(seen >= 22, "only {seen} types with text were found");
}
