//! The container's exit code.

use std::thread;

use crate::container::Setup;

/// No catalog is asked for anything: nothing is advertised.
const NO_SERVICES: &str = r#"consul: "127.0.0.1:1", logging: { output: "stderr" }"#;

/// What a shell does, and the code that follows from it.
const ENDS: [(&str, i32); 7] = [
    ("exit 0", 0),
    ("exit 1", 1),
    ("exit 42", 42),
    ("exit 255", 255),
    ("kill -SEGV $$", 139),
    ("kill -KILL $$", 137),
    // Its own child, not ours: the shell's word counts.
    ("sh -c 'exit 3'; exit 4", 4),
];

#[test]
fn a_2x_container_exits_as_its_application_does() {
    for (script, code) in ENDS {
        let config = format!("{{ {NO_SERVICES} }}");
        let container = Setup::isolated().start(&config, &["sh", "-c", script]);
        assert_eq!(container.exit_code(), code, "{script}");
    }
}

#[test]
fn a_3x_container_exits_as_its_only_job_does() {
    for (script, code) in ENDS {
        let config = format!(
            r#"{{ logging: {{ output: "stderr" }},
                  jobs: [{{ name: "app", exec: ["sh", "-c", {script:?}] }}] }}"#
        );
        let container = Setup::isolated().start(&config, &[]);
        assert_eq!(container.exit_code(), code, "{script}");
    }
}

#[test]
fn a_3x_container_whose_jobs_are_over_exits_as_the_first_that_failed() {
    // The first in time is the second in the file.
    let config = r#"{
      logging: { output: "stderr" },
      jobs: [
        { name: "later", exec: ["sh", "-c", "/fixtures/note later; exit 5"],
          when: { source: "sooner", once: "exitFailed" } },
        { name: "sooner", exec: ["sh", "-c", "/fixtures/note sooner; exit 3"] },
        { name: "well", exec: ["sh", "-c", "/fixtures/note well"],
          when: { source: "later", once: "exitFailed" } },
      ],
    }"#;
    let container = Setup::isolated().start(config, &[]);
    assert_eq!(container.exit_code(), 3);
    assert_eq!(container.events(), ["sooner", "later", "well"]);
}

#[test]
fn a_failed_hook_decides_the_exit_code() {
    let cases = [
        (r#"preStart: ["sh", "-c", "exit 9"]"#, "start", 9, &[][..]),
        (r#"postStop: ["sh", "-c", "exit 9"]"#, "exit 4", 9, &["app"][..]),
        (r#"postStop: "true""#, "exit 4", 4, &["app"][..]),
    ];
    thread::scope(|scope| {
        for (hook, script, code, events) in cases {
            scope.spawn(move || {
                let config = format!("{{ {NO_SERVICES}, {hook} }}");
                let script = format!("/fixtures/note app; {script}");
                let container = Setup::isolated().start(&config, &["sh", "-c", &script]);
                assert_eq!(container.exit_code(), code, "{hook}");
                assert_eq!(container.events(), events, "{hook}");
            });
        }
    });
}

#[test]
fn an_application_that_cannot_be_started_is_reported_as_by_a_shell() {
    for (program, code) in [("/no/such/program", 127), ("/shared/config.json5", 126)] {
        let config = format!("{{ {NO_SERVICES} }}");
        let container = Setup::isolated().start(&config, &[program]);
        assert_eq!(container.exit_code(), code, "{program}");
        container.wait_for_log(program);
    }
}
