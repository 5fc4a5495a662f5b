//! Pods and endpoints that are ready, told apart by their identity: one that goes away has been
//! taken away by somebody; one that stays and is not ready any more has fallen.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::backend::cluster::follow::View;
use crate::backend::cluster::rollout::is_ready;

/// One pod or endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: String,
    ready: bool,
    leaving: bool,
    restarts: i64,
}

/// Pods or endpoints by what identifies them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Members(BTreeMap<String, Member>);

impl Members {
    /// The pods of a list.
    pub(super) fn of_pods(view: &View) -> Self {
        let member = |pod: &Value| {
            let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let containers = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
            let restarts = containers.into_iter().flatten().filter_map(|it| it.get("restartCount")?.as_i64()).sum();
            let leaving = pod.pointer("/metadata/deletionTimestamp").is_some();
            let member = Member { name: text("/metadata/name"), ready: is_ready(pod), leaving, restarts };
            (text("/metadata/uid"), member)
        };
        Self(view.objects().map(member).collect())
    }

    /// The endpoints in a list of EndpointSlices.
    pub(super) fn of_endpoints(view: &View) -> Self {
        let endpoints = view.objects().filter_map(|slice| slice.get("endpoints")?.as_array()).flatten();
        let member = |endpoint: &Value| {
            let text = |pointer: &str| endpoint.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let address = text("/addresses/0").unwrap_or_default();
            let name = text("/targetRef/name").unwrap_or_else(|| address.clone());
            let flag =
                |pointer: &str, default: bool| endpoint.pointer(pointer).and_then(Value::as_bool).unwrap_or(default);
            let (ready, leaving) = (flag("/conditions/ready", true), flag("/conditions/terminating", false));
            (text("/targetRef/uid").unwrap_or(address), Member { name, ready, leaving, restarts: 0 })
        };
        Self(endpoints.map(member).collect())
    }

    /// True if none is ready: then none can fall.
    pub(super) fn is_empty(&self) -> bool {
        self.ready() == 0
    }

    fn ready(&self) -> usize {
        self.0.values().filter(|member| member.ready && !member.leaving).count()
    }

    /// `1 pod`, `2 pods`.
    pub(super) fn text(&self, what: &str) -> String {
        let ready = self.ready();
        format!("{ready} {what}{}", if ready == 1 { "" } else { "s" })
    }

    /// The first that was ready, is still there and is worse off now.
    pub(super) fn fallen(&self, now: &Self) -> Option<String> {
        self.0.iter().filter(|(_, member)| member.ready).find_map(|(id, was)| {
            let is = now.0.get(id).filter(|is| !is.leaving)?;
            if is.restarts > was.restarts {
                return Some(format!("{} restarted", is.name));
            }
            (!is.ready).then(|| format!("{} is not ready any more", is.name))
        })
    }

    /// Said if some were ready and none is.
    pub(super) fn vanished(&self, now: &Self) -> Option<String> {
        (!self.is_empty() && now.is_empty()).then(|| format!("none of its {} is ready any more", self.text("endpoint")))
    }
}

/// How long a readiness probe of a pod takes to notice something: its period, for a network policy
/// as often as it may fail. Zero without probes.
pub(super) fn probe(pod: &Value, failures: bool) -> Duration {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let probes = containers.into_iter().flatten().filter_map(|container| container.get("readinessProbe"));
    let seconds = probes.map(|probe| {
        let number = |key: &str, default| probe.get(key).and_then(Value::as_u64).unwrap_or(default);
        number("periodSeconds", 10) * if failures { number("failureThreshold", 3) } else { 1 }
    });
    Duration::from_secs(seconds.max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pods(list: &[(&str, bool, i64)]) -> Members {
        let pod = |(name, ready, restarts): &(&str, bool, i64)| {
            let status = json!({"conditions": [{"type": "Ready", "status": if *ready { "True" } else { "False" }}],
                "containerStatuses": [{"restartCount": restarts}]});
            ((*name).to_owned(), json!({"metadata": {"name": name, "uid": name}, "status": status}))
        };
        Members::of_pods(&View::Objects(list.iter().map(pod).collect()))
    }

    #[test]
    fn what_is_taken_away_has_not_fallen() {
        let before = pods(&[("a", true, 0), ("b", true, 1), ("c", false, 0)]);
        assert_eq!(before.fallen(&pods(&[("a", true, 0), ("d", false, 5)])), None);
        assert_eq!(before.fallen(&pods(&[("c", false, 3)])), None, "it was not ready before");
        assert_eq!(before.fallen(&pods(&[("a", false, 0)])).unwrap(), "a is not ready any more");
        assert_eq!(before.fallen(&pods(&[("b", true, 2)])).unwrap(), "b restarted");
    }

    #[test]
    fn endpoints_may_not_all_vanish() {
        let slice = |ready: &[bool]| {
            let endpoints: Vec<Value> = ready
                .iter()
                .enumerate()
                .map(|(n, ready)| json!({"addresses": [format!("10.0.0.{n}")], "conditions": {"ready": ready}}))
                .collect();
            Members::of_endpoints(&View::Objects([("s".to_owned(), json!({"endpoints": endpoints}))].into()))
        };
        assert!(slice(&[true, true]).vanished(&slice(&[])).is_some());
        assert!(slice(&[true, true]).vanished(&slice(&[true])).is_none());
        assert!(slice(&[true]).fallen(&slice(&[false])).is_some());
        assert!(slice(&[false]).vanished(&slice(&[])).is_none());
    }

    #[test]
    fn the_slowest_probe_decides() {
        let pod =
            json!({"spec": {"containers": [{"readinessProbe": {"periodSeconds": 20}}, {"readinessProbe": {}}, {}]}});
        assert_eq!(probe(&pod, false), Duration::from_secs(20));
        assert_eq!(probe(&pod, true), Duration::from_mins(1));
        assert_eq!(probe(&json!({}), false), Duration::ZERO);
    }
}
