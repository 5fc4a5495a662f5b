//! A live cluster: connect, list, dry-run, apply, wait.

pub mod connect;
pub mod answer;
pub mod resources;
pub mod rights;
pub mod list;
pub mod discover;
pub mod load;
pub mod objects;
pub mod access;
pub mod write;
pub mod follow;
pub mod condition;
pub mod rollout;
pub mod refresh;
pub mod checks;
