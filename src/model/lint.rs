//! What the selectors and ports of network policies lead to.

use std::collections::BTreeSet;

use super::inventory::{Inventory, SYSTEM_NAMESPACES};
use super::isolation::NAMESPACE_NAME;
use super::makers::{self, Made};
use super::network::{NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule};
use super::number::IntOrString;
use super::selector::{Labels, Selector};
use super::store::Item;

/// The namespaces that were read and those that every cluster has, with the label of their own
/// name, which the server adds.
pub fn namespaces(inventory: &Inventory) -> Vec<(&str, Labels)> {
    let all = inventory.namespaces.iter().map(|namespace| {
        let mut labels = namespace.metadata.labels.clone();
        labels.insert(NAMESPACE_NAME.to_owned(), namespace.name().to_owned());
        (namespace.name(), labels)
    });
    let mut all: Vec<_> = all.collect();
    for name in SYSTEM_NAMESPACES.into_iter().chain(["default"]) {
        if !all.iter().any(|(known, _)| *known == name) {
            all.push((name, Labels::from_iter([(NAMESPACE_NAME.to_owned(), name.to_owned())])));
        }
    }
    all
}

/// True if every namespace of the cluster was read, so that a selector that selects none is a fact.
pub fn sees_all_namespaces(inventory: &Inventory) -> bool {
    let read = inventory.is_live() && !inventory.namespaces.is_empty() && inventory.unseen("namespaces", "").is_none();
    read || inventory.is_complete()
}

/// True if every workload of a namespace was read. What the cluster itself runs stands in no
/// manifest.
pub fn sees_all_pods(inventory: &Inventory, namespace: &str) -> bool {
    // Of namespaces that are not audited only some kinds are read.
    let is_read = inventory.scope.namespaces.as_ref().is_none_or(|names| names.contains(namespace));
    let lists = ["pods", "deployments", "statefulsets", "daemonsets", "cronjobs", "jobs"];
    inventory.is_complete() && !SYSTEM_NAMESPACES.contains(&namespace)
        || inventory.is_live() && is_read && lists.iter().all(|list| inventory.unseen(list, namespace).is_none())
}

/// Why a selector that selects nothing of a namespace may still select pods, if it may.
pub fn unseen_pods(inventory: &Inventory, namespace: &str, selector: &Selector) -> Option<String> {
    if !sees_all_pods(inventory, namespace) {
        return Some("they were not read".to_owned());
    }
    makers::made(inventory, namespace, selector).reason()
}

/// True if a selector selects a template, also that of a custom resource, or a pod of the namespace.
pub fn selects_any(inventory: &Inventory, namespace: &str, selector: &Selector) -> bool {
    !inventory.selected_workloads(namespace, selector).is_empty()
        || !inventory.selected_pods(namespace, selector).is_empty()
        || matches!(makers::made(inventory, namespace, selector), Made::By(_))
}

/// The rules of a direction with the name of their list of peers.
pub fn rules<'a>(policy: &'a NetworkPolicy, direction: &str) -> (&'static str, &'a [PolicyRule]) {
    if direction == "Ingress" { ("from", &policy.spec.ingress) } else { ("to", &policy.spec.egress) }
}

/// The peers of a rule in a direction.
pub fn peers<'a>(rule: &'a PolicyRule, list: &str) -> &'a [PolicyPeer] {
    if list == "from" { &rule.from } else { &rule.to }
}

/// The workloads that a peer selects: positions, in namespaces that were read or in the policy's own.
pub fn selected(
    inventory: &Inventory,
    namespaces: &[(&str, Labels)],
    policy: &Item<NetworkPolicy>,
    peer: &PolicyPeer,
) -> Vec<usize> {
    let pods = peer.pod_selector.clone().unwrap_or_default();
    let Some(spaces) = &peer.namespace_selector else {
        return peer
            .pod_selector
            .as_ref()
            .map_or_else(Vec::new, |pods| inventory.selected_workloads(policy.namespace(), pods));
    };
    let wanted = namespaces.iter().filter(|(_, labels)| spaces.matches(labels));
    wanted.flat_map(|(name, _)| inventory.selected_workloads(name, &pods)).collect()
}

/// What is wrong with a port of a policy for the workloads that it is a port of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortDefect {
    /// It is the port of a Service, whose pods listen on another one.
    ServicePort {
        /// The Service; several where their pods listen on different ports.
        services: Vec<String>,
        /// The pods' ports in order: several, if a name has another number in each template.
        pod_ports: Vec<i64>,
        /// The name by which the Services lead to it, if all have the same.
        name: Option<IntOrString>,
    },
    /// No container declares a port of this name.
    NoSuchName,
}

/// Judges a port. Declared ports are only documentation, so a number is wrong only if a Service
/// explains the mistake: it has the number as its own port and leads to another one.
pub fn judge_port(inventory: &Inventory, workloads: &[usize], port: &PolicyPort) -> Option<PortDefect> {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let declared = |wanted: &IntOrString| {
        workloads.iter().any(|position| {
            let template = inventory.workloads.at(*position).template();
            template.into_iter().flat_map(|template| template.spec.all_containers()).any(|(_, _, container)| {
                container.ports.iter().any(|port| match wanted {
                    IntOrString::Int(number) => port.container_port == *number,
                    IntOrString::Text(name) => {
                        port.name.as_deref() == Some(name) && port.protocol.as_deref().unwrap_or("TCP") == protocol
                    }
                })
            })
        })
    };
    let wanted = port.port.as_ref()?;
    if workloads.is_empty() || declared(wanted) || port.end_port.is_some() {
        return None;
    }
    let IntOrString::Int(number) = wanted else {
        return Some(PortDefect::NoSuchName);
    };
    service_port(inventory, workloads, *number, protocol)
}

/// The Services that have a number as their own port, if none leads to it.
fn service_port(inventory: &Inventory, workloads: &[usize], number: i64, protocol: &str) -> Option<PortDefect> {
    let (mut services, mut pod_ports, mut names) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for position in workloads {
        let workload = inventory.workloads.at(*position);
        for service in inventory.services_of(*position).filter(|service| !service.is_headless()) {
            for port in service.spec.ports.iter().filter(|port| port.protocol() == protocol) {
                let IntOrString::Int(target) = super::isolation::pod_port(workload, port).port else { continue };
                if target == number {
                    return None;
                }
                if port.port == number {
                    services.push(service.subject.short());
                    pod_ports.insert(target);
                    names.insert(port.target());
                }
            }
        }
    }
    if pod_ports.len() > 1 {
        services.sort();
        services.dedup();
    } else {
        services.truncate(1);
    }
    let first = names.pop_first().filter(|name| matches!(name, IntOrString::Text(_)));
    let name = first.filter(|_| names.is_empty());
    let pod_ports: Vec<i64> = pod_ports.into_iter().collect();
    (!pod_ports.is_empty()).then_some(PortDefect::ServicePort { services, pod_ports, name })
}

/// True if the rules let pods ask the cluster's DNS.
pub fn lets_dns(rules: &[&PolicyRule]) -> bool {
    rules.iter().any(|rule| {
        let named = rule.ports.iter().any(is_dns_port);
        let inside = |peer: &PolicyPeer| {
            let by_name = |selector: &Selector| {
                let mut values = selector.match_labels.values();
                let named = |name: &str| Labels::from_iter([(NAMESPACE_NAME.to_owned(), name.to_owned())]);
                values.any(|value| value == "kube-system" || value == "openshift-dns")
                    || selector.matches(&named("kube-system"))
                    || selector.matches(&named("openshift-dns"))
            };
            peer.ip_block.is_some() || peer.namespace_selector.as_ref().is_some_and(by_name)
        };
        named || (rule.ports.is_empty() && (rule.to.is_empty() || rule.to.iter().any(inside)))
    })
}

fn is_dns_port(port: &PolicyPort) -> bool {
    match (&port.port, port.end_port) {
        (None, _) => true,
        (Some(IntOrString::Int(first)), Some(last)) => (*first..=last).contains(&53),
        (Some(IntOrString::Int(number)), None) => matches!(number, 53 | 1053 | 5353 | 8053),
        (Some(IntOrString::Text(name)), _) => name.contains("dns"),
    }
}
