//! Where a namespace uses a development service: switches, endpoints, images.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;

use crate::model::consumers::{Consumer, Consumers};
use crate::model::environment::{self, parse_switch};
use crate::model::object::pointer;
use crate::model::pod::Container;
use crate::model::workload::{self, Workload};
use crate::model::{Inventory, Item, Subject};
use crate::rules::development::{is_development_value, service_image};
use crate::rules::rule::Context;

static SWITCH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)^((USE|ENABLE)_LOCALSTACK|LOCALSTACK_ENABLED)$").expect("a constant pattern"));
static ENDPOINT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)(s3|aws|storage|spaces|minio|bucket).*(endpoint|url)|(endpoint|url).*(s3|storage)")
        .expect("a constant pattern")
});
static OTHER_SERVICE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        "(?i)(^|_)(SQS|SNS|DYNAMODB|DYNAMO|LAMBDA|KINESIS|FIREHOSE|SES|SECRETSMANAGER|SSM|STS|IAM|KMS",
        "|CLOUDWATCH|EVENTBRIDGE|STEPFUNCTIONS|COGNITO|ECR|ECS|RDS)(_|$)"
    ))
    .expect("a constant pattern")
});

/// What stands at a place, in the order in which a place stands for its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `USE_LOCALSTACK` and its like, true.
    Switch,
    /// The endpoint of an object store.
    Endpoint,
    /// A value whose key names LocalStack.
    Named,
    /// Another value that leads to a development service.
    Value,
    /// A text of several lines, such as a file.
    Mounted,
    /// An argument of a container.
    Argument,
    /// The image of a development service.
    Image,
}

/// What holds a value, by its position in the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    Map(usize),
    Workload(usize),
}

impl Holder {
    pub(super) fn subject(self, inventory: &Inventory) -> &Subject {
        match self {
            Self::Map(position) => &inventory.config_maps.at(position).subject,
            Self::Workload(position) => &inventory.workloads.at(position).subject,
        }
    }
}

/// One place that leads to a development service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) kind: Kind,
    pub(super) holder: Holder,
    pub(super) pointer: String,
    pub(super) stable: String,
    /// The key, variable or container.
    pub(super) name: String,
    pub(super) text: String,
    /// Who takes it: containers of the workload itself, or consumers of the `ConfigMap`.
    pub(super) takers: Vec<Consumer>,
}

impl Spot {
    /// True if the value belongs to another service of AWS than its object store.
    pub(super) fn is_other_service(&self) -> bool {
        OTHER_SERVICE.is_match(&self.name)
    }
}

/// What a value says.
#[derive(Clone, Copy)]
enum Said {
    /// It switches the development service off.
    Off,
    /// It leads to a development service.
    Leads(Kind),
    /// It is an endpoint over a public network in the clear.
    Plain,
}

/// What was found in one namespace.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Places that lead to a development service, sorted.
    pub(super) spots: Vec<Spot>,
    /// Endpoints of object stores that are reached without encryption over public networks.
    pub(super) plain: Vec<Spot>,
    /// True if a switch says that the development service is not used.
    pub(super) is_off: bool,
    /// True if no workload shows that the values are used.
    pub(super) is_inferred: bool,
}

/// Looks at the audited namespaces.
pub(super) fn survey(context: &Context<'_>, consumers: &Consumers) -> BTreeMap<String, Found> {
    let inventory = context.inventory;
    let mut out: BTreeMap<String, Found> = BTreeMap::new();
    for (position, workload) in inventory.audited_workloads() {
        let found = out.entry(workload.namespace().to_owned()).or_default();
        if workload.is_idle() {
            continue;
        }
        match service_image(context, workload) {
            Some(image) => found.spots.push(image_spot(position, workload, image)),
            None => literals(context, position, workload, found),
        }
    }
    for (position, map) in inventory.config_maps.iter().enumerate() {
        if inventory.scope.covers(map.namespace()) {
            values(context, consumers, position, &mut out);
        }
    }
    for found in out.values_mut() {
        found.spots.sort();
        found.plain.sort();
    }
    out
}

fn image_spot(position: usize, workload: &Item<Workload>, image: &str) -> Spot {
    let containers = workload.template().map(|template| template.spec.containers.as_slice());
    let at = containers.and_then(|list| list.iter().position(|container| container.image == image));
    let name = containers.and_then(|list| Some(list.get(at?)?.name.clone())).unwrap_or_default();
    let base = workload.pod_spec_pointer();
    Spot {
        kind: Kind::Image,
        holder: Holder::Workload(position),
        pointer: pointer(&base, &["containers", &at.unwrap_or_default().to_string(), "image"]),
        stable: pointer(&base, &["containers", &name, "image"]),
        name,
        text: image.to_owned(),
        takers: Vec::new(),
    }
}

/// Variables and arguments of a workload that is no development service itself.
fn literals(context: &Context<'_>, position: usize, workload: &Item<Workload>, found: &mut Found) {
    let Some(template) = workload.template() else { return };
    for (list, index, container) in template.spec.all_containers() {
        let number = index.to_string();
        let place = |field: &str, element: &str, stable: &str, last: &[&str]| {
            let base = workload.pod_spec_pointer();
            let at = pointer(&pointer(&base, &[list, &number, field, element]), last);
            (at, pointer(&pointer(&base, &[list, &container.name, field, stable]), last))
        };
        for (index, variable) in container.env.iter().enumerate() {
            let Some(raw) = variable.value.as_deref() else { continue };
            let text = expanded(
                context.inventory,
                workload,
                (list, number.parse().unwrap_or(0), container),
                &variable.name,
                raw,
            );
            let Some(said) = Said::of(context, &variable.name, &text) else { continue };
            let (at, stable) = place("env", &index.to_string(), &variable.name, &["value"]);
            let (holder, name) = (Holder::Workload(position), variable.name.clone());
            found.put(said, |kind| Spot {
                kind,
                holder,
                pointer: at,
                stable,
                name,
                text: text.into_owned(),
                takers: Vec::new(),
            });
        }
        for (field, texts) in [("command", &container.command), ("args", &container.args)] {
            for (index, text) in texts.iter().enumerate() {
                if is_development_value(context, text) {
                    let (at, stable) = place(field, &index.to_string(), &index.to_string(), &[]);
                    let kind = Kind::Argument;
                    let (holder, name) = (Holder::Workload(position), container.name.clone());
                    let (text, takers) = (text.clone(), Vec::new());
                    found.spots.push(Spot { kind, holder, pointer: at, stable, name, text, takers });
                }
            }
        }
    }
}

/// The value of a variable with its references replaced, where that is known.
fn expanded<'a>(
    inventory: &Inventory,
    workload: &Item<Workload>,
    container: (&'static str, usize, &Container),
    name: &str,
    raw: &'a str,
) -> Cow<'a, str> {
    if !raw.contains("$(") {
        return raw.into();
    }
    let variables = environment::effective(inventory, workload, container);
    variables.get(name).and_then(environment::Variable::text).unwrap_or(raw).to_owned().into()
}

/// Values of a `ConfigMap` that somebody takes who is no development service.
fn values(context: &Context<'_>, consumers: &Consumers, position: usize, out: &mut BTreeMap<String, Found>) {
    let inventory = context.inventory;
    let map = inventory.config_maps.at(position);
    let named = !consumers.workloads(map.namespace(), map.name()).is_empty();
    let alone =
        !named && !inventory.is_live() && !inventory.is_complete() && !has_workloads(inventory, map.namespace());
    if !named && !alone {
        return;
    }
    for (key, text) in &map.data {
        let Some(said) = Said::of(context, key, text) else { continue };
        let takers = consumers.takers(inventory, map, key);
        let serves = |taker: &Consumer| {
            let workload = inventory.workloads.at(taker.workload);
            !workload.is_idle() && service_image(context, workload).is_none()
        };
        if !alone && !takers.iter().any(serves) {
            continue;
        }
        let found = out.entry(map.namespace().to_owned()).or_default();
        found.is_inferred |= alone;
        found.put(said, |kind| Spot {
            kind,
            holder: Holder::Map(position),
            pointer: pointer("/data", &[key]),
            stable: String::new(),
            name: key.clone(),
            text: text.clone(),
            takers,
        });
    }
}

/// True if the inventory holds workloads of a namespace.
fn has_workloads(inventory: &Inventory, namespace: &str) -> bool {
    let within = inventory.workloads.within(namespace);
    within.iter().any(|item| workload::KINDS.contains(&item.kind.as_str()) || item.kind == "Pod")
}

impl Said {
    /// `None` for a value that has nothing to do with it.
    fn of(context: &Context<'_>, name: &str, text: &str) -> Option<Self> {
        if SWITCH.is_match(name)
            && let Some(on) = parse_switch(text)
        {
            return Some(if on { Self::Leads(Kind::Switch) } else { Self::Off });
        }
        let is_endpoint = || ENDPOINT.is_match(name) && !OTHER_SERVICE.is_match(name);
        if !is_development_value(context, &without_comments(text)) {
            let host = text.strip_prefix("http://").map(host);
            let is_plain = host.is_some_and(|host| is_endpoint() && is_public(context.inventory, host));
            return is_plain.then_some(Self::Plain);
        }
        Some(Self::Leads(if text.trim().contains('\n') {
            Kind::Mounted
        } else if name.to_ascii_lowercase().contains("localstack") {
            Kind::Named
        } else if is_endpoint() {
            Kind::Endpoint
        } else {
            Kind::Value
        }))
    }
}

impl Found {
    /// Keeps what a value says.
    fn put(&mut self, said: Said, spot: impl FnOnce(Kind) -> Spot) {
        match said {
            Said::Off => self.is_off = true,
            Said::Leads(kind) => self.spots.push(spot(kind)),
            Said::Plain => self.plain.push(spot(Kind::Endpoint)),
        }
    }
}

/// The lines of a text that are no comments.
fn without_comments(text: &str) -> Cow<'_, str> {
    let is_comment = |line: &&str| {
        let line = line.trim_start();
        line.starts_with('#') || line.starts_with("//")
    };
    if !text.contains(['\n', '\r', '#', '/']) {
        return text.into();
    }
    text.lines().filter(|line| !is_comment(line)).collect::<Vec<_>>().join("\n").into()
}

/// The host of what follows `://`.
pub(super) fn host(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(v6) = authority.strip_prefix('[') {
        return v6.split(']').next().unwrap_or_default();
    }
    authority.split(':').next().unwrap_or_default()
}

/// True unless the host is in the cluster, on a private network (RFC 1918, RFC 4193) or local.
pub(super) fn is_public(inventory: &Inventory, host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => !(address.is_private() || address.is_loopback() || address.is_link_local()),
        Ok(IpAddr::V6(address)) => {
            !(address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local())
        }
        Err(_) => {
            let host = host.trim_end_matches('.').to_ascii_lowercase();
            let Some((name, rest)) = host.split_once('.') else { return false };
            let last = host.rsplit('.').next().unwrap_or_default();
            let in_cluster = host.split('.').any(|label| label == "svc");
            let local = matches!(last, "local" | "localhost" | "internal");
            !in_cluster && !local && inventory.services.get(rest, "Service", name).is_none()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_public_unless_known_otherwise() {
        let inventory = Inventory::default();
        for (url, public) in [
            ("203.0.113.38:9000/x", true),
            ("u:p@s3.example.com", true),
            ("10.1.2.3", false),
            ("172.31.0.1:80", false),
            ("[fd00::1]:80", false),
            ("[2001:db8::1]:80", true),
            ("minio", false),
            ("minio.storage.svc:9000", false),
            ("minio.storage.svc.cluster.local", false),
            ("localhost:9000", false),
        ] {
            assert_eq!(is_public(&inventory, host(url)), public, "{url}");
        }
    }
}
