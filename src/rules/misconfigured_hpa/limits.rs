//! The pods of an autoscaler's maximum against what nodes and quotas have.

use super::patch;
use crate::finding::{Finding, Location};
use crate::fix::{Applicability, Fix};
use crate::model::allowance;
use crate::model::amounts::{Side, pod_amount};
use crate::model::pod::PodSpec;
use crate::model::policy::Autoscaler;
use crate::model::quantity::Quantity;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};
use crate::rules::rule::Context;

/// Something that holds no more than so many pods.
pub(super) struct Limit {
    pub(super) fits: i64,
    pub(super) text: String,
}

/// What holds the fewest pods of a workload.
pub(super) fn narrowest(inventory: &Inventory, position: usize) -> Option<Limit> {
    let workload = inventory.workloads.at(position);
    let spec = &workload.template()?.spec;
    let limits = of_quotas(inventory, workload.namespace(), spec).into_iter().chain(of_nodes(inventory, spec));
    limits.min_by_key(|limit| limit.fits)
}

/// A maximum whose pods request more than there is. `least` is the minimum that the new one must be
/// above.
pub(super) fn too_much(
    context: &Context<'_>,
    autoscaler: &Item<Autoscaler>,
    position: usize,
    least: i64,
    limit: &Limit,
) -> Option<Finding> {
    let (most, fits) = (autoscaler.spec.max_replicas, limit.fits);
    if fits >= most {
        return None;
    }
    let (wanted, spare) = beside_a_rollout(context.inventory.workloads.at(position), fits);
    let mut place = Location::at("/spec/maxReplicas").named("/spec/maxReplicas/capacity");
    let least = least.max(1);
    let fix = if wanted > least {
        place = place.values(Some(most.into()), Some(wanted.into()));
        Fix::new(format!("Set maxReplicas to {wanted}"), Applicability::Unsafe)
            .consequence("the autoscaler stops earlier")
            .note(format!("{wanted} = {fits} that fit - {spare} for a rollout: {}", limit.text))
            .step(patch(autoscaler, "/spec/maxReplicas", wanted))
    } else {
        Fix::new("Make room, or lower the requests", Applicability::Manual)
            .note(format!("{fits} fit, a rollout needs {spare} of them, and the minimum is {least}: {}", limit.text))
    };
    let message = format!("its maximum of {most} pods requests more than there is, {fits} fit");
    Some(context.finding(autoscaler, message).at(place).because(limit.text.clone()).fix(fix))
}

/// The most pods of which a rollout fits too, and how many pods it needs besides: its surge, and one
/// at least, since a pod that ends counts until it has ended.
fn beside_a_rollout(workload: &Workload, fits: i64) -> (i64, i64) {
    let spare = |pods: i64| workload.surge_and_unavailable(pods).0.max(1);
    // Both grow with the pods: halve the interval, whose ends a manifest may put far apart.
    let (mut pods, mut above) = (0, fits.max(0));
    while pods < above {
        let middle = pods + (above - pods + 1) / 2;
        if middle.saturating_add(spare(middle)) <= fits {
            pods = middle;
        } else {
            above = middle - 1;
        }
    }
    (pods, spare(pods))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rollout_fits_beside_the_maximum() {
        let numbers = |surge: serde_json::Value, fits: i64| {
            let strategy = json!({"rollingUpdate": {"maxSurge": surge}});
            let workload = json!({"kind": "Deployment", "spec": {"strategy": strategy}});
            beside_a_rollout(&serde_json::from_value(workload).unwrap(), fits)
        };
        for (surge, fits, expected) in [
            (json!("25%"), 4, (3, 1)),
            (json!("25%"), 5, (4, 1)),
            (json!("25%"), 6, (4, 1)),
            (json!("25%"), 10, (8, 2)),
            (json!("100%"), 10, (5, 5)),
            (json!("300%"), 10, (2, 6)),
            (json!(0), 4, (3, 1)),
            (json!(3), 4, (1, 3)),
            (json!(1), 1, (0, 1)),
            (json!(1), 0, (0, 1)),
        ] {
            assert_eq!(numbers(surge.clone(), fits), expected, "{surge} {fits}");
        }
    }
}
