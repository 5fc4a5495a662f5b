//! The pods of an autoscaler's maximum against what nodes and quotas have.

use super::patch;
use crate::finding::{Finding, Location};
use crate::fix::{Applicability, Fix};
use crate::model::allowance;
use crate::model::amounts::{Side, pod_amount};
use crate::model::capacity;
use crate::model::pod::PodSpec;
use crate::model::policy::Autoscaler;
use crate::model::quantity::Quantity;
use crate::model::{Inventory, Item};
use crate::rules::rule::Context;

/// Something that holds fewer pods than the maximum.
struct Limit {
    fits: i64,
    text: String,
}

/// A maximum whose pods request more than there is.
pub(super) fn too_much(context: &Context<'_>, autoscaler: &Item<Autoscaler>, position: usize) -> Option<Finding> {
    let inventory = context.inventory;
    let workload = inventory.workloads.at(position);
    let spec = &workload.template()?.spec;
    let most = autoscaler.spec.max_replicas;
    let limits = of_quotas(inventory, workload.namespace(), spec).into_iter().chain(of_nodes(inventory, spec));
    let limit = limits.filter(|limit| limit.fits < most).min_by_key(|limit| limit.fits)?;
    let least = capacity::floor(inventory, position).pods.max(1);
    let wanted = limit.fits;
    let mut fix = Fix::new(format!("Set maxReplicas to {wanted}"), Applicability::Unsafe)
        .consequence("the autoscaler stops earlier")
        .note(format!("{wanted} = as many pods as fit: {}", limit.text));
    let mut place = Location::at("/spec/maxReplicas").named("/spec/maxReplicas/capacity");
    if wanted > least {
        place = place.values(Some(most.into()), Some(wanted.into()));
        fix = fix.step(patch(autoscaler, "/spec/maxReplicas", wanted));
    } else {
        fix = Fix::new("Make room, or lower the requests", Applicability::Manual)
            .note(format!("{wanted} fit, and the minimum is {least}: {}", limit.text));
    }
    let message = format!("its maximum of {most} pods requests more than there is, {wanted} fit");
    Some(context.finding(autoscaler, message).at(place).because(limit.text).fix(fix))
}

/// The narrowest quota, the pods of others not counted.
fn of_quotas(inventory: &Inventory, namespace: &str, spec: &PodSpec) -> Option<Limit> {
    let quotas = inventory.quotas.within(namespace).iter();
    let limits = quotas.filter(|quota| allowance::holds_for_all(quota)).flat_map(|quota| {
        let hard = if quota.status.hard.is_empty() { &quota.spec.hard } else { &quota.status.hard };
        hard.iter().filter_map(|(key, amount)| {
            let amount = Quantity::from_value(amount)?;
            let each = match key.as_str() {
                "pods" | "count/pods" => Quantity::units(1),
                "cpu" | "requests.cpu" => pod_amount(spec, "cpu", Side::Requests)?,
                "memory" | "requests.memory" => pod_amount(spec, "memory", Side::Requests)?,
                "limits.cpu" => pod_amount(spec, "cpu", Side::Limits)?,
                "limits.memory" => pod_amount(spec, "memory", Side::Limits)?,
                _ => return None,
            };
            let (all, one) = (allowance::text(key, amount), allowance::text(key, each));
            let text = format!("{} allows {all} {key}, one pod takes {one}", quota.subject.short());
            Some(Limit { fits: share(amount, each)?, text })
        })
    });
    limits.min_by_key(|limit| limit.fits)
}

/// All nodes that take pods, other workloads not counted.
fn of_nodes(inventory: &Inventory, spec: &PodSpec) -> Option<Limit> {
    if inventory.nodes.is_empty() || inventory.unseen("nodes", "").is_some() {
        return None;
    }
    let limits = ["cpu", "memory"].into_iter().filter_map(|resource| {
        let each = pod_amount(spec, resource, Side::Requests)?;
        let schedulable = inventory.nodes.iter().filter(|node| node.is_schedulable());
        let amounts = schedulable.filter_map(|node| Quantity::from_value(node.status.allocatable.get(resource)?));
        let total = amounts.reduce(|sum, amount| sum + amount)?;
        let (all, one) = (allowance::text(resource, total), allowance::text(resource, each));
        let text = format!("all nodes have {all} {resource}, one pod requests {one}");
        Some(Limit { fits: share(total, each)?, text })
    });
    limits.min_by_key(|limit| limit.fits)
}

/// How often `each` fits into `total`; `None` if it is nothing.
fn share(total: Quantity, each: Quantity) -> Option<i64> {
    let times = total.as_milli().checked_div(each.as_milli())?;
    i64::try_from(times).ok()
}
