//! broken-ingress-route: a route that leads nowhere, or that another Ingress claims too.

use std::collections::BTreeMap;

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::endpoints::{self, Answer, Endpoints};
use crate::model::ingress::{BackendService, Ingress};
use crate::model::number::IntOrString;
use crate::model::{Inventory, Item, Subject};

declare_rule! {
    /// ## What it does
    /// Reports an Ingress with a backend Service that does not exist, a port that the Service does
    /// not have or a Service whose ready endpoints lack that port, or that has none (in files: without
    /// running pods, or whose target port has a name that no container declares), a backend in fields that the API version does not
    /// have (`serviceName` in `networking.k8s.io/v1`), an Ingress whose class no controller serves,
    /// and two Ingresses of one class that send the same host and path to different places. The name
    /// and the number of one port are the same place. In files that are not complete, a Service that
    /// is missing is unknown, not broken.
    ///
    /// ## Why it matters
    /// Callers get 404, 502 or 503. Which of two equal routes wins depends on the controller, and
    /// may change when an object is made anew.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: networking.k8s.io/v1
    /// kind: Ingress
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   ingressClassName: public
    ///   rules:
    ///     - host: shop.example.com
    ///       http:
    ///         paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 8080}}}}]
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: web, namespace: shop}
    /// spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
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
    /// spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
    /// ```
    ///
    /// ## Fix
    /// Manual. The finding names each backend with what it lacks. A backend means a port of the
    /// Service, not of the pods.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/ingress/>
    /// - <https://kubernetes.io/docs/reference/kubernetes-api/service-resources/ingress-v1/>
    id: "broken-ingress-route",
    summary: "Ingress route that leads nowhere",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::NetworkSecurity,
    fix: Some(Applicability::Manual),
    impact: "Callers of the route get an error, or another application.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

/// How long a controller may take to give an Ingress its address.
const PATIENCE_MINUTES: i64 = 10;

/// What is wrong with an Ingress, and what can't be seen of it.
#[derive(Default)]
struct Judged {
    defects: Vec<(Location, String)>,
    unknown: Vec<String>,
}

/// Class, host, path and the way in which it is compared.
type Claim<'a> = (&'a str, &'a str, &'a str, &'a str);

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let endpoints = Endpoints::of(inventory);
    let claims = claims(inventory);
    for ingress in inventory.ingresses.iter().filter(|ingress| inventory.scope.covers(ingress.namespace())) {
        let mut judged = Judged::default();
        let version = ingress.subject.api_version.as_str();
        let misnamed = ingress.misnamed(version);
        for (at, _, backend) in ingress.backends().into_iter().filter(|(at, _, _)| !misnamed.contains(at)) {
            judge_backend(inventory, &endpoints, ingress, &at, backend, &mut judged);
        }
        for at in misnamed {
            let text = format!("{version} has no {}: the API refuses the backend", absent_fields(version));
            judged.defects.push((Location::at(at), text));
        }
        judge_class(inventory, ingress, &mut judged);
        judge_claims(inventory, &claims, ingress, &mut judged);
        if judged.defects.is_empty() {
            match judged.unknown.first() {
                Some(reason) => verdicts.unknown(&ingress.subject, reason),
                None => verdicts.pass(&ingress.subject),
            }
            continue;
        }
        let texts: Vec<&str> = judged.defects.iter().map(|(_, text)| text.as_str()).collect();
        let mut finding = context.finding(ingress, texts.join("; "));
        let mut fix = Fix::new(format!("Correct the routes of {}", ingress.subject.short()), Applicability::Manual);
        for (at, text) in judged.defects {
            fix = fix.note(format!("{}: {text}", at.pointer));
            finding = finding.at(at).because(text);
        }
        verdicts.fail(finding.fix(fix));
    }
}

/// The fields of a backend that the other versions of the API have.
fn absent_fields(version: &str) -> &'static str {
    if version == "networking.k8s.io/v1" { "backend.serviceName and backend.servicePort" } else { "backend.service" }
}

fn judge_backend(
    inventory: &Inventory,
    endpoints: &Endpoints,
    ingress: &Item<Ingress>,
    at: &str,
    backend: &BackendService,
    judged: &mut Judged,
) {
    let location =
        |field: &str| Location::at(format!("{at}/service{field}")).named(format!("backend/{}{field}", backend.name));
    let Some(service) = inventory.services.get(ingress.namespace(), "Service", &backend.name) else {
        let unseen = inventory.unseen("services", ingress.namespace());
        let open = (!inventory.is_live() && !inventory.is_complete())
            .then(|| format!("Service {} is not in the files", backend.name));
        match unseen.or(open) {
            Some(reason) => judged.unknown.push(reason),
            None => judged.defects.push((location("/name"), format!("Service {} does not exist", backend.name))),
        }
        return;
    };
    let wanted = backend.port.wanted();
    let Some(port) = service.port(&wanted) else {
        if service.kind() == "ExternalName"
            && service.spec.ports.is_empty()
            && matches!(wanted, IntOrString::Int(number) if number > 0)
        {
            judged.unknown.push(format!("Service {} has no ports; its controller may call {wanted}", backend.name));
            return;
        }
        let ports: Vec<String> = service.spec.ports.iter().map(|port| port.port.to_string()).collect();
        let (name, ports) = (&backend.name, ports.join(", "));
        let text = match wanted {
            _ if ports.is_empty() => format!("Service {name} has no ports"),
            IntOrString::Int(0) => format!("it names no port of Service {name}, which has {ports}"),
            wanted => format!("Service {name} has no port {wanted}, but {ports}"),
        };
        judged.defects.push((location("/port"), text));
        return;
    };
    if service.kind() == "ExternalName" {
        return;
    }
    match endpoints.answer(inventory, service) {
        Answer::No(reason) => {
            judged.defects.push((location("/name"), format!("Service {}: {reason}", backend.name)));
        }
        Answer::Unknown(reason) if inventory.is_live() => judged.unknown.push(reason),
        Answer::Unknown(_) => {}
        Answer::Yes => {
            let unserved = endpoints.unserved(service, port);
            if let Some(reason) = unserved.or_else(|| endpoints::unnamed(inventory, service, [port].into_iter())) {
                judged.defects.push((location("/port"), format!("Service {}: {reason}", backend.name)));
            }
        }
    }
}

fn judge_class(inventory: &Inventory, ingress: &Item<Ingress>, judged: &mut Judged) {
    let named = ingress.spec.ingress_class_name.as_deref();
    let known = |class: &str| inventory.ingress_classes.get("", "IngressClass", class).is_some();
    let all_seen = inventory.gap("ingressclasses", "").is_none() && (inventory.is_live() || inventory.is_complete());
    if let Some(class) = named.filter(|class| all_seen && !known(class)) {
        let at = Location::at("/spec/ingressClassName");
        judged.defects.push((at, format!("there is no IngressClass {class}")));
        return;
    }
    let made = ingress.metadata.creation_timestamp.filter(|_| inventory.is_live());
    let age = made.map(|made| (inventory.taken_at.as_second() - made.as_second()) / 60);
    if let (Some(minutes), None) = (age, ingress.status.addresses().next()) {
        let class = ingress.class().unwrap_or("none");
        if minutes > PATIENCE_MINUTES {
            let text = format!("no controller gave it an address in {minutes} minutes (class {class})");
            judged.defects.push((Location::at("/spec"), text));
        } else {
            judged.unknown.push(format!("no address yet, {minutes} minutes after it was made"));
        }
    }
}

/// Every host and path with the Ingresses that claim it, each with its backend.
fn claims(inventory: &Inventory) -> BTreeMap<Claim<'_>, Vec<(&Subject, Target<'_>)>> {
    let mut out: BTreeMap<Claim<'_>, Vec<(&Subject, Target<'_>)>> = BTreeMap::new();
    for ingress in inventory.ingresses.iter().filter(|ingress| !is_canary(ingress)) {
        for (claim, _, target) in claims_of(inventory, ingress) {
            out.entry(claim).or_default().push((&ingress.subject, target));
        }
    }
    out
}

/// An Ingress that shares its routes on purpose.
fn is_canary(ingress: &Ingress) -> bool {
    ingress.metadata.annotation("nginx.ingress.kubernetes.io/canary") == Some("true")
}

/// Where a route leads: namespace, Service and port. Other resources are not told apart.
type Target<'a> = Option<(&'a str, &'a str, IntOrString)>;

/// True if two routes lead to different places. Whether a name and a number mean the same port is
/// known from the Service alone.
fn differ(a: &Target<'_>, b: &Target<'_>) -> bool {
    match (a, b) {
        (Some((space, service, port)), Some((other_space, other, other_port))) => {
            (space, service) != (other_space, other)
                || matches!(port, IntOrString::Int(_)) == matches!(other_port, IntOrString::Int(_))
                    && port != other_port
        }
        _ => a != b,
    }
}

fn claims_of<'a>(
    inventory: &'a Inventory,
    ingress: &'a Item<Ingress>,
) -> impl Iterator<Item = (Claim<'a>, String, Target<'a>)> {
    let class = ingress.class().unwrap_or_default();
    ingress.spec.rules.iter().enumerate().flat_map(move |(i, rule)| {
        let host = rule.host.as_deref().unwrap_or_default();
        rule.http.paths.iter().enumerate().map(move |(j, path)| {
            let text = path.path.as_deref().unwrap_or("/");
            let claim = (class, host, text, path.path_type.as_deref().unwrap_or_default());
            let backend = path.backend.service.as_ref();
            let target = backend.map(|b| (ingress.namespace(), b.name.as_str(), port_of(inventory, ingress, b)));
            (claim, format!("/spec/rules/{i}/http/paths/{j}"), target)
        })
    })
}

/// The port of a backend: its number where the Service tells it.
fn port_of(inventory: &Inventory, ingress: &Item<Ingress>, backend: &BackendService) -> IntOrString {
    let wanted = backend.port.wanted();
    let service = inventory.services.get(ingress.namespace(), "Service", &backend.name);
    service.and_then(|service| service.port(&wanted)).map_or(wanted, |port| IntOrString::Int(port.port))
}

fn judge_claims(
    inventory: &Inventory,
    claims: &BTreeMap<Claim<'_>, Vec<(&Subject, Target<'_>)>>,
    ingress: &Item<Ingress>,
    judged: &mut Judged,
) {
    if is_canary(ingress) {
        return;
    }
    for (claim, at, target) in claims_of(inventory, ingress) {
        let others = claims.get(&claim).into_iter().flatten();
        let Some((other, _)) =
            others.into_iter().find(|(other, there)| **other != ingress.subject && differ(there, &target))
        else {
            continue;
        };
        let (_, host, path, _) = claim;
        let host = if host.is_empty() { "every host" } else { host };
        let text = format!("{other} sends {host} {path} elsewhere");
        judged.defects.push((Location::at(at).named(format!("rules/{host}{path}")), text));
    }
}
