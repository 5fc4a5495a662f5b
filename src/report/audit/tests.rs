use serde_json::json;

use super::*;
use crate::report::samples::{objects, report_of};

fn json_of(report: &AuditReport) -> Value {
    serde_json::from_str(&report.to_json()).unwrap()
}

fn finding<'a>(report: &'a Value, rule: &str) -> &'a Value {
    report["findings"].as_array().unwrap().iter().find(|finding| finding["rule"] == rule).unwrap()
}

#[test]
fn reports_keep_to_their_schema() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (services, is_live) in [(3, true), (0, true), (2, false)] {
        let report = json_of(&report_of(&objects(services), is_live));
        let errors: Vec<String> =
            validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let mut broken = json_of(&report_of(&objects(0), true));
    broken["findings"][0]["severity"] = json!("dreadful");
    assert!(!validator.is_valid(&broken));
}

#[test]
fn names_are_those_of_the_contract() {
    let report = json_of(&report_of(&objects(2), true));
    assert_eq!((&report["apiVersion"], &report["kind"]), (&json!("progrc.io/v1"), &json!("AuditReport")));
    assert_eq!(
        report["metadata"],
        json!({
            "toolVersion": "0.1.0", "generatedAt": "1970-01-01T00:00:00Z",
            "source": {"type": "cluster", "context": "prod-nyc3", "server": "https://<masked>@10.0.0.1",
                "clusterUid": "cluster-uid", "namespaces": ["shop"]},
            "environment": "production", "objects": 4, "elapsedSeconds": 0.21,
        })
    );
    let budget = finding(&report, "missing-pdb");
    assert_eq!(
        budget["object"],
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web", "uid": "uid-web"})
    );
    assert_eq!(budget["locations"], json!([{"pointer": "/spec", "current": null, "wanted": null}]));
    assert_eq!(budget["fixes"][0]["steps"][0]["action"], "create");
    assert_eq!(budget["fixes"][0]["steps"][0]["manifest"]["spec"]["maxUnavailable"], 1);
    for member in ["verdict", "confidence", "message", "evidence", "ownership", "fingerprint"] {
        assert!(!budget[member].is_null(), "{member}");
    }
    for member in ["title", "applicability", "reversible", "consequences", "inputs", "loweredBy", "steps"] {
        assert!(!budget["fixes"][0][member].is_null(), "{member}");
    }
    assert_eq!(report["unknown"][0]["rule"], "seen");
    assert_eq!(
        report["gaps"],
        json!([{"kind": "certificates.cert-manager.io", "verb": "list", "scope": "namespace shop",
            "reason": "forbidden"}])
    );
    assert_eq!(
        report["summary"],
        json!({"critical": 1, "high": 1, "medium": 2, "low": 0, "info": 0,
            "fixes": {"safe": 1, "unsafe": 1, "input": 1, "manual": 1}})
    );
    let rules: Vec<&Value> = report["findings"].as_array().unwrap().iter().map(|finding| &finding["rule"]).collect();
    assert_eq!(rules, ["open-flag", "missing-pdb", "public-balancer", "public-balancer"]);
}

#[test]
fn patches_are_guarded_and_masked() {
    let report = json_of(&report_of(&objects(0), true));
    let steps = &finding(&report, "open-flag")["fixes"][0]["steps"];
    let annotation = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
    assert_eq!(
        steps[0]["patch"],
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "uid-config"},
            {"op": "test", "path": "/data/ALLOW", "value": "true"},
            {"op": "test", "path": "/data/DB_PASSWORD", "value": "<masked>"},
            {"op": "test", "path": annotation, "value": "<masked>"},
            {"op": "replace", "path": "/data/ALLOW", "value": "false"},
            {"op": "replace", "path": "/data/DB_PASSWORD", "value": "<masked>"},
            {"op": "replace", "path": annotation, "value": "<masked>"},
        ])
    );
    assert_eq!(steps[1]["action"], "restart");
    let locations = &finding(&report, "open-flag")["locations"];
    assert_eq!(locations[1]["current"], "<masked>");
    assert!(!report.to_string().contains("hunter2"));
}

#[test]
fn the_outlook_is_a_simulation() {
    let report = json_of(&report_of(&objects(0), true));
    let score = &report["score"];
    // Security 0 (capped at 5 anyway), high availability 0, monitoring 7.5: (0·2 + 0·2 + 7.5) / 5.
    assert_eq!(score["overall"], 1.5);
    // The budget gives high availability 10: (0·2 + 10·2 + 7.5) / 5 = 5.5.
    assert_eq!(score["afterSafeFixes"], 5.5);
    assert_eq!(score["afterAllFixes"], 9.5);
    assert_eq!(score["categories"].as_array().unwrap().len(), 8);
    assert_eq!(score["categories"][0]["score"], Value::Null);
    assert_eq!(score["categories"][0]["status"], "n/a");
    assert_eq!(
        score["categories"][1],
        json!({"category": "security", "score": 0.0, "status": "poor", "priority": "high", "coverage": 1.0,
            "checks": [{"rule": "open-flag", "weight": 10, "applicable": 1, "passed": 0, "contribution": 0.0,
                "pointsLost": 10.0}]})
    );
}

#[test]
fn the_order_of_the_objects_does_not_matter() {
    let mut objects = objects(4);
    let forward = report_of(&objects, true).to_json();
    objects.reverse();
    assert_eq!(report_of(&objects, true).to_json(), forward);
    objects.swap(0, 2);
    assert_eq!(report_of(&objects, true).to_json(), forward);
}

#[test]
fn manifests_have_files_and_no_uids() {
    let report = json_of(&report_of(&objects(1), false));
    assert_eq!(
        report["metadata"]["source"],
        json!({"type": "manifests", "files": ["k8s"], "complete": false, "namespaces": ["shop"]})
    );
    assert!(finding(&report, "missing-pdb")["object"].get("uid").is_none());
}

#[test]
fn yaml_says_the_same() {
    let report = report_of(&objects(2), true);
    let read: Value = serde_saphyr::from_str(&report.to_yaml()).unwrap();
    assert_eq!(read, json_of(&report));
}
