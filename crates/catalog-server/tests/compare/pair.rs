//! Two catalogs that are asked the same.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use catalog_server::{Background, Log, Options};
use serde_json::Value;
use testkit::{Consul, Response, http};

/// A real agent tells its servers within a second or so.
pub(crate) const SETTLED: Duration = Duration::from_secs(20);

/// Compares two catalogs and fails at its end with every difference that it saw.
pub(crate) struct Pair {
    ours: Background,
    pub(crate) theirs: Consul,
    differences: RefCell<Vec<String>>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        let differences = self.differences.take();
        if !std::thread::panicking() {
            assert!(
                differences.is_empty(),
                "{} differ:{}",
                differences.len(),
                differences.concat()
            );
        }
    }
}

impl Pair {
    pub(crate) fn start() -> Self {
        let theirs = Consul::start();
        let ours = Background::start(Options {
            http: ([127, 0, 0, 1], 0).into(),
            node: theirs.node(),
            log: Log::Silent,
            ..Options::default()
        });
        Self { ours: ours.unwrap(), theirs, differences: RefCell::default() }
    }

    /// Sends a request that changes something to both, once, and compares the answers.
    #[track_caller]
    pub(crate) fn same(&self, method: &str, path: &str, body: &str) {
        let (ours, theirs) = self.ask(method, path, body);
        self.note(method, path, body, &ours, &theirs);
    }

    /// [`Pair::same`] with what each catalog calls by a name of its own, such as a session, put in
    /// its place in path and body.
    #[track_caller]
    pub(crate) fn same_with(&self, names: &[&Names], method: &str, path: &str, body: &str) {
        let ours = self.ask_ours(method, &filled(path, names, 0), &filled(body, names, 0));
        let theirs = self.ask_theirs(method, &filled(path, names, 1), &filled(body, names, 1));
        self.note(method, path, body, &ours, &theirs);
    }

    /// Creates a session in both, to be named `name` in [`Pair::same_with`].
    #[track_caller]
    pub(crate) fn session(&self, name: &'static str, body: &str) -> Names {
        let path = "/v1/session/create";
        let ours = http("PUT", &self.ours.address().to_string(), path, body).unwrap();
        let theirs = self.theirs.request("PUT", path, body);
        let id = |answer: Response| answer.json()["ID"].as_str().expect("an id").to_owned();
        Names { name, ids: [id(ours), id(theirs)] }
    }

    /// A field of a key in both, to be named `name` in [`Pair::same_with`].
    #[track_caller]
    pub(crate) fn field(&self, name: &'static str, key: &str, field: &str) -> Names {
        let path = format!("/v1/kv/{key}");
        let ours = http("GET", &self.ours.address().to_string(), &path, "").unwrap();
        let value = |answer: Response| answer.json()[0][field].to_string();
        Names { name, ids: [value(ours), value(self.theirs.get(&path))] }
    }

    /// Compares the answers to a query, as soon as they agree.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) {
        let start = Instant::now();
        let (mut ours, mut theirs) = self.ask("GET", path, "");
        while ours != theirs && start.elapsed() < SETTLED {
            std::thread::sleep(Duration::from_millis(20));
            (ours, theirs) = self.ask("GET", path, "");
        }
        self.note("GET", path, "", &ours, &theirs);
    }

    fn note(&self, method: &str, path: &str, body: &str, ours: &str, theirs: &str) {
        if ours != theirs {
            let short = |text: &str, from| text.chars().skip(from).take(200).collect::<String>();
            let at = ours.chars().zip(theirs.chars()).take_while(|(a, b)| a == b).count();
            let from = at.saturating_sub(60);
            let (body, ours, theirs) = (short(body, 0), short(ours, from), short(theirs, from));
            let text = format!("\n{method} {path} {body}\n  ours   {ours}\n  Consul {theirs}");
            self.differences.borrow_mut().push(text);
        }
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &str) -> (String, String) {
        (self.ask_ours(method, path, body), self.ask_theirs(method, path, body))
    }

    #[track_caller]
    pub(crate) fn ask_ours(&self, method: &str, path: &str, body: &str) -> String {
        let ours = http(method, &self.ours.address().to_string(), path, body);
        plain(&ours.unwrap_or_else(|error| panic!("{method} {path}: {error}")))
    }

    #[track_caller]
    pub(crate) fn ask_theirs(&self, method: &str, path: &str, body: &str) -> String {
        plain(&self.theirs.request(method, path, body))
    }
}

/// What the two catalogs call differently: a placeholder, our name, theirs.
pub(crate) struct Names {
    name: &'static str,
    ids: [String; 2],
}

pub(crate) fn filled(text: &str, names: &[&Names], whose: usize) -> String {
    names.iter().fold(text.to_owned(), |text, names| text.replace(names.name, &names.ids[whose]))
}

/// What clients see, without what differs between any two catalogs.
fn plain(response: &Response) -> String {
    let headers = ["x-consul-knownleader", "x-consul-lastcontact", "x-consul-reason", "location"]
        .map(|name| response.header(name).unwrap_or_default().to_owned());
    let index = match response.header("x-consul-index").map(str::parse::<u64>) {
        Some(Ok(1..)) => "an index",
        Some(_) => "a bad index",
        None => "no index",
    };
    let body = match serde_json::from_str(&response.body) {
        Ok(mut value) => {
            neutral(&mut value);
            value.to_string()
        }
        // A redirection's text is for people.
        Err(_) if response.status == 301 => String::new(),
        Err(_) => without_ids(&response.body),
    };
    format!("{} {headers:?} {index} {body}", response.status)
}

fn neutral(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(neutral);
            // Consul's order comes from hash tables.
            items.sort_by_key(Value::to_string);
        }
        Value::Object(map) => {
            // Consul itself is a service of its catalog: what it says of itself is its own.
            if map.get("consul").is_some_and(Value::is_object) {
                map.remove("consul");
            }
            for (name, value) in map.iter_mut() {
                match name.as_str() {
                    "CreateIndex" | "ModifyIndex" | "ContentHash" => *value = 0.into(),
                    "ID" | "Session" if value.as_str().is_some_and(is_uuid) => {
                        *value = "uuid".into()
                    }
                    // Each agent has a clock of its own for these.
                    "LTime" if value.as_u64() > Some(0) => *value = "a time".into(),
                    "What" => *value = without_ids(value.as_str().unwrap_or_default()).into(),
                    // An agent shows a check's definition as its zero in one place only.
                    "Definition" => *value = Value::Null,
                    // A service's tags come from a set; without tags there may be a null.
                    "Meta" | "ServiceMeta" | "ServiceTags" | "Tags"
                        if value.is_null() || empty(value) =>
                    {
                        *value = Value::Null
                    }
                    _ => neutral(value),
                }
            }
        }
        _ => {}
    }
}

fn empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(|o| o.is_empty())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.matches('-').count() == 4
}

/// A text without the ids in it, and without the numbers, which may be indexes.
fn without_ids(text: &str) -> String {
    let words = text.split_inclusive([' ', '"', '\'', '=', '&']);
    let plain = words.map(|word| {
        let bare = word.trim_end_matches([' ', '"', '\'', '=', '&']);
        match is_uuid(bare) || bare.parse::<u64>().is_ok() {
            true => word.replace(bare, "N"),
            false => word.to_owned(),
        }
    });
    plain.collect()
}
