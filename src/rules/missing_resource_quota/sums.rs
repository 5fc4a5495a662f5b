//! The numbers of a quota: what the workloads need, and a fifth more.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::allowance::{self, Amounts, Defaults, Need, Proposal};
use crate::model::capacity;
use crate::model::quantity::Quantity;
use crate::model::{Inventory, Subject};
use crate::rules::rule::Context;
use crate::rules::{missing_limit_range, missing_resource_requests};

/// The numbers of the assessment, as a lower bound of its profile.
const ASSESSMENT: [(&str, Quantity); 6] = [
    ("limits.cpu", Quantity::units(20)),
    ("limits.memory", Quantity::mebi(40 * 1024)),
    ("persistentvolumeclaims", Quantity::units(10)),
    ("pods", Quantity::units(50)),
    ("requests.cpu", Quantity::units(10)),
    ("requests.memory", Quantity::mebi(20 * 1024)),
];

/// One number of the quota.
pub(super) struct Sum {
    /// The number.
    pub(super) hard: Quantity,
    /// Where it comes from.
    pub(super) derivation: String,
}

/// All numbers of the quota, and what they rest on.
pub(super) struct Sums {
    /// The compute keys that are bounded.
    pub(super) keys: Vec<&'static str>,
    pub(super) needs: Vec<Need>,
    /// The defaults that the quota needs first, if a container lacks a bounded field.
    pub(super) proposal: Option<Proposal>,
    /// Requests that containers are about to get.
    pub(super) answers: Amounts,
    /// Empty if the pods of a workload can't be counted: a sum without them would be too small.
    pub(super) hard: BTreeMap<&'static str, Sum>,
}

impl Sums {
    pub(super) fn of(context: &Context<'_>, namespace: &Subject) -> Self {
        let inventory = context.inventory;
        let name = namespace.name.as_str();
        let assessed = context.value(namespace, "profile").as_deref() == Some("assessment");
        let mut keys = vec!["requests.cpu", "requests.memory", "limits.memory"];
        if assessed {
            keys.push("limits.cpu");
        }
        let given = Defaults::of(inventory, name);
        let lacking = lacking(inventory, name, &keys, &given);
        let answers = missing_resource_requests::answered(context, name);
        let mut active = allowance::active_workloads(inventory, name);
        if active.any(|(_, workload)| capacity::is_uncounted(inventory, workload)) {
            let needs = allowance::needs(inventory, name, &given.at_least(&answers));
            return Self { keys, needs, proposal: None, answers, hard: BTreeMap::new() };
        }
        let propose = || allowance::propose(inventory, name, &missing_limit_range::wanted(&lacking), &answers);
        let proposal = (!lacking.is_empty()).then(propose);
        let defaults = proposal.iter().fold(given, Defaults::with).at_least(&answers);
        let needs = allowance::needs(inventory, name, &defaults);
        let mut amounts = counts(inventory, name, &needs);
        for key in &keys {
            let need =
                needs.iter().map(|need| need.each[key].unwrap_or_default() * need.pods.unwrap_or_default()).sum();
            let used = needs.iter().map(|need| need.used[key]).sum();
            amounts.push(Amount { key, need, used, source: String::new() });
        }
        let hard = amounts.into_iter().map(|mut amount| {
            amount.used = amount.used.max(reported(inventory, name, amount.key));
            let least = ASSESSMENT.iter().find(|(known, _)| assessed && *known == amount.key);
            (amount.key, amount.bound(least.map(|(_, least)| *least)))
        });
        Self { hard: hard.collect(), keys, needs, proposal, answers }
    }
}

/// What is needed and used of one key, before any room is added.
struct Amount {
    key: &'static str,
    need: Quantity,
    used: Quantity,
    source: String,
}

impl Amount {
    /// 1.2 times the larger of need and use, rounded up; `least` if that is more.
    fn bound(&self, least: Option<Quantity>) -> Sum {
        let step = match self.key {
            "requests.cpu" | "limits.cpu" => Quantity::milli(500),
            "requests.memory" | "limits.memory" => Quantity::mebi(256),
            _ => Quantity::units(1),
        };
        let text = |amount| allowance::text(self.key, amount);
        let base = self.need.max(self.used);
        let name = if self.used > self.need { "used" } else { "needed" };
        let hard = base.scale(12, 10).round_up(step);
        let derivation = format!("1.2 × {} {name}{}, rounded up to {}", text(base), self.source, text(step));
        match least {
            Some(least) if least > hard => {
                Sum { hard: least, derivation: format!("the assessment's number; {derivation} is {}", text(hard)) }
            }
            _ => Sum { hard, derivation },
        }
    }
}

/// Objects of the namespace that the quota counts.
fn counts(inventory: &Inventory, namespace: &str, needs: &[Need]) -> Vec<Amount> {
    let amount = |key, need: i64, used: usize, source| Amount {
        key,
        need: Quantity::units(need),
        used: Quantity::units(i64::try_from(used).unwrap_or(i64::MAX)),
        source,
    };
    let active = inventory.pods.within(namespace).iter().filter(|pod| pod.is_active()).count();
    let mut out = vec![amount("pods", needs.iter().filter_map(|need| need.pods).sum(), active, String::new())];
    if inventory.unseen("persistentvolumeclaims", namespace).is_none() {
        let (claims, source) = allowance::volume_claims(inventory, namespace);
        out.push(amount("persistentvolumeclaims", claims, 0, format!(" ({source})")));
    }
    if inventory.unseen("services", namespace).is_none() {
        let services = inventory.services.within(namespace).iter();
        let balancers = services.filter(|service| service.kind() == "LoadBalancer").count();
        out.push(amount("services.loadbalancers", 0, balancers, String::new()));
    }
    out
}

/// What quotas of the namespace report as used.
fn reported(inventory: &Inventory, namespace: &str, key: &str) -> Quantity {
    let quotas = inventory.quotas.within(namespace).iter();
    quotas.filter_map(|quota| quota.status.used.get(key).and_then(Quantity::from_value)).max().unwrap_or_default()
}

/// The bounded fields that a container lacks and no limit range gives.
fn lacking(inventory: &Inventory, namespace: &str, keys: &[&'static str], given: &Defaults) -> BTreeSet<&'static str> {
    let lacks = |key: &&&str| {
        given.get(key).is_none()
            && allowance::active_workloads(inventory, namespace)
                .filter_map(|(_, workload)| workload.template())
                .any(|template| !allowance::lacking(&template.spec, key).is_empty())
    };
    keys.iter().filter(lacks).copied().collect()
}
