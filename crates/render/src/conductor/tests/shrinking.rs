//! A catalog that has lost its memory.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn of(services: &[(&str, u8)], text: &str) -> Stage {
    Stage::of(memory(services), text, |template| {
        template.minimum = BTreeMap::from([("db".to_owned(), 2)]);
        template.shrink_after = 5 * MINUTE;
    })
}

#[tokio::test(start_paused = true)]
async fn too_few_are_refused_until_their_time_has_come() {
    let mut stage = of(&[("db", 1), ("db", 2)], DB);
    assert_eq!(stage.now().await, replaced());
    stage.memory.wipe();
    let reason = "service \"db\" has 0 passing instances, its minimum is 2: refused for 5m, unless \
                  they come back before";
    assert_eq!(stage.now().await, failed(reason));
    assert_eq!(stage.waiting(), [reason]);
    put(&stage.memory, "db", 1);
    assert_eq!(stage.pass(4 * MINUTE).await, []);
    assert_eq!(stage.file().lines().count(), 2);
    assert_eq!(stage.pass(MINUTE).await, replaced());
    assert_eq!((stage.file().as_str(), stage.waiting()), ("10.0.0.1:80\n", vec![]));
    // There are too few already: still fewer are believed at once.
    stage.memory.wipe();
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "");
}

#[tokio::test(start_paused = true)]
async fn those_that_come_back_are_rendered_at_once() {
    let mut stage = of(&[("db", 1), ("db", 2)], DB);
    stage.now().await;
    stage.memory.wipe();
    assert_eq!(stage.now().await.len(), 1);
    put(&stage.memory, "db", 1);
    assert_eq!(stage.pass(MINUTE).await, []);
    // The same ones: nothing is to be rendered, and all is well.
    put(&stage.memory, "db", 2);
    assert_eq!((stage.now().await, stage.waiting()), (unchanged(), vec![]));
    stage.memory.wipe();
    assert_eq!(stage.now().await.len(), 1);
    put(&stage.memory, "db", 3);
    assert_eq!(stage.now().await, []);
    put(&stage.memory, "db", 4);
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "10.0.0.3:80\n10.0.0.4:80\n");
}

/// The catalog's list of services is empty, so that the template does not even ask.
#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_asked_about_any_more_has_none() {
    let text = r#"{{range services}}{{.Name}}{{range service .Name}} {{.ID}}{{end}}
{{end}}"#;
    let mut stage = of(&[("db", 1), ("db", 2), ("web", 1)], text);
    stage.now().await;
    stage.memory.wipe();
    assert!(matches!(&stage.now().await[..], [Event::Failed(..)]));
    assert_eq!(stage.file(), "db db-1 db-2\nweb web-1\n");
}

#[tokio::test(start_paused = true)]
async fn only_passing_ones_count_and_other_services_may_shrink() {
    let text = r#"{{range service "db"}}{{.ID}} {{end}}{{range service "web"}}{{.ID}} {{end}}"#;
    let mut stage = of(&[("db", 1), ("db", 2), ("web", 1)], text);
    stage.now().await;
    stage.memory.remove("web-1");
    assert_eq!(stage.now().await, replaced());
    put_as(&stage.memory, "db", 2, Status::Critical);
    assert!(matches!(&stage.now().await[..], [Event::Failed(..)]));
    assert_eq!(stage.file(), "db-1 db-2 ");
}

/// What is first has nothing to be compared with.
#[tokio::test(start_paused = true)]
async fn the_first_rendering_may_have_too_few() {
    let mut stage = of(&[], DB);
    assert_eq!(stage.now().await, replaced());
}

/// When the time has come, but the catalog does not answer, nobody knows how many there are.
#[tokio::test(start_paused = true)]
async fn a_file_is_not_shrunk_while_the_catalog_is_gone() {
    let mut stage = of(&[("db", 1), ("db", 2)], DB);
    stage.now().await;
    stage.memory.wipe();
    assert_eq!(stage.pass(MINUTE).await.len(), 1);
    stage.memory.set_mood(down());
    assert_eq!(stage.pass(60 * MINUTE).await, []);
    assert_eq!(stage.file().lines().count(), 2);
    put(&stage.memory, "db", 1);
    put(&stage.memory, "db", 2);
    stage.memory.set_mood(Mood::Well);
    assert_eq!(stage.pass(MINUTE).await, unchanged());
    stage.memory.wipe();
    assert_eq!(stage.pass(MINUTE).await.len(), 1);
    stage.memory.set_mood(down());
    assert_eq!(stage.pass(60 * MINUTE).await, []);
    stage.memory.set_mood(Mood::Well);
    // It has shown too few for one minute of five: those who are to register again get their time.
    assert_eq!(stage.pass(3 * MINUTE).await, []);
    assert_eq!(stage.file().lines().count(), 2);
    assert_eq!(stage.pass(2 * MINUTE).await, replaced());
    assert_eq!(stage.file(), "");
}

/// Neither held for ever nor shrunk early by a registry that comes and goes.
#[tokio::test(start_paused = true)]
async fn a_catalog_that_comes_and_goes_is_believed_when_it_has_answered_for_long_enough() {
    let mut stage = of(&[("db", 1), ("db", 2)], DB);
    stage.now().await;
    stage.memory.wipe();
    assert_eq!(stage.pass(MINUTE).await.len(), 1);
    for _ in 0..3 {
        stage.memory.set_mood(down());
        assert_eq!(stage.pass(2 * MINUTE).await, []);
        stage.memory.set_mood(Mood::Well);
        assert_eq!(stage.pass(MINUTE).await, []);
    }
    assert_eq!(stage.file().lines().count(), 2);
    assert_eq!(stage.pass(2 * MINUTE).await, replaced());
}

/// What is written does not tell how many there are.
#[tokio::test(start_paused = true)]
async fn those_that_do_not_change_the_text_count_too() {
    let mut stage = of(&[("db", 1)], r#"{{if service "db"}}up{{else}}down{{end}}"#);
    assert_eq!(stage.now().await, replaced());
    put(&stage.memory, "db", 2);
    assert_eq!(stage.now().await, []);
    stage.memory.wipe();
    assert!(matches!(&stage.now().await[..], [Event::Failed(..)]));
    assert_eq!(stage.file(), "up");
}

/// A reload makes a new renderer while the catalog has lost its memory.
#[tokio::test(start_paused = true)]
async fn a_successor_knows_what_stands() {
    let mut before = of(&[("db", 1), ("db", 2)], DB);
    assert_eq!(before.now().await, replaced());
    let standing = before.conductor.standing(TemplateId(0));
    assert_eq!(standing, BTreeMap::from([("db".to_owned(), 2)]));
    let mut after = of(&[], DB);
    fs::write(after.path(), before.file()).unwrap();
    after.conductor.assume(TemplateId(0), &standing);
    let events = after.pass(4 * MINUTE).await;
    assert!(matches!(&events[..], [Event::Failed(..)]), "{events:?}");
    assert_eq!(after.file().lines().count(), 2);
    assert_eq!((after.pass(2 * MINUTE).await, after.file().as_str()), (replaced(), ""));
}
