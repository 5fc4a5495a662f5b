//! Configuration, waivers, the engine that runs rules, the score. Pure.

pub mod suggest;
pub mod filter;
pub mod answer;
pub mod config;
pub mod guards;
pub mod folded;
pub mod engine;
pub mod score;
pub mod waivers;
pub mod baseline;
pub mod configured;
pub mod starter;
#[cfg(test)]
pub(crate) mod test_rules;

pub use answer::{SetError, parse_set};
pub use baseline::Baseline;
pub use config::{Config, ConfigError};
pub use configured::{run_configured, run_configured_to};
pub use engine::{Audit, RuleOutcome, Waived, run};
pub use filter::Filter;
pub use score::{Score, score};
pub use starter::starter;
