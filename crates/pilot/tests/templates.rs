//! Templates in the pilot, with a real Consul: files, events, checks of candidates, reloads, and
//! catalogs that go away.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod support;

#[path = "templates/files.rs"]
mod files;
#[path = "templates/nginx.rs"]
mod nginx;
#[path = "templates/outages.rs"]
mod outages;
#[path = "templates/reload.rs"]
mod reload;
#[path = "templates/words.rs"]
mod words;

use serde_json::{Value, json};
use testkit::{Consul, Program, Running, wait_until};

use crate::support::{
    PATIENCE, lines, output, pilot,
    talk::{look, start},
};

/// All instances of `web`, one on a line.
const PLACES: &str = "{{ range service \"web\" }}{{ .Address }}:{{ .Port }}\n{{ end }}";

/// A program whose template `places` is this text, with further fields, and is rendered to
/// `places.txt`; what it comes to is a line of `journal`: `changed`, `failed`.
fn program(consul: &str, text: &str, fields: &Value, others: &[Value]) -> Program {
    // Paths in a configuration are from the root, so the folder has to be there first.
    let program = pilot(json!({}));
    let mut template = json!({ "name": "places", "source": program.path("places.ctmpl"),
        "destination": program.path("places.txt") });
    for (key, value) in fields.as_object().into_iter().flatten() {
        template[key] = value.clone();
    }
    let hook = |event: &str| {
        json!({ "name": format!("on-{event}"), "exec": ["./say", event],
        "when": { "source": "template.places", "each": event } })
    };
    let stays = json!({ "name": "stays", "exec": ["sleep", "1000"] });
    let jobs = [stays, hook("changed"), hook("failed")].into_iter().chain(others.iter().cloned());
    let config = json!({ "consul": consul, "templates": [template],
        "jobs": jobs.collect::<Vec<_>>(), "control": { "socket": "control.socket" } });
    program
        .file("app.json", config.to_string())
        .file("places.ctmpl", text)
        .script("say", "echo \"$1\" >>journal")
}

fn register(consul: &Consul, ports: impl IntoIterator<Item = u16>) {
    for port in ports {
        consul.register(json!({ "ID": format!("web-{port}"), "Name": "web",
            "Address": "10.0.0.1", "Port": port }));
    }
}

/// What [`PLACES`] should come to.
fn places(ports: impl IntoIterator<Item = u16>) -> String {
    ports.into_iter().map(|port| format!("10.0.0.1:{port}\n")).collect()
}

#[track_caller]
fn await_file(run: &Running, wanted: &str) {
    wait_until("the file is as it should be", PATIENCE, || {
        let text = run.read("places.txt");
        if text.as_deref() == Some(wanted) {
            Ok(())
        } else {
            Err(format!("{text:?} {}", output(run)))
        }
    });
}

/// Waits until this is what has happened so far, in this order.
#[track_caller]
fn await_journal(run: &Running, wanted: &[&str]) {
    wait_until(&format!("the journal is {wanted:?}"), PATIENCE, || {
        let journal = lines(run, "journal");
        if journal == wanted { Ok(()) } else { Err(format!("{journal:?} {}", output(run))) }
    });
}

/// What the status says of the first template.
#[track_caller]
fn template(run: &Running) -> Value {
    look(run)["templates"][0].clone()
}

/// Waits until that has this state.
#[track_caller]
fn await_template(run: &Running, state: &str) -> Value {
    wait_until(&format!("the template is {state}"), PATIENCE, || {
        let template = template(run);
        if template["state"] == *state {
            Ok(template)
        } else {
            Err(format!("{template} {}", output(run)))
        }
    })
}
