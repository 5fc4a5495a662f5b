//! database-in-app-pod: a database or a model server in the pod of the application.

use std::sync::LazyLock;

use regex::Regex;

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::model::Item;
use crate::model::container::Container;
use crate::model::databases;
use crate::model::evidence;
use crate::model::object::pointer;
use crate::model::observability::{self, Role};
use crate::model::workload::Workload;

declare_rule! {
    /// ## What it does
    /// Reports a workload whose pods hold an application together with a database (see
    /// missing-db-backup) or a server of AI models (Ollama, vLLM, Triton, LocalAI and others), each a
    /// container of its own. Exporters, poolers, proxies, backup tools, agents and helpers beside a
    /// database are no applications. Caches do not count. A workload that an operator keeps passes: how
    /// its pods are made is the operator's decision.
    ///
    /// ## Why it matters
    /// The pod is the unit of scaling and of rollouts. A second replica of the application is a second,
    /// different database, and each rollout restarts both.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       containers:
    ///         - {name: web, image: "web:1"}
    ///         - {name: db, image: "postgres:16"}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: "web:1"}]}
    /// ---
    /// apiVersion: apps/v1
    /// kind: StatefulSet
    /// metadata: {name: db, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: db}}
    ///   template:
    ///     metadata: {labels: {app: db}}
    ///     spec: {containers: [{name: db, image: "postgres:16"}]}
    /// ```
    ///
    /// ## Fix
    /// None. Give the database a StatefulSet and a Service of its own, move the data, and point the
    /// application there.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/workloads/pods/#how-pods-manage-multiple-containers>
    /// - <https://kubernetes.io/docs/tasks/run-application/run-replicated-stateful-application/>
    id: "database-in-app-pod",
    summary: "a database in the pod of the application",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Architecture,
    fix: None,
    impact: "Application and database scale and restart together.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

static MODEL_SERVER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)^(?:ollama|vllm(?:-[a-z0-9-]+)?|text-(?:generation|embeddings)-inference(?:-[a-z0-9-]+)?",
        r"|tritonserver|local-?ai|llama[.-]cpp(?:-[a-z0-9-]+)?|llama-server|sglang|lmdeploy|tgi)$",
    ))
    .expect("a constant pattern")
});

/// Words in the names of images that help another container and are no application.
const HELPERS: [&str; 33] = [
    "alpine",
    "busybox",
    "cloudsql",
    "curl",
    "curator",
    "daprd",
    "envoy",
    "etcd",
    "filebeat",
    "fluent",
    "fluentd",
    "git",
    "istio",
    "keydb",
    "kubectl",
    "linkerd",
    "logrotate",
    "memcached",
    "opentelemetry",
    "otel",
    "patroni",
    "pgbackrest",
    "promtail",
    "proxyv2",
    "redis",
    "reloader",
    "repmgr",
    "sentinel",
    "sidecar",
    "tailscale",
    "valkey",
    "vault",
    "vector",
];

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for (_, workload) in inventory.audited_workloads() {
        if workload.is_idle() || evidence::has_ended(inventory, workload) {
            verdicts.na(&workload.subject);
            continue;
        }
        match mixed(workload).filter(|_| workload.metadata.controller().is_none()) {
            Some(found) => verdicts.fail(finding(context, workload, &found)),
            None => verdicts.pass(&workload.subject),
        }
    }
}

/// A container with its list and place there.
type Place<'a> = (&'static str, usize, &'a Container);

/// An application and what it should not share a pod with.
struct Mixed<'a> {
    what: &'static str,
    backend: Place<'a>,
    app: &'a Container,
}

fn mixed(workload: &Workload) -> Option<Mixed<'_>> {
    if matches!(workload.kind.as_str(), "CronJob" | "Job") {
        return None;
    }
    let spec = &workload.template()?.spec;
    let serving =
        || spec.all_containers().filter(|(list, _, container)| *list == "containers" || container.is_sidecar());
    let (what, backend) = serving().find_map(|place| Some((backend(place.2)?, place)))?;
    let app = serving().map(|(_, _, container)| container).find(|container| is_app(container))?;
    Some(Mixed { what, backend, app })
}

fn backend(container: &Container) -> Option<&'static str> {
    if let Some((engine, _)) = databases::of_container(container) {
        return Some(engine.word());
    }
    MODEL_SERVER.is_match(container.image_name()).then_some("a server of AI models")
}

fn is_app(container: &Container) -> bool {
    let name = container.image_name().to_ascii_lowercase();
    let observes =
        [Role::Logs, Role::Scraper, Role::Vendor].into_iter().any(|role| observability::plays(container, role));
    let helps = observes || name.split(['-', '_', '.']).any(|word| HELPERS.contains(&word));
    let of_database = databases::of_container(container).is_some() || databases::engine_of_image(container).is_some();
    !helps && !of_database && !databases::is_companion(container) && !MODEL_SERVER.is_match(&name)
}

fn finding(context: &Context<'_>, workload: &Item<Workload>, found: &Mixed<'_>) -> Finding {
    let (list, index, container) = found.backend;
    let spec = workload.pod_spec_pointer();
    let at = Location::at(pointer(&spec, &[list, &index.to_string()])).named(pointer(&spec, &[list, &container.name]));
    let message = format!("runs {} in the pod of the application", found.what);
    context
        .finding(workload, message)
        .at(at)
        .because(format!("container {} runs {}: {}", container.name, found.what, container.image))
        .because(format!("container {} is the application: {}", found.app.name, found.app.image))
}
