//! A plan for the eye: what would be done, and what not.

use super::text::{Line, Role};
use crate::finding::{Finding, Severity};
use crate::fix::Applicability;
use crate::model::ObjectRef;
use crate::plan::file::{Plan, Planned, Step};

/// The whole summary: the fixes in order, then what is left out.
pub fn lines(plan: &Plan) -> Vec<Line> {
    let cluster = &plan.metadata.cluster;
    let scope = match plan.metadata.namespaces.as_slice() {
        [] => "all namespaces".to_owned(),
        names => format!("namespace {}", names.join(", ")),
    };
    let context = cluster.context.as_deref().unwrap_or("in-cluster");
    let mut lines = vec![Line::of(Role::Plain, &format!("Plan for context {context} · {} · {scope}", cluster.server))];
    if plan.fixes.is_empty() {
        lines.push(Line::of(Role::Plain, "There is nothing to do."));
    }
    for (index, fix) in plan.fixes.iter().enumerate() {
        lines.push(Line::blank());
        lines.extend(of_fix(index + 1, fix));
    }
    if !plan.omitted.is_empty() {
        lines.extend([Line::blank(), Line::of(Role::Strong, "Left out")]);
    }
    for omitted in &plan.omitted {
        let object = ObjectRef::from(&omitted.object);
        lines.push(Line::of(Role::Plain, &format!("  {} · {object}: {}", omitted.rule, omitted.reason)));
    }
    lines
}

/// One fix: what it is about, its steps, and what happens besides.
fn of_fix(number: usize, fix: &Planned) -> Vec<Line> {
    let object = ObjectRef::from(&fix.object);
    let mut lines = vec![
        title(number, fix.severity, &fix.rule, &object, fix.applicability),
        Line::of(Role::Plain, &format!("   {}: {}", fix.message, fix.title)),
    ];
    lines.extend(fix.steps.iter().map(|step| Line::of(Role::Plain, &format!("   {}", of_step(step)))));
    lines.extend(fix.consequences.iter().map(|text| Line::of(Role::Dim, &format!("   {text}"))));
    if let Some(lost) = &fix.irreversible {
        lines.push(Line::of(Role::Critical, "   does not come back: ").and(Role::Plain, lost));
    }
    lines
}

/// A finding whose planned fix is about to be applied.
pub fn head(number: usize, finding: &Finding) -> Vec<Line> {
    let class = finding.fixes.first().map_or(Applicability::Manual, |fix| fix.applicability);
    let mut lines = vec![title(number, finding.severity, finding.rule, &finding.object, class)];
    lines.extend(
        finding.fixes.first().map(|fix| Line::of(Role::Plain, &format!("   {}: {}", finding.message, fix.title))),
    );
    lines
}

fn title(number: usize, severity: Severity, rule: &str, object: &ObjectRef, class: Applicability) -> Line {
    Line::of(Role::Strong, &format!("{number}. "))
        .and(severity.into(), &severity.word().to_uppercase())
        .and(Role::Plain, &format!(" {rule} · "))
        .and(Role::Strong, &object.to_string())
        .and(Role::Plain, "  ")
        .and(class.into(), class.word())
}

fn of_step(step: &Step) -> String {
    let line = format!("{} {}", step.verb(), ObjectRef::from(step.object()));
    match step {
        Step::Patch { patch, texts, .. } => {
            let changes = patch.iter().filter(|operation| operation.op != "test");
            let mut changes: Vec<String> = changes.map(|it| format!("{} {}", it.op, it.path)).collect();
            changes.extend(texts.iter().map(|it| format!("remove {} inside {}", it.change.member, it.path)));
            format!("{line}: {}", changes.join(", "))
        }
        Step::Wait { condition, .. } => format!("{line}: {condition}"),
        _ => line,
    }
}
