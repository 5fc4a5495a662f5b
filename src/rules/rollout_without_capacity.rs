//! rollout-without-capacity: a rollout strategy that may take every pod down.

use serde_json::json;

use super::more_pods;
use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::capacity::{self, Bound};
use crate::model::pod::PodSpec;
use crate::model::workload::Workload;
use crate::model::{Item, admission};

declare_rule! {
    /// ## What it does
    /// Reports a Deployment that keeps two or more pods and whose rollout may take all of them
    /// down: `strategy.type: Recreate`, or a `maxUnavailable` of as many pods as it keeps. The
    /// pods that it keeps are the autoscaler's minimum, else its own replicas. A percentage is
    /// rounded down, as the controller does. A StatefulSet with `OnDelete` is reported as
    /// information: nothing rolls out until somebody deletes pods.
    ///
    /// ## Why it matters
    /// Disruption budgets do not bound rollouts; the strategy does. With these values every new
    /// version begins with an outage, and a broken one stays down.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 3
    ///   strategy: {type: Recreate}
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 3
    ///   strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ```
    ///
    /// ## Fix
    /// Unsafe. The strategy becomes a rolling update with the defaults of the API, 25% surge and
    /// 25% unavailable; where only `maxUnavailable` is too large, it becomes 25%. No pod restarts.
    /// From `Recreate` it is refused where a mounted volume can't be on two nodes, or the workload
    /// is a singleton: there `Recreate` is right. If the application seems to migrate its schema
    /// at start, the fix asks first: `--set rollout-without-capacity.mixed-versions=yes` says that
    /// an old and a new version may run at once. Undo puts the old strategy back.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#strategy>
    /// - <https://kubernetes.io/docs/concepts/workloads/pods/disruptions/>
    id: "rollout-without-capacity",
    summary: "a rollout may take every pod down",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::HighAvailability,
    fix: Some(Applicability::Unsafe),
    impact: "Every rollout begins with an outage.",
    parameters: &[Parameter {
        key: "mixed-versions",
        prompt: "may an old and a new version run at once, although the application migrates its schema",
        kind: ParameterKind::Acknowledge,
        default: None,
    }],
    next_stages: &["quota-exhausted"],
    unmoved_by: &[Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for (position, workload) in inventory.audited_workloads() {
        let floor = capacity::floor(inventory, position);
        let rolls = matches!(workload.kind.as_str(), "Deployment" | "StatefulSet");
        if !rolls || workload.is_idle() || floor.pods < 2 || super::is_development(context, workload) {
            let autoscaled = inventory.autoscalers_of(position).next().is_some();
            let unseen = inventory.unseen("horizontalpodautoscalers", workload.namespace());
            match unseen.filter(|_| rolls && !workload.is_idle() && !autoscaled) {
                Some(reason) => verdicts.unknown(&workload.subject, reason),
                None => verdicts.na(&workload.subject),
            }
            continue;
        }
        let (_, missing) = workload.surge_and_unavailable(floor.pods);
        match (workload.kind.as_str(), workload.strategy_kind()) {
            ("StatefulSet", "OnDelete") => verdicts.fail(on_delete(context, workload)),
            ("Deployment", "Recreate") => verdicts.fail(recreate(context, workload, &floor)),
            ("Deployment", _) if missing >= floor.pods => verdicts.fail(all_missing(context, workload, &floor)),
            _ => verdicts.pass(&workload.subject),
        }
    }
}

fn on_delete(context: &Context<'_>, workload: &Item<Workload>) -> Finding {
    context
        .finding(workload, "updateStrategy OnDelete: nothing rolls out until somebody deletes pods")
        .severity(Severity::Info)
        .at(Location::at("/spec/updateStrategy/type").values(Some("OnDelete".into()), Some("RollingUpdate".into())))
        .because("spec.updateStrategy.type = OnDelete")
        .fix(Fix::new("Delete pods one by one after a change", Applicability::Manual))
}

fn recreate(context: &Context<'_>, workload: &Item<Workload>, floor: &Bound) -> Finding {
    let message = format!("strategy Recreate takes its {} pods down at each rollout", floor.pods);
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    let finding = context
        .finding(workload, message)
        .at(Location::at("/spec/strategy/type").values(Some("Recreate".into()), Some("RollingUpdate".into())))
        .because(format!("floor {} = {}", floor.pods, floor.source));
    let question = context.input(&workload.subject, "mixed-versions", true);
    let hint = workload.template().and_then(|template| migrates(&template.spec));
    let open = hint.is_some() && question.value.is_none();
    let title = "Roll out with strategy RollingUpdate";
    let mut fix = Fix::new(title, if open { Applicability::Input } else { Applicability::Unsafe })
        .consequence("old and new pods run beside each other during a rollout")
        .note("25% and 25% are the defaults of the API");
    if let Some(hint) = hint {
        fix = fix.note(hint).ask(question);
    }
    if !open {
        fix = fix.step(Step::patch(&workload.subject, vec![Edit::set("/spec/strategy", strategy)]));
    }
    guard(context, workload, floor, &mut fix);
    finding.fix(fix)
}

fn all_missing(context: &Context<'_>, workload: &Item<Workload>, floor: &Bound) -> Finding {
    let numbers = workload.spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
    let current = numbers.and_then(|numbers| numbers.max_unavailable.clone());
    let text = current.as_ref().map(ToString::to_string).unwrap_or_default();
    let pointer = "/spec/strategy/rollingUpdate/maxUnavailable";
    let value = current.and_then(|current| serde_json::to_value(current).ok());
    let pods = more_pods::pods(floor.pods);
    let mut fix = Fix::new("Set maxUnavailable to 25%", Applicability::Unsafe)
        .consequence("rollouts take longer")
        .note("25% is the default of the API, rounded down")
        .step(Step::patch(&workload.subject, vec![Edit::set(pointer, "25%")]));
    room(context, workload, floor, &mut fix);
    context
        .finding(workload, format!("maxUnavailable {text} takes all of its {pods} down at once"))
        .at(Location::at(pointer).values(value, Some("25%".into())))
        .because(format!("floor {} = {}", floor.pods, floor.source))
        .fix(fix)
}

/// Where a quarter of the pods is none, a new pod starts before an old one ends: a full quota would
/// stop every rollout.
fn room(context: &Context<'_>, workload: &Item<Workload>, floor: &Bound, fix: &mut Fix) {
    if floor.pods >= 4 || !context.inventory.is_live() {
        return;
    }
    if let Some(obstacle) = admission::shortage(context.inventory, workload, 1, 0).filter(|it| it.known) {
        let reason = format!("rollouts would not end until there is room: {}", obstacle.reason);
        fix.demote(Applicability::Unsafe, obstacle.guard, reason);
    }
}

/// Why a new pod can't start beside the old ones. Volumes and singletons make `Recreate` right.
fn guard(context: &Context<'_>, workload: &Item<Workload>, floor: &Bound, fix: &mut Fix) {
    for obstacle in capacity::obstacles(context.inventory, workload, floor.pods + 1) {
        match obstacle.guard {
            "recreate" => {}
            "volume" | "singleton" if obstacle.known => fix.refuse(obstacle.guard, obstacle.reason),
            _ => fix.demote(Applicability::Unsafe, obstacle.guard, obstacle.reason),
        }
    }
    room(context, workload, floor, fix);
}

/// The container that seems to migrate a schema when a pod starts.
fn migrates(spec: &PodSpec) -> Option<String> {
    let (_, _, container) = spec.all_containers().find(|(_, _, container)| {
        let words = container.command.iter().chain(&container.args).chain(std::iter::once(&container.name));
        words.into_iter().any(|word| word.to_lowercase().contains("migrat"))
    })?;
    Some(format!("container {} seems to migrate a schema when a pod starts", container.name))
}
