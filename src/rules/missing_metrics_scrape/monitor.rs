//! The ServiceMonitor that would read a workload's metrics.

use serde_json::json;

use crate::fix::{Applicability, Fix, Input, RULE_LABEL, Step, free_name};
use crate::model::monitors::{self, SERVICE_MONITORS};
use crate::model::network::Service;
use crate::model::scraped::{Effect, Scraped};
use crate::model::selector::{Labels, Selector};
use crate::model::{Inventory, Item, Subject};
use crate::rules::rule::Context;

/// Labels that change with each release of a chart, or say who installed it.
const VOLATILE: [&str; 5] =
    ["app.kubernetes.io/managed-by", "app.kubernetes.io/version", "chart", "helm.sh/chart", "heritage"];

/// Names that ports with metrics have, the likeliest first.
const USUAL: [&str; 5] = ["metrics", "http-metrics", "prometheus", "monitoring", "telemetry"];

/// What the fix is built from.
struct Plan<'a> {
    service: &'a Item<Service>,
    selector: Labels,
    ports: Vec<&'a str>,
}

/// The fix of a workload.
pub(super) fn fix(context: &Context<'_>, position: usize, scraped: &Scraped<'_>) -> Fix {
    let inventory = context.inventory;
    let workload = inventory.workloads.at(position);
    let kind = kind(inventory);
    let mut fix = Fix::new(format!("Create a {kind} for {}", workload.subject.short()), Applicability::Input);
    if let Some((guard, reason)) = obstacle(inventory, kind, position, scraped) {
        fix.refuse(guard, reason);
        return fix;
    }
    let plan = match plan(inventory, position) {
        Ok(plan) => plan,
        Err((guard, reason)) => {
            fix.refuse(guard, reason);
            return fix;
        }
    };
    if let Some(first) = first_behind(inventory, plan.service, scraped).filter(|first| *first != &workload.subject) {
        let (first, service) = (first.short(), plan.service.subject.short());
        fix.refuse("same-service", format!("the fix of {first} reads its pods too: they share {service}"));
        return fix;
    }
    let path = context.input(&workload.subject, "path", true);
    let port = port(context, &workload.subject, &plan);
    fix = fix.ask(path.clone()).ask(port.clone());
    let labels = match labels(context, &workload.subject, kind, &mut fix) {
        Labelled::Known(labels) => labels,
        Labelled::Open => return fix,
    };
    let (Some(path), Some(port)) = (path.value, port.value) else {
        return fix;
    };
    if !plan.ports.contains(&port.as_str()) {
        let name = plan.service.subject.short();
        fix.refuse("port-name", format!("{name} has no port {port}; it has {}", plan.ports.join(", ")));
        return fix;
    }
    fix.applicability = Applicability::Unsafe;
    build(inventory, (position, scraped), &plan, fix, (kind, &path, &port, &labels))
}

/// The kind of monitor that somebody reads.
fn kind(inventory: &Inventory) -> &'static str {
    let mut readers = monitors::readers_of(inventory, "ServiceMonitor").peekable();
    let none = readers.peek().is_none();
    let of_vm = readers.all(|reader| reader.kind == "VMAgent");
    let absent = inventory.absent_kinds.contains(SERVICE_MONITORS[0]);
    if of_vm && !none || absent && !inventory.absent_kinds.contains(SERVICE_MONITORS[1]) {
        "VMServiceScrape"
    } else {
        "ServiceMonitor"
    }
}

/// Why no monitor should be made.
fn obstacle(
    inventory: &Inventory,
    kind: &str,
    position: usize,
    scraped: &Scraped<'_>,
) -> Option<(&'static str, String)> {
    if let Some(monitor) = scraped.effects(position).iter().find_map(|effect| match effect {
        Effect::Misses(monitor, _) => Some(monitor),
        _ => None,
    }) {
        return Some(("monitor", format!("{monitor} targets it already: mend that one (monitor-not-selected)")));
    }
    let resource = SERVICE_MONITORS[usize::from(kind == "VMServiceScrape")];
    if inventory.absent_kinds.contains(resource) {
        let text = "the server has no ServiceMonitor: install the Prometheus operator, or annotate the pods for the scraper that is there";
        return Some(("operator", text.to_owned()));
    }
    if inventory.is_live() && scraped.readers.is_unread(kind) {
        return Some(("prometheus", format!("nobody reads a {kind} here: install a Prometheus first")));
    }
    None
}

/// The Service to read, its labels that stay, and the names of its ports.
fn plan(inventory: &Inventory, position: usize) -> Result<Plan<'_>, (&'static str, String)> {
    let mut plans: Vec<Plan<'_>> = inventory
        .services_of(position)
        .map(|service| {
            let stays = |key: &str| !VOLATILE.contains(&key);
            let labels = service.metadata.labels.iter().filter(|(key, _)| stays(key));
            Plan {
                service,
                selector: labels.map(|(key, value)| (key.clone(), value.clone())).collect(),
                ports: service.spec.ports.iter().filter_map(|port| port.name.as_deref()).collect(),
            }
        })
        .collect();
    let names: Vec<String> = plans.iter().map(|plan| plan.service.subject.short()).collect();
    plans.retain(|plan| !plan.ports.is_empty());
    if plans.is_empty() {
        let text = format!("no port of {} has a name, and an endpoint goes by name", names.join(", "));
        return Err(("port-name", text));
    }
    plans.retain(|plan| !plan.selector.is_empty());
    // The Service whose port names say metrics comes first; else the first by name.
    plans.sort_by_key(|plan| !plan.ports.iter().any(|name| USUAL.contains(name)));
    let text = format!("{} has no labels of its own that a monitor could select", names.join(", "));
    plans.into_iter().next().ok_or(("service-labels", text))
}

/// The first workload behind a Service whose metrics nobody reads: one monitor is enough for all.
fn first_behind<'a>(inventory: &'a Inventory, service: &Item<Service>, scraped: &Scraped<'_>) -> Option<&'a Subject> {
    let mut unread = inventory.workloads_of(service).filter(|workload| {
        let subject = &workload.subject;
        let position = inventory.workloads.position(subject.namespace(), &subject.kind, &subject.name);
        !workload.is_idle() && position.is_some_and(|position| scraped.how(inventory, position).is_none())
    });
    unread.next().map(|workload| &workload.subject)
}

/// The question for the port, answered where only one can be meant.
fn port(context: &Context<'_>, workload: &Subject, plan: &Plan<'_>) -> Input {
    let mut input = context.input(workload, "port", true);
    let usual = USUAL.into_iter().find(|name| plan.ports.contains(name));
    let only = (plan.ports.len() == 1).then(|| plan.ports[0]);
    input.default = usual.or(only).map(str::to_owned);
    if let (None, Some(only)) = (&input.value, only) {
        input.value = Some(only.to_owned());
        input.required = false;
    }
    input
}

enum Labelled {
    Known(Labels),
    /// The fix is refused, or waits for the answer.
    Open,
}

/// The labels with which a Prometheus takes the monitor: its own selector, else the user's answer.
fn labels(context: &Context<'_>, workload: &Subject, kind: &str, fix: &mut Fix) -> Labelled {
    let inventory = context.inventory;
    let none = monitors::readers_of(inventory, kind).next().is_none();
    if none {
        let input = context.input(workload, "labels", false);
        let answer = input.value.clone().unwrap_or_default();
        fix.inputs.push(input);
        fix.notes.push("no Prometheus was read whose selector would tell the labels that it wants".to_owned());
        let pairs = answer.split(',').filter_map(|pair| pair.split_once('='));
        return Labelled::Known(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
    }
    match monitors::labels_for(inventory, kind, workload.namespace(), &own_labels()) {
        Ok((reader, labels)) => {
            let text: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let text = if text.is_empty() { "no particular ones".to_owned() } else { text.join(",") };
            fix.notes.push(format!("labels {text}: what {reader} selects"));
            Labelled::Known(labels)
        }
        Err(reasons) => {
            fix.refuse("prometheus", reasons.join("; "));
            Labelled::Open
        }
    }
}

/// The labels that every created object has.
fn own_labels() -> Labels {
    let own = [("app.kubernetes.io/managed-by", "kubectl-progrc"), (RULE_LABEL, "missing-metrics-scrape")];
    own.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn build(
    inventory: &Inventory,
    (position, scraped): (usize, &Scraped<'_>),
    plan: &Plan<'_>,
    mut fix: Fix,
    (kind, path, port, labels): (&str, &str, &str, &Labels),
) -> Fix {
    let (namespace, service) = (plan.service.namespace(), plan.service.subject.short());
    let (version, resource) = if kind == "VMServiceScrape" {
        ("operator.victoriametrics.com/v1beta1", SERVICE_MONITORS[1])
    } else {
        ("monitoring.coreos.com/v1", SERVICE_MONITORS[0])
    };
    let taken = |name: &str| inventory.custom(resource).is_some_and(|store| store.get(namespace, kind, name).is_some());
    let name = free_name(plan.service.name(), taken);
    let spec = json!({"selector": {"matchLabels": plan.selector}, "endpoints": [{"port": port, "path": path}]});
    let mut step = Step::create("missing-metrics-scrape", version, kind, namespace, &name, spec);
    if let Step::Create { manifest, .. } = &mut step {
        for (key, value) in labels {
            manifest["metadata"]["labels"][key] = json!(value);
        }
    }
    let selector = Selector::labels(&plan.selector);
    fix = fix.note(format!("selector {}: labels of {service}", selector.text()));
    fix = fix.note(format!("port {port}: a port of {service} has this name"));
    fix = fix.consequence(format!("every pod behind {service} is asked for {path} again and again"));
    for at in scraped.targets.within(inventory, namespace, &selector) {
        let other = inventory.services.at(at);
        if other.name() != plan.service.name() {
            fix = fix.consequence(format!("{} has the same labels and is read too", other.subject.short()));
        }
    }
    for policy in inventory.policies_of(position).filter(|policy| policy.isolates("Ingress")) {
        fix = fix
            .consequence(format!("{} bounds who may call the pods: it must admit Prometheus", policy.subject.short()));
    }
    fix.step(step)
}
