//! What a renderer's thread leaves behind, and what it refuses.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use catalog::memory::Memory;
use nix::{sys::stat::Mode, unistd::mkfifo};
use render::{Destination, Event, Outcome, Renderer, Source, TemplateId, check};
use testkit::wait_until;

use crate::support::{LONG, Owner, template};

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_end_of_a_renderer_takes_its_candidate_with_it() {
    let memory = Arc::new(Memory::new());
    memory.set("a", b"one");
    let mut owner = Owner::start(memory, r#"{{key "a"}}"#, |template| template.checked = true);
    let Event::Candidate(_, path) = owner.event() else { panic!("a candidate") };
    assert!(path.exists());
    owner.end();
    assert_eq!(names(owner.folder.path()), Vec::<String>::new());
}

#[test]
fn a_verdict_is_carried_out() {
    let memory = Arc::new(Memory::new());
    memory.set("a", b"one");
    let catalog = Arc::clone(&memory);
    let owner = Owner::start(catalog, r#"{{key "a"}}"#, |template| template.checked = true);
    owner.event();
    owner.refuse("not so");
    assert_eq!(owner.event(), Event::Failed(TemplateId(0), "not so".to_owned()));
    wait_until("it is seen", LONG, || owner.waiting() == ["not so"]);
    memory.set("a", b"two");
    owner.event();
    owner.accept();
    assert_eq!(owner.event(), Event::Rendered(TemplateId(0), Outcome::Replaced));
    assert_eq!((owner.file().as_str(), names(owner.folder.path()).len()), ("two", 1));
}

/// A predecessor was killed while its candidate was judged.
#[test]
fn the_start_removes_what_was_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let leftover = folder.path().join(".file.new-abc123");
    fs::write(&leftover, "half").unwrap();
    let path = folder.path().join("file");
    let owner = Owner::start(Arc::new(Memory::new()), "text", |template| {
        let Destination::File(target) = &mut template.destination else { panic!("a file") };
        target.path = path.clone();
    });
    assert_eq!(owner.event(), Event::Rendered(TemplateId(0), Outcome::Replaced));
    assert_eq!(names(folder.path()), ["file"]);
}

/// Its owner was busy with something else, and ends it without having heard.
#[tokio::test]
async fn what_was_written_and_not_told_is_told_at_the_end() {
    // The thread may be so fast that it is heard while it is asked: then it is tried again.
    for _ in 0..100 {
        if let Some(told) = ended_unheard().await {
            assert_eq!(told, [Event::Rendered(TemplateId(0), Outcome::Replaced)]);
            return;
        }
    }
    panic!("each time it was heard before the end");
}

/// What is told at the end of a renderer whose file has just been written; `None`: it has told that
/// before.
async fn ended_unheard() -> Option<Vec<Event>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let templates = vec![template(path.clone(), "text")];
    let mut renderer =
        Renderer::start(Arc::new(Memory::new()), templates, BTreeMap::new()).unwrap();
    // Each time as far as it comes without waiting; and then its thread has time to write.
    while !path.exists() {
        if tokio::time::timeout(Duration::ZERO, renderer.next()).await.is_ok() {
            return None;
        }
        let until = Instant::now() + Duration::from_millis(20);
        while !path.exists() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
    Some(renderer.close())
}

#[tokio::test]
async fn all_templates_that_cannot_be_are_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("bad"), "one\n{{if}}").unwrap();
    fs::set_permissions(path("bad"), Permissions::from_mode(0o644)).unwrap();
    let mut templates: Vec<_> = (0..4).map(|_| template(path("out"), "{{end}}")).collect();
    templates[1].source = Source::File(path("missing"));
    templates[2].source = Source::File(path("bad"));
    templates[3].source = Source::Text("right".to_owned());
    for (number, template) in templates.iter_mut().enumerate().take(3) {
        let Destination::File(target) = &mut template.destination else { panic!("a file") };
        target.path = path(&format!("out{number}"));
    }
    templates.push(template(path("out"), "twice"));
    templates[4].name = "other".to_owned();
    let shown = folder.path().display().to_string();
    let in_folder = |error: String| error.replace(&shown, "FOLDER");
    let expected = "template: test:1:5: unexpected {{end}}: nothing is open here that it could belong \
                    to\n\
                    cannot read the template FOLDER/missing: No such file or directory (os error 2)\n\
                    template: FOLDER/bad:2:4: missing value for if (near {{if}})\n\
                    both test and other are to write FOLDER/out";
    let environment = BTreeMap::new();
    assert_eq!(in_folder(check(&templates, &environment).unwrap_err()), expected);
    let started = Renderer::start(Arc::new(Memory::new()), templates, environment);
    assert_eq!(in_folder(started.err().unwrap()), expected);
}

/// Without an end, and deep, which takes the thread's stack: errors, and the next is rendered.
#[test]
fn hostile_templates_are_harmless_on_the_threads_stack() {
    let endless = r#"{{define "x"}}{{template "x"}}{{end}}{{template "x"}}"#.to_owned();
    let deep = format!("{}1{}", "{{with 1}}".repeat(150), "{{end}}".repeat(150));
    let nested = format!("{{{{print {}1{}}}}}", "(print ".repeat(150), ")".repeat(150));
    for (text, is_error) in [(endless, true), (deep, false), (nested, false)] {
        let owner = Owner::start(Arc::new(Memory::new()), &text, |_| {});
        let event = owner.event();
        assert_eq!(matches!(event, Event::Failed(..)), is_error, "{event:?}");
    }
}

/// Whoever opens a pipe waits for somebody to write. What is meant to be one stands where those do.
#[test]
fn a_pipe_is_no_source_unless_it_stands_where_pipes_do() {
    let of = |path: &Path| {
        let source = Source::File(path.to_owned());
        check(
            &[render::Template { source, ..template("/nowhere/file".into(), "") }],
            &BTreeMap::new(),
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let words = format!("cannot read the template {}: is no regular file", pipe.display());
    assert_eq!(of(&pipe), Err(words));
    assert_eq!(of(Path::new("/dev/null")), Ok(()));
    assert!(of(Path::new("/proc/self/stat")).is_ok());
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| fs::write(&pipe, "{{ nothing").unwrap());
        let error = of(&pipe).unwrap_err();
        assert!(error.contains("template: "), "{error}");
        // Whoever reads it once more, or from its end, must not take nothing for a template.
        scope.spawn(|| fs::write(&pipe, "").unwrap());
        let error = of(&pipe).unwrap_err();
        assert!(error.contains("nothing comes out of this pipe"), "{error}");
    });
}

/// Nobody waits for the disk that it reads from.
#[tokio::test]
async fn a_renderer_that_was_never_opened_is_left_at_once() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    let template =
        render::Template { source: Source::File(pipe), ..template(folder.path().join("file"), "") };
    let opening = Renderer::open(Arc::new(Memory::new()), vec![template], BTreeMap::new()).unwrap();
    let begun = Instant::now();
    drop(opening);
    // It waits a second for what is being written.
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
}

/// What looks left behind may be the candidate of whoever has come instead.
#[tokio::test]
async fn a_renderer_that_nobody_waits_for_touches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join(".file.new-abc123");
    fs::write(&other, "half").unwrap();
    let path = folder.path().join("file");
    let templates = vec![template(path.clone(), "text")];
    let mut opening = Renderer::open(Arc::new(Memory::new()), templates, BTreeMap::new()).unwrap();
    let mut renderer = opening.renderer().await.unwrap();
    assert!(other.exists());
    let rendered = Event::Rendered(TemplateId(0), Outcome::Replaced);
    assert_eq!(renderer.next().await, rendered);
    assert!(!other.exists() && path.exists());
}
