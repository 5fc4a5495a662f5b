//! Quotas and ranges: what pods take, and what is left for one more.

use serde_json::{Value, json};

use crate::chance::Chance;

/// What the pods of a world take when all are up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Need {
    pods: u64,
    /// Thousandths of a CPU.
    cpu: u64,
    cpu_limits: u64,
}

impl Need {
    /// Adds so many pods.
    pub(crate) fn add(&mut self, pod: &Value, pods: u64) {
        self.pods += pods;
        self.cpu += pods * sum(pod, &["requests", "limits"]);
        self.cpu_limits += pods * sum(pod, &["limits"]);
    }
}

/// The CPU of a pod: of each container the first of these parts that names it. Its init containers
/// that end take no more than that, see `workloads`.
fn sum(pod: &Value, parts: &[&str]) -> u64 {
    let list = |key: &str| pod[key].as_array().into_iter().flatten();
    let sidecars = list("initContainers").filter(|container| container["restartPolicy"] == "Always");
    list("containers")
        .chain(sidecars)
        .map(|container| {
            let cpu = parts.iter().find_map(|part| container["resources"][*part]["cpu"].as_str());
            cpu.map_or(0, thousandths)
        })
        .sum()
}

fn thousandths(cpu: &str) -> u64 {
    match cpu.strip_suffix('m') {
        Some(number) => number.parse().unwrap(),
        None => 1000 * cpu.parse::<u64>().unwrap(),
    }
}

/// A quota that what runs fits into, with no, little or some room beside it.
pub(crate) fn quota(chance: &mut Chance, need: Need) -> Value {
    let room = chance.one(&[0, 1, 1, 2, 20]);
    let mut hard = json!({"pods": (need.pods + room).to_string()});
    if chance.percent(40) {
        let spare = chance.one(&[0, 1, 99, 100, 400, 20_000]);
        hard["requests.cpu"] = format!("{}m", need.cpu + spare).into();
    }
    if chance.percent(15) {
        let spare = chance.one(&[0, 1000, 20_000]);
        hard["limits.cpu"] = format!("{}m", need.cpu_limits + spare).into();
    }
    if chance.percent(20) {
        hard["limits.memory"] = chance.one(&["4Gi", "40Gi"]).into();
    }
    if chance.percent(10) {
        hard["count/poddisruptionbudgets.policy"] = chance.one(&["0", "2", "9"]).into();
    }
    json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}, "spec": {"hard": hard}})
}

/// Defaults, and bounds that what runs may not keep.
pub(crate) fn range(chance: &mut Chance) -> Value {
    let limits = chance.one(&[
        json!({"type": "Container", "defaultRequest": {"cpu": "50m", "memory": "64Mi"}}),
        json!({"type": "Container", "default": {"memory": "100Mi"}}),
        json!({"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "50m"}}),
        json!({"type": "Container", "max": {"memory": "300Mi"}}),
        json!({"type": "Container", "min": {"cpu": "100m"}}),
        json!({"type": "Container", "min": {"memory": "200Mi"}, "max": {"memory": "1Gi"}}),
        json!({"type": "Container", "maxLimitRequestRatio": {"memory": "2"}}),
        json!({"type": "Pod", "max": {"memory": "300Mi", "cpu": "2"}}),
    ]);
    json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "range"}, "spec": {"limits": [limits]}})
}
