//! A live cluster: connect, list, dry-run, apply, wait.

pub mod connect;
