//! The only code that reads or writes the world.

pub mod cluster;
pub mod manifests;
pub mod journal;
pub mod snapshot;
pub mod ownership;
pub mod change;
pub mod recover;
pub mod originals;
pub mod undo;
pub mod files;
pub mod configuration;
