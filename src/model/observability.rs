//! Programs that observe a cluster, by their images: dashboards, log collectors, Alertmanager,
//! scrapers, and agents of vendors, which bring several of these at once.
//!
//! What runs elsewhere under a name of its own (a renamed image, a service that pulls from outside)
//! is not recognised; that is what attestations are for.

use std::sync::LazyLock;

use regex::Regex;

use super::container::Container;
use super::evidence;
use super::inventory::Inventory;
use super::store::Item;
use super::workload::Workload;

/// What a program does for observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Shows metrics or logs.
    Dashboards,
    /// Takes the logs of containers away.
    Logs,
    /// Sends alerts to people.
    Alerts,
    /// Reads metrics of other programs.
    Scraper,
    /// Reads monitors and rules of the Prometheus operator without a resource that says which.
    Allocator,
    /// Traces programs without their help.
    Tracer,
    /// Belongs to a vendor's service, where dashboards and alerts are.
    Vendor,
}

fn pattern(alternatives: &[&str]) -> Regex {
    // Images have ASCII names, and patterns of these are made in a part of the time.
    Regex::new(&format!("(?i-u)(?:^|/)(?:{})$", alternatives.join("|"))).expect("constant patterns")
}

static DASHBOARDS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        "grafana(?:-oss|-enterprise|-image)?",
        "grafana/agent",
        "grafana-agent",
        "alloy",
        "kibana",
        "opensearch-dashboards",
        "perses",
        "chronograf",
        "netdata",
        "signoz(?:-frontend)?",
        "openobserve",
    ])
});
static LOGS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        "(?:[a-z0-9]+[-_])*fluent[-_]?bit(?:[-_](?:plus|gke|output|debug))*",
        "(?:[a-z0-9]+[-_])*fluentd(?:-kubernetes-daemonset|-elasticsearch|-hec|-gcp)?",
        "newrelic-fluentbit-output",
        "vector",
        "promtail",
        "alloy",
        "grafana/agent",
        "grafana-agent",
        "filebeat(?:-oss)?",
        "(?:[a-z0-9]+-)*(?:opentelemetry-collector|otel-collector|otelcol)(?:-[a-z0-9-]+)?",
        "logdna-agent",
        "mezmo-agent",
        "logspout",
        "syslog-ng",
        "axosyslog",
        "openobserve-collector",
    ])
});
static ALERTS: LazyLock<Regex> = LazyLock::new(|| pattern(&["alertmanager", "netdata", "signoz(?:-alertmanager)?"]));
static SCRAPER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        "prometheus",
        "prometheus-agent",
        "vmagent",
        "vmsingle",
        "victoria-metrics",
        "alloy",
        "grafana/agent",
        "grafana-agent",
        "(?:[a-z0-9]+-)*(?:opentelemetry-collector|otel-collector|otelcol)(?:-[a-z0-9-]+)?",
    ])
});
static ALLOCATOR: LazyLock<Regex> =
    LazyLock::new(|| pattern(&["alloy", "grafana/agent", "grafana-agent", "target-allocator"]));
static TRACER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        "beyla(?:-k8s-cache)?",
        "(?:opentelemetry-)?ebpf-instrument(?:ation)?",
        "autoinstrumentation-go",
        "odiglet",
        "odigos-odiglet(?:-ubi9)?",
        "coroot-node-agent",
        "vizier-pem_image",
        "oneagent",
        "dynatrace-oneagent",
        "deepflow-agent",
        "groundcover/agent",
        "instana/agent",
    ])
});
static VENDOR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        "datadog(?:hq)?/agent",
        "datadog-agent",
        "newrelic/(?:infrastructure|nri-|newrelic-fluentbit|newrelic-infra|k8s-metrics|nrdot)[a-z0-9-]*",
        "oneagent",
        "dynatrace-oneagent",
        "dynatrace/(?:dynatrace-oneagent|linux/oneagent|dynatrace-activegate)",
        "elastic-agent(?:-complete|-ubi|-wolfi)?",
        "splunk-otel-collector",
        "fluentd-hec",
        "sysdig/agent(?:-slim)?",
        "sysdig/host-shield",
        "instana/agent",
        "appdynamics/(?:cluster|machine|netviz)-agent",
        "(?:cluster|machine)-agent-appdynamics",
        "sumologic-otel-collector",
        "cloudwatch-agent",
        "azuremonitor/containerinsights/ciprod(?:/[a-z0-9./-]+)?",
        "gke-metrics-agent",
        "fluent-bit-gke-exporter",
        "coralogix-otel-collector",
        "coralogixrepo/[a-z0-9-]+",
        "logicmonitor/(?:collector|argus|collectorset-controller)",
        "honeycomb-kubernetes-agent",
        "observe-agent",
        "chronocollector",
        "groundcover/agent",
        "scoutapp/[a-z0-9-]+",
        "site24x7-agent",
        "zabbix-agent2?",
        "checkmk/check-mk-agent",
    ])
});

/// Custom resources that vendors' operators turn into agents.
pub const VENDOR_KINDS: [&str; 4] = [
    "datadogagents.datadoghq.com",
    "dynakubes.dynatrace.com",
    "instanaagents.instana.io",
    "agents.agent.k8s.elastic.co",
];

/// Custom resources that operators turn into log collectors.
pub const LOG_KINDS: [&str; 5] = [
    "clusterlogforwarders.logging.openshift.io",
    "clusterlogforwarders.observability.openshift.io",
    "fluentbits.fluentbit.fluent.io",
    "fluentds.fluentd.fluent.io",
    "loggings.logging.banzaicloud.io",
];

/// True if the image of a container plays a role.
pub fn plays(container: &Container, role: Role) -> bool {
    let pattern = match role {
        Role::Dashboards => &DASHBOARDS,
        Role::Logs => &LOGS,
        Role::Alerts => &ALERTS,
        Role::Scraper => &SCRAPER,
        Role::Allocator => &ALLOCATOR,
        Role::Tracer => &TRACER,
        Role::Vendor => &VENDOR,
    };
    pattern.is_match(container.image_path())
}

/// The image by which a workload plays a role.
pub fn image_of(workload: &Workload, role: Role) -> Option<&str> {
    let mut containers = workload.template()?.spec.serving_containers();
    containers.find(|container| plays(container, role)).map(|container| container.image.as_str())
}

/// The first running program with a role, and its image.
pub fn program(inventory: &Inventory, role: Role) -> Option<(&Item<Workload>, &str)> {
    evidence::running(inventory)
        .filter(|(_, workload)| is_program(workload))
        .find_map(|(_, workload)| Some((workload, image_of(workload, role)?)))
}

/// True for workloads that run all the time.
pub fn is_program(workload: &Workload) -> bool {
    !matches!(workload.kind.as_str(), "CronJob" | "Job")
}

/// The name of the first custom resource of these kinds.
pub fn custom_resource(inventory: &Inventory, kinds: &[&str]) -> Option<String> {
    let mut found = kinds.iter().flat_map(|kind| inventory.other(kind));
    found.next().map(|item| item.subject.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn roles(image: &str) -> Vec<Role> {
        let workload: Workload = serde_json::from_value(json!({"kind": "DaemonSet", "spec": {"template": {"spec": {
            "containers": [{"name": "x", "image": image}]}}}}))
        .unwrap();
        let all = [Role::Dashboards, Role::Logs, Role::Alerts, Role::Scraper, Role::Tracer, Role::Vendor];
        all.into_iter().filter(|role| image_of(&workload, *role).is_some()).collect()
    }

    #[test]
    fn images_play_roles() {
        for (image, expected) in [
            ("docker.io/grafana/grafana:11.1.0", vec![Role::Dashboards]),
            ("grafana/grafana-operator:5", vec![]),
            ("grafana/loki:3", vec![]),
            ("cr.fluentbit.io/fluent/fluent-bit:3.1", vec![Role::Logs]),
            ("public.ecr.aws/aws-observability/aws-for-fluent-bit:2", vec![Role::Logs]),
            ("fluent/fluentd-kubernetes-daemonset:v1", vec![Role::Logs]),
            ("timberio/vector:0.40-debian", vec![Role::Logs]),
            ("example.com/vector-database:1", vec![]),
            ("grafana/promtail:3", vec![Role::Logs]),
            ("docker.elastic.co/beats/filebeat:8", vec![Role::Logs]),
            ("otel/opentelemetry-collector-k8s:0.110", vec![Role::Logs, Role::Scraper]),
            ("grafana/alloy:1.4", vec![Role::Dashboards, Role::Logs, Role::Scraper]),
            ("gcr.io/datadoghq/agent:7", vec![Role::Vendor]),
            ("gcr.io/datadoghq/cluster-agent:7", vec![]),
            ("quay.io/prometheus/alertmanager:v0.27", vec![Role::Alerts]),
            ("quay.io/prometheus/prometheus:v3", vec![Role::Scraper]),
            ("quay.io/prometheus/node-exporter:v1", vec![]),
            ("grafana/beyla:1", vec![Role::Tracer]),
            ("public.ecr.aws/dynatrace/linux/oneagent:1", vec![Role::Tracer, Role::Vendor]),
        ] {
            assert_eq!(roles(image), expected, "{image}");
        }
    }
}
