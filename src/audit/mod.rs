//! Configuration, waivers, the engine that runs rules, the score. Pure.

pub mod suggest;
pub mod filter;
pub mod answer;
pub mod config;
pub mod guards;
pub mod engine;
#[cfg(test)]
pub(crate) mod test_rules;

pub use answer::{SetError, parse_set};
pub use config::{Config, ConfigError};
pub use engine::{Audit, RuleOutcome, run};
pub use filter::Filter;
