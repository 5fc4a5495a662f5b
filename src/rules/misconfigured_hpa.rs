//! misconfigured-hpa: an autoscaler whose numbers leave it nothing to do, or too much.

mod limits;

use limits::Limit;

use super::more_pods;
use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::autoscaling::{self, Metric, OtherScalers};
use crate::model::capacity;
use crate::model::policy::Autoscaler;
use crate::model::reach::Reach;
use crate::model::workload::Workload;
use crate::model::{Item, replicas};

declare_rule! {
    /// ## What it does
    /// Reports a HorizontalPodAutoscaler, one finding for each of these: the maximum is not above
    /// the minimum; it keeps one pod of a workload that a public load balancer, an Ingress or an
    /// HTTPRoute leads to; it wants more pods than its maximum (`ScalingLimited=True`,
    /// `TooManyReplicas`); it measures memory only; a utilization target is above 90 or below 30
    /// percent; the pods of its maximum request more than a quota or all present nodes have,
    /// whatever else runs there and whatever nodes could be added. A public
    /// Deployment with CPU requests and without an autoscaler is reported as information.
    ///
    /// ## Why it matters
    /// An autoscaler without room does not scale. One that measures memory rarely scales down,
    /// since few programs give memory back. A target above 90 percent reacts when the pods are
    /// full already; one below 30 percent pays for pods that idle. A maximum that nothing can hold
    /// ends in pending pods.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   minReplicas: 3
    ///   maxReplicas: 3
    ///   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    ///   metrics:
    ///   - type: Resource
    ///     resource: {name: cpu, target: {type: Utilization, averageUtilization: 95}}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   minReplicas: 3
    ///   maxReplicas: 10
    ///   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    ///   metrics:
    ///   - type: Resource
    ///     resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
    /// ```
    ///
    /// ## Fix
    /// Unsafe: numbers of the autoscaler change, and with them the pods. The minimum of a public
    /// workload becomes 2 (`--set misconfigured-hpa.minReplicas=3`), refused where the workload
    /// speaks against a second pod. A target becomes 70 percent
    /// (`--set misconfigured-hpa.utilization=60`). A maximum that nothing holds becomes the
    /// largest that fits beside the pods that a rollout adds, at least one, and stays above the
    /// minimum, also above one that is raised with it; else room has to be made by hand. A larger
    /// maximum has to be given: `--set misconfigured-hpa.maxReplicas=20`, refused where it does not
    /// fit. A minimum is not raised to the maximum or above what fits. A metric besides memory is a person's choice. The
    /// autoscaler that KEDA makes is never changed. Undo puts the old number back.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>
    /// - <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/horizontal-pod-autoscaler-v2/>
    id: "misconfigured-hpa",
    summary: "an autoscaler with numbers that defeat it",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::Scalability,
    fix: Some(Applicability::Unsafe),
    impact: "The workload does not follow its load.",
    parameters: &[
        Parameter {
            key: "minReplicas",
            prompt: "the least pods of a public workload",
            kind: ParameterKind::Number(2),
            default: Some("2"),
        },
        Parameter {
            key: "maxReplicas",
            prompt: "the most pods",
            kind: ParameterKind::Number(2),
            default: None,
        },
        Parameter {
            key: "utilization",
            prompt: "the target, in percent of what is requested",
            kind: ParameterKind::Number(30),
            default: Some("70"),
        },
    ],
    next_stages: &["misconfigured-hpa", "missing-pdb", "rollout-without-capacity"],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let reach = Reach::of(inventory);
    for autoscaler in inventory.autoscalers.iter().filter(|a| inventory.scope.covers(a.namespace())) {
        let target = inventory.target_of(autoscaler);
        if target.is_some_and(|target| super::is_development(context, inventory.workloads.at(target))) {
            verdicts.na(&autoscaler.subject);
            continue;
        }
        let limit = target.and_then(|position| limits::narrowest(inventory, position));
        let mut found = own_numbers(context, autoscaler, limit.as_ref());
        if let Some(position) = target {
            let floor = capacity::floor(inventory, position);
            let raised = one_pod(context, autoscaler, position, &reach, limit.as_ref());
            // The maximum is lowered above the minimum that the other fix leaves, so that both may be applied.
            let least = raised.as_ref().map_or(floor.pods, |(_, least)| *least);
            found.extend(raised.map(|(finding, _)| finding));
            found.extend(limit.and_then(|limit| limits::too_much(context, autoscaler, position, least, &limit)));
        }
        if found.is_empty() {
            verdicts.pass(&autoscaler.subject);
        }
        for finding in found {
            verdicts.fail(explain(finding, autoscaler));
        }
    }
    without_autoscaler(context, &reach, verdicts);
}

fn explain(mut finding: Finding, autoscaler: &Item<Autoscaler>) -> Finding {
    for line in replicas::conditions(autoscaler) {
        finding = finding.because_of(&autoscaler.subject, line);
    }
    finding
}

/// What is wrong with an autoscaler whatever it scales.
fn own_numbers(context: &Context<'_>, autoscaler: &Item<Autoscaler>, limit: Option<&Limit>) -> Vec<Finding> {
    let (least, most) = (autoscaler.floor(), autoscaler.spec.max_replicas);
    let mut found = Vec::new();
    let place = Location::at("/spec/maxReplicas");
    let numbers = format!("minReplicas {least}, maxReplicas {most}");
    if least >= most {
        let message = if least == most {
            format!("minimum and maximum are both {most}: it never scales")
        } else {
            format!("its maximum of {most} is below its minimum of {least}: the server refuses it")
        };
        found.push(raise_maximum(context, autoscaler, limit, message, place).because(numbers));
    } else if limited(autoscaler) {
        let message = format!("wants more pods than its maximum of {most}");
        let place = place.named("/status/conditions/ScalingLimited");
        found.push(raise_maximum(context, autoscaler, limit, message, place).because(numbers));
    }
    let metrics = autoscaling::metrics(autoscaler);
    if metrics.iter().all(|metric| metric.resource == "memory") {
        let fix = Fix::new("Add a metric that falls with the load", Applicability::Manual)
            .note("such as cpu, or requests per second; cpu needs CPU requests of every container");
        let finding = context.finding(autoscaler, "measures memory only, which rarely falls");
        found.push(finding.at(Location::at("/spec/metrics")).because("every metric is of resource memory").fix(fix));
    }
    found.extend(metrics.iter().filter_map(|metric| target(context, autoscaler, metric)));
    found
}

/// True if the load asks for more than the maximum. The condition alone may be older than the
/// maximum.
fn limited(autoscaler: &Autoscaler) -> bool {
    let condition = autoscaler.condition("ScalingLimited");
    condition.is_some_and(|condition| condition.status == "True" && condition.reason == "TooManyReplicas")
        && autoscaler.status.desired_replicas >= autoscaler.spec.max_replicas
}

fn raise_maximum(
    context: &Context<'_>,
    autoscaler: &Item<Autoscaler>,
    limit: Option<&Limit>,
    message: String,
    place: Location,
) -> Finding {
    let most = autoscaler.spec.max_replicas;
    let question = context.input(&autoscaler.subject, "maxReplicas", true);
    let wanted = context.number(&autoscaler.subject, "maxReplicas");
    let mut place = place;
    let mut fix = match wanted {
        Some(wanted) => {
            place = place.values(Some(most.into()), Some(wanted.into()));
            Fix::new(format!("Set maxReplicas to {wanted}"), Applicability::Unsafe)
                .consequence(format!("up to {} may run", more_pods::pods(wanted)))
                .note(format!("{wanted} = --set misconfigured-hpa.maxReplicas"))
        }
        None => Fix::new("Raise maxReplicas", Applicability::Input),
    };
    match wanted {
        Some(wanted) if wanted <= most => {
            fix.refuse("maximum", format!("{wanted} is not above the present maximum of {most}"));
        }
        Some(wanted) if wanted <= autoscaler.floor() => {
            fix.refuse("maximum", format!("{wanted} is not above the minimum of {}", autoscaler.floor()));
        }
        Some(wanted) => match limit.filter(|limit| limit.fits < wanted) {
            Some(limit) => fix.refuse("capacity", format!("{} fit: {}", limit.fits, limit.text)),
            None => fix = fix.step(patch(autoscaler, "/spec/maxReplicas", wanted)),
        },
        None => {}
    }
    context.finding(autoscaler, message).at(place).fix(fix.ask(question))
}

fn patch(autoscaler: &Item<Autoscaler>, pointer: &str, value: i64) -> Step {
    Step::patch(&autoscaler.subject, vec![Edit::set(pointer, value)])
}

/// A utilization target that is too high or too low.
fn target(context: &Context<'_>, autoscaler: &Item<Autoscaler>, metric: &Metric) -> Option<Finding> {
    let current = metric.utilization.filter(|percent| !(30..=90).contains(percent))?;
    let wanted = context.number(&autoscaler.subject, "utilization").unwrap_or(70);
    let (side, why) = if current > 90 {
        ("above 90", "pods are full before the next one starts")
    } else {
        ("below 30", "pods idle most of the time")
    };
    let name = &metric.resource;
    let container = metric.container.as_deref().unwrap_or_default();
    let place = Location::at(metric.pointer.clone())
        .named(format!("/spec/metrics/{name}/{container}"))
        .values(Some(current.into()), Some(wanted.into()));
    let mut fix = Fix::new(format!("Aim at {wanted} percent of the requested {name}"), Applicability::Unsafe)
        .ask(context.input(&autoscaler.subject, "utilization", false))
        .consequence(if wanted < current {
            "more pods run at the same load"
        } else {
            "fewer pods run at the same load"
        })
        .step(patch(autoscaler, &metric.pointer, wanted));
    if wanted > 90 {
        fix.refuse("target", format!("{wanted} is above 90 percent too"));
    }
    let message = format!("aims at {current} percent of the requested {name}, {side}");
    Some(context.finding(autoscaler, message).at(place).because(why).fix(fix))
}

/// A public workload of which one pod may be left, and the minimum that the fix leaves.
fn one_pod(
    context: &Context<'_>,
    autoscaler: &Item<Autoscaler>,
    position: usize,
    reach: &Reach,
    limit: Option<&Limit>,
) -> Option<(Finding, i64)> {
    let inventory = context.inventory;
    let workload = inventory.workloads.at(position);
    let floor = capacity::floor(inventory, position);
    if floor.pods != 1 {
        return None;
    }
    let public = reach.to_workload(inventory, position)?;
    let wanted = context.number(&autoscaler.subject, "minReplicas").unwrap_or(2);
    let mut fix = Fix::new(format!("Set minReplicas to {wanted}"), Applicability::Unsafe)
        .ask(context.input(&autoscaler.subject, "minReplicas", false))
        .consequence(format!("{} or more run at all times", more_pods::pods(wanted)))
        .step(patch(autoscaler, "/spec/minReplicas", wanted));
    more_pods::guard(&mut fix, inventory, workload, wanted, |obstacle| {
        obstacle.known && matches!(obstacle.guard, "volume" | "recreate" | "singleton")
    });
    let most = autoscaler.spec.max_replicas;
    if wanted >= most {
        fix.refuse("maximum", format!("maxReplicas is {most}: it would never scale; raise that first"));
    }
    if let Some(limit) = limit.filter(|limit| limit.fits < wanted) {
        fix.refuse("capacity", format!("{} fit: {}", more_pods::pods(limit.fits), limit.text));
    }
    let least = if fix.is_refused() { floor.pods } else { wanted };
    let current = autoscaler.spec.min_replicas.map(Into::into);
    let finding = context
        .finding(autoscaler, format!("may leave one pod of {}, which is public", workload.subject.short()))
        .at(Location::at("/spec/minReplicas").values(current, Some(wanted.into())))
        .because(format!("floor 1 = {}", floor.source))
        .because(public);
    Some((finding.fix(fix), least))
}

/// Public Deployments with CPU requests that nothing scales: information.
fn without_autoscaler(context: &Context<'_>, reach: &Reach, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let scalers = OtherScalers::of(inventory);
    let scalable = |position: usize, workload: &Item<Workload>| {
        let requests = |template: &crate::model::pod::PodTemplate| {
            template.spec.serving_containers().all(|container| container.resources.request("cpu").is_some())
        };
        workload.kind == "Deployment"
            && !workload.is_idle()
            && inventory.autoscalers_of(position).next().is_none()
            && !scalers.scales(workload)
            && workload.template().is_some_and(requests)
            && inventory.unseen("horizontalpodautoscalers", workload.namespace()).is_none()
            && !super::is_development(context, workload)
    };
    for (position, workload) in inventory.audited_workloads() {
        if !scalable(position, workload) {
            continue;
        }
        if let Some(public) = reach.to_workload(inventory, position) {
            let finding = context.finding(workload, "public, and no autoscaler follows its load");
            let mut finding = finding.severity(Severity::Info).at(Location::at("/spec/replicas")).because(public);
            finding.priority = Severity::Info.priority();
            verdicts.fail(finding.because("every container has CPU requests, which an autoscaler measures"));
        }
    }
}
