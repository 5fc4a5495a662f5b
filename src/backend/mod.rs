//! The only code that reads or writes the world.

pub mod cluster;
pub mod manifests;
pub mod journal;
