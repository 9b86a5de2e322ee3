//! A renderer that is killed in the midst of writing.

use std::{
    env,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use catalog::memory::Memory;
use render::{Destination, Event, Target};
use testkit::{Program, wait_until};

use crate::support::{LONG, Owner};

/// Lines of a text that takes a while to be written.
const LINES: usize = 200_000;

fn owner(path: PathBuf, memory: Arc<Memory>) -> Owner {
    Owner::start(memory, r#"{{key "text"}}"#, move |template| {
        let Destination::File(target) = &mut template.destination else { panic!("a file") };
        *target = Target { path, backup: true, ..target.clone() };
    })
}

#[test]
fn a_killed_renderer_leaves_a_whole_file_and_its_successor_what_it_left_beside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut leftovers = 0;
    for round in 0..10 {
        let renderer = Program::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "kills::renders_until_it_is_killed"])
            .env("RENDERED", &path);
        let mut running = renderer.spawn();
        wait_until("it renders", LONG, || path.exists());
        // A candidate is there, or was: the disk is faster than we are at times.
        let until = Instant::now() + Duration::from_millis(500);
        while names(folder.path()).iter().all(|name| !is_candidate(name)) && Instant::now() < until
        {
        }
        // While it is written, or while it takes the file's place.
        thread::sleep(Duration::from_micros(400 * round));
        running.kill();
        for name in ["file", "file.bak"] {
            let Ok(text) = std::fs::read_to_string(folder.path().join(name)) else { continue };
            let first = text.lines().next().unwrap();
            assert!(text.lines().all(|line| line == first), "mixed");
            assert_eq!(text.lines().count(), LINES, "half");
        }
        leftovers += names(folder.path()).iter().filter(|name| is_candidate(name)).count();
    }
    assert!(leftovers > 0, "none was killed in the midst of writing");
    let memory = Arc::new(Memory::new());
    memory.set("text", b"last");
    let last = owner(path, memory);
    assert!(matches!(last.event(), Event::Rendered(..)));
    assert_eq!(names(folder.path()), ["file", "file.bak"]);
}

fn is_candidate(name: &str) -> bool {
    name.starts_with(".file.new-")
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
#[ignore = "another test starts and kills it"]
fn renders_until_it_is_killed() {
    let path = env::var_os("RENDERED").expect("a path in RENDERED");
    let memory = Arc::new(Memory::new());
    let _owner = owner(path.into(), Arc::clone(&memory));
    for number in 0.. {
        let line = format!("{number}\n");
        memory.set("text", line.repeat(LINES).as_bytes());
        thread::sleep(Duration::from_millis(50));
    }
}
