//! Random worlds: namespaces that are legal and unlucky. Whatever their fixes do, nobody loses a pod,
//! a drain is not blocked that was not, no finding is new, and all comes back.
//!
//! `make test` runs some worlds, `PROGRC_LONG=1` many. `PROGRC_WORLD_SEED=7` repeats one,
//! `PROGRC_WORLDS=21..60` runs a slice. Each world says how it ended when it has.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

#[path = "../cluster/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "other tests use what these do not")]
mod harness;
#[path = "../faults/kinds.rs"]
#[expect(dead_code, reason = "no custom resource is installed here")]
mod kinds;
#[path = "../faults/state.rs"]
#[expect(dead_code, reason = "other tests use what these do not")]
mod state;

mod chance;
mod workloads;
mod around;
mod limits;
mod generate;
mod look;
mod world;
