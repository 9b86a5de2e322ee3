//! The development catalog, in a process of its own: this program, told to be it.

use std::sync::{Arc, Mutex};

use catalog::{Catalog, Registration};
use catalog_server::{Options, Server};
use testkit::{Program, Running, Signal, free_port, http, wait_until};

use super::{Fault, LONG, Registry, SECOND, consul};

/// Its value is where to listen.
const TOLD: &str = "SUITE_DEVELOPMENT_CATALOG";

/// Serves, and never returns, if this process was started for that.
pub(crate) fn serve_if_told() -> bool {
    let Ok(address) = std::env::var(TOLD) else { return false };
    let http = address.parse().unwrap();
    let options = Options { http, min_session_ttl: SECOND, ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = Server::bind(options).unwrap();
    runtime.block_on(server.run(std::future::pending())).unwrap();
    true
}

pub(crate) struct Development {
    address: String,
    program: Program,
    running: Mutex<Option<Running>>,
}

impl Development {
    pub(crate) fn start() -> Development {
        let address = format!("127.0.0.1:{}", free_port());
        let program = Program::new(std::env::current_exe().unwrap()).env(TOLD, &address);
        let running = Mutex::new(Some(program.spawn()));
        let development = Development { address, program, running };
        development.await_ready();
        development
    }

    fn signal(&self, signal: Signal) {
        self.running.lock().unwrap().as_ref().unwrap().signal(signal);
    }

    fn await_ready(&self) {
        wait_until("the development catalog answers", LONG, || {
            http("GET", &self.address, "/v1/status/leader", "").map(drop)
        });
    }
}

impl Registry for Development {
    fn connect(&self) -> Arc<dyn Catalog> {
        consul::connect(&self.address)
    }

    fn retag(&self, registration: &Registration, tags: &[&str]) {
        consul::retag(&self.address, registration, tags);
    }

    fn set(&self, key: &str, value: &[u8]) {
        consul::put(&self.address, &format!("/v1/kv/{key}"), value);
    }

    fn unset(&self, key: &str) {
        consul::delete(&self.address, key);
    }

    fn fail(&self, fault: Fault) {
        match fault {
            Fault::Frozen => self.signal(Signal::SIGSTOP),
            Fault::Emptied => drop(self.running.lock().unwrap().take()),
        }
    }

    fn mend(&self, fault: Fault) {
        match fault {
            Fault::Frozen => self.signal(Signal::SIGCONT),
            Fault::Emptied => *self.running.lock().unwrap() = Some(self.program.spawn()),
        }
        self.await_ready();
    }
}
