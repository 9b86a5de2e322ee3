//! What is said of templates: before a start, and in numbers.

use std::{fs, thread, time::Duration};

use nix::{sys::stat::Mode, unistd::mkfifo};
use testkit::{Finished, free_port, http};

use super::*;
use crate::support::{run_to_end, stop, talk::reload_with};

/// The output of `-check`, and its exit code.
fn check(program: Program) -> (i32, String) {
    let (code, Finished { stdout, stderr, .. }) = run_to_end(&program.arg("-check"));
    (code, stdout + &stderr)
}

#[test]
fn a_check_of_the_configuration_reads_templates_too() {
    let of = |text: &str| check(program("127.0.0.1:1", text, &json!({}), &[]));
    let (code, said) = of(PLACES);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("3 jobs, 0 watches, 1 template\n"), "{said}");
    let (code, said) = of("\n{{ range service \"web\" }}");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("places.ctmpl") && said.contains(":2:"), "{said}");
    let (code, said) = of("{{ secret \"x\" }}");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("Vault"), "{said}");
    // It may be meant for another machine.
    let fields = json!({ "source": "/nowhere/places.ctmpl" });
    let (code, said) = check(program("127.0.0.1:1", "", &fields, &[]));
    assert_eq!(code, 0, "{said}");
    let words = "warning: templates (places): source /nowhere/places.ctmpl is no file here";
    assert!(said.contains(words), "{said}");
    let fields = json!({ "user": "nobody-of-that-name" });
    let (code, said) = check(program("127.0.0.1:1", "", &fields, &[]));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("it would not start here"), "{said}");
    // There it does not start.
    let (code, Finished { stderr, .. }) = run_to_end(&program("127.0.0.1:1", "", &fields, &[]));
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("templates (places): ") && stderr.contains("nobody-of-that"),
        "{stderr}"
    );
}

/// A slip in the name would leave the file without protection.
#[test]
fn a_minimum_of_what_is_never_asked_for_is_noticed() {
    let of = |text: &str| {
        let fields = json!({ "minimum": { "web": 2, "bew": 2 } });
        let (code, said) = check(program("127.0.0.1:1", text, &fields, &[]));
        assert_eq!(code, 0, "{said}");
        said
    };
    let words = "warning: templates (places): it never asks for the service \"bew\", whose minimum";
    let said = of("{{ range service \"web\" }}{{ end }}");
    assert!(said.contains(words) && !said.contains("\"web\", whose"), "{said}");
    let said = of("<< range service \"web\" >><< end >>");
    assert!(said.contains("there is no {{ in it: it is copied as it is"), "{said}");
    // Nobody knows what this comes to.
    let said = of("{{ range services }}{{ range service .Name }}{{ end }}{{ end }}");
    assert!(!said.contains("never asks"), "{said}");
}

#[test]
fn what_becomes_of_templates_is_counted() {
    let consul = Consul::start();
    consul.request("PUT", "/v1/kv/text", "good");
    let port = free_port();
    let fields = json!({ "check": ["grep", "-q", "good"] });
    let program = program(&consul.address(), "{{ key \"text\" }}", &fields, &[]);
    let mut config: Value =
        serde_json::from_slice(&std::fs::read(program.path("app.json")).unwrap()).unwrap();
    config["telemetry"] = json!({ "port": port, "interfaces": ["lo"] });
    let run = start(&program.file("app.json", config.to_string()));
    await_journal(&run, &["changed"]);
    consul.request("PUT", "/v1/kv/text", "bad");
    await_journal(&run, &["changed", "failed"]);
    let page = http("GET", &format!("127.0.0.1:{port}"), "/metrics", "").unwrap().body;
    for line in [
        r#"containerpilot_template_renders_total{name="places",result="written"} 1"#,
        r#"containerpilot_template_renders_total{name="places",result="failed"} 1"#,
        r#"containerpilot_events{code="changed",source="template.places"} 1"#,
        r#"containerpilot_events{code="failed",source="template.places"} 1"#,
    ] {
        assert!(page.lines().any(|other| other == line), "{line} in {page}");
    }
}

/// Services leave the catalog, but what is known of others goes on to matter.
#[test]
fn maintenance_changes_nothing() {
    let consul = Consul::start();
    register(&consul, [1]);
    let run = start(&program(&consul.address(), PLACES, &json!({}), &[]));
    await_file(&run, &places([1]));
    let answer = support::talk::ask(&run, "POST", "/v3/maintenance/enable", "");
    assert_eq!(answer.status, 200, "{}", answer.body);
    register(&consul, [2]);
    await_file(&run, &places([1, 2]));
    await_journal(&run, &["changed"; 2]);
}

/// Somebody has to know which file is meant, and whose it is.
#[test]
fn a_source_that_cannot_be_read_is_named() {
    let fields = json!({ "source": "/nowhere/places.ctmpl" });
    let (code, Finished { stderr, .. }) = run_to_end(&program("127.0.0.1:1", "", &fields, &[]));
    assert_eq!(code, 1, "{stderr}");
    let words = "templates (places): cannot read the template /nowhere/places.ctmpl: No such file";
    assert!(stderr.contains(words), "{stderr}");
    // A pipe is nobody's, and nobody may ever write into it.
    let program = program("127.0.0.1:1", "", &json!({}), &[]);
    let source = program.path("places.ctmpl");
    fs::remove_file(&source).unwrap();
    mkfifo(&source, Mode::S_IRWXU).unwrap();
    let (code, Finished { stderr, .. }) = run_to_end(&program);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("places.ctmpl: is no regular file"), "{stderr}");
}

/// What is read for the renderer may be on a disk that hangs by now.
#[test]
fn a_source_that_hangs_makes_nobody_deaf() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let pipe = folder.path().join("places.ctmpl");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let hanging = || program("127.0.0.1:1", "", &json!({ "source": pipe }), &[]);
    let first = hanging();
    // It is read when the program starts, and then again: there is nobody to write.
    let written = pipe.clone();
    thread::spawn(move || fs::write(written, "text").unwrap());
    let run = start(&first);
    let waiting = await_template(&run, "waiting");
    assert_eq!(waiting["waitingFor"], "the templates' sources are being read");
    let mut next: Value = serde_json::from_str(&run.read("app.json").unwrap()).unwrap();
    let template = next["templates"][0].as_object_mut().unwrap();
    template.remove("source");
    template.insert("contents".into(), json!("another"));
    reload_with(&run, &next);
    await_file(&run, "another");
    drop(run);
    // And once more, to be stopped meanwhile.
    fs::remove_file(&pipe).unwrap();
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let second = hanging();
    let written = pipe.clone();
    thread::spawn(move || fs::write(written, "text").unwrap());
    let mut run = start(&second);
    await_template(&run, "waiting");
    let (finished, took) = stop(&mut run);
    assert!(took < Duration::from_secs(5), "{took:?} {finished:?}");
}

#[test]
fn a_failure_before_the_first_rendering_says_who_waits() {
    let waits = json!({ "name": "waits", "exec": ["./say", "started"],
        "when": { "source": "template.places", "once": "changed" } });
    let text = "{{ index \"x\" 5 }}";
    let program = program("127.0.0.1:1", text, &json!({}), &[waits]);
    let mut run = start(&program);
    let file = run.path("places.txt");
    let line = format!(
        "template places has failed, {} is not written yet (waits waits for it): template: ",
        file.display()
    );
    run.wait_for_line(&line);
    // Once there is a file, it is what stands, and nobody waits.
    run.write("places.ctmpl", "text");
    let config: Value = serde_json::from_str(&run.read("app.json").unwrap()).unwrap();
    reload_with(&run, &config);
    await_file(&run, "text");
    assert_eq!(lines(&run, "journal").first().map(String::as_str), Some("failed"));
}

/// It had failed, and what it needs has gone since then.
#[test]
fn what_has_failed_and_waits_says_both() {
    let consul = Consul::start();
    consul.request("PUT", "/v1/kv/text", "good");
    let fields = json!({ "check": ["sh", "-c", "! grep -q bad \"$0\""] });
    let mut run = start(&program(&consul.address(), "{{ key \"text\" }}", &fields, &[]));
    await_file(&run, "good");
    let written = await_template(&run, "current")["since"].clone();
    consul.request("PUT", "/v1/kv/text", "bad");
    let failed = await_template(&run, "failed");
    assert_ne!(failed["since"], written, "since it has failed");
    assert_eq!(failed.get("waitingFor"), None);
    consul.request("DELETE", "/v1/kv/text", "");
    run.wait_for_line("template places waits: key \"text\" does not exist");
    let both = await_template(&run, "failed");
    assert_eq!(both["waitingFor"], "key \"text\" does not exist");
    assert_eq!(both["failure"], failed["failure"]);
    assert_eq!(run.read("places.txt").as_deref(), Some("good"));
}
