//! Probes that are there and do not tell what they should.

use serde_json::Value;

use super::traffic::Served;
use super::{handler, keeps_old_pods};
use crate::finding::{Confidence, Finding, Location, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::Item;
use crate::model::container::Container;
use crate::model::workload::Workload;
use crate::rules::rule::Context;

/// Everything that is wrong with the probes of one container.
pub(super) fn judge(context: &Context<'_>, position: usize, served: &Served<'_>) -> Vec<Finding> {
    let workload = context.inventory.workloads.at(position);
    let mut found = Vec::new();
    found.extend(quick_liveness(context, workload, served));
    found.extend(killed_at_start(context, position, served));
    for (field, probe) in all_probes(served.container) {
        found.extend(undeclared_port(context, workload, served, field, probe));
        found.extend(short_exec(context, workload, served, field, probe));
    }
    found
}

fn all_probes(container: &Container) -> impl Iterator<Item = (&'static str, &Value)> {
    let probes = [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ];
    probes.into_iter().filter_map(|(field, probe)| Some((field, probe.as_deref()?)))
}

/// A number of a probe, or the API's default for it.
fn number(probe: &Value, field: &str, default: i64) -> i64 {
    let number = probe.get(field).and_then(Value::as_i64).filter(|number| *number > 0);
    number.filter(|number| i32::try_from(*number).is_ok()).unwrap_or(default)
}

/// Seconds until a probe gives up: period times failures, 10 and 3 unless said.
fn patience(probe: &Value) -> i64 {
    number(probe, "periodSeconds", 10) * number(probe, "failureThreshold", 3)
}

/// A liveness probe that asks what the readiness probe asks, and gives up no later: a slow
/// dependency then restarts the pods instead of taking them out of the Service.
fn quick_liveness(context: &Context<'_>, workload: &Item<Workload>, served: &Served<'_>) -> Option<Finding> {
    let liveness = served.container.liveness_probe.as_ref()?;
    let readiness = served.container.readiness_probe.as_ref()?;
    let (kills, unlists) = (patience(liveness), patience(readiness));
    if handler(liveness)? != handler(readiness)? || kills > unlists {
        return None;
    }
    let period = number(liveness, "periodSeconds", 10);
    let wanted = (2 * unlists + period - 1) / period;
    let field = "livenessProbe/failureThreshold";
    let current = liveness.get("failureThreshold").cloned();
    let place = Location::at(served.pointer(field)).named(served.stable(field)).values(current, Some(wanted.into()));
    let name = &served.container.name;
    let fix = Fix::new(format!("Let the liveness probe of {name} fail {wanted} times"), Applicability::Unsafe)
        .note(format!("{wanted} x {period} s = twice the {unlists} s of the readiness probe"))
        .step(Step::patch(&workload.subject, vec![Edit::set(served.pointer(field), wanted)]));
    let mut finding = context
        .finding(workload, format!("container {name} is restarted as soon as it is not ready"))
        .severity(Severity::Medium)
        .at(place)
        .because("livenessProbe and readinessProbe ask the same")
        .because(format!("livenessProbe gives up after {kills} s, readinessProbe after {unlists} s"));
    finding.priority = Severity::Medium.priority();
    Some(finding.fix(keeps_old_pods(workload, fix)))
}

/// A container that is killed again and again, most likely by its liveness probe while it starts.
fn killed_at_start(context: &Context<'_>, position: usize, served: &Served<'_>) -> Option<Finding> {
    let inventory = context.inventory;
    let workload = inventory.workloads.at(position);
    let container = served.container;
    if container.liveness_probe.is_none() || container.startup_probe.is_some() {
        return None;
    }
    let killed = inventory.pods_of(position).filter(|pod| pod.is_active()).find_map(|pod| {
        let status = pod.status.container_statuses.iter().find(|status| status.name == container.name)?;
        let ended = status.last_state.as_ref()?.get("terminated")?;
        let code = ended.get("exitCode")?.as_i64().filter(|code| matches!(code, 137 | 143))?;
        let by_memory = ended.get("reason").and_then(Value::as_str) == Some("OOMKilled");
        (status.restart_count >= 3 && !by_memory).then_some((pod, code, status.restart_count))
    });
    let (pod, code, restarts) = killed?;
    let name = &container.name;
    let fix = Fix::new(format!("Add a startup probe to container {name}"), Applicability::Manual)
        .note("ask what the liveness probe asks, with a failureThreshold that covers the slowest start");
    let place = Location::at(served.pointer("startupProbe")).named(served.stable("startupProbe"));
    let finding = context
        .finding(workload, format!("container {name} is killed again and again, and has no startup probe"))
        .at(place)
        .because_of(&pod.subject, format!("{restarts} restarts, the last with exit code {code}"))
        .because("events are not read: whether the liveness probe did it is concluded");
    Some(finding.confidence(Confidence::Inferred).fix(fix))
}

/// A container that gets no traffic and keeps its pod from ever being ready: a probe that asks a
/// port by a name that the container does not declare fails whatever listens.
pub(super) fn never_ready(context: &Context<'_>, workload: &Item<Workload>, beside: &Served<'_>) -> Vec<Finding> {
    let deciding = all_probes(beside.container)
        .filter(|(_, probe)| handler(probe).is_some_and(|(_, asked)| asked.get("port").is_some_and(Value::is_string)));
    deciding.filter_map(|(field, probe)| undeclared_port(context, workload, beside, field, probe)).collect()
}

/// A probe of a port that is not there. Names count in their own container only; a number may be
/// declared by any container of the pod, and declaring is optional.
fn undeclared_port(
    context: &Context<'_>,
    workload: &Item<Workload>,
    served: &Served<'_>,
    field: &str,
    probe: &Value,
) -> Option<Finding> {
    let (kind, asked) = handler(probe)?;
    let port = asked.get("port")?;
    let own = &served.container.ports;
    let spec = &workload.template()?.spec;
    let declared = match (port.as_str(), port.as_i64()) {
        (Some(name), _) => own.iter().any(|port| port.name.as_deref() == Some(name)),
        (_, Some(number)) => {
            let mut ports = spec.serving_containers().flat_map(|container| &container.ports);
            own.is_empty() || ports.any(|port| port.container_port == number)
        }
        _ => true,
    };
    if declared {
        return None;
    }
    let name = &served.container.name;
    let text = port.as_str().map_or_else(|| port.to_string(), str::to_owned);
    let list = |port: &crate::model::container::ContainerPort| match &port.name {
        Some(name) => format!("{name} {}", port.container_port),
        None => port.container_port.to_string(),
    };
    let ports: Vec<String> = own.iter().map(list).collect();
    let ports = if ports.is_empty() { "no ports".to_owned() } else { ports.join(", ") };
    let pointer = format!("{field}/{kind}/port");
    let place = Location::at(served.pointer(&pointer)).named(served.stable(&pointer));
    let finding = context
        .finding(workload, format!("the {field} of container {name} asks port {text}, which is not declared"))
        .at(place)
        .because(format!("container {name} declares {ports}"));
    Some(finding.fix(Fix::new("Let the probe ask a port that is served", Applicability::Manual)))
}

/// A command that has one second, which a busy node does not always give it.
fn short_exec(
    context: &Context<'_>,
    workload: &Item<Workload>,
    served: &Served<'_>,
    field: &str,
    probe: &Value,
) -> Option<Finding> {
    let (kind, _) = handler(probe)?;
    if kind != "exec" || number(probe, "timeoutSeconds", 1) > 1 {
        return None;
    }
    let name = &served.container.name;
    let pointer = format!("{field}/timeoutSeconds");
    let place = Location::at(served.pointer(&pointer)).named(served.stable(&pointer));
    let mut finding = context
        .finding(workload, format!("the {field} of container {name} gives its command 1 second"))
        .severity(Severity::Low)
        .at(place)
        .because("timeoutSeconds is 1, or absent, which means 1");
    finding.priority = Severity::Low.priority();
    Some(finding.fix(Fix::new("Raise timeoutSeconds to what the command needs", Applicability::Manual)))
}
