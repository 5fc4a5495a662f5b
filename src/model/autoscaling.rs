//! What autoscalers measure, and who else scales a workload.
//!
//! Sources: the reference documentation of `autoscaling/v2` (an autoscaler without metrics aims at
//! 80 percent of the requested CPU; a container without a request leaves the utilization of its
//! pod undefined), of KEDA's `ScaledObject` and of the `VerticalPodAutoscaler`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::inventory::Inventory;
use super::object::member;
use super::pod::{Container, PodSpec};
use super::policy::Autoscaler;
use super::workload::Workload;
use super::{Item, Subject};

/// Containers that stand in no template: a webhook of the mesh adds them to the pods.
const INJECTED: [&str; 2] = ["istio-proxy", "linkerd-proxy"];

/// One thing that an autoscaler measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// `Resource`, `ContainerResource`, `Pods`, `Object` or `External`.
    pub kind: String,
    /// `cpu` or `memory`; empty for metrics that are not resources.
    pub resource: String,
    /// The one container that counts, for `ContainerResource`.
    pub container: Option<String>,
    /// The target in percent of what is requested.
    pub utilization: Option<i64>,
    /// The pointer to the target's percentage.
    pub pointer: String,
}

/// Everything that an autoscaler measures, its default included.
pub fn metrics(autoscaler: &Autoscaler) -> Vec<Metric> {
    let cpu = |utilization, pointer: &str| Metric {
        kind: "Resource".to_owned(),
        resource: "cpu".to_owned(),
        container: None,
        utilization: Some(utilization),
        pointer: pointer.to_owned(),
    };
    if let Some(target) = autoscaler.spec.target_cpu {
        return vec![cpu(target, "/spec/targetCPUUtilizationPercentage")];
    }
    if autoscaler.spec.metrics.is_empty() {
        return vec![cpu(80, "/spec")];
    }
    autoscaler.spec.metrics.iter().enumerate().map(|(index, metric)| read_metric(index, metric)).collect()
}

fn read_metric(index: usize, metric: &Value) -> Metric {
    let kind = metric.get("type").and_then(Value::as_str).unwrap_or_default();
    let name = match kind {
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => "",
    };
    let source = metric.get(name);
    let text = |key: &str| source.and_then(|source| source.get(key)?.as_str()).map(str::to_owned);
    // `autoscaling/v2beta1` has no target around the number.
    let places = ["/target/averageUtilization", "/targetAverageUtilization"];
    let number = |place: &'static str| Some((place, member(source?, place)?.as_i64()?));
    let found = places.into_iter().find_map(number);
    let place = found.map_or(places[0], |(place, _)| place);
    Metric {
        kind: kind.to_owned(),
        resource: text("name").unwrap_or_default(),
        container: text("container"),
        utilization: found.map(|(_, number)| number),
        pointer: format!("/spec/metrics/{index}/{name}{place}"),
    }
}

impl Metric {
    /// The container that this measures and that no template of these pods has. The proxies of meshes
    /// are put into the pods when they are made.
    pub fn absent(&self, spec: &PodSpec) -> Option<&str> {
        let name = self.container.as_deref().filter(|name| !INJECTED.contains(name))?;
        spec.all_containers().all(|(_, _, container)| container.name != name).then_some(name)
    }

    /// The containers whose missing request makes this utilization undefined. A limit stands in
    /// for a request, a request of the pod for those of its containers.
    pub fn lacking<'a>(&self, spec: &'a PodSpec) -> Vec<&'a str> {
        if self.utilization.is_none() || spec.resources.as_ref().is_some_and(|r| r.request(&self.resource).is_some()) {
            return Vec::new();
        }
        let counts =
            |container: &&Container| self.container.as_deref().is_none_or(|name| container.name.as_str() == name);
        let without = spec
            .serving_containers()
            .filter(counts)
            .filter(|container| container.resources.request(&self.resource).is_none());
        without.map(|container| container.name.as_str()).collect()
    }
}

/// Kind and name of a workload with its namespace: what targets are looked up by.
type Target = (String, String, String);

/// Scalers that are custom resources, by what they scale.
#[derive(Clone, Debug, Default)]
pub struct OtherScalers {
    scaled: BTreeSet<Target>,
    vertical: BTreeMap<Target, (Subject, Vec<String>)>,
}

impl OtherScalers {
    /// Reads every `ScaledObject` and `VerticalPodAutoscaler`.
    pub fn of(inventory: &Inventory) -> Self {
        let mut scalers = Self::default();
        for scaled in inventory.other("scaledobjects.keda.sh") {
            if let Some(reference) = scaled.at("/spec/scaleTargetRef") {
                scalers.scaled.insert(target(scaled.namespace(), reference));
            }
        }
        for vertical in inventory.other("verticalpodautoscalers.autoscaling.k8s.io") {
            let mode = vertical.at("/spec/updatePolicy/updateMode").and_then(Value::as_str).unwrap_or("Auto");
            let policies = vertical.at("/spec/resourcePolicy/containerPolicies").and_then(Value::as_array);
            let resources = controlled(policies.map_or(&[][..], Vec::as_slice));
            if let Some(reference) = vertical.at("/spec/targetRef").filter(|_| !matches!(mode, "Off" | "Initial")) {
                let target = target(vertical.namespace(), reference);
                scalers.vertical.insert(target, (vertical.subject.clone(), resources));
            }
        }
        scalers
    }

    /// True if a `ScaledObject` scales the workload.
    pub fn scales(&self, workload: &Item<Workload>) -> bool {
        self.scaled.contains(&key(workload))
    }

    /// The `VerticalPodAutoscaler` that changes requests of the workload's running pods, and the
    /// resources that it changes.
    pub fn vertical(&self, workload: &Item<Workload>) -> Option<(&Subject, &[String])> {
        self.vertical.get(&key(workload)).map(|(subject, resources)| (subject, resources.as_slice()))
    }
}

fn key(workload: &Item<Workload>) -> Target {
    (workload.namespace().to_owned(), workload.kind.clone(), workload.name().to_owned())
}

fn target(namespace: &str, reference: &Value) -> Target {
    let text = |key: &str| reference.get(key).and_then(Value::as_str);
    let kind = text("kind").unwrap_or("Deployment");
    (namespace.to_owned(), kind.to_owned(), text("name").unwrap_or_default().to_owned())
}

/// The resources that the container policies of a `VerticalPodAutoscaler` leave to it.
fn controlled(policies: &[Value]) -> Vec<String> {
    let text = |policy: &Value, key: &str| policy.get(key).and_then(Value::as_str).map(str::to_owned);
    let covers_all = policies.iter().any(|policy| text(policy, "containerName").as_deref() == Some("*"));
    let controls = |policy: &Value, resource: &str| {
        let list = policy.get("controlledResources").and_then(Value::as_array);
        text(policy, "mode").as_deref() != Some("Off")
            && list.is_none_or(|list| list.iter().any(|item| item.as_str() == Some(resource)))
    };
    ["cpu", "memory"]
        .into_iter()
        .filter(|resource| !covers_all || policies.iter().any(|policy| controls(policy, resource)))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_vertical_autoscaler_may_be_limited_to_a_resource() {
        assert_eq!(controlled(&[]), ["cpu", "memory"]);
        let only_memory = json!({"containerName": "*", "controlledResources": ["memory"]});
        assert_eq!(controlled(&[only_memory]), ["memory"]);
        assert!(controlled(&[json!({"containerName": "*", "mode": "Off"})]).is_empty());
    }

    #[test]
    fn utilization_needs_requests() {
        let spec: PodSpec = serde_json::from_value(json!({"containers": [
            {"name": "a", "resources": {"limits": {"cpu": "1"}}}, {"name": "b"}]}))
        .unwrap();
        let metric = &metrics(&Autoscaler::default())[0];
        assert_eq!((metric.utilization, metric.lacking(&spec)), (Some(80), vec!["b"]));
    }
}
