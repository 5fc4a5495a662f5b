//! How the outside gets in: entry points, the routes behind them, and whether they are alive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::cluster::Other;
use super::inventory::Inventory;
use super::network::Service;
use super::number::IntOrString;
use super::object::Subject;
use super::store::Item;

/// Whether an entry point has a controller that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alive {
    /// It has, and this shows it.
    Yes(String),
    /// It has not.
    No(String),
    /// The files don't say.
    Unknown(String),
}

/// One way into the cluster: a class of Ingresses, a Gateway, or the Service of a known controller.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `IngressClass/nginx`, `Gateway/shop/public` or `Service/traefik/traefik`.
    pub name: String,
    /// The ingress class, for an Ingress to use.
    pub class: Option<String>,
    /// Whether it works.
    pub alive: Alive,
    /// Its addresses.
    pub addresses: BTreeSet<String>,
    /// The load balancers in front of it.
    pub services: Vec<Subject>,
}

/// One backend of an Ingress or of a Gateway's route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The Ingress, `HTTPRoute` or `GRPCRoute`.
    pub via: Subject,
    /// Where the backend stands in it.
    pub pointer: String,
    /// The host; every host if absent.
    pub host: Option<String>,
    /// The port of the Service.
    pub port: IntOrString,
    /// The names of its entries.
    pub entries: Vec<String>,
}

/// What is known about the way of a Service's traffic through an entry point.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A route leads to it.
    Proven(Route, String),
    /// A route leads to it, but nobody can say whether its controller works.
    Open(Route, String),
    /// None does; why not, for each route that was tried.
    Missing(Vec<String>),
}

/// All entries and routes, looked up by name.
#[derive(Clone, Debug, Default)]
pub struct Exposure {
    /// By name.
    pub entries: BTreeMap<String, Entry>,
    routes: BTreeMap<(String, String), Vec<Route>>,
    entry_of: BTreeMap<Subject, (String, String)>,
}

const GATEWAYS: &str = "gateways.gateway.networking.k8s.io";
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// True if an image is that of a known ingress controller.
pub fn is_controller_image(image: &str) -> bool {
    controller_of(image).is_some()
}

fn controller_of(image: &str) -> Option<&str> {
    let path = image.split('@').next()?;
    let last = path.rsplit('/').next()?.split(':').next()?;
    let parent = path.rsplit('/').nth(1).unwrap_or_default();
    let name = if last == "controller" { parent } else { last };
    CONTROLLER.is_match(name).then_some(name)
}

static CONTROLLER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(ingress-nginx|nginx-ingress(-controller)?|ingress-controller|traefik|contour|envoy(-gateway)?|kong(-gateway)?",
        r"|haproxy-ingress|kubernetes-ingress|emissary(-ingress)?|ambassador|istio-ingress(gateway)?|apisix(-gateway)?",
        r"|skipper-ingress|gloo-gateway|proxyv2)$",
    ))
    .expect("a constant pattern")
});

impl Exposure {
    /// Reads all entries and routes once.
    pub fn of(inventory: &Inventory) -> Self {
        let mut out = Self::default();
        out.add_classes(inventory);
        out.add_gateways(inventory);
        for kind in ["httproutes", "grpcroutes"] {
            for route in inventory.other(&format!("{kind}.gateway.networking.k8s.io")) {
                out.add_route(inventory, route);
            }
        }
        out.add_services(inventory);
        out
    }

    fn add_classes(&mut self, inventory: &Inventory) {
        let default = inventory.ingress_classes.iter().find(|class| class.is_default()).map(|class| class.name());
        for class in inventory.ingress_classes.iter() {
            self.class(inventory, class.name());
        }
        for ingress in inventory.ingresses.iter() {
            let class = ingress.class().or(default).unwrap_or("(none)").to_owned();
            let entry = self.class(inventory, &class);
            let before = entry.addresses.len();
            entry.addresses.extend(ingress.status.addresses().map(str::to_owned));
            let first = ingress.status.addresses().next().filter(|_| before == 0);
            if let (Some(address), true) = (first, inventory.is_live()) {
                entry.alive = Alive::Yes(format!("{} has the address {address}", ingress.subject));
            }
            let name = entry.name.clone();
            for (pointer, host, backend) in ingress.backends() {
                let route = Route {
                    via: ingress.subject.clone(),
                    pointer,
                    host: host.map(str::to_owned),
                    port: backend.port.wanted(),
                    entries: vec![name.clone()],
                };
                let key = (ingress.namespace().to_owned(), backend.name.clone());
                self.routes.entry(key).or_default().push(route);
            }
        }
    }

    fn class(&mut self, inventory: &Inventory, class: &str) -> &mut Entry {
        let name = format!("IngressClass/{class}");
        let alive = || match inventory.ingress_classes.get("", "IngressClass", class) {
            _ if inventory.is_live() => Alive::No(format!("no Ingress of class {class} has an address")),
            Some(found) => Alive::Yes(format!("IngressClass/{class} names the controller {}", found.spec.controller)),
            None if inventory.is_complete() => Alive::No(format!("there is no IngressClass {class}")),
            None => Alive::Unknown(format!("the controller of class {class} is not in the files")),
        };
        self.entries.entry(name.clone()).or_insert_with(|| Entry {
            name,
            class: (class != "(none)").then(|| class.to_owned()),
            alive: alive(),
            addresses: BTreeSet::new(),
            services: Vec::new(),
        })
    }

    fn add_gateways(&mut self, inventory: &Inventory) {
        for gateway in inventory.other(GATEWAYS) {
            let texts = gateway.at("/status/addresses").and_then(Value::as_array).into_iter().flatten();
            let addresses: BTreeSet<String> =
                texts.filter_map(|address| address.get("value")?.as_str()).map(str::to_owned).collect();
            let class = gateway.at("/spec/gatewayClassName").and_then(Value::as_str).unwrap_or_default();
            let known = inventory.other("gatewayclasses.gateway.networking.k8s.io").any(|found| found.name() == class);
            let alive = match addresses.first() {
                Some(address) if inventory.is_live() => {
                    Alive::Yes(format!("{} has the address {address}", gateway.subject))
                }
                None if inventory.is_live() => Alive::No(format!("{} has no address", gateway.subject)),
                _ if known => Alive::Yes(format!("GatewayClass/{class} names the controller")),
                _ if inventory.is_complete() => Alive::No(format!("there is no GatewayClass {class}")),
                _ => Alive::Unknown(format!("GatewayClass {class} is not in the files")),
            };
            let name = gateway.subject.to_string();
            self.entries.insert(name.clone(), Entry { name, class: None, alive, addresses, services: Vec::new() });
        }
    }

    fn add_route(&mut self, inventory: &Inventory, route: &Item<Other>) {
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        if inventory.is_live() && !is_accepted(route) {
            return;
        }
        let entries: Vec<String> = list(route.at("/spec/parentRefs"))
            .iter()
            .filter(|parent| text(parent, "kind").is_none_or(|kind| kind == "Gateway"))
            .filter_map(|parent| {
                let namespace = text(parent, "namespace").unwrap_or_else(|| route.namespace().to_owned());
                Some(format!("Gateway/{namespace}/{}", text(parent, "name")?))
            })
            .collect();
        let host = route.at("/spec/hostnames/0").and_then(Value::as_str).map(str::to_owned);
        for (i, rule) in list(route.at("/spec/rules")).iter().enumerate() {
            for (j, backend) in list(rule.get("backendRefs")).iter().enumerate() {
                let Some(name) = text(backend, "name").filter(|_| text(backend, "kind").is_none_or(|k| k == "Service"))
                else {
                    continue;
                };
                let namespace = text(backend, "namespace").unwrap_or_else(|| route.namespace().to_owned());
                let port = backend.get("port").and_then(Value::as_i64).unwrap_or_default();
                let route = Route {
                    via: route.subject.clone(),
                    pointer: format!("/spec/rules/{i}/backendRefs/{j}"),
                    host: host.clone(),
                    port: IntOrString::Int(port),
                    entries: entries.clone(),
                };
                self.routes.entry((namespace, name)).or_default().push(route);
            }
        }
    }

    /// Load balancers that are entries: by address, by their Gateway, by a known controller.
    fn add_services(&mut self, inventory: &Inventory) {
        let by_address: BTreeMap<String, String> = self
            .entries
            .values()
            .flat_map(|entry| entry.addresses.iter().map(|address| (address.clone(), entry.name.clone())))
            .collect();
        for service in inventory.services.iter().filter(|service| service.kind() == "LoadBalancer") {
            let by_address = service.status.addresses().find_map(|address| {
                Some((by_address.get(address)?.clone(), format!("its address {address} is that of the entry point")))
            });
            let known = || {
                let name = known_controller(inventory, service)?;
                let class = class_of(inventory, &name).unwrap_or_else(|| service.subject.to_string());
                Some((class, format!("{name} is an ingress controller")))
            };
            let found = by_address.or_else(|| gateway_of(service)).or_else(known);
            let Some((name, reason)) = found else { continue };
            let entry = self.entries.entry(name.clone()).or_insert_with(|| Entry {
                name: name.clone(),
                class: None,
                alive: alive_service(inventory, service),
                addresses: service.status.addresses().map(str::to_owned).collect(),
                services: Vec::new(),
            });
            entry.services.push(service.subject.clone());
            if matches!(entry.alive, Alive::No(_)) {
                entry.alive = alive_service(inventory, service);
            }
            self.entry_of.insert(service.subject.clone(), (name, reason));
        }
    }

    /// Why a load balancer is an entry point.
    pub fn entry_reason(&self, service: &Subject) -> Option<String> {
        self.entry_of.get(service).map(|(name, reason)| format!("{name}: {reason}"))
    }

    /// The entries whose controller works, or may work as far as files can say.
    pub fn working(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !matches!(entry.alive, Alive::No(_)))
    }

    /// How many entries are paid for: load balancers in front of controllers, and addresses of
    /// entries whose load balancer was not read.
    pub fn count(&self) -> usize {
        let unread = self.entries.values().filter(|entry| entry.services.is_empty() && !entry.addresses.is_empty());
        let unmatched = self.entries.values().filter(|entry| entry.name.starts_with("Service/"));
        self.entry_of.len() + unread.count().saturating_sub(unmatched.count())
    }

    /// The routes to a Service.
    pub fn routes_to(&self, service: &Item<Service>) -> &[Route] {
        let key = (service.namespace().to_owned(), service.name().to_owned());
        self.routes.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Whether a route with a working controller leads to a port of this Service.
    pub fn proof(&self, service: &Item<Service>) -> Proof {
        let (mut open, mut reasons) = (None, BTreeSet::new());
        for route in self.routes_to(service) {
            let Some(port) = service.port(&route.port) else {
                reasons.insert(format!(
                    "{} names port {}, which the Service does not have",
                    route.via.short(),
                    route.port
                ));
                continue;
            };
            for name in &route.entries {
                match self.entries.get(name).map(|entry| &entry.alive) {
                    Some(Alive::Yes(why)) => {
                        let text = format!("{} leads to port {}; {why}", route.via.short(), port.port);
                        return Proof::Proven(route.clone(), text);
                    }
                    Some(Alive::Unknown(why)) => open = open.or_else(|| Some((route.clone(), why.clone()))),
                    Some(Alive::No(why)) => drop(reasons.insert(format!("{}: {why}", route.via.short()))),
                    None => drop(reasons.insert(format!("{}: {name} was not read", route.via.short()))),
                }
            }
        }
        if let Some((route, why)) = open {
            return Proof::Open(route, why);
        }
        if reasons.is_empty() {
            reasons.insert("no Ingress, HTTPRoute or GRPCRoute leads to it".to_owned());
        }
        Proof::Missing(reasons.into_iter().collect())
    }
}

fn is_accepted(route: &Other) -> bool {
    let parents = route.at("/status/parents").and_then(Value::as_array);
    parents.into_iter().flatten().any(|parent| {
        let conditions = parent.get("conditions").and_then(Value::as_array).into_iter().flatten();
        let says = |c: &Value, key: &str, value: &str| c.get(key).and_then(Value::as_str) == Some(value);
        conditions.into_iter().any(|c| says(c, "type", "Accepted") && says(c, "status", "True"))
    })
}

fn gateway_of(service: &Item<Service>) -> Option<(String, String)> {
    let owner = service.metadata.owner_references.iter().find(|owner| owner.kind == "Gateway");
    let name = service.metadata.label(GATEWAY_NAME).or(owner.map(|owner| owner.name.as_str()))?;
    Some((format!("Gateway/{}/{name}", service.namespace()), format!("it belongs to Gateway {name}")))
}

/// The class whose controller has this name.
fn class_of(inventory: &Inventory, controller: &str) -> Option<String> {
    let class = inventory.ingress_classes.iter().find(|class| class.spec.controller.contains(controller))?;
    Some(format!("IngressClass/{}", class.name()))
}

/// The name of the ingress controller that a Service stands before, by its labels or its image.
pub fn known_controller(inventory: &Inventory, service: &Item<Service>) -> Option<String> {
    let labels = ["app.kubernetes.io/name", "app", "istio", "k8s-app"];
    let labelled = labels.iter().filter_map(|key| service.metadata.label(key)).find(|name| CONTROLLER.is_match(name));
    let runs = || {
        let containers = inventory
            .workloads_of(service)
            .filter_map(|workload| workload.template())
            .flat_map(|template| &template.spec.containers);
        containers.filter_map(|container| controller_of(&container.image)).min()
    };
    labelled.or_else(runs).map(str::to_owned)
}

fn alive_service(inventory: &Inventory, service: &Item<Service>) -> Alive {
    match service.status.addresses().next() {
        Some(address) => Alive::Yes(format!("{} has the address {address}", service.subject)),
        None if inventory.is_live() => Alive::No(format!("{} has no address", service.subject)),
        None => Alive::Yes(format!("{} is in the files", service.subject)),
    }
}
