//! Many questions to a real agent.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::{
    Catalog, Finding, Health, Observer, Operation, Outcome, Question, ServiceQuestion, Survey,
};
use serde_json::json;
use testkit::{Consul, wait_until};
use tokio::time::timeout;

use crate::support::client;

const LONG: Duration = Duration::from_secs(60);

/// Counts the requests that the agent did not answer.
#[derive(Default)]
struct Outages(Mutex<Vec<Operation>>);

impl Observer for Outages {
    fn request(&self, operation: Operation, _: Duration, outcome: Outcome) {
        if outcome == Outcome::Outage {
            self.0.lock().unwrap().push(operation);
        }
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

fn names(count: usize) -> BTreeSet<Question> {
    (0..count).map(|number| service(&format!("s{number}"))).collect()
}

/// Waits until all questions have their first answers, and says how long that took.
async fn settle(survey: &mut Survey) -> Duration {
    let begun = Instant::now();
    let mut count = 0;
    while count < survey.len() {
        count += timeout(LONG, survey.news()).await.unwrap().len();
    }
    begun.elapsed()
}

/// Puts an instance in, and waits until the survey tells of it.
async fn change(consul: &Consul, survey: &mut Survey, name: &str) -> Duration {
    let begun = Instant::now();
    consul.register(json!({ "Name": name, "ID": format!("{name}-1"), "Port": 80 }));
    loop {
        let news = timeout(LONG, survey.news()).await.unwrap();
        let is_there = |finding: &Finding| matches!(finding, Finding::Service(it) if it.len() == 1);
        if news.iter().any(|(question, it)| *question == service(name) && is_there(it)) {
            return begun.elapsed();
        }
    }
}

fn scene(consul: &Consul) -> (Arc<dyn Catalog>, Arc<Outages>, Survey) {
    let catalog = client(&consul.address());
    let outages = Arc::new(Outages::default());
    catalog.reachability().observe(Arc::clone(&outages) as Arc<dyn Observer>);
    let survey = Survey::new(Arc::clone(&catalog), LONG);
    (catalog, outages, survey)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_agent_of_few_connections_is_asked_by_turns() {
    let consul = Consul::start();
    let (_catalog, outages, mut survey) = scene(&consul);
    survey.follow(names(300));
    let first = settle(&mut survey).await;
    // Whoever needs a connection at the same time has one.
    for _ in 0..10 {
        assert_eq!(
            testkit::http("GET", &consul.address(), "/v1/status/leader", "").unwrap().status,
            200
        );
    }
    // 150 of them may wait.
    let mut took = Vec::new();
    for number in [0, 100, 200, 250, 299] {
        took.push(change(&consul, &mut survey, &format!("s{number}")).await);
    }
    println!("300 first answers in {first:.1?}; changes after {took:.1?}");
    assert!(took.iter().all(|took| *took < LONG / 3), "{took:?}");
    assert_eq!(*outages.0.lock().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn first_answers_do_not_need_the_connections_that_an_earlier_run_has_left() {
    let limits = json!({ "limits": { "http_max_conns_per_client": 600 } });
    let consul = Consul::start_with(limits);
    let path = "/v1/kv/x?index=1000000&wait=60s";
    let _earlier: Vec<TcpStream> = (0..400)
        .map(|_| {
            let mut earlier = TcpStream::connect(consul.address()).unwrap();
            write!(earlier, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            earlier
        })
        .collect();
    let (_catalog, _outages, mut survey) = scene(&consul);
    // The agent says that 450 may wait, and has 200 left.
    survey.follow(names(440));
    let first = settle(&mut survey).await;
    println!("440 first answers in {first:.1?}");
    assert!(first < LONG / 6, "{first:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn hundreds_of_questions_wait_for_changes_at_an_agent_that_bears_them() {
    const COUNT: usize = 600;
    let limits = json!({ "limits": { "http_max_conns_per_client": 8000 } });
    let mut consul = Consul::start_with(limits);
    let (catalog, outages, mut survey) = scene(&consul);
    survey.follow(names(COUNT));
    let first = settle(&mut survey).await;
    let changed = change(&consul, &mut survey, "s1").await;
    assert_eq!(*outages.0.lock().unwrap(), []);
    assert!(changed < LONG / 12, "{changed:?}");

    // All are cut at once, and asked again.
    consul.kill();
    wait_until("that is noticed", LONG, || catalog.reachability().outage());
    consul.restart_empty();
    let back = Instant::now();
    let (news, after) = loop {
        let news = timeout(LONG, survey.news()).await.unwrap();
        if !news.is_empty() {
            break (news, back.elapsed());
        }
    };
    assert_eq!(news.len(), 1, "{news:?}");
    let again = change(&consul, &mut survey, &format!("s{}", COUNT - 1)).await;
    println!(
        "{COUNT} first answers in {first:.1?}, a change after {changed:.1?}; after an outage \
         {after:.1?}, a change after {again:.1?}"
    );
}
