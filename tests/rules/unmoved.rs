//! What a rule says that its verdicts do not rest on, changed in every fixture of every rule.

use std::collections::BTreeSet;

use kubectl_progrc::audit;
use kubectl_progrc::finding::{Finding, Severity, Verdict};
use kubectl_progrc::rules::RULES;
use kubectl_progrc::rules::rule::{Aspect, Depth};
use serde_json::{Value, json};

use crate::scene::Scene;

/// A fixture in which something is otherwise.
struct Change {
    what: String,
    aspect: Aspect,
    scene: Scene,
}

fn changes(text: &str) -> Vec<Change> {
    let scene = || Scene::parse(text);
    let mut out = Vec::new();
    for replicas in [json!(1), json!(7), Value::Null] {
        out.push((format!("{replicas} replicas"), Aspect::Replicas, scaled(scene(), &replicas)));
    }
    for (field, value) in [("minAvailable", json!(1)), ("maxUnavailable", json!(0))] {
        out.push((format!("{field} {value}"), Aspect::Budgets, with_budgets(scene(), field, &value)));
    }
    for level in ["baseline", "restricted"] {
        out.push((format!("warn {level}"), Aspect::Warnings, warned(scene(), level)));
    }
    out.into_iter().map(|(what, aspect, scene)| Change { what, aspect, scene }).collect()
}

/// All workloads that have replicas have as many, or name no number.
fn scaled(mut scene: Scene, replicas: &Value) -> Scene {
    for object in &mut scene.objects {
        let is_scalable = ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"].contains(&kind(object));
        if is_scalable && object["spec"].is_object() && object["spec"]["replicas"] != 0 {
            object["spec"]["replicas"] = replicas.clone();
        }
    }
    scene
}

/// A budget for the pods of every workload.
fn with_budgets(mut scene: Scene, field: &str, value: &Value) -> Scene {
    let mut budgets = Vec::new();
    for (number, object) in scene.objects.iter().enumerate() {
        let Some(labels) = object.pointer("/spec/template/metadata/labels") else { continue };
        let namespace = &object["metadata"]["namespace"];
        budgets.push(json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {
                "name": format!("new-{number}"),
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "kubectl-progrc", "progrc.io/rule": "missing-pdb"},
            },
            "spec": {field: value, "selector": {"matchLabels": labels}},
        }));
    }
    scene.objects.extend(budgets);
    scene
}

/// Every namespace warns of pods below a level.
fn warned(mut scene: Scene, level: &str) -> Scene {
    for object in scene.objects.iter_mut().filter(|object| kind(object) == "Namespace") {
        for mode in ["warn", "audit"] {
            object["metadata"]["labels"][format!("pod-security.kubernetes.io/{mode}")] = json!(level);
        }
    }
    scene
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

/// What a rule says.
#[derive(PartialEq)]
struct Said {
    /// All that a score knows of it.
    scored: String,
    /// The sentences of its findings.
    messages: Vec<String>,
}

fn said(scene: &Scene) -> Vec<Said> {
    let inventory = scene.inventory(0..scene.objects.len());
    let audit = audit::engine::run_to(Depth::Verdicts, &inventory, &scene.settings, RULES);
    let verdict = |verdict: &Verdict| match verdict {
        Verdict::NotApplicable => "does not apply",
        Verdict::Waived { .. } => "waived",
        Verdict::Pass { .. } => "passes",
        Verdict::Unknown { .. } => "unknown",
        Verdict::Partial { .. } => "partial",
        Verdict::Fail => "fails",
    };
    let of_rule = |rule: &audit::RuleOutcome| {
        let outcomes: String =
            rule.outcomes.iter().map(|(object, said)| format!("{object} {}\n", verdict(said))).collect();
        let findings: Vec<&Finding> = audit.findings.iter().filter(|finding| finding.rule == rule.rule.id).collect();
        let critical = findings.iter().any(|finding| finding.severity == Severity::Critical);
        let messages = findings.iter().map(|finding| finding.message.clone()).collect();
        Said { scored: format!("{outcomes}{:?}, critical {critical}", rule.ratio), messages }
    };
    audit.rules.iter().map(of_rule).collect()
}

#[test]
fn no_verdict_rests_on_what_its_rule_disclaims() {
    let (mut compared, mut refuted) = (0, BTreeSet::new());
    let mut moves = [0; Aspect::ALL.len()];
    for (path, text) in RULES.iter().flat_map(|rule| crate::fixtures(rule)) {
        let before = said(&Scene::parse(&text));
        for change in changes(&text) {
            let place = Aspect::ALL.iter().position(|aspect| *aspect == change.aspect).unwrap();
            for (rule, (before, after)) in RULES.iter().zip(before.iter().zip(said(&change.scene))) {
                moves[place] += usize::from(*before != after);
                if rule.unmoved_by.contains(&change.aspect) {
                    compared += 1;
                    if before.scored != after.scored {
                        refuted.insert(format!("{} by {} in {}", rule.id, change.what, path.display()));
                    }
                }
            }
        }
    }
    assert!(refuted.is_empty(), "{} of {compared}: {refuted:#?}", refuted.len());
    assert!(compared > 10_000 && moves.iter().all(|times| *times > 0), "{compared} {moves:?}");
}
