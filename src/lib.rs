//! The map of the house, from the ground up: a module uses only what is listed above it.
//!
//! An object's way: `backend` loads it into a `model` inventory, `rules` judge it through
//! `audit`, a `finding` carries its `fix`, `plan` turns that into guarded steps, `backend`
//! writes and journals them, `report` shows it, `cli` asks and prints.

pub mod model;
pub mod fix;
pub mod finding;
pub mod rules;
pub mod audit;
pub mod plan;
pub mod backend;
pub mod report;
pub mod cli;
