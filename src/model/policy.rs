//! Objects that bound others: autoscalers, disruption budgets, quotas, limit ranges.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::number::{IntOrString, int32, optional_int32};
use super::object::{Condition, Meta, nullable};
use super::selector::Selector;

/// A `HorizontalPodAutoscaler`, `autoscaling/v2`; the fields of v1 that rules read are the same.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Autoscaler {
    /// Its metadata.
    pub metadata: Meta,
    /// What it scales.
    #[serde(deserialize_with = "nullable")]
    pub spec: AutoscalerSpec,
    /// How it is.
    #[serde(deserialize_with = "nullable")]
    pub status: AutoscalerStatus,
}

/// What an autoscaler scales.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalerSpec {
    /// The workload.
    #[serde(deserialize_with = "nullable")]
    pub scale_target_ref: TargetRef,
    /// The least replicas; 1 if absent.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "optional_int32")]
    pub min_replicas: Option<i64>,
    /// The most replicas.
    #[serde(deserialize_with = "int32")]
    pub max_replicas: i64,
    /// What it measures, as served.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub metrics: Vec<Value>,
    /// The one target of `autoscaling/v1`, percent of the requested CPU.
    #[serde(rename = "targetCPUUtilizationPercentage", skip_serializing_if = "Option::is_none")]
    pub target_cpu: Option<i64>,
}

/// The workload that an autoscaler scales.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetRef {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// How an autoscaler is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoscalerStatus {
    /// Replicas it saw.
    pub current_replicas: i64,
    /// Replicas it wants.
    pub desired_replicas: i64,
    /// The generation it has seen, where the server has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions.
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
}

impl Autoscaler {
    /// The least replicas, 1 unless said.
    pub fn floor(&self) -> i64 {
        self.spec.min_replicas.unwrap_or(1)
    }

    /// A condition by type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|c| c.kind == kind)
    }
}

/// A `PodDisruptionBudget`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DisruptionBudget {
    /// Its metadata.
    pub metadata: Meta,
    /// What it keeps.
    #[serde(deserialize_with = "nullable")]
    pub spec: DisruptionBudgetSpec,
    /// How it is.
    #[serde(deserialize_with = "nullable")]
    pub status: DisruptionBudgetStatus,
}

/// What a budget keeps.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DisruptionBudgetSpec {
    /// Pods that must stay; a percentage rounds up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_available: Option<IntOrString>,
    /// Pods that may be missing; a percentage rounds up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
    /// The pods: none if absent, all of the namespace if empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// `AlwaysAllow` lets running but unready pods go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_pod_eviction_policy: Option<String>,
}

/// How a budget is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DisruptionBudgetStatus {
    /// Pods that may be evicted now.
    pub disruptions_allowed: i64,
    /// Pods that it counts.
    pub expected_pods: i64,
    /// Healthy pods now.
    pub current_healthy: i64,
    /// The generation that the controller has seen.
    pub observed_generation: i64,
    /// Conditions.
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<Condition>,
}

impl DisruptionBudget {
    /// True if its controller asks the owner of each selected pod for its scale: for
    /// `maxUnavailable` and for percentages. For a whole number of `minAvailable` it counts pods.
    pub fn counts_by_scale(&self) -> bool {
        match (&self.spec.min_available, &self.spec.max_unavailable) {
            (Some(least), _) => matches!(least, IntOrString::Text(_)),
            (None, most) => most.is_some(),
        }
    }

    /// Evictions that it allows when `pods` pods are wanted and healthy; both percentages round up.
    pub fn allowed_at(&self, pods: i64) -> i64 {
        let kept = match (&self.spec.min_available, &self.spec.max_unavailable) {
            (Some(least), _) => least.of_rounded_up(pods).unwrap_or(pods),
            (None, Some(most)) => pods - most.of_rounded_up(pods).unwrap_or(0),
            (None, None) => pods,
        };
        (pods - kept.max(0)).max(0)
    }
}

/// A `ResourceQuota`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceQuota {
    /// Its metadata.
    pub metadata: Meta,
    /// What it allows.
    #[serde(deserialize_with = "nullable")]
    pub spec: ResourceQuotaSpec,
    /// What is used.
    #[serde(deserialize_with = "nullable")]
    pub status: ResourceQuotaStatus,
}

/// What a quota allows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceQuotaSpec {
    /// Limits by resource, quantities as served.
    #[serde(deserialize_with = "nullable")]
    pub hard: Map<String, Value>,
    /// Restricts the quota to some pods.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub scopes: Vec<String>,
    /// Restricts the quota to some pods, as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_selector: Option<Value>,
}

/// What of a quota is used.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceQuotaStatus {
    /// Limits that are enforced, quantities as served.
    #[serde(deserialize_with = "nullable")]
    pub hard: Map<String, Value>,
    /// Use by resource, quantities as served.
    #[serde(deserialize_with = "nullable")]
    pub used: Map<String, Value>,
}

/// A `LimitRange`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitRange {
    /// Its metadata.
    pub metadata: Meta,
    /// Its limits.
    #[serde(deserialize_with = "nullable")]
    pub spec: LimitRangeSpec,
}

/// The limits of a `LimitRange`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitRangeSpec {
    /// One entry a type.
    #[serde(deserialize_with = "nullable")]
    pub limits: Vec<LimitRangeItem>,
}

/// The limits of one type: `Container`, `Pod` or `PersistentVolumeClaim`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitRangeItem {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Limits for containers that state none, quantities as served.
    #[serde(skip_serializing_if = "Map::is_empty", deserialize_with = "nullable")]
    pub default: Map<String, Value>,
    /// Requests for containers that state none, quantities as served.
    #[serde(skip_serializing_if = "Map::is_empty", deserialize_with = "nullable")]
    pub default_request: Map<String, Value>,
    /// The most, quantities as served.
    #[serde(skip_serializing_if = "Map::is_empty", deserialize_with = "nullable")]
    pub max: Map<String, Value>,
    /// The least, quantities as served.
    #[serde(skip_serializing_if = "Map::is_empty", deserialize_with = "nullable")]
    pub min: Map<String, Value>,
    /// How many times its request a limit may be at most, as served.
    #[serde(skip_serializing_if = "Map::is_empty", deserialize_with = "nullable")]
    pub max_limit_request_ratio: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(spec: Value) -> DisruptionBudget {
        DisruptionBudget { spec: serde_json::from_value(spec).unwrap(), ..DisruptionBudget::default() }
    }

    #[test]
    fn only_a_whole_number_of_pods_needs_no_scale() {
        for (spec, scale) in [
            (serde_json::json!({"minAvailable": 2}), false),
            (serde_json::json!({"minAvailable": "50%"}), true),
            (serde_json::json!({"maxUnavailable": 0}), true),
            (serde_json::json!({"maxUnavailable": "50%"}), true),
            (serde_json::json!({}), false),
        ] {
            assert_eq!(budget(spec.clone()).counts_by_scale(), scale, "{spec}");
        }
    }

    #[test]
    fn budgets_round_up() {
        assert_eq!(budget(serde_json::json!({"maxUnavailable": "10%"})).allowed_at(3), 1);
        assert_eq!(budget(serde_json::json!({"minAvailable": "50%"})).allowed_at(3), 1);
        assert_eq!(budget(serde_json::json!({"minAvailable": 3})).allowed_at(3), 0);
        assert_eq!(budget(serde_json::json!({})).allowed_at(3), 0);
    }
}
