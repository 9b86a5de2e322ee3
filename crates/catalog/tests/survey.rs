//! Surveys, with time standing still.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use catalog::memory::{Memory, Mood, Verb};
use catalog::{
    Catalog, Error, Finding, Health, Keys, Query, Question, Registration, ServiceQuestion, Status,
    Survey,
};
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Longer than anything takes that is waited for.
const LONG: Duration = Duration::from_secs(600);

fn registration(service: &str, number: u16) -> Registration {
    Registration {
        id: format!("{service}-{number}"),
        name: service.to_owned(),
        check_id: format!("service:{service}-{number}"),
        address: "10.0.0.1".to_owned(),
        port: 8000 + number,
        tags: Vec::new(),
        meta: BTreeMap::new(),
        ttl: LONG * 100,
        enable_tag_override: false,
        deregister_critical_after: None,
    }
}

fn service(name: &str) -> Question {
    Question::Service(ServiceQuestion {
        name: name.to_owned(),
        tag: None,
        datacenter: None,
        near: None,
        health: Health::Passing,
    })
}

fn key(key: &str) -> Question {
    Question::Keys { keys: Keys::One(key.to_owned()), datacenter: None }
}

fn scene(questions: impl IntoIterator<Item = Question>) -> (Arc<Memory>, Survey) {
    let memory = Arc::new(Memory::new());
    let mut survey = Survey::new(Arc::clone(&memory) as Arc<dyn Catalog>, 10 * SECOND);
    survey.follow(questions.into_iter().collect());
    (memory, survey)
}

/// All that there is to tell within a while, the newest of each question, in short.
async fn told(survey: &mut Survey, time: Duration) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let until = tokio::time::Instant::now() + time;
    while let Ok(news) = tokio::time::timeout_at(until, survey.news()).await {
        for (question, finding) in news {
            all.insert(question.to_string(), short(&finding));
        }
    }
    all
}

fn short(finding: &Finding) -> String {
    let words: Vec<String> = match finding {
        Finding::Service(found) => found.iter().map(|it| it.id.clone()).collect(),
        Finding::Services(found) => found.iter().map(|it| it.name.clone()).collect(),
        Finding::Keys(found) => {
            found.iter().map(|it| String::from_utf8(it.value.clone()).unwrap()).collect()
        }
        other => panic!("{other:?}"),
    };
    words.join(" ")
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(question, answer)| (question.to_owned(), answer.to_owned())).into()
}

#[tokio::test(start_paused = true)]
async fn each_question_is_answered_and_then_only_what_has_changed() {
    let (memory, mut survey) = scene([service("a"), service("b"), key("k")]);
    let first = map([("service \"a\"", ""), ("service \"b\"", ""), ("key \"k\"", "")]);
    assert_eq!(told(&mut survey, SECOND).await, first, "an empty answer is one");
    memory.put(registration("a", 1), Status::Passing);
    assert_eq!(told(&mut survey, SECOND).await, map([("service \"a\"", "a-1")]));
    memory.put(registration("b", 1), Status::Critical);
    memory.set("other", b"x");
    assert_eq!(told(&mut survey, 60 * SECOND).await, map([]), "nobody has asked for that");
    // The newest of several changes, and none if it is so as before.
    memory.set("k", b"1");
    sleep(2 * SECOND).await;
    memory.set("k", b"2");
    memory.put(registration("a", 2), Status::Passing);
    sleep(2 * SECOND).await;
    memory.remove("a-2");
    sleep(2 * SECOND).await;
    assert_eq!(told(&mut survey, SECOND).await, map([("key \"k\"", "2")]));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_dropped_is_not_asked_any_more_and_asked_anew_when_it_returns() {
    let (memory, mut survey) = scene([service("a"), service("b")]);
    assert_eq!(told(&mut survey, SECOND).await.len(), 2);
    survey.follow(BTreeSet::from([service("b")]));
    assert_eq!(survey.len(), 1);
    sleep(SECOND).await;
    memory.take_seen();
    memory.put(registration("a", 1), Status::Passing);
    assert_eq!(told(&mut survey, 100 * SECOND).await, map([]));
    let asked = memory.take_seen();
    assert!(!asked.is_empty());
    let wanted = (Verb::Find, "service \"b\"".to_owned());
    assert!(asked.iter().all(|seen| *seen == wanted), "{asked:?}");
    // The same answer as when it was dropped would be told, too: nobody knows it any more.
    survey.follow(BTreeSet::from([service("a"), service("b")]));
    assert_eq!(told(&mut survey, SECOND).await, map([("service \"a\"", "a-1")]));
    survey.follow(BTreeSet::new());
    survey.follow(BTreeSet::from([service("a")]));
    assert_eq!(told(&mut survey, SECOND).await, map([("service \"a\"", "a-1")]));
    drop(survey);
    sleep(SECOND).await;
    memory.take_seen();
    sleep(100 * SECOND).await;
    assert_eq!(memory.take_seen(), []);
}

#[tokio::test(start_paused = true)]
async fn what_is_known_stands_during_an_outage_and_what_has_changed_is_told_after_it() {
    for mood in [
        Mood::Frozen,
        Mood::Failing(Error::Unreachable("gone".to_owned())),
        Mood::Failing(Error::Failed("no leader".to_owned())),
    ] {
        let (memory, mut survey) = scene([service("a"), service("b"), key("k")]);
        memory.put(registration("a", 1), Status::Passing);
        assert_eq!(told(&mut survey, SECOND).await.len(), 3);
        memory.set_mood(mood.clone());
        memory.put(registration("b", 1), Status::Passing);
        assert_eq!(told(&mut survey, 100 * SECOND).await, map([]), "{mood:?}");
        // Its index begins anew, and is by chance what it was.
        memory.wipe();
        memory.put(registration("b", 1), Status::Passing);
        memory.set_mood(Mood::Well);
        let after = map([("service \"a\"", ""), ("service \"b\"", "b-1")]);
        assert_eq!(told(&mut survey, 10 * SECOND).await, after, "{mood:?}");
    }
}

/// Whoever renders a text would mix what the registry has forgotten with what it has not been asked
/// for yet.
#[tokio::test(start_paused = true)]
async fn what_is_known_after_an_outage_is_told_at_once_and_whole() {
    let questions = || (0..40).map(|number| service(&format!("s{number}"))).chain([key("k")]);
    let (memory, mut survey) = scene(questions());
    let full = |memory: &Memory| {
        for number in 0..40 {
            memory.put(registration(&format!("s{number}"), 1), Status::Passing);
        }
        memory.set("k", b"1");
    };
    full(&memory);
    assert_eq!(told(&mut survey, SECOND).await.len(), 41);
    for _ in 0..3 {
        memory.set_mood(Mood::Failing(Error::Unreachable("gone".to_owned())));
        assert_eq!(told(&mut survey, 20 * SECOND).await, map([]));
        memory.wipe();
        memory.set_mood(Mood::Deaf("key \"k\"".to_owned()));
        assert_eq!(told(&mut survey, 4 * SECOND).await, map([]));
        memory.set_mood(Mood::Well);
        let first = timeout(6 * SECOND, survey.news()).await.unwrap();
        assert_eq!(first.len(), 41, "told in pieces");
        full(&memory);
        assert_eq!(told(&mut survey, 2 * SECOND).await.len(), 41);
    }
}

/// And not for long if some is never known.
#[tokio::test(start_paused = true)]
async fn what_another_server_never_answers_holds_the_rest_for_some_seconds() {
    let (memory, mut survey) = scene([service("a"), key("k")]);
    memory.put(registration("a", 1), Status::Passing);
    memory.set("k", b"1");
    assert_eq!(told(&mut survey, SECOND).await.len(), 2);
    memory.set_mood(Mood::Deaf("key \"k\"".to_owned()));
    memory.reachability().moved("another server");
    sleep(MS).await;
    memory.wipe();
    assert_eq!(told(&mut survey, 9 * SECOND).await, map([]));
    assert_eq!(told(&mut survey, 2 * SECOND).await, map([("service \"a\"", "")]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_just_before_an_outage_is_none_after_it() {
    let others: Vec<Question> = (0..50).map(|number| service(&format!("s{number}"))).collect();
    let (memory, mut survey) = scene(others.iter().cloned().chain([key("k")]));
    assert_eq!(told(&mut survey, SECOND).await.len(), others.len() + 1);
    // Changes so fast that all questions have to pause, while somebody else finds the outage.
    for value in 1..=5 {
        memory.set("k", value.to_string().as_bytes());
        assert_eq!(told(&mut survey, 10 * MS).await.len(), 1);
    }
    memory.set_mood(Mood::Failing(Error::Unreachable("gone".to_owned())));
    let query = Query {
        service: "new".to_owned(),
        tag: None,
        datacenter: None,
        near: None,
        max_staleness: 10 * SECOND,
    };
    let _watch = catalog::watch(Arc::clone(&memory) as Arc<dyn Catalog>, query);
    sleep(50 * MS).await;
    assert!(memory.reachability().outage().is_some());
    // It comes back without the key, and its index is by chance what it was.
    sleep(SECOND).await;
    memory.wipe();
    for number in 0..5 {
        memory.put(registration("other", number), Status::Passing);
    }
    memory.set_mood(Mood::Well);
    let seen = told(&mut survey, 3 * SECOND).await;
    assert_eq!(seen.get("key \"k\"").map(String::as_str), Some(""), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_learns_why_and_is_asked_for_again() {
    let (memory, mut survey) = scene([service("a")]);
    memory.set_mood(Mood::Failing(Error::Refused("HTTP 403: no".to_owned())));
    assert_eq!(timeout(LONG, survey.news()).await.unwrap(), []);
    assert_eq!(survey.trouble(&service("a")).unwrap(), "refused: HTTP 403: no");
    assert_eq!(survey.trouble(&service("b")), None);
    memory.set_mood(Mood::Well);
    let news = timeout(LONG, survey.news()).await.unwrap();
    assert_eq!(news.len(), 1);
    sleep(MS).await;
    assert_eq!(survey.trouble(&service("a")), None);
    // What fails may pass; it is told only if it lasts.
    memory.set_mood(Mood::Failing(Error::Failed("no leader".to_owned())));
    assert_eq!(told(&mut survey, 4 * SECOND).await, map([]));
    assert_eq!(survey.trouble(&service("a")), None);
    sleep(20 * SECOND).await;
    assert_eq!(survey.trouble(&service("a")).unwrap(), "failed: no leader");
}

#[tokio::test(start_paused = true)]
async fn thousands_of_questions_are_answered_without_a_pause_between_them() {
    let names: Vec<String> = (0..5000).map(|number| format!("s{number}")).collect();
    let begun = tokio::time::Instant::now();
    let (_memory, mut survey) = scene(names.iter().map(|name| service(name)));
    let mut count = 0;
    while count < names.len() {
        count += survey.news().await.len();
    }
    assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_questions_find_one_outage_and_ask_one_at_a_time() {
    let names: Vec<String> = (0..500).map(|number| format!("s{number}")).collect();
    let (memory, mut survey) = scene(names.iter().map(|name| service(name)));
    assert_eq!(told(&mut survey, SECOND).await.len(), names.len());
    memory.set_mood(Mood::Failing(Error::Unreachable("gone".to_owned())));
    sleep(2 * SECOND).await;
    assert_eq!(memory.reachability().outage().as_deref(), Some("gone"));
    memory.take_seen();
    // New ones are no reason to ask more often.
    survey.follow(names.iter().map(|name| service(&format!("{name}-new"))).collect());
    assert_eq!(told(&mut survey, 60 * SECOND).await, map([]));
    assert_eq!(memory.reachability().outage().as_deref(), Some("gone"));
    let probes = memory.take_seen().len();
    assert!((40..=150).contains(&probes), "{probes} in a minute");
    memory.set_mood(Mood::Well);
    assert_eq!(told(&mut survey, 5 * SECOND).await.len(), names.len());
}

#[tokio::test(start_paused = true)]
async fn what_troubles_all_questions_is_one_line() {
    /// What was warned of.
    static LINES: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    struct Recorder;
    impl log::Log for Recorder {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }
        fn log(&self, record: &log::Record<'_>) {
            LINES.lock().unwrap().push(record.args().to_string());
        }
        fn flush(&self) {}
    }
    log::set_logger(&Recorder).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let questions = (0..500).map(|number| service(&format!("s{number}")));
    let (memory, mut survey) = scene(questions);
    // The other tests of this program fail otherwise.
    for why in ["one reason", "another reason"] {
        memory.set_mood(Mood::Failing(Error::Refused(why.to_owned())));
        told(&mut survey, 60 * SECOND).await;
        assert_eq!(survey.trouble(&service("s7")).unwrap(), format!("refused: {why}"));
        let lines = LINES.lock().unwrap();
        let ours: Vec<&String> = lines.iter().filter(|line| line.contains(why)).collect();
        assert_eq!(ours.len(), 1, "{ours:?}");
    }
    memory.set_mood(Mood::Well);
    told(&mut survey, 60 * SECOND).await;
    assert_eq!(survey.trouble(&service("s7")), None);
    let lines = LINES.lock().unwrap();
    let over = lines.iter().filter(|line| line.contains("answers all questions again"));
    assert!(over.count() > 0);
}
