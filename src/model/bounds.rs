//! What limit ranges allow a pod and its containers.
//!
//! Source: the reference documentation on limit ranges, and the messages of the API server: where the
//! most is given, a pod without a limit is refused like one with a larger limit.

use serde_json::Value;

use super::allowance;
use super::amounts::{Side, stated_amount};
use super::inventory::Inventory;
use super::pod::PodSpec;
use super::policy::LimitRangeItem;
use super::quantity::Quantity;

/// The bound of a limit range that a pod or a container is beyond, with its defaults filled in.
pub fn broken(inventory: &Inventory, namespace: &str, filled: &PodSpec) -> Option<String> {
    let ranges = inventory.limit_ranges.within(namespace).iter();
    let mut entries = ranges.flat_map(|range| range.spec.limits.iter().map(move |entry| (range, entry)));
    let beyond = entries.find_map(|(range, entry)| {
        let who = match entry.kind.as_str() {
            "Pod" => beyond(entry, |side, resource| stated_amount(filled, resource, side))
                .map(|why| format!("one pod {why}")),
            "Container" => filled.all_containers().find_map(|(_, _, container)| {
                let why = beyond(entry, |side, resource| match side {
                    Side::Requests => container.resources.request(resource),
                    Side::Limits => container.resources.limit(resource),
                })?;
                Some(format!("{} {why}", container.name))
            }),
            _ => None,
        }?;
        Some(format!("by {} {who}", range.subject.short()))
    });
    beyond.or_else(|| upside_down(filled))
}

/// Which amount is above the most, below the least, or too far above the request.
fn beyond(entry: &LimitRangeItem, amount: impl Fn(Side, &str) -> Option<Quantity>) -> Option<String> {
    let read = |(resource, bound): (&String, &Value)| Some((resource.clone(), Quantity::from_value(bound)?));
    let text = allowance::text;
    let above = entry.max.iter().filter_map(read).find_map(|(resource, most)| {
        let at_most = text(&resource, most);
        match amount(Side::Limits, &resource) {
            None => Some(format!("states no limit of {resource}, and {at_most} is the most")),
            Some(limit) if limit > most => {
                Some(format!("may use {} {resource}, and {at_most} is the most", text(&resource, limit)))
            }
            Some(_) => None,
        }
    });
    let below = || {
        entry.min.iter().filter_map(read).find_map(|(resource, least)| {
            let request = amount(Side::Requests, &resource).unwrap_or_default();
            (request < least).then(|| {
                let (request, least) = (text(&resource, request), text(&resource, least));
                format!("requests {request} {resource}, and {least} is the least")
            })
        })
    };
    let apart = || {
        entry.max_limit_request_ratio.iter().filter_map(read).find_map(|(resource, most)| {
            let times = format!("{} times", decimal(most));
            let Some(limit) = amount(Side::Limits, &resource) else {
                return Some(format!("states no limit of {resource}, and {times} its request is the most"));
            };
            let request = amount(Side::Requests, &resource).unwrap_or_default();
            (limit.as_milli() * 1000 > request.as_milli() * most.as_milli()).then(|| {
                let (limit, request) = (text(&resource, limit), text(&resource, request));
                format!("may use {limit} {resource} for a request of {request}, and {times} is the most")
            })
        })
    };
    above.or_else(below).or_else(apart)
}

/// A number as people write it: `1.5`, and not `1500m`.
fn decimal(number: Quantity) -> String {
    let (whole, rest) = (number.as_milli() / 1000, number.as_milli() % 1000);
    if rest == 0 {
        return whole.to_string();
    }
    let digits = format!("{rest:03}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

/// A container whose request is above the limit that it gets by default: the pod is invalid.
fn upside_down(filled: &PodSpec) -> Option<String> {
    filled.all_containers().find_map(|(_, _, container)| {
        ["cpu", "memory"].into_iter().find_map(|resource| {
            let resources = &container.resources;
            let (request, limit) = (resources.request(resource)?, resources.limit(resource)?);
            let text = |amount| allowance::text(resource, amount);
            let (name, asks, gets) = (&container.name, text(request), text(limit));
            (request > limit)
                .then(|| format!("{name} requests {asks} {resource} and gets a limit of {gets} by default"))
        })
    })
}
