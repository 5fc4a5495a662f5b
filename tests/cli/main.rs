//! The program as a user meets it: spawned, in a scrubbed environment, without a cluster.
//!
//! `run` starts it; each other module tests one side of it. What needs a server is in
//! `tests/cluster`.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

mod run;
mod audit;
mod bad_input;
mod golden;
mod init;
mod terminal;
mod commands;
mod completion;
mod flags;
mod manifests;
mod planted;
mod cluster;
