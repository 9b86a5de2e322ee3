//! The candidates, the registry that they stand at, and what they leave behind.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::{Host, Network, Program, Proxy, Running, Server, Signal, wait_until};

use crate::history::{Event, History, Time, What};
use crate::program::program;

/// Somebody leads by then, whatever has happened.
const PATIENCE: Duration = Duration::from_secs(60);

/// Short, so that a lost leader is followed soon; Consul waits up to twice as long.
pub(crate) const TTL: Duration = Duration::from_secs(3);

/// So long after the end of a lost leadership nobody is elected: in that time the journal of a loaded
/// machine may be late.
const LOCK_DELAY: Duration = Duration::from_secs(2);

const NAMES: [&str; 3] = ["ann", "bob", "cid"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registry {
    Consul,
    Etcd,
}

/// Everything that a test of elections needs.
pub(crate) struct Field {
    pub(crate) network: Network,
    pub(crate) servers: Vec<Server>,
    _proxies: Vec<Proxy>,
    pub(crate) candidates: Vec<Candidate>,
    /// Holds the scripts and the journal.
    desk: Program,
    /// What was done to the candidates.
    deeds: Vec<Event>,
}

/// One program, in its host.
pub(crate) struct Candidate {
    pub(crate) host: Host,
    program: Program,
    running: Option<Running>,
}

/// Tells that we lead, and writes while that is so.
const LEAD: &str = r#"
token=$CONTAINERPILOT_ELECTION_PRIMARY_TOKEN
echo "$(date +%s%N) $WHO elected $token" >>"$DESK/journal"
echo "$token" >leading
while [ "$(cat leading 2>/dev/null)" = "$token" ]; do
  "$DESK/write" "$token"
  sleep 0.1
done"#;

/// The writer is told first, then the journal: what the journal says must be true.
const YIELD: &str = r#"
rm -f leading
echo "$(date +%s%N) $WHO demoted" >>"$DESK/journal""#;

/// A log that knows the newest token.
const WRITE: &str = r#"
exec 9>>"$DESK/lock"
flock 9
newest=$(cat "$DESK/newest" 2>/dev/null || echo 0)
if [ "$1" -ge "$newest" ]; then
  echo "$1" >"$DESK/newest.$$" && mv "$DESK/newest.$$" "$DESK/newest"
  word=wrote
else
  word=refused
fi
echo "$(date +%s%N) $WHO $word $1" >>"$DESK/journal""#;

impl Field {
    /// Everybody stands.
    pub(crate) fn start(registry: Registry) -> Self {
        let places = ["one", "two", "three"];
        let network = Network::new(&[&NAMES[..], &places[..]].concat());
        let hosts = places.map(|place| network.host(place));
        let (servers, port) = match registry {
            Registry::Consul => (Server::consuls(&hosts), Server::CONSUL),
            Registry::Etcd => (Server::etcds(&hosts), Server::ETCD),
        };
        let proxies: Vec<Proxy> = hosts.iter().map(|host| Proxy::start(host, port)).collect();
        let desk = Program::new("/bin/true")
            .script("lead", LEAD)
            .script("yield", YIELD)
            .script("write", WRITE)
            .file("journal", "");
        let mut addresses: Vec<String> = proxies.iter().map(Proxy::address).collect();
        let mut candidates = Vec::new();
        for name in NAMES {
            // Each begins with another server.
            addresses.rotate_left(1);
            let host = network.host(name);
            let folder = desk.dir();
            let config = config(registry, &addresses, &folder.join("lead"), &folder.join("yield"));
            let program = Program::new(program())
                .file("app.json", config.to_string())
                .args(["-config", "app.json"])
                .env("WHO", name)
                .env("DESK", folder)
                .on(&host);
            candidates.push(Candidate { host, program, running: None });
        }
        let deeds = Vec::new();
        let mut field = Self { network, servers, _proxies: proxies, candidates, desk, deeds };
        for index in 0..field.candidates.len() {
            field.begin(index);
        }
        field
    }

    /// Starts a candidate that does not run.
    pub(crate) fn begin(&mut self, index: usize) {
        let candidate = &mut self.candidates[index];
        let _ = fs::remove_file(candidate.program.path("leading"));
        candidate.running = Some(candidate.program.spawn());
    }

    /// Kills a candidate with all that it runs.
    pub(crate) fn kill(&mut self, index: usize) {
        self.candidates[index].host.kill_all();
        self.end(index);
    }

    /// Asks it to leave, and waits until it has.
    pub(crate) fn dismiss(&mut self, index: usize) {
        self.running(index).signal(Signal::SIGTERM);
        self.candidates[index].running.as_mut().unwrap().wait(PATIENCE);
        self.end(index);
    }

    fn end(&mut self, index: usize) {
        if let Some(mut running) = self.candidates[index].running.take() {
            running.kill();
        }
        self.note(index, What::Ended);
    }

    /// The program stands still; what it runs goes on.
    pub(crate) fn stop(&mut self, index: usize) {
        self.running(index).signal(Signal::SIGSTOP);
        self.note(index, What::Stopped);
    }

    pub(crate) fn resume(&mut self, index: usize) {
        // Before, so that nothing that it does comes before.
        self.note(index, What::Continued);
        self.running(index).signal(Signal::SIGCONT);
    }

    /// It reaches no server of the registry from now on.
    pub(crate) fn cut(&self, index: usize) {
        for server in &self.servers {
            self.network.cut(&self.candidates[index].host, server.host());
        }
    }

    pub(crate) fn heal(&self, index: usize) {
        for server in &self.servers {
            self.network.heal(&self.candidates[index].host, server.host());
        }
    }

    fn running(&self, index: usize) -> &Running {
        self.candidates[index].running.as_ref().expect("it runs")
    }

    fn note(&mut self, index: usize, what: What) {
        let who = self.candidates[index].host.name().to_owned();
        self.deeds.push(Event { at: now(), who, what });
    }

    /// All that has happened so far.
    pub(crate) fn history(&self) -> History {
        let journal = fs::read_to_string(self.desk.path("journal")).expect("a journal");
        let parse =
            |line: &str| Event::parse(line).unwrap_or_else(|| panic!("{line:?} in the journal"));
        // What is behind the last end of line is being written.
        let whole = &journal[..journal.rfind('\n').map_or(0, |end| end + 1)];
        let events = whole.lines().map(parse).chain(self.deeds.iter().cloned());
        History::new(events.collect())
    }

    /// Waits until exactly one believes to lead, and answers who.
    #[track_caller]
    pub(crate) fn await_leader(&self) -> usize {
        wait_until("one leads", PATIENCE, || {
            thread::sleep(Duration::from_millis(20));
            let history = self.history();
            match history.leaders()[..] {
                [one] => Ok(NAMES.iter().position(|name| *name == one).expect("a candidate")),
                ref others => Err(format!("{others:?} lead\n{}", self.output())),
            }
        })
    }

    /// What the candidates have said, for a failure's message.
    pub(crate) fn output(&self) -> String {
        let mut text = String::new();
        for candidate in &self.candidates {
            if let Some(running) = &candidate.running {
                let (out, err) = (running.stdout_so_far(), running.stderr_so_far());
                text.push_str(&format!("--- {}\n{out}{err}", candidate.host.name()));
            }
        }
        text
    }
}

fn config(registry: Registry, addresses: &[String], lead: &PathBuf, yields: &PathBuf) -> Value {
    let (name, catalog) = match registry {
        Registry::Consul => ("consul", json!({ "address": addresses })),
        Registry::Etcd => {
            let urls: Vec<String> =
                addresses.iter().map(|address| format!("http://{address}")).collect();
            ("etcd", json!({ "endpoints": urls }))
        }
    };
    json!({
        name: catalog,
        "logging": { "level": "INFO" },
        "control": { "socket": "control.socket" },
        "elections": [{ "name": "primary", "ttl": format!("{}s", TTL.as_secs()),
            "lockDelay": format!("{}s", LOCK_DELAY.as_secs()) }],
        "jobs": [
            { "name": "lead", "exec": lead,
                "when": { "source": "election.primary", "each": "elected" } },
            { "name": "yield", "exec": yields,
                "when": { "source": "election.primary", "each": "demoted" } },
        ],
    })
}

pub(crate) fn now() -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    u64::try_from(now.as_nanos()).expect("this century")
}
