//! From findings to ordered, guarded steps; inverses and diffs. Pure.

pub mod change;
pub mod owners;
pub mod seen;
pub mod graph;
pub mod order;
pub mod merge;
pub mod simulate;
pub mod outlook;
pub mod diff;
pub mod hidden;
pub mod draft;
pub mod emit;
pub mod file;

pub use crate::fix::encode;
pub use crate::fix::patch::{self, Guarded, PatchError};
