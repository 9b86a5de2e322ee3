//! One suite of behaviours for all registries: Consul, etcd, the development catalog and the registry
//! in memory must do the same, but for what `registry::Traits` says of each.
//!
//! # How it runs
//!
//! Each registry is started once. Every behaviour is tried with every registry, on a thread of its
//! own with names of its own, many at once, for most of them wait; then those that break the registry
//! are, one after the other. `cargo test -p catalog --test suite -- NAME` tries those whose names
//! contain NAME, such as `consul`, `locks`, or `etcd::watching::keys`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test panics")]

mod elections;
mod keys;
mod locks;
mod outages;
mod questions;
mod registry;
mod runner;
mod services;
mod surveys;
mod watching;

use std::process::ExitCode;

use runner::{Behaviour, behaviours};

/// Tried side by side.
const BEHAVIOURS: &[Behaviour] = behaviours![
    services::an_instance_is_found_until_it_leaves,
    services::only_the_passing_are_found,
    services::a_heartbeat_for_what_is_not_there_is_refused,
    services::without_heartbeats_an_instance_is_not_found_any_more,
    services::who_comes_back_after_its_time_is_healthy_at_once,
    services::a_tag_selects,
    services::another_datacenter_is_never_taken_for_an_empty_one,
    services::a_query_waits_for_a_change,
    services::a_registrar_puts_tags_right_unless_others_may_change_them,
    services::a_marked_instance_stays_and_is_not_found,
    watching::a_watch_tells_of_changes_and_of_nothing_else,
    watching::a_watch_of_keys_tells_of_changes_and_of_nothing_else,
    questions::a_service_is_found_in_any_health_with_all_that_is_known_of_it,
    questions::the_names_of_services_have_the_tags_of_all_instances,
    questions::keys_come_with_what_is_known_of_them,
    questions::nodes_and_datacenters_are_known_or_refused,
    questions::a_question_waits_for_a_change,
    surveys::a_survey_tells_of_changes_and_of_nothing_else,
    keys::a_key_that_is_not_there_is_an_empty_answer,
    keys::values_are_any_bytes_and_prefixes_select,
    keys::a_query_waits_for_a_change,
    locks::a_session_lasts_while_it_is_renewed,
    locks::a_lock_is_one_sessions_and_its_tokens_grow,
    locks::a_lock_that_is_given_back_is_free_at_once,
    locks::a_lost_session_leaves_its_lock_to_nobody_for_the_lock_delay,
    locks::a_query_waits_for_another_holder,
    elections::of_three_one_leads_and_hands_over_at_once,
    elections::a_leader_that_is_killed_is_succeeded,
    elections::a_leader_whose_lock_is_deleted_learns_of_it,
];

/// Tried one after the other: they break the registry.
const OUTAGES: &[Behaviour] = behaviours![
    outages::a_registry_that_freezes_changes_nothing_but_the_leader,
    outages::a_registry_that_starts_again_empty_is_made_whole,
];

fn main() -> ExitCode {
    if registry::serve_if_told() {
        return ExitCode::SUCCESS;
    }
    runner::run(BEHAVIOURS, OUTAGES)
}
