//! What a pod requests and may use, as the scheduler and quotas count it.
//!
//! Sources: the reference documentation on sidecar containers ("Resource sharing within
//! containers") and on pod-level resources.

use serde_json::{Map, Value};

use super::pod::{Container, PodSpec, Requests, Resources};
use super::quantity::Quantity;

/// What one pod requests of a resource, or what it may use, as the scheduler counts: the larger of
/// the running containers' sum and the largest start-up step, plus overhead. Pod-level resources
/// stand in place of the sum. `None` for limits if a container states none.
pub fn pod_amount(spec: &PodSpec, resource: &str, side: Side) -> Option<Quantity> {
    if let Some(total) = spec.resources.as_ref().and_then(|r| side.of(&r.requests, &r.limits, resource)) {
        return Some(total + overhead(spec, resource));
    }
    let amount = |container: &Container| side.amount(container, resource);
    let mut sidecars = Quantity::ZERO;
    let mut peak = Quantity::ZERO;
    for container in &spec.init_containers {
        let own = amount(container)?;
        peak = peak.max(own + sidecars);
        if container.is_sidecar() {
            sidecars = sidecars + own;
        }
    }
    let mut running = sidecars;
    for container in &spec.containers {
        running = running + amount(container)?;
    }
    Some(running.max(peak) + overhead(spec, resource))
}

/// As [`pod_amount`], of the containers that state it, as limit ranges count; `None` if none does.
pub fn stated_amount(spec: &PodSpec, resource: &str, side: Side) -> Option<Quantity> {
    let states = |container: &Container| match side {
        Side::Requests => container.resources.request(resource),
        Side::Limits => container.resources.limit(resource),
    };
    let is_stated = spec.all_containers().any(|(_, _, container)| states(container).is_some());
    let of_pod = spec.resources.as_ref().and_then(|r| side.of(&r.requests, &r.limits, resource));
    if side == Side::Requests || of_pod.is_some() {
        return pod_amount(spec, resource, side).filter(|_| is_stated || of_pod.is_some());
    }
    let sum = |all: &mut dyn Iterator<Item = &Container>| all.filter_map(states).sum::<Quantity>();
    let sidecars = sum(&mut spec.init_containers.iter().filter(|it| it.is_sidecar()));
    let running = sidecars + sum(&mut spec.containers.iter());
    let first = spec.init_containers.iter().filter(|it| !it.is_sidecar()).filter_map(states).max();
    is_stated.then(|| running.max(first.unwrap_or_default()))
}

/// What one pod requests of CPU and memory.
pub fn requests(spec: &PodSpec) -> Requests {
    let amount = |resource: &str| pod_amount(spec, resource, Side::Requests).unwrap_or_default();
    Requests { cpu: amount("cpu"), memory: amount("memory") }
}

/// Requests or limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is reserved; an absent request is the limit, and nothing without one.
    Requests,
    /// What is allowed; absent is not nothing but unknown.
    Limits,
}

impl Side {
    fn amount(self, container: &Container, resource: &str) -> Option<Quantity> {
        match self {
            Self::Requests => Some(container.resources.request(resource).unwrap_or_default()),
            Self::Limits => container.resources.limit(resource),
        }
    }

    fn of(self, requests: &Map<String, Value>, limits: &Map<String, Value>, resource: &str) -> Option<Quantity> {
        let limit = limits.get(resource).and_then(Quantity::from_value);
        match self {
            Self::Requests => requests.get(resource).and_then(Quantity::from_value).or(limit),
            Self::Limits => limit,
        }
    }
}

fn overhead(spec: &PodSpec, resource: &str) -> Quantity {
    spec.overhead.as_ref().and_then(|o| o.get(resource)).and_then(Quantity::from_value).unwrap_or_default()
}

/// The quality of service class that a pod of this shape gets; the order in which pods are evicted.
pub fn quality_of_service(spec: &PodSpec) -> &'static str {
    let all = || spec.all_containers().map(|(_, _, container)| &container.resources).chain(spec.resources.as_deref());
    let stated = |resource: &str| all().any(|r| r.request(resource).is_some());
    let bound = |r: &Resources| {
        ["cpu", "memory"].iter().all(|resource| r.limit(resource).is_some() && r.limit(resource) == r.request(resource))
    };
    let pod_bound = spec.resources.as_deref().is_some_and(bound);
    if !stated("cpu") && !stated("memory") {
        "BestEffort"
    } else if pod_bound || spec.all_containers().all(|(_, _, container)| bound(&container.resources)) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sidecars_and_init_containers() {
        let spec: PodSpec = serde_json::from_value(json!({
            "containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}}},
                           {"name": "b", "resources": {"limits": {"cpu": "200m"}}}],
            "initContainers": [
                {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}},
                {"name": "i", "resources": {"requests": {"cpu": "400m"}}}],
            "overhead": {"cpu": "10m"}
        }))
        .unwrap();
        assert_eq!(pod_amount(&spec, "cpu", Side::Requests), Some(Quantity::milli(460)));
        assert_eq!(pod_amount(&spec, "cpu", Side::Limits), None);
        assert_eq!(requests(&spec), Requests { cpu: Quantity::milli(460), memory: Quantity::ZERO });
    }

    #[test]
    fn pod_level_resources_override_the_sum() {
        let spec: PodSpec = serde_json::from_value(json!({
            "resources": {"requests": {"cpu": "1"}},
            "containers": [{"name": "a", "resources": {"requests": {"cpu": "100m"}}}]
        }))
        .unwrap();
        assert_eq!(pod_amount(&spec, "cpu", Side::Requests), Some(Quantity::units(1)));
    }
}
