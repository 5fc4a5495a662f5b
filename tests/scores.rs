//! The score of a namespace in which nothing is, and of one in which everything is in order.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use kubectl_progrc::audit::engine::run_to;
use kubectl_progrc::audit::folded::fold;
use kubectl_progrc::audit::score::{self, Score, Status};
use kubectl_progrc::audit::{self, Audit};
use kubectl_progrc::model::store::Origin;
use kubectl_progrc::model::{Inventory, Scope, World};
use kubectl_progrc::plan::outlook::{Reach, score_with_outlook};
use kubectl_progrc::rules::RULES;
use kubectl_progrc::rules::rule::Depth;
use kubectl_progrc::rules::settings::Settings;
use serde_json::{Value, json};

const PERFECT: &str = include_str!("scores/perfect.yaml");

/// What the rules say of manifests that are all there is, with these attestations of yesterday.
fn judge(text: &str, attested: &[&str]) -> (Audit, Score) {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut inventory = Inventory::new(World::Manifests { complete: true }, Scope::only("shop"), now);
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    for (document, object) in objects.iter().enumerate().filter(|(_, object)| !object.is_null()) {
        let text = |key: &str| object[key].as_str().unwrap();
        let origin = Some(Origin { document, item: None });
        inventory.add(text("apiVersion"), text("kind"), object, origin).unwrap();
    }
    let statement = json!({"statement": "done elsewhere", "date": "2025-12-31"});
    let attestations: serde_json::Map<_, _> =
        attested.iter().map(|rule| ((*rule).to_owned(), statement.clone())).collect();
    let settings =
        Settings { attestations: serde_json::from_value(Value::Object(attestations)).unwrap(), ..Settings::default() };
    let audit = audit::run(&inventory.finish(), &settings, RULES);
    let score = score::score(&audit);
    (audit, score)
}

fn said(audit: &Audit) -> Vec<String> {
    audit.findings.iter().map(|f| format!("{} {} {}: {}", f.severity.word(), f.rule, f.object, f.message)).collect()
}

/// What lives outside the namespace, and is vouched for.
const OUTSIDE: [&str; 4] = ["missing-alerting", "missing-dashboards", "missing-log-collection", "missing-dr-drill"];

#[test]
fn an_empty_namespace_has_no_score_of_its_own() {
    let empty = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let (audit, score) = judge(empty, &OUTSIDE);
    // The metrics API belongs to the cluster: it is missing, whatever is in the namespace.
    assert_eq!(audit.findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["missing-resource-metrics"]);
    for row in score.categories.iter().filter(|row| !matches!(row.category.word(), "monitoring" | "backup-dr")) {
        assert_eq!((row.score, row.status), (None, Status::NotAvailable), "{:?}", row.category);
    }
}

#[test]
fn nothing_at_all_has_no_score() {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let inventory = Inventory::new(World::Manifests { complete: false }, Scope::default(), now).finish();
    let audit = audit::run(&inventory, &Settings::default(), RULES);
    let score = score::score(&audit);
    assert_eq!(said(&audit), Vec::<String>::new());
    assert_eq!((score.overall, score.status), (None, Status::NotAvailable));
}

#[test]
fn a_namespace_in_order_has_the_best_score() {
    let (audit, score) = judge(PERFECT, &OUTSIDE);
    let worse: Vec<String> = said(&audit).into_iter().filter(|line| !line.starts_with("info ")).collect();
    assert_eq!(worse, Vec::<String>::new());
    assert_eq!(score.overall.map(score::displayed), Some(10.0), "{score:#?}");
    assert_eq!(score.status, Status::Good);
    for row in &score.categories {
        assert!(row.score.is_none_or(|score| score + 1e-9 >= 10.0), "{row:#?}");
    }
    let judged: Vec<&str> =
        score.categories.iter().filter(|row| row.score.is_some()).map(|row| row.category.word()).collect();
    assert!(judged.len() >= 7, "{judged:?}");
}

#[test]
fn one_thing_out_of_order_costs_its_own_category_only() {
    let without_probe: String =
        PERFECT.lines().filter(|line| !line.contains("readinessProbe")).map(|l| format!("{l}\n")).collect();
    let (audit, score) = judge(&without_probe, &OUTSIDE);
    assert!(audit.findings.iter().any(|finding| finding.rule == "missing-readiness-probe"), "{:?}", said(&audit));
    for row in &score.categories {
        let full = row.score.is_none_or(|score| score + 1e-9 >= 10.0);
        assert_eq!(full, row.category.word() != "high-availability", "{row:#?}");
    }
    assert!(score.overall.unwrap() < 10.0);
}

/// The assessed namespace, so many times.
fn assessed(times: usize) -> Inventory {
    let mut inventory = Inventory::default();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/progrc-dev");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        let text = std::fs::read_to_string(path).unwrap();
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for object in documents.iter().filter(|object| object["metadata"]["name"].is_string()) {
            let text = |key: &str| object[key].as_str().unwrap();
            for number in 0..times {
                let (mut object, name) = (object.clone(), format!("copy-{number}"));
                if text("kind") == "Namespace" {
                    object["metadata"]["name"] = name.into();
                } else {
                    object["metadata"]["namespace"] = name.into();
                }
                inventory.add(text("apiVersion"), text("kind"), object, None).unwrap();
            }
        }
    }
    inventory.finish()
}

#[test]
fn a_folded_audit_shows_and_scores_as_a_whole_one() {
    let inventory = assessed(6);
    let settings = Settings::default();
    let run = |depth| run_to(depth, &inventory, &settings, RULES);
    let (whole, folded) = (run(Depth::Whole), run(Depth::Folded));
    let shown = |audit: &Audit| fold(&audit.findings.iter().collect::<Vec<_>>());
    assert_eq!(shown(&folded), shown(&whole));
    for (at, _) in shown(&whole) {
        assert_eq!(format!("{:?}", folded.findings[at]), format!("{:?}", whole.findings[at]));
    }
    let abridged = folded.findings.iter().filter(|finding| finding.abridged.is_some()).count();
    assert_eq!(abridged, whole.findings.len() - shown(&whole).len());
    assert!(abridged > 100, "{abridged}");
    let score = |audit: &Audit| {
        let again = |inventory: &Inventory, rules: &[_]| run_to(Depth::Verdicts, inventory, &settings, rules);
        score_with_outlook(&inventory, audit, Reach::Safe, again)
    };
    assert_eq!(score(&folded), score(&whole));
    assert!(score(&whole).after_safe_fixes > score(&whole).overall);
}
