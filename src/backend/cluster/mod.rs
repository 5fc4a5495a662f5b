//! A live cluster: connect, list, dry-run, apply, wait.

pub mod connect;
pub mod answer;
pub mod resources;
pub mod list;
pub mod discover;
pub mod load;
pub mod objects;
pub mod write;
pub mod follow;
pub mod rollout;
pub mod checks;
