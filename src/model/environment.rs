//! The variables that a container really gets, and where each comes from.
//!
//! Order of evaluation (API reference, `EnvVar` and `EnvFromSource`): `envFrom` sources in list
//! order, the later wins, each with its prefix; then `env`, which wins over all of them; then
//! `$(NAME)` references to variables defined before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inventory::Inventory;
use super::object::{Subject, pointer};
use super::pod::{Container, EnvVar, KeyRef};
use super::store::Item;
use super::workload::Workload;

/// One variable of a container.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, or why there is none.
    pub value: Value,
    /// The object that holds the value.
    pub holder: Subject,
    /// Where in that object.
    pub pointer: String,
    /// True if the value stands in a `ConfigMap`.
    pub from_config_map: bool,
}

/// The value of a variable, as far as it can be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Known.
    Text(String),
    /// In a Secret.
    Secret,
    /// From a field of the pod, or with a reference to a value that is not known.
    Runtime,
    /// The reference leads nowhere, or to an object that was not read.
    Missing,
}

impl Variable {
    /// The value, if it is known.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What a text says as a switch.
pub fn parse_switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "enabled" => Some(true),
        "false" | "0" | "no" | "off" | "disabled" | "" => Some(false),
        _ => None,
    }
}

/// The variables of a container by name.
pub type Variables = BTreeMap<String, Variable>;

/// The variables of one container, found once; `list` is `containers` or `initContainers`.
pub fn effective(
    inventory: &Inventory,
    workload: &Item<Workload>,
    container: (&'static str, usize, &Container),
) -> Arc<Variables> {
    let Some(known) = inventory.environments_of(workload) else {
        return Arc::new(read(inventory, workload, container));
    };
    let template = workload.template();
    let places = || template.into_iter().flat_map(|template| template.spec.all_containers());
    let known = known.get_or_init(|| places().map(|place| Arc::new(read(inventory, workload, place))).collect());
    let (list, index, _) = container;
    let at = places().position(|place| (place.0, place.1) == (list, index));
    at.map_or_else(|| Arc::new(read(inventory, workload, container)), |at| known[at].clone())
}

fn read(inventory: &Inventory, workload: &Item<Workload>, container: (&str, usize, &Container)) -> Variables {
    let (list, index, container) = container;
    let index = index.to_string();
    let base = pointer(&workload.pod_spec_pointer(), &[list, &index]);
    let mut out = BTreeMap::new();
    for source in &container.env_from {
        if let Some(reference) = &source.config_map_ref {
            add_config_map(inventory, workload, reference, &source.prefix, &mut out);
        }
    }
    for (position, variable) in container.env.iter().enumerate() {
        let at = pointer(&base, &["env", &position.to_string(), "value"]);
        let resolved = resolve(inventory, workload, variable, &at, &out);
        out.insert(variable.name.clone(), resolved);
    }
    out
}

fn add_config_map(
    inventory: &Inventory,
    workload: &Item<Workload>,
    reference: &KeyRef,
    prefix: &str,
    out: &mut BTreeMap<String, Variable>,
) {
    let Some(map) = inventory.config_maps.get(workload.namespace(), "ConfigMap", &reference.name) else {
        return;
    };
    for (key, text) in &map.data {
        let name = format!("{prefix}{key}");
        let variable = Variable {
            name: name.clone(),
            value: Value::Text(text.clone()),
            holder: map.subject.clone(),
            pointer: pointer("/data", &[key]),
            from_config_map: true,
        };
        out.insert(name, variable);
    }
}

fn resolve(
    inventory: &Inventory,
    workload: &Item<Workload>,
    variable: &EnvVar,
    at: &str,
    before: &BTreeMap<String, Variable>,
) -> Variable {
    let own = |value: Value| Variable {
        name: variable.name.clone(),
        value,
        holder: workload.subject.clone(),
        pointer: at.to_owned(),
        from_config_map: false,
    };
    let Some(from) = &variable.value_from else {
        return own(expand(variable.value.as_deref().unwrap_or_default(), before));
    };
    if from.secret_key_ref.is_some() {
        return own(Value::Secret);
    }
    let Some(reference) = &from.config_map_key_ref else {
        return own(Value::Runtime);
    };
    let map = inventory.config_maps.get(workload.namespace(), "ConfigMap", &reference.name);
    let Some((map, text)) = map.and_then(|map| Some((map, map.data.get(&reference.key)?))) else {
        return own(Value::Missing);
    };
    Variable {
        name: variable.name.clone(),
        value: Value::Text(text.clone()),
        holder: map.subject.clone(),
        pointer: pointer("/data", &[&reference.key]),
        from_config_map: true,
    }
}

/// Replaces `$(NAME)` by the variables defined before; `$$(NAME)` stays as `$(NAME)`, and an
/// unknown name stays as it is.
fn expand(text: &str, before: &BTreeMap<String, Variable>) -> Value {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if let Some(after) = tail.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = tail.strip_prefix('(').and_then(|tail| tail.split_once(')')) {
            match before.get(name).map(|variable| &variable.value) {
                Some(Value::Text(value)) => out.push_str(value),
                Some(_) => return Value::Runtime,
                None => out.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            out.push('$');
            rest = tail;
        }
    }
    out.push_str(rest);
    Value::Text(out)
}

/// The `ConfigMap`s that a workload takes as variables: from `envFrom` and by key.
pub fn config_maps_as_variables(workload: &Workload) -> Vec<&str> {
    let containers = workload.template().into_iter().flat_map(|template| template.spec.all_containers());
    let mut names: Vec<&str> = containers
        .flat_map(|(_, _, container)| {
            let whole = container.env_from.iter().filter_map(|source| source.config_map_ref.as_ref());
            let keys = container.env.iter().filter_map(|v| v.value_from.as_ref()?.config_map_key_ref.as_ref());
            whole.chain(keys).map(|reference| reference.name.as_str())
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The `ConfigMap`s that a workload mounts as files, and whether a mount of it is by `subPath`,
/// which is never updated.
pub fn config_maps_as_files(workload: &Workload) -> BTreeMap<&str, bool> {
    let mut out = BTreeMap::new();
    let Some(template) = workload.template() else {
        return out;
    };
    for volume in &template.spec.volumes {
        let fixed = template
            .spec
            .all_containers()
            .flat_map(|(_, _, container)| &container.volume_mounts)
            .any(|mount| mount.name == volume.name && mount.sub_path.is_some());
        for name in volume.config_maps() {
            *out.entry(name).or_insert(false) |= fixed;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inventory() -> Inventory {
        let mut inventory = Inventory::default();
        let map =
            |name: &str, data: serde_json::Value| json!({"metadata": {"name": name, "namespace": "a"}, "data": data});
        inventory.add("v1", "ConfigMap", map("one", json!({"A": "1", "B": "1"})), None).unwrap();
        inventory.add("v1", "ConfigMap", map("two", json!({"B": "2"})), None).unwrap();
        let deployment = json!({"metadata": {"name": "web", "namespace": "a"}, "spec": {"template": {"spec": {
            "containers": [{"name": "web",
                "envFrom": [{"configMapRef": {"name": "one"}}, {"configMapRef": {"name": "two"}},
                            {"prefix": "P_", "configMapRef": {"name": "two"}}],
                "env": [{"name": "C", "value": "$(B)-$(A)-$(NONE)-$$(A)"}, {"name": "A", "value": "own"},
                        {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                        {"name": "D", "value": "x$(S)"},
                        {"name": "M", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "none"}}}]}]}}}});
        inventory.add("apps/v1", "Deployment", deployment, None).unwrap();
        inventory.finish()
    }

    #[test]
    fn the_order_is_that_of_the_api() {
        let inventory = inventory();
        let web = inventory.workloads.get("a", "Deployment", "web").unwrap();
        let container = web.template().unwrap().spec.all_containers().next().unwrap();
        let variables = effective(&inventory, web, container);
        let text = |name: &str| variables[name].text();
        assert_eq!(text("A"), Some("own"));
        assert_eq!(text("B"), Some("2"));
        assert_eq!(variables["B"].holder.name, "two");
        assert_eq!(text("P_B"), Some("2"));
        assert_eq!(text("C"), Some("2-1-$(NONE)-$(A)"));
        assert_eq!(variables["S"].value, Value::Secret);
        assert_eq!(variables["D"].value, Value::Runtime);
        assert_eq!(variables["M"].value, Value::Missing);
        assert_eq!(variables["A"].pointer, "/spec/template/spec/containers/0/env/1/value");
    }

    #[test]
    fn switches() {
        assert_eq!(parse_switch(" True "), Some(true));
        assert_eq!(parse_switch(""), Some(false));
        assert_eq!(parse_switch("maybe"), None);
    }
}
