//! `logging`, of the program and of jobs.

use super::{Object, suggestion::did_you_mean};
use crate::{
    LogFormat, LogLevel, LogOutput, Logging,
    job::{Lines, Streams},
};

const LEVELS: [(&str, LogLevel); 7] = [
    ("DEBUG", LogLevel::Debug),
    ("INFO", LogLevel::Info),
    ("WARN", LogLevel::Warn),
    ("ERROR", LogLevel::Error),
    ("FATAL", LogLevel::Fatal),
    ("PANIC", LogLevel::Fatal),
    ("WARNING", LogLevel::Warn),
];

const FORMATS: [(&str, LogFormat); 3] =
    [("default", LogFormat::Default), ("text", LogFormat::Text), ("json", LogFormat::Json)];

const LINES: [(&str, Lines); 3] =
    [("default", Lines::Text), ("text", Lines::Text), ("json", Lines::Json)];

/// `logging: {raw, level, format}` of a job or a check.
pub(crate) fn streams(object: &mut Object<'_>) -> Streams {
    let (mut level, mut lines) = (LogLevel::Info, Lines::Text);
    if let Some(mut logging) = object.take("logging").and_then(|field| field.object()) {
        let raw = logging.take("raw").and_then(|field| field.boolean()) == Some(true);
        let mut take = |key| {
            let field = logging.take(key).filter(|field| !field.is_empty_string())?;
            if raw {
                let fault = "stands beside \"raw\", which leaves the output as it is";
                field.refuse(fault, "want one of the two");
            }
            Some(field)
        };
        let (level_field, format) = (take("level"), take("format"));
        level = level_field.and_then(|field| field.choice(&LEVELS)).unwrap_or(level);
        lines = format.and_then(|field| field.choice(&LINES)).unwrap_or(lines);
        logging.finish();
        if raw {
            return Streams::Raw;
        }
    }
    Streams::Logged { stdout: level, stderr: level, lines }
}

/// The key `logging` of the top level.
pub(crate) fn logging(root: &mut Object<'_>) -> Logging {
    let mut logging =
        Logging { level: LogLevel::Info, format: LogFormat::Default, output: LogOutput::Stdout };
    let Some(mut object) = root.take("logging").and_then(|field| field.object()) else {
        return logging;
    };
    // What a template renders to nothing counts as not given.
    let mut take = |key| object.take(key).filter(|field| !field.is_empty_string());
    let (level, format, output) = (take("level"), take("format"), take("output"));
    if let Some(level) = level.and_then(|level| level.choice(&LEVELS)) {
        logging.level = level;
    }
    if let Some(format) = format.and_then(|format| format.choice(&FORMATS)) {
        logging.format = format;
    }
    if let Some(field) = output
        && let Some(text) = field.string()
    {
        match text.to_ascii_lowercase().as_str() {
            "stdout" => logging.output = LogOutput::Stdout,
            "stderr" => logging.output = LogOutput::Stderr,
            // A path is told from a slip by what only paths have.
            _ if text.contains(['/', '.']) => logging.output = LogOutput::File(text.into()),
            _ => {
                let want = || "want stdout, stderr or a path with a / in it".into();
                let meant = did_you_mean(&text, ["stdout", "stderr"]);
                field.refuse("is not an output", meant.unwrap_or_else(want));
            }
        }
    }
    object.finish();
    logging
}
