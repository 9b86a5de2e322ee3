use super::*;

const SOON: Duration = Duration::from_secs(10);

fn shell(script: &str) -> Program {
    Program::new("/bin/sh").script("run", script).arg("run")
}

fn alive(pid: i32) -> bool {
    // A zombie has no memory map to show; /proc/PID/cwd cannot be read either.
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok()
}

#[test]
fn exit_code_and_both_streams_are_seen() {
    let finished = shell("cat data/in; echo err >&2; printf last; exit 7")
        .file("data/in", "out\n")
        .spawn()
        .wait(SOON);
    assert_eq!(finished.ended, Ended::Code(7));
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\nlast", "err\n"));
}

#[test]
fn the_environment_is_minimal() {
    let finished = Program::new("env").env("A", "b=c").spawn().wait(SOON);
    let mut names: Vec<_> =
        finished.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "HOME", "PATH"]);
    assert!(finished.stdout.contains("A=b=c\n"));
}

#[test]
fn a_signal_is_delivered_and_a_death_by_one_is_told() {
    let mut trapping =
        shell("trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.01; done").spawn();
    trapping.wait_for_line("ready");
    trapping.signal(Signal::SIGTERM);
    let finished = trapping.wait(SOON);
    assert_eq!(finished.ended, Ended::Code(3));
    assert!(finished.stdout.ends_with("got\n"));

    let mut killed = Program::new("sleep").arg("60").spawn();
    killed.signal(Signal::SIGKILL);
    assert_eq!(killed.wait(SOON).ended, Ended::Signal(9));
}

#[test]
fn standard_input_is_given() {
    assert_eq!(Program::new("cat").stdin("hello").spawn().wait(SOON).stdout, "hello");
}

#[test]
fn orphans_die_with_it() {
    let mut program = shell("(setsid sleep 60 & echo orphan $!); echo done").spawn();
    let line = program.wait_for_line("orphan");
    let orphan: i32 = line.split(' ').nth(1).unwrap().parse().unwrap();
    program.wait_for_line("done");
    assert!(alive(orphan));
    drop(program);
    wait_until("the orphan is gone", SOON, || !alive(orphan));
}

#[test]
#[should_panic(expected = "ended without a line with \"never\"")]
fn a_line_that_never_comes_fails() {
    shell("echo something else").spawn().wait_for_line("never");
}

#[test]
#[should_panic(expected = "until the program ends; last seen: it runs")]
fn a_program_that_does_not_end_fails() {
    Program::new("sleep").arg("60").spawn().wait(Duration::from_millis(30));
}

#[test]
#[should_panic(expected = "cannot start /nonexistent")]
fn a_program_that_is_not_there_fails() {
    Program::new("/nonexistent").spawn();
}
