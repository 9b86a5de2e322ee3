//! The golden cases: every one must come out as Go's own text/template made it.
//!
//! `tests/golden/generate.sh` writes the expected results; `tests/golden/generate/main.go` tells
//! the format of the files.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // It is a test.

mod support;

use gotemplate::{MissingKey, Options, Template, Value};
use std::path::Path;

/// One case with the settings that hold for it.
struct Case {
    name: String,
    template: String,
    data: Value,
    template_name: String,
    execute: Option<String>,
    options: Options,
}

fn read_cases(content: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut data = Value::Nil;
    let mut settings = String::new();
    let mut open = false;
    for line in content.lines() {
        if let Some(json) = line.strip_prefix("@data ") {
            data = support::data(&serde_json::from_str(json).unwrap());
            open = false;
        } else if let Some(rest) = line.strip_prefix("@options") {
            settings = rest.to_owned();
            open = false;
        } else if let Some(name) = line.strip_prefix("=== ") {
            let mut case = Case {
                name: name.to_owned(),
                template: String::new(),
                data: data.clone(),
                template_name: "t".to_owned(),
                execute: None,
                options: Options::default(),
            };
            for setting in settings.split_whitespace() {
                let (key, value) = setting.split_once('=').unwrap();
                match (key, value) {
                    ("missingkey", "zero") => case.options.missing_key = MissingKey::Zero,
                    ("missingkey", "error") => case.options.missing_key = MissingKey::Error,
                    ("missingkey", "default") => case.options.missing_key = MissingKey::Default,
                    ("left", left) => case.options.left = left.to_owned(),
                    ("right", right) => case.options.right = right.to_owned(),
                    ("name", name) => case.template_name = name.to_owned(),
                    ("execute", name) => case.execute = Some(name.to_owned()),
                    other => panic!("unknown option {other:?}"),
                }
            }
            cases.push(case);
            open = true;
        } else if open {
            let template = &mut cases.last_mut().unwrap().template;
            template.push_str(line);
            template.push('\n');
        }
    }
    for case in &mut cases {
        // The newline that ends the text does not belong to it.
        case.template.pop();
    }
    cases
}

/// The case's result in the format of the golden files.
fn run(case: &Case) -> String {
    let mut output = String::new();
    let functions = support::functions();
    let error = match Template::parse_with(
        &case.template_name,
        &case.template,
        &functions,
        &case.options,
    ) {
        Err(error) => Some(error.to_string()),
        Ok(template) => {
            let name = case.execute.as_ref().unwrap_or(&case.template_name);
            let result = template.execute_template(name, &mut output, &case.data);
            result.err().map(|error| error.to_string())
        }
    };
    let mut result = format!("=== {}\n", case.name);
    if error.is_none() || !output.is_empty() {
        result += &format!("--- output\n{output}\n");
    }
    if let Some(error) = error {
        result += &format!("--- error\n{error}\n");
    }
    result
}

#[test]
fn every_case_comes_out_as_go_made_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cases");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt"))
        .collect();
    paths.sort();
    let mut total = 0;
    let mut differences = Vec::new();
    for path in &paths {
        let cases = read_cases(&std::fs::read_to_string(path).unwrap());
        let golden = std::fs::read_to_string(path.with_extension("golden")).unwrap();
        // Each expected result starts with a line `=== NAME`.
        let mut expected = golden.as_str();
        for case in &cases {
            total += 1;
            let end = expected[1..].find("\n=== ").map_or(expected.len(), |i| i + 2);
            let (want, rest) = expected.split_at(end);
            expected = rest;
            let got = run(case);
            if got != want {
                differences.push(format!(
                    "{}: template:\n{}\nwant {want}got  {got}",
                    path.file_stem().unwrap().display(),
                    case.template
                ));
            }
        }
        assert_eq!(expected, "", "{} has results without cases", path.display());
    }
    let count = differences.len();
    assert!(count == 0, "{}\n{count} of {total} cases differ", differences.join("\n"));
    assert!(total >= 350, "only {total} cases were found");
}
