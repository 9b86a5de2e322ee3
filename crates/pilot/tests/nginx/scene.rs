//! The stack of `stacks/nginx` on this machine: its files are used as they are, in mount
//! namespaces in which the paths of a container exist, and with a hostname for each instance.

use std::{
    collections::BTreeMap,
    net::TcpStream,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use testkit::{
    Client, Connections, Consul, Load, Program, Response, Running, Signal, free_port, http,
    wait_until,
};

use crate::{
    link::Link,
    support::{PATIENCE, identity},
};

/// The services behind the proxy.
pub(crate) const SERVICES: [&str; 2] = ["customers", "sales"];

/// Enters a container of sorts: `HOSTNAME FOLDERS PROGRAM...`. Each of the folders, in the working
/// folder, takes the place of one of the machine's.
const ENTER: &str = r#"
set -e
hostname "$1"
for folder in $2; do mount --bind "${folder##*/}" "$folder"; done
shift 2
exec "$@""#;

/// How the proxy's file is kept up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By `templates` of the configuration, as the stack does it.
    Templates,
    /// By `consul-template` in `onStart` and `onChange`, as 2.x users do it.
    ConsulTemplate,
}

/// What a test changes in the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) way: Way,
    /// What nginx sends to the next instance, if it is not what the stack says.
    pub(crate) retry: Option<&'static str>,
    /// How long instances serve when they have left the catalog, if it is not what the stack says.
    pub(crate) drain: Option<&'static str>,
}

impl Settings {
    /// The stack as it is.
    pub(crate) fn of(way: Way) -> Settings {
        Settings { way, retry: None, drain: None }
    }
}

/// A registry, the proxy, and instances of the services.
pub(crate) struct Scene {
    settings: Settings,
    consul: Consul,
    router: Running,
    _link: Link,
    port: u16,
    instances: BTreeMap<String, Instance>,
}

/// An instance of a service, with a pilot of its own.
struct Instance {
    program: Program,
    running: Option<Running>,
    port: u16,
}

impl Scene {
    /// The proxy with one instance of each service, all at work.
    pub(crate) fn start(settings: Settings) -> Scene {
        let owner = std::fs::metadata("/proc/self").expect("proc").uid();
        assert_eq!(owner, 0, "this test mounts folders for programs of its own: run it as root");
        let consul = Consul::start();
        let port = free_port();
        let link = Link::new();
        let router = router(settings, &link, &consul, port).spawn();
        let instances = BTreeMap::new();
        let mut scene = Scene { settings, consul, router, _link: link, port, instances };
        for service in SERVICES {
            scene.add(service, 1);
        }
        scene.await_instances();
        // Workers that know less answer for a moment beside those that take their place.
        let mut in_a_row = 0;
        wait_until("the services answer through the proxy", PATIENCE, || {
            let well = |service| {
                let answer = http("GET", &scene.address(), &format!("/{service}/"), "");
                answer.is_ok_and(|answer| answer.status == 200)
            };
            in_a_row = if SERVICES.into_iter().all(well) { in_a_row + 1 } else { 0 };
            if in_a_row >= 20 { Ok(()) } else { Err(scene.log()) }
        });
        scene
    }

    /// Where the proxy is.
    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts an instance, `SERVICE-NUMBER`.
    pub(crate) fn add(&mut self, service: &str, number: usize) {
        let name = format!("{service}-{number}");
        let port = free_port();
        let mut program = contained(&name, &["/run"])
            .arg(env!("CARGO_BIN_EXE_containerpilot"))
            .arg("-config")
            .arg(stack().join("service/containerpilot.json5"))
            .env("CONSUL", self.consul.address())
            .env("SERVICE", service)
            .env("SERVE", stack().join("service/serve.py"))
            .env("PORT", port.to_string())
            .env("INTERFACE", "static:127.0.0.1");
        if let Some(drain) = self.settings.drain {
            program = program.env("DRAIN", drain);
        }
        let running = Some(program.spawn());
        self.instances.insert(name, Instance { program, running, port });
    }

    /// Asks instances to stop, all at once, and waits until they have.
    pub(crate) fn stop(&mut self, names: &[String]) {
        for name in names {
            self.running(name).signal(Signal::SIGTERM);
        }
        for name in names {
            self.running(name).wait(PATIENCE);
            self.instance(name).running = None;
        }
    }

    /// Starts instances again that have been stopped or killed.
    pub(crate) fn start_again(&mut self, name: &str) {
        let instance = self.instance(name);
        instance.running = Some(instance.program.spawn());
    }

    /// Kills an instance's process with SIGKILL; its pilot starts it again.
    pub(crate) fn kill_process(&mut self, name: &str) {
        let port = self.instance(name).port;
        let pid = listener(self.running(name).pid(), port);
        let process = identity(pid).unwrap_or_else(|| panic!("{name} is dead"));
        kill("-9", &pid.to_string());
        // What listens on the port from now on is another.
        wait_until(&format!("{name} is dead"), PATIENCE, || !process.lives());
    }

    /// Waits until an instance accepts connections.
    pub(crate) fn await_open(&self, name: &str) {
        let port = self.instances.get(name).map_or(0, |instance| instance.port);
        wait_until(&format!("{name} is open"), PATIENCE, || {
            TcpStream::connect(("127.0.0.1", port)).map(drop)
        });
    }

    /// Kills an instance with its pilot, as a container is killed: nobody tells the registry.
    pub(crate) fn kill(&mut self, name: &str) {
        // Dropping it kills all of its processes.
        self.instance(name).running = None;
    }

    /// The instances that run.
    pub(crate) fn names(&self) -> Vec<String> {
        let running = self.instances.iter().filter(|(_, instance)| instance.running.is_some());
        running.map(|(name, _)| name.clone()).collect()
    }

    /// Waits until the proxy knows just those instances that run.
    #[track_caller]
    pub(crate) fn await_instances(&self) {
        let wanted: Vec<u16> =
            self.instances.values().filter(|i| i.running.is_some()).map(|i| i.port).collect();
        wait_until("the proxy knows the instances", PATIENCE, || {
            let config = self.router.read("nginx/nginx.conf").unwrap_or_default();
            let mut known: Vec<u16> = config
                .lines()
                .filter_map(|line| line.trim().strip_prefix("server 127.0.0.1:"))
                .filter_map(|rest| rest.split(' ').next()?.parse().ok())
                .collect();
            known.sort_unstable();
            let mut wanted = wanted.clone();
            wanted.sort_unstable();
            if known == wanted { Ok(()) } else { Err(format!("{config}\n{}", self.log())) }
        });
    }

    /// Waits until each of the instances that run has answered from now on.
    #[track_caller]
    pub(crate) fn await_answers(&self, load: &Load) {
        load.forget_who_answered();
        let names = self.names();
        wait_until("every instance answers", PATIENCE, || {
            let tally = load.tally();
            let missing: Vec<_> = names.iter().filter(|n| !tally.by.contains_key(*n)).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} of {tally:?}")) }
        });
    }

    /// Clients that ask all the time: on connections that they keep, and on new ones; quick and
    /// slow answers, and long ones; and, `with_posts`, requests that must not be sent twice.
    pub(crate) fn load(&self, posts: Posts) -> Load {
        let pause = Duration::from_millis(10);
        let client = |method, path: &str, connections| Client {
            method,
            path: format!("/{path}&n="),
            body: if method == "POST" { "to be sent once".to_owned() } else { String::new() },
            connections,
            pause,
        };
        let mut clients = vec![
            client("GET", "customers/data?slow=0", Connections::Kept),
            client("GET", "sales/data?slow=30", Connections::Kept),
            client("GET", "customers/data?slow=30&size=2000", Connections::New),
            client("GET", "sales/data?slow=0&size=20000", Connections::New),
            client("GET", "customers/data?slow=800", Connections::New),
        ];
        if posts == Posts::Yes {
            clients.push(client("POST", "customers/data?slow=0", Connections::New));
            clients.push(client("POST", "sales/data?slow=30", Connections::New));
        }
        Load::start(&self.address(), clients, look)
    }

    /// As many new connections as a few clients can make, and some that are kept.
    pub(crate) fn rush(&self) -> Load {
        let client = |connections| Client {
            method: "GET",
            path: "/customers/data?slow=0&n=".to_owned(),
            body: String::new(),
            connections,
            pause: Duration::ZERO,
        };
        let clients = [vec![client(Connections::New); 12], vec![client(Connections::Kept); 4]];
        Load::start(&self.address(), clients.concat(), look)
    }

    /// Has nginx read its file again.
    pub(crate) fn reload(&self) {
        let pid = self.router.read("run/nginx.pid").unwrap_or_default();
        kill("-HUP", pid.trim());
    }

    /// What the proxy's pilot and nginx have written, without the requests.
    pub(crate) fn log(&self) -> String {
        let both = [self.router.stdout_so_far(), self.router.stderr_so_far()].concat();
        let lines = both.lines().filter(|line| !line.contains("\" 200 "));
        lines.map(|line| format!("{line}\n")).collect()
    }

    fn instance(&mut self, name: &str) -> &mut Instance {
        self.instances.get_mut(name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn running(&mut self, name: &str) -> &mut Running {
        self.instance(name).running.as_mut().unwrap_or_else(|| panic!("{name} does not run"))
    }
}

/// Whether there are requests that must not be sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Posts {
    Yes,
    No,
}

/// Who has answered, if the answer is whole and to that very request.
fn look(number: u64, response: &Response) -> Result<String, String> {
    let end = &response.body[response.body.len().saturating_sub(80)..];
    if response.status != 200 {
        return Err(format!("status {}: {end:?}", response.status));
    }
    let mut words = response.body.split(' ');
    let (name, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if !target.ends_with(&format!("&n={number}")) || !response.body.ends_with("\nend\n") {
        return Err(format!("the answer to another request: {end:?}"));
    }
    Ok(name.to_owned())
}

fn router(settings: Settings, link: &Link, consul: &Consul, port: u16) -> Program {
    let folders = ["/run", "/etc/nginx"];
    let template = std::fs::read_to_string(stack().join("nginx.conf.ctmpl")).expect("a template");
    // For consul-template, and for nginx, which Debian has where not everybody looks.
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}:/usr/sbin", link.folder().display());
    let program = contained("router", &folders)
        .env("PATH", path)
        .arg(env!("CARGO_BIN_EXE_containerpilot"))
        .file("nginx/nginx.conf.ctmpl", template)
        .env("CONSUL", consul.address())
        .env("SERVICES", SERVICES.join(","))
        .env("INTERFACE", "static:127.0.0.1")
        .env("WORKERS", "2")
        .env("PORT", port.to_string());
    let program = match settings.retry {
        Some(retry) => program.env("RETRY", retry),
        None => program,
    };
    match settings.way {
        Way::Templates => program.arg("-config").arg(stack().join("containerpilot.json5")),
        Way::ConsulTemplate => program
            .arg("-config")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nginx/on-change.json5"))
            .args(["nginx", "-g", "daemon off;"]),
    }
}

fn contained(hostname: &str, folders: &[&str]) -> Program {
    let program = Program::new("unshare").args(["--uts", "--mount", "sh", "-c", ENTER, "sh"]);
    let program = program.arg(hostname).arg(folders.join(" "));
    folders.iter().fold(program, |program, folder| {
        program.file(&format!("{}/.here", folder.rsplit('/').next().unwrap_or_default()), "")
    })
}

#[track_caller]
fn kill(signal: &str, pid: &str) {
    #[allow(clippy::disallowed_methods, reason = "a test kills")]
    let killed = std::process::Command::new("kill").args([signal, pid]).status();
    assert!(killed.is_ok_and(|status| status.success()), "no process {pid:?}");
}

/// The service on a port, among the children of its pilot.
fn listener(root: u32, port: u16) -> u32 {
    wait_until(&format!("{root} has a service on port {port}"), PATIENCE, || {
        let children =
            std::fs::read_to_string(format!("/proc/{root}/task/{root}/children")).ok()?;
        let mut children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        children.find(|pid| serves(*pid, port))
    })
}

/// Whether a process is the service on that port.
fn serves(pid: u32, port: u16) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    words.contains("serve.py") && words.contains(&format!("\0{port}\0"))
}

fn stack() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacks/nginx")
}
