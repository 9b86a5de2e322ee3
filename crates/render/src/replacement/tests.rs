mod privileged;

use std::{os::unix::fs::symlink, process::id};

use tempfile::TempDir;

use super::*;

fn target(path: impl Into<PathBuf>) -> Target {
    Target {
        path: path.into(),
        mode: None,
        user: None,
        group: None,
        backup: false,
        create_folders: false,
    }
}

/// What has become of it: whether it was replaced.
fn replace(target: &Target, text: &str) -> Result<bool, String> {
    match prepare(target, text)? {
        Prepared::Same => Ok(false),
        Prepared::Candidate(candidate) => candidate.install(&AtomicBool::new(false)).map(|()| true),
    }
}

fn candidate(target: &Target, text: &str) -> Candidate {
    match prepare(target, text).unwrap() {
        Prepared::Candidate(candidate) => candidate,
        Prepared::Same => panic!("it is the same"),
    }
}

fn names(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_new_file_has_the_usual_mode_whatever_the_mask_is() {
    let folder = folder();
    let path = folder.path().join("x.conf");
    assert_eq!(replace(&target(&path), "one"), Ok(true));
    assert_eq!((fs::read_to_string(&path).unwrap(), mode(&path)), ("one".into(), 0o644));
    assert_eq!(names(&folder), ["x.conf"]);
}

#[test]
fn equal_content_touches_nothing() {
    let folder = folder();
    let path = folder.path().join("x.conf");
    replace(&target(&path), "one").unwrap();
    let before = fs::metadata(&path).unwrap();
    assert_eq!(replace(&target(&path), "one"), Ok(false));
    let after = fs::metadata(&path).unwrap();
    assert_eq!((before.ino(), before.ctime_nsec()), (after.ino(), after.ctime_nsec()));
    // But what was asked for is seen to.
    assert_eq!(replace(&Target { mode: Some(0o600), ..target(&path) }, "one"), Ok(false));
    assert_eq!((fs::metadata(&path).unwrap().ino(), mode(&path)), (before.ino(), 0o600));
}

#[test]
fn the_mode_is_kept_unless_another_is_asked_for() {
    let folder = folder();
    let path = folder.path().join("x.conf");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o4640)).unwrap();
    assert_eq!(replace(&target(&path), "one"), Ok(true));
    assert_eq!(mode(&path), 0o4640);
    assert_eq!(replace(&Target { mode: Some(0o600), ..target(&path) }, "two"), Ok(true));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_candidate_is_complete_and_gone_when_it_is_dropped() {
    let folder = folder();
    let path = folder.path().join("x.conf");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let candidate = candidate(&target(&path), "new");
    let beside = candidate.path().to_owned();
    let name = beside.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with(".x.conf.new-") && name.len() == 18, "{name}");
    assert_eq!((fs::read_to_string(&beside).unwrap(), mode(&beside)), ("new".into(), 0o640));
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    drop(candidate);
    assert_eq!(names(&folder), ["x.conf"]);
}

#[test]
fn what_a_killed_predecessor_left_is_removed_and_what_others_use_is_not() {
    let folder = folder();
    let path = folder.path().join("x.conf");
    let kept = [".x.conf.abcdef", ".x.conf.new-abc", ".x.conf.new-abc.ef", ".y.conf.new-abcdef"];
    for name in kept.iter().chain(&[".x.conf.new-abcdef"]) {
        fs::write(folder.path().join(name), "").unwrap();
    }
    // Somebody else's, who lives.
    let theirs = candidate(&target(&path), "theirs");
    remove_leftovers(&target(&path));
    let theirs_name = theirs.path().file_name().unwrap().to_str().unwrap().to_owned();
    let mut expected: Vec<&str> = kept.iter().copied().chain([theirs_name.as_str()]).collect();
    expected.sort();
    assert_eq!(names(&folder), expected);
    theirs.install(&AtomicBool::new(false)).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
}

#[test]
fn links_stay_and_what_they_point_to_is_replaced() {
    let folder = folder();
    fs::create_dir(folder.path().join("real")).unwrap();
    let (link, further) = (folder.path().join("link"), folder.path().join("further"));
    symlink("further", &link).unwrap();
    symlink("real/x.conf", &further).unwrap();
    // It is not there yet.
    assert_eq!(replace(&target(&link), "one"), Ok(true));
    assert_eq!(replace(&target(&link), "two"), Ok(true));
    assert_eq!(replace(&target(&link), "two"), Ok(false));
    assert_eq!(fs::read_to_string(folder.path().join("real/x.conf")).unwrap(), "two");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    symlink("circle", folder.path().join("circle")).unwrap();
    let error = replace(&target(folder.path().join("circle")), "x").unwrap_err();
    assert!(error.ends_with("circle: its symbolic links go round in a circle"), "{error}");
}

#[test]
fn the_old_one_is_kept_as_backup() {
    let folder = folder();
    let path = folder.path().join("x.conf");
    let target = Target { backup: true, ..target(&path) };
    assert_eq!(replace(&target, "one"), Ok(true));
    assert_eq!(names(&folder), ["x.conf"], "there was none");
    replace(&target, "two").unwrap();
    replace(&target, "two").unwrap();
    let backup = folder.path().join("x.conf.bak");
    assert_eq!(fs::read_to_string(&backup).unwrap(), "one");
    // Also if it is the same file already: a predecessor was killed between the two steps.
    fs::remove_file(&backup).unwrap();
    fs::hard_link(&path, &backup).unwrap();
    replace(&target, "three").unwrap();
    assert_eq!(fs::read_to_string(&backup).unwrap(), "two");
    assert_eq!(names(&folder), ["x.conf", "x.conf.bak"]);
}

#[test]
fn what_cannot_be_is_said_in_words_and_the_old_file_stands() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let error = |target: &Target| {
        let shown = folder.path().display().to_string();
        replace(target, "x").unwrap_err().replace(&shown, "FOLDER")
    };
    assert_eq!(error(&target(folder.path())), "cannot write FOLDER: it is a folder, not a file");
    let missing = target(path("a/b/x.conf"));
    assert_eq!(error(&missing), "cannot write FOLDER/a/b/x.conf: there is no folder FOLDER/a/b");
    assert_eq!(replace(&Target { create_folders: true, ..missing }, "x"), Ok(true));
    fs::write(path("file"), "").unwrap();
    assert_eq!(
        error(&target(path("file/x"))),
        "cannot write FOLDER/file/x: Not a directory (os error 20)"
    );
    assert_eq!(
        error(&Target { create_folders: true, ..target(path("file/y/x")) }),
        "cannot write FOLDER/file/y/x: FOLDER/file is a file, not a folder"
    );
    nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(error(&target(path("pipe"))), "cannot write FOLDER/pipe: it is no regular file");
    assert_eq!(
        error(&target("/proc/x.conf")),
        "cannot write /proc/x.conf: No such file or directory (os error 2)"
    );
}

#[test]
fn a_long_name_and_one_without_a_folder_do() {
    let folder = folder();
    let long = "n".repeat(255);
    assert_eq!(replace(&target(folder.path().join(&long)), "x"), Ok(true));
    assert_eq!(names(&folder), [long]);
    let name = format!("target-of-a-test-{}", id());
    assert_eq!(replace(&target(&name), "x"), Ok(true));
    fs::remove_file(&name).unwrap();
}

/// Its owner has not waited for it: the file may be somebody else's by now.
#[test]
fn what_was_left_behind_replaces_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "theirs").unwrap();
    let Prepared::Candidate(candidate) = prepare(&target(&path), "ours").unwrap() else { panic!() };
    assert!(candidate.install(&AtomicBool::new(true)).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
