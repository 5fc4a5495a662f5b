//! Fixes of one plan that touch the same thing: one rollout of a workload however many fixes change
//! its template or want it restarted, one creation of an object that two fixes make, and one value
//! where two fixes want different ones.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::graph::Planned;
use super::patch::{identity, last_segment, parent_of};
use crate::fix::{Action, Edit, Fix, Step};
use crate::model::{ObjectRef, Subject};

/// What is prepared and written at once: the steps of one fix that restart nothing, or everything
/// that replaces the pods of one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The fixes, as places in the plan.
    pub fixes: Vec<usize>,
    /// The workload that rolls out.
    pub workload: Option<Subject>,
    /// The parts that come before.
    pub before: BTreeSet<usize>,
}

/// True if a step replaces the pods of its object.
pub fn rolls_out(step: &Step) -> bool {
    match step {
        Step::Restart { .. } => true,
        Step::Patch { edits, .. } => edits.iter().any(|edit| edit.pointer.starts_with("/spec/template/")),
        _ => false,
    }
}

/// The steps of a fix that replace no pods; they come first, since new pods read what they write.
pub fn head(fix: &Fix) -> Vec<Step> {
    fix.steps.iter().filter(|step| !rolls_out(step)).cloned().collect()
}

/// The steps of a fix as they are carried out when it is applied by itself.
pub fn alone(fix: &Fix) -> Vec<Step> {
    let mut steps = head(fix);
    rollouts(fix).iter().for_each(|workload| steps.extend(one_rollout(fix.steps.iter(), workload)));
    steps
}

/// The workloads whose pods a fix replaces, each once.
pub fn rollouts(fix: &Fix) -> Vec<Subject> {
    let mut out: Vec<Subject> = Vec::new();
    for step in fix.steps.iter().filter(|step| rolls_out(step)) {
        if !out.iter().any(|known| known.same(step.object())) {
            out.push(step.object().clone());
        }
    }
    out
}

/// One patch and at most one restart out of all that fixes do to one workload. Where there is a
/// patch, the restart is for the case that it changes nothing.
pub fn one_rollout<'a>(steps: impl Iterator<Item = &'a Step>, workload: &ObjectRef) -> Vec<Step> {
    let (mut merged, mut restart): (Option<Step>, Option<Step>) = (None, None);
    for step in steps.filter(|step| rolls_out(step) && step.object().same(workload)) {
        match (&mut merged, step) {
            (_, Step::Restart { .. }) => restart = Some(step.clone()),
            (None, _) => merged = Some(step.clone()),
            (Some(Step::Patch { edits, expect, .. }), Step::Patch { edits: more, expect: other, .. }) => {
                edits.extend(more.iter().filter(|edit| !edits.contains(edit)).cloned().collect::<Vec<_>>());
                expect.extend(other.iter().filter(|value| !expect.contains(value)).cloned().collect::<Vec<_>>());
            }
            _ => {}
        }
    }
    merged.into_iter().chain(restart).collect()
}

/// The parts of a plan. `before` are the edges between its fixes.
pub fn parts(fixes: &[Planned<'_>], before: &[BTreeSet<usize>]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut of_fix: Vec<Vec<usize>> = vec![Vec::new(); fixes.len()];
    for (index, planned) in fixes.iter().enumerate() {
        if !head(&planned.fix).is_empty() {
            of_fix[index].push(parts.len());
            parts.push(Part { fixes: vec![index], workload: None, before: BTreeSet::new() });
        }
    }
    let heads = of_fix.clone();
    for (index, planned) in fixes.iter().enumerate() {
        for workload in rollouts(&planned.fix) {
            let known = parts.iter().position(|part| part.workload.as_ref().is_some_and(|it| it.same(&workload)));
            let at = known.unwrap_or(parts.len());
            if known.is_none() {
                parts.push(Part { fixes: Vec::new(), workload: Some(workload), before: BTreeSet::new() });
            }
            parts[at].fixes.push(index);
            of_fix[index].push(at);
        }
    }
    let maps: Vec<Vec<&Subject>> = fixes.iter().map(patched_maps).collect();
    for at in (0..parts.len()).rev().take_while(|at| parts[*at].workload.is_some()).collect::<Vec<_>>() {
        // All patches of a ConfigMap come before a restart that is for one of them.
        let read: Vec<&Subject> = parts[at].fixes.iter().flat_map(|fix| maps[*fix].iter().copied()).collect();
        let shares = |fix: &usize| maps[*fix].iter().any(|map| read.iter().any(|it| it.same(map)));
        let earlier = (0..fixes.len()).filter(|fix| parts[at].fixes.contains(fix) || shares(fix));
        let earlier: Vec<usize> = earlier.flat_map(|fix| heads[fix].iter().copied()).collect();
        parts[at].before.extend(earlier);
    }
    for (later, earlier) in before.iter().enumerate() {
        for part in &of_fix[later] {
            let firsts = earlier.iter().flat_map(|fix| &of_fix[*fix]).copied().filter(|first| first != part);
            parts[*part].before.extend(firsts);
        }
    }
    parts
}

fn patched_maps<'p>(planned: &'p Planned<'_>) -> Vec<&'p Subject> {
    let patched = |step: &&Step| matches!(step, Step::Patch { object, .. } if object.kind == "ConfigMap");
    planned.fix.steps.iter().filter(patched).map(Step::object).collect()
}

/// The fixes that can't be applied beside an earlier one of the plan, and why. `order` is that in
/// which they are applied.
pub fn clashes(fixes: &[Planned<'_>], order: &[usize]) -> BTreeMap<usize, String> {
    let mut kept: BTreeMap<String, Vec<(&Edit, usize)>> = BTreeMap::new();
    let mut out = BTreeMap::new();
    for &index in order {
        let edits: Vec<(String, &Subject, &Edit)> = edits_of(&fixes[index].fix).collect();
        let clash = edits.iter().find_map(|(key, object, edit)| {
            let earlier = kept.get(key)?.iter().find(|(other, of)| *of != index && !agree(other, edit))?;
            let first = &fixes[earlier.1];
            Some(format!(
                "{} of {} is changed otherwise by \"{}\" ({}): apply one of them with --select",
                edit.pointer,
                object.short(),
                first.fix.title,
                first.rule
            ))
        });
        match clash {
            Some(reason) => {
                out.insert(index, reason);
            }
            None => {
                edits.into_iter().for_each(|(key, _, edit)| kept.entry(key).or_default().push((edit, index)));
            }
        }
    }
    out
}

fn key_of(object: &ObjectRef) -> String {
    format!("{} {object}", object.group())
}

fn edits_of(fix: &Fix) -> impl Iterator<Item = (String, &Subject, &Edit)> {
    fix.steps.iter().flat_map(|step| match step {
        Step::Patch { object, edits, .. } => edits.iter().map(|edit| (key_of(object), object, edit)).collect(),
        _ => Vec::new(),
    })
}

/// True if two edits of one object can both be made, in either order.
fn agree(one: &Edit, other: &Edit) -> bool {
    let inside = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    let moves = |edit: &Edit, beside: &Edit| {
        let list = parent_of(&edit.pointer);
        let place = last_segment(&edit.pointer).parse::<usize>().is_ok();
        edit.action == Action::Remove && place && inside(list, &beside.pointer)
    };
    if one.pointer == other.pointer {
        return match (&one.action, &other.action) {
            (Action::Set(_), Action::Set(_)) if one.pointer.ends_with("/-") => true,
            (Action::DropInText(a) | Action::PutInText(a, _), Action::DropInText(b) | Action::PutInText(b, _))
                if a != b =>
            {
                true
            }
            (one, other) => one == other,
        };
    }
    !inside(&one.pointer, &other.pointer)
        && !inside(&other.pointer, &one.pointer)
        && !moves(one, other)
        && !moves(other, one)
}

/// What several fixes make together: the manifest by object; and the fixes whose manifest does not
/// go with that of an earlier one.
pub fn creations(fixes: &[Planned<'_>], order: &[usize]) -> (Vec<(Subject, Value)>, BTreeMap<usize, String>) {
    let mut made: Vec<(Subject, Value, usize)> = Vec::new();
    let mut out = BTreeMap::new();
    for &index in order {
        for step in &fixes[index].fix.steps {
            let Step::Create { object, manifest } = step else { continue };
            match made.iter_mut().find(|(known, ..)| known.same(object)) {
                None => made.push((object.clone(), manifest.clone(), index)),
                Some((_, known, first)) => {
                    if let Some(merged) = both(known, manifest) {
                        *known = merged;
                        continue;
                    }
                    let first = &fixes[*first];
                    let name = object.short();
                    let reason = format!(
                        "{name} is made otherwise by \"{}\" ({}): apply that one first",
                        first.fix.title, first.rule
                    );
                    out.insert(index, reason);
                }
            }
        }
    }
    (made.into_iter().map(|(object, manifest, _)| (object, manifest)).collect(), out)
}

/// Two manifests of one object as one; `None` if they disagree. The marks are those of the first.
fn both(one: &Value, other: &Value) -> Option<Value> {
    let mut other = other.clone();
    other["metadata"] = one["metadata"].clone();
    union(one, &other)
}

fn union(one: &Value, other: &Value) -> Option<Value> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let mut out = a.clone();
            for (key, value) in b {
                let value = match a.get(key) {
                    Some(known) => union(known, value)?,
                    None => value.clone(),
                };
                out.insert(key.clone(), value);
            }
            Some(Value::Object(out))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let same = |(a, b): (&Value, &Value)| match (identity(a), identity(b)) {
                (Some(a), Some(b)) => a == b,
                _ => a == b,
            };
            if !a.iter().zip(b).all(same) {
                return None;
            }
            a.iter().zip(b).map(|(a, b)| union(a, b)).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        (a, b) => (a == b).then(|| a.clone()),
    }
}

/// The steps of a fix in portions of which each can be tried before the next is real: a wait, an
/// object that an earlier step touches and a namespace that one makes begin another.
pub fn portions(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut out: Vec<Vec<Step>> = vec![Vec::new()];
    for step in steps {
        let current = out.last().expect("there is always one");
        let touched = |earlier: &Step| {
            let (object, other) = (step.object(), earlier.object());
            let home = matches!(earlier, Step::Create { .. }) && other.kind == "Namespace";
            // A restart beside the patch of its template is for the case that the patch is done already.
            let spare = matches!(step, Step::Restart { .. }) && rolls_out(earlier);
            earlier.writes() && ((other.same(object) && !spare) || (home && object.namespace() == other.name))
        };
        let begins = matches!(step, Step::Wait { .. }) && current.iter().any(Step::writes);
        if begins || current.iter().any(touched) {
            out.push(Vec::new());
        }
        out.last_mut().expect("there is always one").push(step.clone());
    }
    out
}

#[cfg(test)]
#[path = "merge/tests.rs"]
mod tests;
