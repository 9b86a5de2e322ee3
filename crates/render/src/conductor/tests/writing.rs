//! Files that cannot be written.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_once_and_tried_again_by_itself() {
    let mut stage = Stage::of(memory(&[("db", 1)]), DB, |template| {
        let Destination::File(target) = &mut template.destination else { panic!() };
        target.path = target.path.parent().unwrap().join("sub/file");
    });
    let folder = stage.folder.path().join("sub");
    let events = stage.now().await;
    let [Event::Failed(TemplateId(0), reason)] = &events[..] else { panic!("{events:?}") };
    assert!(reason.contains("there is no folder"), "{reason}");
    assert_eq!(&stage.waiting()[..], std::slice::from_ref(reason));
    // Another text fails for the same reason.
    put(&stage.memory, "db", 2);
    assert_eq!(stage.pass(600 * SECOND).await, []);
    fs::create_dir(&folder).unwrap();
    assert_eq!(stage.pass(61 * SECOND).await, replaced());
    assert_eq!(stage.waiting(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(folder.join("file")).unwrap().lines().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_next_change_is_tried_at_once() {
    let mut stage = Stage::of(memory(&[("db", 1)]), DB, |_| {});
    fs::create_dir(stage.path()).unwrap();
    assert_eq!(stage.pass(600 * SECOND).await.len(), 1);
    fs::remove_dir(stage.path()).unwrap();
    put(&stage.memory, "db", 2);
    assert_eq!(stage.now().await, replaced());
    // Back to a text that could never be written, while another stands.
    stage.memory.remove("db-2");
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "10.0.0.1:80\n");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_goes_back_to_what_stands_ends_the_trouble() {
    let mut stage = Stage::of(memory(&[("db", 1)]), DB, |_| {});
    stage.now().await;
    let saved = stage.folder.path().join("saved");
    fs::rename(stage.path(), &saved).unwrap();
    fs::create_dir(stage.path()).unwrap();
    put(&stage.memory, "db", 2);
    assert_eq!(stage.now().await.len(), 1);
    fs::remove_dir(stage.path()).unwrap();
    fs::rename(&saved, stage.path()).unwrap();
    stage.memory.remove("db-2");
    assert_eq!((stage.now().await, stage.waiting()), (unchanged(), vec![]));
    assert_eq!(stage.pass(600 * SECOND).await, []);
}
