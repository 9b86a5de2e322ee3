//! A survey in a process that may open few files. Alone in its program: the limit is for all of it.
#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use catalog::memory::Memory;
use catalog::{Catalog, Keys, Question, Survey};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

const MINUTE: Duration = Duration::from_secs(60);

fn key(number: usize) -> Question {
    Question::Keys { keys: Keys::One(number.to_string()), datacenter: None }
}

#[tokio::test(start_paused = true)]
async fn half_of_the_files_are_left_to_others() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 600, hard).unwrap();
    // Who waits for a change is silent for a minute; where places are rare they change hands each
    // ten seconds.
    assert!(asked_in_a_minute(300).await <= 600);
    assert!(asked_in_a_minute(301).await >= 1500);
    // Also if these are fewer than any registry bears.
    setrlimit(Resource::RLIMIT_NOFILE, 128, hard).unwrap();
    assert!(asked_in_a_minute(64).await <= 128);
    assert!(asked_in_a_minute(65).await >= 300);
}

/// Of a registry that takes any number of connections.
async fn asked_in_a_minute(questions: usize) -> usize {
    let memory = Arc::new(Memory::new());
    let mut survey = Survey::new(Arc::clone(&memory) as Arc<dyn Catalog>, MINUTE);
    survey.follow((0..questions).map(key).collect());
    tokio::time::sleep(2 * MINUTE).await;
    memory.take_seen();
    tokio::time::sleep(MINUTE).await;
    memory.take_seen().len()
}
