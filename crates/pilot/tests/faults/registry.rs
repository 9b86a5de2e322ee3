//! The registry that a fault befalls: where it runs, and what it holds.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Host, Mood, Network, Proxy, Response, Server, wait_until};

use crate::domain_name_server::DomainNameServer;
use crate::support::PATIENCE;

/// Which hosts there are, and what runs in them. The program is always in the host `app`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// One Consul server, in a host of its own.
    Consul,
    /// The same with the development catalog.
    Development,
    /// The same with etcd.
    Etcd,
    /// Three Consul servers, and beside the program an agent that is none.
    ConsulCluster,
    /// Three Consul servers, all of which the program knows; there is no agent beside it.
    ConsulServers,
    /// Three etcd members, all of which the program knows.
    EtcdCluster,
    /// Two Consul servers that do not know each other. The program knows a name, which leads to
    /// the first one by its `/etc/hosts`.
    HostsFile,
    /// The same, but the name leads there by a name server.
    NameServer,
}

impl Arrangement {
    fn is_etcd(self) -> bool {
        matches!(self, Self::Etcd | Self::EtcdCluster)
    }
}

/// The hosts, and the registry at work in them.
pub(crate) struct World {
    pub(crate) arrangement: Arrangement,
    pub(crate) network: Network,
    pub(crate) servers: Vec<Server>,
    /// What stands beside the program.
    agent: Option<Server>,
    /// What the program talks to: one, or one before each server that it knows.
    pub(crate) proxies: Vec<Proxy>,
    /// The servers that are down.
    pub(crate) lost: Vec<usize>,
    names: Option<DomainNameServer>,
}

/// Where the registry is, by name.
const NAME: &str = "catalog.test";

impl World {
    pub(crate) fn start(arrangement: Arrangement) -> Self {
        use Arrangement::*;
        let names: &[&str] = match arrangement {
            Consul | Development | Etcd => &["one"],
            HostsFile | NameServer => &["one", "two"],
            ConsulCluster | ConsulServers | EtcdCluster => &["one", "two", "three"],
        };
        let network = Network::new(&[&["app"], names].concat());
        let hosts: Vec<Host> = names.iter().map(|name| network.host(name)).collect();
        let servers = match arrangement {
            Consul | ConsulCluster | ConsulServers => Server::consuls(&hosts),
            Etcd | EtcdCluster => Server::etcds(&hosts),
            HostsFile | NameServer => {
                hosts.chunks(1).flat_map(|alone| Server::consuls(alone)).collect()
            }
            Development => {
                let pilot = Path::new(env!("CARGO_BIN_EXE_containerpilot"));
                vec![Server::development(&hosts[0], &pilot.with_file_name("catalog-server"))]
            }
        };
        let app = network.host("app");
        let agent = (arrangement == ConsulCluster).then(|| Server::consul_agent(&app, &hosts));
        let entrances = match agent {
            Some(_) => std::slice::from_ref(&app),
            None => &hosts,
        };
        let port = if arrangement.is_etcd() { Server::ETCD } else { Server::CONSUL };
        let proxies = entrances.iter().map(|host| Proxy::start(host, port)).collect();
        let first = hosts[0].address();
        let names = (arrangement == NameServer).then(|| DomainNameServer::start(&app, first));
        let world = Self { arrangement, network, servers, agent, proxies, lost: Vec::new(), names };
        world.rename(first);
        world
    }

    /// From now on this is the address of the registry's name.
    pub(crate) fn rename(&self, address: Ipv4Addr) {
        match &self.names {
            Some(names) => names.set(address),
            None => self.app().set_hosts(&[(NAME, address)]),
        }
    }

    pub(crate) fn app(&self) -> Host {
        self.network.host("app")
    }

    fn is_etcd(&self) -> bool {
        self.arrangement.is_etcd()
    }

    /// What a configuration says to find it: a name and a value.
    pub(crate) fn catalog(&self) -> (&'static str, Value) {
        let addresses: Vec<String> = self.proxies.iter().map(Proxy::address).collect();
        match self.arrangement {
            Arrangement::Etcd | Arrangement::EtcdCluster => {
                let urls: Vec<String> =
                    addresses.iter().map(|address| format!("http://{address}")).collect();
                ("etcd", json!({ "endpoints": urls }))
            }
            Arrangement::HostsFile | Arrangement::NameServer => {
                ("consul", json!(format!("{NAME}:{}", Server::CONSUL)))
            }
            Arrangement::ConsulServers => ("consul", json!({ "address": addresses })),
            Arrangement::Consul | Arrangement::Development | Arrangement::ConsulCluster => {
                ("consul", json!(addresses[0]))
            }
        }
    }

    /// From now on.
    pub(crate) fn set(&self, mood: Mood) {
        for proxy in &self.proxies {
            proxy.set(mood);
        }
    }

    /// How often the registry has been asked, answers or not: requests where there are any, and
    /// connections where there is nobody to send one to.
    pub(crate) fn asked(&self) -> u64 {
        let requests: usize = self.proxies.iter().map(Proxy::requests).sum();
        requests as u64 + self.app().dialled()
    }

    /// What stands before a server, if the program knows it.
    pub(crate) fn door(&self, server: usize) -> Option<&Proxy> {
        self.proxies.get(server).filter(|_| self.agent.is_none())
    }

    /// In the order in which we ask: in a cluster, those first whom the program asks last and whom
    /// most faults spare.
    fn all(&self) -> Vec<&Server> {
        let mut all: Vec<&Server> = self.servers.iter().collect();
        if matches!(self.arrangement, Arrangement::ConsulServers | Arrangement::EtcdCluster) {
            all.reverse();
        }
        self.agent.iter().chain(all).collect()
    }

    /// The answer of the first server that has one.
    fn request(&self, method: &str, path: &str, body: &str) -> Result<Response, String> {
        let mut last = Err("there is no server".to_owned());
        for server in self.all() {
            last = send(server, method, path, body);
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// Registers an instance of the service that the program watches, with every server that knows
    /// of no other. It stays until the server is emptied.
    #[track_caller]
    pub(crate) fn put_other(&self, id: &str) {
        let (method, path, body) = if self.is_etcd() {
            let value = json!({ "id": id, "name": "other", "address": "10.77.0.9", "port": 9000,
                "tags": [] });
            let key = base64(&format!("/containerpilot/other/{id}"));
            ("POST", "/v3/kv/put", json!({ "key": key, "value": base64(&value.to_string()) }))
        } else {
            let body = json!({ "ID": id, "Name": "other", "Address": "10.77.0.9", "Port": 9000 });
            ("PUT", "/v1/agent/service/register", body)
        };
        let alone = matches!(self.arrangement, Arrangement::HostsFile | Arrangement::NameServer);
        let all = self.all();
        for server in if alone { &all[self.lost.len()..] } else { &all[..1] } {
            wait_until(&format!("{id} is registered"), PATIENCE, || {
                std::thread::sleep(Duration::from_millis(20));
                send(server, method, path, &body.to_string()).map(drop)
            });
        }
    }

    /// Whether somebody who asks the registry for `app` finds exactly our instance, as it should
    /// be, and passing; if not, what is found.
    pub(crate) fn has_app(&self) -> Result<(), String> {
        let found = if self.is_etcd() {
            let prefix = "/containerpilot/app/";
            let body =
                json!({ "key": base64(prefix), "range_end": base64("/containerpilot/app0") });
            let answer = self.request("POST", "/v3/kv/range", &body.to_string())?.json();
            let values = answer["kvs"].as_array().cloned().unwrap_or_default();
            let values = values.iter().map(|kv| unbase64(kv["value"].as_str().unwrap_or_default()));
            let values = values.map(|text| serde_json::from_str::<Value>(&text));
            let values: Result<Vec<Value>, _> = values.collect();
            let values = values.map_err(|error| error.to_string())?;
            values.iter().map(|v| json!([v["id"], v["port"], v["tags"]])).collect()
        } else {
            let answer = self.request("GET", "/v1/health/service/app?passing=1", "")?.json();
            let entries = answer.as_array().cloned().unwrap_or_default();
            let services = entries.iter().map(|entry| &entry["Service"]);
            services.map(|s| json!([s["ID"], s["Port"], s["Tags"]])).collect::<Vec<_>>()
        };
        let mut found: Vec<Value> = found;
        if self.arrangement == Arrangement::ConsulServers {
            // Servers that come back bring a copy, until somebody takes it out.
            found.dedup();
        }
        let wanted = [json!(["app-app", 8000, ["blue"]])];
        if found == wanted { Ok(()) } else { Err(format!("{found:?}")) }
    }

    /// Waits until no copy of our service is left, passing or not.
    #[track_caller]
    pub(crate) fn await_one_copy(&self) {
        if self.arrangement == Arrangement::ConsulServers {
            wait_until("one server has it", PATIENCE, || {
                std::thread::sleep(Duration::from_millis(50));
                let answer = self.request("GET", "/v1/catalog/service/app", "")?;
                let count = answer.json().as_array().map_or(0, Vec::len);
                if count == 1 { Ok(()) } else { Err(answer.body) }
            });
        }
    }

    /// Whether the registry says that our service is not there or not passing; an error is no
    /// answer. The agent beside the program knows even while its cluster does not work.
    pub(crate) fn misses_app(&self) -> bool {
        let agent = self.agent.as_ref();
        let lapsed = agent.is_some_and(|agent| {
            let answer = agent.request("GET", "/v1/agent/health/service/id/app-app", "");
            answer.is_ok_and(|answer| answer.status != 200)
        });
        lapsed || self.has_app().is_err_and(|seen| seen.starts_with('['))
    }

    /// Waits until it answers all questions again, asked directly.
    #[track_caller]
    pub(crate) fn await_answers(&self) {
        wait_until("the registry answers", PATIENCE, || {
            std::thread::sleep(Duration::from_millis(10));
            // Linearizable on etcd; forwarded to the leader by Consul.
            self.has_app()
                .map_or_else(|seen| if seen.starts_with('[') { Ok(()) } else { Err(seen) }, Ok)
        });
    }
}

fn send(server: &Server, method: &str, path: &str, body: &str) -> Result<Response, String> {
    match server.request(method, path, body) {
        Ok(response) if response.status == 200 => Ok(response),
        Ok(response) => Err(format!("{} {}", response.status, response.body)),
        Err(error) => Err(error.to_string()),
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// As etcd's JSON has keys and values.
fn base64(text: &str) -> String {
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            out.push(if place <= three.len() { ALPHABET[index as usize] as char } else { '=' });
        }
    }
    out
}

fn unbase64(text: &str) -> String {
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for byte in text.bytes().take_while(|&byte| byte != b'=') {
        let value = ALPHABET.iter().position(|&letter| letter == byte).expect("base64");
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn base64_is_base64() {
    for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
        assert_eq!((base64(plain).as_str(), unbase64(coded).as_str()), (coded, plain));
    }
}
