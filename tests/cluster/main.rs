//! Tests against a real API server: every write path, every guard, RBAC and the connection flags.
//!
//! `harness` starts the control plane; each other module tests one part of the plugin on it.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

mod assessed;
mod capacity;
mod core_loop;
mod custom;
mod emit;
#[path = "../network_policies/flows.rs"]
mod flows;
mod floor;
mod harness;
mod plan;
mod harness_test;
mod journal;
mod ownership;
mod preflight;
mod reading;
mod recover;
mod roles;
mod scene;
mod undo;
mod answers;
mod checks;
mod rollback;
mod signals;
mod waiting;
mod writes;
mod planted;
mod policies;
mod prompts;
