//! Listening, accepting and stopping.

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use dns_server::Sockets;
use http_server::{HalfClosed, Limits, Overflow, accept};
use nix::sys::socket::{Backlog, listen};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};

use crate::app::App;
use crate::connection::{self, IDLE};
use crate::options::{Dns, Options};
use crate::state::{self, Saved, StateError};

/// How long a stop waits for requests that are being answered.
const DRAIN: Duration = Duration::from_secs(2);

/// Why a catalog does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as given.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The state file cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The address for DNS cannot be listened on.
    #[error("DNS: {0} (-dns off does without)")]
    Dns(#[from] dns_server::Error),
    /// There is no thread or runtime for it.
    #[error("cannot start the catalog: {0}")]
    Start(io::Error),
}

/// A catalog that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: std::net::TcpListener,
    address: SocketAddr,
    dns: Option<Sockets>,
    saved: Saved,
    options: Options,
}

impl Server {
    /// Reads the state file and takes the addresses.
    pub fn bind(options: Options) -> Result<Self, Error> {
        let saved = match &options.state {
            Some(path) => state::read(path, options.script_checks)?,
            None => Saved::default(),
        };
        let take = || {
            let listener = std::net::TcpListener::bind(options.http)?;
            // Clients come in thousands at once, and who finds the queue full (std's has 128 places)
            // tries again only after a second. On a socket that listens this changes the queue only.
            listen(&listener, Backlog::MAXCONN)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let failed = |source| Error::Listen { address: options.http, source };
        let (listener, address) = take().map_err(failed)?;
        let dns = match options.dns {
            Dns::Off => None,
            Dns::At(address) => Some(Sockets::bind(address)?),
            Dns::IfFree(address) => match Sockets::bind(address) {
                Ok(sockets) => Some(sockets),
                Err(error) => {
                    options.log.line(&format!("no DNS: {error} (-dns chooses another address)"));
                    None
                }
            },
        };
        Ok(Self { listener, address, dns, saved, options })
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where DNS is answered, with the port that was chosen, if it is.
    pub fn dns_address(&self) -> Option<SocketAddr> {
        self.dns.as_ref().map(Sockets::address)
    }

    /// Answers until `stop` is ready; then it accepts no more, answers blocked queries at once,
    /// gives clients two seconds to take their answers, and writes the state file.
    ///
    /// It must run on a tokio runtime of one thread with I/O and time.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let listener = TcpListener::from_std(self.listener).map_err(Error::Start)?;
        let mut saved = self.saved;
        let checks = std::mem::take(&mut saved.checks);
        let app = App::new(self.options, self.address, saved);
        LocalSet::new()
            .run_until(async move {
                for check in checks {
                    app.start_check(check);
                }
                let (stop_keeping, stopped) = oneshot::channel();
                let mut keeper = None;
                if let Some(path) = app.options.state.clone() {
                    // If it cannot be written that is known now.
                    state::write(&app, &path).await?;
                    keeper = Some(spawn_local(state::keep(Rc::clone(&app), path, stopped)));
                }
                let zone: Rc<dyn dns_server::Zone> = Rc::clone(&app) as _;
                let start = |sockets| {
                    dns_server::Server::start(sockets, dns_server::Limits::default(), zone)
                };
                let dns = self.dns.map(start).transpose()?;
                let reaper = spawn_local(Rc::clone(&app).reap());
                serve(&app, listener, stop).await;
                reaper.abort();
                if let Some(dns) = dns {
                    dns.close().await;
                }
                drop(stop_keeping);
                let kept = match keeper {
                    Some(keeper) => keeper.await.map_err(|error| Error::Start(error.into()))?,
                    None => Ok(()),
                };
                // Each check's task holds the whole; dropping them lets go of it.
                app.checks.borrow_mut().clear();
                Ok(kept?)
            })
            .await
    }
}

async fn serve(app: &Rc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let limits = Limits {
        connections: app.options.max_connections,
        overflow: Overflow::Refuse,
        half_closed: HalfClosed::Gone,
        head: IDLE,
        stalled: IDLE,
        drain: DRAIN,
        ..Limits::default()
    };
    let stop = async {
        stop.await;
        app.stop_waiting();
    };
    accept(listener, limits, stop, |connections, accepted| match accepted {
        Ok(accepted) => {
            let app = Rc::clone(app);
            connections.spawn_local(connection::serve(app, accepted));
        }
        Err(error) => app.options.log.line(&format!("cannot accept a connection: {error}")),
    })
    .await;
}

/// A catalog on a thread of its own, for tests of blocking code; dropping it stops it.
#[derive(Debug)]
pub struct Background {
    address: SocketAddr,
    dns: Option<SocketAddr>,
    stop: RefCell<Option<oneshot::Sender<()>>>,
    thread: RefCell<Option<JoinHandle<()>>>,
}

impl Background {
    /// Starts a catalog and returns once connections are accepted.
    pub fn start(options: Options) -> Result<Self, Error> {
        let server = Server::bind(options)?;
        let (address, dns) = (server.address(), server.dns_address());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::Start)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let body = move || {
            let stopped = async {
                let _ = stopped.await;
            };
            // It can fail only to take over the listener, which the first request shows.
            let _ = runtime.block_on(server.run(stopped));
        };
        let thread =
            thread::Builder::new().name("catalog".into()).spawn(body).map_err(Error::Start)?;
        Ok(Self { address, dns, stop: Some(stop).into(), thread: Some(thread).into() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where DNS is answered, if it is.
    pub fn dns_address(&self) -> Option<SocketAddr> {
        self.dns
    }

    /// Stops it and waits for its end.
    pub fn stop(&self) {
        self.stop.borrow_mut().take();
        if let Some(thread) = self.thread.borrow_mut().take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}
