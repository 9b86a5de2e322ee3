//! Wrong templates, and the whole of what is said about each.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

mod support;

use support::{snapshot, themes};

/// A file with these templates.
fn file(templates: &str) -> String {
    format!("{{ consul: \"c:1\", templates: [\n  {templates},\n] }}")
}

/// A template with these keys.
fn template(members: &str) -> String {
    file(&format!("{{ name: \"nginx\", {members} }}"))
}

#[test]
fn templates() {
    let whole =
        |members: &str| template(&format!("source: \"/a\", destination: \"/b\",\n    {members}"));
    snapshot(
        "templates",
        themes(&[
            ("nothing", file("{}")),
            ("no object", file("\"/a:/b\"")),
            ("no name", file("{ name: \"\", source: \"/a\", destination: \"/b\" }")),
            (
                "two of one name",
                file("{ name: \"a\", source: \"/a\", destination: \"/b\" },\n  { name: \"a\", source: \"/a\", destination: \"/c\" }"),
            ),
            (
                "two of one destination",
                file("{ name: \"a\", source: \"/a\", destination: \"/etc/b\" },\n  { name: \"b\", source: \"/a\", destination: \"/etc//./b\" }"),
            ),
            ("two texts", template("source: \"/a\", contents: \"b\", destination: \"/b\"")),
            ("no text", template("destination: \"/b\"")),
            ("an empty text", template("contents: \"\", destination: \"/b\"")),
            ("no lines", template("contents: [], destination: \"/b\"")),
            ("lines that are none", template("contents: [\"a\", 5], destination: \"/b\"")),
            ("a text that is none", template("contents: 5, destination: \"/b\"")),
            ("paths that are none", template("source: \" \", destination: \"a\\u0000\"")),
            ("an unset variable", template("source: \"{{ .A }}\", destination: \"{{ .B }}\"")),
            ("a folder", template("source: \"/a\", destination: \"/etc/nginx/\"")),
            ("the root", template("source: \"/a\", destination: \"/\"")),
            ("a folder of ours", template("source: \"/a\", destination: \"..\"")),
            ("itself in other words", template("source: \"a/b\", destination: \"./a//b\"")),
            ("itself", template("source: \"/a\", destination: \"/a\"")),
            ("a mode as a number", whole("mode: 640")),
            ("a mode that is no octal", whole("mode: 493")),
            ("a mode with a zero", whole("mode: 0640")),
            ("a mode with a letter", whole("mode: \"0o640\"")),
            ("a mode in words", whole("mode: \"rw-r-----\"")),
            ("a special mode", whole("mode: \"4755\"")),
            ("a mode that is none", whole("mode: []")),
            ("a user with a group", whole("user: \"nginx:nginx\", group: true")),
            ("one delimiter", whole("delimiters: \"<<\"")),
            ("three delimiters", whole("delimiters: [\"<<\", \">>\", \"\"]")),
            ("equal delimiters", whole("delimiters: [\"%%\", \"%%\"]")),
            ("an empty delimiter", whole("delimiters: [\"<<\", \"\"]")),
            ("a wait that is none", whole("wait: \"soon\"")),
            ("a wait without an end", whole("wait: \"2s:\"")),
            ("a wait of three", whole("wait: \"1s:2s:3s\"")),
            ("a wait backwards", whole("wait: \"10s:2s\"")),
            ("an object backwards", whole("wait: { min: \"10s\", max: \"2s\" }")),
            ("a wait without a beginning", whole("wait: { max: 5 }")),
            ("a list of waits", whole("wait: [1, 2]")),
            ("no check", whole("check: \"\"")),
            ("a check without a command", whole("check: { timeout: 5 }")),
            ("a check for no time", whole("check: { exec: \"a\", timeout: 0 }")),
            ("a number of instances", whole("minimum: 2")),
            ("none at least", whole("minimum: { db: 0 }")),
            ("a service with a tag", whole("minimum: { \"primary.db\": 1, \"db@east\": 1, \"\": 1 }")),
            ("a service twice", whole("minimum: { db: 1, db: 2 }")),
            ("a time that is none", whole("minimum: { db: 1 }, shrinkAfter: \"0\"")),
            ("a command after it", whole("command: \"nginx -s reload\"")),
            ("keys of the command line", whole("perms: \"0640\", left_delimiter: \"<<\"")),
            ("without a catalog", "{ templates: [{ name: \"a\", source: \"/a\", destination: \"/b\" }] }".into()),
            ("with none wanted", "{ consul: false, templates: [{ name: \"a\", source: \"/a\", destination: \"/b\" }] }".into()),
            ("in a 2.x file", "{ consul: \"c:1\", services: [], templates: [] }".into()),
        ]),
    );
}

#[test]
fn sources_of_templates() {
    let when = |when: &str| {
        format!(
            "{{ consul: \"c:1\", templates: [{{ name: \"nginx\", source: \"/a\", destination: \"/b\" }}],\n  jobs: [{{ exec: \"a\", when: {when} }}] }}"
        )
    };
    snapshot(
        "sources_of_templates",
        themes(&[
            ("a misspelt template", when("{ source: \"template.ngnix\", each: \"changed\" }")),
            ("several for one", when("{ source: \"templates.nginx\", each: \"changed\" }")),
            ("a template like no other", when("{ source: \"template.x\", each: \"changed\" }")),
            ("a template without its kind", when("{ source: \"nginx\", each: \"changed\" }")),
            ("another's event", when("{ source: \"template.nginx\", each: \"healthy\" }")),
            ("a misspelt event", when("{ source: \"template.nginx\", once: \"chagned\" }")),
            ("no source", when("{ once: \"failed\" }")),
            ("no source of a change", when("{ each: \"changed\" }")),
            ("no event", when("{ source: \"template.nginx\" }")),
            (
                "restarts for ever",
                when("{ source: \"template.nginx\", each: \"changed\" }, restarts: \"unlimited\""),
            ),
        ]),
    );
}

/// The configuration is a template itself, which everybody stumbles over once.
#[test]
fn actions_in_the_wrong_place() {
    snapshot(
        "actions_in_the_wrong_place",
        themes(&[
            (
                "the catalog's in contents",
                template("contents: [\n    \"upstream web {\",\n    \"{{ range service \\\"web\\\" }}server {{ .Address }};{{ end }}\",\n    \"}\"], destination: \"/b\""),
            ),
            (
                "on one line",
                "{ consul: \"c:1\", templates: [{ name: \"a\", contents: '{{ key \"a\" }}', destination: \"/b\" }] }".into(),
            ),
            ("a helper in contents", template("contents: '{{ toUpper \"a\" }}', destination: \"/b\"")),
            ("the catalog's in a job", "{\n  jobs: [{ exec: \"app {{ key `app/port` }}\" }],\n}".into()),
            ("nobody's", "{\n  jobs: [{ exec: \"app {{ port }}\" }],\n}".into()),
        ]),
    );
}
