//! cert-manager's issuers, and which hosts an Ingress serves with TLS.
//!
//! Sources: the reference documentation of cert-manager (issuers, ACME solvers) and of `IngressTLS`.

use serde_json::Value;

use super::cluster::Other;
use super::ingress::Ingress;
use super::inventory::Inventory;
use super::object::Subject;
use super::store::Item;

/// The resource of cert-manager's certificates.
pub const CERTIFICATES: &str = "certificates.cert-manager.io";

/// Something that issues certificates for a namespace.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The object.
    pub subject: Subject,
    /// `None` where files can't say.
    pub ready: Option<bool>,
    /// True if it speaks ACME: its certificates stand in public logs.
    pub acme: bool,
    /// True if it can prove wildcard hosts: not by ACME, or with a DNS solver.
    pub proves_wildcards: bool,
    /// True if it proves hosts by HTTP, and callers must reach port 80.
    pub by_http: bool,
}

/// The issuers that an Ingress of this namespace may use: its own, and the cluster's.
pub fn issuers(inventory: &Inventory, namespace: &str) -> Vec<Issuer> {
    let cluster = inventory.other("clusterissuers.cert-manager.io");
    let own = inventory.other("issuers.cert-manager.io").filter(|issuer| issuer.namespace() == namespace);
    cluster.chain(own).map(|issuer| read(inventory, issuer)).collect()
}

fn read(inventory: &Inventory, issuer: &Item<Other>) -> Issuer {
    let acme = issuer.at("/spec/acme");
    let solvers = acme.and_then(|acme| acme.get("solvers")?.as_array());
    let has_solver = |kind: &str| solvers.into_iter().flatten().any(|solver| solver.get(kind).is_some());
    Issuer {
        subject: issuer.subject.clone(),
        ready: inventory.is_live().then(|| condition(issuer, "Ready").is_some_and(|(status, _)| status == "True")),
        acme: acme.is_some(),
        proves_wildcards: acme.is_none() || has_solver("dns01"),
        by_http: acme.is_some() && has_solver("http01"),
    }
}

/// The status and the message of a condition.
pub fn condition<'a>(object: &'a Other, kind: &str) -> Option<(&'a str, &'a str)> {
    let conditions = object.at("/status/conditions")?.as_array()?;
    let text = |condition: &'a Value, key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
    let found = conditions.iter().find(|condition| text(condition, "type") == kind)?;
    Some((text(found, "status"), text(found, "message")))
}

/// True if a host is among these, where `*.example.com` stands for one more label.
pub fn covers<'a>(hosts: impl IntoIterator<Item = &'a str>, host: &str) -> bool {
    hosts.into_iter().any(|known| {
        let wild = || Some((known.strip_prefix("*.")?, host.split_once('.')?.1));
        known.eq_ignore_ascii_case(host) || wild().is_some_and(|(suffix, rest)| suffix.eq_ignore_ascii_case(rest))
    })
}

/// The hosts of an Ingress without TLS, each once and in order, `""` for routes of every host. An
/// entry of `spec.tls` without hosts stands for all of them.
pub fn hosts_without_tls(ingress: &Ingress) -> Vec<&str> {
    let everything = ingress.spec.tls.iter().any(|tls| tls.hosts.is_empty());
    let known = || ingress.spec.tls.iter().flat_map(|tls| &tls.hosts).map(String::as_str);
    let mut hosts: Vec<&str> = ingress
        .spec
        .rules
        .iter()
        .map(|rule| rule.host.as_deref().unwrap_or_default())
        .filter(|host| !everything && !covers(known(), host))
        .collect();
    if ingress.spec.rules.is_empty() && ingress.spec.default_backend.is_some() && ingress.spec.tls.is_empty() {
        hosts.push("");
    }
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covers(["*.example.com"], "a.example.com"));
        assert!(!covers(["*.example.com"], "a.b.example.com"));
        assert!(!covers(["*.example.com"], "example.com"));
        assert!(covers(["*.example.com"], "*.example.com"));
    }

    #[test]
    fn hosts_that_no_entry_names() {
        let ingress: Ingress = serde_json::from_value(json!({"spec": {
            "rules": [{"host": "b.example.com"}, {"host": "a.example.com"}, {"host": "x.example.org"}],
            "tls": [{"hosts": ["*.example.org"]}]}}))
        .unwrap();
        assert_eq!(hosts_without_tls(&ingress), ["a.example.com", "b.example.com"]);
    }
}
