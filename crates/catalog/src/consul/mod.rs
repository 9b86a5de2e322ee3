//! Consul, by way of the HTTP API of its agent.

mod options;

pub use options::{Address, BuildError, Options, Tls};

use std::time::Duration;

use crate::{
    Answer, Catalog, Error, Index, Query, Reachability, Registered, Registration, Snapshot, Status,
};

/// A Consul agent.
pub struct Consul {
    reachability: Reachability,
}

impl Consul {
    /// Reads the certificates. Whatever can be wrong with the options is found here; nothing is
    /// sent.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should, or a name that is none.
    pub fn build(options: Options) -> Result<Consul, BuildError> {
        let name = format!("consul at {}", options.address);
        Ok(Consul { reachability: Reachability::new(name) })
    }
}

fn todo<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(async { Err(Error::Unreachable("not there yet".to_owned())) })
}

impl Catalog for Consul {
    fn reachability(&self) -> &Reachability {
        &self.reachability
    }
    fn register<'a>(&'a self, _: &'a Registration, _: Status, _: &'a str) -> Answer<'a, ()> {
        todo()
    }
    fn heartbeat<'a>(&'a self, _: &'a Registration, _: Status, _: &'a str) -> Answer<'a, ()> {
        todo()
    }
    fn deregister<'a>(&'a self, _: &'a Registration) -> Answer<'a, ()> {
        todo()
    }
    fn lookup<'a>(&'a self, _: &'a Registration) -> Answer<'a, Option<Registered>> {
        todo()
    }
    fn instances<'a>(
        &'a self,
        _: &'a Query,
        _: Option<Index>,
        _: Duration,
    ) -> Answer<'a, Snapshot> {
        todo()
    }
}
