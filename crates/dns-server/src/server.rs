//! Listening, answering and stopping.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::limits::Limits;
use crate::reply::{Moment, Way, reply};
use crate::shuffle::seed;
use crate::zone::Zone;

/// How long to wait after the system refused to receive or accept: most likely we are out of
/// descriptors, and some connection has to end first.
const BREATH: Duration = Duration::from_millis(50);
/// How often a port that is free for TCP is looked for that is free for UDP too.
const TRIES: usize = 64;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for DNS over {protocol}: {source}")]
    Listen {
        /// The address as given.
        address: SocketAddr,
        /// `TCP` or `UDP`.
        protocol: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The runtime does not take the sockets over.
    #[error("cannot start the DNS server: {0}")]
    Start(io::Error),
}

/// One port, for UDP and TCP. What arrives waits for a [`Server`].
#[derive(Debug)]
pub struct Sockets {
    udp: std::net::UdpSocket,
    tcp: std::net::TcpListener,
    address: SocketAddr,
}

impl Sockets {
    /// Takes the address; port 0 is one that is free for both.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub fn bind(address: SocketAddr) -> Result<Self, Error> {
        let mut tries = if address.port() == 0 { TRIES } else { 1 };
        loop {
            tries -= 1;
            let failed = |protocol| move |source| Error::Listen { address, protocol, source };
            let (tcp, bound) = tcp(address).map_err(failed("TCP"))?;
            match udp(bound) {
                Ok(udp) => return Ok(Self { udp, tcp, address: bound }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
                Err(error) => return Err(failed("UDP")(error)),
            }
        }
    }

    /// Where it listens, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn tcp(address: SocketAddr) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

fn udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A running server. Dropping it cuts off every client at once.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<Infallible>>,
}

impl Server {
    /// Begins to answer from the zone. To be called on a `LocalSet`, within a tokio runtime with
    /// I/O and time.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn start(sockets: Sockets, limits: Limits, zone: Rc<dyn Zone>) -> Result<Server, Error> {
        let udp = UdpSocket::from_std(sockets.udp).map_err(Error::Start)?;
        let tcp = TcpListener::from_std(sockets.tcp).map_err(Error::Start)?;
        let (stop, stopped) = oneshot::channel();
        let task = spawn_local(serve(udp, tcp, limits, zone, stopped));
        Ok(Server { task, stop: Some(stop) })
    }

    /// Hears no more, lets answers that are being sent be taken, and returns when no task and no
    /// connection is left: after [`Limits::drain`] at the latest.
    pub async fn close(mut self) {
        self.stop = None;
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    udp: UdpSocket,
    tcp: TcpListener,
    limits: Limits,
    zone: Rc<dyn Zone>,
    mut stop: oneshot::Receiver<Infallible>,
) {
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    // A request that is longer is cut and therefore malformed.
    let mut buffer = vec![0; 4096];
    let mut ailing = false;
    loop {
        let heard = tokio::select! {
            _ = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            received = udp.recv_from(&mut buffer) => match received {
                Ok((length, client)) => {
                    let request = buffer.get(..length).unwrap_or_default();
                    let now = Moment { now: SystemTime::now(), seed: seed() };
                    if let Some(bytes) = reply(request, &*zone, Way::Datagram, &limits, now) {
                        // A client that is gone is its own business.
                        let _ = udp.send_to(&bytes, client).await;
                    }
                    Ok(())
                }
                Err(error) => Err(error),
            },
            accepted = tcp.accept() => match accepted {
                Ok((stream, _)) => {
                    if connections.len() < limits.connections {
                        let talk = converse(stream, limits, Rc::clone(&zone), stopped.clone());
                        connections.spawn_local(async { let _ = talk.await; });
                    }
                    Ok(())
                }
                Err(error) => Err(error),
            },
        };
        match heard {
            Ok(()) => ailing = false,
            Err(error) => {
                // It is tried many times a second.
                if !std::mem::replace(&mut ailing, true) {
                    log::warn!("cannot hear DNS requests: {error}");
                }
                sleep(BREATH).await;
            }
        }
    }
    drop((udp, tcp, stopping));
    let drain = async { while connections.join_next().await.is_some() {} };
    // Whoever is left does not read.
    let _ = timeout(limits.drain, drain).await;
    connections.shutdown().await;
}

/// Answers one request after the other, each with its length before it (RFC 1035, 4.2.2).
async fn converse(
    mut stream: TcpStream,
    limits: Limits,
    zone: Rc<dyn Zone>,
    mut stopping: watch::Receiver<()>,
) -> io::Result<()> {
    let _ = stream.set_nodelay(true);
    loop {
        let mut length = [0; 2];
        tokio::select! {
            _ = stopping.changed() => return Ok(()),
            read = timeout(limits.idle, stream.read_exact(&mut length)) => read??,
        };
        let length = u16::from_be_bytes(length);
        if length > limits.request {
            return Ok(());
        }
        let mut request = vec![0; usize::from(length)];
        timeout(limits.idle, stream.read_exact(&mut request)).await??;
        let now = Moment { now: SystemTime::now(), seed: seed() };
        let Some(bytes) = reply(&request, &*zone, Way::Stream, &limits, now) else {
            return Ok(());
        };
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], &bytes].concat();
        timeout(limits.idle, stream.write_all(&framed)).await??;
    }
}
