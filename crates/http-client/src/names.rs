//! Looking names up.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// Lookups at once of one name. Each is a thread, which nobody can end: one that hangs outlives
/// whoever has given it up.
const AT_ONCE: usize = 2;

/// A name whose addresses are asked for again and again. However often that is given up, few lookups
/// are under way.
pub struct Name {
    host: String,
    lookups: Arc<Semaphore>,
}

impl Name {
    /// Nothing is looked up yet.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Name { host: host.to_owned(), lookups: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// The name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its addresses now, with this port; after others who have asked. There is no deadline.
    ///
    /// # Errors
    /// What the system's resolver says.
    pub async fn addresses(&self, port: u16) -> io::Result<Vec<SocketAddr>> {
        let lookups = Arc::clone(&self.lookups);
        let permit = lookups.acquire_owned().await.map_err(io::Error::other)?;
        let host = self.host.clone();
        let looked_up = spawn_blocking(move || {
            let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            drop(permit);
            found
        });
        looked_up.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn lookups_that_hang_are_not_repeated() {
        let name = Name::new("127.0.0.1");
        let soon = |time| timeout(Duration::from_millis(time), name.addresses(80));
        let expected = vec![SocketAddr::from(([127, 0, 0, 1], 80))];
        assert_eq!(soon(10_000).await.unwrap().unwrap(), expected);
        let lookups = Arc::clone(&name.lookups);
        let hanging = lookups.acquire_many_owned(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        assert!(soon(20).await.is_err());
        drop(hanging);
        assert_eq!(soon(10_000).await.unwrap().unwrap(), expected);
    }
}
