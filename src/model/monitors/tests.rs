//! Who reads which monitor.

use super::*;
use crate::model::{Scope, World};
use serde_json::json;

fn inventory(reader: &Value) -> Inventory {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let mut inventory = Inventory::new(World::Manifests { complete: false }, Scope::default(), now);
    let namespace = json!({"metadata": {"name": "shop", "labels": {"team": "a"}}});
    inventory.add("v1", "Namespace", namespace, None).unwrap();
    let monitor = json!({"metadata": {"name": "web", "namespace": "shop", "labels": {"release": "kps"}},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "endpoints": [{"port": "http"}]}});
    inventory.add("monitoring.coreos.com/v1", "ServiceMonitor", monitor, None).unwrap();
    for (name, namespace, label) in [("web", "shop", "web"), ("web", "blog", "web"), ("db", "shop", "db")] {
        let service = json!({"metadata": {"name": name, "namespace": namespace, "labels": {"app": label}},
            "spec": {"ports": [{"name": "http", "port": 80}]}});
        inventory.add("v1", "Service", service, None).unwrap();
    }
    if let Some(kind) = reader["kind"].as_str() {
        let object = json!({"metadata": {"name": "main", "namespace": "monitoring"}, "spec": reader["spec"]});
        let version =
            if kind.starts_with("VM") { "operator.victoriametrics.com/v1beta1" } else { "monitoring.coreos.com/v1" };
        inventory.add(version, kind, object, None).unwrap();
    }
    inventory.finish()
}

fn read(reader: &Value) -> Reading {
    let inventory = inventory(reader);
    let monitor = inventory.other(SERVICE_MONITORS[0]).next().unwrap();
    Readers::of(&inventory).reading(monitor)
}

fn prometheus(spec: &Value) -> Value {
    json!({"kind": "Prometheus", "spec": spec})
}

#[test]
fn absent_and_empty_selectors_differ() {
    let all = json!({});
    let is_read = |reader: &Value| matches!(read(reader), Reading::By(_));
    let both = |labels: &Value, namespaces: &Value| {
        is_read(&prometheus(&json!({"serviceMonitorSelector": labels, "serviceMonitorNamespaceSelector": namespaces})))
    };
    assert!(both(&all, &all));
    assert!(both(&json!({"matchLabels": {"release": "kps"}}), &json!({"matchLabels": {"team": "a"}})));
    assert!(!both(&json!({"matchLabels": {"release": "other"}}), &all));
    assert!(!both(&all, &json!({"matchLabels": {"team": "b"}})));
    assert!(both(&all, &json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}})));
    assert!(!is_read(&prometheus(&json!({"serviceMonitorSelector": {}}))), "its own namespace only");
    assert!(!is_read(&prometheus(&json!({"serviceMonitorNamespaceSelector": {}}))), "none");
    let vm = |spec: Value| is_read(&json!({"kind": "VMAgent", "spec": spec}));
    assert!(vm(json!({"selectAllByDefault": true})));
    assert!(!vm(json!({})));
    assert!(vm(json!({"serviceScrapeNamespaceSelector": {}})));
}

#[test]
fn without_a_reader_files_say_nothing() {
    assert!(matches!(read(&json!({})), Reading::Unseen(_)));
    let mut whole = inventory(&json!({}));
    whole.world = World::Manifests { complete: true };
    let monitor = whole.other(SERVICE_MONITORS[0]).next().unwrap();
    assert_eq!(Readers::of(&whole).reading(monitor), Reading::Nobody(Vec::new()));
}

#[test]
fn targets_are_those_of_the_namespaces() {
    let inventory = inventory(&json!({}));
    let monitor = inventory.other(SERVICE_MONITORS[0]).next().unwrap();
    let found = Targets::of(&inventory).services(&inventory, monitor);
    let names: Vec<String> = found.iter().map(|at| inventory.services.at(*at).subject.to_string()).collect();
    assert_eq!(names, ["Service/shop/web"]);
    assert_eq!(endpoints(monitor).next().unwrap().0, "/spec/endpoints/0");
}
