//! redundant-load-balancer: a public load balancer beside an entry point that could do its work.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Fix, Step, free_name};
use crate::model::Item;
use crate::model::addresses::{self, Hit};
use crate::model::balancer;
use crate::model::exposure::{Entry, Exposure, Proof};
use crate::model::network::Service;

mod conversion;

declare_rule! {
    /// ## What it does
    /// Reports a public HTTP Service of type LoadBalancer where an ingress controller or Gateway
    /// could route to it, and every one of two or more such Services where there is no entry point
    /// yet. The entry points themselves are recognised by their address, by their Gateway or as a
    /// known controller. It does not apply to Services of UDP, SCTP or well-known ports of other
    /// protocols, and to development services. Internal and software load balancers beside an entry
    /// point are mentioned as info: they cost no public address.
    ///
    /// ## Why it matters
    /// Each public load balancer is paid for every month and is one more way in, with its own TLS,
    /// allow-list and logs.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: networking.k8s.io/v1
    /// kind: IngressClass
    /// metadata: {name: public}
    /// spec: {controller: example.com/ingress}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: Ingress
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   ingressClassName: public
    ///   rules:
    ///     - host: shop.example.com
    ///       http:
    ///         paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop}
    /// spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: networking.k8s.io/v1
    /// kind: IngressClass
    /// metadata: {name: public}
    /// spec: {controller: example.com/ingress}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: Ingress
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   ingressClassName: public
    ///   rules:
    ///     - host: shop.example.com
    ///       http:
    ///         paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop}
    /// spec: {type: ClusterIP, selector: {app: web}, ports: [{port: 80}]}
    /// ```
    ///
    /// ## Fix
    /// Unsafe. Changes the type to ClusterIP and removes what only a load balancer may have. The
    /// cluster IP stays. Undo makes a load balancer again, with another address: what is lost is
    /// confirmed by typing the Service's name, once DNS has moved and its time to live has passed.
    /// The fix is refused until a route with a working controller leads to the Service, nothing in
    /// the readable configuration names the old address, external-dns does not manage a name for it
    /// (or the confirmation is given), its TLS, allow-list, PROXY protocol, client address and
    /// sticky sessions are re-created or given up (`--set redundant-load-balancer.features=yes`),
    /// and network policies let the controller in. Without a route, an Ingress is offered first,
    /// with host and path as questions. Where there is no entry point, choose one first: the Gateway
    /// API, or an Ingress controller that is maintained; ingress-nginx has been retired.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/service/#loadbalancer>
    /// - <https://kubernetes.io/docs/concepts/services-networking/ingress/>
    /// - <https://gateway-api.sigs.k8s.io/>
    /// - <https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/service/strategy.go>
    id: "redundant-load-balancer",
    summary: "public load balancer beside an entry point",
    severity: Severity::Medium,
    priority: Priority::Immediate,
    category: Category::Cost,
    fix: Some(Applicability::Unsafe),
    impact: "Each load balancer is paid for and is one more way in.",
    parameters: &[
        Parameter {
            key: "confirm",
            prompt: "NAMESPACE/NAME of the Service, once DNS points elsewhere and its time to live has passed",
            kind: ParameterKind::Confirm,
            default: None,
        },
        Parameter {
            key: "currency",
            prompt: "currency of monthlyCost",
            kind: ParameterKind::Text("[A-Z]{3}"),
            default: Some("USD"),
        },
        Parameter {
            key: "features",
            prompt: "yes if what the load balancer does besides forwarding is re-created or not needed",
            kind: ParameterKind::Acknowledge,
            default: None,
        },
        Parameter {
            key: "host",
            prompt: "host under which an Ingress should reach the Service",
            kind: ParameterKind::Text(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"),
            default: None,
        },
        Parameter {
            key: "monthlyCost",
            prompt: "what a load balancer costs in a month",
            kind: ParameterKind::Text(r"[0-9]+(\.[0-9]+)?"),
            default: Some("24"),
        },
        Parameter {
            key: "path",
            prompt: "path below which an Ingress should reach the Service",
            kind: ParameterKind::Text(r"/[^\s]*"),
            default: Some("/"),
        },
    ],
    next_stages: &["redundant-load-balancer"],
    unmoved_by: Aspect::ALL,
    check: check,
}

/// What all findings of a run share.
struct Scene<'a> {
    context: &'a Context<'a>,
    exposure: Exposure,
    hits: BTreeMap<String, Vec<Hit>>,
    candidates: usize,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let exposure = Exposure::of(inventory);
    let balancers = || {
        let all = inventory.services.iter().filter(|service| service.kind() == "LoadBalancer");
        all.filter(|service| inventory.scope.covers(service.namespace()))
    };
    let mut candidates: Vec<&Item<Service>> = Vec::new();
    for service in balancers() {
        if exposure.entry_reason(&service.subject).is_some() {
            verdicts.pass(&service.subject);
        } else if inventory.workloads_of(service).any(|workload| super::is_development(context, workload))
            || balancer::not_http(inventory, service).is_some()
        {
            verdicts.na(&service.subject);
        } else if let Some(reason) = balancer::without_public_cost(service) {
            mention(context, verdicts, &exposure, service, reason);
        } else {
            candidates.push(service);
        }
    }
    let wanted: BTreeSet<String> =
        candidates.iter().flat_map(|service| service.status.addresses()).map(str::to_ascii_lowercase).collect();
    let hits = addresses::hits(inventory, &wanted);
    let scene = Scene { context, exposure, hits, candidates: candidates.len() };
    scene.judge(&candidates, verdicts);
}

/// A load balancer without cost of its own beside an entry point: info.
fn mention(
    context: &Context<'_>,
    verdicts: &mut Verdicts<'_>,
    exposure: &Exposure,
    service: &Item<Service>,
    reason: String,
) {
    match exposure.working().next() {
        Some(entry) if !exposure.routes_to(service).is_empty() => {
            let message = format!("{} also leads to this load balancer without public cost", entry.name);
            let finding = context.finding(service, message).severity(Severity::Info).because(reason);
            verdicts.fail(finding.at(Location::at("/spec/type")));
        }
        _ => verdicts.na(&service.subject),
    }
}

impl Scene<'_> {
    fn judge(&self, candidates: &[&Item<Service>], verdicts: &mut Verdicts<'_>) {
        let entry = self.exposure.working().next();
        let (mut failed, several) = (false, candidates.len() > 1);
        for service in candidates {
            match self.unseen(service, several).filter(|_| entry.is_none()) {
                Some(reason) => verdicts.unknown(&service.subject, reason),
                None if entry.is_some() || several => {
                    failed = true;
                    verdicts.fail(self.finding(service));
                }
                None => verdicts.pass(&service.subject),
            }
        }
        if failed {
            let entries = self.exposure.count();
            verdicts.ratio = Some(ratio(entries.max(1), entries + candidates.len()));
        }
    }

    /// Why there may be an entry point that was not read. Two load balancers in files are one too
    /// many with or without it.
    fn unseen(&self, service: &Item<Service>, several: bool) -> Option<String> {
        let inventory = self.context.inventory;
        let kinds = ["ingresses", "services", "gateways.gateway.networking.k8s.io"];
        let gap = kinds.iter().find_map(|kind| inventory.unseen(kind, service.namespace()));
        let open = !inventory.is_live() && !inventory.is_complete() && !several;
        gap.or_else(|| open.then(|| "whether there is an ingress controller or Gateway is not in the files".to_owned()))
    }

    fn finding(&self, service: &Item<Service>) -> Finding {
        let proof = self.exposure.proof(service);
        let entry = self.entry_for(&proof);
        let message = match (&proof, entry) {
            (_, None) => format!("one of {} public load balancers, and no entry point to share", self.candidates),
            (Proof::Missing(_), Some(entry)) => {
                format!("public load balancer beside {}, which has no route to it", entry.name)
            }
            (_, Some(entry)) => format!("public load balancer beside {}, which routes to it already", entry.name),
        };
        let wanted = entry.map(|_| json!("ClusterIP"));
        let at = Location::at("/spec/type").values(Some(json!("LoadBalancer")), wanted);
        let mut finding = self.context.finding(service, message).at(at);
        for address in service.status.addresses() {
            finding = finding.because(format!("its address is {address}"));
        }
        if let Some(entry) = entry {
            finding = finding.because(format!("entry point {}: {}", entry.name, alive(entry)));
        }
        match &proof {
            Proof::Proven(route, text) => finding = finding.because_of(&route.via, text.clone()),
            Proof::Open(route, why) => {
                finding = finding.because_of(&route.via, format!("{} leads to it; {why}", route.via.short()));
            }
            Proof::Missing(reasons) => {
                for reason in reasons {
                    finding = finding.because(reason);
                }
            }
        }
        for hit in self.hits_of(service) {
            finding = finding.because_of(&hit.object, format!("{} names its address at {}", hit.object, hit.pointer));
        }
        finding = finding.because(self.estimate(service));
        match entry {
            None => finding.fix(self.choose_entry(service)),
            Some(entry) => {
                if let Proof::Missing(_) = proof {
                    finding = finding.fix(self.create_route(service, entry));
                }
                finding.fix(self.convert(service, entry, &proof))
            }
        }
    }

    /// The entry of the route that leads to the Service, else one that an Ingress could use.
    fn entry_for(&self, proof: &Proof) -> Option<&Entry> {
        let route = match proof {
            Proof::Proven(route, _) | Proof::Open(route, _) => Some(route),
            Proof::Missing(_) => None,
        };
        let routed =
            route.into_iter().flat_map(|route| &route.entries).filter_map(|name| self.exposure.entries.get(name));
        let classes = self.exposure.working().filter(|entry| entry.class.is_some());
        routed.chain(classes).chain(self.exposure.working()).next()
    }

    fn hits_of(&self, service: &Item<Service>) -> impl Iterator<Item = &Hit> {
        let found = service.status.addresses().filter_map(|address| self.hits.get(&address.to_ascii_lowercase()));
        found.flatten()
    }

    fn estimate(&self, service: &Item<Service>) -> String {
        let text = |key: &str| self.context.value(&service.subject, key).unwrap_or_default();
        format!("about {} {} a month each (monthlyCost, an estimate)", text("monthlyCost"), text("currency"))
    }

    /// There is nothing to route through yet.
    fn choose_entry(&self, service: &Item<Service>) -> Fix {
        let count = self.candidates;
        Fix::new(format!("Choose an entry point for the {count} public load balancers"), Applicability::Manual)
            .note("install a Gateway API implementation or a maintained Ingress controller; ingress-nginx has been retired")
            .note(format!("then route to {} and audit again", service.subject.short()))
    }

    /// The first stage: a route beside the load balancer.
    fn create_route(&self, service: &Item<Service>, entry: &Entry) -> Fix {
        let inventory = self.context.inventory;
        let name =
            free_name(service.name(), |name| inventory.ingresses.get(service.namespace(), "Ingress", name).is_some());
        let Some(class) = entry.class.as_deref() else {
            return Fix::new(
                format!("Route to {} through {}", service.subject.short(), entry.name),
                Applicability::Manual,
            )
            .note("add an HTTPRoute with this Service as backend, then audit again");
        };
        let (host, path) =
            (self.context.input(&service.subject, "host", true), self.context.input(&service.subject, "path", false));
        let applicability = if host.is_open() { Applicability::Input } else { Applicability::Unsafe };
        let mut fix = Fix::new(format!("Create Ingress {name}"), applicability)
            .consequence(
                "the Service is also reached through the entry point; the load balancer stays until the next stage",
            )
            .consequence("plain HTTP until the Ingress has a certificate (ingress-without-tls)");
        if let (Some(host), Some(port)) = (&host.value, service.spec.ports.first()) {
            let port = port.name.as_ref().map_or_else(|| json!({"number": port.port}), |name| json!({"name": name}));
            let backend = json!({"service": {"name": service.name(), "port": port}});
            let paths = json!([{"path": path.value, "pathType": "Prefix", "backend": backend}]);
            let spec = json!({"ingressClassName": class, "rules": [{"host": host, "http": {"paths": paths}}]});
            fix = fix.step(Step::create(
                "redundant-load-balancer",
                "networking.k8s.io/v1",
                "Ingress",
                service.namespace(),
                &name,
                spec,
            ));
        }
        fix.ask(host).ask(path)
    }
}

/// The share of public load balancers that is needed.
fn ratio(needed: usize, public: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(needed) / number(public)
}

fn alive(entry: &Entry) -> &str {
    use crate::model::exposure::Alive::{No, Unknown, Yes};
    match &entry.alive {
        Yes(text) | No(text) | Unknown(text) => text,
    }
}
