//! The state file: keys and registrations, kept over restarts. Sessions and events are not: what
//! was locked is free again, though to nobody before the usual lock delay is over, so that its
//! holder can notice.
//!
//! The file is JSON in Consul's field names, a line for each node, check and key. It is written
//! whole, beside the old one, and put in its place only when the disk has it: at any moment there
//! is one whole file. Many changes in a short time are one write; what changes after a quiet time
//! is written at once.
//!
//! The index in the file lies far above all that were given out when it was written, and the next
//! run begins with it. So indexes grow even if the last changes were lost with the power; and a
//! client that waits with an index of the last run is answered at once, and sees what is true now.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::base64;
use crate::definition::{CheckDefinition, ScriptChecks, read_service};
use crate::fields::{Fields, Malformed};
use crate::registration::read_check;
use crate::store::{Node, Pair, Topic};
use crate::view;

/// What the first field of the file says.
const FORMAT: &str = "catalog-server 1";
/// How far the index in the file lies ahead: more changes than happen between two writes.
const AHEAD: u64 = 1 << 20;
/// The shortest time between two writes: what changes in it is one write.
const COLLECT: Duration = Duration::from_millis(200);
/// Writing takes at most one in so many parts of the time, however much there is to write.
const SHARE: u32 = 10;

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is there and cannot be read.
    #[error("cannot read the state file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no state file, or a broken one.
    #[error("the state file {} is of no use: {reason}; move it away to start empty", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be written.
    #[error("cannot write the state file {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What the last run has left.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// With which the index begins.
    pub(crate) index: u64,
    /// The name that the agent's node had.
    pub(crate) agent: String,
    pub(crate) nodes: Vec<Node>,
    /// The checks that the agent makes or waits for.
    pub(crate) checks: Vec<CheckDefinition>,
    pub(crate) keys: Vec<(String, Pair)>,
    /// The keys that were locked.
    pub(crate) locked: Vec<String>,
}

/// Reads a state file; one that is not there is empty.
pub(crate) fn read(path: &Path, scripts: ScriptChecks) -> Result<Saved, StateError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Saved::default()),
        Err(source) => return Err(StateError::Read { path: path.to_owned(), source }),
    };
    let content = |reason| StateError::Content { path: path.to_owned(), reason };
    parse(&bytes, scripts).map_err(content)
}

fn parse(bytes: &[u8], scripts: ScriptChecks) -> Result<Saved, String> {
    let text = |Malformed(text): Malformed| text;
    let mut fields = Fields::parse(bytes).map_err(text)?;
    match fields.text("Format").map_err(text)? {
        format if format == FORMAT => {}
        other => return Err(format!("its Format is {other:?}, not {FORMAT:?}")),
    }
    let mut saved = Saved {
        index: fields.number("Index").map_err(text)?,
        agent: fields.text("Agent").map_err(text)?,
        ..Saved::default()
    };
    for item in fields.objects("Nodes").map_err(text)? {
        saved.nodes.push(node(item)?);
    }
    for item in fields.objects("Checks").map_err(text)? {
        saved.checks.push(check(item, scripts)?);
    }
    for mut item in fields.objects("Keys").map_err(text)? {
        let locked = item.has("Session");
        let (key, pair) = key(&mut item).map_err(text)?;
        if locked {
            saved.locked.push(key.clone());
        }
        saved.keys.push((key, pair));
    }
    fields.finish().map_err(text)?;
    Ok(saved)
}

fn node(mut fields: Fields) -> Result<Node, String> {
    let text = |Malformed(text): Malformed| text;
    let mut node = Node {
        id: fields.text("ID").map_err(text)?,
        name: fields.text("Node").map_err(text)?,
        address: fields.text("Address").map_err(text)?,
        meta: fields.text_map("Meta").map_err(text)?,
        tagged_addresses: fields.text_map("TaggedAddresses").map_err(text)?,
        ..Node::default()
    };
    let within = |reason: String| format!("node {:?}: {reason}", node.name);
    for mut fields in fields.objects("Services").map_err(text)? {
        let mut service =
            read_service(&mut fields, "Service").map_err(|refusal| within(refusal.message))?;
        (service.create, service.modify) = indexes(&mut fields).map_err(text)?;
        node.services.insert(service.id.clone(), service);
    }
    for mut fields in fields.objects("Checks").map_err(text)? {
        let indexes = indexes(&mut fields).map_err(text)?;
        let mut check =
            read_check(fields, &node.name).map_err(|refusal| within(refusal.message))?;
        (check.create, check.modify) = indexes;
        node.checks.insert(check.id.clone(), check);
    }
    (node.create, node.modify) = indexes(&mut fields).map_err(text)?;
    Ok(node)
}

fn check(mut fields: Fields, scripts: ScriptChecks) -> Result<CheckDefinition, String> {
    let text = |Malformed(text): Malformed| text;
    let id = fields.text("CheckID").map_err(text)?;
    let (name, service_id) =
        (fields.text("Name").map_err(text)?, fields.text("ServiceID").map_err(text)?);
    let definition = fields.map("Definition").map_err(text)?;
    let definition = CheckDefinition::read(Fields::from(definition), "Bad check status", scripts)
        .map_err(|refusal| format!("check {id:?}: {}", refusal.message))?;
    Ok(CheckDefinition { id, name, service_id, ..definition })
}

fn key(fields: &mut Fields) -> Result<(String, Pair), Malformed> {
    let value = base64::decode(&fields.text("Value")?);
    let (create, modify) = indexes(fields)?;
    let pair = Pair {
        value: value.map_err(|error| Malformed(error.to_string()))?,
        flags: fields.number("Flags")?,
        lock_index: fields.number("LockIndex")?,
        session: None,
        create,
        modify,
    };
    Ok((fields.text("Key")?, pair))
}

fn indexes(fields: &mut Fields) -> Result<(u64, u64), Malformed> {
    Ok((fields.number("CreateIndex")?, fields.number("ModifyIndex")?))
}

/// The content of a state file.
fn show(app: &App) -> Vec<u8> {
    let store = app.store.borrow();
    let mut text = format!(
        "{{\"Format\":{:?},\"Index\":{},\"Agent\":{}",
        FORMAT,
        store.last_index() + AHEAD,
        Value::from(app.node.as_str())
    )
    .into_bytes();
    let checks = app.checks.borrow();
    let checks = checks.iter().map(|(id, running)| running.saved(id));
    list(&mut text, "Nodes", store.nodes().map(view::ui_node));
    list(&mut text, "Checks", checks);
    list(&mut text, "Keys", store.kv().below("").map(|(key, pair)| view::pair(key, pair)));
    text.extend_from_slice(b"}\n");
    text
}

fn list(text: &mut Vec<u8>, name: &str, items: impl Iterator<Item = Value>) {
    text.extend_from_slice(format!(",\n\"{name}\":[").as_bytes());
    for (at, item) in items.enumerate() {
        text.extend_from_slice(if at == 0 { b"\n" } else { b",\n" });
        text.extend_from_slice(item.to_string().as_bytes());
    }
    text.push(b']');
}

/// Puts a file in its place once the disk has it.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut beside = path.as_os_str().to_owned();
    // Two that share a file by mistake should not also share this one.
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    // Values may be secrets.
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Writes what is true now, on a thread that may wait for the disk.
pub(crate) async fn write(app: &App, path: &Path) -> Result<(), StateError> {
    app.count_write();
    let (content, target) = (show(app), path.to_owned());
    let written = tokio::task::spawn_blocking(move || replace(&target, &content)).await;
    let written = written.map_err(io::Error::other).and_then(|written| written);
    written.map_err(|source| StateError::Write { path: path.to_owned(), source })
}

/// Writes whenever something has changed, until `stop` is ready, and then once more. A write that
/// fails is told once and tried again with the next change; the last one's fate is the result.
pub(crate) async fn keep(
    app: Rc<App>,
    path: PathBuf,
    mut stop: oneshot::Receiver<()>,
) -> Result<(), StateError> {
    let [catalog, keys] = [Topic::Everything, Topic::Prefix(String::new())]
        .map(|topic| app.store.borrow_mut().subscribe(&topic));
    let mut written = app.store.borrow().version();
    let mut failing = false;
    loop {
        while written == app.store.borrow().version() {
            tokio::select! {
                () = catalog.notified() => {}
                () = keys.notified() => {}
                _ = &mut stop => return write(&app, &path).await,
            }
        }
        let start = Instant::now();
        written = app.store.borrow().version();
        match write(&app, &path).await {
            Ok(()) => failing = false,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    app.options.log.line(&error.to_string());
                }
            }
        }
        tokio::select! {
            () = sleep(COLLECT.max(start.elapsed() * SHARE)) => {}
            _ = &mut stop => return write(&app, &path).await,
        }
    }
}

/// For those who wonder.
pub(crate) fn figures(app: &App) -> Value {
    json!({ "Writes": app.writes() })
}
