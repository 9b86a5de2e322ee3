//! An address at which nobody is at home.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::socket::{Backlog, listen};

/// How soon a connection is made on one machine, if it is at all.
const SOON: Duration = Duration::from_millis(100);

/// Takes no connection and refuses none, as a host that drops packets: its queue is full, and nobody
/// accepts what is in it. On 127.0.0.1.
pub struct Swallower {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Swallower {
    /// Fills the queue.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listen(&listener, Backlog::new(0).expect("in range")).expect("a shorter queue");
        let address = listener.local_addr().expect("bound");
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, SOON) {
            queue.push(stream);
        }
        Self { address, _listener: listener, _queue: queue }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}
