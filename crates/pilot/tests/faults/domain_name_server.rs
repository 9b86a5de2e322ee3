//! A name server that knows one address, whatever it is asked for.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use testkit::Host;

const TYPE_A: [u8; 2] = [0, 1];

/// Answers at port 53 of a host's loopback interface until the test's process ends.
pub(crate) struct DomainNameServer(Arc<Mutex<Ipv4Addr>>);

impl DomainNameServer {
    pub(crate) fn start(host: &Host, address: Ipv4Addr) -> Self {
        let known = Arc::new(Mutex::new(address));
        let socket = host.within(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 53))).expect("port 53");
        host.set_resolver(Ipv4Addr::LOCALHOST);
        let answer_from = Arc::clone(&known);
        thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut question) {
                let known = *answer_from.lock().unwrap();
                if let Some(answer) = answer(&question[..length], known) {
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Self(known)
    }

    /// From now on every name has this address.
    pub(crate) fn set(&self, address: Ipv4Addr) {
        *self.0.lock().unwrap() = address;
    }
}

/// RFC 1035, 4.1: the question with an answer behind it, or, for other types than A, with none.
fn answer(question: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let name = question.get(12..)?.iter().position(|&byte| byte == 0)? + 13;
    let end = name + 4;
    let mut answer = question.get(..end)?.to_vec();
    let found = answer[name..name + 2] == TYPE_A;
    // A response, authoritative, without error; one question, one answer or none, nothing else.
    answer[2..4].copy_from_slice(&[0x84, 0]);
    answer[4..12].copy_from_slice(&[0, 1, 0, u8::from(found), 0, 0, 0, 0]);
    if found {
        // The name is that of the question; class IN; to be forgotten at once.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}
