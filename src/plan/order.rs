//! The order in which findings are shown and their fixes are offered: that of [`super::graph`].

use std::borrow::Cow;

use super::graph::{self, Planned};
use crate::finding::Finding;
use crate::model::Inventory;

/// Sorts findings into the order in which their first fixes are applied. A finding without a fix
/// keeps its place among the others.
pub fn sort(findings: &mut Vec<Finding>, inventory: &Inventory) {
    let fixes: Vec<Planned<'_>> = findings.iter().map(|finding| planned(finding, inventory)).collect();
    let order = graph::order(&fixes);
    let mut taken: Vec<Option<Finding>> = std::mem::take(findings).into_iter().map(Some).collect();
    findings.extend(order.into_iter().filter_map(|index| taken[index].take()));
}

fn planned<'a>(finding: &'a Finding, inventory: &Inventory) -> Planned<'a> {
    match finding.fixes.first() {
        Some(fix) => Planned::of(finding, fix, inventory),
        None => Planned {
            rule: finding.rule.to_owned(),
            object: finding.object.clone(),
            fix: Cow::Owned(crate::fix::Fix::new("", crate::fix::Applicability::Manual)),
            about: vec![finding.object.clone()],
        },
    }
}
