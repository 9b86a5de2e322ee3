//! Ways to Consul: TLS with certificates of both sides, and a unix socket.

use std::{net::TcpStream, path::Path};

use serde_json::json;
use testkit::{Consul, Program, free_port, wait_until};

use crate::support::{PATIENCE, program, put, run, settings};

/// A CA, a certificate for `consul.test`, and a client's, alone and with its key.
const CERTIFICATES: &str = r#"
set -e
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
openssl req -x509 $key -keyout ca.key -out ca.pem -subj /CN=ca
for who in server client; do
  openssl req -new $key -keyout $who.key -out $who.csr -subj /CN=$who
  printf 'subjectAltName=DNS:consul.test' >$who.ext
  openssl x509 -req -days 2 -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
    -extfile $who.ext -out $who.pem
done
cat client.pem client.key >both.pem
mkdir cas && cp ca.pem cas/"#;

#[test]
fn over_tls_by_flags_files_and_variables() {
    let made = Program::new("sh").args(["-c", CERTIFICATES]);
    let finished = made.spawn().wait(PATIENCE);
    let path = |name: &str| made.path(name).display().to_string();
    assert!(made.path("cas/ca.pem").exists(), "{}", finished.stderr);
    let port = free_port();
    let consul = Consul::start_with(json!({
        "ports": { "https": port },
        "ca_file": path("ca.pem"), "cert_file": path("server.pem"), "key_file": path("server.key"),
        "verify_incoming_https": true,
    }));
    put(&consul, "a", "1");
    let address = format!("127.0.0.1:{port}");
    let (ca, cas, cert, key, both) =
        (path("ca.pem"), path("cas"), path("client.pem"), path("client.key"), path("both.pem"));
    let asked = |args: &[&str]| {
        program(&["-once", "-template", "in"]).args(args).file("in", "{{ key \"a\" }}\n")
    };
    let full = ["-consul-ssl-cert", &cert, "-consul-ssl-key", &key];
    let named = ["-consul-addr", &address, "-consul-ssl", "-consul-ssl-server-name", "consul.test"];
    let stanza = settings(json!({ "consul": { "address": address, "ssl": { "enabled": true,
        "ca_cert": ca, "cert": both, "server_name": "consul.test" } } }));
    for program in [
        asked(&named).args(full).args(["-consul-ssl-ca-cert", &ca]),
        asked(&named).args(full).args(["-ssl-ca-path", &cas]),
        asked(&["-consul", &address, "-ssl", "-ssl-verify=false"]).args(full),
        asked(&["-consul", &format!("https://{address}"), "-ssl-verify=false"]).args(full),
        asked(&["-config", "c"]).file("c", stanza),
        asked(&[])
            .env("CONSUL_HTTP_ADDR", &address)
            .env("CONSUL_HTTP_SSL", "true")
            .env("CONSUL_CACERT", &ca)
            .env("CONSUL_CLIENT_CERT", &cert)
            .env("CONSUL_CLIENT_KEY", &key)
            .env("CONSUL_TLS_SERVER_NAME", "consul.test"),
    ] {
        let (code, finished) = run(&program);
        assert_eq!((code, finished.stdout.as_str()), (0, "1\n"), "{}", finished.stderr);
    }
    // Who is not trusted is not asked.
    let mut running = asked(&named).args(full).spawn();
    running.wait_for_line("does not answer");
    // Certificates that are not there are a matter of the settings.
    let (code, finished) = run(&asked(&named).args(["-consul-ssl-ca-cert", "missing.pem"]));
    assert_eq!(code, 15, "{}", finished.stderr);
    assert!(finished.stderr.contains("missing.pem"), "{}", finished.stderr);
}

/// nginx in front of Consul, which asks for a name and a password.
const PROXY: &str = r#"
daemon off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen 127.0.0.1:PORT;
        location / {
            auth_basic consul;
            auth_basic_user_file htpasswd;
            proxy_pass http://CONSUL;
        }
    }
}"#;

#[test]
fn through_a_proxy_that_asks_for_a_password() {
    let consul = Consul::start();
    put(&consul, "a", "1");
    let port = free_port();
    let configuration =
        PROXY.replace("PORT", &port.to_string()).replace("CONSUL", &consul.address());
    let proxy = Program::new("nginx")
        .file("nginx.conf", configuration)
        .file("htpasswd", "me:{PLAIN}secret\n");
    open_to_all(proxy.dir());
    let prefix = proxy.dir().display().to_string();
    let _running = proxy.args(["-p", &prefix, "-c", "nginx.conf"]).spawn();
    let address = format!("127.0.0.1:{port}");
    wait_until("nginx listens", PATIENCE, || TcpStream::connect(&address).is_ok());
    let asked = |args: &[&str]| {
        program(&["-once", "-template", "in", "-consul", &address])
            .args(args)
            .file("in", "{{ key \"a\" }}\n")
    };
    let auth = |enabled: bool| {
        settings(json!({ "consul": { "auth": { "enabled": enabled, "username": "me",
            "password": "secret" } } }))
    };
    for program in [
        asked(&["-consul-auth", "me:secret"]),
        asked(&["-auth", "me:secret"]),
        asked(&[]).env("CONSUL_HTTP_AUTH", "me:secret"),
        asked(&["-config", "c"]).file("c", auth(true)),
    ] {
        let (code, finished) = run(&program);
        assert_eq!((code, finished.stdout.as_str()), (0, "1\n"), "{}", finished.stderr);
    }
    for program in [
        asked(&[]),
        asked(&["-consul-auth", "me:wrong-one"]),
        asked(&["-config", "c"]).file("c", auth(false)),
    ] {
        let mut running = program.spawn();
        let line = running.wait_for_line("[WARN] in waits: ");
        assert!(line.contains("401"), "{line}");
        assert!(!running.stderr_so_far().contains("wrong-one"), "{}", running.stderr_so_far());
    }
}

/// So that a worker of nginx, which may be another user, can read there.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn over_a_unix_socket_and_from_any_server() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("consul.sock");
    let socket = socket.display();
    let consul = Consul::start_with(json!({
        "addresses": { "http": format!("127.0.0.1 unix://{socket}") }
    }));
    put(&consul, "a", "1");
    let program = program(&["-once", "-template", "in", "-max-stale", "10m"])
        .args(["-consul-addr", &format!("unix://{socket}")])
        .file("in", "{{ key \"a\" }}\n");
    let (code, finished) = run(&program);
    assert_eq!((code, finished.stdout.as_str()), (0, "1\n"), "{}", finished.stderr);
}
