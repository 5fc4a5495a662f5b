//! Reports for people and machines. Pure.
//!
//! Every output of `audit` is made from one [`audit::AuditReport`], in which nothing stands that
//! may not be shown.

pub mod text;
pub mod diff;
pub mod audit;
pub mod fixes;
pub mod table;
pub mod name;
pub mod actions;
pub mod rbac;
pub mod manual;
pub mod plan;
pub mod generated;

#[cfg(test)]
mod samples;
