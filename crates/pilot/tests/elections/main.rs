//! Three programs stand in an election, each in a host of its own, at a cluster of three registry
//! servers. Round by round one of them is killed, stopped, cut off or asked to leave, or the
//! cluster loses its leader; each time somebody leads again, and never two at once.
//!
//! What is proven, and by what:
//! - by time: the jobs on `elected` and `demoted` keep a journal. No two leaderships in it overlap,
//!   those excepted whose program stood still and could not know.
//! - by token: while a program believes to lead, a writer of its writes to a log that refuses
//!   tokens older than one that it has seen. No token is used by two, none comes after a greater
//!   one, and nobody is refused who was awake all the time.
//!
//! `ELECTION_ROUNDS` (8) is the number of rounds, `ELECTION_SEED` what they are made from; it is
//! printed, and the same seed makes the same rounds.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper reports by panicking"
)]

mod chance;
mod field;
mod history;
#[path = "../support/program.rs"]
mod program;
mod round;

use chance::Chance;
use field::{Field, Registry};
use round::{Rounds, Vacancies};

/// Rounds of one registry, and how long nobody led after each kind of loss.
fn hold(registry: Registry, rounds: usize) {
    let mut chance = Chance::from_environment("ELECTION_SEED");
    println!("{registry:?}: {rounds} rounds, ELECTION_SEED={}", chance.seed());
    let mut field = Field::start(registry);
    field.await_leader();
    let mut vacancies = Vacancies::default();
    let mut to_come = Rounds::default();
    for number in 1..=rounds {
        let round = to_come.draw(&mut chance);
        let vacancy = round.play(&mut field);
        println!("{registry:?} {number}: {round}, vacant for {vacancy:?}");
        field.history().check().unwrap_or_else(|fault| panic!("{registry:?} {number}: {fault}"));
        vacancies.add(&round, vacancy);
    }
    println!("{registry:?}, {rounds} rounds, {} stale writes refused", field.history().refusals());
    println!("{vacancies}");
    vacancies.check();
}

fn rounds() -> usize {
    std::env::var("ELECTION_ROUNDS").map_or(8, |text| text.parse().expect("a number of rounds"))
}

#[test]
fn consul_has_one_leader() {
    hold(Registry::Consul, rounds());
}

#[test]
fn etcd_has_one_leader() {
    // One deck where the other has eight rounds.
    hold(Registry::Etcd, (rounds() * 5).div_ceil(8));
}
