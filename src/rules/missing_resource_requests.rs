//! missing-resource-requests: containers of which the scheduler knows nothing.

use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Input, Step};
use crate::model::Item;
use crate::model::allowance::{self, Amounts, Defaults};
use crate::model::autoscaling::{Metric, metrics};
use crate::model::object::pointer;
use crate::model::pod::{Container, PodSpec};
use crate::model::quantity::Quantity;
use crate::model::workload::Workload;

declare_rule! {
    /// ## What it does
    /// Reports a workload with an application container or sidecar that requests no CPU or no
    /// memory. A limit stands in for an absent request, as on the server; requests of the pod itself
    /// and the defaults of a LimitRange count too. It does not apply to workloads at zero and
    /// suspended or finished ones.
    ///
    /// ## Why it matters
    /// The scheduler takes the pod for weightless and fills nodes beyond what they have. An
    /// autoscaler can't compute the utilisation of a container without requests, and under memory
    /// pressure these pods are evicted first.
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
    ///     spec:
    ///       containers: [{name: web, image: web:1, resources: {requests: {cpu: 100m, memory: 128Mi}}}]
    /// ```
    ///
    /// ## Fix
    /// Asks for the values, then unsafe: sets them for every container that lacks them, in one patch
    /// and one rollout. Nobody but a measurement knows them: take the 95th percentile of some days
    /// and add a fifth; a single look at `kubectl top pod` is no recommendation. Manual
    /// for Jobs and bare pods, whose templates can't change. Refused where a LimitRange or a quota of
    /// the namespace would not let the new pods in.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/>
    /// - <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>
    /// - <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/>
    id: "missing-resource-requests",
    summary: "containers without requests",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Scalability,
    fix: Some(Applicability::Input),
    impact: "The scheduler overfills nodes, and the pods are evicted first.",
    parameters: &[
        Parameter {
            key: "cpu",
            prompt: "CPU that each container without a request gets, such as 100m",
            kind: ParameterKind::Text(r"[0-9]+(\.[0-9]+)?m?"),
            default: None,
        },
        Parameter {
            key: "memory",
            prompt: "memory that each container without a request gets, such as 128Mi",
            kind: ParameterKind::Text(r"[0-9]+(\.[0-9]+)?([KMGT]i?|k)?"),
            default: None,
        },
    ],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

/// A container that lacks a request.
struct Bare<'a> {
    list: &'static str,
    index: usize,
    container: &'a Container,
    resource: &'static str,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for (position, workload) in inventory.audited_workloads() {
        let Some(template) = workload.template().filter(|_| !workload.is_idle()) else {
            verdicts.na(&workload.subject);
            continue;
        };
        let bare = bare(&template.spec);
        let defaults = Defaults::of(inventory, workload.namespace());
        let given = |bare: &Bare<'_>| defaults.get(&format!("requests.{}", bare.resource)).is_some();
        if bare.iter().all(given) {
            verdicts.pass(&workload.subject);
        } else if let Some(reason) = inventory.unseen("limitranges", workload.namespace()) {
            verdicts.unknown(&workload.subject, reason);
        } else {
            let bare: Vec<_> = bare.into_iter().filter(|bare| !given(bare)).collect();
            verdicts.fail(finding(context, position, workload, &bare));
        }
    }
}

/// The most that the answers to this rule's questions give containers of a namespace, by key. They
/// count beside a LimitRange too: a quota and its LimitRange come one after the other, and what the
/// first run began the second must end.
pub(super) fn answered(context: &Context<'_>, namespace: &str) -> Amounts {
    let mut out = Amounts::new();
    let (inventory, settings) = (context.inventory, context.settings);
    if settings.answers.is_empty() && !settings.parameters.contains_key(RULE.id) {
        return out;
    }
    for (_, workload) in allowance::active_workloads(inventory, namespace) {
        let Some(template) = workload.template().filter(|_| !is_fixed(workload)) else { continue };
        for bare in bare(&template.spec) {
            let key = if bare.resource == "cpu" { "requests.cpu" } else { "requests.memory" };
            let answer = settings.answer(RULE.id, &workload.subject, bare.resource);
            let Some(amount) = answer.and_then(|answer| Quantity::parse(&answer).ok()) else { continue };
            let most = out.entry(key).or_default();
            *most = amount.max(*most);
        }
    }
    out
}

/// True for the kinds whose template can't change.
fn is_fixed(workload: &Workload) -> bool {
    matches!(workload.kind.as_str(), "Job" | "Pod")
}

fn bare(spec: &PodSpec) -> Vec<Bare<'_>> {
    let serves = |list: &str, container: &Container| list == "containers" || container.is_sidecar();
    let of =
        |resource: &'static str| {
            let places = allowance::lacking(spec, &format!("requests.{resource}")).into_iter();
            places
                .filter(move |(list, _, container)| serves(list, container))
                .map(move |(list, index, container)| Bare { list, index, container, resource })
        };
    of("cpu").chain(of("memory")).collect()
}

fn finding(context: &Context<'_>, position: usize, workload: &Item<Workload>, bare: &[Bare<'_>]) -> Finding {
    let spec = workload.pod_spec_pointer();
    let mut names: Vec<&str> = bare.iter().map(|bare| bare.container.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let plural = if names.len() == 1 { "container" } else { "containers" };
    let message = format!("{plural} {} without requests", names.join(", "));
    let mut finding = context.finding(workload, message);
    for Bare { list, index, container, resource } in bare {
        let below = ["resources", "requests", resource];
        let at = pointer(&spec, &[&[*list, &index.to_string()], &below[..]].concat());
        let stable = pointer(&spec, &[&[*list, container.name.as_str()], &below[..]].concat());
        finding = finding.at(Location::at(at).named(stable));
        finding = finding.because(format!("container {} states no {resource} request and no limit", container.name));
    }
    for autoscaler in context.inventory.autoscalers_of(position) {
        if !metrics(autoscaler).iter().any(|metric| is_undefined(metric, workload, bare)) {
            continue;
        }
        let text = format!("{} can't compute the utilisation of pods without requests", autoscaler.subject.short());
        finding = finding.because_of(&autoscaler.subject, text);
    }
    context.detail(finding, |finding| finding.fix(fix(context, workload, bare)))
}

/// True if a metric is a share of a request that one of these containers lacks.
fn is_undefined(metric: &Metric, workload: &Item<Workload>, bare: &[Bare<'_>]) -> bool {
    let lacking = workload.template().map(|template| metric.lacking(&template.spec)).unwrap_or_default();
    bare.iter().any(|bare| bare.resource == metric.resource && lacking.contains(&bare.container.name.as_str()))
}

fn fix(context: &Context<'_>, workload: &Item<Workload>, bare: &[Bare<'_>]) -> Fix {
    let title = format!("Set requests in {}", workload.subject.short());
    if is_fixed(workload) {
        return Fix::new(title, Applicability::Manual).note("its template can't change; make it anew with requests");
    }
    let lacks = |resource: &str| bare.iter().any(|bare| bare.resource == resource);
    let inputs: Vec<_> = ["cpu", "memory"]
        .into_iter()
        .filter(|resource| lacks(resource))
        .map(|resource| context.input(&workload.subject, resource, true))
        .collect();
    let open = inputs.iter().any(Input::is_open);
    let mut fix = Fix::new(title, if open { Applicability::Input } else { Applicability::Unsafe })
        .note("take the 95th percentile of some days plus a fifth; one look at kubectl top pod is no recommendation");
    if !open {
        let spec = workload.pod_spec_pointer();
        let mut edits = Vec::new();
        for Bare { list, index, resource, .. } in bare {
            let value = inputs.iter().find(|input| input.key == *resource).and_then(|input| input.value.clone());
            let at = pointer(&spec, &[list, &index.to_string(), "resources", "requests", resource]);
            edits.extend(value.map(|value| Edit::set(at, value)));
        }
        fix = fix.step(Step::patch(&workload.subject, edits));
    }
    inputs.into_iter().fold(fix, Fix::ask)
}
