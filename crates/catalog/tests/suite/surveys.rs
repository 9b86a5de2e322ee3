//! Surveys: many questions at once.

use std::collections::BTreeSet;
use std::time::Duration;

use catalog::{Finding, Health, Question, Registration, Status, Survey};
use tokio::time::{Instant, timeout_at};

use crate::registry::{LONG, SECOND, Scene};

pub(crate) async fn a_survey_tells_of_changes_and_of_nothing_else(scene: Scene) {
    let catalog = scene.connect();
    let [one, two] = [1, 2].map(|number| scene.registration(number));
    let (any, passing) = (scene.service(Health::Any), scene.service(Health::Passing));
    let (key, under) = (scene.pair("a/x"), scene.pairs("a/"));
    let questions = [&any, &passing, &key, &under].map(Question::clone);
    let mut survey = Asked::start(&scene, &questions);
    for question in &questions {
        survey.becomes(question, "").await;
    }
    catalog.register(&one, Status::Passing, "").await.unwrap();
    survey.becomes(&any, "1+").await;
    survey.becomes(&passing, "1+").await;
    catalog.register(&two, Status::Critical, "broken").await.unwrap();
    survey.becomes(&any, "1+ 2!").await;
    // What its check says may come a moment later.
    survey.settle(SECOND).await;
    // The same again, and what is not asked about.
    catalog.register(&one, Status::Passing, "").await.unwrap();
    catalog.heartbeat(&one, Status::Passing, "").await.unwrap();
    scene.registry.set(&scene.key("b"), b"3");
    survey.is_quiet(SECOND).await;

    // What a watch does not look at is news here.
    let tagged = Registration { tags: vec!["blue".to_owned()], ..one.clone() };
    catalog.register(&tagged, Status::Passing, "").await.unwrap();
    let seen = survey.next(&passing).await;
    assert!(matches!(&seen, Finding::Service(found) if found[0].tags == ["blue"]), "{seen:?}");
    survey.becomes(&any, "1+ 2!").await;

    scene.registry.set(&scene.key("a/x"), b"1");
    survey.becomes(&key, "1").await;
    survey.becomes(&under, "1").await;
    // Deleted and set again it is another one.
    scene.registry.unset(&scene.key("a/x"));
    survey.becomes(&key, "").await;
    survey.becomes(&under, "").await;
    scene.registry.set(&scene.key("a/x"), b"1");
    survey.becomes(&key, "1").await;
    survey.becomes(&under, "1").await;

    // What is not followed any more is not told of.
    survey.survey.follow(BTreeSet::from([any.clone(), key.clone()]));
    scene.registry.set(&scene.key("a/y"), b"2");
    catalog.deregister(&two).await.unwrap();
    survey.becomes(&any, "1+").await;
    survey.is_quiet(SECOND).await;
    survey.survey.follow(BTreeSet::from([any.clone(), under.clone()]));
    survey.becomes(&under, "1 2").await;
    catalog.deregister(&one).await.unwrap();
    survey.becomes(&any, "").await;
    survey.is_quiet(SECOND).await;
}

/// A survey, and who looks at what it tells.
pub(crate) struct Asked {
    pub(crate) survey: Survey,
    told: Vec<(Question, std::sync::Arc<Finding>)>,
}

impl Asked {
    pub(crate) fn start(scene: &Scene, questions: &[Question]) -> Asked {
        let mut survey = Survey::new(scene.connect(), 10 * SECOND);
        survey.follow(questions.iter().cloned().collect());
        Asked { survey, told: Vec::new() }
    }

    /// The next answer to a question; those to others are kept.
    pub(crate) async fn next(&mut self, question: &Question) -> Finding {
        let until = Instant::now() + LONG;
        loop {
            if let Some(at) = self.told.iter().position(|(of, _)| of == question) {
                return (*self.told.remove(at).1).clone();
            }
            let Ok(news) = timeout_at(until, self.survey.news()).await else {
                panic!("nothing new of {question}; trouble: {:?}", self.survey.trouble(question));
            };
            self.told.extend(news);
        }
    }

    /// Waits until that is the answer. What comes before differs from what was before that.
    pub(crate) async fn becomes(&mut self, question: &Question, wanted: &str) {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|last| last != wanted) {
            let next = short(&self.next(question).await);
            seen.push(next);
            assert!(seen.len() < 10, "{question}: {seen:?}, want {wanted:?}");
        }
    }

    /// Forgets what is told within a while.
    pub(crate) async fn settle(&mut self, time: Duration) {
        self.hear(time).await;
        self.told.clear();
    }

    async fn hear(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Ok(news) = timeout_at(until, self.survey.news()).await {
            self.told.extend(news);
        }
    }

    /// There is nothing to tell for a while.
    pub(crate) async fn is_quiet(&mut self, time: Duration) {
        self.hear(time).await;
        assert!(self.told.is_empty(), "{:?}", self.told);
    }
}

/// The last parts of ids and whether they pass; values.
fn short(finding: &Finding) -> String {
    let words: Vec<String> = match finding {
        Finding::Service(found) => {
            let word = |it: &catalog::Endpoint| {
                let number = it.id.rsplit('-').next().unwrap();
                let sign = if it.status() == Status::Passing { '+' } else { '!' };
                format!("{number}{sign}")
            };
            found.iter().map(word).collect()
        }
        Finding::Keys(found) => {
            found.iter().map(|it| String::from_utf8(it.value.clone()).unwrap()).collect()
        }
        other => panic!("{other:?}"),
    };
    words.join(" ")
}
