//! Who names whose Service: the flows that manifests show.
//!
//! Read are variables (literal and from `ConfigMap`s, as the container gets them), commands and
//! arguments, and `ConfigMap`s mounted as files. Values in Secrets and names in code are invisible.
//! The forms are those of cluster DNS (<https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::environment::{self, Variable};
use super::inventory::{Inventory, is_top_level};
use super::object::Subject;
use super::parallel;
use super::pod::{Container, EnvVar};
use super::store::Item;
use super::workload::Workload;

mod keys;
mod mounts;
mod names;
mod scan;

pub use keys::is_host_key;
use scan::{Mention, Target, Why};

/// A workload that names a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The position of the workload that calls.
    pub client: usize,
    /// The position of the Service.
    pub service: usize,
    /// The port that the client names; `None` if it names none.
    pub port: Option<i64>,
    /// Where it was read: `env API_URL (ConfigMap/web)`.
    pub reason: String,
}

/// A workload that names an address that no Service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The address or the name.
    pub host: String,
    /// The port, if one is named.
    pub port: Option<i64>,
    /// The scheme's or key's reason: where it was read.
    pub reason: String,
}

/// Workloads that a processor takes at a time.
const WORKLOADS: usize = 64;

/// All references of an inventory.
#[derive(Clone, Debug, Default)]
pub struct References {
    of_client: Vec<Vec<Reference>>,
    clients_of: Vec<Vec<(usize, usize)>>,
    outside: Vec<Vec<Outside>>,
    hidden: Vec<Vec<String>>,
}

impl References {
    /// Reads every workload once.
    pub fn of(inventory: &Inventory) -> Self {
        let positions: Vec<usize> = (0..inventory.workloads.len()).collect();
        let parts: Vec<_> = positions.chunks(WORKLOADS).collect();
        let found = parallel::map(&parts, |part| {
            let mut reader = Reader { inventory, cache: BTreeMap::new() };
            part.iter().map(|position| reader.found(*position)).collect::<Vec<_>>()
        });
        let mut out = Self { clients_of: vec![Vec::new(); inventory.services.len()], ..Self::default() };
        for (position, found) in found.into_iter().flatten().enumerate() {
            // In the order of Service and port.
            let references: Vec<Reference> = found.references.into_values().collect();
            for (index, reference) in references.iter().enumerate() {
                out.clients_of[reference.service].push((position, index));
            }
            out.of_client.push(references);
            out.outside.push(found.outside.into_values().collect());
            out.hidden.push(found.hidden);
        }
        out
    }

    /// The Services that a workload names, in order.
    pub fn of_client(&self, workload: usize) -> &[Reference] {
        &self.of_client[workload]
    }

    /// The references to a Service, in the order of its clients.
    pub fn to_service(&self, service: usize) -> impl Iterator<Item = &Reference> {
        self.clients_of[service].iter().map(|(client, index)| &self.of_client[*client][*index])
    }

    /// The addresses outside the cluster's Services that a workload names.
    pub fn outside(&self, workload: usize) -> &[Outside] {
        &self.outside[workload]
    }

    /// The values of a workload that stand in Secrets and may name a Service: `env DATABASE_URL`.
    pub fn hidden(&self, workload: usize) -> &[String] {
        &self.hidden[workload]
    }
}

#[derive(Default)]
struct Found {
    references: BTreeMap<(usize, Option<i64>), Reference>,
    outside: BTreeMap<(String, Option<i64>), Outside>,
    hidden: Vec<String>,
}

/// The key of a value, and the port that stands in the key beside it: `DB_HOST` and `DB_PORT`.
#[derive(Clone, Copy)]
struct Key<'a> {
    name: &'a str,
    port: Option<i64>,
}

struct Reader<'a> {
    inventory: &'a Inventory,
    /// The names in a value of a `ConfigMap`, by its position and key.
    cache: BTreeMap<(usize, String), Arc<[Mention]>>,
}

impl Reader<'_> {
    fn found(&mut self, position: usize) -> Found {
        let workload = self.inventory.workloads.at(position);
        let mut found = Found { hidden: hidden_values(workload), ..Found::default() };
        if is_top_level(workload) && !workload.is_finished() {
            self.read(position, workload, &mut found);
        }
        found
    }

    fn read(&mut self, position: usize, workload: &Item<Workload>, found: &mut Found) {
        let Some(template) = workload.template() else {
            return;
        };
        for container in template.spec.all_containers() {
            let variables = environment::effective(self.inventory, workload, container);
            for variable in variables.values() {
                self.variable(position, workload, container.2, variable, &variables, found);
            }
            let words = container.2.command.iter().chain(&container.2.args);
            let line: Vec<String> = words.map(|word| expand(word, workload, container.2, &variables)).collect();
            let mentions = scan::scan(self.inventory, workload.namespace(), &line.join("\n"));
            let reason = format!("arguments of container {}", container.2.name);
            self.take(position, &mentions, None, &reason, found);
        }
        for (map, key) in mounts::files(self.inventory, workload) {
            let mentions = self.cached(map, key);
            let reason = format!("file {key} ({})", map.short());
            self.take(position, &mentions, None, &reason, found);
        }
    }

    fn variable(
        &mut self,
        position: usize,
        workload: &Item<Workload>,
        container: &Container,
        variable: &Variable,
        all: &BTreeMap<String, Variable>,
        found: &mut Found,
    ) {
        if keys::is_silent_key(&variable.name) {
            return;
        }
        let beside = keys::port_key(&variable.name).and_then(|key| all.get(&key)?.text()?.trim().parse().ok());
        let named = Some(Key { name: &variable.name, port: beside });
        if variable.from_config_map {
            let key = variable.pointer.trim_start_matches("/data/").replace("~1", "/").replace("~0", "~");
            let mentions = self.cached(&variable.holder, &key);
            let reason = format!("env {} ({})", variable.name, variable.holder.short());
            self.take(position, &mentions, named, &reason, found);
            return;
        }
        let own = container.env.iter().rev().find(|own| own.name == variable.name);
        let text = match (variable.text(), own.and_then(|own| own.value.as_deref())) {
            (Some(text), _) => text.to_owned(),
            (None, Some(raw)) => expand(raw, workload, container, all),
            (None, None) => return,
        };
        let mentions = scan::scan(self.inventory, workload.namespace(), &text);
        self.take(position, &mentions, named, &format!("env {}", variable.name), found);
    }

    fn cached(&mut self, map: &Subject, key: &str) -> Arc<[Mention]> {
        let Some(at) = self.inventory.config_maps.position(map.namespace(), "ConfigMap", &map.name) else {
            return Arc::default();
        };
        let scan = || {
            let text = self.inventory.config_maps.at(at).data.get(key);
            text.map_or_else(Vec::new, |text| scan::scan(self.inventory, map.namespace(), text))
        };
        self.cache.entry((at, key.to_owned())).or_insert_with(|| scan().into()).clone()
    }

    /// Keeps the names that count where they stand.
    fn take(&self, client: usize, mentions: &[Mention], key: Option<Key<'_>>, reason: &str, found: &mut Found) {
        let name = key.map(|key| key.name);
        for mention in mentions {
            let asks = name.is_some_and(is_host_key);
            let port =
                mention.port.or_else(|| key?.port.filter(|_| matches!(mention.why, Why::Whole | Why::Qualified)));
            match &mention.target {
                Target::Service(service) => {
                    let by_service_key = name.is_some_and(keys::is_service_key) && !self.is_own(client, *service);
                    if mention.why == Why::Whole && !asks && !by_service_key {
                        continue;
                    }
                    let Some(service) = follow_alias(self.inventory, *service) else {
                        continue;
                    };
                    let reference = Reference { client, service, port, reason: reason.to_owned() };
                    found.references.entry((service, port)).or_insert(reference);
                }
                Target::Host(host) if mention.why != Why::Whole || asks => {
                    let outside = Outside { host: host.clone(), port, reason: reason.to_owned() };
                    found.outside.entry((host.clone(), port)).or_insert(outside);
                }
                Target::Host(_) => {}
            }
        }
    }

    fn is_own(&self, workload: usize, service: usize) -> bool {
        let subject = &self.inventory.services.at(service).subject;
        self.inventory.services_of(workload).any(|own| own.subject == *subject)
    }
}

/// The Service behind an `ExternalName` that stands for another one; `None` if that leads outside.
fn follow_alias(inventory: &Inventory, service: usize) -> Option<usize> {
    let mut at = service;
    for _ in 0..4 {
        let item = inventory.services.at(at);
        if item.kind() != "ExternalName" {
            return Some(at);
        }
        let name = item.spec.external_name.as_deref()?.trim_end_matches('.');
        at = names::resolve(inventory, item.namespace(), name).filter(|(_, qualified)| *qualified)?.0;
    }
    None
}

/// Puts values in place of `$(NAME)` and `${NAME}`; the pod's namespace is known, other fields of the
/// pod are not.
fn expand(
    text: &str,
    workload: &Item<Workload>,
    container: &Container,
    variables: &BTreeMap<String, Variable>,
) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let close = match rest.as_bytes().get(1) {
            Some(b'(') => ')',
            Some(b'{') => '}',
            _ => '$',
        };
        let name = rest.get(2..).and_then(|tail| tail.split_once(close)).filter(|_| close != '$');
        let value = name.and_then(|(name, _)| {
            let own = container.env.iter().find(|own| own.name == name);
            let namespace = own.filter(|own| is_namespace(own)).map(|_| workload.namespace());
            variables.get(name).and_then(Variable::text).or(namespace)
        });
        if let (Some(value), Some((_, tail))) = (value, name) {
            out.push_str(value);
            rest = tail;
        } else {
            out.push('$');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn is_namespace(variable: &EnvVar) -> bool {
    let field = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref());
    field.and_then(|field| field.get("fieldPath")?.as_str()) == Some("metadata.namespace")
}

/// What of a workload stands in Secrets and may name a Service.
fn hidden_values(workload: &Workload) -> Vec<String> {
    let mut out = Vec::new();
    let containers = workload.template().into_iter().flat_map(|template| template.spec.all_containers());
    for (_, _, container) in containers {
        let whole = container.env_from.iter().filter_map(|source| source.secret_ref.as_ref());
        out.extend(whole.map(|secret| format!("all of Secret/{}", secret.name)));
        let single =
            container.env.iter().filter(|v| v.value_from.as_ref().is_some_and(|from| from.secret_key_ref.is_some()));
        out.extend(single.filter(|v| is_host_key(&v.name)).map(|v| format!("env {}", v.name)));
    }
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests;
