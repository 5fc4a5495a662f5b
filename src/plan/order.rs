//! The order in which fixes are applied: additive before subtractive, causes before symptoms,
//! one restart of a workload however many fixes need it, bounds after everything they bound.

use crate::finding::Finding;
use crate::fix::{Fix, Step};
use crate::model::Subject;

/// The rules whose order matters, from first to last. Fixes of other rules come between those of
/// the two halves, in the order of their findings.
const FIRST: [&str; 12] = [
    "hpa-cannot-scale",
    "unbounded-db-pool",
    "misconfigured-hpa",
    "replicas-below-hpa-min",
    "missing-pdb",
    "missing-limit-range",
    "ingress-without-tls",
    "redundant-load-balancer",
    "missing-ingress-policy",
    "missing-egress-policy",
    "dev-storage-endpoint",
    "insecure-flag",
];

/// Rules whose fixes follow every restart.
const LAST: [&str; 4] =
    ["missing-resource-quota", "insecure-security-context", "pod-security-not-enforced", "missing-default-deny"];

/// Where a rule's fixes stand: the smaller comes first.
pub fn rank(rule: &str) -> usize {
    if let Some(at) = FIRST.iter().position(|first| *first == rule) {
        return at;
    }
    match LAST.iter().position(|last| *last == rule) {
        Some(at) => FIRST.len() + 1 + at,
        None => FIRST.len(),
    }
}

/// True if fixes of this rule follow every restart of a batch.
pub fn follows_restarts(rule: &str) -> bool {
    LAST.contains(&rule)
}

/// Sorts findings into the order in which their fixes are applied.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_cached_key(|finding| rank(finding.rule));
}

/// The steps of a fix without its restarts, and the workloads that it wants restarted: in a batch
/// these are put together.
pub fn split_restarts(fix: &Fix) -> (Vec<Step>, Vec<Subject>) {
    let (restarts, steps): (Vec<Step>, Vec<Step>) =
        fix.steps.iter().cloned().partition(|step| matches!(step, Step::Restart { .. }));
    (steps, restarts.iter().map(|step| step.object().clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::{Applicability, Edit};
    use crate::model::ObjectRef;

    #[test]
    fn the_order_is_that_of_the_protocol() {
        let order = |before: &str, after: &str| assert!(rank(before) < rank(after), "{before} before {after}");
        order("replicas-below-hpa-min", "missing-pdb");
        order("missing-limit-range", "missing-resource-quota");
        order("ingress-without-tls", "redundant-load-balancer");
        order("redundant-load-balancer", "missing-ingress-policy");
        order("missing-ingress-policy", "missing-egress-policy");
        order("missing-egress-policy", "dev-storage-endpoint");
        order("missing-egress-policy", "missing-default-deny");
        order("insecure-security-context", "pod-security-not-enforced");
        order("insecure-flag", "missing-resource-quota");
    }

    #[test]
    fn restarts_are_taken_out() {
        let web = Subject::new(ObjectRef::new("apps/v1", "Deployment", Some("a"), "web"));
        let map = Subject::new(ObjectRef::new("v1", "ConfigMap", Some("a"), "config"));
        let fix = Fix::new("x", Applicability::Unsafe)
            .step(Step::patch(&map, vec![Edit::set("/data/A", "1")]))
            .step(Step::Restart { object: web.clone() });
        let (steps, restarts) = split_restarts(&fix);
        assert_eq!((steps.len(), restarts), (1, vec![web]));
    }
}
