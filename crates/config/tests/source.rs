//! Where the text comes from.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, its helpers too"
)]

use std::{collections::BTreeMap, fs};

use config::source::{self, Source};

fn environment(value: Option<&str>) -> BTreeMap<String, String> {
    value.map(|value| ("CONTAINERPILOT".to_owned(), value.to_owned())).into_iter().collect()
}

#[test]
fn files_paths_and_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pilot.json5").display().to_string();
    fs::write(&path, "{ jobs: [] }").expect("a file");
    let file = Source { name: path.clone(), text: "{ jobs: [] }".into() };
    let read = |flag: Option<&str>, variable: Option<&str>| {
        source::read(flag, &environment(variable)).expect("a source")
    };
    assert_eq!(read(Some(&path), None), file);
    assert_eq!(read(Some(&format!("file://{path}")), None), file);
    assert_eq!(read(None, Some(&format!("file://{path}"))), file);
    assert_eq!(read(None, Some(&path)), file);
    let text = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    assert_eq!(read(Some(" \n{ a: 1 }"), None), text("-config", " \n{ a: 1 }"));
    assert_eq!(read(None, Some("{}")), text("CONTAINERPILOT", "{}"));
    // The flag wins.
    assert_eq!(read(Some("{}"), Some(&path)), text("-config", "{}"));
}

#[test]
fn errors_say_what_would_be_right() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder_path = folder.path().display().to_string();
    let latin1 = folder.path().join("latin1").display().to_string();
    fs::write(&latin1, b"{ a: '\xe9' }").expect("a file");
    let mut messages = Vec::new();
    for (flag, variable) in [
        (None, None),
        (None, Some("")),
        (Some(""), None),
        (Some("file://"), None),
        (Some("http://example.com/pilot.json"), None),
        (None, Some("consul:8500\nservices")),
        (Some("[1]"), None),
        (Some(&*format!("{folder_path}/missing")), None),
        (None, Some(&*format!("file://{folder_path}/missing"))),
        (Some(&*folder_path), None),
        (Some(&*latin1), None),
        (Some("/dev/zero"), None),
    ] {
        let error = source::read(flag, &environment(variable)).expect_err("no source");
        messages.push(error.to_string().replace(&folder_path, "FOLDER"));
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("sources", messages.join("\n"));
    });
}
