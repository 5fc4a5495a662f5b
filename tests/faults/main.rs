//! The proof by faults: whatever happens between us and the server, and whenever we are killed,
//! nothing is lost, nothing is done that the journal does not know, and all can be taken back.
//!
//! `stages` sets the fixtures of the rules up on a real API server; the sweeps then spoil one
//! request of a run after the other through `proxy`. `make test` runs a sample that is the same each
//! time. `PROGRC_LONG=1`, which `make test-long` sets, takes all fixtures; those of a rule that send the
//! same requests are the same to the protocol, and the first of them stands for all. It dies at every
//! boundary, and each request meets some of the faults. `PROGRC_CASES=all` takes every fixture and
//! every fault.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

#[path = "../cluster/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "other tests use what these do not")]
mod harness;
#[path = "../rules/scene.rs"]
#[expect(dead_code, reason = "the rules' own tests use what these do not")]
mod scene;

mod answers;
mod controllers;
mod crash;
mod crowd;
mod fault;
mod interrupts;
mod kinds;
mod moments;
mod proxy;
mod setting;
mod stage;
mod stages;
mod state;
mod table;
mod writers;
