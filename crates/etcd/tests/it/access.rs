//! Users, tokens and certificates.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, Error, Keys, SessionTerms, Status};
use etcd::{Address, Etcd as Client, Options, Tls};
use tempfile::TempDir;
use testkit::{Etcd, EtcdTls};

use crate::support::{Runtime, Scene, address, build, keys, options, registration};

/// Does everything once.
async fn everything(catalog: Arc<dyn Catalog>) -> Result<(), Error> {
    let app = registration("app");
    catalog.register(&app, Status::Passing, "").await?;
    catalog.heartbeat(&app, Status::Warning, "so so").await?;
    assert!(catalog.lookup(&app).await?.is_some_and(|found| found.matches(&app)));
    let query = keys(Keys::Under("/containerpilot/".to_owned()));
    let entries = catalog.entries(&query, None, Duration::ZERO).await?;
    assert_eq!(entries.entries.len(), 1);
    let short = Duration::from_millis(50);
    assert_eq!(catalog.entries(&query, Some(entries.index), short).await?.entries.len(), 1);
    let terms = SessionTerms { name: String::new(), ttl: app.ttl, lock_delay: Duration::ZERO };
    let session = catalog.open_session(&terms).await?;
    let lock = "/containerpilot/lock";
    assert!(catalog.acquire(lock, &session, &terms, b"").await?.is_some());
    catalog.renew_session(&session).await?;
    catalog.close_session(&session).await?;
    assert_eq!(catalog.holder(lock, None, Duration::ZERO).await?.holder, None);
    catalog.deregister(&app).await
}

fn with_user(etcd: &Etcd, password: &str) -> Arc<dyn Catalog> {
    let mut options = options(etcd);
    options.username = Some("bob".to_owned());
    options.password = Some(password.to_owned());
    build(options)
}

#[test]
fn a_user_may_do_everything_in_its_folder_and_nothing_beyond() {
    let etcd = Etcd::start();
    let bob = with_user(&etcd, "secret");
    let runtime = Runtime::start();
    // Nobody asks for users yet.
    assert_eq!(runtime.wait(everything(Arc::clone(&bob))), Ok(()));
    etcd.enable_auth("bob", "secret", "/containerpilot/");
    assert_eq!(runtime.wait(everything(Arc::clone(&bob))), Ok(()), "now they do");
    assert_eq!(runtime.wait(everything(with_user(&etcd, "secret"))), Ok(()));

    let refused = |catalog: Arc<dyn Catalog>| {
        let query = keys(Keys::One("/else".to_owned()));
        runtime.wait(async move { catalog.entries(&query, None, Duration::ZERO).await })
    };
    let is = |answer: Result<_, Error>, what: &str| {
        let answer: Result<catalog::Entries, _> = answer;
        assert!(
            matches!(&answer, Err(Error::Refused(why)) if why.contains(what)),
            "{answer:?} is not {what}"
        );
    };
    is(refused(Arc::clone(&bob)), "permission denied");
    is(refused(with_user(&etcd, "wrong")), "authentication failed, invalid user ID or password");
    is(refused(build(options(&etcd))), "user name is empty");
    let waiting = runtime.wait(async move {
        let query = keys(Keys::One("/else".to_owned()));
        bob.entries(&query, Some(catalog::Index(1)), Duration::from_secs(60)).await
    });
    is(waiting, "permission denied");
}

#[test]
fn a_lock_needs_no_more_than_the_right_to_its_own_keys() {
    let etcd = Etcd::start();
    etcd.enable_auth("bob", "secret", "/locks/mine");
    let catalog = with_user(&etcd, "secret");
    let done = Runtime::start().wait(async move {
        let ttl = Duration::from_secs(60);
        let terms = SessionTerms { name: String::new(), ttl, lock_delay: ttl };
        let session = catalog.open_session(&terms).await?;
        let token = catalog.acquire("/locks/mine", &session, &terms, b"").await?;
        catalog.renew_session(&session).await?;
        let holder = catalog.holder("/locks/mine", None, Duration::ZERO).await?.holder;
        assert_eq!(holder.map(|holder| holder.token), token);
        catalog.close_session(&session).await
    });
    assert_eq!(done, Ok(()));
    assert_eq!(etcd.ctl(&["--user=root:root", "get", "", "--prefix"]), "");
}

#[test]
fn a_token_that_is_refused_is_replaced() {
    // Tokens live for a second without use.
    let etcd = Etcd::start_with(&["--auth-token-ttl=1"]);
    etcd.enable_auth("bob", "secret", "/containerpilot/");
    let catalog = with_user(&etcd, "secret");
    let scene = Scene { catalog, runtime: Runtime::start(), etcd };
    let first = scene.now("app");
    // The watch is opened with a token that has expired when its time is over.
    let second = scene.look("app", Some(first.index), Duration::from_secs(3)).get();
    assert_eq!(second.unwrap().instances, []);

    let forget_tokens = || {
        for command in
            [&["delete", "bob"][..], &["add", "bob:secret"], &["grant-role", "bob", "folder"]]
        {
            scene.etcd.ctl(&[&["--user=root:root", "user"], command].concat());
        }
    };
    forget_tokens();
    assert_eq!(scene.now("app").instances, []);
    forget_tokens();
    let lost = scene.look("app", Some(first.index), Duration::from_secs(60)).get();
    assert!(matches!(&lost, Err(Error::Interrupted(_))), "{lost:?}: what tells to read at once");
    let short = Duration::from_millis(50);
    assert_eq!(scene.look("app", Some(first.index), short).get().unwrap().instances, []);
}

/// A CA, a server's certificate for `etcd.test`, and a client's.
struct Certificates(TempDir);

impl Certificates {
    fn make() -> Self {
        let folder = TempDir::new().unwrap();
        let script = r#"
            set -e
            key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
            openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=ca
            for who in server client; do
              openssl req -new $key -keyout $who.key -out $who.csr -subj /CN=$who
              printf 'subjectAltName=DNS:etcd.test,IP:127.0.0.1' > $who.ext
              openssl x509 -req -days 2 -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                -extfile $who.ext -out $who.pem
            done"#;
        #[allow(clippy::disallowed_methods, reason = "the tool that makes certificates")]
        let made =
            Command::new("sh").args(["-c", script]).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Certificates(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn over_tls_with_certificates_of_both_sides() {
    let certificates = Certificates::make();
    let path = |name: &str| certificates.path(name);
    let (ca, cert, key) = (path("ca.pem"), path("server.pem"), path("server.key"));
    let etcd = Etcd::start_tls(&EtcdTls { ca: ca.clone(), cert, key });
    let full = Tls {
        ca_file: Some(ca),
        client_cert: Some(path("client.pem")),
        client_key: Some(path("client.key")),
        server_name: Some("etcd.test".to_owned()),
        ..Tls::default()
    };
    let runtime = Runtime::start();
    let over = |tls: &Tls| {
        let (host, port) = ("127.0.0.1".to_owned(), etcd.tls_port());
        let member = Address::Https { host, port, tls: tls.clone() };
        runtime.wait(everything(build(Options::new(vec![member]))))
    };
    assert_eq!(over(&full), Ok(()));
    let nameless = over(&Tls { client_cert: None, client_key: None, ..full.clone() });
    let nameless = nameless.unwrap_err().to_string();
    assert!(
        nameless.contains("CertificateRequired") || nameless.contains("BadCertificate"),
        "{nameless}"
    );
    let wrong = over(&Tls { server_name: Some("other.test".to_owned()), ..full });
    let wrong = wrong.unwrap_err().to_string();
    assert!(wrong.contains("not valid for name"), "{wrong}");
}

#[test]
fn options_are_checked_and_the_password_is_not_shown() {
    let mut options = Options::new(vec![address("127.0.0.1:1"), address("127.0.0.1:2")]);
    let fault = |options: &Options| Client::build(options.clone()).err().unwrap().to_string();
    options.username = Some("bob".to_owned());
    assert_eq!(fault(&options), "a user name without its password");
    options.password = Some("5ec2e7".to_owned());
    assert!(!format!("{options:?}").contains("5ec2e7"));
    let client = Client::build(options.clone()).unwrap();
    let name = client.reachability().name().to_owned();
    assert_eq!(name, "etcd at http://127.0.0.1:1, http://127.0.0.1:2");
    options.username = None;
    assert_eq!(fault(&options), "a password without its user name");
    assert!(Client::build(Options::new(vec![])).is_err());
}
