//! Settings in files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use testkit::Program;

use crate::support::{program, run, without_times};

/// All that a file can say, in the forms of the original's documentation.
const EVERYTHING: &str = r#"
# Comments of
// all three
/* kinds. */
consul {
  address = "127.0.0.1:1"
  namespace = ""
  token = "abcd1234"
  retry {
    enabled = true
    attempts = 12
    backoff = "250ms"
    max_backoff = "1m"
  }
  auth {
    enabled = false
    username = "test"
    password = "test"
  }
  ssl { enabled = false verify = false, ca_cert = "/path/to/ca" }
}
reload_signal = "SIGHUP"
kill_signal = "SIGINT"
max_stale = "10m"
log_level = "warn"
pid_file = "pid"
wait { min = "5s" max = "10s" }
syslog { enabled = true facility = "LOCAL5" }
deduplicate {
  enabled = true
  prefix = "consul-template/dedup/"
}
once = true
template {
  source = "in"
  destination = "folder/out"
  create_dest_dirs = true
  command = "echo \"${NAME:-nobody}\" >>ran"
  command_timeout = "60s"
  error_on_missing_key = true
  perms = 0600
  user = 0
  group = "0"
  backup = true
  left_delimiter  = "<<"
  right_delimiter = ">>"
  function_blacklist = ["key"]
  sandbox_path = ""
  wait = "2s:10s"
}
"template" {
  contents = <<-EOH
    server_name ${host};
    {{ "two" }}
  EOH
  destination = "two"
}
exec {
  command = "echo $A >>ran"
  splay = "0s"
  env {
    pristine = false
    custom = ["A=from exec"]
    whitelist = ["PATH", "CONSUL_*"]
    blacklist = ["VAULT_*"]
  }
  reload_signal = ""
  kill_signal = "SIGINT"
  kill_timeout = "2s"
}
"#;

#[test]
fn everything_at_once() {
    let program = program(&["-config", "c.hcl"])
        .file("c.hcl", EVERYTHING)
        .file("in", "<< 1 >>\n")
        .file("folder/out", "0\n");
    let (code, finished) = run(&program);
    assert_eq!(code, 0, "{}", finished.stderr);
    insta::assert_snapshot!(without_times(&finished.stderr));
    let read = |name: &str| std::fs::read_to_string(program.path(name)).unwrap();
    assert_eq!(read("folder/out"), "1\n");
    assert_eq!(read("folder/out.bak"), "0\n");
    assert_eq!(read("two"), "  server_name ${host};\n  two\n");
    assert_eq!(read("ran"), "nobody\nfrom exec\n");
    let metadata = std::fs::metadata(program.path("folder/out")).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o7777, metadata.uid()), (0o600, 0));
}

#[test]
fn json_and_the_older_spellings() {
    let settings = r#"{
        "consul": "127.0.0.1:1", "token": "x", "retry": "10s", "wait": "0s",
        "ssl": { "enabled": false }, "once": true,
        "template": [
            { "contents": "a", "destination": "a", "command": ["touch ran"], "perms": "0640" },
            { "contents": "b", "destination": "b" }
        ]
    }"#;
    let program = program(&["-config", "c.json", "-log-level", "err"]).file("c.json", settings);
    let (code, finished) = run(&program);
    assert_eq!((code, finished.stderr.as_str()), (0, ""));
    assert!(program.path("b").exists() && program.path("ran").exists());
    let metadata = std::fs::metadata(program.path("a")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
}

#[test]
fn later_files_win_and_flags_win_over_all() {
    let program = |args: &[&str]| {
        program(&["-once", "-log-level", "info"])
            .args(args)
            .file("folder/10.hcl", "consul = \"127.0.0.1:1\"\nlog_level = \"err\"\n")
            .file("folder/20/x.hcl", "consul { address = \"127.0.0.1:2\" }\n")
            .file(
                "folder/30.json",
                "{\"template\": {\"contents\": \"x\", \"command\": \"echo $CONSUL_HTTP_ADDR\"}}",
            )
    };
    let printed = |args: &[&str]| run(&program(args)).1.stdout;
    assert_eq!(printed(&["-config", "folder"]), "x127.0.0.1:2\n");
    assert_eq!(printed(&["-config", "folder", "-config", "folder/10.hcl"]), "x127.0.0.1:1\n");
    assert_eq!(printed(&["-consul", "127.0.0.1:3", "-config", "folder"]), "x127.0.0.1:3\n");
}

/// What is said of files that cannot be used: everything at once, each with its place.
#[test]
fn what_is_wrong_is_said() {
    let mut told = String::new();
    for settings in [
        "",
        "{",
        "{\"template\": 1}",
        "template {",
        "template {\n  source = \"in\"\n  destinaton = \"out\"\n  perms = 644\n  wait = \"5\"\n}\nlog_levle = \"warn\"\n",
        "template {\n}\n",
        "template {\n  source = \"in\"\n  contents = \"x\"\n  command_timeout = 5\n  backup = \"maybe\"\n}\n",
        "template {\n  contents = \"x\"\n  destination = \"out\"\n  user = \"nobody-at-all\"\n}\n",
        "template {\n  contents = \"x\"\n  sandbox_path = \"/tmp\"\n  command = [\"a\", 1]\n}\n",
        "template { contents = \"{{ key `a` }}\", destination = \"out\", function_denylist = [\"key\"] }",
        "template { contents = \"{{ if }}\" }\n",
        "template \"web\" {\n  contents = \"x\"\n}\nlog_level = warn\nwait { max = \"5s\" }\n",
        "wait { min = \"10s\" max = \"5s\" }\nlog_level = \"loud\"\nkill_signal = \"SIGTREM\"\n",
        "consul {\n  adress = \"x\"\n  auth { username = \"me\" password = \"secret\" }\n}\n",
        "consul { address = \"consul\" ssl { cert = \"x\" enabled = true } }\ntemplate { contents = \"x\" }",
        "vault {\n  address = \"x\"\n}\nnomad {}\n",
        "exec = \"\"\netcd {}\n",
        "exec { command = \"x\" env { custom = [\"A\"] denylist = [\"[A-Z]\"] } }",
    ] {
        let program = Program::new(env!("CARGO_BIN_EXE_consul-template"))
            .file("c.hcl", settings)
            .file("in", "x")
            .args(["-once", "-config", "c.hcl"]);
        let (code, finished) = run(&program);
        let error = without_times(&finished.stderr);
        told.push_str(&format!("{settings}\n---\n{error}exit code {code}\n\n"));
    }
    insta::assert_snapshot!(told);
}

/// What the documentation shows is what is read.
#[test]
fn the_example_of_the_documentation() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/templates.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let (_, example) = docs.split_once("```hcl\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    // The image has neither.
    let example =
        example.replace("\"nginx\"", "\"0\"").replace("/etc/nginx/nginx.conf.ctmpl", "in");
    let program =
        program(&["-parse-only", "-config", "c.hcl"]).file("c.hcl", example).file("in", "x");
    let (code, finished) = run(&program);
    assert_eq!((code, finished.stderr.as_str()), (0, ""));
}
