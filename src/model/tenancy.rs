//! Whether a namespace says how its tenants are kept apart, and whether anything hints at tenants.

use super::allowance::active_workloads;
use super::config_text;
use super::inventory::Inventory;
use super::selector::Labels;

/// Suffixes of keys that say how tenants are kept apart.
const MODELS: [&str; 4] = ["ISOLATION", "MODE", "MODEL", "STRATEGY"];

/// A key in one form: `tenantMode`, `tenant.mode` and `TENANT_MODE` are the same.
fn normal(key: &str) -> String {
    let mut out = String::new();
    let mut lower = false;
    for c in key.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && lower {
                out.push('_');
            }
            out.push(c.to_ascii_uppercase());
        } else {
            out.push('_');
        }
        lower = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    out
}

fn is_tenant(word: &str) -> bool {
    matches!(word, "TENANT" | "TENANTS" | "TENANCY" | "MULTITENANT" | "MULTITENANCY")
}

/// True where a word for tenants may stand: most keys need no closer look.
fn mentions(text: &str) -> bool {
    text.as_bytes().windows(5).any(|part| part.eq_ignore_ascii_case(b"tenan"))
}

/// True for a key with a word for tenants.
fn hints(key: &str) -> bool {
    mentions(key) && normal(key).split('_').any(is_tenant)
}

/// True for a key that says how tenants are kept apart: `TENANT_MODE`.
fn declares(key: &str) -> bool {
    if !mentions(key) {
        return false;
    }
    let key = normal(key);
    let words: Vec<&str> = key.split('_').filter(|word| !word.is_empty()).collect();
    matches!(words[..], [.., tenant, model] if is_tenant(tenant) && MODELS.contains(&model))
}

/// The label by which an object belongs to a tenant, or says how tenants are kept apart.
fn label(labels: &Labels) -> Option<String> {
    let is_label = |key: &str| {
        let last = key.rsplit('/').next().unwrap_or(key);
        matches!(last, "tenant" | "tenancy") || declares(last)
    };
    let found = labels.iter().find(|(key, value)| is_label(key) && !value.is_empty());
    found.map(|(key, value)| format!("label {key} is {value}"))
}

/// What is known of a namespace's tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenancy {
    /// What says how they are kept apart.
    pub declared: Option<String>,
    /// What hints at them: keys of `ConfigMap`s, names of variables.
    pub hints: Vec<String>,
}

/// Reads labels, `ConfigMap`s and variables of a namespace.
pub fn of(inventory: &Inventory, namespace: &str) -> Tenancy {
    let mut out = Tenancy::default();
    if let Some(item) = inventory.namespaces.get("", "Namespace", namespace) {
        out.declare(label(&item.metadata.labels).map(|text| format!("{text} on {}", item.subject.short())));
    }
    for map in inventory.config_maps.within(namespace) {
        for (key, value) in &map.data {
            out.take(key, Some(value), &map.subject.short());
            if value.contains('\n') && mentions(value) {
                for (inner, value) in config_text::settings(value) {
                    out.take(&inner, Some(&value), &format!("{} file {key}", map.subject.short()));
                }
            }
        }
    }
    for (_, workload) in active_workloads(inventory, namespace) {
        let Some(template) = workload.template() else { continue };
        let name = workload.subject.short();
        let own = label(&workload.metadata.labels).or_else(|| label(template.labels()));
        out.declare(own.map(|text| format!("{text} on {name}")));
        for variable in template.spec.all_containers().flat_map(|(_, _, container)| &container.env) {
            out.take(&variable.name, variable.value.as_deref(), &name);
        }
    }
    out
}

impl Tenancy {
    fn declare(&mut self, text: Option<String>) {
        if self.declared.is_none() {
            self.declared = text;
        }
    }

    /// Takes a key into account; `None` for a value that is not known.
    fn take(&mut self, key: &str, value: Option<&str>, holder: &str) {
        if declares(key) && value.is_none_or(|value| !value.trim().is_empty()) {
            self.declare(Some(format!("{key} of {holder}")));
        } else if hints(key) {
            let hint = format!("{key} of {holder}");
            if !self.hints.contains(&hint) {
                self.hints.push(hint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_of_tenants() {
        for (key, hint, declared) in [
            ("TENANT_MODE", true, true),
            ("APP_TENANCY_MODEL", true, true),
            ("tenantMode", true, true),
            ("tenant.mode", true, true),
            ("MULTI_TENANT_MODE", true, true),
            ("DEFAULT_TENANT_ID", true, false),
            ("tenants.yaml", true, false),
            ("TENANT_MODE_DOCS", true, false),
            ("LIEUTENANT", false, false),
            ("RUN_MODE", false, false),
        ] {
            assert_eq!((hints(key), declares(key)), (hint, declared), "{key}");
        }
    }
}
