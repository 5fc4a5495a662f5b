//! Rules for the tests of what depends on rules: one with a parameter of every kind, one bare.

use crate::finding::{Category, Location, Priority, Severity};
use crate::fix::Applicability;
use crate::rules::rule::{Context, Parameter, ParameterKind, Rule, Verdicts};

const fn parameter(key: &'static str, kind: ParameterKind, default: Option<&'static str>) -> Parameter {
    Parameter { key, prompt: "a question", kind, default }
}

const MANY: Rule = Rule {
    id: "test-many",
    summary: "every Deployment",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::Security,
    fix: Some(Applicability::Input),
    impact: "Nothing.",
    parameters: &[
        parameter("endpoint", ParameterKind::Text("https://.+"), None),
        parameter("style", ParameterKind::Choice(&["a", "b"]), Some("a")),
        parameter("count", ParameterKind::Number(1), Some("24")),
        parameter("done", ParameterKind::Acknowledge, None),
        parameter("confirm", ParameterKind::Confirm, None),
        parameter("hosts", ParameterKind::List, None),
        parameter("flags", ParameterKind::Map, None),
    ],
    next_stages: &[],
    unmoved_by: &[],
    manual: " ## What it does\n Reports every Deployment.\n",
    check,
};

const BARE: Rule = Rule { id: "test-bare", parameters: &[], fix: None, check: say_nothing, ..MANY };

/// Both.
pub(crate) static RULES: &[&Rule] = &[&BARE, &MANY];

/// Two findings for every Deployment, at two places.
fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    for (_, workload) in context.inventory.audited_workloads() {
        for pointer in ["/spec/a", "/spec/b"] {
            verdicts.fail(context.finding(workload, "is a Deployment").at(Location::at(pointer)));
        }
    }
}

fn say_nothing(_: &Context<'_>, _: &mut Verdicts<'_>) {}
