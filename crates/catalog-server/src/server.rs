//! Listening, accepting and stopping.

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::http;
use crate::options::Options;

/// How long a stop waits for requests that are being answered.
const DRAIN: Duration = Duration::from_secs(2);
/// How long a connection may be silent between requests.
const IDLE: Duration = Duration::from_secs(5 * 60);

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
    /// There is no thread or runtime for it.
    #[error("cannot start the catalog: {0}")]
    Start(io::Error),
}

/// A catalog that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: std::net::TcpListener,
    address: SocketAddr,
    options: Options,
}

impl Server {
    /// Takes the address.
    pub fn bind(options: Options) -> Result<Self, Error> {
        let listen = || {
            let listener = std::net::TcpListener::bind(options.http)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let failed = |source| Error::Listen { address: options.http, source };
        let (listener, address) = listen().map_err(failed)?;
        Ok(Self { listener, address, options })
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready; then it accepts no more, answers blocked queries at once,
    /// and gives clients two seconds to take their answers.
    ///
    /// It must run on a tokio runtime of one thread with I/O and time.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let listener = TcpListener::from_std(self.listener).map_err(Error::Start)?;
        let app = App::new(self.options, self.address);
        LocalSet::new()
            .run_until(async move {
                let reaper = tokio::task::spawn_local(Rc::clone(&app).reap());
                serve(&app, listener, stop).await;
                reaper.abort();
                // Each check's task holds the whole; dropping them lets go of it.
                app.checks.borrow_mut().clear();
            })
            .await;
        Ok(())
    }
}

async fn serve(app: &Rc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let places = Rc::new(Semaphore::new(app.options.max_connections));
    let (stopping, _) = watch::channel(());
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Err(error) => {
                    // Out of descriptors, most likely: some connection has to end first.
                    app.options.log.line(&format!("cannot accept a connection: {error}"));
                    sleep(Duration::from_millis(50)).await;
                }
                Ok((stream, _)) => match Rc::clone(&places).try_acquire() {
                    Err(_) => refuse(&stream),
                    Ok(place) => {
                        place.forget();
                        let place = Place(Rc::clone(&places));
                        let stopped = stopping.subscribe();
                        connections.spawn_local(connection(Rc::clone(app), stream, place, stopped));
                    }
                },
            },
        }
    }
    drop(listener);
    drop(stopping);
    app.stop_waiting();
    let drain = async { while connections.join_next().await.is_some() {} };
    // Whoever is left does not read, or does not send.
    let _ = timeout(DRAIN, drain).await;
    connections.shutdown().await;
}

/// A place among the connections.
struct Place(Rc<Semaphore>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

fn refuse(stream: &TcpStream) {
    // Without waiting: what does not fit into the socket's empty buffer is not worth it.
    let _ = stream.try_write(
        b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 21\r\n\r\nToo many connections\n",
    );
}

async fn connection(
    app: Rc<App>,
    stream: TcpStream,
    _place: Place,
    mut stopped: watch::Receiver<()>,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| http::answer(Rc::clone(&app), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A client that breaks off is its own business.
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// A catalog on a thread of its own, for tests of blocking code; dropping it stops it.
#[derive(Debug)]
pub struct Background {
    address: SocketAddr,
    stop: RefCell<Option<oneshot::Sender<()>>>,
    thread: RefCell<Option<JoinHandle<()>>>,
}

impl Background {
    /// Starts a catalog and returns once connections are accepted.
    pub fn start(options: Options) -> Result<Self, Error> {
        let server = Server::bind(options)?;
        let address = server.address();
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
        Ok(Self { address, stop: Some(stop).into(), thread: Some(thread).into() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
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
