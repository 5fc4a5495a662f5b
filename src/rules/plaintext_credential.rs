//! plaintext-credential: credentials in ConfigMaps and literal variables.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::configuration;
use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::cluster::ConfigMap;
use crate::model::consumers::Consumers;
use crate::model::environment::parse_switch;
use crate::model::mask::{MASK, has_credential_shape, is_masked_key};
use crate::model::object::pointer;
use crate::model::workload::Workload;
use crate::model::{Item, Subject};

declare_rule! {
    /// ## What it does
    /// Reports a ConfigMap value or a literal variable that holds a credential: a value under a key
    /// that looks like one (`pass`, `pwd`, `secret`, `token`, `key`, `credential`, `dsn`, `auth`,
    /// `private`, but not `_FILE`, `_DIR`, `_PATH`, `_HOST`, `_PORT`, `_URL`, `_URI` at its end), a
    /// URL with a password, or a private key, an AWS access key ID, a GitHub, Slack or JSON web
    /// token under any key. Empty values, switches, numbers, durations, paths, references such as
    /// `$(NAME)`, URLs without user, public keys and certificates are no credentials. The value is
    /// never shown.
    ///
    /// ## Why it matters
    /// Whoever may read ConfigMaps or workloads reads it, and so does everybody who sees a diff, a
    /// backup or the repository. Secrets have access rules of their own and may be encrypted.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: web, namespace: shop}
    /// data: {DB_PASSWORD: correct-horse}
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
    ///         - name: web
    ///           image: web:1
    ///           env:
    ///             - name: DB_PASSWORD
    ///               valueFrom: {secretKeyRef: {name: web-db, key: password}}
    /// ```
    ///
    /// ## Fix
    /// Manual: a Secret has to be made by somebody who knows the value, and the value is known to
    /// others by now and has to be replaced where it is checked.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/configuration/secret/>
    /// - <https://kubernetes.io/docs/concepts/security/secrets-good-practices/>
    id: "plaintext-credential",
    summary: "a credential in a ConfigMap or a literal variable",
    severity: Severity::Low,
    priority: Priority::LongTerm,
    category: Category::Security,
    fix: Some(Applicability::Manual),
    impact: "Whoever may read the configuration knows the credential.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

static URL_PASSWORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)[a-z][a-z0-9+.-]*://[^/?#\s@:]*:([^/?#\s@]+)@").expect("a constant pattern"));
static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\([A-Za-z_][A-Za-z0-9_.-]*\)|\$\{[^}]+\}|\{\{.*\}\}").expect("a constant pattern"));
static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\.{0,2}|~)/[A-Za-z0-9._/@-]*$").expect("a constant pattern"));
static URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)^[a-z][a-z0-9+.-]*://[^\s@]*$").expect("a constant pattern"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[+-]?[0-9]+([.,:_][0-9]+)*(ns|us|ms|s|m|h|d|w|[kKMGT]i?|[KMGT]?B)?$").expect("a constant pattern")
});
static PUBLIC: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^-----BEGIN ([A-Z ]*PUBLIC KEY|CERTIFICATE)-----").expect("a constant pattern"));

/// Why a value is a credential, if it is one.
fn reason(key: &str, value: &str) -> Option<&'static str> {
    let value = value.trim();
    if has_credential_shape(value) {
        return Some("the value has the form of a private key, an access key or a token");
    }
    if URL_PASSWORD.captures_iter(value).any(|found| !REFERENCE.is_match(&found[1])) {
        return Some("the value holds a URL with a password");
    }
    let is_harmless = || {
        let patterns = [&*REFERENCE, &*PATH, &*URL, &*NUMBER, &*PUBLIC];
        parse_switch(value).is_some() || patterns.iter().any(|pattern| pattern.is_match(value))
    };
    (is_masked_key(key) && !is_harmless()).then_some("its key is that of a credential")
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let consumers = Consumers::of(inventory);
    for (_, workload) in inventory.audited_workloads() {
        if workload.is_idle() {
            verdicts.na(&workload.subject);
        } else {
            let found = literals(context, workload);
            keep(verdicts, &workload.subject, found);
        }
    }
    for map in inventory.config_maps.iter().filter(|map| inventory.scope.covers(map.namespace())) {
        let found = values(context, &consumers, map);
        keep(verdicts, &map.subject, found);
    }
    for namespace in inventory.audited_namespaces() {
        if let Some(reason) = inventory.unseen("configmaps", &namespace.name) {
            verdicts.unknown(&namespace, reason);
        }
    }
}

fn keep(verdicts: &mut Verdicts<'_>, subject: &Subject, found: Vec<Finding>) {
    if found.is_empty() {
        verdicts.pass(subject);
    }
    for finding in found {
        verdicts.fail(finding);
    }
}

/// Literal variables, one finding for each name.
fn literals(context: &Context<'_>, workload: &Item<Workload>) -> Vec<Finding> {
    let mut out: BTreeMap<&str, Finding> = BTreeMap::new();
    let containers = workload.template().into_iter().flat_map(|template| template.spec.all_containers());
    for (list, index, container) in containers {
        for (position, variable) in container.env.iter().enumerate() {
            let Some(why) = variable.value.as_deref().and_then(|value| reason(&variable.name, value)) else {
                continue;
            };
            let base = workload.pod_spec_pointer();
            let numbers = [list, &index.to_string(), "env", &position.to_string(), "value"];
            let names = [list, &container.name, "env", &variable.name, "value"];
            let location =
                Location::at(pointer(&base, &numbers)).named(pointer(&base, &names)).values(Some(MASK.into()), None);
            let finding = out.remove(variable.name.as_str()).unwrap_or_else(|| {
                let message = format!("variable {} holds a credential in clear text", variable.name);
                context.finding(workload, message).because(why).fix(fix(&variable.name, &workload.subject))
            });
            out.insert(&variable.name, finding.at(location));
        }
    }
    out.into_values().collect()
}

fn values(context: &Context<'_>, consumers: &Consumers, map: &Item<ConfigMap>) -> Vec<Finding> {
    let credentials = map.data.iter().filter_map(|(key, value)| Some((key, reason(key, value)?)));
    credentials
        .map(|(key, why)| {
            let location = Location::at(pointer("/data", &[key])).values(Some(MASK.into()), None);
            let finding =
                context.finding(map, format!("{key} holds a credential in clear text")).at(location).because(why);
            let takers = consumers.takers(context.inventory, map, key);
            configuration::tell_takers(context.inventory, finding, &takers).fix(fix(key, &map.subject))
        })
        .collect()
}

fn fix(key: &str, holder: &Subject) -> Fix {
    Fix::new(format!("Move {key} of {} to a Secret", holder.short()), Applicability::Manual)
        .note("replace the credential where it is checked: it is known to others by now")
        .note("put the new one into a Secret and refer to it with secretKeyRef or envFrom")
        .note(format!("then remove {key} from {} and from its manifest", holder.short()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Inventory;
    use crate::rules::settings::Settings;
    use serde_json::json;

    #[test]
    fn credentials_are_told_from_the_rest() {
        for (key, value, found) in [
            ("DB_PASSWORD", "correct-horse", true),
            ("DB_PASSWORD", "", false),
            ("DB_PASSWORD", "$(FROM_ELSEWHERE)", false),
            ("DB_PASSWORD", "${db.password}", false),
            ("TOKEN_TTL", "15m", false),
            ("TOKEN_TTL", "3600", false),
            ("AUTH_ENABLED", "True", false),
            ("TLS_KEY", "/etc/tls/tls.key", false),
            ("TLS_KEY_FILE", "tls.key", false),
            ("AUTH_SERVER", "https://auth.example.com/realm", false),
            ("AUTH_SERVER", "https://token@auth.example.com", true),
            ("DATABASE_URL", "postgres://u:p@db/shop", true),
            ("DATABASE_URL", "postgres://u:$(DB_PASSWORD)@db/shop", false),
            ("DATABASE_URL", "postgres://u@db/shop", false),
            ("ANY", "-----BEGIN RSA PRIVATE KEY-----\nx", true),
            ("PUBLIC_KEY", "-----BEGIN PUBLIC KEY-----\nx", false),
            ("ANY", "AKIAABCDEFGHIJKLMNOP", true),
            ("MODE", "strict", false),
            ("app.yaml", "db: postgres://u:p@db/shop\n", true),
        ] {
            assert_eq!(reason(key, value).is_some(), found, "{key}={value}");
        }
    }

    #[test]
    fn no_value_leaves_the_rule() {
        let applied = "{\"data\":{\"password\":\"hunter2\"},\"stringData\":{\"password\":\"hunter2\"}}";
        let annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": applied});
        let object = |kind: &str, data: serde_json::Value| {
            json!({"apiVersion": "v1", "kind": kind, "data": data,
                "metadata": {"name": "x", "namespace": "a", "annotations": annotations}})
        };
        let mut inventory = Inventory::default();
        inventory.add("v1", "Secret", object("Secret", json!({"password": "aHVudGVyMg=="})), None).unwrap();
        inventory.add("v1", "ConfigMap", object("ConfigMap", json!({"password": "hunter2"})), None).unwrap();
        let inventory = inventory.finish();
        let settings = Settings::default();
        let context = Context::whole(&inventory, &settings, &RULE);
        let mut verdicts = Verdicts::default();
        check(&context, &mut verdicts);
        assert_eq!(verdicts.findings.len(), 1);
        let said = format!("{verdicts:?}");
        assert!(!said.contains("hunter2") && !said.contains("aHVudGVyMg"), "{said}");
    }
}
