//! The program itself, with real catalogs: what it renders, what it runs, how it ends.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used, reason = "a test fails by it")]

mod beside;
mod catalogs;
mod commands;
mod line;
mod reload;
mod settings;
mod support;
mod transport;
