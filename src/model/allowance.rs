//! What the pods of a namespace need, what quotas demand of them, and what limit ranges fill in.
//!
//! Sources: the reference documentation on resource quotas and limit ranges, and the defaults of
//! the API for `LimitRange` (`max` stands in for an absent `default`, that and `min` for an absent
//! `defaultRequest`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::amounts::{Side, pod_amount};
use super::capacity;
use super::inventory::{Inventory, is_top_level};
use super::object::Subject;
use super::pod::{Container, PodSpec, Resources, Volume};
use super::policy::{LimitRange, LimitRangeItem, ResourceQuota};
use super::quantity::Quantity;
use super::store::Item;
use super::workload::Workload;

/// The keys of a quota by which every container of an incoming pod must state a field.
pub const COMPUTE: [&str; 4] = ["limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];

/// The sides of the resource that a key of a quota bounds: `requests.cpu`, or `cpu` for the same.
pub fn compute_key(key: &str) -> Option<&'static str> {
    let full = match key {
        "cpu" => "requests.cpu",
        "memory" => "requests.memory",
        other => other,
    };
    COMPUTE.into_iter().find(|known| *known == full)
}

fn split(key: &str) -> (Side, &str) {
    match key.split_once('.') {
        Some(("limits", resource)) => (Side::Limits, resource),
        Some((_, resource)) => (Side::Requests, resource),
        None => (Side::Requests, key),
    }
}

/// A quantity as the API writes it for this resource: memory with binary suffixes.
pub fn text(key: &str, amount: Quantity) -> String {
    if key.ends_with("memory") { amount.binary() } else { amount.to_string() }
}

/// Why nothing can be said about a namespace as a whole: the files don't show it.
pub fn unseen_namespace(inventory: &Inventory, namespace: &str) -> Option<String> {
    let shown = inventory.is_live()
        || inventory.is_complete()
        || inventory.namespaces.get("", "Namespace", namespace).is_some();
    (!shown).then(|| {
        format!(
            "the files have no Namespace {namespace} and are not declared complete: what else is in it is not known"
        )
    })
}

/// The workloads of a namespace that make pods now: top-level, not at zero, not suspended or ended.
pub fn active_workloads<'a>(
    inventory: &'a Inventory,
    namespace: &str,
) -> impl Iterator<Item = (usize, &'a Item<Workload>)> {
    let start = inventory.workloads.start_of(namespace);
    let all = inventory.workloads.within(namespace).iter().enumerate();
    all.map(move |(offset, workload)| (start + offset, &**workload))
        .filter(|(_, workload)| is_top_level(workload) && !workload.is_idle())
}

/// The workloads of a namespace that make pods now or may later: also those at zero and suspended ones.
fn lasting_workloads<'a>(inventory: &'a Inventory, namespace: &str) -> impl Iterator<Item = &'a Item<Workload>> {
    let all = inventory.workloads.within(namespace).iter().map(|workload| &**workload);
    all.filter(|workload| is_top_level(workload) && !workload.is_finished())
}

/// The compute keys that a quota bounds.
pub fn compute_keys(quota: &ResourceQuota) -> BTreeSet<&'static str> {
    quota.spec.hard.keys().filter_map(|key| compute_key(key)).collect()
}

/// True if a quota holds for everything that runs for long: no scopes, or only those that leave
/// out pods without requests or pods with a deadline.
pub fn holds_for_all(quota: &ResourceQuota) -> bool {
    let wide = |scope: &str| matches!(scope, "NotBestEffort" | "NotTerminating");
    let terms = quota.spec.scope_selector.as_ref().and_then(|selector| selector.get("matchExpressions")?.as_array());
    let mut named =
        terms.into_iter().flatten().map(|term| term.get("scopeName").and_then(Value::as_str).unwrap_or("?"));
    quota.spec.scopes.iter().all(|scope| wide(scope)) && named.all(wide)
}

/// Amounts by key, such as `requests.cpu`.
pub type Amounts = BTreeMap<&'static str, Quantity>;

/// What containers get that state nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    amounts: Amounts,
}

impl Defaults {
    /// The defaults of all limit ranges of a namespace. Which of two is used is not defined; the
    /// first by name is taken here.
    pub fn of(inventory: &Inventory, namespace: &str) -> Self {
        let mut out = Self::default();
        for range in inventory.limit_ranges.within(namespace) {
            for item in range.spec.limits.iter().filter(|item| item.kind == "Container") {
                for (key, amount) in defaults_of(item) {
                    out.amounts.entry(key).or_insert(amount);
                }
            }
        }
        out
    }

    /// The default for a key such as `requests.cpu`.
    pub fn get(&self, key: &str) -> Option<Quantity> {
        self.amounts.get(key).copied()
    }

    /// With the amounts of a proposal.
    #[must_use]
    pub fn with(mut self, proposal: &Proposal) -> Self {
        self.amounts.extend(proposal.amounts.iter());
        self
    }

    /// None less than these amounts.
    #[must_use]
    pub fn at_least(mut self, amounts: &Amounts) -> Self {
        for (key, amount) in amounts {
            let own = self.amounts.entry(*key).or_default();
            *own = (*own).max(*amount);
        }
        self
    }

    /// A pod specification as admission would complete it. Of a container a limit stands in for an
    /// absent request before limit ranges are asked.
    pub fn fill(&self, spec: &PodSpec) -> PodSpec {
        let mut spec = spec.clone();
        for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
            for key in ["requests.cpu", "requests.memory"] {
                let (_, resource) = split(key);
                if let (None, Some(amount)) = (container.resources.request(resource), self.get(key)) {
                    let text = Value::String(text(key, amount));
                    container.resources.requests.insert(resource.to_owned(), text);
                }
            }
            for key in ["limits.cpu", "limits.memory"] {
                let (_, resource) = split(key);
                if let (None, Some(amount)) = (container.resources.limit(resource), self.get(key)) {
                    let text = Value::String(text(key, amount));
                    container.resources.limits.insert(resource.to_owned(), text);
                }
            }
        }
        spec
    }
}

fn defaults_of(item: &LimitRangeItem) -> Vec<(&'static str, Quantity)> {
    let read = |map: &Map<String, Value>, resource: &str| map.get(resource).and_then(Quantity::from_value);
    let mut out = Vec::new();
    for (resource, request, limit) in
        [("cpu", "requests.cpu", "limits.cpu"), ("memory", "requests.memory", "limits.memory")]
    {
        let default = read(&item.default, resource).or_else(|| read(&item.max, resource));
        let reserved = read(&item.default_request, resource).or(default).or_else(|| read(&item.min, resource));
        out.extend(reserved.map(|amount| (request, amount)));
        out.extend(default.map(|amount| (limit, amount)));
    }
    out
}

/// The containers of a template that state nothing for a key and get nothing from its pod, with
/// the list they stand in and their place in it.
pub fn lacking<'a>(spec: &'a PodSpec, key: &str) -> Vec<(&'static str, usize, &'a Container)> {
    if spec.resources.as_deref().is_some_and(|resources| states(resources, key)) {
        return Vec::new();
    }
    spec.all_containers().filter(|(_, _, container)| !states(&container.resources, key)).collect()
}

fn states(resources: &Resources, key: &str) -> bool {
    match split(key) {
        (Side::Requests, resource) => resources.request(resource).is_some(),
        (Side::Limits, resource) => resources.limit(resource).is_some(),
    }
}

/// The first workload whose pods have resources as a whole, and containers that the proposed defaults
/// would fill: the server refuses a pod whose containers have more than it has.
pub fn bound_as_a_whole<'a>(inventory: &'a Inventory, namespace: &str, proposal: &Proposal) -> Option<&'a Subject> {
    let is_bound = |own: &Resources| !own.requests.is_empty() || !own.limits.is_empty();
    let is_filled = |container: &Container| proposal.amounts.keys().any(|key| !states(&container.resources, key));
    let found = lasting_workloads(inventory, namespace).find(|workload| {
        workload.template().is_some_and(|template| {
            let mut containers = template.spec.all_containers();
            template.spec.resources.as_deref().is_some_and(is_bound) && containers.any(|(_, _, it)| is_filled(it))
        })
    });
    found.map(|workload| &workload.subject)
}

/// Defaults that a limit range should give, and where each number comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposal {
    /// By key, such as `requests.cpu`.
    pub amounts: Amounts,
    /// One line a number.
    pub reasons: Vec<String>,
}

impl Proposal {
    /// The amounts of one side, `requests` or `limits`, as a limit range has them.
    pub fn side(&self, side: &str) -> Map<String, Value> {
        let own = |(key, amount): (&&'static str, &Quantity)| {
            let resource = key.strip_prefix(side)?.strip_prefix('.')?;
            Some((resource.to_owned(), Value::String(text(key, *amount))))
        };
        self.amounts.iter().filter_map(own).collect()
    }
}

/// Proposes container defaults for `keys`: the median of what containers of the namespace request,
/// and for limits twice that, but never less than the largest request of a container without
/// a limit, since a default limit below a request makes a pod invalid. Requests that containers are
/// about to get by `answers` count like those that they have.
pub fn propose(inventory: &Inventory, namespace: &str, keys: &BTreeSet<&'static str>, answers: &Amounts) -> Proposal {
    let given = Defaults::of(inventory, namespace);
    let mut out = Proposal::default();
    for (resource, request, limit, usual, step) in [
        ("cpu", "requests.cpu", "limits.cpu", Quantity::milli(100), Quantity::milli(1)),
        ("memory", "requests.memory", "limits.memory", Quantity::mebi(128), Quantity::mebi(1)),
    ] {
        if !keys.contains(request) && !keys.contains(limit) {
            continue;
        }
        let reserved = given.get(request).unwrap_or_else(|| {
            let (amount, reason) = median(inventory, namespace, resource, usual, step);
            out.reasons.push(format!("defaultRequest.{resource} {}: {reason}", text(request, amount)));
            out.amounts.insert(request, amount);
            amount
        });
        if keys.contains(limit) && given.get(limit).is_none() {
            let (mut amount, mut reason) = (reserved * 2, "twice the default request".to_owned());
            if let Some((most, place)) = largest_unlimited(inventory, namespace, resource).filter(|it| it.0 > amount) {
                (amount, reason) = (most, format!("the request of {place}, which sets no limit"));
            }
            if let Some(most) = answers.get(request).filter(|most| **most > amount) {
                (amount, reason) = (*most, format!("the answer to missing-resource-requests.{resource}"));
            }
            out.reasons.push(format!("default.{resource} {}: {reason}", text(limit, amount)));
            out.amounts.insert(limit, amount);
        }
    }
    out
}

fn containers(workload: &Item<Workload>) -> impl Iterator<Item = &Container> {
    let template = workload.template().into_iter();
    template.flat_map(|template| template.spec.all_containers().map(|(_, _, container)| container))
}

fn median(
    inventory: &Inventory,
    namespace: &str,
    resource: &str,
    usual: Quantity,
    step: Quantity,
) -> (Quantity, String) {
    let mut stated: Vec<Quantity> = active_workloads(inventory, namespace)
        .flat_map(|(_, workload)| containers(workload))
        .filter_map(|container| container.resources.request(resource))
        .collect();
    stated.sort_unstable();
    if stated.is_empty() {
        return (usual, "the usual value, as no container states a request".to_owned());
    }
    let middle = stated[(stated.len() - 1) / 2] + stated[stated.len() / 2];
    let amount = middle.scale(1, 2).round_up(step);
    let reason = match stated.len() {
        1 => "the one request in the namespace".to_owned(),
        count => format!("the median of {count} requests in the namespace"),
    };
    (amount, reason)
}

fn largest_unlimited(inventory: &Inventory, namespace: &str, resource: &str) -> Option<(Quantity, String)> {
    lasting_workloads(inventory, namespace)
        .flat_map(|workload| containers(workload).map(move |container| (workload, container)))
        .filter(|(_, container)| container.resources.limit(resource).is_none())
        .filter_map(|(workload, container)| {
            let place = format!("container {} of {}", container.name, workload.subject.short());
            Some((container.resources.request(resource)?, place))
        })
        .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
}

/// The limit range of a namespace that has an entry for containers, and the place of that entry.
pub fn container_range<'a>(inventory: &'a Inventory, namespace: &str) -> Option<(&'a Item<LimitRange>, usize)> {
    inventory.limit_ranges.within(namespace).iter().find_map(|range| {
        let entries = &range.spec.limits;
        let at = entries.iter().position(|item| item.kind == "Container")?;
        Some((&**range, at))
    })
}

/// What a pod of this shape takes of a key such as `requests.cpu`; `None` for a limit that a
/// container does not state.
pub fn pod_need(spec: &PodSpec, key: &str) -> Option<Quantity> {
    let (side, resource) = split(key);
    pod_amount(spec, resource, side)
}

/// What one workload needs at its peak.
#[derive(Clone, Debug)]
pub struct Need {
    /// The workload.
    pub workload: Subject,
    /// Pods at once, surge and ending ones included; `None` if nobody knows.
    pub pods: Option<i64>,
    /// The arithmetic of the pods in words, or why they can't be counted.
    pub arithmetic: String,
    /// What one pod takes, by key; without an amount where a container states none.
    pub each: BTreeMap<&'static str, Option<Quantity>>,
    /// What its present pods take, by key.
    pub used: BTreeMap<&'static str, Quantity>,
}

/// What every workload of a namespace needs of the compute keys once the defaults hold.
pub fn needs(inventory: &Inventory, namespace: &str, defaults: &Defaults) -> Vec<Need> {
    let of = |(position, workload): (usize, &Item<Workload>)| {
        let spec = defaults.fill(&workload.template()?.spec);
        let (pods, arithmetic) = capacity::peak_pods(inventory, position);
        let running = inventory.pods_of(position).filter(|pod| pod.is_active());
        let running = i64::try_from(running.count()).unwrap_or(i64::MAX);
        let each: BTreeMap<_, _> = COMPUTE.into_iter().map(|key| (key, pod_need(&spec, key))).collect();
        let used = each.iter().map(|(key, amount)| (*key, amount.unwrap_or_default() * running)).collect();
        Some(Need { workload: workload.subject.clone(), pods, arithmetic, each, used })
    };
    active_workloads(inventory, namespace).filter_map(of).collect()
}

/// Active pods of a namespace whose workload is not among those that are counted, so that nobody
/// knows what they need or how many there may be: pods of custom controllers.
pub fn unaccounted_pods<'a>(inventory: &'a Inventory, namespace: &str) -> Vec<&'a Subject> {
    let everything = super::selector::Selector::default();
    let foreign = |owner: Option<usize>| owner.is_none_or(|position| !is_top_level(inventory.workloads.at(position)));
    inventory
        .selected_pods(namespace, &everything)
        .into_iter()
        .filter(|(_, owner)| foreign(*owner))
        .map(|(pod, _)| &pod.subject)
        .collect()
}

/// How many volume claims a namespace needs: those that templates make at the ceiling, and the rest.
pub fn volume_claims(inventory: &Inventory, namespace: &str) -> (i64, String) {
    let mut made = 0;
    let mut prefixes = BTreeSet::new();
    for (position, workload) in active_workloads(inventory, namespace) {
        let ceiling = capacity::ceiling(inventory, position).pods;
        for claim in &workload.spec.volume_claim_templates {
            let name = claim.pointer("/metadata/name").and_then(Value::as_str);
            prefixes.insert(format!("{}-{}", name.unwrap_or_default(), workload.name()));
            made += ceiling;
        }
        let ephemeral = |volume: &&Volume| volume.source.contains_key("ephemeral");
        let count = workload.template().map_or(0, |t| t.spec.volumes.iter().filter(ephemeral).count());
        made +=
            capacity::peak_pods(inventory, position).0.unwrap_or_default() * i64::try_from(count).unwrap_or_default();
    }
    let is_made = |name: &str| {
        let ordinal = |(_, number): &(&str, &str)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        name.rsplit_once('-').filter(ordinal).is_some_and(|(prefix, _)| prefixes.contains(prefix))
    };
    let claims = inventory.volume_claims.within(namespace);
    let others = claims.iter().filter(|claim| !is_made(claim.name())).count();
    let others = i64::try_from(others).unwrap_or(i64::MAX);
    (made + others, format!("{others} claims + {made} made by templates at their ceiling"))
}

#[cfg(test)]
mod tests;
