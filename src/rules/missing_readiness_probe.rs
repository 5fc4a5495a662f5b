//! missing-readiness-probe: containers that get traffic before they can answer, and probes that
//! do not tell that they can.

mod probes;
mod traffic;

use serde_json::{Value, json};

use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::Item;
use crate::model::workload::Workload;
use traffic::Served;

declare_rule! {
    /// ## What it does
    /// Looks at the containers that a Service sends traffic to, sidecars included, and reports,
    /// one finding for each container and cause: no readiness probe (high); a liveness probe
    /// that asks the same as the readiness probe and gives up no later (medium); repeated restarts
    /// with exit code 137 or 143, a liveness probe and no startup probe (high, inferred, since
    /// events are not read); a probe of a port name that the container does not declare, or of a
    /// number that no container declares although this one declares ports (high); an exec probe
    /// with a timeout of 1 second (low). A probe of an undeclared port name is reported of the
    /// containers beside them too, since a pod is ready only if all its containers are. It does not
    /// apply to workloads that no Service selects, and to Jobs. An absent liveness probe is no finding:
    /// a bad one does more harm than none.
    ///
    /// ## Why it matters
    /// Without a readiness probe a pod gets requests as soon as its process runs, and a rollout
    /// goes on although the new version does not answer.
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
    ///       - {name: web, image: web:1, ports: [{name: http, containerPort: 8080}]}
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {app: web}
    ///   ports: [{port: 80, targetPort: http}]
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
    ///     spec:
    ///       containers:
    ///       - name: web
    ///         image: web:1
    ///         ports: [{name: http, containerPort: 8080}]
    ///         readinessProbe: {httpGet: {path: /ready, port: http}}
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {app: web}
    ///   ports: [{port: 80, targetPort: http}]
    /// ```
    ///
    /// ## Fix
    /// Needs the path that answers when the container can serve:
    /// `--set missing-readiness-probe.path=/ready`. The port is the one the Service sends to, or
    /// `--set missing-readiness-probe.port=8081`. With `--set missing-readiness-probe.style=tcpSocket`
    /// no path is needed, and the probe only sees that the port is open. With the answers the fix
    /// is unsafe: it replaces the pods, and a wrong probe stalls the rollout. For a liveness probe
    /// that is as quick as the readiness probe the fix, unsafe, raises its `failureThreshold` to
    /// twice the time. The other causes are manual. A liveness probe is never added. Undo removes
    /// the probe and replaces the pods again.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/>
    /// - <https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/>
    id: "missing-readiness-probe",
    summary: "a container gets traffic without a sound readiness probe",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::HighAvailability,
    fix: Some(Applicability::Input),
    impact: "Requests reach pods that can't answer yet.",
    parameters: &[
        Parameter {
            key: "style",
            prompt: "httpGet asks a path, tcpSocket only opens the port",
            kind: ParameterKind::Choice(&["httpGet", "tcpSocket"]),
            default: Some("httpGet"),
        },
        Parameter {
            key: "path",
            prompt: "the path that answers when the container can serve",
            kind: ParameterKind::Text("/[!-~]*"),
            default: None,
        },
        Parameter {
            key: "port",
            prompt: "the port to ask, by number or name",
            kind: ParameterKind::Text("[0-9]{1,5}|[a-z0-9-]{1,15}"),
            default: None,
        },
    ],
    next_stages: &["missing-readiness-probe"],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for (position, workload) in inventory.audited_workloads() {
        let template = workload.template().filter(|_| !matches!(workload.kind.as_str(), "Job" | "CronJob"));
        let Some(template) = template.filter(|_| !workload.is_idle() && !super::is_development(context, workload))
        else {
            verdicts.na(&workload.subject);
            continue;
        };
        let served = traffic::served(inventory, position, &template.spec);
        if served.is_empty() {
            match inventory.unseen("services", workload.namespace()) {
                Some(reason) => verdicts.unknown(&workload.subject, reason),
                None => verdicts.na(&workload.subject),
            }
            continue;
        }
        let mut found = Vec::new();
        for container in &served {
            if !container.is_receiver() {
                found.extend(probes::never_ready(context, workload, container));
                continue;
            }
            if container.container.readiness_probe.is_none() {
                found.push(missing(context, workload, container));
            }
            found.extend(probes::judge(context, position, container));
        }
        if found.is_empty() {
            verdicts.pass(&workload.subject);
        }
        for finding in found {
            verdicts.fail(finding);
        }
    }
}

/// No readiness probe.
fn missing(context: &Context<'_>, workload: &Item<Workload>, served: &Served<'_>) -> Finding {
    let name = &served.container.name;
    let place = Location::at(served.pointer("readinessProbe")).named(served.stable("readinessProbe"));
    let mut finding =
        context.finding(workload, format!("container {name} gets traffic without a readiness probe")).at(place);
    for source in &served.sources {
        finding = finding.because_of(&source.service, source.text.clone());
    }
    context.detail(finding, |finding| finding.fix(add_probe(context, workload, served)))
}

fn add_probe(context: &Context<'_>, workload: &Item<Workload>, served: &Served<'_>) -> Fix {
    let name = &served.container.name;
    let style = context.input(&workload.subject, "style", false);
    let by_socket = style.value.as_deref() == Some("tcpSocket");
    let path = context.input(&workload.subject, "path", !by_socket);
    let mut port = context.input(&workload.subject, "port", served.tcp_port().is_none());
    if let Some(derived) = served.tcp_port() {
        port.default = Some(derived.to_string());
        port.value = port.value.or_else(|| port.default.clone());
    }
    let number = port.value.as_deref().map(|text| text.parse::<i64>().map_or_else(|_| json!(text), |port| json!(port)));
    let handler = match (number, path.value.as_deref()) {
        (Some(port), _) if by_socket => Some(json!({"tcpSocket": {"port": port}})),
        (Some(port), Some(path)) => Some(json!({"httpGet": {"path": path, "port": port}})),
        _ => None,
    };
    let mut fix = Fix::new(format!("Add a readiness probe to container {name}"), Applicability::Input).ask(style);
    if !by_socket {
        fix = fix.ask(path);
    }
    fix = fix.ask(port);
    if let Some(derived) = served.tcp_port() {
        fix = fix.note(format!("port {derived} = where the Service sends to"));
    }
    if let Some(handler) = handler {
        fix.applicability = Applicability::Unsafe;
        fix = fix.step(Step::patch(&workload.subject, vec![Edit::set(served.pointer("readinessProbe"), handler)]));
    }
    keeps_old_pods(workload, fix)
}

/// What a wrong probe does, and where a template can't change.
fn keeps_old_pods(workload: &Item<Workload>, mut fix: Fix) -> Fix {
    fix = fix.consequence(match workload.strategy_kind() {
        "Recreate" => "a wrong probe leaves no pod ready: strategy Recreate stops the old ones first",
        "RollingUpdate" if workload.stops_all_at_once() => {
            "a wrong probe leaves no pod ready: the rollout may stop all old ones first"
        }
        _ => "a wrong probe stalls the rollout; the old pods stay",
    });
    if workload.kind == "Pod" {
        fix.refuse("restart", format!("the probes of {} can't be changed", workload.subject.short()));
    }
    fix
}

/// The member of a probe that says what it asks: `httpGet`, `tcpSocket`, `exec` or `grpc`.
fn handler(probe: &Value) -> Option<(&'static str, &Value)> {
    ["httpGet", "tcpSocket", "grpc", "exec"].into_iter().find_map(|kind| Some((kind, probe.get(kind)?)))
}
