//! missing-limit-range: a quota that rejects containers, or containers without requests, and no
//! defaults.

use std::collections::BTreeSet;

use serde_json::json;

use super::missing_resource_requests;
use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step, free_name};
use crate::model::allowance::{self, Defaults, Proposal};
use crate::model::amounts;
use crate::model::object::pointer;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, Subject};

declare_rule! {
    /// ## What it does
    /// Reports a namespace where a ResourceQuota demands requests or limits, or a container states
    /// no CPU or memory request, and no LimitRange fills them in. It does not apply to a namespace
    /// without such a quota whose containers all state requests. A quota that only counts objects
    /// demands nothing of containers.
    ///
    /// ## Why it matters
    /// With a quota over `requests.memory`, a pod with one container that states none is rejected.
    /// The rejection shows late, as `FailedCreate` of a ReplicaSet at the next rollout. Without
    /// requests the scheduler packs pods blindly, and they are the first to be evicted.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: v1
    /// kind: LimitRange
    /// metadata: {name: shop-limits, namespace: shop}
    /// spec:
    ///   limits:
    ///     - type: Container
    ///       defaultRequest: {cpu: 100m, memory: 128Mi}
    ///       default: {memory: 256Mi}
    /// ```
    ///
    /// ## Fix
    /// Unsafe. Creates a LimitRange for containers. `defaultRequest` is the median of the requests
    /// in the namespace, or 100m and 128Mi. `default.memory` is twice that, and at least the largest
    /// memory request of a container without a limit, since a default below a request makes the pod
    /// invalid; workloads at zero, suspended ones and requests that are given with
    /// `--set missing-resource-requests.memory=` count too. The fix is refused where pods have
    /// resources as a whole (`spec.resources` of the pod) and containers that state less: the range
    /// would fill these containers all the same, and a pod is invalid whose containers have more than
    /// it has. CPU limits are added only where a quota demands them. Where a LimitRange for
    /// containers exists, the missing defaults are added to it: of two ranges it is not defined
    /// which default is used. Running pods keep what they have; new ones get the defaults. Undo
    /// deletes the range.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/policy/limit-range/>
    /// - <https://kubernetes.io/docs/concepts/policy/resource-quotas/>
    /// - <https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/>
    id: "missing-limit-range",
    summary: "no defaults for containers without requests",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Architecture,
    fix: Some(Applicability::Unsafe),
    impact: "New pods are rejected by the quota, or run without requests.",
    parameters: &[],
    next_stages: &["quota-exhausted"],
    unmoved_by: &[Aspect::Budgets, Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for namespace in inventory.audited_namespaces() {
        let name = namespace.name.as_str();
        let unseen = allowance::unseen_namespace(inventory, name).or_else(|| inventory.unseen("limitranges", name));
        if let Some(reason) = unseen {
            verdicts.unknown(&namespace, reason);
            continue;
        }
        let demanded = demanded(inventory, name);
        let mut wanted: BTreeSet<&'static str> = demanded.iter().map(|(key, _)| *key).collect();
        let bare = bare_containers(inventory, name);
        wanted.extend(bare.iter().flat_map(|bare| bare.keys.iter().copied()));
        let defaults = Defaults::of(inventory, name);
        let missing: BTreeSet<_> = wanted.iter().copied().filter(|key| defaults.get(key).is_none()).collect();
        if !missing.is_empty() {
            verdicts.fail(finding(context, &namespace, &missing, &demanded, &bare));
        } else if let Some(reason) = inventory.unseen("resourcequotas", name) {
            verdicts.unknown(&namespace, reason);
        } else if wanted.is_empty() {
            verdicts.na(&namespace);
        } else {
            verdicts.pass(&namespace);
        }
    }
}

/// What the quotas of a namespace demand of every container, with the quota.
fn demanded<'a>(inventory: &'a Inventory, namespace: &str) -> Vec<(&'static str, &'a Subject)> {
    let quotas = inventory.quotas.within(namespace).iter();
    quotas.flat_map(|quota| allowance::compute_keys(quota).into_iter().map(|key| (key, &quota.subject))).collect()
}

/// A container without requests.
struct Bare<'a> {
    keys: Vec<&'static str>,
    workload: &'a Item<Workload>,
    list: &'static str,
    index: usize,
    container: &'a str,
}

fn bare_containers<'a>(inventory: &'a Inventory, namespace: &str) -> Vec<Bare<'a>> {
    let mut out = Vec::new();
    for (_, workload) in allowance::active_workloads(inventory, namespace) {
        let Some(template) = workload.template() else { continue };
        let lacking = ["requests.cpu", "requests.memory"].map(|key| (key, allowance::lacking(&template.spec, key)));
        for (list, index, container) in template.spec.all_containers() {
            let lacks = |places: &[(&str, usize, _)]| places.iter().any(|(l, i, _)| (*l, *i) == (list, index));
            let keys: Vec<_> = lacking.iter().filter(|(_, places)| lacks(places)).map(|(key, _)| *key).collect();
            if !keys.is_empty() {
                out.push(Bare { keys, workload, list, index, container: &container.name });
            }
        }
    }
    out
}

fn finding(
    context: &Context<'_>,
    namespace: &Subject,
    missing: &BTreeSet<&'static str>,
    demanded: &[(&'static str, &Subject)],
    bare: &[Bare<'_>],
) -> Finding {
    let keys = missing.iter().copied().collect::<Vec<_>>().join(", ");
    let by_quota = demanded.iter().any(|(key, _)| missing.contains(key));
    let message = if by_quota {
        format!("a quota demands {keys}, and no LimitRange gives a default")
    } else {
        format!("containers state no {keys}, and no LimitRange gives a default")
    };
    let mut finding = super::namespace_finding(context, namespace, message);
    for (key, quota) in demanded.iter().filter(|(key, _)| missing.contains(key)) {
        finding =
            finding.because_of(quota, format!("{} bounds {key}: containers without it are rejected", quota.short()));
    }
    for bare in bare {
        let keys: Vec<&str> = bare.keys.iter().copied().filter(|key| missing.contains(key)).collect();
        if keys.is_empty() {
            continue;
        }
        let spec = bare.workload.pod_spec_pointer();
        let at = Location::at(pointer(&spec, &[bare.list, &bare.index.to_string()]));
        let at = at.named(pointer(&spec, &[bare.list, bare.container])).of(&bare.workload.subject);
        let workload = bare.workload.subject.short();
        let text = format!("container {} of {workload} states no {}", bare.container, keys.join(", "));
        finding = finding.at(at).because_of(&bare.workload.subject, text);
    }
    let answers = missing_resource_requests::answered(context, &namespace.name);
    let proposal = allowance::propose(context.inventory, &namespace.name, &wanted(missing), &answers);
    context.detail(finding, |finding| finding.fix(fix(context.inventory, &namespace.name, &proposal)))
}

/// The keys that a range should have: besides the missing ones a memory limit, because a container
/// with a request and no limit may take the node's memory.
pub(super) fn wanted(missing: &BTreeSet<&'static str>) -> BTreeSet<&'static str> {
    let usual = ["requests.cpu", "requests.memory", "limits.memory"];
    missing.iter().copied().chain(usual).collect()
}

fn fix(inventory: &Inventory, namespace: &str, proposal: &Proposal) -> Fix {
    let step = step(inventory, namespace, proposal);
    let verb = if matches!(step, Step::Create { .. }) { "Create" } else { "Complete" };
    let mut fix = Fix::new(format!("{verb} {}", step.object().short()), Applicability::Unsafe);
    for reason in &proposal.reasons {
        fix = fix.note(reason);
    }
    for consequence in consequences(inventory, namespace, proposal) {
        fix = fix.consequence(consequence);
    }
    guard(&mut fix, inventory, namespace, proposal);
    fix.step(step)
}

/// Pods that the defaults would make invalid.
pub(super) fn guard(fix: &mut Fix, inventory: &Inventory, namespace: &str, proposal: &Proposal) {
    if let Some(workload) = allowance::bound_as_a_whole(inventory, namespace, proposal) {
        let name = workload.short();
        let reason = format!(
            "pods of {name} have resources as a whole: the defaults would fill their containers, and a pod whose \
             containers have more than it has is invalid"
        );
        fix.refuse("pod-resources", reason);
    }
}

/// The step that gives containers of a namespace the proposed defaults.
pub(super) fn step(inventory: &Inventory, namespace: &str, proposal: &Proposal) -> Step {
    let (requests, limits) = (proposal.side("requests"), proposal.side("limits"));
    if let Some((range, at)) = allowance::container_range(inventory, namespace) {
        let base = pointer("/spec/limits", &[&at.to_string()]);
        let edits = |field: &str, amounts: &serde_json::Map<String, serde_json::Value>| -> Vec<Edit> {
            let set = |(resource, amount): (&String, &serde_json::Value)| {
                Edit::set(pointer(&base, &[field, resource]), amount.clone())
            };
            amounts.iter().map(set).collect()
        };
        let mut all = edits("defaultRequest", &requests);
        all.extend(edits("default", &limits));
        return Step::patch(&range.subject, all);
    }
    let mut entry = json!({"type": "Container"});
    for (field, amounts) in [("defaultRequest", requests), ("default", limits)] {
        if !amounts.is_empty() {
            entry[field] = amounts.into();
        }
    }
    let taken = |name: &str| inventory.limit_ranges.get(namespace, "LimitRange", name).is_some();
    let name = free_name(&format!("{namespace}-limits"), taken);
    Step::create("missing-limit-range", "v1", "LimitRange", namespace, &name, json!({"limits": [entry]}))
}

/// What the defaults do to the containers that get them.
pub(super) fn consequences(inventory: &Inventory, namespace: &str, proposal: &Proposal) -> Vec<String> {
    let defaults = Defaults::of(inventory, namespace).with(proposal);
    let (mut unlimited, mut scaled, mut out) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for (position, workload) in allowance::active_workloads(inventory, namespace) {
        let Some(template) = workload.template() else { continue };
        let lacks = |key: &&str| !allowance::lacking(&template.spec, key).is_empty();
        let affected: Vec<&str> = proposal.amounts.keys().copied().filter(lacks).collect();
        if affected.contains(&"limits.memory") {
            unlimited.insert(workload.subject.short());
        }
        if affected.iter().any(|key| key.starts_with("requests")) {
            scaled.extend(inventory.autoscalers_of(position).map(|scaler| scaler.subject.short()));
        }
        let before = amounts::quality_of_service(&template.spec);
        let after = amounts::quality_of_service(&defaults.fill(&template.spec));
        if before != after {
            let name = workload.subject.short();
            out.push(format!("new pods of {name} are {after} instead of {before} (quality of service)"));
        }
    }
    let list = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(", ");
    if !scaled.is_empty() {
        out.push(format!("utilisation of {} is measured against the new requests", list(scaled)));
    }
    if let (Some(limit), false) = (proposal.amounts.get("limits.memory"), unlimited.is_empty()) {
        let limit = limit.binary();
        let names = list(unlimited);
        out.push(format!("containers without a memory limit in new pods of {names} are killed above {limit}"));
    }
    out.push("running pods stay as they are until they are replaced".to_owned());
    out
}
