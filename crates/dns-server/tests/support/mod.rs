//! A server over a zone of plain lists, on a thread of its own, and `dig`.

use std::net::SocketAddr;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use dns_server::{Address, Instance, Limits, Node, Server, Sockets, Zone};
use testkit::{Ended, Program, free_port};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

const SOON: Duration = Duration::from_secs(30);

/// A service's instance: name, tag or "", own address or "", port.
pub(crate) type Service = (&'static str, &'static str, String, u16);

/// All services run on `laptop`; further nodes have a name and an address.
#[derive(Clone)]
pub(crate) struct Lists {
    pub(crate) services: Vec<Service>,
    pub(crate) nodes: Vec<(&'static str, &'static str)>,
}

impl Lists {
    fn laptop() -> Node {
        Node { name: "laptop".into(), address: "127.0.0.1".into() }
    }
}

impl Zone for Lists {
    fn datacenter(&self) -> String {
        "dc1".into()
    }

    fn server(&self) -> Node {
        Self::laptop()
    }

    fn service(&self, name: &str, tag: Option<&str>) -> Vec<Instance> {
        let matching = self.services.iter().filter(|(service, own, ..)| {
            service.eq_ignore_ascii_case(name)
                && tag.is_none_or(|tag| own.eq_ignore_ascii_case(tag))
        });
        let instance = |(_, _, address, port): &Service| Instance {
            node: Self::laptop(),
            address: Some(address.as_str()).filter(|text| !text.is_empty()).map(Address::from),
            port: *port,
            weight: 1,
        };
        matching.map(instance).collect()
    }

    fn node(&self, name: &str) -> Option<Node> {
        let known = self
            .nodes
            .iter()
            .map(|(name, address)| Node { name: (*name).into(), address: (*address).into() });
        known.chain([Self::laptop()]).find(|node| node.name.eq_ignore_ascii_case(name))
    }
}

/// A running server; dropping it closes it.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    pub(crate) fn start(lists: Lists, limits: Limits) -> Self {
        let sockets = Sockets::bind(([127, 0, 0, 1], free_port()).into()).unwrap();
        let address = sockets.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(LocalSet::new().run_until(async {
                let server = Server::start(sockets, limits, Rc::new(lists)).unwrap();
                let _ = stopped.await;
                server.close().await;
            }));
        });
        Dns { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Closes it, and returns when it is closed.
    pub(crate) fn close(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.close();
    }
}

/// What `dig` prints about a server's answers; one run for all questions.
pub(crate) fn dig<T: AsRef<str>>(server: SocketAddr, questions: &[T]) -> String {
    let port = server.port().to_string();
    let mut args = vec![format!("@{}", server.ip()), "-p".into(), port];
    args.extend(["+tries=2", "+time=10", "+nocookie"].map(str::to_owned));
    let words = questions.iter().flat_map(|question| question.as_ref().split(' '));
    args.extend(words.map(str::to_owned));
    let done = Program::new("dig").args(args).spawn().wait(SOON);
    assert_eq!(done.ended, Ended::Code(0), "{}{}", done.stdout, done.stderr);
    done.stdout
}
