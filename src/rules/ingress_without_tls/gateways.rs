//! Gateways: which hosts their routes serve by HTTP listeners alone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::finding::{Finding, Location};
use crate::fix::{Applicability, Fix};
use crate::model::cluster::Other;
use crate::model::{Inventory, Item};
use crate::rules::rule::{Context, Verdicts};

/// A listener of a Gateway.
struct Listener<'a> {
    name: &'a str,
    port: Option<i64>,
    /// Empty for every host.
    host: &'a str,
    is_plain: bool,
    is_secure: bool,
}

/// A Gateway fails if a route serves a host by an HTTP listener, and no HTTPS listener that the
/// route has too takes that host.
pub(super) fn judge(context: &Context<'_>, verdicts: &mut Verdicts<'_>, gateway: &Item<Other>) {
    let listeners: Vec<Listener<'_>> = list(gateway.at("/spec/listeners")).map(Listener::of).collect();
    let (mut is_routed, mut plain) = (false, BTreeMap::<usize, Vec<String>>::new());
    for (route, attached) in attached(context.inventory, gateway, &listeners) {
        is_routed = true;
        if redirects(route) {
            continue;
        }
        for at in attached.iter().copied().filter(|at| listeners[*at].is_plain) {
            let secure = attached.iter().map(|at| &listeners[*at]).filter(|listener| listener.is_secure);
            let hosts = hosts(route, &listeners[at]);
            let bare = hosts.into_iter().filter(|host| !secure.clone().any(|listener| takes(listener.host, host)));
            let told = bare.map(|host| format!("{} by {}", shown(&host), route.subject.short()));
            plain.entry(at).or_default().extend(told);
        }
    }
    plain.retain(|_, hosts| !hosts.is_empty());
    if !is_routed {
        verdicts.na(&gateway.subject);
    } else if plain.is_empty() {
        verdicts.pass(&gateway.subject);
    } else {
        verdicts.fail(finding(context, gateway, &listeners, plain));
    }
}

fn finding(
    context: &Context<'_>,
    gateway: &Item<Other>,
    listeners: &[Listener<'_>],
    plain: BTreeMap<usize, Vec<String>>,
) -> Finding {
    let mut finding = context.finding(gateway, "routes come in by HTTP listeners only");
    for (at, mut hosts) in plain {
        let name = listeners[at].name;
        let place = Location::at(format!("/spec/listeners/{at}")).named(format!("listeners/{name}"));
        hosts.sort();
        hosts.dedup();
        finding = hosts.into_iter().fold(finding.at(place), |finding, host| {
            finding.because(format!("listener {name} serves {host}, which has no HTTPS listener for it"))
        });
    }
    let fix = Fix::new(format!("Add an HTTPS listener to {}", gateway.subject.short()), Applicability::Manual)
        .note("add a listener with protocol HTTPS and tls.certificateRefs, attach the routes to it, then redirect HTTP by an HTTPRoute filter");
    finding.fix(fix)
}

impl<'a> Listener<'a> {
    fn of(listener: &'a Value) -> Self {
        let text = |key: &str| listener.get(key).and_then(Value::as_str).unwrap_or_default();
        let protocol = text("protocol");
        Self {
            name: text("name"),
            port: listener.get("port").and_then(Value::as_i64),
            host: text("hostname"),
            is_plain: protocol == "HTTP",
            is_secure: matches!(protocol, "HTTPS" | "TLS"),
        }
    }
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// The routes of a Gateway with the listeners that they attach to: those of `sectionName` and
/// `port`, or all; of them those with a host of the route.
fn attached<'a>(
    inventory: &'a Inventory,
    gateway: &Item<Other>,
    listeners: &[Listener<'_>],
) -> Vec<(&'a Item<Other>, Vec<usize>)> {
    let mut out = Vec::new();
    for route in inventory.other("httproutes.gateway.networking.k8s.io") {
        let parents: Vec<&Value> =
            list(route.at("/spec/parentRefs")).filter(|p| is_parent(p, route, gateway)).collect();
        let meant = |listener: &Listener<'_>| {
            parents.iter().any(|parent| {
                parent.get("sectionName").and_then(Value::as_str).is_none_or(|name| name == listener.name)
                    && parent.get("port").and_then(Value::as_i64).is_none_or(|port| Some(port) == listener.port)
            })
        };
        let wanted = |at: &usize| meant(&listeners[*at]) && !hosts(route, &listeners[*at]).is_empty();
        let places: Vec<usize> = (0..listeners.len()).filter(wanted).collect();
        if !places.is_empty() {
            out.push((&**route, places));
        }
    }
    out
}

fn is_parent(parent: &Value, route: &Item<Other>, gateway: &Item<Other>) -> bool {
    let text = |key: &str| parent.get(key).and_then(Value::as_str);
    text("kind").unwrap_or("Gateway") == "Gateway"
        && text("name") == Some(gateway.name())
        && text("namespace").unwrap_or(route.namespace()) == gateway.namespace()
}

/// The hosts that a route serves by a listener: those that both take, `""` for every host.
fn hosts(route: &Item<Other>, listener: &Listener<'_>) -> Vec<String> {
    let own: Vec<&str> = list(route.at("/spec/hostnames")).filter_map(Value::as_str).collect();
    if own.is_empty() {
        return vec![listener.host.to_owned()];
    }
    let both = |host: &&str| match (takes(listener.host, host), takes(host, listener.host)) {
        (true, _) => Some((*host).to_owned()),
        (_, true) => Some(listener.host.to_owned()),
        _ => None,
    };
    own.iter().filter_map(both).collect()
}

/// True if a hostname of the Gateway API takes every host that another one stands for. There a
/// wildcard stands for one or more labels, and none at all for every host.
fn takes(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    let below = |suffix: &str| host.strip_suffix(suffix).is_some_and(|rest| !rest.is_empty());
    pattern.is_empty() || pattern == host || pattern.strip_prefix('*').is_some_and(below)
}

/// True if every rule of the route sends its callers to HTTPS.
fn redirects(route: &Item<Other>) -> bool {
    let to_https = |filter: &Value| filter.pointer("/requestRedirect/scheme").and_then(Value::as_str) == Some("https");
    let mut rules = list(route.at("/spec/rules")).peekable();
    rules.peek().is_some() && rules.all(|rule| list(rule.get("filters")).any(to_https))
}

fn shown(host: &str) -> &str {
    if host.is_empty() { "every host" } else { host }
}

#[cfg(test)]
mod tests {
    use super::takes;

    #[test]
    fn wildcards_stand_for_labels_and_nothing_for_everything() {
        for (pattern, host, expected) in [
            ("", "shop.example.com", true),
            ("", "", true),
            ("shop.example.com", "", false),
            ("*.example.com", "", false),
            ("*.example.com", "shop.example.com", true),
            ("*.example.com", "a.shop.Example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "*.example.com", true),
            ("*.example.com", "*.shop.example.com", true),
            ("*.shop.example.com", "*.example.com", false),
            ("shop.example.com", "*.example.com", false),
        ] {
            assert_eq!(takes(pattern, host), expected, "{pattern} {host}");
        }
    }
}
