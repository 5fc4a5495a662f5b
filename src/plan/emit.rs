//! Fixes for Git, or for a script, instead of writes: [`kustomize`], whole [`manifests`], [`kubectl`].

use std::collections::{BTreeMap, BTreeSet};

use json_patch::PatchOperation;
use serde_json::Value;

use super::draft::{Drafted, Drafts, Originals, Target, without_tests};
use super::graph::{self, Planned};
use super::{merge, seen};
use crate::finding::Finding;
use crate::fix::{Fix, Step};
use crate::model::object::LAST_APPLIED;
use crate::model::{Inventory, ObjectRef, Subject};

pub mod kubectl;
pub mod kustomize;
pub mod manifests;

/// A file as it is printed: a name without a directory, and a text.
pub type Printed = (String, String);

/// The fix of a finding.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// Its fix.
    pub fix: &'a Fix,
}

/// What is done for one fix.
#[derive(Clone, Debug)]
pub struct Part {
    /// Lines that say what it is for.
    pub head: Vec<String>,
    /// Its steps.
    pub steps: Vec<Drafted>,
}

/// An object before and after all fixes, and the operations that lead there.
#[derive(Clone, Debug)]
pub struct Touched {
    /// The object.
    pub object: ObjectRef,
    /// The object before; `None` if it is made.
    pub before: Option<Value>,
    /// The object after; `None` if it is removed.
    pub after: Option<Value>,
    /// The operations without guards, in order.
    pub operations: Vec<PatchOperation>,
    /// What they are for, a line each.
    pub head: Vec<String>,
}

/// What can be emitted, and what was left out: the finding, and why.
#[derive(Debug, Default)]
pub struct Emission<'a> {
    /// What is done, in order.
    pub parts: Vec<Part>,
    /// What is not.
    pub left: Vec<(&'a Finding, String)>,
}

/// Drafts fixes for the server, in the parts and the order in which a batch carries them out: each
/// workload rolls out once.
pub fn for_server<'a>(offers: &[Offer<'a>], originals: &Originals, inventory: &Inventory) -> Emission<'a> {
    let (offers, left) = possible(offers, originals, inventory);
    let mut out = Emission { parts: Vec::new(), left };
    let planned: Vec<Planned<'_>> =
        offers.iter().map(|offer| Planned::of(offer.finding, offer.fix, inventory)).collect();
    let places: Vec<usize> = (0..planned.len()).collect();
    let (manifests, _) = merge::creations(&planned, &places);
    let parts = merge::parts(&planned, &graph::edges(&planned));
    let before: Vec<BTreeSet<usize>> = parts.iter().map(|part| part.before.clone()).collect();
    let mut drafts = Drafts::new(originals, Target::Server);
    let mut made: Vec<Subject> = Vec::new();
    for place in graph::topological(&before, |part| usize::from(parts[part].workload.is_some())) {
        let part = &parts[place];
        let offers: Vec<&Offer<'a>> = part.fixes.iter().map(|fix| &offers[*fix]).collect();
        let steps = match &part.workload {
            Some(workload) => merge::one_rollout(offers.iter().flat_map(|offer| &offer.fix.steps), workload),
            None => merge::head(offers[0].fix)
                .into_iter()
                .filter_map(|step| together(step, &manifests, &mut made))
                .collect(),
        };
        match drafts.fix(&seen::pin(&steps, inventory)) {
            Ok(steps) => out.parts.push(Part { head: reasons(&offers, part.workload.as_ref()), steps: once(steps) }),
            Err(why) => out.left.extend(offers.iter().map(|offer| (offer.finding, why.clone()))),
        }
    }
    out
}

/// The offers that can be carried out, and those that can't: with values that may not be shown,
/// against another of them, or after one that can't.
fn possible<'a>(
    offers: &[Offer<'a>],
    originals: &Originals,
    inventory: &Inventory,
) -> (Vec<Offer<'a>>, Vec<(&'a Finding, String)>) {
    let planned: Vec<Planned<'_>> =
        offers.iter().map(|offer| Planned::of(offer.finding, offer.fix, inventory)).collect();
    let places: Vec<usize> = (0..planned.len()).collect();
    let mut out: BTreeMap<usize, String> = merge::clashes(&planned, &places);
    out.extend(merge::creations(&planned, &places).1);
    for (place, offer) in offers.iter().enumerate() {
        let drafted = Drafts::new(originals, Target::Server).fix(&seen::pin(&offer.fix.steps, inventory));
        if let Err(why) = drafted {
            out.entry(place).or_insert(why);
        }
    }
    let before = graph::edges(&planned);
    for failed in out.keys().copied().collect::<Vec<_>>() {
        for later in graph::descendants(&before, failed) {
            let why = format!(
                "it comes after \"{}\" ({}), which is left out",
                offers[failed].fix.title, planned[failed].rule
            );
            out.entry(later).or_insert(why);
        }
    }
    let stays = offers.iter().enumerate().filter(|(place, _)| !out.contains_key(place)).map(|(_, offer)| *offer);
    (stays.collect(), out.iter().map(|(place, why)| (offers[*place].finding, why.clone())).collect())
}

/// A step with what several fixes make together; none for what an earlier one makes.
fn together(step: Step, manifests: &[(Subject, Value)], made: &mut Vec<Subject>) -> Option<Step> {
    let Step::Create { object, manifest } = step else { return Some(step) };
    if made.iter().any(|known| known.same(&object)) {
        return None;
    }
    made.push(object.clone());
    let whole = manifests.iter().find(|(known, _)| known.same(&object)).map(|(_, whole)| whole.clone());
    Some(Step::Create { object, manifest: whole.unwrap_or(manifest) })
}

/// The steps without the restart that a change of the template has made needless.
fn once(mut steps: Vec<Drafted>) -> Vec<Drafted> {
    let changed = steps.iter().any(|step| matches!(step, Drafted::Patch { .. }) && step.rolls_out());
    steps.retain(|step| !(changed && matches!(step, Drafted::Restart { .. })));
    steps
}

/// What a part is for.
fn reasons(offers: &[&Offer<'_>], workload: Option<&Subject>) -> Vec<String> {
    let Some(workload) = workload else { return head(offers[0]) };
    let changes = |offer: &&&Offer<'_>| {
        let own = |step: &Step| matches!(step, Step::Patch { .. }) && step.object().same(workload);
        offer.fix.steps.iter().any(|step| merge::rolls_out(step) && own(step))
    };
    let mut lines: Vec<String> = offers.iter().filter(changes).flat_map(|offer| head(offer)).collect();
    if lines.is_empty() {
        lines.push(format!("Restart {workload}, which reads what was changed"));
    }
    lines
}

fn restarted(step: &Step) -> Option<&Subject> {
    if let Step::Restart { object } = step { Some(object) } else { None }
}

/// Drafts fixes for the manifests that the objects were made from.
pub fn for_source<'a>(offers: &[Offer<'a>], originals: &Originals, inventory: &Inventory) -> Emission<'a> {
    let mut drafts = Drafts::new(originals, Target::Source);
    let mut out = Emission::default();
    for offer in offers {
        match drafts.fix(&seen::pin(&offer.fix.steps, inventory)) {
            Ok(steps) => {
                let mut head = head(offer);
                head.truncate(1);
                head.extend(offer.fix.steps.iter().filter_map(restarted).map(|workload| {
                    let kind = workload.kind.to_lowercase();
                    format!("afterwards: kubectl rollout restart -n {} {kind}/{}", workload.namespace(), workload.name)
                }));
                out.parts.push(Part { head, steps });
            }
            Err(why) => out.left.push((offer.finding, why)),
        }
    }
    out
}

fn head(offer: &Offer<'_>) -> Vec<String> {
    let Offer { finding, fix } = offer;
    let mut lines = vec![
        format!("{} · {}: {} ({})", finding.rule, finding.object, finding.message, fix.applicability.word()),
        fix.title.clone(),
    ];
    lines.extend(fix.consequences.iter().cloned());
    lines.extend(fix.irreversible.iter().map(|lost| format!("can't be undone: {lost}")));
    lines.iter().map(|line| crate::model::mask::mask("", line)).collect()
}

/// The objects that parts touch, in the order in which they are touched first.
pub fn touched(parts: &[Part]) -> Vec<Touched> {
    let mut out: Vec<Touched> = Vec::new();
    for part in parts {
        for step in &part.steps {
            let (object, before, after, operations) = match step {
                Drafted::Patch { object, before, guarded, .. } => {
                    let operations = without_tests(guarded).patch.0;
                    (object, Some(before.clone()), Some(guarded.after.clone()), operations)
                }
                Drafted::Create { object, manifest } => (object, None, Some(manifest.clone()), Vec::new()),
                Drafted::Delete { object } => (object, Some(Value::Null), None, Vec::new()),
                Drafted::Restart { .. } | Drafted::Wait { .. } => continue,
            };
            let place = out.iter().position(|touched| touched.object.same(object)).unwrap_or_else(|| {
                out.push(Touched { object: object.clone(), before, after: None, operations: vec![], head: vec![] });
                out.len() - 1
            });
            let touched = &mut out[place];
            touched.after = after;
            touched.operations.extend(operations);
            let news: Vec<String> = part.head.iter().filter(|line| !touched.head.contains(line)).cloned().collect();
            touched.head.extend(news);
        }
    }
    out
}

/// An object as somebody would write it: without what a server adds.
pub fn written(object: &Value) -> Value {
    let mut out = object.clone();
    let Some(map) = out.as_object_mut() else { return out };
    map.shift_remove("status");
    let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) else { return out };
    let server = ["managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink"];
    metadata.retain(|name, _| !server.contains(&name.as_str()));
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| name != LAST_APPLIED && name != "deployment.kubernetes.io/revision");
        if annotations.is_empty() {
            metadata.shift_remove("annotations");
        }
    }
    out
}

/// The name of an object's file: `<name>-<kind>.yaml`, with its namespace where that is not unique.
fn file_name(object: &ObjectRef, taken: &[Printed]) -> String {
    let name: String =
        object.name.chars().map(|c| if c.is_ascii_alphanumeric() || "-.".contains(c) { c } else { '-' }).collect();
    let plain = format!("{name}-{}.yaml", object.kind.to_lowercase());
    if taken.iter().all(|(other, _)| *other != plain) {
        return plain;
    }
    let full = format!("{}-{}-{plain}", object.namespace(), object.group().replace('.', "-"));
    full.trim_start_matches('-').to_owned()
}

/// A comment of several lines; nothing in it ends the comment.
fn comment(lines: &[String]) -> String {
    lines.iter().map(|line| format!("# {}\n", line.replace(|c: char| c.is_control(), " "))).collect()
}

/// A value as YAML.
fn yaml<T: serde::Serialize>(value: &T) -> String {
    serde_saphyr::to_string(value).expect("JSON values are YAML")
}

/// The lines of a text, moved to the right.
fn indent(text: &str, columns: usize) -> String {
    let margin = " ".repeat(columns);
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{margin}{line}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_server_adds_is_not_written() {
        let annotations = json!({(LAST_APPLIED): "{}", "deployment.kubernetes.io/revision": "3"});
        let object = json!({
            "kind": "Deployment",
            "metadata": {"name": "web", "uid": "u", "resourceVersion": "1", "managedFields": [], "generation": 2,
                "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": annotations, "labels": {"a": "b"}},
            "spec": {"replicas": 1}, "status": {"replicas": 1},
        });
        let expected =
            json!({"kind": "Deployment", "metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"replicas": 1}});
        assert_eq!(written(&object), expected);
    }

    #[test]
    fn no_line_of_a_comment_is_anything_else() {
        assert_eq!(comment(&["a\nkind: Secret".to_owned()]), "# a kind: Secret\n");
    }

    #[test]
    fn files_of_one_name_get_their_namespace() {
        let object = ObjectRef::new("policy/v1", "PodDisruptionBudget", Some("a"), "web");
        let first = file_name(&object, &[]);
        assert_eq!(first, "web-poddisruptionbudget.yaml");
        assert_eq!(file_name(&object, &[(first, String::new())]), "a-policy-web-poddisruptionbudget.yaml");
    }
}
