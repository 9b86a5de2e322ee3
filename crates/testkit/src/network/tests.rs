use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::*;
use crate::{Program, wait_until};

const SOON: Duration = Duration::from_secs(10);
const BRIEFLY: Duration = Duration::from_millis(300);

/// Answers every connection with a byte.
fn serve(host: &Host) -> SocketAddr {
    let listener = host.within(|| TcpListener::bind((host.address(), 80))).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.write_all(b"x");
        }
    });
    address
}

fn ask(host: &Host, address: SocketAddr) -> io::Result<()> {
    host.within(|| {
        let mut stream = TcpStream::connect_timeout(&address, BRIEFLY)?;
        stream.set_read_timeout(Some(BRIEFLY))?;
        stream.read_exact(&mut [0])
    })
}

#[test]
fn hosts_reach_each_other_until_they_are_cut() {
    let network = Network::new(&["a", "b", "c"]);
    let (a, b, c) = (network.host("a"), network.host("b"), network.host("c"));
    let at_b = serve(&b);
    ask(&a, at_b).unwrap();
    network.cut(&a, &b);
    // Not refused, not unreachable: silence.
    assert_eq!(ask(&a, at_b).unwrap_err().kind(), io::ErrorKind::TimedOut);
    ask(&c, at_b).unwrap();
    network.heal(&a, &b);
    ask(&a, at_b).unwrap();
    assert_eq!((a.dialled(), b.dialled(), c.dialled()), (3, 0, 1));
}

#[test]
fn programs_run_in_a_host_and_see_its_names_and_others() {
    let network = Network::new(&["here", "there"]);
    let (here, there) = (network.host("here"), network.host("there"));
    here.set_hosts(&[("far.test", there.address())]);
    let ask = "getent ahostsv4 far.test";
    let program = Program::new("/bin/sh")
        .script("run", &format!("uname -n; mkfifo go; {ask}; read _ <go; {ask}"))
        .arg("run")
        .on(&here);
    let mut running = program.spawn();
    assert_eq!(running.wait_for_line("here"), "here");
    running.wait_for_line("10.77.0.2");
    assert!(here.holds(running.pid()) && !there.holds(running.pid()));
    here.set_hosts(&[("far.test", Ipv4Addr::new(10, 77, 0, 9))]);
    fs::write(running.path("go"), "\n").unwrap();
    running.wait_for_line("10.77.0.9");
}

#[test]
fn what_is_left_in_a_host_ends_with_it() {
    let network = Network::new(&["a"]);
    let host = network.host("a");
    let mut running = Program::new("sleep").arg("60").on(&host).spawn();
    wait_until("it is in there", SOON, || host.holds(running.pid()));
    let name = Path::new(FOLDER).join(host.namespace());
    drop((network, host));
    assert_eq!(running.wait(SOON).ended, crate::Ended::Signal(9));
    assert!(!name.exists());
}

#[test]
fn what_a_killed_test_left_behind_is_removed() {
    // Above what the kernel gives: nobody's.
    let name = "testkit-4194305-0-a";
    namespaces::run(&["ip", "netns", "add", name], "");
    namespaces::sweep();
    assert!(!Path::new(FOLDER).join(name).exists());
    let network = Network::new(&["a"]);
    let own = network.host("a").namespace();
    namespaces::sweep();
    assert!(Path::new(FOLDER).join(own).exists());
}
