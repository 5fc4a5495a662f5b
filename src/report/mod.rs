//! Reports for people and machines. Pure.

pub mod manual;
pub mod generated;
