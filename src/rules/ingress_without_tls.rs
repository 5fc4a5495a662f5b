//! ingress-without-tls: hosts that are served in plain HTTP.

mod gateways;

use serde_json::{Value, json};

use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step, free_name};
use crate::model::balancer::{self, Feature};
use crate::model::certificates::{CERTIFICATES, Issuer, condition, hosts_without_tls, issuers};
use crate::model::cluster::Other;
use crate::model::exposure::Exposure;
use crate::model::ingress::Ingress;
use crate::model::{Inventory, Item};

declare_rule! {
    /// ## What it does
    /// Reports an Ingress with a host that no entry of `spec.tls` names, and a Gateway with a route
    /// that serves a host by an HTTP listener while no HTTPS listener of the same route takes that
    /// host. A route has the listeners that `sectionName` and `port` of its `parentRefs` name, or
    /// all; one that only redirects to HTTPS may have an HTTP listener alone. In `spec.tls` a
    /// wildcard names one label. An Ingress passes where TLS ends
    /// before it: at a load balancer with a certificate, or by an annotation of its controller. It
    /// does not apply to the Ingresses that cert-manager makes to prove a host.
    ///
    /// ## Why it matters
    /// Passwords and cookies cross the network for everybody on the way to read and change.
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
    ///         paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: networking.k8s.io/v1
    /// kind: Ingress
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   ingressClassName: public
    ///   tls: [{hosts: [shop.example.com], secretName: web-tls}]
    ///   rules:
    ///     - host: shop.example.com
    ///       http:
    ///         paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]
    /// ```
    ///
    /// ## Fix
    /// Unsafe with an issuer of cert-manager that is ready; where there are several, the issuer is
    /// asked for. Creates a Certificate for the hosts, waits until it is ready, and only then adds
    /// the hosts to `spec.tls`: a controller may redirect to HTTPS at once, and serves its own
    /// self-signed certificate while the Secret is missing. A Certificate of that issuer that is there
    /// for the same hosts, as a fix leaves it that ended in between, is taken as it is, and the fix is
    /// refused while it is not ready. Refused for wildcard hosts if the issuer
    /// can't prove them by DNS. Manual without cert-manager, which is never installed, for routes
    /// without a host, and for Gateways. Undo removes both.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/ingress/#tls>
    /// - <https://cert-manager.io/docs/usage/certificate/>
    /// - <https://cert-manager.io/docs/configuration/acme/>
    id: "ingress-without-tls",
    summary: "hosts served in plain HTTP",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::NetworkSecurity,
    fix: Some(Applicability::Unsafe),
    impact: "Everybody on the way reads and changes what is sent.",
    parameters: &[Parameter {
        key: "issuer",
        prompt: "issuer of the certificate, ClusterIssuer/NAME or Issuer/NAME",
        kind: ParameterKind::Text("(ClusterIssuer|Issuer)/[a-z0-9]([-a-z0-9.]*[a-z0-9])?"),
        default: None,
    }],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

const REDIRECT: &str = "the controller may redirect HTTP to HTTPS for these hosts";

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let exposure = Exposure::of(inventory);
    for ingress in inventory.ingresses.iter().filter(|ingress| inventory.scope.covers(ingress.namespace())) {
        let hosts = hosts_without_tls(ingress);
        if ingress.metadata.label("acme.cert-manager.io/http01-solver").is_some() {
            verdicts.na(&ingress.subject);
        } else if hosts.is_empty() || ends_before(inventory, &exposure, ingress) {
            verdicts.pass(&ingress.subject);
        } else {
            verdicts.fail(finding(context, ingress, &hosts));
        }
    }
    for gateway in inventory.other("gateways.gateway.networking.k8s.io") {
        if inventory.scope.covers(gateway.namespace()) {
            gateways::judge(context, verdicts, gateway);
        }
    }
}

/// True if TLS ends before the Ingress, or its controller has the certificate from elsewhere.
fn ends_before(inventory: &Inventory, exposure: &Exposure, ingress: &Item<Ingress>) -> bool {
    const KEYS: [&str; 6] = [
        "nginx.ingress.kubernetes.io/ssl-passthrough",
        "alb.ingress.kubernetes.io/certificate-arn",
        "ingress.gcp.kubernetes.io/pre-shared-cert",
        "networking.gke.io/managed-certificates",
        "appgw.ingress.kubernetes.io/appgw-ssl-certificate",
        "traefik.ingress.kubernetes.io/router.tls",
    ];
    let annotated = KEYS.iter().filter_map(|key| ingress.metadata.annotation(key)).any(|value| value != "false");
    let class = ingress.class().unwrap_or("(none)");
    let entry = exposure.entries.get(&format!("IngressClass/{class}"));
    let fronts = entry.into_iter().flat_map(|entry| &entry.services);
    annotated
        || fronts
            .filter_map(|s| inventory.services.get(s.namespace(), "Service", &s.name))
            .any(|service| balancer::features(service).iter().any(|feature| matches!(feature, Feature::Tls(_))))
}

fn finding(context: &Context<'_>, ingress: &Item<Ingress>, hosts: &[&str]) -> crate::finding::Finding {
    let shown: Vec<&str> = hosts.iter().map(|host| if host.is_empty() { "every host" } else { host }).collect();
    let mut finding =
        context.finding(ingress, format!("no TLS for {}", shown.join(", "))).at(Location::at("/spec/tls"));
    for (at, rule) in ingress.spec.rules.iter().enumerate() {
        let host = rule.host.as_deref().unwrap_or_default();
        if hosts.contains(&host) {
            let place = Location::at(format!("/spec/rules/{at}")).named(format!("rules/{host}"));
            finding = finding.at(place).because(format!(
                "spec.tls names no certificate for {}",
                if host.is_empty() { "every host" } else { host }
            ));
        }
    }
    let found = issuers(context.inventory, ingress.namespace());
    for issuer in &found {
        let state = match issuer.ready {
            Some(true) => "is ready",
            Some(false) => "is not ready",
            None => "is in the files; whether it is ready is not known",
        };
        finding = finding.because_of(&issuer.subject, format!("{} {state}", issuer.subject.short()));
    }
    context.detail(finding, |finding| finding.fix(fix(context, ingress, hosts, &found)))
}

fn fix(context: &Context<'_>, ingress: &Item<Ingress>, hosts: &[&str], found: &[Issuer]) -> Fix {
    let usable: Vec<&Issuer> = found.iter().filter(|issuer| issuer.ready != Some(false)).collect();
    let title = format!("Add TLS to {}", ingress.subject.short());
    if usable.is_empty() || hosts.contains(&"") {
        let mut fix = Fix::new(title, Applicability::Manual);
        fix = if hosts.contains(&"") {
            fix.note("name the host in the rule first: a certificate is for hosts")
        } else {
            fix.note("there is no issuer of cert-manager that is ready; install one, or bring a Secret of type kubernetes.io/tls")
                .note("start with the ACME staging endpoint: the limits of the production one last a week")
        };
        return fix.note("then name the hosts and the Secret in spec.tls");
    }
    let mut input = context.input(&ingress.subject, "issuer", usable.len() > 1);
    let chosen = match (&input.value, usable.as_slice()) {
        (None, [only]) => {
            input.value = Some(only.subject.short());
            Some(*only)
        }
        (Some(answer), all) => all.iter().find(|issuer| issuer.subject.short() == *answer).copied(),
        (None, _) => None,
    };
    let names: Vec<String> = usable.iter().map(|issuer| issuer.subject.short()).collect();
    let (answered, applicability) =
        (input.value.clone(), if input.is_open() { Applicability::Input } else { Applicability::Unsafe });
    let mut fix = Fix::new(title, applicability).ask(input).note(format!("issuers: {}", names.join(", ")));
    if let Some(issuer) = chosen {
        return build(fix, context.inventory, ingress, hosts, issuer);
    }
    if let Some(answer) = answered {
        fix.refuse("issuer", format!("{answer} is not among the issuers that are ready"));
    }
    fix
}

fn build(mut fix: Fix, inventory: &Inventory, ingress: &Item<Ingress>, hosts: &[&str], issuer: &Issuer) -> Fix {
    let namespace = ingress.namespace();
    if let Some(certificate) = begun(inventory, namespace, hosts, issuer) {
        return go_on(fix, inventory, ingress, hosts, certificate);
    }
    let taken = |name: &str| {
        let named =
            |object: &Other| object.metadata.name == name || object.at("/spec/secretName") == Some(&json!(name));
        inventory.other(CERTIFICATES).any(|object| object.namespace() == namespace && named(object))
            || ingress.spec.tls.iter().any(|tls| tls.secret_name.as_deref() == Some(name))
    };
    let name = free_name(&format!("{}-tls", ingress.name()), taken);
    let issuer_ref = json!({"group": "cert-manager.io", "kind": issuer.subject.kind, "name": issuer.subject.name});
    let spec = json!({"dnsNames": hosts, "issuerRef": issuer_ref, "secretName": name});
    let create = Step::create("ingress-without-tls", "cert-manager.io/v1", "Certificate", namespace, &name, spec);
    let certificate = create.object().clone();
    fix = fix
        .consequence(REDIRECT)
        .step(create)
        .step(Step::Wait { object: certificate, condition: "Ready".to_owned() })
        .step(serve(ingress, hosts, &name));
    if issuer.acme {
        fix = fix.consequence(format!("the names {} become public in certificate logs", hosts.join(", ")));
    }
    if issuer.ready.is_none() {
        fix.demote(
            Applicability::Unsafe,
            "issuer",
            format!("whether {} is ready is not in the files", issuer.subject.short()),
        );
    }
    if hosts.iter().any(|host| host.starts_with("*.")) && !issuer.proves_wildcards {
        fix.refuse("wildcard", format!("{} has no DNS solver, which a wildcard host needs", issuer.subject.short()));
    } else if issuer.by_http {
        fix = fix.note("the hosts must resolve to the entry point, with port 80 open, and network policies must let in the solver's pods (port 8089)");
    }
    fix
}

/// A Certificate that this issuer makes for these hosts.
fn begun<'a>(inventory: &'a Inventory, namespace: &str, hosts: &[&str], issuer: &Issuer) -> Option<&'a Item<Other>> {
    let is_by = |object: &Other| {
        let text = |pointer: &str| object.at(pointer).and_then(Value::as_str);
        text("/spec/issuerRef/name") == Some(&issuer.subject.name)
            && text("/spec/issuerRef/kind").unwrap_or("Issuer") == issuer.subject.kind
    };
    let is_for = |object: &Item<Other>| {
        object.namespace() == namespace && object.at("/spec/dnsNames") == Some(&json!(hosts)) && is_by(object)
    };
    inventory.other(CERTIFICATES).map(AsRef::as_ref).find(|object| is_for(object))
}

/// Serves the hosts with a Certificate that is there.
fn go_on(
    mut fix: Fix,
    inventory: &Inventory,
    ingress: &Item<Ingress>,
    hosts: &[&str],
    certificate: &Item<Other>,
) -> Fix {
    let name = certificate.subject.short();
    let secret = certificate.at("/spec/secretName").and_then(Value::as_str).unwrap_or_default();
    let is_ready = condition(certificate, "Ready").is_some_and(|(status, _)| status == "True");
    fix =
        fix.consequence(REDIRECT).note(format!("{name} is there for these hosts")).step(serve(ingress, hosts, secret));
    if inventory.is_live() && !is_ready {
        fix.refuse("certificate", format!("{name}, which is there for these hosts, is not ready"));
    }
    fix
}

/// Names the Secret with the certificate of the hosts.
fn serve(ingress: &Item<Ingress>, hosts: &[&str], secret: &str) -> Step {
    let entry = json!({"hosts": hosts, "secretName": secret});
    let edit = if ingress.spec.tls.is_empty() {
        Edit::set("/spec/tls", json!([entry]))
    } else {
        Edit::set("/spec/tls/-", entry)
    };
    Step::patch(&ingress.subject, vec![edit])
}
