//! The change of a Service from a load balancer to a cluster IP, and what stands against it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Scene;
use crate::fix::{Applicability, Edit, Fix, Reversible, Step};
use crate::model::admittance;
use crate::model::balancer::{self, Feature, SOURCE_RANGES};
use crate::model::exposure::{Entry, Exposure, Proof};
use crate::model::network::Service;
use crate::model::object::pointer;
use crate::model::{Inventory, Item};

impl Scene<'_> {
    /// The last stage: the Service without a load balancer.
    pub(super) fn convert(&self, service: &Item<Service>, entry: &Entry, proof: &Proof) -> Fix {
        let address = service.status.addresses().collect::<Vec<_>>().join(", ");
        let mut fix = Fix::new(format!("Change {} to ClusterIP", service.subject.short()), Applicability::Unsafe)
            .ask(self.context.input(&service.subject, "confirm", false))
            .step(step(self.context.inventory, service));
        fix.reversible = Reversible::ConfigOnly;
        let pending = self.context.inventory.is_live() && address.is_empty();
        fix.irreversible = (!pending).then(|| match address.as_str() {
            "" => format!("the external address of {}", service.subject.short()),
            address => format!("the external address {address}"),
        });
        fix.consequences = consequences(service, &address);
        fix.notes = notes(service);
        self.guard_route(&mut fix, service, entry, proof);
        self.guard_address(&mut fix, service);
        self.guard_features(&mut fix, service, entry, proof);
        fix
    }

    fn guard_route(&self, fix: &mut Fix, service: &Item<Service>, entry: &Entry, proof: &Proof) {
        let inventory = self.context.inventory;
        match proof {
            Proof::Missing(reasons) => fix.refuse("routing", format!("no proven route: {}", reasons.join("; "))),
            Proof::Open(_, why) => fix.demote(Applicability::Unsafe, "routing", why.clone()),
            Proof::Proven(..) => {}
        }
        for port in unrouted(&self.exposure, service) {
            fix.consequences.push(format!("port {port} has no route and is no longer reached from outside"));
        }
        if let Some(reason) = admittance::shut_out(inventory, service, Some(entry)) {
            if inventory.is_live() {
                fix.refuse("network-policy", reason);
            } else {
                fix.demote(Applicability::Unsafe, "network-policy", reason);
            }
        }
    }

    fn guard_address(&self, fix: &mut Fix, service: &Item<Service>) {
        let inventory = self.context.inventory;
        let hits: BTreeSet<String> =
            self.hits_of(service).map(|hit| format!("{} {}", hit.object, hit.pointer)).collect();
        if !hits.is_empty() {
            let places = hits.into_iter().collect::<Vec<_>>().join(", ");
            fix.refuse("address-in-use", format!("the address is written in {places}"));
        } else if !inventory.is_live() && service.status.addresses().next().is_none() {
            fix.demote(
                Applicability::Unsafe,
                "address-in-use",
                "the address is not in the files: nobody could look for it",
            );
        }
        for kind in ["configmaps", "deployments"] {
            if let Some(gap) = inventory.gaps.iter().find(|gap| gap.kind == kind) {
                let reason = format!("not looked for in {kind} of {}: {}", gap.scope, gap.reason);
                fix.demote(Applicability::Unsafe, "address-in-use", reason);
            }
        }
        let answer = self.context.value(&service.subject, "confirm");
        let confirmed = answer.is_some_and(|answer| answer == service.subject.path() || answer == service.name());
        let managed = service.metadata.annotation("external-dns.alpha.kubernetes.io/hostname");
        if let (Some(host), false) = (managed, confirmed) {
            fix.refuse(
                "dns",
                format!("external-dns drops or moves {host} with the address; confirm when DNS points elsewhere"),
            );
        }
    }

    fn guard_features(&self, fix: &mut Fix, service: &Item<Service>, entry: &Entry, proof: &Proof) {
        let inventory = self.context.inventory;
        let lost: Vec<String> = balancer::features(service)
            .iter()
            .filter(|feature| !is_recreated(inventory, feature, entry, proof))
            .map(describe)
            .collect();
        if lost.is_empty() {
            return;
        }
        let waived = self.context.value(&service.subject, "features").as_deref() == Some("yes");
        fix.inputs.push(self.context.input(&service.subject, "features", false));
        for text in &lost {
            fix.consequences.push(format!("lost: {text}"));
        }
        if !waived {
            let reason =
                format!("not re-created: {} (--set redundant-load-balancer.features=yes gives up)", lost.join("; "));
            fix.refuse("features", reason);
        }
    }
}

/// The patch: the type, and every field that the server would not clear by itself. The cluster IP
/// must be the one that was read. In files everything goes that only a load balancer may have.
fn step(inventory: &Inventory, service: &Item<Service>) -> Step {
    let spec = &service.spec;
    let mut edits = vec![Edit::set("/spec/type", "ClusterIP")];
    let mut drop = |present: bool, field: &str| {
        if present {
            edits.push(Edit::remove(format!("/spec/{field}")));
        }
    };
    drop(spec.external_traffic_policy.is_some() && spec.external_ips.is_empty(), "externalTrafficPolicy");
    drop(!spec.load_balancer_source_ranges.is_empty(), "loadBalancerSourceRanges");
    drop(spec.load_balancer_ip.is_some(), "loadBalancerIP");
    if !inventory.is_live() {
        drop(spec.load_balancer_class.is_some(), "loadBalancerClass");
        drop(spec.allocate_load_balancer_node_ports.is_some(), "allocateLoadBalancerNodePorts");
        drop(spec.health_check_node_port.is_some(), "healthCheckNodePort");
        for (at, port) in spec.ports.iter().enumerate() {
            drop(port.node_port.is_some(), &format!("ports/{at}/nodePort"));
        }
    }
    if service.metadata.annotation(SOURCE_RANGES).is_some() {
        edits.push(Edit::remove(pointer("/metadata/annotations", &[SOURCE_RANGES])));
    }
    let cluster_ip = spec.cluster_ip.iter().map(|ip| ("/spec/clusterIP".to_owned(), Value::from(ip.clone())));
    Step::Patch { object: service.subject.clone(), subresource: None, edits, expect: cluster_ip.collect() }
}

fn consequences(service: &Service, address: &str) -> Vec<String> {
    let mut out = Vec::new();
    if !address.is_empty() {
        out.push(format!("requests to {address} fail from then on"));
    }
    let ports: Vec<String> =
        service.spec.ports.iter().filter_map(|port| port.node_port).map(|port| port.to_string()).collect();
    match ports.as_slice() {
        [] => {}
        [port] => out.push(format!("node port {port} is released; undo may get another")),
        ports => out.push(format!("node ports {} are released; undo may get others", ports.join(", "))),
    }
    if let Some(port) = service.spec.health_check_node_port {
        out.push(format!("health check port {port} is released; undo may get another"));
    }
    out.push("requests pass the entry point's limits on size and time (413, 504)".to_owned());
    out
}

fn notes(service: &Service) -> Vec<String> {
    let has = |part: &str| service.metadata.annotations.keys().any(|key| key.contains(part));
    let mut out = vec![
        "undo restores the configuration, not the address; reserve it at the provider first if it must stay".to_owned(),
    ];
    if has("do-loadbalancer") || has("kubernetes.digitalocean.com") {
        out.push("DigitalOcean keeps the load balancer and its address if service.kubernetes.io/do-loadbalancer-disown: \"true\" is set before".to_owned());
    }
    out.push("it is paid for until the finalizer service.kubernetes.io/load-balancer-cleanup is gone".to_owned());
    out
}

/// Ports of the Service that no route leads to.
fn unrouted(exposure: &Exposure, service: &Item<Service>) -> Vec<i64> {
    let routed: BTreeSet<i64> =
        exposure.routes_to(service).iter().filter_map(|route| Some(service.port(&route.port)?.port)).collect();
    service.spec.ports.iter().map(|port| port.port).filter(|port| !routed.contains(port)).collect()
}

fn describe(feature: &Feature) -> String {
    match feature {
        Feature::Tls(key) => format!("TLS ends at the load balancer ({key})"),
        Feature::SourceRanges(ranges) => format!("only {} may call it", ranges.join(", ")),
        Feature::ProxyProtocol(key) => format!("PROXY protocol ({key})"),
        Feature::ClientAddress => "the client's address (externalTrafficPolicy: Local)".to_owned(),
        Feature::Sticky(key) => format!("sticky sessions ({key})"),
    }
}

/// True if the Ingress that leads to the Service, or the load balancer before its controller, does
/// the same.
fn is_recreated(inventory: &Inventory, feature: &Feature, entry: &Entry, proof: &Proof) -> bool {
    let (Proof::Proven(route, _) | Proof::Open(route, _)) = proof else {
        return false;
    };
    let ingress = inventory.ingresses.get(route.via.namespace(), "Ingress", &route.via.name);
    let annotation = |keys: &[&str]| keys.iter().find_map(|key| ingress?.metadata.annotation(key));
    let fronts = || entry.services.iter().filter_map(|s| inventory.services.get(s.namespace(), "Service", &s.name));
    match feature {
        Feature::Tls(_) => ingress.is_some_and(|ingress| {
            let hosts = ingress.spec.tls.iter().flat_map(|tls| &tls.hosts);
            route.host.as_ref().is_some_and(|host| hosts.into_iter().any(|known| known == host))
        }),
        Feature::SourceRanges(ranges) => {
            let keys = [
                "nginx.ingress.kubernetes.io/allowlist-source-range",
                "nginx.ingress.kubernetes.io/whitelist-source-range",
            ];
            let allowed: BTreeSet<&str> = annotation(&keys).unwrap_or_default().split(',').map(str::trim).collect();
            allowed.iter().all(|range| ranges.iter().any(|known| known == range))
        }
        Feature::ProxyProtocol(_) | Feature::ClientAddress => fronts().any(|front| {
            let kept = balancer::features(front);
            kept.iter().any(|kept| matches!(kept, Feature::ProxyProtocol(_) | Feature::ClientAddress))
        }),
        Feature::Sticky(_) => annotation(&["nginx.ingress.kubernetes.io/affinity"]) == Some("cookie"),
    }
}
