//! replicas-below-hpa-min: fewer pods than the autoscaler's minimum.

use super::more_pods;
use super::replicas_pinned_with_hpa::in_manifest;
use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::Item;
use crate::model::capacity::Bound;
use crate::model::object::Condition;
use crate::model::policy::Autoscaler;
use crate::model::replicas::{self, Standing};
use crate::model::workload::Workload;

declare_rule! {
    /// ## What it does
    /// Reports a workload whose `spec.replicas` is above 0 and below the minimum of the
    /// HorizontalPodAutoscaler that targets it. In a live cluster the state has to last: the
    /// autoscaler, its minimum and the last write of `spec.replicas` are each older than 60
    /// seconds, or the autoscaler says `AbleToScale=False`. Until then the verdict is unknown. It
    /// also reports a workload that wants enough pods while fewer than the minimum are ready for
    /// longer than its progress deadline. In manifests the values alone count, and an absent
    /// `replicas` is right. A workload at 0 belongs to hpa-cannot-scale. While
    /// replicas-pinned-with-hpa fails, this rule does not apply to the workloads that are well.
    ///
    /// ## Why it matters
    /// A healthy autoscaler restores its minimum within one period of 15 seconds, without any
    /// metric. A number that stays below it means that the autoscaler can't reach the workload,
    /// that its controller does not run, or that something else writes the number. Until then one
    /// pod less than declared carries the load.
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
    /// ---
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   minReplicas: 3
    ///   maxReplicas: 10
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
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   minReplicas: 3
    ///   maxReplicas: 10
    ///   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    /// ```
    ///
    /// ## Fix
    /// Safe. Sets the number to the minimum through the `scale` subresource; in manifests it
    /// removes `spec.replicas`, which leaves the number to the autoscaler. The first `kubectl apply`
    /// of that manifest sets 1 pod once, until the autoscaler restores its minimum, unless the number
    /// leaves the live annotation first (`kubectl apply edit-last-applied`). It is unsafe where the
    /// autoscaler itself does not work, since the patch is then a stopgap, and where a volume, the
    /// strategy `Recreate`, too few nodes, a quota or a mark as singleton speaks against more
    /// pods. It is refused for a volume of `ReadWriteOncePod` and for an autoscaler whose maximum
    /// is below its minimum. Pods that are not ready have no fix here. Undo puts the number back;
    /// the autoscaler may raise it again.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>
    /// - <https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/podautoscaler/horizontal.go>
    id: "replicas-below-hpa-min",
    summary: "fewer pods than the autoscaler's minimum",
    severity: Severity::Critical,
    priority: Priority::Immediate,
    category: Category::HighAvailability,
    fix: Some(Applicability::Safe),
    impact: "Fewer pods run than were declared to be needed.",
    parameters: &[],
    next_stages: &["replicas-pinned-with-hpa"],
    unmoved_by: &[Aspect::Budgets, Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let (mut well, mut pinned) = (Vec::new(), false);
    for (position, workload) in inventory.audited_workloads() {
        if super::is_development(context, workload) {
            verdicts.na(&workload.subject);
            continue;
        }
        match replicas::standing(inventory, position) {
            Standing::NotAutoscaled => verdicts.na(&workload.subject),
            Standing::Unknown(reason) => verdicts.unknown(&workload.subject, reason),
            Standing::Below(floor) => verdicts.fail(below(context, position, workload, &floor)),
            Standing::Unready { floor, reasons } => {
                verdicts.fail(unready(context, position, workload, &floor, reasons));
            }
            Standing::Pinned(_) => {
                pinned = true;
                verdicts.na(&workload.subject);
            }
            Standing::Settled => well.push(&workload.subject),
        }
    }
    // Of the two rules about one number only one counts: the one that fails.
    for subject in well {
        if pinned && verdicts.findings.is_empty() {
            verdicts.na(subject);
        } else {
            verdicts.pass(subject);
        }
    }
}

/// Fewer pods are wanted than the minimum.
fn below(context: &Context<'_>, position: usize, workload: &Item<Workload>, floor: &Bound) -> Finding {
    let inventory = context.inventory;
    let replicas = workload.replicas();
    let message = format!("replicas {replicas} is below the autoscaler's minimum of {}", floor.pods);
    let wanted = inventory.is_live().then(|| floor.pods.into());
    let finding =
        context.finding(workload, message).at(Location::at("/spec/replicas").values(Some(replicas.into()), wanted));
    let mut finding = explain(context, position, workload, floor, finding);
    let mut fix = if inventory.is_live() {
        raise(context, position, workload, floor)
    } else {
        in_manifest(workload, Applicability::Safe)
            .note(format!("the autoscaler keeps {} = {}", floor.pods, floor.source))
    };
    more_pods::guard(&mut fix, inventory, workload, floor.pods, |_| false);
    for autoscaler in inventory.autoscalers_of(position) {
        let most = autoscaler.spec.max_replicas;
        if most < autoscaler.floor() {
            let name = autoscaler.subject.short();
            let reason = format!("{name} has maxReplicas {most} below its minimum");
            fix.refuse("autoscaler", reason);
        }
    }
    finding.fixes.push(fix);
    finding
}

/// Sets the number in a live cluster, lowered by what is wrong with the autoscaler.
fn raise(context: &Context<'_>, position: usize, workload: &Item<Workload>, floor: &Bound) -> Fix {
    let inventory = context.inventory;
    let title = format!("Scale {} to {}", workload.subject.short(), floor.pods);
    let more = more_pods::pods(floor.pods - workload.replicas());
    let mut fix = Fix::new(title, Applicability::Safe)
        .consequence(format!("adds {more}"))
        .note(format!("{} = {}", floor.pods, floor.source))
        .step(more_pods::scale_step(inventory, workload, floor.pods));
    if let Some(reason) = inventory.autoscalers_of(position).find_map(|a| broken(a)) {
        fix.demote(Applicability::Unsafe, "cause", format!("a stopgap: {reason}"));
    }
    let mut entries = workload.metadata.managed_fields.iter();
    if let Some(writer) = entries.find(|e| e.owns_replicas() && e.subresource.is_empty()) {
        fix = fix.consequence(format!("undone by the next write of {}, which sets spec.replicas", writer.manager));
    }
    fix
}

/// Why an autoscaler does not restore its minimum itself.
fn broken(autoscaler: &Item<Autoscaler>) -> Option<String> {
    let name = autoscaler.subject.short();
    if replicas::unable_to_scale(autoscaler) {
        let condition = autoscaler.condition("AbleToScale");
        let reason = |c: &Condition| format!("{name} can't scale ({}): {}", c.reason, c.message);
        return condition.map(reason);
    }
    let silent = autoscaler.status.conditions.is_empty();
    silent.then(|| format!("{name} has no conditions: the controller of autoscalers does not run"))
}

/// Enough pods are wanted, and too few are ready.
fn unready(
    context: &Context<'_>,
    position: usize,
    workload: &Item<Workload>,
    floor: &Bound,
    reasons: Vec<String>,
) -> Finding {
    let ready = workload.status.ready_replicas;
    let message = format!(
        "{ready} of {} are ready, below the autoscaler's minimum of {}",
        more_pods::pods(workload.replicas()),
        floor.pods
    );
    let finding = context.finding(workload, message).at(Location::at("/spec/replicas"));
    let mut finding = explain(context, position, workload, floor, finding);
    let mut fix = Fix::new("Repair the pods that are not ready", Applicability::Manual);
    for reason in reasons {
        finding = finding.because(reason.clone());
        fix = fix.note(reason);
    }
    finding.fix(fix)
}

/// Where the minimum comes from, who wrote the number and how the autoscaler is.
fn explain(
    context: &Context<'_>,
    position: usize,
    workload: &Item<Workload>,
    floor: &Bound,
    mut finding: Finding,
) -> Finding {
    finding = finding.because(format!("floor {} = {}", floor.pods, floor.source));
    if !context.inventory.is_live() {
        return finding;
    }
    for line in replicas::writers(&workload.metadata) {
        finding = finding.because_of(&workload.subject, line);
    }
    for autoscaler in context.inventory.autoscalers_of(position) {
        if let Some(reason) = broken(autoscaler) {
            finding = finding.because_of(&autoscaler.subject, reason);
        }
        for line in replicas::conditions(autoscaler) {
            finding = finding.because_of(&autoscaler.subject, line);
        }
    }
    finding
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::finding::Verdict;
    use crate::model::{Inventory, Scope, World};
    use crate::rules::rule::{Context, Rule, Verdicts};
    use crate::rules::settings::Settings;
    use crate::rules::{replicas_below_hpa_min, replicas_pinned_with_hpa};

    /// `api` without a pinned number and `web` with one, each with a minimum of 3.
    fn verdicts(rule: &'static Rule, world: World, web: i64) -> [Verdict; 2] {
        let mut inventory = Inventory::new(world, Scope::default(), jiff::Timestamp::UNIX_EPOCH);
        for name in ["api", "web"] {
            let pinned = name == "web";
            let entry = json!({"manager": "x", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}});
            let deployment = json!({
                "metadata": {"name": name, "namespace": "a", "managedFields": if pinned { json!([entry]) } else { json!([]) }},
                "spec": {"replicas": if pinned { json!(web) } else { json!(null) }}, "status": {"readyReplicas": web}
            });
            let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name});
            let scaler = json!({
                "metadata": {"name": name, "namespace": "a"},
                "spec": {"minReplicas": 3, "maxReplicas": 9, "scaleTargetRef": target}
            });
            inventory.add("apps/v1", "Deployment", deployment, None).unwrap();
            inventory.add("autoscaling/v2", "HorizontalPodAutoscaler", scaler, None).unwrap();
        }
        let inventory = inventory.finish();
        let mut verdicts = Verdicts::default();
        (rule.check)(&Context::whole(&inventory, &Settings::default(), rule), &mut verdicts);
        verdicts.outcomes.sort_by(|a, b| a.0.cmp(&b.0));
        let [api, web] = verdicts.outcomes.try_into().unwrap();
        [api.1, web.1]
    }

    #[test]
    fn of_the_two_rules_about_the_number_only_the_failing_one_counts() {
        let (below, pinned) = (&replicas_below_hpa_min::RULE, &replicas_pinned_with_hpa::RULE);
        let live = World::Cluster { context: None, server: String::new(), uid: None, version: None };
        let na = Verdict::NotApplicable;
        for world in [World::default(), live] {
            assert_eq!(verdicts(below, world.clone(), 1)[1], Verdict::Fail);
            assert_eq!(verdicts(pinned, world.clone(), 1), [na.clone(), na.clone()]);
            assert_eq!(verdicts(below, world.clone(), 4), [na.clone(), na.clone()]);
            assert_eq!(verdicts(pinned, world, 4), [na.clone(), Verdict::Fail]);
        }
    }
}
