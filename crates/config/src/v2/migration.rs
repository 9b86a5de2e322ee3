//! 1.x and 2.x in the words of 3.x.
//!
//! Every job of [`super::jobs`] becomes one of the new file, in the same order. What the older
//! generation does by itself is written down: what waits for `preStart`, in which order things
//! stop, whose exit ends the program. What cannot be written is a warning.

mod document;
mod jobs;
mod spelling;
mod template;
mod tree;

use std::time::Duration;

use super::file::File;
use crate::{
    Command, Migration,
    decode::control,
    job::KillAfter,
    json5::{Node, Value},
};
use document::{Object, Out};
use jobs::Writer;
use spelling::{CONSUL, CONTROL, ETCD, LOGGING};
pub(crate) use template::Marked;
use template::{Segment, quoted, word_segments};
pub(crate) use tree::same_shape;
use tree::{Tree, literal, member};

/// What the deregistration, `preStop` and the rest of a stop may take beside the application. With
/// the default of 5 s it makes 9 s, which fit in an engine's 10 s.
const REST_OF_A_STOP: Duration = Duration::from_secs(4);

/// The longest time that a file may hold.
const LONGEST: Duration = Duration::from_nanos(i64::MAX.unsigned_abs());

/// The words of the command line with their templates; `None` if these cannot be told.
pub(crate) fn words_as_typed(words: &[String]) -> Option<Vec<String>> {
    words.iter().map(|word| Some(quoted(&word_segments(word)?, '"'))).collect()
}

/// The words of a command.
pub(crate) fn words_as_rendered(command: &Command) -> Vec<String> {
    let words = std::iter::once(&command.program).chain(&command.args);
    words.map(|word| quoted(&[Segment::Literal(word)], '"')).collect()
}

/// Writes the new file. `root` is the tree of what is `marked`; `words` are those of the
/// application as they are to be written; `kept`: the templates are still in them.
pub(crate) fn migration(
    source: &str,
    file: &File,
    root: &Node,
    marked: &Marked,
    words: Vec<String>,
    kept: bool,
) -> Migration {
    let tree = Tree { marked };
    let has_application = !words.is_empty();
    let mut writer = Writer::new(tree, root, file, words);
    if !kept {
        writer.warn(
            "templates are gone: their values stand here as they were rendered, secrets too; put them back by hand",
        );
    }
    writer.jobs();
    by_nature(&mut writer, has_application);

    let mut text = Object::default();
    let name = source.rsplit('/').next().unwrap_or(source);
    text.comment(format!("Made from {name}, a 1.x/2.x file, by containerpilot -migrate."));
    text.comment("Comments of that file have not been taken along. What is not as before:");
    for warning in &writer.warnings {
        text.comment(format!("- {warning}."));
    }
    let tree = &writer.tree;
    text.set_some("consul", tree.take(root, "consul", &CONSUL));
    text.set_some("etcd", tree.take(root, "etcd", &ETCD));
    text.set_some("logging", tree.take(root, "logging", &LOGGING));
    let patience = match file.kill_after {
        KillAfter::After(patience) => Some(patience).filter(|_| has_application),
        KillAfter::AtOnce | KillAfter::Deadline => None,
    };
    let drains = file.services.iter().filter_map(|advertised| advertised.drain);
    let drain = drains.map(|drain| drain.time).max();
    let whole = [patience, drain].into_iter().flatten();
    let whole = whole.fold(REST_OF_A_STOP, Duration::saturating_add).min(LONGEST);
    if let Some(patience) = patience {
        text.set("stopTimeout", duration(whole));
        text.explain(format!(
            "Was {}, for the application alone; now it is for all of a stop.",
            scalar(duration(patience))
        ));
    } else if drain.is_some() {
        text.set("stopTimeout", duration(whole));
        text.explain("The drain is a part of it.");
    }
    text.set_some("control", tree.take(root, "control", &CONTROL));
    text.set("jobs", Out::List(writer.jobs));
    if !writer.watches.is_empty() {
        text.set("watches", Out::List(writer.watches));
        text.explain("Were backends.");
    }
    text.set_some("telemetry", writer.telemetry);
    Migration { text: text.into_text(), warnings: writer.warnings }
}

/// What is different in every 3.x file.
fn by_nature(writer: &mut Writer<'_>, has_application: bool) {
    writer.warn(
        "SIGHUP and SIGUSR1 no longer reload and toggle maintenance: use -reload and -maintenance",
    );
    if member(writer.root, "control").is_none_or(|node| member(node, "socket").is_none()) {
        writer.warn(format!("there is a control socket, {}", control::SOCKET));
    }
    writer.warn(
        "what hooks, checks and other commands write to stderr is logged at INFO, not at DEBUG",
    );
    if has_application {
        writer.warn("the application reads nothing from stdin; its group is signalled, not the process alone");
        writer.warn("a stop that was asked for exits with 0, not with the application's code");
        let file = writer.file;
        if file.pre_start.is_some() && (file.pre_stop.is_some() || file.post_stop.is_some()) {
            writer.warn("preStop and postStop run also if preStart has failed or was cut off");
        }
    } else {
        writer.warn("without an application the program ends when nothing is left that can run");
    }
    if !writer.file.services.is_empty() || writer.file.telemetry.is_some() {
        writer.warn("the ids of checks in the catalog begin with \"service:\"");
    }
}

/// A duration as one would write it.
fn duration(duration: Duration) -> Out {
    let nanoseconds = duration.as_nanos();
    match (nanoseconds % 1_000_000_000, nanoseconds % 1_000_000) {
        (0, _) => Out::Scalar(duration.as_secs().to_string()),
        (_, 0) => literal(&format!("{}ms", duration.as_millis())),
        _ => literal(&format!("{nanoseconds}ns")),
    }
}

/// The text of a scalar.
fn scalar(out: Out) -> String {
    match out {
        Out::Scalar(text) => text,
        Out::List(_) | Out::Object(_) => String::new(),
    }
}

/// Whether a value is a string that is empty, which counts as not given.
fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Value::String(text) if text.is_empty())
}
