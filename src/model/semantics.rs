//! The meaning of the API's own words, against references that are written the slow and plain way.
//!
//! Sources: the API reference (`Quantity`, `LabelSelector`, `NetworkPolicySpec`, `EnvFromSource`), the
//! documentation of disruption budgets and of sidecar containers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::amounts::{Side, pod_amount};
use super::certificates::covers;
use super::eviction;
use super::inventory::{Inventory, Scope, World};
use super::isolation;
use super::network::NetworkPolicy;
use super::number::IntOrString;
use super::pod::{PodSpec, resolve_port};
use super::quantity::Quantity;
use super::selector::{Labels, Requirement, Selector};
use super::workload::Workload;

fn inventory(objects: &[(&str, &str, Value)]) -> Inventory {
    let mut inventory = Inventory::new(World::default(), Scope::default(), jiff::Timestamp::UNIX_EPOCH);
    for (version, kind, object) in objects {
        inventory.add(version, kind, object, None).unwrap();
    }
    inventory.finish()
}

fn deployment(labels: &Value, spec: &Value) -> (&'static str, &'static str, Value) {
    let template = json!({"metadata": {"labels": labels}, "spec": spec});
    let spec = json!({"replicas": 3, "selector": {"matchLabels": labels}, "template": template});
    ("apps/v1", "Deployment", json!({"metadata": {"name": "web", "namespace": "a"}, "spec": spec}))
}

const SUFFIXES: [(&str, i128); 13] = [
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("e0", 1),
    ("e3", 1_000),
    ("E6", 1_000_000),
    ("e+2", 100),
];

fn amounts(spec: &[(bool, i64)], list: &str) -> Value {
    let container = |(number, (is_sidecar, cpu)): (usize, &(bool, i64))| {
        let mut container =
            json!({"name": format!("{list}{number}"), "resources": {"requests": {"cpu": format!("{cpu}m")}}});
        if *is_sidecar {
            container["restartPolicy"] = json!("Always");
        }
        container
    };
    spec.iter().enumerate().map(container).collect()
}

/// Every moment of a pod's start, one after another: who runs together, and the most of all moments.
fn most_at_once(init: &[(bool, i64)], app: &[i64]) -> i64 {
    let mut moments = Vec::new();
    let mut running = 0;
    for (is_sidecar, cpu) in init {
        moments.push(running + cpu);
        running += if *is_sidecar { *cpu } else { 0 };
    }
    moments.push(running + app.iter().sum::<i64>());
    moments.into_iter().max().unwrap_or(0)
}

proptest! {
    #[test]
    fn a_suffix_multiplies(number in 0_i64..5_000, at in 0..SUFFIXES.len()) {
        let (suffix, factor) = SUFFIXES[at];
        let quantity = Quantity::parse(&format!("{number}{suffix}")).unwrap();
        prop_assert_eq!(quantity.as_units(), i128::from(number) * factor);
    }

    #[test]
    fn a_fraction_is_exact(whole in 0_i64..1000, thousandths in 0_i64..1000) {
        let quantity = Quantity::parse(&format!("{whole}.{thousandths:03}")).unwrap();
        prop_assert_eq!(quantity, Quantity::milli(whole * 1000 + thousandths));
        prop_assert_eq!(Quantity::parse(&format!("{}m", whole * 1000 + thousandths)).unwrap(), quantity);
    }

    #[test]
    fn a_percentage_rounds_as_it_is_asked(percent in 0_i64..=100, total in 0_i64..1000) {
        let share = IntOrString::Text(format!("{percent}%"));
        let (up, down) = (share.of_rounded_up(total).unwrap(), share.of_rounded_down(total).unwrap());
        // The least whole number that is not below the share, and the greatest that is not above it.
        let counted = |fits: &dyn Fn(i64) -> bool| (0..=total).filter(|count| fits(*count)).collect::<Vec<_>>();
        prop_assert_eq!(up, counted(&|count| count * 100 >= percent * total)[0]);
        prop_assert_eq!(down, *counted(&|count| count * 100 <= percent * total).last().unwrap());
    }

    #[test]
    fn a_rollout_surges_up_and_misses_down(surge in 0_i64..=100, missing in 0_i64..=100, total in 1_i64..200) {
        let workload: Workload = serde_json::from_value(json!({"kind": "Deployment", "spec": {"strategy": {
            "rollingUpdate": {"maxSurge": format!("{surge}%"), "maxUnavailable": format!("{missing}%")}}}})).unwrap();
        let (more, fewer) = workload.surge_and_unavailable(total);
        prop_assert_eq!(more, (surge * total + 99) / 100);
        // Both at nothing would be a rollout that never moves.
        prop_assert_eq!(fewer, if more == 0 { (missing * total / 100).max(1) } else { missing * total / 100 });
    }

    #[test]
    fn a_pod_needs_the_most_of_its_moments(
        init in proptest::collection::vec((any::<bool>(), 0_i64..500), 0..5),
        app in proptest::collection::vec(0_i64..500, 1..4),
    ) {
        let plain: Vec<(bool, i64)> = app.iter().map(|cpu| (false, *cpu)).collect();
        let spec: PodSpec = serde_json::from_value(
            json!({"initContainers": amounts(&init, "i"), "containers": amounts(&plain, "c")})).unwrap();
        let wanted = Quantity::milli(most_at_once(&init, &app));
        prop_assert_eq!(pod_amount(&spec, "cpu", Side::Requests), Some(wanted));
    }

    #[test]
    fn the_last_source_of_a_variable_wins(
        sources in proptest::collection::vec((proptest::option::of("[xy]"), "[ab]"), 1..5),
        own in proptest::option::of("[xy]"),
    ) {
        // Each source may hold the key K; those with the prefix `P_` give it another name.
        let mut objects = Vec::new();
        let mut from = Vec::new();
        for (number, (value, kind)) in sources.iter().enumerate() {
            let data = value.as_ref().map_or_else(|| json!({"OTHER": "1"}), |value| json!({"K": value}));
            let name = format!("m{number}");
            objects.push(("v1", "ConfigMap", json!({"metadata": {"name": name, "namespace": "a"}, "data": data})));
            let prefix = if kind == "b" { "P_" } else { "" };
            from.push(json!({"prefix": prefix, "configMapRef": {"name": name}}));
        }
        let env: Vec<Value> = own.iter().map(|value| json!({"name": "K", "value": value})).collect();
        let mut after = env.clone();
        after.push(json!({"name": "COPY", "value": "<$(K)>"}));
        let container = json!({"name": "web", "envFrom": from, "env": after});
        objects.push(deployment(&json!({"app": "web"}), &json!({"containers": [container]})));
        let inventory = inventory(&objects);
        let web = inventory.workloads.get("a", "Deployment", "web").unwrap();
        let variables = super::environment::effective(
            &inventory, web, web.template().unwrap().spec.all_containers().next().unwrap());
        let last = |prefixed: bool| {
            sources.iter().rev().find(|(value, kind)| value.is_some() && (kind == "b") == prefixed)
                .and_then(|(value, _)| value.clone())
        };
        let text = |name: &str| variables.get(name).and_then(|variable| variable.text()).map(str::to_owned);
        let wanted = own.clone().or_else(|| last(false));
        prop_assert_eq!(text("K"), wanted.clone());
        prop_assert_eq!(text("P_K"), last(true));
        prop_assert_eq!(text("COPY"), Some(format!("<{}>", wanted.unwrap_or_else(|| "$(K)".to_owned()))));
    }

    #[test]
    fn a_selector_is_all_of_its_terms(
        has in proptest::collection::btree_map("[a-c]", "[xyz]", 0..3),
        wanted in proptest::collection::btree_map("[a-c]", "[xyz]", 0..2),
        terms in proptest::collection::vec(("[a-c]", 0_usize..4, proptest::collection::vec("[xyz]", 1..3)), 0..3),
    ) {
        let labels: Labels = has.clone().into_iter().collect();
        let operators = ["In", "NotIn", "Exists", "DoesNotExist"];
        let selector = Selector {
            match_labels: wanted.clone().into_iter().collect(),
            match_expressions: terms.iter().map(|(key, operator, values)| Requirement {
                key: key.clone(),
                operator: operators[*operator].to_owned(),
                values: if *operator < 2 { values.clone() } else { Vec::new() },
            }).collect(),
        };
        let mut all = wanted.iter().all(|(key, value)| has.get(key) == Some(value));
        for (key, operator, values) in &terms {
            all &= match operator {
                0 => has.get(key).is_some_and(|value| values.contains(value)),
                1 => has.get(key).is_none_or(|value| !values.contains(value)),
                2 => has.contains_key(key),
                _ => !has.contains_key(key),
            };
        }
        prop_assert_eq!(selector.matches(&labels), all);
    }

    #[test]
    fn a_wildcard_is_one_label(labels in proptest::collection::vec("[a-z]{1,3}", 1..5)) {
        let host = format!("{}.example.com", labels.join("."));
        prop_assert_eq!(covers(["*.example.com"], &host), labels.len() == 1);
        prop_assert!(covers([host.to_uppercase().as_str()], &host));
        prop_assert!(!covers(["*.example.com"], "example.com"));
    }
}

#[test]
fn an_absent_selector_of_a_budget_is_nobody_and_an_empty_one_everybody() {
    let budget = |name: &str, spec: Value| {
        ("policy/v1", "PodDisruptionBudget", json!({"metadata": {"name": name, "namespace": "a"}, "spec": spec}))
    };
    let inventory = inventory(&[
        deployment(&json!({"app": "web"}), &json!({"containers": [{"name": "web"}]})),
        budget("absent", json!({"maxUnavailable": 1})),
        budget("null", json!({"maxUnavailable": 1, "selector": null})),
        budget("empty", json!({"maxUnavailable": 1, "selector": {}})),
        budget("other", json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "api"}}})),
    ]);
    let pods = |name: &str| {
        let budget = inventory.budgets.get("a", "PodDisruptionBudget", name).unwrap();
        eviction::covered(&inventory, budget).pods
    };
    assert_eq!(["absent", "null", "empty", "other"].map(pods), [0, 0, 3, 0]);
    let of: Vec<&str> = inventory.budgets_of(0).map(|budget| budget.name()).collect();
    assert_eq!(of, ["empty"]);
}

#[test]
fn an_empty_selector_of_a_policy_is_every_pod() {
    let policy = |name: &str, spec: Value| {
        ("networking.k8s.io/v1", "NetworkPolicy", json!({"metadata": {"name": name, "namespace": "a"}, "spec": spec}))
    };
    let web = deployment(&json!({"app": "web"}), &json!({"containers": [{"name": "web"}]}));
    let all = inventory(&[web.clone(), policy("all", json!({"podSelector": {}}))]);
    assert!(isolation::isolated_by(&all, 0, "Ingress").is_some());
    assert!(isolation::isolated_by(&all, 0, "Egress").is_none(), "without egress rules it is for Ingress");
    let other = inventory(&[web, policy("other", json!({"podSelector": {"matchLabels": {"app": "api"}}}))]);
    assert!(isolation::isolated_by(&other, 0, "Ingress").is_none());
}

#[test]
fn policy_types_have_defaults() {
    for (spec, ingress, egress) in [
        (json!({"podSelector": {}}), true, false),
        (json!({"podSelector": {}, "egress": [{}]}), true, true),
        (json!({"podSelector": {}, "egress": []}), true, false),
        (json!({"podSelector": {}, "policyTypes": []}), true, false),
        (json!({"podSelector": {}, "policyTypes": ["Egress"]}), false, true),
        (json!({"podSelector": {}, "policyTypes": ["Ingress"], "egress": [{}]}), true, false),
        (json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}), true, true),
    ] {
        let policy: NetworkPolicy = serde_json::from_value(json!({"spec": spec})).unwrap();
        assert_eq!((policy.isolates("Ingress"), policy.isolates("Egress")), (ingress, egress), "{spec}");
    }
}

#[test]
fn a_named_port_is_that_of_a_container_that_runs_beside() {
    let spec: PodSpec = serde_json::from_value(json!({
        "initContainers": [
            {"name": "setup", "ports": [{"name": "http", "containerPort": 1}]},
            {"name": "proxy", "restartPolicy": "Always", "ports": [{"name": "admin", "containerPort": 15000}]},
        ],
        "containers": [{"name": "web", "ports": [
            {"name": "http", "containerPort": 8080},
            {"name": "dns", "containerPort": 5353, "protocol": "UDP"},
        ]}],
    }))
    .unwrap();
    let port = |name: &str, protocol: &str| resolve_port(&spec, &IntOrString::Text(name.to_owned()), protocol);
    assert_eq!(port("http", "TCP"), Some(8080), "an init container that ends serves nobody");
    assert_eq!(port("admin", "TCP"), Some(15000), "a sidecar does");
    assert_eq!((port("dns", "UDP"), port("dns", "TCP")), (Some(5353), None));
    assert_eq!(port("none", "TCP"), None);
    assert_eq!(resolve_port(&spec, &IntOrString::Int(7), "TCP"), Some(7));
}
