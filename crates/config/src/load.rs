//! The way from a source to a [`Config`].

use std::collections::BTreeMap;

use crate::{
    Command, Config, Errors, Generation, Host, Source,
    decode::{Field, Keys, Report, suggestion::did_you_mean},
    error::{Mask, Problem},
    generation,
    json5::{self, Span, Value},
    keys,
    render::{self, render},
    secrets::Secrets,
    v2, v3,
};

/// Renders, parses, validates and translates a configuration. `application` are the words behind
/// the flags of the command line, not rendered; empty if there are none.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(source: &Source, application: &[String], host: &Host) -> Result<Config, Errors> {
    let secrets = Secrets::of(&host.environment);
    let failed = |templated, problems| Errors::new(&source.name, templated, problems, &secrets);
    let text = match render(&source.text, &host.environment) {
        Ok(text) => text,
        Err(error) => {
            return Err(failed(false, vec![template_problem(&source.text, &error, host)]));
        }
    };
    let mut problems = Vec::new();
    let command = application_command(application, &host.environment, &mut problems);
    let report = Report::new(&text, &host.environment);
    let config = json5_config(&text, command, host, &report);
    let (found, warnings) = report.finish();
    problems.extend(found);
    match config {
        Some(mut config) if problems.is_empty() => {
            config.secrets = secrets;
            config.add_secrets();
            config.warnings = warnings.iter().map(|text| config.secrets.hide(text)).collect();
            Ok(config)
        }
        // Without a configuration there is a problem that says why.
        _ => Err(failed(text != source.text, problems)),
    }
}

/// Reads the rendered text; `None` if not even its generation is clear.
fn json5_config(
    text: &str,
    application: Option<Command>,
    host: &Host,
    report: &Report<'_>,
) -> Option<Config> {
    let node = match json5::parse(text) {
        Ok(node) => node,
        Err(error) => {
            report.syntax(error);
            return None;
        }
    };
    let has_application = application.is_some();
    let Value::Object(members) = &node.value else {
        Field::root(report, &node, &keys::ROOT_V3).object();
        return None;
    };
    match generation::detect(members, has_application, report)? {
        Generation::V2 => {
            let root = Field::root(report, &node, &keys::ROOT_V2).object()?;
            Some(v2::config(root, application, host))
        }
        Generation::V3 => {
            report.compare_keys(Keys::Exact);
            let root = Field::root(report, &node, &keys::ROOT_V3).object()?;
            Some(v3::config(root, has_application, host))
        }
    }
}

/// The words of the application's command line, each rendered.
fn application_command(
    words: &[String],
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> Option<Command> {
    let path = "command line";
    let mut rendered = Vec::new();
    for word in words {
        match render(word, environment) {
            Ok(word) => rendered.push(word),
            Err(error) => {
                let fault = format!("{word:?} is not a template: {}", error.message);
                problems.push(Problem::nowhere(path, fault, template_rule(&error, word)));
                rendered.push(word.clone());
            }
        }
    }
    let mut rendered = rendered.into_iter();
    let program = rendered.next()?;
    if program.trim().is_empty() {
        let fault = "the application's name is empty";
        problems.push(Problem::nowhere(path, fault, "want a program and its arguments"));
    }
    Some(Command { program, args: rendered.collect() })
}

/// What templates of the catalog can call, and this one cannot.
const OF_THE_CATALOG: [&str; 12] = [
    "service",
    "services",
    "key",
    "keyExists",
    "keyOrDefault",
    "ls",
    "safeLs",
    "tree",
    "safeTree",
    "node",
    "nodes",
    "datacenters",
];

/// What this one can call, besides what all templates can.
const FUNCTIONS: [&str; 7] =
    ["default", "split", "join", "replaceAll", "regexReplaceAll", "env", "loop"];

/// The name in `function "NAME" not defined`.
fn unknown_function(message: &str) -> Option<&str> {
    message.strip_prefix("function \"")?.strip_suffix("\" not defined")
}

/// What would be right in place of a template that Go's message refuses.
fn template_rule(error: &render::Error, text: &str) -> String {
    let message = error.message.as_str();
    let unknown = unknown_function(message);
    let meant = unknown.and_then(|name| did_you_mean(name, FUNCTIONS));
    let rule = if unknown.is_some() && text.contains("contents") {
        "the whole file is rendered at the start, with the environment alone; for a text in \
         \"contents\" want \"delimiters\": [\"<<\", \">>\"] beside it and << … >> inside, or \
         \"source\", a file of its own"
    } else if unknown.is_some_and(|name| OF_THE_CATALOG.contains(&name)) {
        "this is rendered at the start, with the environment alone; want a file that is rendered \
         from the catalog, with \"templates\""
    } else if let Some(meant) = meant.as_ref().or(error.advice.as_ref()) {
        meant
    } else if message.contains("function") {
        "want a function of Go's text/template, or one of default, split, join, replaceAll, \
         regexReplaceAll, env, loop"
    } else if message.contains("EOF") {
        "want {{ end }} for every {{ if }}, {{ range }}, {{ with }}, {{ block }} and {{ define }}"
    } else {
        "want actions as of Go's text/template, each closed by }}"
    };
    rule.to_owned()
}

/// An error in a template stands in the text as it was before rendering.
fn template_problem(text: &str, error: &render::Error, host: &Host) -> Problem {
    let mut line_start = 0;
    let mut lines = text.split_inclusive('\n');
    for _ in 1..error.line {
        line_start += lines.next().map_or(0, str::len);
    }
    let line = lines.next().unwrap_or("");
    let content = line.trim_end();
    // Where an unknown function stands Go does not say.
    let column = error.column.or_else(|| content.find(unknown_function(&error.message)?));
    let span = match column.filter(|column| *column < content.len()) {
        Some(column) => Span { start: line_start + column, end: line_start + column + 1 },
        None => {
            let start = line_start + (content.len() - content.trim_start().len());
            Span { start, end: line_start + content.len() }
        }
    };
    let mask = Mask::new(text, &host.environment);
    let rule = template_rule(error, text);
    Problem::nowhere("template", error.message.clone(), rule).at(text, span, &mask)
}
