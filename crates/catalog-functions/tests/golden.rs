//! The golden cases: functions and their errors.
//!
//! What Go's libraries decide stands in `golden/go`, with results that `golden/generate.sh` has
//! made by the real ones. What is ours stands in `golden/ours`, with the results that are right
//! behind each case; `GOLDEN_WRITE=1` writes down what comes out, to be looked at line by line.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // It is a test.

mod support;

use std::{fmt::Write as _, path::Path};

use catalog_functions::{Answers, Options, Template};
use support::world::World;

/// A template and what must come of it.
struct Case {
    name: String,
    template: String,
    expected: String,
}

/// The lines of a file, from `=== NAME` to the next: names and what is below them.
fn sections(content: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in content.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            sections.push((name.to_owned(), String::new()));
        } else {
            let (_, text) = sections.last_mut().unwrap_or_else(|| panic!("a case before {line:?}"));
            text.push_str(line);
            text.push('\n');
        }
    }
    sections
}

/// The cases of a file, whose results are in a file beside it or behind each template.
fn cases(path: &Path) -> Vec<Case> {
    let content = std::fs::read_to_string(path).unwrap();
    let golden = path.with_extension("golden");
    let results = golden.exists().then(|| sections(&std::fs::read_to_string(&golden).unwrap()));
    let cases = sections(&content);
    if let Some(results) = &results {
        let names = |sections: &[(String, String)]| -> Vec<String> {
            sections.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&cases), names(results), "{}: run generate.sh", path.display());
    }
    let case = |(index, (name, text)): (usize, (String, String))| {
        let (template, expected) = match &results {
            Some(results) => (text, results[index].1.clone()),
            None => {
                let at = text.find("\n--- ").map_or(text.len(), |at| at + 1);
                (text[..at].to_owned(), text[at..].to_owned())
            }
        };
        // The newline that ends a text does not belong to it.
        let template = template.strip_suffix('\n').unwrap_or(&template).to_owned();
        Case { name, template, expected }
    };
    cases.into_iter().enumerate().map(case).collect()
}

/// What comes of a template, in the format of the golden files.
fn result(text: Result<String, String>) -> String {
    match text {
        Ok(text) => format!("--- output\n{text}\n"),
        Err(error) => format!("--- error\n{error}\n"),
    }
}

/// A template that asks for nothing.
fn compute(text: &str, options: &Options) -> Result<String, String> {
    let pass = Template::parse("t", text, options)?.execute(&Answers::new());
    assert!(pass.needs.is_empty(), "{text} asks for {:?}", pass.needs);
    pass.text
}

fn check(folder: &str, fewest: usize, mut run: impl FnMut(&str) -> Result<String, String>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let all = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let (mut files, others): (Vec<_>, Vec<_>) =
        all.partition(|path| path.extension().is_some_and(|extension| extension == "txt"));
    for other in others {
        assert!(files.contains(&other.with_extension("txt")), "{} is not read", other.display());
    }
    files.sort();
    let (mut total, mut different, mut report) = (0, 0, String::new());
    for path in &files {
        let cases = cases(path);
        assert!(!cases.is_empty(), "{} has no case", path.display());
        let mut written = String::new();
        for case in cases {
            total += 1;
            let got = result(run(&case.template));
            write!(written, "=== {}\n{}\n{got}", case.name, case.template).unwrap();
            if got != case.expected {
                different += 1;
                writeln!(
                    report,
                    "{}: {}\n{}\nwant {}got  {got}",
                    path.file_stem().unwrap().display(),
                    case.name,
                    case.template,
                    case.expected
                )
                .unwrap();
            }
        }
        if folder == "ours" && std::env::var_os("GOLDEN_WRITE").is_some() {
            std::fs::write(path, &written).unwrap();
        }
    }
    assert!(different == 0, "{report}\n{different} of {total} cases differ");
    assert!(total >= fewest, "only {total} cases were found");
}

#[test]
fn what_go_decides_is_as_go_made_it() {
    let options = support::options();
    check("go", 200, |text| compute(text, &options));
}

#[test]
fn what_is_ours_is_as_it_is_written_down() {
    let options = support::options();
    let mut world = World::start();
    check("ours", 220, |text| world.text(text, &options));
}
