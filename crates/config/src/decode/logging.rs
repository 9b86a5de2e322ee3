//! `logging`.

use super::{Object, suggestion::did_you_mean};
use crate::{LogFormat, LogLevel, LogOutput, Logging};

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
