//! hpa-cannot-scale: an autoscaler that does nothing, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

mod causes;

use super::more_pods;
use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Confidence, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::autoscaling::OtherScalers;
use crate::model::policy::Autoscaler;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, ObjectRef, capacity, replicas};
use causes::{
    ByTarget, Cause, Counted, Rival, ambiguous, double, false_conditions, said_by_conditions, vertical_conflict,
};

declare_rule! {
    /// ## What it does
    /// Reports the target of a HorizontalPodAutoscaler that can't scale it: the condition
    /// `AbleToScale` or `ScalingActive` is `False`, two autoscalers have the same target, or targets
    /// whose selectors select the same pods (the controller then scales neither), the target has 0
    /// replicas although the minimum is above 0, or a VerticalPodAutoscaler changes the requests that
    /// the metric is measured in. If the target does not exist or was not read, the autoscaler itself
    /// is reported. Without conditions, in manifests, it reports an autoscaler all of whose metrics
    /// are a share of requests that a container does not have, or of a container that the pods do not
    /// have, and a target whose kind has no scale, as a DaemonSet. Scaled to zero by design is right: `minReplicas: 0`, or a ScaledObject of KEDA with minimum 0 or paused at 0.
    ///
    /// ## Why it matters
    /// The number of pods stays where it is, whatever the load.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1, resources: {requests: {cpu: 100m}}}]}
    /// ---
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   minReplicas: 3
    ///   maxReplicas: 10
    ///   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    /// ---
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web-by-queue, namespace: shop}
    /// spec:
    ///   minReplicas: 1
    ///   maxReplicas: 20
    ///   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1, resources: {requests: {cpu: 100m}}}]}
    /// ---
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   minReplicas: 3
    ///   maxReplicas: 20
    ///   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    /// ```
    ///
    /// ## Fix
    /// Manual: the cause has to go; each cause comes with what to do. For a target at 0 replicas
    /// the fix asks whether that is maintenance or a mistake. With
    /// `--set hpa-cannot-scale.intent=mistake` it is unsafe and scales to the autoscaler's minimum.
    /// Undo scales back to 0.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>
    /// - <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/podautoscaler/horizontal.go>
    /// - <https://github.com/kubernetes/autoscaler/blob/master/vertical-pod-autoscaler/docs/known-limitations.md>
    id: "hpa-cannot-scale",
    summary: "an autoscaler that cannot act",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::HighAvailability,
    fix: Some(Applicability::Input),
    impact: "The number of pods stays where it is, whatever the load.",
    parameters: &[Parameter {
        key: "intent",
        prompt: "is 0 replicas maintenance, or a mistake",
        kind: ParameterKind::Choice(&["maintenance", "mistake"]),
        default: None,
    }],
    next_stages: &["hpa-cannot-scale", "replicas-pinned-with-hpa"],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let others = OtherScalers::of(inventory);
    let mut by_target = ByTarget::new();
    let mut unread: BTreeMap<Named<'_>, Vec<&Arc<Item<Autoscaler>>>> = BTreeMap::new();
    for autoscaler in inventory.autoscalers.iter().filter(|a| inventory.scope.covers(a.namespace())) {
        match inventory.target_of(autoscaler) {
            Some(target) => by_target.entry(target).or_default().push(autoscaler),
            None => unread.entry(named(autoscaler)).or_default().push(autoscaler),
        }
    }
    for autoscalers in unread.values() {
        for autoscaler in autoscalers {
            judge_without_target(context, autoscaler, autoscalers, verdicts);
        }
    }
    let counted = Counted::of(inventory, &by_target);
    for (position, autoscalers) in &by_target {
        let position = *position;
        let workload = inventory.workloads.at(position);
        if super::is_development(context, workload) {
            verdicts.na(&workload.subject);
        } else {
            judge(context, (position, autoscalers), &counted.rivals(position), &others, verdicts);
        }
    }
}

/// Namespace, group, kind and name of a target as an autoscaler names it.
type Named<'a> = (&'a str, &'a str, &'a str, &'a str);

fn named(autoscaler: &Item<Autoscaler>) -> Named<'_> {
    let target = &autoscaler.spec.scale_target_ref;
    let group = target.api_version.split_once('/').map_or("", |(group, _)| group);
    (autoscaler.namespace(), group, &target.kind, &target.name)
}

fn judge(
    context: &Context<'_>,
    (position, autoscalers): (usize, &[&Arc<Item<Autoscaler>>]),
    rivals: &[Rival<'_>],
    others: &OtherScalers,
    verdicts: &mut Verdicts<'_>,
) {
    let inventory = context.inventory;
    let workload = inventory.workloads.at(position);
    let floor = capacity::floor(inventory, position);
    let at_zero = workload.spec.replicas == Some(0);
    let by_design = at_zero && (floor.pods == 0 || paused_by_keda(inventory, autoscalers[0]));
    let mut causes = double(autoscalers);
    for autoscaler in autoscalers {
        causes.extend(said_by_conditions(inventory, workload, autoscaler, at_zero));
        causes.extend(vertical_conflict(workload, autoscaler, others));
        causes.extend(ambiguous(autoscaler, rivals).filter(|_| !at_zero));
    }
    if at_zero && !by_design {
        verdicts.fail(switched_off(context, workload, autoscalers[0], &floor, &causes));
    } else if causes.is_empty() {
        let silent = inventory.is_live() && autoscalers.iter().any(|a| a.status.conditions.is_empty());
        if silent && !by_design {
            verdicts.unknown(&workload.subject, format!("{} has no conditions yet", autoscalers[0].subject.short()));
        } else {
            verdicts.pass(&workload.subject);
        }
    } else {
        verdicts.fail(describe(context, workload, autoscalers[0], &causes));
    }
}

/// True if the `ScaledObject` that made the autoscaler is paused.
fn paused_by_keda(inventory: &Inventory, autoscaler: &Item<Autoscaler>) -> bool {
    let Some((_, Some(scaled))) = capacity::scaled_object(inventory, autoscaler) else {
        return false;
    };
    scaled.metadata.annotation("autoscaling.keda.sh/paused") == Some("true")
        || scaled.metadata.annotation("autoscaling.keda.sh/paused-replicas") == Some("0")
}

fn explain(mut finding: Finding, autoscaler: &Item<Autoscaler>, causes: &[Cause]) -> Finding {
    for cause in causes {
        finding = finding.because_of(&cause.object, cause.text.clone());
    }
    for line in replicas::conditions(autoscaler) {
        if !causes.iter().any(|cause| cause.text.ends_with(&line)) {
            finding = finding.because_of(&autoscaler.subject, line);
        }
    }
    finding
}

fn manual(title: &str, causes: &[Cause]) -> Fix {
    causes.iter().fold(Fix::new(title, Applicability::Manual), |fix, cause| fix.note(cause.advice.clone()))
}

fn describe(
    context: &Context<'_>,
    workload: &Item<Workload>,
    autoscaler: &Item<Autoscaler>,
    causes: &[Cause],
) -> Finding {
    let message = causes.first().map(|cause| cause.brief().to_owned()).unwrap_or_default();
    let finding = context.finding(workload, message).at(Location::at("/spec/scaleTargetRef").of(&autoscaler.subject));
    let mut finding = explain(finding, autoscaler, causes);
    if causes.iter().all(|cause| cause.inferred) {
        finding = finding.confidence(Confidence::Inferred);
    }
    for line in replicas::writers(&workload.metadata) {
        finding = finding.because_of(&workload.subject, line);
    }
    context.detail(finding, |finding| finding.fix(manual("Repair the autoscaler", causes)))
}

/// The target is at 0, which the autoscaler takes for "leave it alone".
fn switched_off(
    context: &Context<'_>,
    workload: &Item<Workload>,
    autoscaler: &Item<Autoscaler>,
    floor: &capacity::Bound,
    causes: &[Cause],
) -> Finding {
    let inventory = context.inventory;
    let name = autoscaler.subject.short();
    let message = format!("0 replicas switch {name} off, whose minimum is {}", floor.pods);
    let question = context.input(&workload.subject, "intent", true);
    let mut place = Location::at("/spec/replicas");
    if question.value.as_deref() == Some("mistake") {
        place = place.values(Some(0.into()), inventory.is_live().then(|| floor.pods.into()));
    }
    let finding =
        context.finding(workload, message).at(place).because(format!("floor {} = {}", floor.pods, floor.source));
    let mut finding = explain(finding, autoscaler, causes);
    for line in replicas::writers(&workload.metadata) {
        finding = finding.because_of(&workload.subject, line);
    }
    let fix = match question.value.as_deref() {
        Some("mistake") => scale_up(inventory, workload, floor),
        Some(_) => Fix::new("Leave it at 0 until the maintenance ends", Applicability::Manual)
            .note(format!("then scale it to {}, and the autoscaler goes on", floor.pods)),
        None => Fix::new("Scale it up if 0 is a mistake", Applicability::Input),
    };
    finding.fix(fix.ask(question))
}

fn scale_up(inventory: &Inventory, workload: &Item<Workload>, floor: &capacity::Bound) -> Fix {
    let pods = more_pods::pods(floor.pods);
    let mut fix = if inventory.is_live() {
        Fix::new(format!("Scale {} to {}", workload.subject.short(), floor.pods), Applicability::Unsafe)
            .step(more_pods::scale_step(inventory, workload, floor.pods))
    } else {
        let title = "Remove spec.replicas and leave the number to the autoscaler";
        let step = Step::patch(&workload.subject, vec![Edit::remove("/spec/replicas")]);
        Fix::new(title, Applicability::Unsafe).step(step)
    };
    fix = fix.consequence(format!("starts {pods}")).note(format!("{} = {}", floor.pods, floor.source));
    more_pods::guard(&mut fix, inventory, workload, floor.pods, |_| false);
    fix
}

/// True if the target is a custom resource that was read.
fn is_read(inventory: &Inventory, autoscaler: &Item<Autoscaler>) -> bool {
    let target = &autoscaler.spec.scale_target_ref;
    let namespace = Some(autoscaler.namespace());
    inventory.meta(&ObjectRef::new(&target.api_version, &target.kind, namespace, &target.name)).is_some()
}

/// An autoscaler whose target is not among the workloads: missing, not read, or a custom resource.
/// All autoscalers that name the same target are given with it.
fn judge_without_target(
    context: &Context<'_>,
    autoscaler: &Arc<Item<Autoscaler>>,
    all: &[&Arc<Item<Autoscaler>>],
    verdicts: &mut Verdicts<'_>,
) {
    let inventory = context.inventory;
    let target = &autoscaler.spec.scale_target_ref;
    let name = format!("{}/{}", target.kind, target.name);
    let namespace = autoscaler.namespace();
    let plural = format!("{}s", target.kind.to_lowercase());
    let built_in =
        matches!(target.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController");
    let mut found: Vec<Cause> = false_conditions(autoscaler)
        .into_iter()
        .map(|(_, text)| Cause {
            text,
            advice: "check apiVersion, kind and name of scaleTargetRef".to_owned(),
            object: autoscaler.subject.clone(),
            inferred: false,
        })
        .collect();
    let exists = inventory.workloads.get(namespace, &target.kind, &target.name).is_some();
    let absent = built_in && (inventory.is_live() || inventory.is_complete() || exists);
    if found.is_empty() && absent {
        if let Some(reason) = inventory.unseen(&plural, namespace) {
            verdicts.unknown(&autoscaler.subject, reason);
            return;
        }
        let text = if exists {
            format!("its target {name} is not of apiVersion {}", target.api_version)
        } else {
            format!("its target {name} does not exist")
        };
        found.push(Cause {
            text,
            advice: "correct scaleTargetRef, or delete the autoscaler".to_owned(),
            object: autoscaler.subject.clone(),
            inferred: false,
        });
    }
    let (own, rest): (Vec<_>, Vec<_>) = all.iter().copied().partition(|other| Arc::ptr_eq(other, autoscaler));
    found.extend(double(&[own, rest].concat()));
    if !found.is_empty() {
        let finding = context.finding(autoscaler, found[0].brief().to_owned()).at(Location::at("/spec/scaleTargetRef"));
        let finding = explain(finding, autoscaler, &found);
        verdicts.fail(context.detail(finding, |finding| finding.fix(manual("Repair the autoscaler's target", &found))));
    } else if autoscaler.status.conditions.is_empty() && !is_read(inventory, autoscaler) {
        verdicts.unknown(&autoscaler.subject, format!("its target {name} was not read"));
    } else if autoscaler.status.conditions.is_empty() && inventory.is_live() {
        verdicts.unknown(&autoscaler.subject, format!("{} has no conditions yet", autoscaler.subject.short()));
    } else {
        verdicts.pass(&autoscaler.subject);
    }
}
