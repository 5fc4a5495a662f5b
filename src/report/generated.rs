//! The files of the repository that are written from the code: pages of rules and schemas.

use std::fmt::Write as _;

use serde_json::Value;

use super::manual;
use crate::audit::{baseline, config};
use crate::rules::RULES;

/// Every generated file: its path in the repository, and its text. Sorted by path.
pub fn files() -> Vec<(String, String)> {
    let mut files = vec![
        ("docs/rules/README.md".to_owned(), index()),
        ("docs/schemas/audit-report.json".to_owned(), json(&super::audit::schema())),
        ("docs/schemas/baseline.json".to_owned(), json(&baseline::schema())),
        ("docs/schemas/config.json".to_owned(), json(&config::schema(RULES))),
        ("docs/schemas/rule-list.json".to_owned(), json(&manual::schema())),
        ("docs/schemas/plan.json".to_owned(), json(&crate::plan::file::schema())),
    ];
    files.extend(RULES.iter().map(|rule| (format!("docs/rules/{}.md", rule.id), manual::page(rule))));
    files.sort();
    files
}

/// The table of all rules.
fn index() -> String {
    let mut out = "# Rules\n\n| rule | severity | category | fix | reports |\n|---|---|---|---|---|\n".to_owned();
    for [id, severity, category, fix, summary] in manual::rows(RULES) {
        let summary = summary.replace('|', "\\|");
        writeln!(out, "| [{id}]({id}.md) | {severity} | {category} | {fix} | {summary} |")
            .expect("a String takes text");
    }
    out
}

fn json(value: &Value) -> String {
    format!("{value:#}\n")
}
