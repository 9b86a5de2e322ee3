//! A real Consul with services, nodes and keys that are always the same, and one file.

use std::{sync::Arc, time::Duration};

use catalog::Catalog;
use catalog_functions::{Answers, Known, Need, Options, Pass, Template};
use consul::Address;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub(crate) struct World {
    /// Lives as long as it is asked.
    _consul: testkit::Consul,
    catalog: Arc<dyn Catalog>,
    runtime: Runtime,
    answers: Answers,
}

impl World {
    /// Starts it and puts everything in.
    pub(crate) fn start() -> World {
        let consul = testkit::Consul::start_with(json!({
            "node_name": "node-a",
            "node_id": "aaaaaaaa-0000-0000-0000-000000000001",
            "node_meta": { "zone": "z1" },
        }));
        register(&consul);
        let address = consul.address();
        let (host, port) = address.rsplit_once(':').unwrap();
        let address = Address::Http { host: host.to_owned(), port: port.parse().unwrap() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = consul::Options::new(vec![address]);
        let catalog = {
            let _inside = runtime.enter();
            Arc::new(consul::Consul::build(options).unwrap())
        };
        World { _consul: consul, catalog, runtime, answers: Answers::new() }
    }

    /// Executes a template again and again, until all that it asks for and that exists is known.
    pub(crate) fn render(&mut self, template: &Template) -> Pass {
        loop {
            let pass = template.execute(&self.answers);
            let unknown: Vec<&Need> =
                pass.missing.iter().filter(|need| self.answers.get(need).is_none()).collect();
            if unknown.is_empty() {
                return pass;
            }
            let known: Vec<(Need, Known)> =
                unknown.into_iter().map(|need| (need.clone(), self.find_out(need))).collect();
            for (need, known) in known {
                self.answers.learn(need, known);
            }
        }
    }

    fn find_out(&self, need: &Need) -> Known {
        match need {
            Need::File(path) => Known::File(format!("text of {}\n", path.display()).into()),
            Need::Catalog(question) => {
                let wait = Duration::ZERO;
                let found = self.runtime.block_on(self.catalog.find(question, None, wait));
                Known::Catalog(Arc::new(found.unwrap().finding))
            }
        }
    }

    /// The text of a template, or what is wrong with it.
    pub(crate) fn text(&mut self, text: &str, options: &Options) -> Result<String, String> {
        let template = Template::parse("t", text, options)?;
        let pass = self.render(&template);
        match pass.missing.is_empty() {
            true => pass.text,
            false => Err(format!("held back by {:?}", pass.missing)),
        }
    }
}

fn put(consul: &testkit::Consul, path: &str, body: impl AsRef<[u8]>) {
    let response = consul.request("PUT", path, body);
    assert_eq!(response.status, 200, "PUT {path}: {}", response.body);
}

fn register(consul: &testkit::Consul) {
    let on_a = |number: u16, address: &str, tags: Value, meta: Value, status: &str| {
        consul.register(json!({
            "ID": format!("web-{number}"), "Name": "web", "Tags": tags, "Meta": meta,
            "Address": address, "Port": 8000 + number,
            "Weights": { "Passing": 10 * number, "Warning": 1 },
            "Check": {
                "CheckID": format!("check-{number}"), "Name": "answers", "TTL": "1h",
                "Status": status, "Notes": "asked each second",
            },
        }));
    };
    on_a(1, "10.0.0.1", json!(["v2", "http"]), json!({ "rack": "r1", "shard": "2" }), "passing");
    on_a(2, "", json!(["http"]), json!({ "rack": "r2", "shard": "10" }), "warning");
    let node = |name: &str, number: u16, meta: Value, service: Value, checks: Value| {
        let body = json!({
            "Node": name, "ID": format!("aaaaaaaa-0000-0000-0000-00000000000{number}"),
            "Address": format!("10.1.0.{number}"), "NodeMeta": meta,
            "TaggedAddresses": {
                "lan": format!("10.1.0.{number}"), "wan": format!("198.51.100.{number}"),
            },
            "Service": service, "Checks": checks,
        });
        put(consul, "/v1/catalog/register", body.to_string());
    };
    let b = |service, checks| node("node-b", 2, json!({ "zone": "z2" }), service, checks);
    let c = |service, checks| node("node-c", 3, json!({}), service, checks);
    b(
        json!({
            "ID": "web-3", "Service": "web", "Tags": ["v1", "http"], "Port": 8003,
            "Address": "10.0.0.3", "Meta": { "rack": "r1", "shard": "1" },
        }),
        json!([{ "CheckID": "check-3", "ServiceID": "web-3", "Name": "answers",
            "Status": "passing", "Output": "200 OK" }]),
    );
    c(
        json!({ "ID": "web-4", "Service": "web", "Tags": ["http"], "Port": 8004,
            "Address": "10.0.0.4", "Meta": { "rack": "r2", "shard": "3" } }),
        json!([{ "CheckID": "check-4", "ServiceID": "web-4", "Name": "answers",
            "Status": "critical", "Output": "refused" }]),
    );
    c(
        json!({ "ID": "web-5", "Service": "web", "Port": 8005, "Address": "10.0.0.5",
            "Meta": { "rack": "r2", "shard": "4" } }),
        json!([{ "CheckID": "_service_maintenance:web-5", "ServiceID": "web-5",
            "Name": "Service Maintenance Mode", "Status": "critical" }]),
    );
    b(json!({ "ID": "db", "Service": "db", "Tags": ["primary"], "Port": 5432 }), json!([]));
    c(
        json!({ "ID": "cache", "Service": "cache", "Port": 11211 }),
        json!([{ "CheckID": "check-cache", "ServiceID": "cache", "Name": "answers",
            "Status": "critical" }]),
    );
    for (key, value) in [
        ("config/", ""),
        ("config/name", "demo"),
        ("config/port?flags=42", "8080"),
        ("config/empty", ""),
        ("config/db/host", "10.9.9.9"),
        ("config/db/pool/size", "5"),
        ("configuration/x", "y"),
        ("groups/search/es1", "1"),
        ("groups/search/es2", "2"),
        ("groups/store/s1", "3"),
        ("user/info", r#"{"name": "Ann", "age": 30, "mail": ["a@x", "b@x"]}"#),
        ("user/info.yaml", "name: Ann\nage: 30\n"),
        ("feature/enabled", "true"),
        ("names/with%20space", "s"),
        ("names/žluť", "z"),
    ] {
        put(consul, &format!("/v1/kv/{key}"), value);
    }
    put(consul, "/v1/kv/names/binary", [0xff, 0x00]);
}
