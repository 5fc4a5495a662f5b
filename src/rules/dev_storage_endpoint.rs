//! dev-storage-endpoint: production that keeps its objects in a development service.

mod survey;
mod switch;

use std::collections::BTreeSet;

use super::configuration;
use super::development::service_image;
use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use super::settings::Environment;
use crate::declare_rule;
use crate::finding::{Category, Confidence, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::consumers::Consumers;
use crate::model::mask::mask;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};
use survey::{Found, Holder, Kind, Spot};

declare_rule! {
    /// ## What it does
    /// Reports a namespace outside development that uses a development service: a switch such as
    /// `USE_LOCALSTACK` that is on, a value that contains `localstack` or the port 4566, or a
    /// workload that runs LocalStack, MailHog, MailDev, Moto, or MinIO without a volume claim. The
    /// configuration adds regular expressions for images and values under `patterns`. Values are
    /// variables, arguments and the ConfigMap keys that a workload really takes; what only the
    /// development service itself takes does not count. One finding for each namespace, on the
    /// object that the switch is made on; every other value is a further location. It does not
    /// apply with `--env dev`. An endpoint of an object store with `http://` and a host that is
    /// not private is a finding of its own, of network security.
    ///
    /// ## Why it matters
    /// A development service keeps objects in memory or on the disk of its pod, checks no
    /// credentials and has no backup. The finding is critical where a LoadBalancer, a NodePort or
    /// an Ingress exposes it: then anybody may read and write the objects.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: web, namespace: shop}
    /// data: {USE_LOCALSTACK: "true", AWS_S3_ENDPOINT: "http://localstack:4566"}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       containers:
    ///         - name: web
    ///           image: web:1
    ///           envFrom: [{configMapRef: {name: web}}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: web, namespace: shop}
    /// data: {USE_LOCALSTACK: "false", AWS_S3_ENDPOINT: "https://nyc3.digitaloceanspaces.com"}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       containers:
    ///         - name: web
    ///           image: web:1
    ///           envFrom: [{configMapRef: {name: web}}]
    /// ```
    ///
    /// ## Fix
    /// Input, then unsafe. Turns the switch off, sets the endpoint, the region and the bucket
    /// beside it, and restarts the consumers. `endpoint` is `none` for AWS S3, which needs no
    /// override. `copied`, `bucketReady` and `credentialsReady` are answered with `yes` by
    /// somebody who has checked it. Refused while a consumer gets a dummy `AWS_ACCESS_KEY_ID`;
    /// left to a person if the service serves more than S3. Values whose key names LocalStack
    /// stay: their removal is a second step, offered once the switch is off and `verified` is
    /// `yes`. The service, its pods and its volumes are never touched. Undo restores the
    /// configuration; objects written to the new store stay there.
    ///
    /// ## References
    /// - <https://docs.localstack.cloud/aws/capabilities/state-mgmt/persistence/>
    /// - <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    /// - <https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/>
    id: "dev-storage-endpoint",
    summary: "a development service in production",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::Security,
    fix: Some(Applicability::Input),
    impact: "Objects may be lost, and anybody who reaches the service may read them.",
    parameters: &[
        Parameter {
            key: "endpoint",
            prompt: "URL of the production object store, or none for AWS S3",
            kind: ParameterKind::Text(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[^\s]*)?|none"),
            default: None,
        },
        Parameter {
            key: "region",
            prompt: "region of the object store",
            kind: ParameterKind::Text("[a-z0-9][a-z0-9-]*"),
            default: None,
        },
        Parameter {
            key: "bucket",
            prompt: "bucket of the object store",
            kind: ParameterKind::Text("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
            default: None,
        },
        Parameter {
            key: "credentialsSecret",
            prompt: "Secret from which the consumers take their keys",
            kind: ParameterKind::Text("[a-z0-9]([a-z0-9.-]*[a-z0-9])?"),
            default: None,
        },
        Parameter {
            key: "copied",
            prompt: "the objects are copied to the new bucket (yes)",
            kind: ParameterKind::Acknowledge,
            default: None,
        },
        Parameter {
            key: "bucketReady",
            prompt: "the bucket exists with its CORS rules and policy (yes)",
            kind: ParameterKind::Acknowledge,
            default: None,
        },
        Parameter {
            key: "credentialsReady",
            prompt: "the Secret exists and the consumers take their keys from it (yes)",
            kind: ParameterKind::Acknowledge,
            default: None,
        },
        Parameter {
            key: "verified",
            prompt: "the new store is verified, the old values may go (yes)",
            kind: ParameterKind::Acknowledge,
            default: None,
        },
        Parameter {
            key: "patterns",
            prompt: "regular expressions of further images and values",
            kind: ParameterKind::List,
            default: None,
        },
    ],
    next_stages: &["dev-storage-endpoint"],
    unmoved_by: Aspect::ALL,
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    if context.environment() == Environment::Dev {
        for namespace in inventory.audited_namespaces() {
            verdicts.na(&namespace);
        }
        return;
    }
    let consumers = Consumers::of(inventory);
    let routed = routed(inventory);
    for (namespace, found) in survey::survey(context, &consumers) {
        let subject = inventory.namespace_subject(&namespace);
        if let Some(main) = found.spots.first() {
            let finding = describe(context, main, &found, &routed);
            verdicts.fail(offer(context, &consumers, &found, finding));
        } else if let Some(reason) = inventory.unseen("configmaps", &namespace) {
            verdicts.unknown(&subject, reason);
        } else {
            verdicts.pass(&subject);
        }
        for spot in &found.plain {
            verdicts.fail(plain(context, spot));
        }
    }
}

fn about(context: &Context<'_>, holder: Holder, message: String) -> Finding {
    match holder {
        Holder::Map(position) => context.finding(context.inventory.config_maps.at(position), message),
        Holder::Workload(position) => context.finding(context.inventory.workloads.at(position), message),
    }
}

fn describe(context: &Context<'_>, main: &Spot, found: &Found, routed: &BTreeSet<(String, String)>) -> Finding {
    let inventory = context.inventory;
    let value = mask(&main.name, &main.text);
    let message = match main.kind {
        Kind::Switch => format!("{} is {value:?}: objects go to a development service", main.name),
        Kind::Image => format!("runs {value}, a development service"),
        Kind::Argument => format!("an argument of container {} leads to a development service", main.name),
        Kind::Mounted => format!("{} leads to a development service", main.name),
        Kind::Named if found.is_off => {
            format!("{} still names a development service that is switched off", main.name)
        }
        _ => format!("{} is {value:?}, a development service", main.name),
    };
    let mut finding = about(context, main.holder, message);
    if found.is_inferred {
        finding = finding.confidence(Confidence::Inferred).because("no workload stands in the files");
    }
    for spot in &found.spots {
        let mut location = Location::at(spot.pointer.as_str()).named(&spot.stable);
        let text = mask(&spot.name, &spot.text);
        match spot.kind {
            Kind::Mounted | Kind::Argument => {}
            Kind::Image => {
                let holder = spot.holder.subject(inventory);
                finding = finding.because_of(holder, format!("{} runs {text}", holder.short()));
            }
            Kind::Switch => location = location.values(Some(text.into()), Some("false".into())),
            _ => location = location.values(Some(text.into()), None),
        }
        if spot.holder != main.holder {
            location = location.of(spot.holder.subject(inventory));
        }
        finding = finding.at(location);
        finding = configuration::tell_takers(inventory, finding, &spot.takers);
    }
    let mut told = BTreeSet::new();
    finding.evidence.retain(|evidence| told.insert(evidence.text.clone()));
    for spot in found.spots.iter().filter(|spot| spot.kind == Kind::Image) {
        if let Holder::Workload(position) = spot.holder {
            finding = exposure(context, position, finding, routed);
        }
    }
    finding
}

/// The Services that an Ingress or a route leads to, with their namespaces.
fn routed(inventory: &Inventory) -> BTreeSet<(String, String)> {
    let mut out = BTreeSet::new();
    for ingress in inventory.ingresses.iter() {
        for (_, _, backend) in ingress.backends() {
            out.insert((ingress.namespace().to_owned(), backend.name.clone()));
        }
    }
    for route in inventory.other("httproutes.gateway.networking.k8s.io") {
        let rules = route.at("/spec/rules").and_then(serde_json::Value::as_array);
        let backends = rules.into_iter().flatten().filter_map(|rule| rule.get("backendRefs")?.as_array());
        for backend in backends.flatten() {
            let text = |name: &str| backend.get(name).and_then(serde_json::Value::as_str);
            let namespace = text("namespace").unwrap_or_else(|| route.namespace());
            out.insert((namespace.to_owned(), text("name").unwrap_or_default().to_owned()));
        }
    }
    out
}

/// Raises the finding if the development service can be reached from outside.
fn exposure(
    context: &Context<'_>,
    position: usize,
    mut finding: Finding,
    routed: &BTreeSet<(String, String)>,
) -> Finding {
    let workload: &Item<Workload> = context.inventory.workloads.at(position);
    let is_mail = service_image(context, workload).is_some_and(|image| image.contains("mail"));
    for service in context.inventory.services_of(position) {
        let name = (service.namespace().to_owned(), service.name().to_owned());
        let how = if service.is_external() {
            format!("{} of type {}", service.subject.short(), service.kind())
        } else if routed.contains(&name) {
            format!("an Ingress or route to {}", service.subject.short())
        } else {
            continue;
        };
        finding = finding.because_of(&service.subject, format!("{how} exposes {}", workload.subject.short()));
        if !is_mail {
            finding = finding.severity(Severity::Critical);
        }
    }
    finding
}

fn offer(context: &Context<'_>, consumers: &Consumers, found: &Found, finding: Finding) -> Finding {
    let main = &found.spots[0];
    match main.kind {
        Kind::Switch | Kind::Endpoint => switch::offer(context, consumers, found, finding),
        Kind::Named if found.is_off => remove(context, found, finding),
        Kind::Image => {
            let name = finding.object.short();
            let fix = Fix::new(format!("Replace {name}"), Applicability::Manual)
                .note("move its users to a production service and its data to where it belongs")
                .note(format!("then delete {name} with its Service and its volumes"));
            finding.fix(fix)
        }
        _ => {
            let fix = Fix::new("Lead to a production service", Applicability::Manual)
                .note("no switch and no known endpoint key stands here: change the places by hand")
                .note("restart the workloads that take them");
            finding.fix(fix)
        }
    }
}

/// The second step: the values that only name the service go, once the new store is verified.
fn remove(context: &Context<'_>, found: &Found, finding: Finding) -> Finding {
    let inventory = context.inventory;
    let main = &found.spots[0];
    let names = |spot: &&Spot| spot.kind == Kind::Named && spot.holder == main.holder;
    let spots: Vec<&Spot> = found.spots.iter().filter(names).collect();
    let keys: Vec<&str> = spots.iter().map(|spot| spot.name.as_str()).collect();
    let title = format!("Remove {} from {}", keys.join(", "), finding.object.short());
    let mut fix = Fix::new(title, Applicability::Input)
        .ask(context.input(&finding.object, "verified", true))
        .note("whoever still reads the values fails: look at the consumers first");
    let guarded = match main.holder {
        Holder::Map(position) => configuration::guard(&mut fix, inventory.config_maps.at(position)),
        Holder::Workload(_) => true,
    };
    if fix.is_built() && guarded {
        if fix.lowered_by.is_empty() {
            fix.applicability = Applicability::Unsafe;
        }
        let element = |spot: &&Spot| Edit::remove(spot.pointer.strip_suffix("/value").unwrap_or(&spot.pointer));
        // Elements leave a list from its end, so that the places of the others stay.
        let edits = spots.iter().rev().map(element).collect();
        fix.steps.push(Step::patch(&finding.object, edits));
        if let Holder::Map(position) = main.holder {
            let map = inventory.config_maps.at(position);
            let takers: Vec<_> = spots.iter().flat_map(|spot| spot.takers.clone()).collect();
            configuration::restart(inventory, &mut fix, map, &takers);
        }
    }
    finding.fix(fix)
}

/// An object store that is reached over public networks without encryption.
fn plain(context: &Context<'_>, spot: &Spot) -> Finding {
    let value = mask(&spot.name, &spot.text);
    let message = format!("{} is {value:?}: objects cross public networks without encryption", spot.name);
    let mut finding = about(context, spot.holder, message);
    finding.category = Category::NetworkSecurity;
    let location = Location::at(spot.pointer.as_str()).named(&spot.stable);
    let fix = Fix::new(format!("Use https in {}", spot.name), Applicability::Manual)
        .note("check that the store serves https under this name, then change the scheme and restart the consumers");
    configuration::tell_takers(context.inventory, finding, &spot.takers)
        .at(location.values(Some(value.into()), None))
        .because("the host is neither in the cluster nor in a private range (RFC 1918, RFC 4193)")
        .fix(fix)
}
