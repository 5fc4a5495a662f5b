use super::*;
use crate::fix::{Applicability, Edit};
use crate::model::ObjectRef;
use serde_json::json;

fn object(kind: &str, name: &str) -> Subject {
    let (version, namespace) = match kind {
        "Namespace" => ("v1", None),
        "Deployment" => ("apps/v1", Some("a")),
        _ => ("v1", Some("a")),
    };
    Subject::new(ObjectRef::new(version, kind, namespace, name))
}

/// A fix of a rule for an object, with these steps.
fn planned(rule: &str, object: &Subject, about: &[&Subject], steps: Vec<Step>) -> Planned<'static> {
    let mut fix = Fix::new(rule, Applicability::Unsafe);
    fix.steps = steps;
    let about = [object].into_iter().chain(about.iter().copied()).cloned().collect();
    Planned { rule: rule.to_owned(), object: object.clone(), fix: std::borrow::Cow::Owned(fix), about }
}

fn set(object: &Subject, pointer: &str) -> Step {
    Step::patch(object, vec![Edit::set(pointer, "x")])
}

/// The rules in the order of the plan, whichever way round they were given.
#[track_caller]
fn assert_order(first: &Planned<'_>, second: &Planned<'_>) {
    for fixes in [[first.clone(), second.clone()], [second.clone(), first.clone()]] {
        let order: Vec<&str> = order(&fixes).into_iter().map(|index| fixes[index].rule.as_str()).collect();
        assert_eq!(order, [first.rule.as_str(), second.rule.as_str()]);
    }
}

/// Nothing joins them: they stay as given.
#[track_caller]
fn assert_free(one: &Planned<'_>, other: &Planned<'_>) {
    assert_eq!(edges(&[one.clone(), other.clone()]), [BTreeSet::new(), BTreeSet::new()]);
}

#[test]
fn the_floor_of_a_workload_is_real_before_its_budget() {
    let (web, other) = (object("Deployment", "web"), object("Deployment", "other"));
    let scaler = object("HorizontalPodAutoscaler", "web");
    let cause = planned("hpa-cannot-scale", &web, &[], vec![set(&web, "/spec/x")]);
    let raise = planned("replicas-below-hpa-min", &web, &[], vec![set(&web, "/spec/replicas")]);
    let budget = planned("missing-pdb", &web, &[], vec![]);
    let bounds = planned("misconfigured-hpa", &scaler, &[&web], vec![set(&scaler, "/spec/maxReplicas")]);
    let pool = planned("unbounded-db-pool", &web, &[], vec![]);
    for (first, second) in [
        (&cause, &raise),
        (&raise, &budget),
        (&cause, &budget),
        (&bounds, &budget),
        (&bounds, &raise),
        (&pool, &raise),
        (&pool, &bounds),
    ] {
        assert_order(first, second);
    }
    assert_free(&planned("missing-pdb", &other, &[], vec![]), &raise);
}

#[test]
fn a_route_is_proven_before_an_address_goes_and_policies_follow() {
    let (service, ingress) = (object("Service", "web"), object("Ingress", "web"));
    let web = object("Deployment", "web");
    let tls = planned("ingress-without-tls", &ingress, &[], vec![]);
    let balancer = planned("redundant-load-balancer", &service, &[&ingress, &web], vec![]);
    let incoming = planned("missing-ingress-policy", &web, &[], vec![]);
    assert_order(&tls, &balancer);
    assert_order(&balancer, &incoming);
    let elsewhere = planned("missing-ingress-policy", &object("Deployment", "other"), &[], vec![]);
    assert_free(&elsewhere, &balancer);
}

#[test]
fn policies_that_allow_come_before_those_that_deny() {
    let (web, other) = (object("Deployment", "web"), object("Deployment", "other"));
    let namespace = object("Namespace", "a");
    let incoming = planned("missing-ingress-policy", &other, &[], vec![]);
    let outgoing = planned("missing-egress-policy", &web, &[], vec![]);
    let deny = planned("missing-default-deny", &namespace, &[], vec![]);
    let store = planned("dev-storage-endpoint", &object("ConfigMap", "c"), &[], vec![]);
    assert_order(&incoming, &outgoing);
    assert_order(&outgoing, &deny);
    assert_order(&incoming, &deny);
    assert_order(&outgoing, &store);
    assert_free(&planned("missing-default-deny", &object("Namespace", "b"), &[], vec![]), &outgoing);
}

#[test]
fn bounds_follow_restarts_and_room_comes_before_them() {
    let (web, namespace) = (object("Deployment", "web"), object("Namespace", "a"));
    let quota = object("ResourceQuota", "q");
    let create = |kind: &str| Step::Create { object: object(kind, "new"), manifest: json!({}) };
    let range = planned("missing-limit-range", &namespace, &[], vec![create("LimitRange")]);
    let bound = planned("missing-resource-quota", &namespace, &[], vec![create("ResourceQuota")]);
    let restart = planned("insecure-flag", &object("ConfigMap", "c"), &[], vec![Step::Restart { object: web.clone() }]);
    let template = planned("insecure-security-context", &web, &[], vec![set(&web, "/spec/template/spec/x")]);
    let enforce = planned("pod-security-not-enforced", &namespace, &[], vec![set(&namespace, ENFORCE)]);
    let warn = planned("pod-security-not-enforced", &namespace, &[], vec![set(&namespace, "/metadata/labels/warn")]);
    let room = planned("quota-exhausted", &quota, &[], vec![set(&quota, "/spec/hard/pods")]);
    let more = planned("single-replica", &web, &[], vec![set(&web, "/spec/replicas")]);
    assert_order(&range, &bound);
    assert_order(&restart, &bound);
    assert_order(&template, &enforce);
    assert_order(&room, &restart);
    assert_order(&room, &more);
    assert_free(&warn, &template);
}

#[test]
fn what_takes_away_comes_last_among_the_free() {
    let (budget, web) = (object("PodDisruptionBudget", "p"), object("Deployment", "web"));
    let delete = planned("conflicting-pdb", &budget, &[], vec![Step::Delete { object: budget.clone() }]);
    let create = planned("missing-metrics-scrape", &web, &[], vec![]);
    assert_order(&create, &delete);
}

#[test]
fn the_order_is_whole_even_in_a_circle() {
    let circle = [BTreeSet::from([1]), BTreeSet::from([0]), BTreeSet::new()];
    assert_eq!(topological(&circle, |_| 0), [2, 0, 1]);
}

#[test]
fn what_follows_a_failure_is_found_and_nothing_else() {
    let chain = [BTreeSet::new(), BTreeSet::from([0]), BTreeSet::from([1]), BTreeSet::from([3]), BTreeSet::new()];
    assert_eq!(descendants(&chain, 0), BTreeSet::from([1, 2]));
    assert_eq!(descendants(&chain, 4), BTreeSet::new());
}
