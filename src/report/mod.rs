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

/// The files that are generated from this module: path in the repository, and content.
pub fn generated() -> Vec<(String, String)> {
    vec![("docs/schemas/audit-report.json".to_owned(), audit::schema())]
}

#[cfg(test)]
mod samples;
