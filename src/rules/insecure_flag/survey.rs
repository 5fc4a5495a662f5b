//! Where the flags stand that containers really get.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::cluster::ConfigMap;
use crate::model::config_text;
use crate::model::consumers::{Consumers, mounts};
use crate::model::environment::{self, Value, Variable, parse_switch};
use crate::model::object::pointer;
use crate::model::pod::Container;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, ObjectRef, Subject};

/// The flags by name, each with its secure value.
pub(super) type Flags = BTreeMap<String, String>;

/// What a value says of its flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Secure,
    Insecure,
    Unclear,
}

/// Compares a value with the secure one: as switches, or as texts if the secure one is no switch.
pub(super) fn judge(secure: &str, value: &str) -> State {
    match (parse_switch(secure), parse_switch(value)) {
        (Some(wanted), Some(found)) if wanted == found => State::Secure,
        (Some(_), None) => State::Unclear,
        (None, _) if value.trim().eq_ignore_ascii_case(secure.trim()) => State::Secure,
        _ => State::Insecure,
    }
}

/// One place where a flag gets its value.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) stable: String,
    /// The text at the place; of a file the value inside it.
    pub(super) raw: String,
    /// What becomes of it, references replaced.
    pub(super) value: String,
    pub(super) state: State,
    /// What shows the place: the container of a literal, or the key of a `ConfigMap`.
    pub(super) source: String,
    /// A Secret that comes later and may hold the flag too.
    pub(super) overridden_by: Option<String>,
}

/// A holder and a flag; for a flag inside a file also the file's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) holder: Subject,
    pub(super) flag: String,
    pub(super) file: Option<String>,
}

/// What the survey of one workload leaves open.
#[derive(Debug)]
pub(super) enum Open {
    /// It can't be seen.
    Unknown(String),
    /// A reference to nothing: pointer, flag, sentence.
    Missing(String, String, String),
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) places: BTreeMap<Key, BTreeMap<String, Box<Place>>>,
    mounted: BTreeSet<(usize, String)>,
}

impl Survey {
    /// Looks at one workload; true if it gets a flag, and what stays open.
    pub(super) fn workload(
        &mut self,
        inventory: &Inventory,
        flags: &Flags,
        workload: &Item<Workload>,
    ) -> (bool, Vec<Open>) {
        let (mut found, mut open) = (false, Vec::new());
        let Some(template) = workload.template() else {
            return (false, open);
        };
        for (list, index, container) in template.spec.all_containers() {
            let names = possible(inventory, flags, workload, container);
            if names.is_empty() {
                continue;
            }
            let variables = environment::effective(inventory, workload, (list, index, container));
            for name in names {
                let Some(variable) = variables.get(name).cloned() else {
                    continue;
                };
                found = true;
                let secure = &flags[name];
                open.extend(self.variable(inventory, workload, (list, container), secure, variable));
            }
        }
        for mount in mounts(&template.spec) {
            let map = inventory.config_maps.position(workload.namespace(), "ConfigMap", mount.config_map);
            let Some(map) = map else { continue };
            for (key, text) in &inventory.config_maps.at(map).data {
                let holds = flags.contains_key(key) || flags.keys().any(|flag| text.contains(flag.as_str()));
                if holds && mount.file(key).is_some() {
                    found = true;
                    self.mounted.insert((map, key.clone()));
                }
            }
        }
        if !found {
            open.extend(unread(inventory, workload).map(Open::Unknown));
        }
        (found, open)
    }

    fn variable(
        &mut self,
        inventory: &Inventory,
        workload: &Item<Workload>,
        (list, container): (&str, &Container),
        secure: &str,
        variable: Variable,
    ) -> Option<Open> {
        let flag = variable.name;
        let value = match variable.value {
            Value::Text(text) => text,
            Value::Secret => {
                return Some(Open::Unknown(format!("the value of {flag} is in a Secret")));
            }
            Value::Runtime => {
                return Some(Open::Unknown(format!("the value of {flag} is only known when a pod runs")));
            }
            Value::Missing => {
                return Some(missing(inventory, workload, container, &flag, &variable.pointer));
            }
        };
        let literal = container.env.iter().rfind(|own| own.name == flag);
        let state = judge(secure, &value);
        let place = if variable.from_config_map {
            Place {
                stable: String::new(),
                raw: value.clone(),
                source: format!("data.{}", variable.pointer.trim_start_matches("/data/")),
                overridden_by: literal.is_none().then(|| later_secret(container, &variable.holder)).flatten(),
                state,
                value,
            }
        } else {
            Place {
                stable: pointer(&workload.pod_spec_pointer(), &[list, &container.name, "env", &flag, "value"]),
                raw: literal.and_then(|own| own.value.clone()).unwrap_or_default(),
                source: format!("container {}", container.name),
                overridden_by: None,
                state,
                value,
            }
        };
        self.put(&variable.holder, &flag, None, variable.pointer, place);
        None
    }

    fn put(&mut self, holder: &Subject, flag: &str, file: Option<&str>, at: String, place: Place) {
        let key = Key { holder: holder.clone(), flag: flag.to_owned(), file: file.map(str::to_owned) };
        self.places.entry(key).or_default().entry(at).or_insert_with(|| Box::new(place));
    }

    /// Looks into the files that workloads mount.
    pub(super) fn files(&mut self, inventory: &Inventory, flags: &Flags) {
        for (position, key) in std::mem::take(&mut self.mounted) {
            self.map_key(flags, inventory.config_maps.at(position), &key);
        }
    }

    /// Looks at one key of a `ConfigMap`: a flag itself, or a text with flags inside.
    pub(super) fn map_key(&mut self, flags: &Flags, map: &Item<ConfigMap>, key: &str) {
        let Some(text) = map.data.get(key) else { return };
        let at = pointer("/data", &[key]);
        let place = |value: String, secure: &str, stable: String| Place {
            state: judge(secure, &value),
            raw: value.clone(),
            source: format!("data.{key}"),
            overridden_by: None,
            stable,
            value,
        };
        if let Some(secure) = flags.get(key) {
            self.put(&map.subject, key, None, at, place(text.clone(), secure, String::new()));
            return;
        }
        for (name, value) in config_text::settings(text) {
            if let Some(secure) = flags.get(&name) {
                let stable = pointer(&at, &[&name]);
                self.put(&map.subject, &name, Some(key), at.clone(), place(value, secure, stable));
            }
        }
    }
}

/// The keys of a `ConfigMap` that are flags or hold them.
pub(super) fn flag_keys<'a>(flags: &'a Flags, map: &'a ConfigMap) -> impl Iterator<Item = &'a String> {
    let holds =
        move |key: &str, text: &str| flags.contains_key(key) || flags.keys().any(|flag| text.contains(flag.as_str()));
    map.data.iter().filter(move |(key, text)| holds(key, text)).map(|(key, _)| key)
}

/// True if no workload that was read names the `ConfigMap`.
pub(super) fn is_alone(consumers: &Consumers, map: &Item<ConfigMap>) -> bool {
    consumers.workloads(map.namespace(), map.name()).is_empty()
}

/// The flags that a container may get, without resolving all its variables.
fn possible<'a>(
    inventory: &Inventory,
    flags: &'a Flags,
    workload: &Item<Workload>,
    container: &Container,
) -> Vec<&'a str> {
    let maps: Vec<_> = container
        .env_from
        .iter()
        .filter_map(|source| {
            let name = &source.config_map_ref.as_ref()?.name;
            let map = inventory.config_maps.get(workload.namespace(), "ConfigMap", name)?;
            Some((source.prefix.as_str(), map))
        })
        .collect();
    let given = |flag: &str| {
        container.env.iter().any(|own| own.name == flag)
            || maps.iter().any(|(prefix, map)| flag.strip_prefix(prefix).is_some_and(|key| map.data.contains_key(key)))
    };
    flags.keys().map(String::as_str).filter(|flag| given(flag)).collect()
}

/// The Secret that follows a `ConfigMap` in `envFrom`, whose keys would win.
fn later_secret(container: &Container, holder: &ObjectRef) -> Option<String> {
    let from_map =
        |source: &crate::model::pod::EnvFrom| source.config_map_ref.as_ref().is_some_and(|map| map.name == holder.name);
    let at = container.env_from.iter().rposition(from_map)?;
    let secret = container.env_from[at..].iter().find_map(|source| source.secret_ref.as_ref())?;
    Some(format!("Secret/{}", secret.name))
}

/// A reference that leads nowhere, as far as one can see.
fn missing(inventory: &Inventory, workload: &Item<Workload>, container: &Container, flag: &str, at: &str) -> Open {
    let own = container.env.iter().rfind(|own| own.name == flag);
    let reference = own.and_then(|own| own.value_from.as_ref()?.config_map_key_ref.as_ref());
    let (name, key) = reference.map_or(("", ""), |reference| (&reference.name, &reference.key));
    if let Some(reason) = unseen_map(inventory, workload.namespace(), name) {
        return Open::Unknown(format!("{flag} refers to a value that was not read: {reason}"));
    }
    let at = at.strip_suffix("/value").unwrap_or(at).to_owned();
    let sentence = format!("{flag} refers to key {key} of ConfigMap/{name}, which does not exist");
    Open::Missing(at, flag.to_owned(), sentence)
}

/// Why a `ConfigMap` that is named may exist although it was not read.
fn unseen_map(inventory: &Inventory, namespace: &str, name: &str) -> Option<String> {
    if inventory.config_maps.get(namespace, "ConfigMap", name).is_some() {
        return None;
    }
    inventory.unseen("configmaps", namespace).or_else(|| {
        let partial = !inventory.is_live() && !inventory.is_complete();
        partial.then(|| format!("ConfigMap/{name} is not in the files"))
    })
}

/// The first `ConfigMap` that a workload takes variables from and that was not read.
fn unread(inventory: &Inventory, workload: &Item<Workload>) -> Option<String> {
    let containers = workload.template()?.spec.all_containers();
    let mut maps = containers.flat_map(|(_, _, container)| &container.env_from);
    maps.find_map(|source| {
        let name = &source.config_map_ref.as_ref()?.name;
        unseen_map(inventory, workload.namespace(), name)
    })
}
