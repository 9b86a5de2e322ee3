//! Who we are: tokens in files, namespaces.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Error, Status};
use consul::{Consul as Client, Options, Token};
use serde_json::json;
use tempfile::TempDir;
use testkit::{Consul, wait_until};

use crate::fake::{Deed, Fake, ok};
use crate::support::{LONG, Runtime, at, client_with, lines, listen, registration};

const MASTER: &str = "c0ffee00-0000-4000-8000-000000000001";
const SECOND: &str = "c0ffee00-0000-4000-8000-000000000002";

fn with_file(address: &str, file: &Path) -> Arc<dyn Catalog> {
    client_with(address, |options| options.token = Some(Token::File(file.to_owned())))
}

fn register(runtime: &Runtime, catalog: &Arc<dyn Catalog>) -> Result<(), Error> {
    let catalog = Arc::clone(catalog);
    runtime.wait(async move { catalog.register(&registration("app"), Status::Passing, "").await })
}

/// Replaces a file as those who write secrets do.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, file).unwrap();
}

#[test]
fn a_token_in_a_file_is_read_again_when_it_changes_and_the_last_good_one_stands() {
    listen();
    let consul = Consul::start_with(json!({
        "primary_datacenter": "dc1",
        "acl": {"enabled": true, "default_policy": "deny",
            "tokens": {"master": MASTER, "default": MASTER}}
    }));
    // Another one that may do everything.
    let token = json!({"SecretID": SECOND, "Policies": [{"Name": "global-management"}]});
    let made = consul.request("PUT", "/v1/acl/token", token.to_string());
    assert_eq!(made.status, 200, "{}", made.body);
    let accessor = made.json()["AccessorID"].as_str().unwrap().to_owned();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{SECOND}\n")).unwrap();
    let runtime = Runtime::start();
    let catalog = with_file(&consul.address(), &file);
    assert_eq!(register(&runtime, &catalog), Ok(()));

    // It is revoked, and its successor is in the file: the refusal is not even seen.
    let revoked = consul.request("DELETE", &format!("/v1/acl/token/{accessor}"), "");
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    wait_until("it is refused", LONG, || {
        matches!(register(&runtime, &catalog), Err(Error::Refused(_)))
    });
    replace(&file, MASTER);
    assert_eq!(register(&runtime, &catalog), Ok(()));

    // A file that is gone or empty is worth one line, and its return another.
    let name = file.display().to_string();
    fs::remove_file(&file).unwrap();
    let told = wait_until("its loss is told", LONG, || {
        assert_eq!(register(&runtime, &catalog), Ok(()));
        lines(log::Level::Warn, &name).pop()
    });
    assert!(told.contains("No such file") && told.ends_with("before stands"), "{told}");
    replace(&file, "\n");
    let begun = std::time::Instant::now();
    wait_until("it was looked at again", LONG, || {
        assert_eq!(register(&runtime, &catalog), Ok(()));
        begun.elapsed() > Duration::from_millis(2200)
    });
    assert_eq!(lines(log::Level::Warn, &name).len(), 1);
    replace(&file, MASTER);
    wait_until("its return is told", LONG, || {
        assert_eq!(register(&runtime, &catalog), Ok(()));
        lines(log::Level::Info, "is read again").iter().any(|line| line.contains(&name))
    });
    for secret in [MASTER, SECOND] {
        assert_eq!(lines(log::Level::Trace, secret), Vec::<String>::new());
    }
}

/// Without any refusal, within a second or so.
#[test]
fn a_new_token_in_place_is_noticed_by_itself() {
    let fake = Fake::start(Deed::By(|request| {
        let new = request.contains("x-consul-token: new\r\n");
        ok(if new { "" } else { "old" })
    }));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "old").unwrap();
    fake.set(Deed::By(|request| {
        // Answers tell which token has come.
        let new = request.contains("x-consul-token: new\r\n");
        let old = request.contains("x-consul-token: old\r\n");
        crate::fake::status(
            if new {
                200
            } else if old {
                429
            } else {
                400
            },
            "",
        )
    }));
    let catalog = with_file(&fake.address, &file);
    assert!(matches!(register(&fake.runtime, &catalog), Err(Error::Failed(_))));
    fs::write(&file, "new\n").unwrap();
    wait_until("the new one is used", LONG, || register(&fake.runtime, &catalog));
}

#[test]
fn what_is_wrong_with_a_token_is_found_when_building_and_its_text_is_not_shown() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    let build = |path: &Path| {
        let mut options = Options::new(vec![at("127.0.0.1:1")]);
        options.token = Some(Token::File(path.to_owned()));
        assert!(!format!("{options:?}").contains("token\")"));
        Client::build(options).err().map(|error| error.to_string())
    };
    let says = |reason: &str| Some(format!("ACL token {}: {reason}", file.display()));
    assert_eq!(build(&file), says("No such file or directory (os error 2)"));
    for (text, reason) in [
        (&b" \n"[..], "is empty"),
        (b"5ec2e7\n5ec2e7", "holds characters that no token has"),
        (b"5ec2e7\xff", "holds characters that no token has"),
        (&[b'5'; 4097], "is too long for a token"),
    ] {
        fs::write(&file, text).unwrap();
        assert_eq!(build(&file), says(reason));
    }
    fs::write(&file, "5ec2e7\r\n").unwrap();
    assert_eq!(build(&file), None);
    assert_eq!(
        build(folder.path()),
        Some(format!("ACL token {}: is no file", folder.path().display()))
    );
}

#[test]
fn namespace_and_partition_go_with_every_request_and_an_open_consul_says_what_is_wrong() {
    let fake = Fake::start(Deed::By(|request| {
        let both = request.contains("x-consul-namespace: team\r\n")
            && request.contains("x-consul-partition: part\r\n");
        crate::fake::status(if both { 200 } else { 400 }, "")
    }));
    let catalog = client_with(&fake.address, |options| {
        options.namespace = Some("team".to_owned());
        options.partition = Some("part".to_owned());
    });
    assert_eq!(register(&fake.runtime, &catalog), Ok(()));

    let consul = Consul::start();
    let catalog =
        client_with(&consul.address(), |options| options.namespace = Some("team".to_owned()));
    let Err(Error::Refused(why)) = register(&fake.runtime, &catalog) else { panic!("accepted") };
    assert!(why.contains("Enterprise feature") && why.contains("leave them out"), "{why}");

    let mut options = Options::new(vec![at("127.0.0.1:1")]);
    options.namespace = Some("a\nb".to_owned());
    let error = Client::build(options).err().unwrap().to_string();
    assert_eq!(error, "\"a\\nb\" is no name of a namespace or partition");
}
