//! Unix sockets, TLS, names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use catalog::{Catalog, Error, Status};
use consul::{Address, BuildError, Consul as Client, Options, Tls, Token};
use serde_json::json;
use tempfile::TempDir;
use testkit::{Consul, free_port};

use crate::support::{Runtime, client, registration};

/// Registers, and takes out again.
fn register(address: Address) -> Result<(), Error> {
    register_at(vec![address])
}

fn register_at(addresses: Vec<Address>) -> Result<(), Error> {
    let catalog: Arc<dyn Catalog> = Arc::new(Client::build(Options::new(addresses)).unwrap());
    Runtime::start().wait(async move {
        let app = registration("app");
        catalog.register(&app, Status::Passing, "").await?;
        assert!(catalog.lookup(&app).await?.is_some_and(|found| found.matches(&app)));
        catalog.heartbeat(&app, Status::Warning, "so so").await?;
        catalog.deregister(&app).await?;
        assert_eq!(catalog.lookup(&app).await?, None);
        assert_eq!(catalog.heartbeat(&app, Status::Passing, "").await, Err(Error::Unknown));
        // Taking out what is not there is no error.
        catalog.deregister(&app).await
    })
}

#[test]
fn over_a_unix_socket() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("consul.sock");
    let _consul = Consul::start_with(json!({
        "addresses": {"http": format!("127.0.0.1 unix://{}", socket.display())}
    }));
    // An address of any kind can be one of several.
    let gone = Address::Unix(folder.path().join("gone"));
    let stub = Address::Http { host: "127.0.0.1".into(), port: free_port() };
    assert_eq!(register_at(vec![gone, stub, Address::Unix(socket.clone())]), Ok(()));
    assert_eq!(register(Address::Unix(socket)), Ok(()));
    let missing = register(Address::Unix(folder.path().join("missing")));
    assert_eq!(missing, Err(Error::Unreachable("No such file or directory (os error 2)".into())));
}

#[test]
fn by_name() {
    let consul = Consul::start();
    let port = consul.address().rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(register(Address::Http { host: "localhost".into(), port }), Ok(()));
    let lost = register(Address::Http { host: "no-such-host.invalid".into(), port }).unwrap_err();
    assert!(matches!(&lost, Error::Unreachable(why) if why.contains("does not resolve")), "{lost}");
}

/// A CA, a server's certificate for `consul.test`, a client's, and another CA.
struct Certificates(TempDir);

impl Certificates {
    fn make() -> Self {
        let folder = TempDir::new().unwrap();
        let script = r#"
            set -e
            key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
            for ca in ca other; do
              openssl req -x509 $key -keyout $ca.key -out $ca.pem -subj /CN=$ca
            done
            for who in server client; do
              openssl req -new $key -keyout $who.key -out $who.csr -subj /CN=$who
              printf 'subjectAltName=DNS:consul.test' > $who.ext
              openssl x509 -req -days 2 -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                -extfile $who.ext -out $who.pem
            done
            mkdir cas && cp other.pem ca.pem cas/"#;
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
    let port = free_port();
    let consul = Consul::start_with(json!({
        "ports": {"https": port},
        "ca_file": path("ca.pem"), "cert_file": path("server.pem"), "key_file": path("server.key"),
        "verify_incoming_https": true,
    }));
    let full = Tls {
        ca_file: Some(path("ca.pem")),
        client_cert: Some(path("client.pem")),
        client_key: Some(path("client.key")),
        server_name: Some("consul.test".into()),
        ..Tls::default()
    };
    let over =
        |tls: &Tls| register(Address::Https { host: "127.0.0.1".into(), port, tls: tls.clone() });
    let refused = |tls: &Tls| over(tls).unwrap_err().to_string();
    assert_eq!(over(&full), Ok(()));
    // The first one is not trusted, which is as good as not being there.
    let https = |tls| Address::Https { host: "127.0.0.1".into(), port, tls };
    let other = https(Tls { ca_file: Some(path("other.pem")), ..full.clone() });
    assert_eq!(register_at(vec![other, https(full.clone())]), Ok(()));

    let folder = Tls { ca_file: None, ca_path: Some(path("cas")), ..full.clone() };
    assert_eq!(over(&folder), Ok(()), "a folder of authorities");
    let blind = Tls { insecure: true, ca_file: None, server_name: None, ..full.clone() };
    assert_eq!(over(&blind), Ok(()), "without verifying");

    let stranger = Tls { ca_file: Some(path("other.pem")), ..full.clone() };
    assert!(refused(&stranger).contains("UnknownIssuer"), "{}", refused(&stranger));
    let system = Tls { ca_file: None, ..full.clone() };
    assert!(refused(&system).contains("UnknownIssuer"), "{}", refused(&system));
    let wrong_name = Tls { server_name: None, ..full.clone() };
    assert!(refused(&wrong_name).contains("not valid for name"), "{}", refused(&wrong_name));
    let nameless = Tls { client_cert: None, client_key: None, ..full.clone() };
    assert!(
        refused(&nameless).contains("CertificateRequired")
            || refused(&nameless).contains("BadCertificate"),
        "{}",
        refused(&nameless)
    );
    assert_eq!(consul.services(), json!({}));
}

fn build(tls: Tls) -> BuildError {
    let address = Address::Https { host: "consul.test".into(), port: 1, tls };
    match Client::build(Options::new(vec![address])) {
        Err(error) => error,
        Ok(_) => panic!("it was built"),
    }
}

#[test]
fn what_is_wrong_with_certificates_is_found_when_building() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        Some(path)
    };
    let text = |path: &Path| path.display().to_string();
    let missing = folder.path().join("missing");

    let error = build(Tls { ca_file: Some(missing.clone()), ..Tls::default() });
    let wanted =
        format!("CA certificates {}: No such file or directory (os error 2)", text(&missing));
    assert_eq!(error.to_string(), wanted);
    let error = build(Tls { ca_path: Some(missing.clone()), ..Tls::default() });
    assert_eq!(error.to_string(), wanted);

    let plain = write("plain", "hello\n");
    let error = build(Tls { ca_file: plain.clone(), ..Tls::default() });
    assert!(error.to_string().ends_with("plain: holds none in PEM form"), "{error}");
    let broken = "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n";
    let broken = write("broken", broken);
    let error = build(Tls { ca_file: broken, ..Tls::default() });
    assert!(error.to_string().contains("broken: is not PEM"), "{error}");
    let odd = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let odd = write("odd", odd);
    let error = build(Tls { ca_file: odd, ..Tls::default() });
    assert!(error.to_string().contains("odd: "), "{error}");

    let error = build(Tls { insecure: true, client_cert: plain.clone(), ..Tls::default() });
    assert!(error.to_string().ends_with("without its key"), "{error}");
    let error = build(Tls { insecure: true, client_key: plain, ..Tls::default() });
    assert!(error.to_string().ends_with("without its certificate"), "{error}");
    let name = Some("not a name".to_owned());
    let error = build(Tls { insecure: true, server_name: name, ..Tls::default() });
    assert!(error.to_string().contains("\"not a name\" is no host name"), "{error}");
}

#[test]
fn a_token_is_never_shown() {
    let mut options = Options::new(vec![Address::Http { host: "::1".into(), port: 1 }]);
    options.token = Some(Token::Value("5ec2e7".into()));
    assert!(!format!("{options:?}").contains("5ec2e7"));
    assert_eq!(options.addresses[0].to_string(), "http://[::1]:1");
    options.token = Some(Token::Value("5ec2e7\n".into()));
    let error = Client::build(options).err().unwrap();
    assert_eq!(error.to_string(), "the token holds characters that no token has");
    assert_eq!(client("127.0.0.1:1").reachability().name(), "consul at http://127.0.0.1:1");
}
