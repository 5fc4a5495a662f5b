//! The connection layer against servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod credentials;
mod failures;
mod lists;
mod requests;
mod server;
mod world;
