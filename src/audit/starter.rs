//! `init`: a first `.progrc.yaml`, made from what is there, for a person to read and change.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::engine::{self, Audit};
use crate::finding::{Category, Verdict};
use crate::model::environment::parse_switch;
use crate::model::inventory::SYSTEM_NAMESPACES;
use crate::model::{Inventory, ObjectRef, mask};
use crate::rules::insecure_flag::CATALOGUE;
use crate::rules::rule::{ParameterKind, Rule};
use crate::rules::settings::Settings;

/// Namespaces in which controllers of a cluster are at home, by convention.
const PLATFORM: [&str; 27] = [
    "argocd",
    "calico-apiserver",
    "cert-manager",
    "cnpg-system",
    "external-dns",
    "external-secrets",
    "flux-system",
    "gatekeeper-system",
    "gmp-system",
    "ingress-nginx",
    "istio-system",
    "keda",
    "kubernetes-dashboard",
    "kyverno",
    "linkerd",
    "local-path-storage",
    "logging",
    "longhorn-system",
    "metallb-system",
    "monitoring",
    "nginx-ingress",
    "observability",
    "projectcontour",
    "rook-ceph",
    "tigera-operator",
    "traefik",
    "velero",
];

/// More objects than this are not named one by one.
const NAMED: usize = 5;

/// A commented configuration that holds what the inventory shows and changes no verdict by itself,
/// system namespaces aside. It names keys and objects, never values of the cluster, and reads back
/// under [`Config::parse`](super::config::Config::parse).
pub fn starter(inventory: &Inventory, rules: &[&'static Rule]) -> String {
    let audit = engine::run(inventory, &Settings::default(), rules);
    let mut out = "# Configuration of kubectl progrc. `kubectl progrc explain RULE` is the manual of a rule.\n\
                   apiVersion: progrc.io/v1\nkind: Config\n"
        .to_owned();
    environment(&mut out, inventory);
    add(&mut out, "\n# true: the manifests given with -f are all there is; what they do not contain does not exist.");
    add(&mut out, &format!("complete: {}", inventory.is_complete()));
    system_namespaces(&mut out, inventory);
    add(&mut out, "\n# Rules that are switched off, out of the score too: ids, categories or severities.");
    add(&mut out, "ignore: []");
    add(&mut out, "\n# Parameters of rules. Every rule also takes severity: critical, high, medium, low or info.");
    let tables = tables(inventory, &audit, rules);
    add(&mut out, if tables.is_empty() { "rules: {}" } else { "rules:" });
    out.push_str(&tables);
    waivers(&mut out, &audit);
    attestations(&mut out, inventory, &audit);
    out
}

fn add(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// A comment of one line, whatever the text holds.
fn comment(out: &mut String, indent: usize, text: &str) {
    let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    writeln!(out, "{:indent$}# {text}", "").expect("a String takes text");
}

fn environment(out: &mut String, inventory: &Inventory) {
    add(out, "\n# What the audited namespaces are for: production, staging or dev. It is never guessed.");
    for namespace in inventory.audited_namespaces() {
        let word = |word: &&str| matches!(*word, "dev" | "development" | "test" | "staging" | "stage");
        if let Some(word) = namespace.name.split(['-', '_', '.']).find(word) {
            comment(out, 0, &format!("The name of {} says {word}; say so here if it is true.", namespace.name));
        }
    }
    add(out, "environment: production");
}

fn system_namespaces(out: &mut String, inventory: &Inventory) {
    let workloads = inventory.workloads.iter().map(|workload| workload.namespace());
    let is_asked = |name: &str| inventory.scope.namespaces.as_ref().is_some_and(|asked| asked.contains(name));
    let found: BTreeSet<&str> = (inventory.namespaces.iter().map(|namespace| namespace.name()))
        .chain(workloads)
        .filter(|name| PLATFORM.contains(name) && !SYSTEM_NAMESPACES.contains(name) && !is_asked(name))
        .collect();
    add(out, "\n# Namespaces that belong to the cluster, besides kube-system, kube-public and kube-node-lease:");
    add(out, "# they are evidence only. Those that are listed are known by their names; take out what is yours.");
    let names: Vec<&str> = found.into_iter().collect();
    add(out, &format!("systemNamespaces: [{}]", names.join(", ")));
}

/// The tables of the rules for which something was found.
fn tables(inventory: &Inventory, audit: &Audit, rules: &[&'static Rule]) -> String {
    let mut out = String::new();
    for rule in rules {
        let found: Vec<String> = match rule.id {
            "insecure-flag" => flags(inventory),
            "redundant-load-balancer" => load_balancers(inventory),
            "dev-storage-endpoint" => endpoints(inventory),
            _ => Vec::new(),
        };
        let fires = audit.findings.iter().any(|finding| finding.rule == rule.id);
        if !rule.parameters.is_empty() && (!found.is_empty() || fires) {
            table(&mut out, rule, &found);
        }
    }
    out
}

/// A rule's parameters, each commented out, below what was found.
fn table(out: &mut String, rule: &Rule, found: &[String]) {
    add(out, &format!("  {}:", rule.id));
    for line in found.iter().take(NAMED) {
        comment(out, 4, line);
    }
    if found.len() > NAMED {
        comment(out, 4, &format!("and {} more", found.len() - NAMED));
    }
    let known = rule.parameters.iter().filter(|p| !matches!(p.kind, ParameterKind::Confirm));
    for parameter in known {
        comment(out, 4, parameter.prompt);
        let value = match (rule.id, parameter.kind) {
            ("insecure-flag", ParameterKind::Map) => {
                let flags = CATALOGUE.map(|(name, secure)| format!("{name}: \"{secure}\""));
                format!("{{{}}}", flags.join(", "))
            }
            (_, ParameterKind::Map) => "{}".to_owned(),
            (_, ParameterKind::List) => "[]".to_owned(),
            _ => parameter.default.map(|default| format!("{default:?}")).unwrap_or_default(),
        };
        comment(out, 4, format!("{}: {value}", parameter.key).trim_end());
    }
}

/// Where the flags of the catalogue stand.
fn flags(inventory: &Inventory) -> Vec<String> {
    let is_flag = |key: &str| CATALOGUE.iter().any(|(name, _)| *name == key);
    settings_of(inventory, |key, value| is_flag(key) && parse_switch(value).is_some())
}

/// Where an address of a development service stands.
fn endpoints(inventory: &Inventory) -> Vec<String> {
    const WORDS: [&str; 4] = ["localstack", "minio", ":4566", "localhost"];
    settings_of(inventory, |key, value| {
        let value = value.to_lowercase();
        !mask::is_masked_key(key) && WORDS.iter().any(|word| value.contains(word))
    })
}

/// The settings of the audited namespaces that match, by key and object.
fn settings_of(inventory: &Inventory, matches: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let found = |key: &str, object: &ObjectRef| format!("found: {key} in {object}");
    let mut out = Vec::new();
    for map in inventory.config_maps.iter().filter(|map| inventory.scope.covers(map.namespace())) {
        let keys = map.data.iter().filter(|(key, value)| matches(key, value));
        out.extend(keys.map(|(key, _)| found(key, &map.subject)));
    }
    for (_, workload) in inventory.audited_workloads() {
        let containers = workload.template().into_iter().flat_map(|template| &template.spec.containers);
        for variable in containers.flat_map(|container| &container.env) {
            if variable.value.as_deref().is_some_and(|value| matches(&variable.name, value)) {
                out.push(found(&variable.name, &workload.subject));
            }
        }
    }
    out
}

fn load_balancers(inventory: &Inventory) -> Vec<String> {
    let audited = inventory.services.iter().filter(|service| inventory.scope.covers(service.namespace()));
    audited.filter(|s| s.kind() == "LoadBalancer").map(|s| format!("found: {}", s.subject)).collect()
}

fn waivers(out: &mut String, audit: &Audit) {
    add(out, "\n# Findings that somebody accepts. They leave the score and stay in the report.");
    add(out, "waivers: []");
    let (rule, object) = audit
        .findings
        .first()
        .map_or(("RULE", "Kind/namespace/name".to_owned()), |finding| (finding.rule, finding.object.to_string()));
    comment(out, 0, &format!("- {{rule: {rule}, object: {object:?}, reason: \"why\", until: 2027-01-31}}"));
}

/// The rules about what may stand outside the cluster, where nothing was seen inside.
fn attestations(out: &mut String, inventory: &Inventory, audit: &Audit) {
    add(out, "\n# What nobody can see from inside the cluster and somebody vouches for; each holds for 90 days.");
    add(out, "attestations: {}");
    let today = inventory.taken_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    for outcome in &audit.rules {
        let outside = matches!(outcome.rule.category, Category::Monitoring | Category::BackupDr);
        let is_open = |verdict: &Verdict| matches!(verdict, Verdict::Fail | Verdict::Unknown { .. });
        if outside && outcome.outcomes.iter().any(|(_, verdict)| is_open(verdict)) {
            comment(out, 0, &format!("{}: {{statement: \"what is so\", date: {today}}}", outcome.rule.id));
        }
    }
}

#[cfg(test)]
mod tests;
