//! single-replica: one pod, and nothing that adds another.

use super::more_pods;
use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::Item;
use crate::model::autoscaling::OtherScalers;
use crate::model::capacity::Obstacle;
use crate::model::reach::Reach;
use crate::model::workload::Workload;

declare_rule! {
    /// ## What it does
    /// Reports a Deployment, StatefulSet, ReplicaSet or ReplicationController of one pod that no
    /// autoscaler targets. Severity high if a public load balancer, an Ingress or an HTTPRoute
    /// leads to it. It does not apply to workloads scaled to zero and to development services. The
    /// minimum of an autoscaler is judged by misconfigured-hpa.
    ///
    /// ## Why it matters
    /// When its node fails or is drained, nothing answers until a new pod has started.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 1
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
    ///   replicas: 2
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ```
    ///
    /// ## Fix
    /// Needs the number of pods: `--set single-replica.replicas=2`. There is no default, since
    /// nobody declared that the application bears a second pod. With the number the fix is unsafe
    /// and sets it through the `scale` subresource. It is refused where the workload speaks
    /// against a second pod: a volume that one node mounts, the strategy `Recreate`, a mark as
    /// singleton or `--leader-elect=false`; and where a quota or admission would not let it in.
    /// Undo puts the number back.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/workloads/pods/disruptions/>
    /// - <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes>
    id: "single-replica",
    summary: "one pod and no autoscaler",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::HighAvailability,
    fix: Some(Applicability::Input),
    impact: "Nothing answers while the only pod is replaced.",
    parameters: &[Parameter {
        key: "replicas",
        prompt: "how many pods the application may run with",
        kind: ParameterKind::Number(2),
        default: None,
    }],
    next_stages: &["missing-pdb", "rollout-without-capacity"],
    unmoved_by: &[Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let reach = Reach::of(inventory);
    let scalers = OtherScalers::of(inventory);
    for (position, workload) in inventory.audited_workloads() {
        let autoscaled = inventory.autoscalers_of(position).next().is_some() || scalers.scales(workload);
        if !workload.is_scalable() || workload.is_idle() || autoscaled || super::is_development(context, workload) {
            verdicts.na(&workload.subject);
        } else if workload.replicas() > 1 {
            verdicts.pass(&workload.subject);
        } else if let Some(reason) = inventory.unseen("horizontalpodautoscalers", workload.namespace()) {
            verdicts.unknown(&workload.subject, reason);
        } else {
            let public = reach.to_workload(inventory, position);
            verdicts.fail(single(context, workload, public));
        }
    }
}

fn single(context: &Context<'_>, workload: &Item<Workload>, public: Option<String>) -> Finding {
    let current = workload.spec.replicas;
    let wanted = context.number(&workload.subject, "replicas");
    let source = if current.is_some() { "spec.replicas" } else { "the default of an absent spec.replicas" };
    let mut place = Location::at("/spec/replicas");
    if let Some(wanted) = wanted {
        place = place.values(current.map(Into::into), Some(wanted.into()));
    }
    let mut finding =
        context.finding(workload, "one pod and no autoscaler").at(place).because(format!("replicas 1 = {source}"));
    if let Some(public) = public {
        finding = finding.severity(Severity::High).because(public);
        finding.priority = Severity::High.priority();
    }
    context.detail(finding, |finding| finding.fix(fix(context, workload, wanted)))
}

fn fix(context: &Context<'_>, workload: &Item<Workload>, wanted: Option<i64>) -> Fix {
    let inventory = context.inventory;
    let question = context.input(&workload.subject, "replicas", true);
    let Some(wanted) = wanted else {
        let mut fix = Fix::new("Run more than one pod", Applicability::Input).ask(question);
        more_pods::guard(&mut fix, inventory, workload, 2, speaks_against);
        return fix;
    };
    let title = format!("Scale {} to {wanted}", workload.subject.short());
    let mut fix = Fix::new(title, Applicability::Unsafe)
        .ask(question)
        .consequence(format!("adds {}", more_pods::pods(wanted - 1)))
        .note(format!("{wanted} = --set single-replica.replicas"))
        .step(more_pods::scale_step(inventory, workload, wanted));
    more_pods::guard(&mut fix, inventory, workload, wanted, speaks_against);
    fix
}

/// Nobody declared that the workload bears a second pod, so what speaks against it decides. What
/// was not read is no reason to refuse.
fn speaks_against(obstacle: &Obstacle) -> bool {
    let lasting = ["volume", "recreate", "singleton", "nodes", "quota", "limit-range", "pod-security"];
    obstacle.known && lasting.contains(&obstacle.guard)
}
