//! The whole way with a real nginx: it starts after the first rendering, is reloaded for each later
//! one, and a text that it would not take never reaches it.

use testkit::{free_port, http};

use super::*;
use crate::support::{last_process, talk::await_job};

/// `DIR` and `PORT` are put in; `extra` is a key.
const CONFIGURATION: &str = r#"
daemon off; pid DIR/nginx.pid; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
  {{ keyOrDefault "extra" "" }}
  server {
    listen 127.0.0.1:PORT;
    location / { return 200 "{{ range service "web" }}{{ .Port }},{{ end }}{{ key "greeting" }}"; }
  }
}
"#;

fn served(port: u16) -> Option<String> {
    let answer = http("GET", &format!("127.0.0.1:{port}"), "/", "").ok()?;
    (answer.status == 200).then_some(answer.body)
}

#[track_caller]
fn await_served(run: &Running, port: u16, wanted: &str) {
    wait_until(&format!("nginx serves {wanted}"), PATIENCE, || {
        let text = served(port);
        if text.as_deref() == Some(wanted) {
            Ok(())
        } else {
            Err(format!("{text:?} {}", output(run)))
        }
    });
}

#[test]
fn nginx_starts_with_the_first_rendering_and_is_reloaded_for_each_later_one() {
    let consul = Consul::start();
    let port = free_port();
    let fields = json!({ "check": ["nginx", "-t", "-c"] });
    let nginx = json!({ "name": "nginx", "exec": ["./run-nginx"], "stopSignal": "SIGQUIT",
        "when": { "source": "template.places", "once": "changed" },
        "health": { "http": format!("http://127.0.0.1:{port}/"), "interval": 1 } });
    let reload = json!({ "name": "reload", "exec": ["./reload-nginx"], "when": { "all": [
        { "source": "nginx", "once": "healthy" },
        { "source": "template.places", "each": "changed" } ] } });
    let program = program(&consul.address(), "", &fields, &[nginx, reload]);
    let dir = program.dir().to_str().unwrap().to_owned();
    let text = CONFIGURATION.replace("DIR", &dir).replace("PORT", &port.to_string());
    let run = start(
        &program
            .file("places.ctmpl", text)
            .script("run-nginx", "echo $$ >>nginx.pids; exec nginx -c $PWD/places.txt")
            .script(
                "reload-nginx",
                "nginx -c $PWD/places.txt -s reload && echo reloaded >>reloads",
            ),
    );
    register(&consul, [1]);
    await_template(&run, "waiting");
    assert_eq!(served(port), None, "there is no configuration yet");
    consul.request("PUT", "/v1/kv/greeting", "hello");
    await_served(&run, port, "1,hello");
    let master = last_process(&run, "nginx.pids");
    await_job(&run, "nginx", "/health/status", "healthy");

    register(&consul, [2]);
    await_served(&run, port, "1,2,hello");

    consul.request("PUT", "/v1/kv/extra", "no_such_directive on;");
    let failure = await_template(&run, "failed")["failure"].as_str().unwrap().to_owned();
    assert!(failure.contains("unknown directive \"no_such_directive\""), "{failure}");
    consul.deregister("web-1");
    let text = run.read("places.txt").unwrap();
    assert!(text.contains("1,2,hello") && !text.contains("no_such_directive"), "{text}");
    await_served(&run, port, "1,2,hello");
    consul.request("PUT", "/v1/kv/extra", "");
    await_served(&run, port, "2,hello");
    assert_eq!(await_template(&run, "current")["failure"], Value::Null);
    assert!(master.lives(), "{}", output(&run));
    assert_eq!(lines(&run, "nginx.pids").len(), 1);
}
