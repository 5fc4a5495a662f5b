//! Which findings a table shows: of many that say the same, the first.
//!
//! All that a table needs of the others is kept, and no more: thousands of them have thousands of
//! manifests and sentences.

use foldhash::{HashMap, HashMapExt, HashSet};

use crate::finding::Finding;
use crate::rules::rule::FEW;

/// The positions of the findings that are shown, each with the number of those that are left out
/// after it. Findings of one rule that say the same and have the same kind of fix are told together,
/// in the order of their first.
pub fn fold(findings: &[&Finding]) -> Vec<(usize, usize)> {
    let mut classes: Vec<Vec<usize>> = Vec::new();
    let mut known = HashMap::new();
    for (position, finding) in findings.iter().enumerate() {
        let head = (finding.severity, finding.rule, finding.priority);
        let at = *known.entry((head, finding.message.as_str(), finding.class())).or_insert_with(|| {
            classes.push(Vec::new());
            classes.len() - 1
        });
        classes[at].push(position);
    }
    let mut out = Vec::new();
    for class in classes {
        if class.len() > FEW {
            out.push((class[0], class.len() - 1));
        } else {
            out.extend(class.into_iter().map(|position| (position, 0)));
        }
    }
    out
}

/// Takes the details from the findings of one rule that a table will not show. False if one that it
/// shows has none.
#[must_use]
pub fn abridge(findings: &mut [Finding]) -> bool {
    let shown: HashSet<usize> = fold(&findings.iter().collect::<Vec<_>>()).into_iter().map(|(at, _)| at).collect();
    for (_, finding) in findings.iter_mut().enumerate().filter(|(at, _)| !shown.contains(at)) {
        finding.abridge();
    }
    shown.iter().all(|at| findings[*at].abridged.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::engine::run_to;
    use crate::fix::{Applicability, Fix};
    use crate::model::{Inventory, ObjectRef};
    use crate::rules::missing_pdb::RULE;
    use crate::rules::rule::{Context, Depth, Rule, Verdicts};
    use crate::rules::settings::Settings;
    use serde_json::json;

    #[test]
    fn equal_findings_are_told_once() {
        let (inventory, settings) = (Inventory::default(), Settings::default());
        let context = Context::whole(&inventory, &settings, &RULE);
        let subject = ObjectRef::new("apps/v1", "Deployment", Some("shop"), "web").into();
        let (same, other) = (context.finding_about(&subject, "same"), context.finding_about(&subject, "other"));
        let (few, many) = (vec![same.clone(); 3], vec![same.clone(); 4]);
        let fold_all = |findings: &[Finding]| fold(&findings.iter().collect::<Vec<_>>());
        assert_eq!(fold_all(&few), [(0, 0), (1, 0), (2, 0)]);
        assert_eq!(fold_all(&many), [(0, 3)]);
        let mixed = [same.clone(), other, same];
        assert_eq!(fold_all(&mixed), [(0, 0), (2, 0), (1, 0)]);
        assert!(fold(&[]).is_empty());
    }

    #[test]
    fn what_is_shown_has_its_details_in_whatever_order_a_rule_finds_it() {
        static BACKWARDS: Rule = Rule { check: backwards, fix: Some(Applicability::Manual), ..RULE };
        fn backwards(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
            let workloads: Vec<_> = context.inventory.audited_workloads().collect();
            for (_, workload) in workloads.into_iter().rev() {
                let finding = context.finding(workload, "same");
                let detail = |finding: Finding| finding.because("why").fix(Fix::new("x", Applicability::Manual));
                verdicts.fail(context.detail_as(Some(Applicability::Manual), finding, detail));
            }
        }
        let mut inventory = Inventory::default();
        for name in ["a", "b", "c", "d", "e"] {
            let object = json!({"metadata": {"name": name, "namespace": "x"}, "spec": {"template": {}}});
            inventory.add("apps/v1", "Deployment", object, None).unwrap();
        }
        let audit = run_to(Depth::Folded, &inventory.finish(), &Settings::default(), &[&BACKWARDS]);
        let abridged: Vec<bool> = audit.findings.iter().map(|finding| finding.abridged.is_some()).collect();
        assert_eq!(abridged, [false, true, true, true, true]);
        assert_eq!((audit.findings[0].object.name.as_str(), audit.findings[0].evidence.len()), ("a", 1));
    }
}
