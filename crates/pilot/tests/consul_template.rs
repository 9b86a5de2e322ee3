//! The program by its other name: `consul-template`, through a link, as images call it.

use std::{os::unix::fs::symlink, time::Duration};

use testkit::{Consul, Ended, Program};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_link_is_all_that_it_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("consul-template");
    symlink(env!("CARGO_BIN_EXE_containerpilot"), &link).expect("a link");
    let consul = Consul::start();
    let registration = serde_json::json!({ "Name": "sales", "Address": "10.0.0.1", "Port": 80 });
    consul.register(registration);
    let line = [
        "-once",
        "-consul",
        &consul.address(),
        "-template",
        "nginx.conf.ctmpl:nginx.conf:cp nginx.conf reloaded",
    ];
    let template = "{{ range service \"sales\" }}server {{ .Address }}:{{ .Port }};{{ end }}\n";
    let versioned = folder.path().join("consul-template-0.41");
    symlink(&link, &versioned).expect("a link");
    // By its path, and by its name in PATH.
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a PATH"));
    let found = Program::new("/usr/bin/env").arg("consul-template");
    for program in [Program::new(&link), Program::new(&versioned), found] {
        let mut running =
            program.env("PATH", &path).args(line).file("nginx.conf.ctmpl", template).spawn();
        let finished = running.wait(PATIENCE);
        assert_eq!(finished.ended, Ended::Code(0), "{}", finished.stderr);
        assert_eq!(running.read("reloaded").as_deref(), Some("server 10.0.0.1:80;\n"));
    }
}
