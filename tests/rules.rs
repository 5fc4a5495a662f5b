//! What every rule promises, proved for each of them without its author writing a test.
//!
//! `tests/rules/<rule>/fires*.yaml` must make the rule speak, `passes*.yaml` must not. Beside each
//! stand the findings (`.finding`) and the diffs of their fixes (`.diff`), as a person would see
//! them; `BLESS=1 cargo test --test rules` writes them anew. Comment lines at the top of a fixture
//! set the scene:
//!
//! ```text
//! # world: live            the objects are a snapshot of a cluster; default: manifests
//! # version: 1.37          the server's version
//! # now: 2026-01-01T00:00:00Z
//! # complete: true         the manifests are all there is
//! # env: staging
//! # namespace: shop        only this namespace is audited; default: all
//! # set: RULE.KEY=VALUE    or RULE[Kind/namespace/name].KEY=VALUE
//! # config: {"RULE": {"KEY": VALUE}}
//! # gap: pods forbidden    a list that could not be read
//! ```
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use kubectl_progrc::audit;
use kubectl_progrc::backend::cluster::rights;
use kubectl_progrc::finding::{Finding, Verdict};
use kubectl_progrc::fix::{Applicability, Fix, Step};
use kubectl_progrc::model::inventory::resource_name;
use kubectl_progrc::model::{Inventory, ObjectRef};
use kubectl_progrc::plan::{change, diff, patch, simulate};
use kubectl_progrc::rules::rule::{Depth, MANUAL_HEADINGS, Rule};
use kubectl_progrc::rules::{RULES, find};
use serde_json::Value;

#[path = "rules/scene.rs"]
mod scene;
#[path = "rules/unmoved.rs"]
mod unmoved;
use scene::Scene;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules")
}

fn fixtures(rule: &Rule) -> Vec<(PathBuf, String)> {
    let Ok(folder) = std::fs::read_dir(root().join(rule.id)) else { return Vec::new() };
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn describe(finding: &Finding) -> String {
    let mut out = String::new();
    let severity = finding.severity.word().to_uppercase();
    writeln!(out, "{severity} {} {} ({})", finding.rule, finding.object, finding.priority.word()).unwrap();
    writeln!(out, "  {}", finding.message).unwrap();
    for location in &finding.locations {
        let object = location.object.as_ref().map(|object| format!("{object} ")).unwrap_or_default();
        let show = |value: &Option<Box<Value>>| value.as_ref().map_or("absent".to_owned(), ToString::to_string);
        let values = match (&location.current, &location.wanted) {
            (None, None) => String::new(),
            (current, wanted) => format!(": {} -> {}", show(current), show(wanted)),
        };
        writeln!(out, "  at {object}{}{values}", location.pointer).unwrap();
    }
    for evidence in &finding.evidence {
        writeln!(out, "  because {}", evidence.text).unwrap();
    }
    for fix in &finding.fixes {
        out.push_str(&describe_fix(fix));
    }
    out
}

fn describe_fix(fix: &Fix) -> String {
    let mut out = String::new();
    writeln!(out, "  {} fix, reversible {}: {}", fix.applicability.word(), fix.reversible.word(), fix.title).unwrap();
    for lowered in &fix.lowered_by {
        let verb = if lowered.refuses { "refused" } else { "lowered" };
        writeln!(out, "    {verb} by {}: {}", lowered.guard, lowered.reason).unwrap();
    }
    for input in &fix.inputs {
        let value = input.value.as_deref().unwrap_or(if input.required { "required" } else { "open" });
        writeln!(out, "    asks {}: {} [{value}]", input.key, input.prompt).unwrap();
    }
    for line in &fix.consequences {
        writeln!(out, "    consequence: {line}").unwrap();
    }
    if let Some(line) = &fix.irreversible {
        writeln!(out, "    lost for good: {line}").unwrap();
    }
    for line in &fix.notes {
        writeln!(out, "    note: {line}").unwrap();
    }
    for step in &fix.steps {
        let verb = match step {
            Step::Patch { subresource: Some(subresource), .. } => format!("patch {subresource} of"),
            Step::Patch { .. } => "patch".to_owned(),
            Step::Create { .. } => "create".to_owned(),
            Step::Delete { .. } => "delete".to_owned(),
            Step::Restart { .. } => "restart".to_owned(),
            Step::Wait { condition, .. } => format!("wait for {condition} of"),
        };
        writeln!(out, "    step: {verb} {}", step.object()).unwrap();
    }
    out
}

fn lines(diff: &[diff::Line]) -> String {
    diff.iter().map(|line| line.text() + "\n").collect()
}

/// The diffs of every fix of a finding, each step against the object as the step before left it,
/// with what makes each of them apply and come back.
fn prove_fixes(scene: &Scene, finding: &Finding) -> String {
    let mut out = String::new();
    for fix in &finding.fixes {
        let mut states: Vec<(ObjectRef, Value)> = Vec::new();
        for step in &fix.steps {
            match step {
                Step::Patch { object, edits, expect, .. } => {
                    let known = states.iter().rev().find(|(known, _)| known.same(object)).map(|(_, value)| value);
                    let before = known.or_else(|| scene.raw(object)).expect("a step patches an object that exists");
                    let guarded = patch::build(before, edits, expect).expect("the patch fits its object");
                    assert!(!guarded.patch.0.is_empty(), "{}: a patch of {object} changes nothing", finding.rule);
                    prove_patch(before, &guarded);
                    writeln!(out, "--- {object}\n+++ {object}").unwrap();
                    out.push_str(&lines(&diff::objects(Some(before), Some(&guarded.after))));
                    states.push(((**object).clone(), guarded.after));
                }
                Step::Create { object, manifest } => {
                    assert!(scene.raw(object).is_none(), "{object} exists already");
                    writeln!(out, "+++ {object} (new)").unwrap();
                    out.push_str(&lines(&diff::objects(None, Some(manifest))));
                    states.push(((**object).clone(), manifest.clone()));
                }
                Step::Delete { object } => writeln!(out, "--- {object} (deleted)").unwrap(),
                Step::Restart { object } => writeln!(out, "restart {object}").unwrap(),
                Step::Wait { object, condition } => writeln!(out, "wait for {condition} of {object}").unwrap(),
            }
        }
    }
    out
}

/// The operations do what the plan says, and the changes can be taken back to the byte.
fn prove_patch(before: &Value, guarded: &patch::Guarded) {
    let mut strict = guarded.patch.clone();
    strict.0.retain(|operation| !matches!(operation, json_patch::PatchOperation::Test(test) if test.value.is_null()));
    let mut applied = before.clone();
    json_patch::patch(&mut applied, &strict.0).expect("the operations apply");
    assert_eq!(applied, guarded.after);
    let changes = change::between(before, &applied);
    let back = change::undo_patch(&change::standing(&changes, &applied), &applied).expect("the inverse fits").after;
    assert_eq!(back, *before, "the inverse restores the object");
}

/// After the fix, the rule is silent about this place, or its own next stage speaks.
fn prove_silence(scene: &Scene, rule: &'static Rule, inventory: &Inventory, finding: &Finding, fix: &Fix) {
    let after = simulate::apply(inventory, &[fix]).expect("the fix fits the inventory");
    let again = audit::run(&after, &scene.settings, &[rule]);
    let still = again.findings.iter().find(|other| other.fingerprint() == finding.fingerprint());
    if let Some(still) = still {
        let changed = still.message != finding.message && rule.next_stages.contains(&rule.id);
        assert!(changed, "{} still says after its fix: {}", rule.id, describe(still));
    }
}

/// Every place exists, or is absent in a parent that exists.
fn prove_pointers(scene: &Scene, finding: &Finding) {
    for location in &finding.locations {
        let object = location.object.as_ref().unwrap_or(&finding.object);
        let Some(raw) = scene.raw(object) else {
            continue;
        };
        if location.current.is_some() {
            assert!(raw.pointer(&location.pointer).is_some(), "{}: no {} in {object}", finding.rule, location.pointer);
        }
    }
}

fn bless_or_compare(path: &Path, actual: &str) {
    if std::env::var_os("BLESS").is_some() {
        if actual.is_empty() {
            let _ = std::fs::remove_file(path);
        } else {
            std::fs::write(path, actual).unwrap();
        }
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs; look at it, then BLESS=1 writes it anew", path.display());
}

#[test]
fn fixtures_fire_and_pass_and_their_fixes_hold() {
    for rule in RULES {
        for (path, text) in fixtures(rule) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let scene = Scene::parse(&text);
            let (inventory, audit) = scene.audit(rule);
            assert_eq!(!audit.findings.is_empty(), name.starts_with("fires"), "{}", path.display());
            let mut findings = String::new();
            let mut diffs = String::new();
            for finding in &audit.findings {
                findings.push_str(&describe(finding));
                diffs.push_str(&prove_fixes(&scene, finding));
                prove_pointers(&scene, finding);
                for fix in finding.fixes.iter().filter(|fix| !fix.steps.is_empty()) {
                    prove_silence(&scene, rule, &inventory, finding, fix);
                }
            }
            for (subject, verdict) in &audit.rules[0].outcomes {
                if let Verdict::Unknown { reason } | Verdict::Partial { reason } = verdict {
                    writeln!(findings, "{subject}: {reason}").unwrap();
                }
            }
            bless_or_compare(&path.with_extension("finding"), &findings);
            bless_or_compare(&path.with_extension("diff"), &diffs);
        }
    }
}

#[test]
fn verdicts_are_the_same_without_evidence_and_fixes() {
    let all = RULES.iter().flat_map(|rule| fixtures(rule).into_iter().map(|(path, text)| (*rule, path, text)));
    for (rule, path, scene) in all.map(|(rule, path, text)| (rule, path, Scene::parse(&text))) {
        let (inventory, whole) = scene.audit(rule);
        let brief = audit::engine::run_to(Depth::Verdicts, &inventory, &scene.settings, &[rule]);
        let about = |finding: &Finding| format!("{} {}", finding.object, finding.message);
        assert!(brief.findings.iter().map(about).eq(whole.findings.iter().map(about)), "{}", path.display());
        assert_eq!(brief.rules[0].outcomes, whole.rules[0].outcomes, "{}", path.display());
    }
}

#[test]
fn folders_and_registry_agree() {
    let mut folders: Vec<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    folders.sort();
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(folders, ids);
    for rule in RULES {
        let names: Vec<String> =
            fixtures(rule).iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        assert!(names.iter().any(|name| name.starts_with("fires")), "{} has no fires*.yaml", rule.id);
        assert!(names.iter().any(|name| name.starts_with("passes")), "{} has no passes*.yaml", rule.id);
    }
}

/// The text below a heading of a manual.
fn section<'a>(rule: &'a Rule, heading: &str) -> &'a str {
    let start = rule.manual.find(&format!("## {heading}\n")).unwrap_or_else(|| panic!("{}: no {heading}", rule.id));
    let body = &rule.manual[start + heading.len() + 4..];
    body.find("\n ## ").or_else(|| body.find("\n## ")).map_or(body, |end| &body[..end])
}

/// The YAML block of a section, without the space that doc comments put before each line.
fn block(rule: &Rule, heading: &str) -> String {
    let text = section(rule, heading);
    let (_, rest) = text.split_once("```yaml\n").unwrap_or_else(|| panic!("{}: no YAML in {heading}", rule.id));
    let (yaml, _) = rest.split_once("```").unwrap();
    yaml.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned() + "\n").collect()
}

#[test]
fn manuals_are_whole_and_their_examples_true() {
    for rule in RULES {
        let headings: Vec<&str> =
            rule.manual.lines().filter_map(|line| line.trim_start().strip_prefix("## ")).collect();
        assert_eq!(headings, MANUAL_HEADINGS, "{}", rule.id);
        assert!(section(rule, "References").contains("<https://"), "{} cites nothing", rule.id);
        let (_, bad) = Scene::parse(&block(rule, "Example")).audit(rule);
        assert!(!bad.findings.is_empty(), "the Example of {} does not fire", rule.id);
        let (_, good) = Scene::parse(&block(rule, "Use instead")).audit(rule);
        let texts: Vec<String> = good.findings.iter().map(describe).collect();
        assert!(texts.is_empty(), "the Use instead of {} fires: {texts:?}", rule.id);
    }
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    for rule in RULES {
        for (path, text) in fixtures(rule) {
            let scene = Scene::parse(&text);
            let count = scene.objects.len();
            let orders: [Vec<usize>; 3] = [
                (0..count).collect(),
                (0..count).rev().collect(),
                (0..count).map(|i| (i * 7 + 3) % count.max(1)).collect(),
            ];
            let texts: Vec<String> = orders
                .into_iter()
                .filter(|order| {
                    let mut sorted = order.clone();
                    sorted.sort_unstable();
                    sorted == (0..count).collect::<Vec<_>>()
                })
                .map(|order| {
                    let inventory = scene.inventory(order.into_iter());
                    audit::run(&inventory, &scene.settings, &[rule]).findings.iter().map(describe).collect()
                })
                .collect();
            assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "{}", path.display());
        }
    }
}

/// Every step of every fix that may be applied, of every fixture.
fn each_step(mut show: impl FnMut(&Rule, &Step)) {
    for rule in RULES {
        for (_, text) in fixtures(rule) {
            let (_, audit) = Scene::parse(&text).audit(rule);
            let fixes = audit.findings.iter().flat_map(|finding| &finding.fixes);
            for fix in fixes.filter(|fix| fix.applicability != Applicability::Manual) {
                fix.steps.iter().for_each(|step| show(rule, step));
            }
        }
    }
}

#[test]
fn the_role_for_fixes_holds_every_step_and_no_more() {
    let name = |group: &str, resource: &str| match resource.split_once('/') {
        _ if group.is_empty() => resource.to_owned(),
        Some((resource, part)) => format!("{resource}.{group}/{part}"),
        None => format!("{resource}.{group}"),
    };
    let mut given = BTreeSet::new();
    for right in rights::fix() {
        let resource = name(&right.group, &right.resource);
        let writes = right.verbs.into_iter().filter(|verb| !matches!(*verb, "get" | "list" | "watch"));
        given.extend(writes.map(|verb| (verb, resource.clone())));
    }
    // A rollback removes pods that are stuck; no step of a fix does.
    assert!(given.remove(&("delete", "pods".to_owned())));
    let mut needed = BTreeSet::new();
    each_step(|rule, step| {
        let object = step.object();
        let mut resource = resource_name(&object.api_version, &object.kind);
        let verbs: &[&str] = match step {
            Step::Patch { subresource, .. } => {
                resource.extend(subresource.iter().map(|part| format!("/{part}")));
                &["patch"]
            }
            Step::Restart { .. } => &["patch"],
            // An undo removes what was made, and makes again what was removed.
            Step::Create { .. } | Step::Delete { .. } => &["create", "delete"],
            Step::Wait { .. } => &[],
        };
        for verb in verbs {
            assert!(given.contains(&(*verb, resource.clone())), "{}: no right to {verb} {resource}", rule.id);
            needed.insert((*verb, resource.clone()));
        }
    });
    // Rules treat all kinds of workloads alike; not every pair of rule and kind has a fixture.
    let is_workload = |resource: &str| ["apps", "batch"].iter().any(|group| resource.contains(group));
    given.retain(|(_, resource)| !is_workload(resource) && !resource.starts_with("replicationcontrollers"));
    let unused: Vec<_> = given.difference(&needed).collect();
    assert!(unused.is_empty(), "no fix needs {unused:?}");
}

#[test]
fn created_objects_belong_to_nobody_else() {
    let mut created = 0;
    each_step(|rule, step| {
        let Step::Create { manifest, .. } = step else { return };
        created += 1;
        let metadata = &manifest["metadata"];
        assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "kubectl-progrc", "{}: {manifest}", rule.id);
        let id = metadata["labels"]["progrc.io/rule"].as_str().unwrap_or_default();
        assert!(find(id).is_some(), "{}: {manifest}", rule.id);
        // A monitor needs the labels by which its Prometheus selects; nothing else has others.
        let labels = metadata["labels"].as_object().unwrap().len();
        assert!(labels == 2 || rule.id == "missing-metrics-scrape", "{}: {metadata}", rule.id);
        assert!(metadata["annotations"].as_object().is_none_or(serde_json::Map::is_empty), "{}: {metadata}", rule.id);
        // An instance label or a tracking annotation makes Argo CD adopt and prune the object, the
        // release annotations make Helm believe that it owns it.
        let text = metadata.to_string();
        for foreign in ["app.kubernetes.io/instance", "helm.", "argocd", "fluxcd", "ownerReferences"] {
            assert!(!text.contains(foreign), "{}: {metadata}", rule.id);
        }
    });
    assert!(created > 10, "{created}");
}

#[test]
fn next_stages_name_rules() {
    for rule in RULES {
        for stage in rule.next_stages {
            assert!(find(stage).is_some(), "{} names {stage}", rule.id);
        }
    }
}
