//! Tests of the arithmetic of quotas and limit ranges.

use super::*;
use serde_json::json;

fn inventory(ranges: &[Value], containers: &Value) -> Inventory {
    let mut inventory = Inventory::default();
    for (at, limits) in ranges.iter().enumerate() {
        let range = json!({"metadata": {"name": format!("r{at}"), "namespace": "a"}, "spec": {"limits": [limits]}});
        inventory.add("v1", "LimitRange", range, None).unwrap();
    }
    let deployment = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {"replicas": 2,
        "template": {"spec": {"containers": containers}}}});
    inventory.add("apps/v1", "Deployment", deployment, None).unwrap();
    inventory.finish()
}

#[test]
fn a_limit_range_completes_itself_as_the_api_does() {
    let inventory =
        inventory(&[json!({"type": "Container", "max": {"memory": "1Gi"}, "min": {"cpu": "10m"}})], &json!([]));
    let defaults = Defaults::of(&inventory, "a");
    assert_eq!(defaults.get("limits.memory"), Some(Quantity::mebi(1024)));
    assert_eq!(defaults.get("requests.memory"), Some(Quantity::mebi(1024)));
    assert_eq!(defaults.get("requests.cpu"), Some(Quantity::milli(10)));
    assert_eq!(defaults.get("limits.cpu"), None);
}

#[test]
fn a_default_limit_is_never_below_a_request() {
    let containers = json!([
        {"name": "a", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}},
        {"name": "b", "resources": {"requests": {"cpu": "200m", "memory": "1Gi"}}},
        {"name": "c"}]);
    let inventory = inventory(&[], &containers);
    let proposal = propose(&inventory, "a", &BTreeSet::from(["requests.cpu", "limits.memory"]), &Amounts::new());
    assert_eq!(proposal.amounts["requests.cpu"], Quantity::milli(150));
    assert_eq!(proposal.amounts["requests.memory"], Quantity::mebi(544));
    assert_eq!(proposal.amounts["limits.memory"], Quantity::mebi(1088));
    assert!(!proposal.amounts.contains_key("limits.cpu"));
    let answers = Amounts::from([("requests.memory", Quantity::mebi(2048))]);
    let answered = propose(&inventory, "a", &BTreeSet::from(["limits.memory"]), &answers);
    assert_eq!(answered.amounts["limits.memory"], Quantity::mebi(2048));
}

#[test]
fn defaults_count_in_the_needs() {
    let range = json!({"type": "Container", "default": {"memory": "256Mi"}, "defaultRequest": {"cpu": "100m", "memory": "128Mi"}});
    let inventory = inventory(&[range], &json!([{"name": "a"}, {"name": "b", "resources": {"limits": {"cpu": "1"}}}]));
    let needs = needs(&inventory, "a", &Defaults::of(&inventory, "a"));
    assert_eq!(needs[0].each["requests.cpu"], Some(Quantity::milli(1100)));
    assert_eq!(needs[0].each["limits.memory"], Some(Quantity::mebi(512)));
    assert_eq!(needs[0].each["limits.cpu"], None);
    assert_eq!(needs[0].pods, Some(3));
}
