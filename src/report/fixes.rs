//! What a fix does, in one line.

use super::audit::{Fix, Object, Step};
use crate::fix::Applicability;

/// The line of a fix: its class, and what follows it: `safe fix: `, `create
/// PodDisruptionBudget/web-pdb`.
pub fn line(rule: &str, fix: &Fix) -> (String, String) {
    let open: Vec<&str> = fix
        .inputs
        .iter()
        .filter(|input| input.required && input.value.is_none())
        .map(|input| input.key.as_ref())
        .collect();
    if fix.applicability == Applicability::Manual {
        return ("manual: ".to_owned(), reason(fix));
    }
    let what = match open.first() {
        Some(first) => format!("asks {} (--set {rule}.{first}=…)", open.join(", ")),
        None => work(fix),
    };
    (format!("{} fix: ", fix.applicability.word()), what)
}

/// Why a fix is left to a person: the guard that stopped it, or what is to be done.
fn reason(fix: &Fix) -> String {
    let refusal = fix.lowered_by.iter().find(|lowered| lowered.refuses).or(fix.lowered_by.first());
    refusal.map_or_else(|| fix.title.clone(), |lowered| lowered.reason.clone())
}

/// The steps, counted: `create LimitRange/a, 2 patches, restarts 1 workload`.
fn work(fix: &Fix) -> String {
    let named = |verb: &str, objects: &[&Object]| match objects {
        [] => None,
        [object] => Some(format!("{verb} {}/{}", object.kind, object.name)),
        many => Some(format!("{verb} {} objects", many.len())),
    };
    let pick = |wanted: fn(&Step) -> Option<&Object>| fix.steps.iter().filter_map(wanted).collect::<Vec<_>>();
    let created = pick(|step| if let Step::Create { object, .. } = step { Some(object) } else { None });
    let deleted = pick(|step| if let Step::Delete { object } = step { Some(object) } else { None });
    let changed = pick(|step| if let Step::Patch { object, .. } = step { Some(object) } else { None });
    let patches = match changed.len() {
        0 => None,
        1 => Some("1 patch".to_owned()),
        many => Some(format!("{many} patches")),
    };
    let restarts = match restarted(fix).len() {
        0 => None,
        1 => Some("restarts 1 workload".to_owned()),
        many => Some(format!("restarts {many} workloads")),
    };
    let parts = [named("create", &created), patches, named("delete", &deleted), restarts];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { fix.title.clone() } else { parts.join(", ") }
}

/// The workloads that a fix restarts, each once: by a restart, or by a change of their pod template.
fn restarted(fix: &Fix) -> Vec<&Object> {
    let mut objects: Vec<&Object> = fix
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Restart { object } => Some(object),
            Step::Patch { object, patch, .. } if object.kind != "CronJob" => {
                let touches = |path: &str| path.starts_with("/spec/template/");
                patch.iter().any(|operation| operation.op != "test" && touches(&operation.path)).then_some(object)
            }
            _ => None,
        })
        .collect();
    objects.sort();
    objects.dedup();
    objects
}
