//! The assessed namespace gives the assessment's scorecard, from its findings and no others.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::audit::audit;

/// Rule, object and how often, without findings of severity info.
const FINDINGS: &[(&str, &str, usize)] = &[
    ("dev-storage-endpoint", "progrc-config", 1),
    ("ingress-without-tls", "progrc", 1),
    ("insecure-flag", "progrc-config", 3),
    ("missing-alerting", "manifests", 1),
    ("missing-dashboards", "manifests", 1),
    ("missing-db-backup", "progrc-dev", 1),
    ("missing-dr-drill", "manifests", 1),
    ("missing-ingress-policy", "progrc-backend", 1),
    ("missing-ingress-policy", "progrc-frontend", 1),
    ("missing-log-collection", "manifests", 1),
    ("missing-metrics-scrape", "progrc-backend", 1),
    ("missing-metrics-scrape", "progrc-frontend", 1),
    ("missing-pdb", "progrc-backend", 1),
    ("missing-pdb", "progrc-frontend", 1),
    ("missing-readiness-probe", "progrc-frontend", 1),
    ("missing-resource-quota", "progrc-dev", 1),
    ("missing-tenant-rate-limit", "progrc-dev", 1),
    ("missing-tracing", "progrc-backend", 1),
    ("missing-tracing", "progrc-frontend", 1),
    ("redundant-load-balancer", "progrc-backend", 1),
    ("redundant-load-balancer", "progrc-frontend", 1),
    ("replicas-below-hpa-min", "progrc-backend", 1),
    ("unbounded-db-pool", "progrc-backend", 1),
    ("unprotected-object-storage", "progrc-dev", 1),
];

#[test]
fn the_assessed_namespace_has_the_findings_of_the_assessment() {
    let report = audit(&["-o", "json"]).json();
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for finding in report["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] != "info") {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        *found.entry((text(&finding["rule"]), text(&finding["object"]["name"]))).or_default() += 1;
    }
    let wanted = FINDINGS.iter().map(|(rule, name, count)| (((*rule).to_owned(), (*name).to_owned()), *count));
    assert_eq!(found, wanted.collect());
}

#[test]
fn the_scorecard_is_that_of_the_assessment() {
    let score = audit(&["-o", "json"]).json()["score"].clone();
    let categories: Vec<(String, f64)> = score["categories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|category| (category["category"].as_str().unwrap().to_owned(), category["score"].as_f64().unwrap()))
        .collect();
    let wanted = [
        ("architecture", 8.0),
        ("security", 5.0),
        ("high-availability", 3.9),
        ("scalability", 6.9),
        ("cost", 6.3),
        ("monitoring", 2.1),
        ("backup-dr", 1.3),
        ("network-security", 5.0),
    ];
    assert_eq!(categories, wanted.map(|(name, score)| (name.to_owned(), score)));
    assert_eq!((score["overall"].as_f64(), score["afterSafeFixes"].as_f64()), (Some(5.0), Some(6.0)));
}

#[test]
fn the_readme_shows_the_real_scorecard() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let printed = audit(&[]).stdout;
    // Line 1 says how long it took.
    let screen: Vec<&str> = printed.lines().skip(2).take(10).collect();
    assert!(readme.contains(&screen.join("\n")), "README.md does not show:\n{}", screen.join("\n"));
}
