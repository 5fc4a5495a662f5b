//! Tests against a real API server: every write path, every guard, RBAC and the connection flags.
//!
//! `harness` starts the control plane; each other module tests one part of the plugin on it.

mod core_loop;
mod harness;
mod harness_test;
<<<<<<< HEAD
mod reading;
mod scene;
mod undo;
mod waiting;
mod writes;
=======
mod prompts;
>>>>>>> clitests
