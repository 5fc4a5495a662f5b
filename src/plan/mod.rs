//! From findings to ordered, guarded steps; inverses and diffs. Pure.

pub mod patch;
pub mod encode;
pub mod change;
pub mod seen;
pub mod graph;
pub mod order;
pub mod merge;
pub mod simulate;
pub mod outlook;
pub mod diff;

pub use patch::{Guarded, PatchError};
