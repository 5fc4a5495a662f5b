//! The fix that switches a namespace to a production object store, and what stands in its way.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::finding::{Finding, Location};
use crate::fix::{Applicability, Edit, Fix, Reversible, Step};
use crate::model::consumers::{Consumer, Consumers};
use crate::model::environment;
use crate::model::mask::mask;
use crate::model::object::pointer;
use crate::model::pod::PodSpec;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, Subject};
use crate::rules::configuration;
use crate::rules::development::{is_development_value, service_image};
use crate::rules::rule::Context;

use super::survey::{Found, Holder, Kind, Spot, host, is_public};

/// The questions of the fix, all of which must be answered.
const QUESTIONS: [&str; 7] =
    ["endpoint", "region", "bucket", "credentialsSecret", "copied", "bucketReady", "credentialsReady"];
/// Keys of an endpoint; the first is written where there is none.
const ENDPOINTS: [&str; 5] =
    ["AWS_S3_ENDPOINT", "S3_ENDPOINT", "S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
/// Keys of a region; the first is written where there is none.
const REGIONS: [&str; 4] = ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_S3_REGION", "S3_REGION"];
/// Keys of a bucket; the first is written where there is none.
const BUCKETS: [&str; 7] = [
    "AWS_S3_BUCKET",
    "AWS_S3_BUCKET_NAME",
    "AWS_STORAGE_BUCKET_NAME",
    "S3_BUCKET",
    "S3_BUCKET_NAME",
    "BUCKET",
    "BUCKET_NAME",
];
/// Access keys of development setups.
const DUMMIES: [&str; 8] = ["test", "dummy", "fake", "foo", "local", "localstack", "minioadmin", "mock"];

/// Adds the fix to a finding whose first place is a switch or an endpoint.
pub(super) fn offer(context: &Context<'_>, consumers: &Consumers, found: &Found, mut finding: Finding) -> Finding {
    let inventory = context.inventory;
    let namespace = finding.object.namespace().to_owned();
    let mut fix = Fix::new("Switch to a production object store", Applicability::Input);
    fix.reversible = Reversible::ConfigOnly;
    fix.inputs = QUESTIONS.iter().map(|key| context.input(&finding.object, key, true)).collect();
    fix.consequences.push("objects are read from and written to the new store; undo does not bring them back".into());
    let users = users(inventory, found);
    guard_services(context, &namespace, found, &mut fix);
    for position in &users {
        finding = guard_credentials(inventory, *position, &mut fix, finding);
    }
    for text in mentions(inventory, &namespace, found) {
        finding = finding.because(format!("{text}: stored and presigned URLs break"));
    }
    let answers = Answers::of(&fix);
    let edits = answers.as_ref().map(|answers| edits(inventory, found, answers)).unwrap_or_default();
    if let Some(answers) = &answers {
        if fix.lowered_by.is_empty() {
            fix.applicability = Applicability::Unsafe;
        }
        guard_answers(context, &users, answers, &mut fix);
        tell_endpoint(inventory, found, answers, &mut finding);
    }
    for holder in holders(found) {
        let edits = edits.get(&holder).cloned().unwrap_or_default();
        write(inventory, consumers, (found, holder), edits, &mut fix);
    }
    for spot in found.spots.iter().filter(|spot| !is_switched(spot)) {
        let name = spot.holder.subject(inventory).short();
        fix.notes.push(format!("{name} {} stays as it is; its removal is a later step", spot.name));
    }
    fix.notes.push(
        "keep the development service until the new store is verified; its pods and volumes are not touched".into(),
    );
    finding.fix(fix)
}

struct Answers {
    endpoint: String,
    region: String,
    bucket: String,
    secret: String,
}

impl Answers {
    /// All answers, once every question has one.
    fn of(fix: &Fix) -> Option<Self> {
        if !fix.is_built() {
            return None;
        }
        let answer = |key: &str| fix.inputs.iter().find(|input| input.key == key)?.value.clone();
        Some(Self {
            endpoint: answer("endpoint")?,
            region: answer("region")?,
            bucket: answer("bucket")?,
            secret: answer("credentialsSecret")?,
        })
    }
}

/// True for the places that the fix changes.
fn is_switched(spot: &Spot) -> bool {
    matches!(spot.kind, Kind::Switch | Kind::Endpoint)
}

/// The holders of switches and endpoints, the main one first.
fn holders(found: &Found) -> Vec<Holder> {
    let mut out: Vec<Holder> = Vec::new();
    for spot in found.spots.iter().filter(|spot| is_switched(spot)) {
        if !out.contains(&spot.holder) {
            out.push(spot.holder);
        }
    }
    out
}

/// The workloads that the switch concerns.
fn users(inventory: &Inventory, found: &Found) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    for spot in found.spots.iter().filter(|spot| is_switched(spot)) {
        match spot.holder {
            Holder::Workload(position) => {
                out.insert(position);
            }
            Holder::Map(_) => out.extend(spot.takers.iter().map(|taker| taker.workload)),
        }
    }
    out.retain(|position| !inventory.workloads.at(*position).is_idle());
    out
}

fn edits(inventory: &Inventory, found: &Found, answers: &Answers) -> BTreeMap<Holder, Vec<Edit>> {
    let mut out: BTreeMap<Holder, Vec<Edit>> = BTreeMap::new();
    let mut removed: Vec<(Holder, Edit)> = Vec::new();
    let has_endpoint = found.spots.iter().any(|spot| spot.kind == Kind::Endpoint);
    for spot in &found.spots {
        match spot.kind {
            Kind::Switch => {
                let edit = Edit::set(spot.pointer.as_str(), "false");
                out.entry(spot.holder).or_default().push(edit);
            }
            Kind::Endpoint if answers.endpoint == "none" => {
                let element = spot.pointer.strip_suffix("/value").unwrap_or(&spot.pointer);
                removed.push((spot.holder, Edit::remove(element)));
            }
            Kind::Endpoint => {
                let edit = Edit::set(spot.pointer.as_str(), in_form_of(&spot.text, &answers.endpoint));
                out.entry(spot.holder).or_default().push(edit);
            }
            _ => {}
        }
    }
    let main = &found.spots[0];
    let own = out.entry(main.holder).or_default();
    if !has_endpoint && answers.endpoint != "none" {
        own.extend(setting(inventory, main, &ENDPOINTS, &answers.endpoint));
    }
    own.extend(setting(inventory, main, &REGIONS, &answers.region));
    own.extend(setting(inventory, main, &BUCKETS, &answers.bucket));
    // Elements leave a list from its end, so that the places of the others stay.
    for (holder, edit) in removed.into_iter().rev() {
        out.entry(holder).or_default().push(edit);
    }
    out
}

/// Says in the finding what becomes of the endpoints.
fn tell_endpoint(inventory: &Inventory, found: &Found, answers: &Answers, finding: &mut Finding) {
    if answers.endpoint == "none" {
        return;
    }
    for spot in found.spots.iter().filter(|spot| spot.kind == Kind::Endpoint) {
        let holder = spot.holder.subject(inventory);
        for location in &mut finding.locations {
            let object = location.object.as_ref().unwrap_or(&finding.object);
            if location.pointer == spot.pointer && object.same(holder) {
                location.wanted = Some(Box::new(in_form_of(&spot.text, &answers.endpoint).into()));
            }
        }
    }
}

/// The endpoint without its scheme if the old one had none.
fn in_form_of(old: &str, endpoint: &str) -> String {
    if old.contains("://") {
        return endpoint.to_owned();
    }
    let bare = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    bare.trim_end_matches('/').to_owned()
}

/// Sets every one of these keys that stands beside the main place, or adds the first.
fn setting(inventory: &Inventory, main: &Spot, keys: &[&str], value: &str) -> Vec<Edit> {
    let present: Vec<String> = match main.holder {
        Holder::Map(position) => {
            let data = &inventory.config_maps.at(position).data;
            let known = keys.iter().filter(|key| data.contains_key(**key));
            known.map(|key| pointer("/data", &[key])).collect()
        }
        Holder::Workload(position) => {
            let container = container_of(&main.pointer);
            let workload = inventory.workloads.at(position);
            let env = workload.template().and_then(|template| {
                let mut all = template.spec.all_containers();
                let base = workload.pod_spec_pointer();
                all.find(|(list, index, _)| pointer(&base, &[list, &index.to_string()]) == container)
            });
            let variables = env.into_iter().flat_map(|(_, _, container)| container.env.iter().enumerate());
            let known = variables.filter(|(_, own)| keys.contains(&own.name.as_str()) && own.value.is_some());
            known.map(|(index, _)| format!("{container}/env/{index}/value")).collect()
        }
    };
    if present.is_empty() {
        return vec![match main.holder {
            Holder::Map(_) => Edit::set(pointer("/data", &[keys[0]]), value),
            Holder::Workload(_) => {
                let container = container_of(&main.pointer);
                Edit::set(format!("{container}/env/-"), json!({"name": keys[0], "value": value}))
            }
        }];
    }
    present.into_iter().map(|at| Edit::set(at, value)).collect()
}

/// The pointer to the container of a variable.
fn container_of(variable: &str) -> &str {
    variable.split_once("/env/").map_or(variable, |(container, _)| container)
}

/// Adds the patch of one holder, with its guards, and the restarts that it needs.
fn write(
    inventory: &Inventory,
    consumers: &Consumers,
    (found, holder): (&Found, Holder),
    edits: Vec<Edit>,
    fix: &mut Fix,
) {
    let subject = holder.subject(inventory);
    match holder {
        Holder::Map(position) => {
            let map = inventory.config_maps.at(position);
            if !configuration::guard(fix, map) || edits.is_empty() {
                return;
            }
            let own = found.spots.iter().filter(|spot| spot.holder == holder && is_switched(spot));
            let mut takers: Vec<Consumer> = own.flat_map(|spot| spot.takers.clone()).collect();
            let keys = edits.iter().filter_map(|edit| edit.pointer.strip_prefix("/data/"));
            takers.extend(keys.flat_map(|key| consumers.takers(inventory, map, key)));
            takers.sort();
            takers.dedup();
            fix.steps.push(Step::patch(subject, edits));
            configuration::restart(inventory, fix, map, &takers);
        }
        Holder::Workload(position) => {
            let workload = inventory.workloads.at(position);
            if workload.kind == "Pod" && inventory.is_live() {
                let name = workload.subject.short();
                fix.refuse("immutable", format!("the variables of {name} can't be changed while it exists"));
            }
            if !edits.is_empty() {
                fix.steps.push(Step::patch(subject, edits));
            }
        }
    }
}

/// Only the object store is switched: a service that serves more needs a person.
fn guard_services(context: &Context<'_>, namespace: &str, found: &Found, fix: &mut Fix) {
    if let Some(spot) = found.spots.iter().find(|spot| spot.is_other_service()) {
        let reason = format!("{} uses more of the development service than its object store", spot.name);
        fix.demote(Applicability::Manual, "services", reason);
        return;
    }
    for workload in context.inventory.workloads.within(namespace) {
        if service_image(context, workload).is_none() {
            continue;
        }
        let containers = workload.template().into_iter().flat_map(|template| &template.spec.containers);
        let services = containers.flat_map(|container| &container.env).find(|own| own.name == "SERVICES");
        let Some(list) = services.and_then(|own| own.value.as_deref()) else { continue };
        let others: Vec<&str> = list
            .split([',', ' '])
            .map(|service| service.trim().split(':').next().unwrap_or_default())
            .filter(|service| !service.is_empty() && !service.eq_ignore_ascii_case("s3"))
            .collect();
        if !others.is_empty() {
            let name = workload.subject.short();
            let reason = format!("{name} serves {} besides s3", others.join(", "));
            fix.demote(Applicability::Manual, "services", reason);
        }
    }
}

/// Keys of a development setup must not meet a real store.
fn guard_credentials(inventory: &Inventory, position: usize, fix: &mut Fix, mut finding: Finding) -> Finding {
    let workload = inventory.workloads.at(position);
    let Some(template) = workload.template() else { return finding };
    for container in template.spec.all_containers() {
        let variables = environment::effective(inventory, workload, container);
        let Some(variable) = variables.get("AWS_ACCESS_KEY_ID") else { continue };
        let dummy = variable.text().is_some_and(|text| DUMMIES.contains(&text.to_ascii_lowercase().as_str()));
        if dummy {
            let (name, container) = (workload.subject.short(), &container.2.name);
            let reason = format!("{name} container {container} gets a dummy AWS_ACCESS_KEY_ID; take it from a Secret");
            finding = finding
                .at(Location::at(variable.pointer.as_str()).of(&variable.holder))
                .because_of(&workload.subject, format!("{name} container {container} gets a dummy AWS_ACCESS_KEY_ID"));
            fix.refuse("credentials", reason);
        }
    }
    finding
}

/// What the answers must fulfil.
fn guard_answers(context: &Context<'_>, users: &BTreeSet<usize>, answers: &Answers, fix: &mut Fix) {
    let inventory = context.inventory;
    if is_development_value(context, &answers.endpoint) {
        fix.refuse("endpoint", format!("{} is a development service too", answers.endpoint));
    }
    for position in users {
        let workload = inventory.workloads.at(*position);
        let name = workload.subject.short();
        if !refers_to(workload, &answers.secret) {
            fix.consequences.push(format!(
                "{name} does not refer to Secret/{}: it must get its keys in another way",
                answers.secret
            ));
        }
        let isolating = inventory.policies_of(*position).find(|policy| policy.isolates("Egress"));
        if let Some(policy) = isolating {
            let policy = policy.subject.short();
            fix.consequences
                .push(format!("{policy} isolates {name}: allow egress to the new endpoint before the switch"));
        }
    }
}

/// True if a template takes something from a Secret.
fn refers_to(workload: &Item<Workload>, secret: &str) -> bool {
    let in_pod = |pod: &PodSpec| {
        let variables = pod.all_containers().any(|(_, _, container)| {
            let whole = container.env_from.iter().filter_map(|source| source.secret_ref.as_ref());
            let keys = container.env.iter().filter_map(|own| own.value_from.as_ref()?.secret_key_ref.as_ref());
            whole.chain(keys).any(|reference| reference.name == secret)
        });
        let names = |source: &serde_json::Value| {
            let projected = source.pointer("/sources").and_then(serde_json::Value::as_array);
            let parts = projected.into_iter().flatten().filter_map(|part| part.pointer("/secret/name"));
            source.get("secretName").into_iter().chain(parts).any(|name| name == secret)
        };
        variables || pod.volumes.iter().any(|volume| volume.source.values().any(names))
    };
    workload.template().is_some_and(|template| in_pod(&template.spec))
}

/// Values that hold the public address of the development service and are no finding themselves.
fn mentions(inventory: &Inventory, namespace: &str, found: &Found) -> Vec<String> {
    let urls = found.spots.iter().filter_map(|spot| Some(host(spot.text.split_once("://")?.1)));
    let hosts: BTreeSet<&str> = urls.filter(|host| is_public(inventory, host)).collect();
    if hosts.is_empty() {
        return Vec::new();
    }
    let holds = |text: &str| hosts.iter().find(|host| text.contains(**host)).copied();
    let is_spot = |name: &str, holder: &Subject| {
        let mut spots = found.spots.iter();
        spots.any(|spot| spot.name == name && spot.holder.subject(inventory).same(holder))
    };
    let mut out = Vec::new();
    let mut tell = |holder: &Subject, name: &str, text: &str| {
        if let Some(host) = holds(text).filter(|_| !is_spot(name, holder)) {
            out.push(format!("{} {name} contains {}", holder.short(), mask(name, host)));
        }
    };
    for map in inventory.config_maps.within(namespace) {
        map.data.iter().for_each(|(key, text)| tell(&map.subject, key, text));
    }
    for workload in inventory.workloads.within(namespace) {
        let containers = workload.template().into_iter().flat_map(|template| template.spec.all_containers());
        for own in containers.flat_map(|(_, _, container)| &container.env) {
            tell(&workload.subject, &own.name, own.value.as_deref().unwrap_or_default());
        }
    }
    out
}
