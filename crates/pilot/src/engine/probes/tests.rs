use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    ops::RangeInclusive,
    path::PathBuf,
    thread,
    time::{Instant, SystemTime},
};

use config::job::{HttpPlace, HttpProbe, Streams};
use testkit::Swallower;

use super::*;

const DEADLINE: Duration = Duration::from_millis(700);

fn look(probe: config::job::Probe) -> Result<String, String> {
    let health = Health::plain(probe, Duration::from_secs(1), Some(DEADLINE), Streams::Inherit);
    let probe = Probe::build(&health).unwrap().expect("one that is no process");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(as_the_machine_does(&probe));
    runtime.shutdown_background();
    found
}

/// What is not over in time is ended.
async fn as_the_machine_does(probe: &Probe) -> Result<String, String> {
    let found = tokio::time::timeout(probe.deadline, probe.find_out()).await;
    found.unwrap_or_else(|_| Err(probe.overdue()))
}

fn http(port: u16, expect: &[RangeInclusive<u16>]) -> config::job::Probe {
    config::job::Probe::Http(Box::new(HttpProbe {
        place: HttpPlace::Http { host: "localhost".into(), port },
        path: "/health?full".into(),
        method: "PUT".into(),
        headers: vec![("X-Probe".into(), "yes".into())],
        expect: expect.to_vec(),
    }))
}

fn grpc(host: &str, port: u16) -> config::job::Probe {
    config::job::Probe::Grpc { host: host.into(), port, service: String::new(), tls: None }
}

/// Answers each connection with this; tells what was asked last.
fn answers(text: &'static str) -> (u16, std::sync::mpsc::Receiver<String>) {
    answers_and(text, drop)
}

/// The same, and keeps the connections.
fn holds(text: &'static str) -> (u16, std::sync::mpsc::Receiver<String>) {
    answers_and(text, std::mem::forget)
}

fn answers_and(
    text: &'static str,
    then: fn(std::net::TcpStream),
) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, asked) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 4096];
            let length = connection.read(&mut request).unwrap_or(0);
            let _ = tell.send(String::from_utf8_lossy(&request[..length]).into_owned());
            let _ = connection.write_all(text.as_bytes());
            then(connection);
        }
    });
    (port, asked)
}

/// A port that nobody listens on.
fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_request_is_sent_as_it_was_asked_for_and_its_status_counts() {
    let (port, asked) = answers("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(look(http(port, &[200..=399])), Ok("status 204".into()));
    let request = asked.recv().unwrap().to_lowercase();
    assert!(request.starts_with("put /health?full http/1.1\r\n"), "{request}");
    for header in ["x-probe: yes\r\n", "connection: close\r\n", &format!("host: localhost:{port}")]
    {
        assert!(request.contains(header), "{header} in {request}");
    }
    assert_eq!(
        look(http(port, &[200..=200, 500..=599])),
        Err("status 204, want 200 or 500-599".into())
    );
}

#[test]
fn a_bad_answer_is_quoted() {
    let (port, _asked) =
        answers("HTTP/1.1 503 Sorry\r\nContent-Length: 30\r\n\r\n\n the database is gone\n trace");
    let words = "status 503, want 200-399: the database is gone";
    assert_eq!(look(http(port, &[200..=399])), Err(words.into()));
    let (port, _asked) = answers("HTTP/1.1 404 No\r\nContent-Length: 6\r\n\r\n<html>");
    assert_eq!(look(http(port, &[200..=399])), Err("status 404, want 200-399".into()));
}

/// A server that streams, or keeps its connection open, has answered all the same.
#[test]
fn a_bad_answer_without_an_end_is_one() {
    let (port, _asked) = holds("HTTP/1.1 503 Sorry\r\nContent-Length: 999\r\n\r\nno database\n");
    let words = "status 503, want 200-399: no database";
    assert_eq!(look(http(port, &[200..=399])), Err(words.into()));
}

#[test]
fn one_that_is_silent_refuses_or_speaks_nonsense_has_failed() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let begun = Instant::now();
    let words = format!("no answer from localhost:{port} within {DEADLINE:?}");
    assert_eq!(look(http(port, &[200..=399])), Err(words));
    assert!(begun.elapsed() >= DEADLINE);
    // It accepts connections all the same.
    assert!(look(config::job::Probe::Tcp { host: "127.0.0.1".into(), port }).is_ok());

    let port = closed();
    let words = look(http(port, &[200..=399])).unwrap_err();
    assert!(words.starts_with(&format!("no connection to localhost:{port}: ")), "{words}");
    assert!(words.contains("connection refused") && !words.contains("os error"), "{words}");

    let (port, _asked) = answers("SSH-2.0-server\r\n");
    let words = look(http(port, &[200..=399])).unwrap_err();
    assert!(words.starts_with(&format!("localhost:{port}: ")), "{words}");
}

/// Nobody else ends it: it has no timeout.
#[test]
fn a_check_without_a_timeout_takes_no_longer_than_until_the_next_one() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let health = Health::plain(http(port, &[200..=399]), DEADLINE, None, Streams::Inherit);
    let probe = Probe::build(&health).unwrap().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = async { tokio::time::timeout(10 * DEADLINE, probe.find_out()).await };
    let words = format!("no answer from localhost:{port} within {DEADLINE:?}");
    assert_eq!(runtime.block_on(found), Ok(Err(words)));
}

/// With a clock that goes as fast as everybody waits.
#[test]
fn a_check_has_its_whole_timeout_to_connect() {
    let swallower = Swallower::start();
    let port = swallower.port();
    let place = |host: &str| HttpProbe {
        place: HttpPlace::Http { host: host.into(), port },
        path: "/".into(),
        method: "GET".into(),
        headers: Vec::new(),
        expect: vec![200..=399],
    };
    let whole = Duration::from_secs(60);
    for probe in [
        config::job::Probe::Http(Box::new(place("127.0.0.1"))),
        config::job::Probe::Tcp { host: "127.0.0.1".into(), port },
        grpc("127.0.0.1", port),
    ] {
        let health = Health::plain(probe, whole, Some(whole), Streams::Inherit);
        let probe = Probe::build(&health).unwrap().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let words = format!("no answer from 127.0.0.1:{port} within 60s");
        let begun = runtime.block_on(async { tokio::time::Instant::now() });
        assert_eq!(runtime.block_on(as_the_machine_does(&probe)), Err(words));
        assert!(runtime.block_on(async { begun.elapsed() }) >= whole);
    }
    // By several addresses one after the other, of which all are named, and each has its share.
    for probe in [config::job::Probe::Http(Box::new(place("localhost"))), grpc("localhost", port)] {
        let begun = Instant::now();
        let words = look(probe).unwrap_err();
        assert!(begun.elapsed() < DEADLINE && begun.elapsed() >= DEADLINE / 2, "{words}");
        let both = [
            format!("http://127.0.0.1:{port}: no connection in time"),
            format!("http://[::1]:{port}: connection refused"),
        ];
        assert_eq!(words, format!("no connection to localhost:{port}: {}", both.join("; ")));
    }
    let words = look(config::job::Probe::Tcp { host: "localhost".into(), port }).unwrap_err();
    let first = format!("no connection to 127.0.0.1:{port} within {:?}, nor to ", DEADLINE / 2);
    assert!(words.starts_with(&first) && words.contains("[::1]"), "{words}");
}

#[test]
fn a_port_is_open_or_not() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let tcp = |host: &str, port| look(config::job::Probe::Tcp { host: host.into(), port });
    let words = format!("127.0.0.1:{port} accepts connections");
    assert_eq!(tcp("127.0.0.1", port), Ok(words.clone()));
    assert_eq!(tcp("LocalHost", port), Ok(words));
    let port = closed();
    let words = format!("no connection to 127.0.0.1:{port}: connection refused");
    assert_eq!(tcp("127.0.0.1", port), Err(words));
    let words = tcp("nobody.invalid", 1).unwrap_err();
    assert!(words.starts_with("nobody.invalid does not resolve: "), "{words}");
}

#[test]
fn a_file_is_there_and_young_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("alive");
    let name = path.display();
    let file = |younger_than: Option<u64>| {
        let younger_than = younger_than.map(Duration::from_secs);
        look(config::job::Probe::File { path: path.clone(), younger_than })
    };
    assert_eq!(file(None), Err(format!("{name} does not exist")));
    let written = fs::File::create(&path).unwrap();
    assert_eq!(file(None), Ok(format!("{name} exists")));
    assert!(file(Some(30)).is_ok());
    written.set_modified(SystemTime::now() - Duration::from_secs(185)).unwrap();
    assert_eq!(file(Some(30)), Err(format!("{name} is 3m old, want less than 30s")));
    // A clock that was set back is no reason.
    written.set_modified(SystemTime::now() + Duration::from_secs(185)).unwrap();
    assert!(file(Some(30)).is_ok());
}

/// A thread that hangs in the kernel cannot be ended; there must not be one more with each check.
#[test]
fn a_look_that_hangs_is_not_repeated() {
    let file = File::new("/".as_ref(), None);
    *file.looking() = Some(Instant::now() - Duration::from_secs(40));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let words = "/ cannot be looked at: a look has been under way for 40s";
    assert_eq!(runtime.block_on(file.find_out()), Err(words.to_owned()));
}

#[test]
fn times_as_people_say_them() {
    for (millis, words) in
        [(20, "20ms"), (59_000, "59s"), (180_000, "3m"), (7_200_000, "2h"), (200_000_000, "2d")]
    {
        assert_eq!(file::rough(Duration::from_millis(millis)), words);
    }
}
