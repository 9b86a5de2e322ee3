//! Files rendered from the catalog, in good configurations.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use std::{collections::BTreeMap, time::Duration};

use config::{
    Command, Template,
    job::{Condition, Frequency, JobEvent, JobId, Need, TemplateEvent, Trigger, When},
    template::{Check, Source, TemplateId, Wait},
};
use support::{fixture, good};

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A template with these members.
fn template(members: &str) -> Template {
    let text =
        format!("{{ consul: 'c:1', templates: [{{ name: 'a', destination: '/b', {members} }}] }}");
    good(&text, "", &[("LINE", "a")]).templates[0].clone()
}

#[test]
fn what_is_not_said() {
    for members in [
        "source: '/a'",
        "source: '/a', mode: '', user: '', group: '', wait: '', delimiters: '', shrinkAfter: ''",
        "source: '/a', contents: null, check: null, minimum: {}, wait: 0",
    ] {
        let plain = Template {
            name: "a".into(),
            source: Source::File("/a".into()),
            left_delimiter: "{{".into(),
            right_delimiter: "}}".into(),
            destination: "/b".into(),
            mode: None,
            user: None,
            group: None,
            wait: None,
            check: None,
            minimum: BTreeMap::new(),
            shrink_after: milliseconds(300_000),
        };
        assert!(template(members) == plain, "{members}: {:?}", template(members));
    }
}

#[test]
fn all_that_can_be_said() {
    let config = fixture("rendering.json5", "", &[]);
    let [nginx, settings]: [Template; 2] = config.templates.try_into().expect("two");
    let wait = |min, max| Some(Wait { min: milliseconds(min), max: milliseconds(max) });
    let command = |program: &str, args: &[&str]| Command {
        program: program.into(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
    };
    let wanted = Template {
        name: "nginx".into(),
        source: Source::File("/etc/nginx/nginx.conf.ctmpl".into()),
        left_delimiter: "{{".into(),
        right_delimiter: "}}".into(),
        destination: "/etc/nginx/nginx.conf".into(),
        mode: Some(0o640),
        user: Some("root".into()),
        group: Some("101".into()),
        wait: wait(2_000, 10_000),
        check: Some(Check {
            command: command("nginx", &["-t", "-c"]),
            timeout: milliseconds(5_000),
        }),
        minimum: [("backend".into(), 2), ("web-1".into(), 1)].into(),
        shrink_after: milliseconds(60_000),
    };
    assert!(nginx == wanted, "{nginx:?}");
    let text = "port = 8080\n<< range ls \"app/settings\" >><< .Key >> = << .Value >>\n<< end >>\n";
    assert!(settings.source == Source::Contents(text.into()));
    assert_eq!((settings.left_delimiter.as_str(), settings.right_delimiter.as_str()), ("<<", ">>"));
    assert_eq!(settings.wait, wait(500, 2_000));
    let check = settings.check.expect("a check");
    assert_eq!(check.command, command("/bin/check-settings", &["--file"]));
    assert_eq!(check.timeout, milliseconds(10_000));
}

/// From where the program runs.
#[test]
fn relative_paths() {
    let text = "{ consul: 'c:1', templates: [{ name: 'a', source: 'a.ctmpl', destination: 'out/b' }, \
                { name: 'b', source: '../a', destination: 'b' }] }";
    let [a, b]: [Template; 2] = good(text, "", &[]).templates.try_into().expect("two");
    assert!(a.source == Source::File("a.ctmpl".into()) && b.source == Source::File("../a".into()));
    assert_eq!((a.destination, b.destination), ("out/b".into(), "b".into()));
}

#[test]
fn texts() {
    let contents = |value: &str| match template(&format!("contents: {value}")).source {
        Source::Contents(text) => text,
        Source::File(path) => panic!("{path:?}"),
    };
    assert_eq!(contents(r"'a\nb'"), "a\nb");
    assert_eq!(contents("'a\\\n  b'"), "a  b");
    assert_eq!(contents("['a', '', 'b']"), "a\n\nb\n");
    // The environment is there when the file is read.
    assert_eq!(contents("'{{ .LINE }} {{ .NONE }}.'"), "a .");
    assert_eq!(contents("['{{ .LINE }}', '{{ .NONE }}']"), "a\n\n");
    assert_eq!(contents(r#"'{{ "{{" }} key `a` }}'"#), "{{ key `a` }}");
}

#[test]
fn modes_and_waits() {
    let mode = |text: &str| template(&format!("source: '/a', mode: '{text}'")).mode;
    assert_eq!((mode("0640"), mode("640"), mode("0000")), (Some(0o640), Some(0o640), Some(0)));
    assert_eq!((mode("777"), mode("0044")), (Some(0o777), Some(0o44)));
    let wait = |value: &str| {
        let wait = template(&format!("source: '/a', wait: {value}")).wait?;
        Some((wait.min.as_millis(), wait.max.as_millis()))
    };
    assert_eq!(wait("'2s'"), Some((2_000, 8_000)));
    assert_eq!(wait("2"), Some((2_000, 8_000)));
    assert_eq!(wait("'500ms:500ms'"), Some((500, 500)));
    assert_eq!(wait("' 1 : 5 '"), Some((1_000, 5_000)));
    assert_eq!(wait("{ min: 1, max: 5 }"), Some((1_000, 5_000)));
    assert_eq!(wait("{ min: 1, max: '' }"), Some((1_000, 4_000)));
    assert_eq!((wait("'0s'"), wait("'0:5s'")), (None, None));
    let minimum = template("source: '/a', minimum: { a: '2', b: null, c: '' }").minimum;
    assert_eq!(minimum, [("a".into(), 2)].into());
}

#[test]
fn events_of_templates() {
    let config = fixture("rendering.json5", "", &[]);
    let template = |id, event| Trigger::Template(TemplateId(id), event);
    let changed = template(0, TemplateEvent::Changed);
    let condition = |trigger, frequency| Condition { trigger, frequency };
    let on = |need, conditions| When::On { need, conditions, timeout: None };
    assert_eq!(config.jobs[0].when, When::once(changed));
    let healthy = Trigger::Job(JobId(0), JobEvent::Healthy);
    let all = vec![condition(healthy, Frequency::Once), condition(changed, Frequency::Each)];
    assert_eq!(config.jobs[1].when, on(Need::All, all));
    let failed = [0, 1].map(|id| condition(template(id, TemplateEvent::Failed), Frequency::Each));
    assert_eq!(config.jobs[2].when, on(Need::Any, failed.to_vec()));
}

#[test]
fn warnings() {
    let warnings = |rest: &str| good(&format!("{{ consul: 'c:1', {rest} }}"), "", &[]).warnings;
    let idle = "line 1: templates[0] (a).shrinkAfter: is not used: there is no \"minimum\"";
    let template = |rest: &str| {
        format!("templates: [{{ name: 'a', source: '/a', destination: '/b', {rest} }}]")
    };
    assert_eq!(warnings(&template("shrinkAfter: '1m'")), [idle]);
    assert_eq!(warnings(&template("shrinkAfter: '1m', minimum: { a: 1 }")), Vec::<String>::new());
    // Files may be all that one wants.
    assert_eq!(warnings(&template("")), Vec::<String>::new());
}

/// What stands in a text may be secret without anybody saying so.
#[test]
fn texts_are_not_shown() {
    let text = "{ consul: 'c:1', templates: [{ name: 'a', contents: 'password=hunter2-hunter2', destination: '/b' }] }";
    let config = good(text, "", &[]);
    let whole = format!("{config:#?}");
    assert!(whole.contains("Contents(…)") && !whole.contains("hunter2"), "{whole}");
}
