use serde_json::{Value, json};

use super::*;
use crate::audit::Config;
use crate::model::{Scope, World};
use crate::rules::RULES;

fn inventory(objects: &[(&str, &str, Value)]) -> Inventory {
    let now = "2026-06-15T23:00:00Z".parse().unwrap();
    let mut inventory = Inventory::new(World::default(), Scope::default(), now);
    for (version, kind, object) in objects {
        inventory.add(version, kind, object.clone(), None).unwrap();
    }
    inventory.finish()
}

fn namespace(name: &str) -> (&'static str, &'static str, Value) {
    ("v1", "Namespace", json!({"metadata": {"name": name}}))
}

fn shop() -> Inventory {
    let deployment = json!({
        "metadata": {"name": "web", "namespace": "shop-dev"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1", "env": [
                {"name": "ALLOW_EMPTY_PERMISSIONS", "value": "true"},
                {"name": "S3", "value": "http://localstack:4566"},
                {"name": "S3_SECRET", "value": "http://localstack:4566"}]}]}}},
    });
    let odd = "a\nenvironment: dev";
    inventory(&[
        namespace("ingress-nginx"),
        namespace("kube-system"),
        namespace("shop-dev"),
        ("apps/v1", "Deployment", deployment),
        (
            "v1",
            "ConfigMap",
            json!({"metadata": {"name": odd, "namespace": "shop-dev"}, "data": {"ALLOW_UNKNOWN_API_PATHS": "1"}}),
        ),
    ])
}

#[test]
fn it_holds_what_was_found_and_reads_back() {
    let text = starter(&shop(), RULES);
    let config = Config::parse(&text, ".progrc.yaml", RULES).unwrap();
    assert_eq!(config.system_namespaces.iter().collect::<Vec<_>>(), ["ingress-nginx"]);
    assert!(config.ignored.is_empty() && config.waivers.is_empty() && config.parameters.is_empty());
    for line in [
        "# The name of shop-dev says dev; say so here if it is true.",
        "environment: production",
        "  insecure-flag:",
        "    # found: ALLOW_EMPTY_PERMISSIONS in Deployment/shop-dev/web",
        "  missing-pdb:",
        "    # style: \"maxUnavailable\"",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
}

#[test]
fn nothing_from_the_cluster_leaves_its_comment() {
    let text = starter(&shop(), RULES);
    assert!(text.contains("ConfigMap/shop-dev/a\u{fffd}environment: dev"), "{text}");
    assert_eq!(
        Config::parse(&text, "c", RULES).unwrap().environment,
        Some(crate::rules::settings::Environment::Production)
    );
}

#[test]
fn what_is_commented_out_reads_too() {
    let text = starter(&shop(), RULES);
    let open: String = (text.lines())
        .map(|line| line.replace("    # flags:", "    flags:").replace("    # style:", "    style:") + "\n")
        .collect();
    let config = Config::parse(&open, "c", RULES).unwrap();
    assert_eq!(config.parameters["insecure-flag"]["flags"]["ALLOW_EMPTY_PERMISSIONS"], "false");
    assert_eq!(config.parameters["missing-pdb"]["style"], "maxUnavailable");
}

#[test]
fn endpoints_are_named_and_never_shown() {
    assert_eq!(endpoints(&shop()), ["found: S3 in Deployment/shop-dev/web"]);
    assert!(!starter(&shop(), RULES).contains("localstack"));
}

#[test]
fn an_empty_cluster_makes_a_file_too() {
    let text = starter(&inventory(&[]), RULES);
    assert_eq!(
        Config::parse(&text, "c", RULES).unwrap().environment,
        Some(crate::rules::settings::Environment::Production)
    );
    assert!(text.contains("\nrules: {}\n"), "{text}");
}
