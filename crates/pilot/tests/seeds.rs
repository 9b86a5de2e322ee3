//! The articles' configurations, unchanged in fields, values and liberties of syntax, in Docker
//! containers with a real Consul. Stand-ins only for node and MongoDB.

#[path = "seeds/stack.rs"]
mod stack;

use std::time::{Duration, Instant};

use stack::{PATIENCE, Stack, mount, words};
use testkit::wait_until;

const CONFIG: &str = "CONTAINERPILOT=file:///etc/containerpilot.json";

/// The to-do application: a database and an API that depends on it, each with a Consul agent of
/// its own as a coprocess.
#[test]
fn the_to_do_application_follows_its_database() {
    let mut stack = Stack::with_consul("todo");
    let db = mount("todo-db.json", "/etc/containerpilot.json");
    let api = mount("todo-api.json", "/etc/containerpilot.json");
    let prestart = mount("prestart.sh", "/app/prestart.sh");
    let consul = "CONSUL_HOST=consul";
    stack.run("db", &["-v", &db, "-e", CONFIG, "-e", consul], &["/bin/containerpilot", "mongod"]);
    stack.run(
        "api",
        &["-v", &api, "-v", &prestart, "-e", CONFIG, "-e", consul],
        &["/bin/containerpilot", "npm", "start"],
    );
    stack.await_health("db", &["passing"]);
    stack.await_health("api", &["passing"]);
    assert!(stack.logs("api").contains("the database is healthy"), "prestart has run");

    // The database stops: it leaves the catalog at once, and the API is no longer healthy.
    let asked = Instant::now();
    stack.docker("stop", "db");
    let took = asked.elapsed();
    assert_eq!(stack.health("db"), [""; 0], "gone when `docker stop` returns");
    assert!(took < Duration::from_secs(9), "stopped by itself, not by the engine: {took:?}");
    assert_ne!(stack.exit_code("db"), "137", "{}", stack.logs("db"));
    stack.await_health("api", &["critical"]);

    // It is back: the API's `onChange` fires within a second, and it connects again.
    let refreshed = || -> Vec<f64> {
        let lines = stack.shell("api", "cat /tmp/www/refreshed 2>/dev/null || true");
        lines.lines().filter_map(|line| line.parse().ok()).collect()
    };
    let before = refreshed().len();
    stack.docker("start", "db");
    let passing = wait_until("the database is passing", PATIENCE, || {
        (stack.health("db") == ["passing"]).then(now)
    });
    wait_until("onChange has run", PATIENCE, || {
        let refreshed = refreshed();
        if refreshed.len() > before {
            Ok(())
        } else {
            Err(format!("{refreshed:?}\n{}", stack.all_logs()))
        }
    });
    let late = refreshed()[before] - passing;
    assert!(late < 1.0, "onChange ran {late} s after the database was seen to pass");
    stack.await_health("api", &["passing"]);
}

/// The second article's whole example file, and an application around it.
#[test]
fn the_full_example_runs() {
    let mut stack = Stack::with_consul("full");
    let config = mount("full.json", "/opt/containerpilot/app.json");
    let scripts = ["onStart-script.sh", "preStop-script.sh", "postStop-script.sh", "reload-app.sh"];
    let scripts: Vec<String> = scripts
        .iter()
        .map(|name| mount("say.sh", &format!("/opt/containerpilot/{name}")))
        .collect();
    let sensor = mount("say.sh", "/bin/sensor.sh");
    let mut options = vec!["-v", &config, "-v", &sensor, "-e", "ENV_VAR_NAME=from-the-environment"];
    for script in &scripts {
        options.extend(["-v", script]);
    }
    let app = "mkdir /www; echo ok >/www/app; exec busybox httpd -f -p 80 -h /www";
    let pilot = "/bin/containerpilot -config file:///opt/containerpilot/app.json";
    stack.run("app", &options, &[&words(pilot)[..], &["sh", "-c", app]].concat());
    stack.await_health("app", &["passing"]);
    let tags = stack.get("consul", 8500, "/v1/catalog/service/app").unwrap_or_default();
    assert!(tags.contains("\"ServiceTags\":[\"tag1\"]"), "{tags}");
    wait_until("its own backend has changed", PATIENCE, || {
        stack.logs("app").contains("reload-app.sh")
    });
    stack.docker("stop", "app");
    assert_eq!(stack.health("app"), [""; 0]);
    let logs = stack.logs("app");
    let at = |what: &str| logs.find(what).unwrap_or_else(|| panic!("no {what} in\n{logs}"));
    assert!(at("onStart-script.sh from-the-environment") < at("preStop-script.sh"));
    assert!(at("preStop-script.sh") < at("postStop-script.sh"));
}

/// The workshop: two services that need each other, and nginx in front of both.
#[test]
fn customers_and_sales_find_each_other_behind_nginx() {
    let mut stack = Stack::with_consul("shop");
    run_shop(&mut stack);
    let nginx = mount("nginx.json", "/etc/containerbuddy/nginx.json");
    let template = mount("nginx.conf.ctmpl", "/etc/containerbuddy/nginx.conf.ctmpl");
    stack.run(
        "nginx",
        &["-v", &nginx, "-v", &template],
        &[
            &words("/bin/containerpilot -config file:///etc/containerbuddy/nginx.json nginx -g")[..],
            &["daemon off;"],
        ]
        .concat(),
    );
    stack.await_health("customers", &["passing"]);
    stack.await_health("sales", &["passing"]);
    stack.await_health("nginx", &["passing"]);
    for path in ["/customers/data", "/sales/data"] {
        wait_until("nginx routes to both", PATIENCE, || stack.get("nginx", 80, path));
    }
    wait_until("a change of sales has reached customers", PATIENCE, || {
        !stack.shell("customers", "cat /tmp/www/refreshed 2>/dev/null || true").is_empty()
    });

    // No sales any more: nginx forgets the location, and nothing else.
    stack.docker("stop", "sales");
    wait_until("nginx has forgotten sales", PATIENCE, || {
        stack.get("nginx", 80, "/sales/data").is_none()
    });
    assert!(stack.get("nginx", 80, "/customers/data").is_some());
}

/// The same two behind our own stack's proxy, in the image that its Dockerfile makes.
#[test]
fn customers_and_sales_are_found_by_the_stacks_proxy() {
    let mut stack = Stack::with_consul("stack");
    stack.run_image(stack::proxy(), "nginx", &["-e", "SERVICES=customers,sales"], &[]);
    stack.await_health("nginx", &["passing"]);
    assert!(stack.get("nginx", 80, "/customers/data").is_none(), "there are no customers yet");
    run_shop(&mut stack);
    for path in ["/customers/data", "/sales/data"] {
        wait_until("nginx routes to both", PATIENCE, || stack.get("nginx", 80, path));
    }
    stack.docker("stop", "sales");
    wait_until("nginx has forgotten sales", PATIENCE, || {
        stack.get("nginx", 80, "/sales/data").is_none()
    });
    assert!(stack.get("nginx", 80, "/customers/data").is_some());
    let asked = Instant::now();
    stack.docker("stop", "nginx");
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(9), "stopped by itself, not by the engine: {took:?}");
    assert_eq!(stack.exit_code("nginx"), "0", "{}", stack.logs("nginx"));
}

/// The workshop's services. Each is healthy only with the other: the first start must not need an
/// order.
fn run_shop(stack: &mut Stack) {
    let file = "file:///etc/containerbuddy/app.json";
    let customers = mount("customers.json", "/etc/containerbuddy/app.json");
    let sales = mount("sales.json", "/etc/containerbuddy/app.json");
    let variable = format!("CONTAINERPILOT={file}");
    let node = ["/bin/containerpilot", "node", "/opt/customers/customers.js"];
    let upstream =
        |name: &str, port: u16| [format!("UPSTREAM={name}"), format!("UPSTREAM_PORT={port}")];
    let alone = "UPSTREAM=none";
    stack.run(
        "customers",
        &["-v", &customers, "-e", &variable, "-e", "PORT=4000", "-e", alone],
        &node,
    );
    let [name, port] = upstream("customers", 4000);
    stack.run(
        "sales",
        &["-v", &sales, "-e", &variable, "-e", "PORT=3000", "-e", &name, "-e", &port],
        &node,
    );
}

/// Seconds since the machine was started: a clock that containers share with us.
fn now() -> f64 {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    uptime.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}
