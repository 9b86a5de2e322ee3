//! A Docker network with containers of one image, gone with the value.

#![allow(clippy::expect_used, reason = "a test says what it needs")]

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use testkit::{Consul, http, wait_until};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A private network of containers, removed with the value.
pub(crate) struct Stack {
    name: String,
    containers: Vec<String>,
}

impl Stack {
    /// A network with a Consul server in it, which the others reach as `consul`.
    pub(crate) fn with_consul(name: &str) -> Stack {
        let name = format!("containerpilot-{name}-{}", std::process::id());
        docker(&["network", "create", &name]);
        let mut stack = Stack { name, containers: Vec::new() };
        let server = "agent -server -client=0.0.0.0 -bootstrap -ui -data-dir=/data";
        stack.run("consul", &[], &[&["/usr/local/bin/consul"], &words(server)[..]].concat());
        wait_until("Consul has a leader", PATIENCE, || {
            stack.consul("/v1/status/leader").is_some_and(|leader| leader.contains(':'))
        });
        stack
    }

    /// Starts a container, which the others reach by its name.
    pub(crate) fn run(&mut self, name: &str, options: &[&str], command: &[&str]) {
        self.run_image(image(), name, options, command);
    }

    /// The same, of another image than the articles'.
    pub(crate) fn run_image(
        &mut self,
        image: &str,
        name: &str,
        options: &[&str],
        command: &[&str],
    ) {
        let container = self.container(name);
        let mut arguments = vec![
            "run",
            "-d",
            "--name",
            &container,
            "--hostname",
            name,
            "--network",
            &self.name,
            "--network-alias",
            name,
        ];
        arguments.extend(options);
        arguments.push(image);
        arguments.extend(command);
        docker(&arguments);
        self.containers.push(container);
    }

    fn container(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// `docker VERB CONTAINER`.
    pub(crate) fn docker(&self, verb: &str, name: &str) -> String {
        docker(&[verb, &self.container(name)])
    }

    /// What a shell in the container prints.
    pub(crate) fn shell(&self, name: &str, script: &str) -> String {
        docker(&["exec", &self.container(name), "sh", "-c", script])
    }

    /// Everything that the container has written.
    pub(crate) fn logs(&self, name: &str) -> String {
        let output = run(&["logs", &self.container(name)]);
        format!("{}{}", output.0, output.1)
    }

    /// The container's exit code.
    pub(crate) fn exit_code(&self, name: &str) -> String {
        let container = self.container(name);
        docker(&["inspect", "-f", "{{.State.ExitCode}}", &container]).trim().to_owned()
    }

    /// The address of a container that runs.
    pub(crate) fn address(&self, name: &str) -> String {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        docker(&["inspect", "-f", format, &self.container(name)]).trim().to_owned()
    }

    /// The body of a GET that was answered with 200.
    pub(crate) fn get(&self, name: &str, port: u16, path: &str) -> Option<String> {
        let response = http("GET", &format!("{}:{port}", self.address(name)), path, "").ok()?;
        (response.status == 200).then_some(response.body)
    }

    fn consul(&self, path: &str) -> Option<String> {
        self.get("consul", 8500, path)
    }

    /// The status of each check of a service's instances, all in one word if they agree.
    pub(crate) fn health(&self, service: &str) -> Vec<String> {
        let body = self.consul(&format!("/v1/health/checks/{service}")).unwrap_or_default();
        let checks: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        let status = |check: &serde_json::Value| check["Status"].as_str().unwrap_or("?").to_owned();
        checks.as_array().map(|checks| checks.iter().map(status).collect()).unwrap_or_default()
    }

    /// Waits until the service's instances have these statuses.
    #[track_caller]
    pub(crate) fn await_health(&self, service: &str, wanted: &[&str]) {
        let what = format!("{service} is {wanted:?}");
        let deadline = PATIENCE;
        wait_until(&what, deadline, || {
            let health = self.health(service);
            let same = health == wanted;
            if same { Ok(()) } else { Err(format!("{health:?}\n{}", self.all_logs())) }
        });
    }

    pub(crate) fn all_logs(&self) -> String {
        let logs = self.containers.iter().map(|name| {
            let (out, err) = run(&["logs", "--tail", "15", name]);
            format!("--- {name}\n{out}{err}")
        });
        logs.collect()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        for container in &self.containers {
            run(&["rm", "-f", "-v", container]);
        }
        run(&["network", "rm", &self.name]);
    }
}

/// A file of these tests, as a read-only mount at a path of the container.
pub(crate) fn mount(file: &str, path: &str) -> String {
    format!("{}:{path}:ro", folder().join(file).display())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds")
}

pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// The image that a Dockerfile of a stack makes, on top of ours instead of the public one.
#[track_caller]
fn build(base: &str, stack: &str, dockerfile: &str) -> String {
    let context = tempfile::tempdir().expect("a folder");
    let stack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(stack);
    let copy = |from: &Path, to: &str| {
        #[allow(clippy::disallowed_methods, reason = "a test runs programs")]
        let status = Command::new("cp").arg("-R").arg(from).arg(context.path().join(to)).status();
        assert!(status.is_ok_and(|status| status.success()), "{} is copied", from.display());
    };
    copy(&stack.join("."), ".");
    copy(&pilot(), "containerpilot");
    let name = format!("containerpilot-test-{}", dockerfile.replace('/', "-").to_lowercase());
    let base = format!("BASE={base}");
    let context = context.path().display().to_string();
    let file = format!("{context}/{dockerfile}");
    let build = ["build", "-q", "-t", &name, "-f", &file, "--build-arg", &base, &context];
    // The builder that engines have without plugins now and then does not find what it has just
    // copied (moby/moby, 37965). It goes on from there if it is asked again.
    for _ in 0..5 {
        let (_, err) = run(&build);
        if !err.contains("layer does not exist") {
            break;
        }
    }
    docker(&build);
    name
}

/// The static program.
fn pilot() -> PathBuf {
    let named = std::env::var_os("CONTAINERPILOT_STATIC").expect(
        "CONTAINERPILOT_STATIC names the static program that goes into the image: \
         `make test` builds it and sets the variable",
    );
    PathBuf::from(named)
}

/// The images of these tests.
struct Images {
    base: String,
    proxy: String,
}

/// Built once a run.
fn images() -> &'static Images {
    static IMAGES: OnceLock<Images> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let pilot = pilot();
        let base = "containerpilot-test-seeds".to_owned();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/build-seed-image");
        let consul = Consul::binary();
        #[allow(clippy::disallowed_methods, reason = "a test runs programs")]
        let status = Command::new(script).arg(&base).arg(pilot).arg(consul).status();
        assert!(status.is_ok_and(|status| status.success()), "the image could not be built");
        let proxy = build(&base, "stacks/nginx", "Dockerfile");
        // Nobody can run it here, without Python in an image; but it can be made.
        build(&base, "stacks/nginx", "service/Dockerfile");
        Images { base, proxy }
    })
}

/// The articles' applications, and all that they need.
fn image() -> &'static str {
    &images().base
}

/// The proxy of `stacks/nginx`, as its Dockerfile makes it.
pub(crate) fn proxy() -> &'static str {
    &images().proxy
}

fn docker(arguments: &[&str]) -> String {
    let (out, err) = run(arguments);
    assert!(
        !["Error", "Cannot connect", "failed to"].iter().any(|word| err.contains(word)),
        "docker {arguments:?}: {err}"
    );
    out
}

#[allow(clippy::disallowed_methods, reason = "a test runs programs")]
fn run(arguments: &[&str]) -> (String, String) {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .expect("docker can be run: scripts/install-test-needs installs it and starts an engine");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}
