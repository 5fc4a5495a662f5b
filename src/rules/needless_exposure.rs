//! needless-exposure: ports that are open to the outside without an entry point between.

use std::sync::LazyLock;

use regex::Regex;

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::network::Service;
use crate::model::object::pointer;
use crate::model::pod::resolve_port;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, balancer, exposure};

declare_rule! {
    /// ## What it does
    /// Reports Services of type NodePort, Services with `externalIPs`, databases and caches (ports
    /// 3306, 4566, 5432, 6379, 9200, 27017) behind a load balancer or node port, admin tools such as
    /// Metabase and Grafana behind a load balancer that lets everybody in, and containers with a
    /// `hostPort`. Ingress controllers are at home there. Load balancers that providers keep
    /// internal are not reported, nor are pods on the host's network, whose ports the server copies
    /// to `hostPort`. It does not apply to development services.
    ///
    /// ## Why it matters
    /// Every node answers at a node port and a host port, with no TLS, no allow-list and no log
    /// between. A database that the internet can reach is tried within minutes.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: db, namespace: shop}
    /// spec: {type: NodePort, selector: {app: db}, ports: [{port: 5432}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: db, namespace: shop}
    /// spec: {type: ClusterIP, selector: {app: db}, ports: [{port: 5432}]}
    /// ```
    ///
    /// ## Fix
    /// Manual, since nobody but its callers knows who needs the port. Change the type to ClusterIP
    /// and route HTTP through an Ingress or Gateway; reach databases by `kubectl port-forward` or a
    /// private network; give the load balancer of an admin tool `loadBalancerSourceRanges`.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/service/#publishing-services-service-types>
    /// - <https://kubernetes.io/docs/concepts/configuration/overview/>
    /// - <https://github.com/kubernetes/kubernetes/issues/97076>
    id: "needless-exposure",
    summary: "port open to the outside without need",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::NetworkSecurity,
    fix: Some(Applicability::Manual),
    impact: "The outside reaches the port with nothing between.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

/// Ports of databases, caches and object stores.
const DATA_PORTS: [i64; 6] = [3306, 4566, 5432, 6379, 9200, 27017];

static ADMIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(^|/|-)(metabase|grafana|pgadmin4?|phpmyadmin|adminer|kibana|dashboard|prometheus|alertmanager",
        r"|argocd|redis-commander|redisinsight|mongo-express|superset|jenkins|kafka-ui|flower)([:@/-]|$)",
    ))
    .expect("a constant pattern")
});

/// One thing that is open: what, where, and what to do.
struct Opening {
    what: String,
    at: Location,
    advice: &'static str,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for service in inventory.services.iter().filter(|service| inventory.scope.covers(service.namespace())) {
        if inventory.workloads_of(service).any(|workload| super::is_development(context, workload)) {
            verdicts.na(&service.subject);
            continue;
        }
        let openings = openings(inventory, service);
        if openings.is_empty() {
            verdicts.pass(&service.subject);
        } else {
            verdicts.fail(report(context.finding(service, message(&openings)), openings));
        }
    }
    for (_, workload) in inventory.audited_workloads() {
        let openings = host_ports(workload);
        if !openings.is_empty() && !super::is_development(context, workload) {
            verdicts.fail(report(context.finding(workload, message(&openings)), openings));
        }
    }
}

fn message(openings: &[Opening]) -> String {
    openings.iter().map(|opening| opening.what.as_str()).collect::<Vec<_>>().join("; ")
}

fn report(mut finding: Finding, openings: Vec<Opening>) -> Finding {
    let mut fix = Fix::new("Close what the outside need not reach", Applicability::Manual);
    for opening in openings {
        if !fix.notes.iter().any(|note| note == opening.advice) {
            fix = fix.note(opening.advice);
        }
        finding = finding.at(opening.at).because(opening.what);
    }
    finding.fix(fix)
}

fn openings(inventory: &Inventory, service: &Item<Service>) -> Vec<Opening> {
    let mut out = Vec::new();
    if exposure::known_controller(inventory, service).is_some() {
        return out;
    }
    let kind = service.kind();
    if kind == "NodePort" {
        out.push(Opening {
            what: "every node answers for this Service (type NodePort)".to_owned(),
            at: Location::at("/spec/type"),
            advice: "change the type to ClusterIP and route through an Ingress or Gateway",
        });
    }
    if !service.spec.external_ips.is_empty() {
        out.push(Opening {
            what: format!("it takes the addresses {} for itself", service.spec.external_ips.join(", ")),
            at: Location::at("/spec/externalIPs"),
            advice: "remove externalIPs; whoever may write them can catch the cluster's traffic",
        });
    }
    let public = kind == "LoadBalancer" && balancer::without_public_cost(service).is_none();
    if kind == "NodePort" || public {
        out.extend(data_port(inventory, service, kind));
    }
    if public && !balancer::is_restricted(service) {
        out.extend(admin_tool(inventory, service));
    }
    out
}

fn data_port(inventory: &Inventory, service: &Item<Service>, kind: &str) -> Option<Opening> {
    let templates: Vec<_> = inventory.workloads_of(service).filter_map(|workload| workload.template()).collect();
    service.spec.ports.iter().enumerate().find_map(|(at, port)| {
        let behind =
            templates.iter().filter_map(|template| resolve_port(&template.spec, &port.target(), port.protocol()));
        let own = resolve_port(&crate::model::pod::PodSpec::default(), &port.target(), port.protocol());
        let number = [port.port].into_iter().chain(own).chain(behind).find(|number| DATA_PORTS.contains(number))?;
        Some(Opening {
            what: format!("port {number} of a database, cache or object store is behind a {kind}"),
            at: Location::at(format!("/spec/ports/{at}")).named(format!("/spec/ports/{}", port.port)),
            advice: "change the type to ClusterIP; use kubectl port-forward or a private network",
        })
    })
}

fn admin_tool(inventory: &Inventory, service: &Item<Service>) -> Option<Opening> {
    let images = inventory
        .workloads_of(service)
        .filter_map(|workload| workload.template())
        .flat_map(|template| template.spec.containers.iter().map(|container| container.image.as_str()));
    let named = images.chain([service.name()]).find(|name| ADMIN.is_match(name))?;
    let tool = ADMIN.captures(named)?.get(2)?.as_str().to_lowercase();
    Some(Opening {
        what: format!("{tool} is behind a load balancer that lets everybody in"),
        at: Location::at("/spec/loadBalancerSourceRanges"),
        advice: "set loadBalancerSourceRanges, or reach it through an Ingress that asks who calls",
    })
}

fn host_ports(workload: &Item<Workload>) -> Vec<Opening> {
    let Some(template) = workload.template().filter(|template| !template.spec.on_host_network()) else {
        return Vec::new();
    };
    let spec = workload.pod_spec_pointer();
    let containers = template.spec.all_containers().filter(|(_, _, c)| !exposure::is_controller_image(&c.image));
    containers
        .flat_map(|(list, index, container)| {
            let base = pointer(&spec, &[list, &index.to_string(), "ports"]);
            let stable = pointer(&spec, &[list, &container.name, "ports"]);
            container.ports.iter().enumerate().filter_map(move |(at, port)| {
                let number = port.host_port.filter(|number| *number > 0)?;
                let at = Location::at(format!("{base}/{at}/hostPort"))
                    .named(format!("{stable}/{}/hostPort", port.container_port));
                Some(Opening {
                    what: format!("container {} opens port {number} of its node (hostPort)", container.name),
                    at: at.values(Some(number.into()), None),
                    advice: "remove hostPort and use a Service",
                })
            })
        })
        .collect()
}
