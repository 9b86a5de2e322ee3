//! A renderer that is killed in the midst of writing.

use std::{
    env,
    path::{Path, PathBuf},
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
            assert_whole(&path);
        }
        // While it is written, or while it takes the file's place.
        let until = Instant::now() + Duration::from_micros(400 * round);
        while Instant::now() < until {
            assert_whole(&path);
        }
        running.kill();
        assert_whole(&path);
        assert_whole(&folder.path().join("file.bak"));
        for name in names(folder.path()).iter().filter(|name| is_candidate(name)) {
            leftovers += 1;
            // The next round waits for one of its own; the successor finds those of the last.
            if round < 9 {
                std::fs::remove_file(folder.path().join(name)).unwrap();
            }
        }
    }
    assert!(leftovers > 0, "none was killed in the midst of writing");
    let memory = Arc::new(Memory::new());
    memory.set("text", b"last");
    let last = owner(path, memory);
    assert!(matches!(last.event(), Event::Rendered(..)));
    assert_eq!(names(folder.path()), ["file", "file.bak"]);
}

/// One line again and again, if the file is there.
fn assert_whole(path: &Path) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let line = text.split_inclusive('\n').next().unwrap_or("empty");
    assert_eq!(text.len(), line.len() * LINES, "half of {}", path.display());
    assert!(text.ends_with(line), "mixed: {}", path.display());
}

fn is_candidate(name: &str) -> bool {
    name.starts_with(".file.new-")
}

fn names(folder: &Path) -> Vec<String> {
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
