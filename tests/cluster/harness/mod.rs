//! A real control plane on loopback for the tests, and short words to use it.
//!
//! A test asks for a plane ([`ControlPlane::full`] and its siblings), takes a [`TestNamespace`] of
//! its own from it, applies manifests, runs the plugin and looks at what the server holds. A plane
//! is started once a test binary, when the first test asks for it, and ends with the process,
//! however that ends (see [`process`]).

mod api;
mod assets;
mod audit_log;
mod command;
mod components;
mod credentials;
mod namespace;
mod plane;
mod process;
mod users;
pub(crate) mod wait;

pub(crate) use audit_log::AuditEntry;
pub(crate) use command::{Finished, Invocation};
pub(crate) use credentials::User;
pub(crate) use namespace::TestNamespace;
pub(crate) use plane::ControlPlane;
pub(crate) use process::{Process, Scratch};
pub(crate) use users::Rule;
pub(crate) use wait::{WAIT, wait_until};
