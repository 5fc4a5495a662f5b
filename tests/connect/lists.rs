//! Lists that fail, half way or in one object: what was read stays, what was not is named.

use std::sync::Arc;

use kubectl_progrc::backend::cluster::load::{Identity, load};
use kubectl_progrc::model::Scope;

use crate::server::{Answer, Server};
use crate::world::{World, plain};

/// Discovery of a server that has one of the custom resources that rules read.
const GROUPS: &str = r#"{"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": "monitoring.coreos.com"},
    "versions": [{"version": "v1", "resources": [{"resource": "servicemonitors", "scope": "Namespaced",
    "responseKind": {"group": "", "version": "", "kind": "ServiceMonitor"}}]}]}]}"#;

fn monitor(name: &str, spec: &str) -> String {
    format!(r#"{{"metadata": {{"name": "{name}", "namespace": "shop"}}, "spec": {spec}}}"#)
}

#[tokio::test]
async fn a_custom_list_that_fails_half_way_is_a_gap_and_no_other_list_suffers() {
    let server = Server::routes(|target| match target {
        "/apis" => Answer::new(200, GROUPS),
        _ if target.contains("/servicemonitors") && target.contains("continue=") => {
            Answer::new(500, r#"{"kind": "Status", "message": "etcd is gone"}"#)
        }
        _ if target.contains("/servicemonitors") => {
            let first = monitor("first", "{}");
            Answer::new(200, &format!(r#"{{"metadata": {{"continue": "next"}}, "items": [{first}]}}"#))
        }
        _ if target.contains("/configmaps") => {
            let items = r#"{"metadata": {"name": "good", "namespace": "shop"}, "data": {"A": "b"}},
                {"metadata": {"name": "bad", "namespace": "shop"}, "data": {"A": ["b"]}}"#;
            Answer::new(200, &format!(r#"{{"items": [{items}]}}"#))
        }
        _ => Answer::new(200, r#"{"items": []}"#),
    });
    let connection = Arc::new(World::new().connect(&plain(&server.url)).await);
    let inventory = load(&connection, &Identity::default(), &Scope::only("shop")).await.unwrap();
    let gaps: Vec<String> =
        inventory.gaps.iter().map(|gap| format!("{} {}: {}", gap.verb, gap.kind, gap.reason)).collect();
    assert_eq!(
        gaps,
        [
            "read ConfigMap/shop/bad: data.A: invalid type: sequence, expected a string",
            "list servicemonitors.monitoring.coreos.com: 500 etcd is gone",
        ]
    );
    assert_eq!(inventory.config_maps.len(), 1, "the other object of the page is there");
    assert!(inventory.other("servicemonitors.monitoring.coreos.com").next().is_none(), "half a list is no list");
    assert!(!inventory.absent_kinds.contains("servicemonitors.monitoring.coreos.com"));
    assert!(inventory.absent_kinds.contains("certificates.cert-manager.io"), "discovery says that there are none");
}

#[tokio::test]
async fn without_discovery_every_custom_list_is_a_gap() {
    let server = Server::routes(|target| match target {
        "/apis" => Answer::new(500, r#"{"message": "no"}"#),
        _ => Answer::new(200, r#"{"items": []}"#),
    });
    let connection = Arc::new(World::new().connect(&plain(&server.url)).await);
    let inventory = load(&connection, &Identity::default(), &Scope::default()).await.unwrap();
    let of = |kind: &str| inventory.gaps.iter().find(|gap| gap.kind == kind).map(|gap| gap.reason.as_str());
    assert_eq!(of("certificates.cert-manager.io"), Some("500 no"));
    assert!(inventory.absent_kinds.is_empty());
}
