//! Templates whose owner looks at each text.

use super::*;

const ID: TemplateId = TemplateId(0);

fn checked(memory: Memory) -> Stage {
    Stage::of(memory, DB, |template| template.checked = true)
}

/// The candidate that is offered, and nothing else.
async fn candidate(stage: &mut Stage) -> PathBuf {
    let events = stage.now().await;
    let [Event::Candidate(ID, path)] = &events[..] else { panic!("{events:?}") };
    path.clone()
}

#[tokio::test(start_paused = true)]
async fn a_candidate_waits_for_its_verdict() {
    let mut stage = checked(memory(&[("db", 1)]));
    let path = candidate(&mut stage).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "10.0.0.1:80\n");
    assert_eq!(stage.waiting(), ["it is being checked"]);
    assert_eq!((stage.pass(60 * SECOND).await, stage.path().exists()), (vec![], false));
    stage.conductor.accept(ID);
    assert_eq!(stage.now().await, replaced());
    assert_eq!((stage.file().as_str(), stage.names()), ("10.0.0.1:80\n", vec!["file".to_owned()]));
    // A verdict on nothing does nothing.
    stage.conductor.accept(ID);
    stage.conductor.refuse(ID, "x");
    assert_eq!(stage.now().await, []);
}

#[tokio::test(start_paused = true)]
async fn what_is_right_already_is_not_checked() {
    let mut stage = checked(memory(&[("db", 1)]));
    fs::write(stage.path(), "10.0.0.1:80\n").unwrap();
    assert_eq!(stage.now().await, unchanged());
}

#[tokio::test(start_paused = true)]
async fn there_is_one_candidate_at_a_time_and_the_newest_text_is_next() {
    let mut stage = checked(memory(&[("db", 1)]));
    candidate(&mut stage).await;
    put(&stage.memory, "db", 2);
    put(&stage.memory, "db", 3);
    assert_eq!(stage.pass(SECOND).await, []);
    stage.memory.remove("db-3");
    assert_eq!(stage.pass(SECOND).await, []);
    stage.conductor.accept(ID);
    let events = stage.now().await;
    let [Event::Rendered(ID, Outcome::Replaced), Event::Candidate(ID, path)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(stage.file(), "10.0.0.1:80\n");
    assert_eq!(fs::read_to_string(path).unwrap(), "10.0.0.1:80\n10.0.0.2:80\n");
}

#[tokio::test(start_paused = true)]
async fn a_refused_text_is_offered_again_after_another() {
    let mut stage = checked(memory(&[("db", 1)]));
    candidate(&mut stage).await;
    stage.conductor.accept(ID);
    stage.now().await;
    put(&stage.memory, "db", 2);
    candidate(&mut stage).await;
    stage.conductor.refuse(ID, "nginx says no");
    assert_eq!(stage.now().await, failed("nginx says no"));
    assert_eq!(
        (stage.names(), stage.waiting()),
        (vec!["file".to_owned()], vec!["nginx says no".to_owned()])
    );
    // An answer that leaves the text as it is.
    put_as(&stage.memory, "db", 3, Status::Critical);
    assert_eq!(stage.pass(9 * SECOND).await, []);
    // Back to the one that stands: all is well.
    stage.memory.remove("db-2");
    assert_eq!((stage.now().await, stage.waiting()), (unchanged(), vec![]));
    put(&stage.memory, "db", 2);
    candidate(&mut stage).await;
    stage.conductor.refuse(ID, "nginx says no");
    assert_eq!(stage.now().await, failed("nginx says no"));
    // Another text that is refused for the same reason is told as one.
    put(&stage.memory, "db", 4);
    candidate(&mut stage).await;
    stage.conductor.refuse(ID, "nginx says no");
    assert_eq!(stage.now().await, []);
    assert_eq!(stage.file(), "10.0.0.1:80\n");
}

/// Why it was refused may be over, such as a name that does not resolve yet.
#[tokio::test(start_paused = true)]
async fn a_refused_text_is_offered_again_after_a_while_and_later_each_time() {
    let mut stage = checked(memory(&[("db", 1)]));
    candidate(&mut stage).await;
    stage.conductor.refuse(ID, "no such host");
    assert_eq!(stage.now().await, failed("no such host"));
    for pause in [10, 20, 40, 60, 60] {
        assert_eq!(stage.pass((pause - 1) * SECOND).await, [], "{pause}");
        let offered = stage.pass(2 * SECOND).await;
        assert!(matches!(offered[..], [Event::Candidate(..)]), "{pause} {offered:?}");
        let words = format!("{pause}: no such host");
        stage.conductor.refuse(ID, &words);
        // It is known already, and is what is waited for.
        assert_eq!(stage.now().await, []);
        assert_eq!(stage.waiting(), [words]);
    }
    stage.pass(60 * SECOND).await;
    stage.conductor.accept(ID);
    assert_eq!((stage.now().await, stage.waiting()), (replaced(), vec![]));
    // Another one is not late for that.
    put(&stage.memory, "db", 2);
    candidate(&mut stage).await;
    stage.conductor.refuse(ID, "no");
    assert_eq!(stage.now().await, failed("no"));
    assert_eq!(stage.pass(9 * SECOND).await, []);
    assert_eq!(stage.pass(2 * SECOND).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_text_that_cannot_be_offered_again_is_tried_at_its_pace() {
    let mut stage = checked(memory(&[("db", 1)]));
    candidate(&mut stage).await;
    stage.conductor.refuse(ID, "no");
    assert_eq!(stage.now().await, failed("no"));
    fs::create_dir(stage.path()).unwrap();
    let told = stage.pass(12 * SECOND).await;
    assert!(
        matches!(&told[..], [Event::Failed(_, reason)] if reason.contains("folder")),
        "{told:?}"
    );
    fs::remove_dir(stage.path()).unwrap();
    assert!(matches!(stage.pass(6 * SECOND).await[..], [Event::Candidate(..)]));
}

#[tokio::test(start_paused = true)]
async fn what_goes_back_while_it_is_judged_is_put_right_after() {
    let mut stage = checked(memory(&[("db", 1)]));
    candidate(&mut stage).await;
    stage.conductor.accept(ID);
    stage.now().await;
    put(&stage.memory, "db", 2);
    candidate(&mut stage).await;
    stage.memory.remove("db-2");
    assert_eq!(stage.now().await, []);
    stage.conductor.accept(ID);
    let events = stage.now().await;
    let [Event::Rendered(ID, Outcome::Replaced), Event::Candidate(ID, path)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(fs::read_to_string(path).unwrap(), "10.0.0.1:80\n");
    stage.conductor.accept(ID);
    assert_eq!(stage.now().await, replaced());
    assert_eq!(stage.file(), "10.0.0.1:80\n");
    // If it is refused, what stands is right.
    put(&stage.memory, "db", 2);
    candidate(&mut stage).await;
    stage.memory.remove("db-2");
    assert_eq!(stage.pass(SECOND).await, []);
    stage.conductor.refuse(ID, "no");
    assert_eq!(stage.now().await, [failed("no"), unchanged()].concat());
    assert_eq!(stage.waiting(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_is_taken_away_is_a_failure_and_offered_again() {
    let mut stage = checked(memory(&[("db", 1)]));
    fs::remove_file(candidate(&mut stage).await).unwrap();
    stage.conductor.accept(ID);
    let events = stage.now().await;
    assert!(matches!(&events[..], [Event::Failed(ID, _)]), "{events:?}");
    let events = stage.pass(6 * SECOND).await;
    assert!(matches!(&events[..], [Event::Candidate(ID, _)]), "{events:?}");
    stage.conductor.accept(ID);
    assert_eq!(stage.now().await, replaced());
}

/// What was refused often, and stood then, begins anew when it is refused again.
#[tokio::test(start_paused = true)]
async fn who_stood_once_is_not_late_for_earlier_refusals() {
    let mut stage = checked(memory(&[("db", 1)]));
    candidate(&mut stage).await;
    for pause in [11, 21] {
        stage.conductor.refuse(ID, "no");
        stage.pass(pause * SECOND).await;
    }
    stage.conductor.accept(ID);
    assert_eq!(stage.now().await, replaced());
    put(&stage.memory, "db", 2);
    candidate(&mut stage).await;
    stage.conductor.accept(ID);
    assert_eq!(stage.now().await, replaced());
    // The first text once more.
    stage.memory.remove("db-2");
    candidate(&mut stage).await;
    stage.conductor.refuse(ID, "no");
    assert_eq!(stage.now().await, failed("no"));
    assert!(matches!(stage.pass(11 * SECOND).await[..], [Event::Candidate(..)]));
}

/// Nothing has changed since it was refused, and nothing will.
#[tokio::test(start_paused = true)]
async fn a_refused_text_that_is_accepted_later_and_cannot_be_written_is_tried_again() {
    let mut stage = checked(memory(&[("db", 1)]));
    candidate(&mut stage).await;
    stage.conductor.refuse(ID, "no");
    assert_eq!(stage.now().await, failed("no"));
    let offered = stage.pass(12 * SECOND).await;
    let [Event::Candidate(_, path)] = &offered[..] else { panic!("{offered:?}") };
    fs::remove_file(path).unwrap();
    stage.conductor.accept(ID);
    assert!(matches!(stage.now().await[..], [Event::Failed(..)]));
    let again = stage.pass(6 * SECOND).await;
    assert!(matches!(again[..], [Event::Candidate(..)]), "{again:?}");
    stage.conductor.accept(ID);
    assert_eq!((stage.now().await, stage.waiting()), (replaced(), vec![]));
}

/// The other one was accepted, and that it could not be written says nothing for the refusal.
#[tokio::test(start_paused = true)]
async fn a_refused_text_is_offered_again_after_another_that_could_not_be_written() {
    let mut stage = checked(memory(&[("db", 1)]));
    candidate(&mut stage).await;
    stage.conductor.refuse(ID, "no");
    assert_eq!(stage.now().await, failed("no"));
    put(&stage.memory, "db", 2);
    fs::remove_file(candidate(&mut stage).await).unwrap();
    stage.conductor.accept(ID);
    assert_eq!(stage.now().await.len(), 1);
    stage.memory.remove("db-2");
    let path = candidate(&mut stage).await;
    assert_eq!(fs::read_to_string(path).unwrap(), "10.0.0.1:80\n");
    stage.conductor.accept(ID);
    assert_eq!(stage.now().await, replaced());
}

#[tokio::test(start_paused = true)]
async fn nothing_stays_behind() {
    let mut stage = checked(memory(&[("db", 1)]));
    candidate(&mut stage).await;
    let Stage { folder, conductor, .. } = stage;
    drop(conductor);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
