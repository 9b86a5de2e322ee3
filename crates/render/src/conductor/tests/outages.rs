//! A catalog that does not answer, or not well.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_outage_changes_nothing_and_its_end_is_followed_within_seconds() {
    for mood in [down(), Mood::Frozen, Mood::Failing(catalog::Error::Failed("500".to_owned()))] {
        let mut stage = Stage::of(memory(&[("db", 1)]), DB, |_| {});
        assert_eq!(stage.now().await, replaced());
        stage.memory.set_mood(mood.clone());
        put(&stage.memory, "db", 2);
        assert_eq!(stage.pass(600 * SECOND).await, [], "{mood:?}");
        assert_eq!(stage.file(), "10.0.0.1:80\n");
        stage.memory.set_mood(Mood::Well);
        assert_eq!(stage.pass(6 * SECOND).await, replaced(), "{mood:?}");
        assert_eq!(stage.file(), "10.0.0.1:80\n10.0.0.2:80\n");
    }
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_is_down_at_the_start_is_waited_for() {
    let memory = memory(&[("db", 1)]);
    memory.set_mood(down());
    let mut stage = Stage::of(memory, DB, |_| {});
    assert_eq!(stage.pass(60 * SECOND).await, []);
    assert_eq!(
        stage.waiting(),
        ["service \"db\"; the catalog does not answer: connection refused"]
    );
    stage.memory.set_mood(Mood::Well);
    assert_eq!(stage.pass(6 * SECOND).await, replaced());
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_comes_back_empty_is_followed() {
    let mut stage = Stage::of(memory(&[("db", 1)]), DB, |_| {});
    stage.now().await;
    stage.memory.set_mood(down());
    assert_eq!(stage.pass(60 * SECOND).await, []);
    stage.memory.wipe();
    stage.memory.set_mood(Mood::Well);
    assert_eq!(stage.pass(6 * SECOND).await, replaced());
    assert_eq!(stage.file(), "");
    put(&stage.memory, "db", 3);
    assert_eq!(stage.pass(6 * SECOND).await, replaced());
    assert_eq!(stage.file(), "10.0.0.3:80\n");
}

#[tokio::test(start_paused = true)]
async fn a_refused_question_is_named_with_what_the_catalog_says() {
    let memory = Memory::new();
    memory.set_mood(Mood::Failing(catalog::Error::Refused("403 Permission denied".to_owned())));
    let text = r#"{{key "a"}}{{key "b"}}{{key "c"}}{{range service "db"}}{{end}}"#;
    let mut stage = Stage::of(memory, text, |_| {});
    assert_eq!(stage.pass(60 * SECOND).await, []);
    assert_eq!(
        stage.waiting(),
        ["service \"db\": refused: 403 Permission denied, key \"a\": refused: 403 Permission \
          denied, key \"b\": refused: 403 Permission denied and 1 more"]
    );
    stage.memory.set_mood(Mood::Well);
    stage.memory.set("a", b"");
    assert_eq!(stage.pass(6 * SECOND).await, []);
    assert_eq!(stage.waiting(), ["key \"b\" does not exist, key \"c\" does not exist"]);
}
