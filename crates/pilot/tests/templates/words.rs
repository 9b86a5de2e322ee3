//! What is said of templates: before a start, and in numbers.

use testkit::{Finished, free_port, http};

use super::*;
use crate::support::run_to_end;

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
