//! Configuration, waivers, the engine that runs rules, the score. Pure.

pub mod engine;
pub mod guards;
pub mod score;

pub use engine::{Audit, RuleOutcome, run};
pub use score::{Score, score};
