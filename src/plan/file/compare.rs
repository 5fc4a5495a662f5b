//! A planned fix beside the same fix made anew: what is no longer as it was.

use serde_json::Value;

use super::{Object, Operation, Planned, Step, Text};
use crate::model::ObjectRef;
use crate::plan::patch::changed;

/// What differs between a planned fix and the fix of today, a line each; empty if a plan made now
/// would do the same.
pub fn differences(planned: &Planned, now: &Planned) -> Vec<String> {
    let mut out: Vec<String> =
        planned.steps.iter().zip(&now.steps).flat_map(|(planned, now)| of_step(planned, now)).collect();
    if out.is_empty() && (planned.steps != now.steps || planned.irreversible != now.irreversible) {
        out.push("the fix would do something else now".to_owned());
    }
    out.dedup();
    out
}

fn of_step(planned: &Step, now: &Step) -> Vec<String> {
    let (before, after) = (planned.object(), now.object());
    let named = ObjectRef::from(before);
    if planned.verb() != now.verb() || !named.same(&after.into()) {
        return Vec::new();
    }
    if before.uid != after.uid {
        return vec![format!("{named} was deleted and made anew")];
    }
    match (planned, now) {
        (Step::Patch { patch: planned, texts: then, .. }, Step::Patch { patch: now, texts, .. }) => {
            let guards = tests(planned).filter_map(|(path, value)| of_guard(path, value, now, &named));
            let other = |text: &&Text| texts.iter().any(|now| now.path == text.path && now.change != text.change);
            guards
                .chain(then.iter().filter(other).map(|text| format!("{named}: {} is another text now", text.path)))
                .collect()
        }
        (Step::Create { manifest: planned, .. }, Step::Create { manifest: now, .. }) if planned != now => {
            vec![format!("{named} would be made with other values now")]
        }
        _ => Vec::new(),
    }
}

fn tests(patch: &[Operation]) -> impl Iterator<Item = (&str, &Value)> {
    patch
        .iter()
        .filter(|operation| operation.op == "test")
        .filter_map(|it| Some((it.path.as_str(), it.value.as_ref()?)))
}

/// A guard that no longer holds, as far as the guards of today tell.
fn of_guard(path: &str, value: &Value, now: &[Operation], object: &ObjectRef) -> Option<String> {
    let (_, found) = tests(now).find(|(other, _)| *other == path)?;
    let found = Some(found).filter(|found| !found.is_null());
    (found.unwrap_or(&Value::Null) != value).then(|| format!("{object}: {}", changed(path, Some(value), found)))
}

/// The values that must still stand when step `step` of fix `fix` is written: its guards, but for
/// those of fields that the plan itself changes before.
pub fn expectations(fixes: &[Planned], fix: usize, step: usize) -> Vec<(String, Value)> {
    let Some(Step::Patch { object, patch, .. }) = fixes.get(fix).and_then(|fix| fix.steps.get(step)) else {
        return Vec::new();
    };
    let earlier = fixes[..fix].iter().flat_map(|fix| &fix.steps).chain(&fixes[fix].steps[..step]);
    let touched: Vec<&str> = earlier.flat_map(|earlier| touched(earlier, object)).collect();
    let related = |a: &str, b: &str| a == b || is_below(a, b) || is_below(b, a);
    let written = |path: &str| patch.iter().any(|operation| operation.op != "test" && operation.path == path);
    tests(patch)
        .filter(|(path, _)| *path != "/metadata/uid" && !touched.iter().any(|other| related(other, path)))
        // A parent that is to be made may be there by now, which harms nobody.
        .filter(|(path, value)| !value.is_null() || written(path))
        .map(|(path, value)| (path.to_owned(), value.clone()))
        .collect()
}

fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
}

/// The fields of an object that a step changes.
fn touched<'a>(step: &'a Step, object: &Object) -> Vec<&'a str> {
    match step {
        Step::Patch { object: other, patch, texts, .. } if other == object => {
            let changes = patch.iter().filter(|operation| operation.op != "test");
            let fields = changes.map(|operation| operation.path.strip_suffix("/-").unwrap_or(&operation.path));
            fields.chain(texts.iter().map(|text| text.path.as_str())).collect()
        }
        Step::Restart { object: other } if other == object => vec!["/spec/template/metadata/annotations"],
        _ => Vec::new(),
    }
}
