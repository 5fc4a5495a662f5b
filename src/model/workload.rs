//! Everything that makes pods.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::number::{IntOrString, optional_int32};
use super::object::{Condition, Meta, nullable};
use super::pod::PodTemplate;
use super::selector::Selector;

/// The kinds that make pods from a template.
pub const KINDS: [&str; 7] =
    ["CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"];

/// A Deployment, `StatefulSet`, `DaemonSet`, `ReplicaSet`, `ReplicationController`, Job or `CronJob`, with
/// its fields where the API has them. A pod without a controller is shown as one too, with its
/// specification as template; its pointers start at the object itself.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Workload {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// Its metadata.
    pub metadata: Meta,
    /// What it asks for.
    #[serde(deserialize_with = "nullable")]
    pub spec: WorkloadSpec,
    /// How it is.
    #[serde(deserialize_with = "nullable")]
    pub status: WorkloadStatus,
}

/// What a workload asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadSpec {
    /// Wanted pods; 1 if absent.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_int32")]
    pub replicas: Option<i64>,
    /// Which pods are its own. A `ReplicationController` has a plain map of labels here.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "selector")]
    pub selector: Option<Selector>,
    /// The pods it makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PodTemplate>,
    /// The jobs that a `CronJob` makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_template: Option<JobTemplate>,
    /// How a Deployment replaces pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// How a `StatefulSet` or `DaemonSet` replaces pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_strategy: Option<Strategy>,
    /// Claims that a `StatefulSet` makes, as served.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub volume_claim_templates: Vec<Value>,
    /// True while a Deployment does not roll out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// True while a Job or `CronJob` does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// When a `CronJob` runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Pods that a Job runs at once; 1 if absent.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_int32")]
    pub parallelism: Option<i64>,
    /// Whether runs of a `CronJob` may overlap; `Allow` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_policy: Option<String>,
    /// Seconds after which a rollout counts as stuck.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_int32")]
    pub progress_deadline_seconds: Option<i64>,
}

/// The template of a `CronJob`'s jobs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobTemplate {
    /// What the jobs ask for.
    #[serde(deserialize_with = "nullable")]
    pub spec: JobSpec,
}

/// What a job asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobSpec {
    /// The pods it makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<PodTemplate>,
    /// Pods that run at once; 1 if absent.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_int32")]
    pub parallelism: Option<i64>,
}

/// How pods are replaced.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Strategy {
    /// `RollingUpdate` if absent, `Recreate` or `OnDelete`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The numbers of a rolling update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolling_update: Option<RollingUpdate>,
}

/// The numbers of a rolling update.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RollingUpdate {
    /// Pods above the wanted number; rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_surge: Option<IntOrString>,
    /// Pods that may be missing; rounded down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
    /// Pods of a `StatefulSet` that stay as they are.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_int32")]
    pub partition: Option<i64>,
}

/// How a workload is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadStatus {
    /// Pods there are.
    pub replicas: i64,
    /// Pods that may get traffic.
    pub ready_replicas: i64,
    /// Pods of the present template.
    pub updated_replicas: i64,
    /// Pods that have been ready for long enough.
    pub available_replicas: i64,
    /// The generation that the controller has seen.
    pub observed_generation: i64,
    /// Nodes that a `DaemonSet` should run on.
    pub desired_number_scheduled: i64,
    /// Its ready pods.
    pub number_ready: i64,
    /// Pods of a Job that run.
    pub active: i64,
    /// When a `CronJob` last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<jiff::Timestamp>,
    /// When a Job ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<jiff::Timestamp>,
    /// Conditions.
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
}

impl Workload {
    /// The template of its pods.
    pub fn template(&self) -> Option<&PodTemplate> {
        match &self.spec.job_template {
            Some(job) => job.spec.template.as_ref(),
            None => self.spec.template.as_ref(),
        }
    }

    /// The pointer to the template; empty for a pod.
    pub fn template_pointer(&self) -> &'static str {
        match self.kind.as_str() {
            "CronJob" => "/spec/jobTemplate/spec/template",
            "Pod" => "",
            _ => "/spec/template",
        }
    }

    /// The pointer to the pod specification.
    pub fn pod_spec_pointer(&self) -> String {
        format!("{}/spec", self.template_pointer())
    }

    /// Wanted pods, for the kinds that have a number.
    pub fn replicas(&self) -> i64 {
        self.spec.replicas.unwrap_or(1)
    }

    /// The pods that run when all is well, also of a `DaemonSet`, as its controller counts them.
    pub fn wanted_pods(&self) -> i64 {
        if self.kind == "DaemonSet" { self.status.desired_number_scheduled } else { self.replicas() }
    }

    /// True for the kinds whose number of pods can be set.
    pub fn is_scalable(&self) -> bool {
        matches!(self.kind.as_str(), "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController")
    }

    /// True for a pod that the kubelet reads from a file of its node, and only shows to the server.
    pub fn is_mirror(&self) -> bool {
        self.metadata.annotations.contains_key("kubernetes.io/config.mirror")
    }

    /// True if it runs nothing now and will not by itself: no replicas, suspended, or ended.
    pub fn is_idle(&self) -> bool {
        (self.is_scalable() && self.spec.replicas == Some(0))
            || self.spec.suspend == Some(true)
            || (matches!(self.kind.as_str(), "Job" | "Pod") && self.is_finished())
    }

    /// True for a Job that has ended, or a pod without a controller that has.
    pub fn is_finished(&self) -> bool {
        let ended = |c: &Condition| matches!(c.kind.as_str(), "Complete" | "Failed") && c.status == "True";
        self.status.completion_time.is_some() || self.status.conditions.iter().any(ended)
    }

    /// How pods are replaced: `RollingUpdate`, `Recreate` or `OnDelete`.
    pub fn strategy_kind(&self) -> &str {
        let strategy = self.spec.strategy.as_ref().or(self.spec.update_strategy.as_ref());
        strategy.and_then(|s| s.kind.as_deref()).unwrap_or("RollingUpdate")
    }

    /// Pods above and below `total` during a rollout, as the Deployment controller resolves them:
    /// the surge rounded up, the missing ones rounded down, and one missing if both become 0.
    pub fn surge_and_unavailable(&self, total: i64) -> (i64, i64) {
        if self.kind != "Deployment" || self.strategy_kind() != "RollingUpdate" {
            return (0, 0);
        }
        let quarter = IntOrString::Text("25%".to_owned());
        let numbers = self.spec.strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
        let surge = numbers.and_then(|n| n.max_surge.as_ref()).unwrap_or(&quarter);
        let missing = numbers.and_then(|n| n.max_unavailable.as_ref()).unwrap_or(&quarter);
        match (surge.of_rounded_up(total).unwrap_or(0), missing.of_rounded_down(total).unwrap_or(0)) {
            (0, 0) => (0, 1),
            numbers => numbers,
        }
    }

    /// True if a rolling update may stop every old pod before a new one is ready.
    pub fn stops_all_at_once(&self) -> bool {
        let numbers = self.spec.update_strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
        let missing = numbers.and_then(|numbers| numbers.max_unavailable.as_ref());
        let total = self.replicas();
        match self.kind.as_str() {
            "Deployment" => total > 0 && self.surge_and_unavailable(total).1 >= total,
            // One at a time unless said otherwise.
            "StatefulSet" => missing.map_or(Some(1), |missing| missing.of_rounded_up(total)) >= Some(total.max(1)),
            "DaemonSet" => missing.is_some_and(|missing| *missing == IntOrString::Text("100%".to_owned())),
            _ => false,
        }
    }

    /// Pods above `nodes` during the rollout of a `DaemonSet`, a percentage rounded up; 0 unless said.
    pub fn daemon_surge(&self, nodes: i64) -> i64 {
        let numbers = self.spec.update_strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
        numbers.and_then(|n| n.max_surge.as_ref()?.of_rounded_up(nodes)).unwrap_or(0)
    }

    /// True if a selector selects the pods of the template.
    pub fn is_selected_by(&self, selector: &Selector) -> bool {
        self.template().is_some_and(|template| selector.matches(template.labels()))
    }

    /// Fills in the selector that the first versions of the API leave out: the template's labels.
    pub fn default_selector(&mut self) {
        let lets = matches!(self.api_version.as_str(), "v1" | "apps/v1beta1" | "extensions/v1beta1");
        let selects = matches!(
            self.kind.as_str(),
            "DaemonSet" | "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet"
        );
        if lets && selects && self.spec.selector.as_ref().is_none_or(Selector::is_empty) {
            let labels = self.spec.template.as_ref().map(PodTemplate::labels);
            self.spec.selector = labels.filter(|labels| !labels.is_empty()).map(Selector::labels);
        }
    }

    /// Drops what no rule reads of a workload that another one controls.
    pub fn compact(&mut self) {
        let keep_writers = self.is_scalable() && self.metadata.controller().is_none();
        if !keep_writers {
            self.metadata.managed_fields = Vec::new();
        }
        if self.metadata.controller().is_some() && self.kind == "ReplicaSet" {
            self.spec = WorkloadSpec { replicas: self.spec.replicas, ..WorkloadSpec::default() };
            self.metadata.annotations.clear();
        }
    }
}

/// Reads a selector, or the plain map of labels of a `ReplicationController`.
fn selector<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Selector>, D::Error> {
    let Some(value) = Option::<Value>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let structured = value.get("matchLabels").is_some_and(Value::is_object)
        || value.get("matchExpressions").is_some_and(Value::is_array);
    let plain = value.as_object().is_some_and(|map| !map.is_empty() && map.values().all(Value::is_string));
    let parsed = if plain && !structured {
        serde_json::from_value(value).map(|labels| Selector { match_labels: labels, match_expressions: Vec::new() })
    } else {
        serde_json::from_value(value)
    };
    parsed.map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(strategy: &Value) -> Workload {
        serde_json::from_value(serde_json::json!({"kind": "Deployment", "spec": {"strategy": strategy}})).unwrap()
    }

    #[test]
    fn surge_rounds_up_and_unavailability_down() {
        let default = deployment(&serde_json::json!({}));
        assert_eq!(default.surge_and_unavailable(3), (1, 0));
        let none = deployment(&serde_json::json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}}));
        assert_eq!(none.surge_and_unavailable(3), (0, 1));
        assert_eq!(deployment(&serde_json::json!({"type": "Recreate"})).surge_and_unavailable(3), (0, 0));
    }

    #[test]
    fn a_replication_controller_selects_by_plain_labels() {
        let rc: Workload = serde_json::from_value(serde_json::json!({
            "kind": "ReplicationController", "spec": {"selector": {"app": "x"}}
        }))
        .unwrap();
        assert_eq!(rc.spec.selector.unwrap().match_labels.get("app").unwrap(), "x");
    }

    #[test]
    fn the_first_versions_select_by_the_labels_of_the_template() {
        let made = |api_version: &str, kind: &str| {
            let mut workload: Workload = serde_json::from_value(serde_json::json!({
                "apiVersion": api_version, "kind": kind, "spec": {"template": {"metadata": {"labels": {"app": "x"}}}}
            }))
            .unwrap();
            workload.default_selector();
            workload.spec.selector.as_ref().map(Selector::text)
        };
        assert_eq!(made("v1", "ReplicationController").as_deref(), Some("app=x"));
        assert_eq!(made("extensions/v1beta1", "Deployment").as_deref(), Some("app=x"));
        assert_eq!(made("apps/v1", "Deployment"), None);
        assert_eq!(made("batch/v1", "Job"), None);
    }
}
