//! The control socket's file: who may use it, and who may have it.

use std::{
    io::Write,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream,
    },
};

use serde_json::{Value, json};
use testkit::{Program, Running};

use crate::support::{
    APP, NO_CATALOG, PATIENCE, SECOND, await_lines, exit_code, jobs, last_process, pilot,
    run_to_end, stop,
};
use crate::{refused, tell};

fn at(socket: &str) -> Value {
    let mut config = jobs(json!([{ "name": "app", "exec": "./app" }]));
    config["control"]["socket"] = json!(socket);
    config
}

fn start(program: &Program) -> Running {
    let run = program.spawn();
    await_lines(&run, "app.pids", 1);
    run
}

#[test]
fn its_folder_is_made_only_we_may_connect_and_it_goes_with_us() {
    let mut run = start(&pilot(at("run/deep/control.socket")).script("app", APP));
    let path = run.path("run/deep/control.socket");
    let found = std::fs::metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert_eq!(tell(&run, &["-ping"]), "ok\n");
    assert_eq!(exit_code(&stop(&mut run).0), 0);
    assert!(!path.exists());
}

#[test]
fn one_that_nobody_listens_on_is_replaced() {
    let program = pilot(at("control.socket")).script("app", APP);
    let mut first = program.spawn();
    let app = last_process(&first, "app.pids");
    first.kill();
    let path = first.path("control.socket");
    assert!(path.exists(), "SIGKILL leaves it behind");
    let error = refused(&first, &["-ping"]);
    assert!(error.contains("control.socket: nobody listens"), "{error}");
    // Its orphan is not its successor's.
    assert!(app.lives());
    let second = program.spawn();
    await_lines(&second, "app.pids", 2);
    assert_eq!(tell(&second, &["-ping"]), "ok\n");
}

#[test]
fn one_of_another_program_stays_its_own() {
    let run = start(&pilot(at("control.socket")).script("app", APP));
    let path = run.path("control.socket");
    let (code, other) = run_to_end(&pilot(at(path.to_str().unwrap())).script("app", APP));
    assert_eq!(code, 1, "{other:?}");
    assert!(other.stderr.contains("another process listens on this socket"), "{other:?}");
    assert!(other.stderr.contains(path.to_str().unwrap()), "{other:?}");
    assert_eq!(tell(&run, &["-ping"]), "ok\n");
}

#[test]
fn a_file_that_is_no_socket_is_kept() {
    let program = pilot(at("data")).script("app", "echo run >>runs").file("data", "precious");
    let (code, finished) = run_to_end(&program);
    assert_eq!(code, 1, "{finished:?}");
    assert!(finished.stderr.contains("data: exists and is no socket"), "{finished:?}");
    assert_eq!(std::fs::read_to_string(program.path("data")).unwrap(), "precious");
    assert!(!program.path("runs").exists(), "nothing has run");
}

#[test]
fn without_a_program_the_path_is_named() {
    let program = pilot(at("control.socket"));
    for words in [
        &["-ping"][..],
        &["-reload"],
        &["-maintenance", "enable"],
        &["-putenv", "A=1"],
        &["-putmetric", "a=1"],
        &["-status"],
        &["-events"],
    ] {
        let finished = Program::new("env")
            .arg("-C")
            .arg(program.dir())
            .args([env!("CARGO_BIN_EXE_containerpilot"), "-config", "app.json"])
            .args(words)
            .spawn()
            .wait(PATIENCE);
        assert_eq!(exit_code(&finished), 1, "{finished:?}");
        assert!(finished.stderr.contains("control.socket: no such socket"), "{finished:?}");
        assert_eq!(finished.stdout, "");
    }
}

/// Neither a file's own, nor one that no file has named.
#[test]
fn a_version_2_file_without_one_has_none() {
    let config = json!({ "consul": NO_CATALOG, "tasks": [] });
    let run = start(&pilot(config).arg("./app").script("app", APP));
    let error = refused(&run, &["-ping"]);
    assert!(error.contains("1.x/2.x file must name one"), "{error}");
    let sockets = std::fs::read_dir(run.dir()).unwrap().flatten();
    let sockets = sockets.filter(|entry| entry.file_type().unwrap().is_socket());
    assert_eq!(sockets.count(), 0);
}

/// One that has asked for nothing, one that has not ended its request, one that does not read.
#[test]
fn clients_hold_up_no_stop() {
    let mut run = start(&pilot(at("control.socket")).script("app", APP));
    let clients = ["", "GET /v3/pi", "GET /v3/events HTTP/1.1\r\nHost: x\r\n\r\n"].map(|text| {
        let mut client = UnixStream::connect(run.path("control.socket")).unwrap();
        client.write_all(text.as_bytes()).unwrap();
        client
    });
    assert_eq!(tell(&run, &["-ping"]), "ok\n");
    let (finished, took) = stop(&mut run);
    assert_eq!(exit_code(&finished), 0);
    assert!(took < 3 * SECOND, "{took:?}");
    drop(clients);
}

#[test]
fn the_socket_itself_can_be_named() {
    let run = start(&pilot(at("control.socket")).script("app", APP));
    let path = run.path("control.socket");
    let finished = Program::new(env!("CARGO_BIN_EXE_containerpilot"))
        .arg("-socket")
        .arg(&path)
        .arg("-ping")
        .spawn()
        .wait(PATIENCE);
    assert_eq!((exit_code(&finished), finished.stdout.as_str()), (0, "ok\n"), "{finished:?}");
}
