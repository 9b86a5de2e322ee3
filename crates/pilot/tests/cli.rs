//! The command line: what is printed, where, and with which exit code.

use std::time::Duration;

use testkit::{Ended, Finished, Program};

const PATIENCE: Duration = Duration::from_secs(20);

fn pilot() -> Program {
    Program::new(env!("CARGO_BIN_EXE_containerpilot"))
}

fn run(program: Program) -> Finished {
    program.spawn().wait(PATIENCE)
}

fn fails(program: Program, code: i32, said: &[&str]) {
    let finished = run(program);
    assert_eq!(finished.ended, Ended::Code(code), "{}", finished.stderr);
    for said in said {
        assert!(finished.stderr.contains(said), "no {said:?} in: {}", finished.stderr);
    }
    assert!(finished.stderr.starts_with("containerpilot: "), "{}", finished.stderr);
    assert_eq!(finished.stdout, "", "errors go to stderr");
}

#[test]
fn version_and_help_are_printed() {
    let version = run(pilot().arg("-version"));
    assert_eq!(version.ended, Ended::Code(0));
    let mut lines = version.stdout.lines();
    let number = format!("Version: {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(lines.next(), Some(number.as_str()));
    assert!(lines.next().is_some_and(|line| line.starts_with("GitHash: ")), "{}", version.stdout);
    let help = run(pilot().arg("--help"));
    assert_eq!(help.ended, Ended::Code(0));
    for flag in ["-config", "-template", "-out", "-version", "-help", "SIGHUP", "exit code"] {
        assert!(help.stdout.contains(flag), "help does not speak of {flag}");
    }
}

#[test]
fn the_example_of_the_help_is_valid() {
    let help = run(pilot().arg("-help")).stdout;
    let begin = help.find("\n  {").expect("an example");
    let config = help[begin..].replace("name: 'app'", "name: 'app', interfaces: 'static:10.0.0.1'");
    // Its only job waits for nothing that is not there: `python3` is replaced to end at once.
    let config = config.replace("python3 -m http.server 8080", "true");
    let finished = run(pilot().arg("-config").arg(config.trim()));
    assert_eq!(finished.ended, Ended::Code(0), "{}", finished.stderr);
}

#[test]
fn a_template_is_rendered_to_where_it_is_wanted() {
    let text = "{ consul: '{{ .HOST | default \"localhost\" }}:8500', level: '{{ .LEVEL }}' }";
    let rendered = "{ consul: 'catalog:8500', level: '' }";
    let program = || {
        pilot().file("app.json", text).env("HOST", "catalog").args([
            "-config",
            "app.json",
            "-template",
        ])
    };
    assert_eq!(run(program()).stdout, rendered);
    assert_eq!(run(program().args(["-out", "-"])).stdout, rendered);
    for out in ["file://out.json", "out.json"] {
        let mut running = program().arg(format!("-out={out}")).spawn();
        let finished = running.wait(PATIENCE);
        assert_eq!(finished.ended, Ended::Code(0), "{}", finished.stderr);
        assert_eq!(finished.stdout, "");
        assert_eq!(running.read("out.json").as_deref(), Some(rendered));
    }
    fails(program().args(["-out", "/nowhere/at/all"]), 1, &["/nowhere/at/all", "No such file"]);
}

#[test]
fn the_configuration_is_found_in_each_form() {
    let text = "{ jobs: [{ name: 'main', exec: 'echo it ran', logging: { raw: true } }],
        control: { socket: 'control.socket' } }";
    for value in ["file://app.json", "app.json", text, &format!("\n  {text}")] {
        let flag = run(pilot().file("app.json", text).args(["-config", value]));
        assert_eq!(flag.stdout, "it ran\n", "{value}: {}", flag.stderr);
        let variable = run(pilot().file("app.json", text).env("CONTAINERPILOT", value));
        assert_eq!(variable.stdout, "it ran\n", "{value}: {}", variable.stderr);
    }
    let both = run(pilot().env("CONTAINERPILOT", "nowhere").args(["-config", text]));
    assert_eq!(both.stdout, "it ran\n", "the flag wins: {}", both.stderr);
}

#[test]
fn a_command_line_that_cannot_be_used_is_refused() {
    fails(pilot().arg("-cnofig"), 2, &["-cnofig", "want one of -config"]);
    fails(pilot().arg("-config"), 2, &["-config: want a value"]);
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused() {
    fails(pilot(), 1, &["no configuration", "-config", "CONTAINERPILOT"]);
    fails(pilot().args(["-config", "missing.json"]), 1, &["missing.json", "No such file"]);
    fails(pilot().args(["-config", "http://x"]), 1, &["http://x", "file://"]);
    let unreadable = pilot().file("folder/file", "").args(["-config", "folder"]);
    fails(unreadable, 1, &["folder", "directory"]);
    fails(pilot().args(["-config", "{ jobs: [ }"]), 1, &["-config:1:11"]);
    fails(
        pilot().args(["-config", "{ jobs: [], consul: '{{ .X' }"]),
        1,
        &["-config:1:1: template", "bad character"],
    );
    let socket = "{ consul: 'https://localhost:8501', watches: [{ name: 'x', interval: 1 }] }";
    let tls = pilot().args(["-config", socket]).env("CONSUL_CACERT", "/no/such/ca.pem");
    fails(tls, 1, &["/no/such/ca.pem"]);
    let etcd = "{ etcd: { endpoints: 'https://localhost:2379', tls: { cafile: '/no/ca.pem' } } }";
    fails(pilot().args(["-config", etcd, "true"]), 1, &["/no/ca.pem"]);
    let log = "{ logging: { output: '/no/such/folder/log' }, jobs: [{ exec: 'true' }] }";
    fails(pilot().args(["-config", log]), 1, &["logging.output", "No such file"]);
}

/// The application's program, missing or not to be executed: codes and words as of a shell.
#[test]
fn an_application_that_cannot_be_started_gives_a_shells_exit_code() {
    let config = "{ consul: 'localhost:8500', logging: { output: 'stderr' } }";
    let with = |application: &str| {
        run(pilot().file("data", "no program").args(["-config", config, application]))
    };
    let missing = with("no-such-program");
    assert_eq!(missing.ended, Ended::Code(127), "{}", missing.stderr);
    assert!(
        missing.stderr.contains("\"no-such-program\": no such program in PATH"),
        "{}",
        missing.stderr
    );
    let path = with("./missing");
    assert_eq!(path.ended, Ended::Code(127), "{}", path.stderr);
    for application in ["./data", "/"] {
        let refused = with(application);
        assert_eq!(refused.ended, Ended::Code(126), "{application}: {}", refused.stderr);
        assert!(refused.stderr.contains(application), "{}", refused.stderr);
    }
}

/// Words of the application's command line are templates too.
#[test]
fn the_application_is_rendered_and_inherits_our_streams() {
    let config = "{ consul: 'localhost:8500', logging: { level: 'ERROR' } }";
    let program = pilot().env("WHO", "world").stdin("from stdin\n").args([
        "-config",
        config,
        "sh",
        "-c",
        "cat; printf '{{ .WHO }}\\000\\377'; echo err >&2",
    ]);
    let finished = run(program);
    assert_eq!(finished.ended, Ended::Code(0), "{}", finished.stderr);
    assert!(finished.stdout.starts_with("from stdin\nworld\0"), "{:?}", finished.stdout);
    assert_eq!(finished.stderr, "err\n");
}

/// What is legal and probably not meant; nothing is started.
#[test]
fn a_configuration_is_checked_without_being_run() {
    let text = "{
      consul: 'localhost:8500',
      stopTimeout: 12,
      jobs: [{
        name: 'app',
        exec: ['sh', '-c', 'touch ran; echo {{ .DB_PASSWORD }}'],
        port: 80,
        interfaces: 'static:10.0.0.1',
        health: { exec: 'true', interval: 10, ttl: 15 },
      }],
      watches: [{ name: 'db', interval: 1 }],
      elections: [{ name: 'primary' }],
    }";
    let program = pilot().file("app.json", text).env("DB_PASSWORD", "hunter2222");
    let mut running = program.args(["-config", "app.json", "-check"]).spawn();
    let finished = running.wait(PATIENCE);
    assert_eq!(finished.ended, Ended::Code(0), "{}", finished.stderr);
    let lines: Vec<&str> = finished.stdout.lines().collect();
    let said = [
        "app: a check every 10s with a TTL of 15s",
        "app: the value of DB_PASSWORD stands in its arguments",
        "watch.db: no job waits for it",
        "election.primary: no job waits for it",
        "stopTimeout: 12s: container engines",
        "valid: 3.x, 1 job, 1 watch, 1 election",
    ];
    assert_eq!(lines.len(), said.len(), "{}", finished.stdout);
    for (line, said) in lines.iter().zip(said) {
        assert!(line.starts_with("app.json: ") && line.contains(said), "{line}");
    }
    assert!(!finished.stdout.contains("hunter2222"), "{}", finished.stdout);
    assert_eq!(running.read("ran"), None, "it was started");

    let clean = "{ jobs: [{ name: 'main', exec: 'true' }] }";
    let finished = run(pilot().args(["-check", "-config", clean]));
    assert_eq!(finished.stdout, "-config: valid: 3.x, 1 job, 0 watches\n");
    let better = "{ jobs: [{ name: 'main', exec: 'true', health: { exec: 'curl -f http://localhost/', \
                  interval: 1 } }] }";
    let finished = run(pilot().args(["-check", "-config", better]));
    assert_eq!(finished.ended, Ended::Code(0), "{}", finished.stderr);
    assert!(finished.stdout.starts_with("-config: hint: main: its check runs curl; "));
    // It may be meant for another machine. A path is the child's: from its working directory.
    let text = "{ jobs: [
      { name: 'main', exec: 'nodejsx', health: { exec: 'curlx -f', interval: 1 } },
      { name: 'gone', exec: './sh', workdir: '/etc' },
      { name: 'here', exec: './sh', workdir: '/bin' },
    ] }";
    let finished = run(pilot().args(["-check", "-config", text]));
    assert_eq!(finished.ended, Ended::Code(0), "{}", finished.stderr);
    let absent = "-config: warning: programs that are not here, or not yet: nodejsx, curlx, ./sh\n";
    assert!(finished.stdout.starts_with(absent), "{}", finished.stdout);
    let wrong = pilot().args(["-check", "-config", "{ jobs: [{ nmae: 'main', port: -1 }] }"]);
    fails(wrong, 1, &["nmae", "did you mean \"name\"", "port"]);
}

/// What bash offers for the last of these words.
fn completed(words: &[&str]) -> Vec<String> {
    let script = run(pilot().args(["-completion", "bash"])).stdout;
    let ask = "COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _containerpilot; \
               printf '%s\\n' \"${COMPREPLY[@]}\"";
    let bash = Program::new("bash")
        .file("here.json5", "")
        .args(["-c", &format!("{script}\n{ask}"), "bash", "containerpilot"])
        .args(words);
    let finished = run(bash);
    assert_eq!((finished.ended, finished.stderr.as_str()), (Ended::Code(0), ""));
    finished.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_flags_and_their_values() {
    assert_eq!(completed(&["-ma"]), ["-maintenance", "-manual"]);
    assert_eq!(completed(&["-status", "-maintenance", ""]), ["enable", "disable"]);
    assert_eq!(completed(&["-config", "h"]), ["here.json5"]);
}

#[test]
fn the_man_page_and_the_schema_are_printed() {
    let page = run(pilot().arg("-manual")).stdout;
    assert!(page.starts_with(".TH CONTAINERPILOT 1"), "{page}");
    assert!(page.contains("\n.B \\-maintenance enable|disable\n"), "{page}");
    for generation in ["2.x", "3.x"] {
        let schema = run(pilot().args(["-schema", generation])).stdout;
        let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    }
}

#[test]
fn a_2_x_file_is_migrated_to_one_that_is_valid() {
    let file = "{ consul: 'localhost:8500', preStart: 'setup', services: [{ name: 'app', port: 80, \
                poll: 1, ttl: 5, health: 'true', interfaces: 'static:10.0.0.1' }] }";
    let migrate = pilot().file("old.json5", file).args(["-config", "old.json5", "-migrate"]);
    let mut running = migrate.args(["-out", "new.json5", "app", "-x"]).spawn();
    let finished = running.wait(PATIENCE);
    assert_eq!(finished.ended, Ended::Code(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("old.json5: warning: "), "{}", finished.stderr);
    let new = running.read("new.json5").expect("a file");
    let check = run(pilot().file("new.json5", &new).args(["-config", "new.json5", "-check"]));
    assert_eq!(check.ended, Ended::Code(0), "{new}\n{}", check.stderr);
    assert!(check.stdout.contains("valid: 3.x, 3 jobs"), "{}", check.stdout);
    let again = pilot().file("new.json5", &new).args(["-config", "new.json5", "-migrate"]);
    fails(again, 1, &["a 3.x file already"]);
}
