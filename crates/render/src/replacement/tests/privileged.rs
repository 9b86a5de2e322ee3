//! What only root may try: owners, full disks and mounts, in a file system of the test's own.

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::{Uid, geteuid, setfsuid},
};

use super::*;

/// Runs something on a thread whose mounts are nobody else's, with a small disk mounted at this
/// folder.
fn on_a_small_disk(test: impl FnOnce(&TempDir) + Send + 'static) {
    must_be_root();
    let body = move || {
        let folder = folder();
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let size = Some("size=64k");
        mount(Some("disk"), folder.path(), Some("tmpfs"), MsFlags::empty(), size).unwrap();
        test(&folder);
    };
    if let Err(failure) = std::thread::spawn(body).join() {
        std::panic::resume_unwind(failure);
    }
}

fn must_be_root() {
    assert!(
        geteuid().is_root(),
        "this test gives files away and mounts disks, which only root may: run it as root, in a \
         container with --privileged"
    );
}

fn in_folder(result: Result<bool, String>, folder: &TempDir) -> String {
    result.unwrap_err().replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn the_owner_is_kept_unless_another_is_asked_for() {
    must_be_root();
    let folder = folder();
    let path = folder.path().join("x.conf");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o4640)).unwrap();
    chown(&path, Some(12), Some(34)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o4640)).unwrap();
    let found = || fs::metadata(&path).map(|it| (it.uid(), it.gid(), it.mode() & 0o7777)).unwrap();
    assert_eq!(replace(&target(&path), "one"), Ok(true));
    assert_eq!(found(), (12, 34, 0o4640));
    let asked = Target { user: Some(56), mode: Some(0o4755), ..target(&path) };
    assert_eq!(replace(&asked, "two"), Ok(true));
    assert_eq!(found(), (56, 34, 0o4755));
    let asked = Target { group: Some(78), ..asked };
    assert_eq!(replace(&asked, "two"), Ok(false), "the text is the same");
    assert_eq!(found(), (56, 78, 0o4755));
}

#[test]
fn who_may_not_give_files_away_says_so() {
    must_be_root();
    // Of a thread alone; what root may is gone with it.
    let body = || {
        let folder = folder();
        let path = folder.path().join("x.conf");
        fs::write(&path, "old").unwrap();
        chown(&path, Some(12), Some(0)).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        setfsuid(Uid::from_raw(1234));
        assert_eq!(
            in_folder(replace(&target(&path), "new"), &folder),
            "cannot write FOLDER/x.conf: cannot give it to user 12: Operation not permitted (os \
             error 1)"
        );
        let asked = Target { mode: Some(0o600), ..target(&path) };
        assert_eq!(
            in_folder(replace(&asked, "old"), &folder),
            "cannot write FOLDER/x.conf: cannot set its mode to 0600: Operation not permitted (os \
             error 1)"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(&folder), ["x.conf"]);
        // In a folder of others nothing can be written at all.
        setfsuid(Uid::from_raw(0));
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        setfsuid(Uid::from_raw(1234));
        let error = in_folder(replace(&target(&path), "new"), &folder);
        assert_eq!(error, "cannot write FOLDER/x.conf: Permission denied (os error 13)");
        setfsuid(Uid::from_raw(0));
    };
    if let Err(failure) = std::thread::spawn(body).join() {
        std::panic::resume_unwind(failure);
    }
}

#[test]
fn a_full_disk_leaves_the_old_file_and_no_candidate() {
    on_a_small_disk(|folder| {
        let path = folder.path().join("x.conf");
        replace(&target(&path), "old").unwrap();
        let large = "x".repeat(128 * 1024);
        assert_eq!(
            in_folder(replace(&target(&path), &large), folder),
            "cannot write FOLDER/x.conf: No space left on device (os error 28)"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder), ["x.conf"]);
        assert_eq!(replace(&target(&path), "new"), Ok(true));
    });
}

#[test]
fn a_disk_that_cannot_be_written_is_named() {
    on_a_small_disk(|folder| {
        let path = folder.path().join("x.conf");
        replace(&target(&path), "old").unwrap();
        let again = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, folder.path(), None::<&str>, again, None::<&str>).unwrap();
        assert_eq!(
            in_folder(replace(&target(&path), "new"), folder),
            "cannot write FOLDER/x.conf: Read-only file system (os error 30)"
        );
        // What is right needs no writing.
        assert_eq!(replace(&target(&path), "old"), Ok(false));
    });
}

#[test]
fn a_file_that_is_mounted_by_itself_says_what_to_do() {
    on_a_small_disk(|folder| {
        let (path, host) = (folder.path().join("x.conf"), folder.path().join("host"));
        fs::write(&path, "old").unwrap();
        fs::write(&host, "host").unwrap();
        let bind = MsFlags::MS_BIND;
        mount(Some(&host), &path, None::<&str>, bind, None::<&str>).unwrap();
        assert_eq!(
            in_folder(replace(&target(&path), "new"), folder),
            "cannot write FOLDER/x.conf: it is a mount point and cannot be replaced; mount the \
             folder that it is in instead"
        );
        assert_eq!((fs::read_to_string(&path).unwrap(), names(folder).len()), ("host".into(), 2));
    });
}
