//! A way to the catalog that is slow where it matters.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// How long a deregistration is held back. Who goes on without its acknowledgement is seen to.
/// Well below the second after which the init program gives up.
const HELD: Duration = Duration::from_millis(400);

/// Relays connections to `target` (an `address:port`) and holds back deregistrations; answers
/// with its own address. It lives as long as the test's process.
///
/// # Panics
/// If no port is free.
pub(crate) fn slow_to_deregister(target: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&target) else { continue };
            let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else {
                continue;
            };
            thread::spawn(move || copy(from_client, to_server, hold));
            thread::spawn(move || copy(server, client, |_| ()));
        }
    });
    address
}

/// The init program writes a request's head at once.
fn hold(bytes: &[u8]) {
    let path = b"/service/deregister/";
    if bytes.windows(path.len()).any(|window| window == path) {
        thread::sleep(HELD);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, look: impl Fn(&[u8])) -> io::Result<()> {
    let mut chunk = [0; 16384];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return to.shutdown(Shutdown::Write);
        }
        look(&chunk[..read]);
        to.write_all(&chunk[..read])?;
    }
}
