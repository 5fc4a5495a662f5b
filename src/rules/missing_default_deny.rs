//! missing-default-deny: namespaces in which a new workload starts without isolation.

use serde_json::json;

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Priority, Severity};
use crate::fix::{Applicability, Fix, Step, free_name};
use crate::model::inventory::is_top_level;
use crate::model::isolation;
use crate::model::network::NetworkPolicy;
use crate::model::{Inventory, Item, Subject};

declare_rule! {
    /// ## What it does
    /// Reports a namespace with workloads in which no NetworkPolicy selects all pods for incoming
    /// traffic without letting everybody in. It is information until every workload of the namespace
    /// is isolated by a policy of its own. It is unknown from manifests without the Namespace, unless
    /// they are declared complete, and where policies of other kinds exist.
    ///
    /// ## Why it matters
    /// Policies isolate the pods that they select and no others. The next workload, or a pod that
    /// somebody starts by hand, is open to the whole cluster until somebody thinks of its policy.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: NetworkPolicy
    /// metadata: {name: web-ingress, namespace: shop}
    /// spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: NetworkPolicy
    /// metadata: {name: default-deny, namespace: shop}
    /// spec: {podSelector: {}, policyTypes: [Ingress]}
    /// ```
    ///
    /// ## Fix
    /// Unsafe, and refused until every workload of the namespace is isolated for incoming traffic.
    /// Creates a policy that selects all pods and lets nobody in. It has `Egress` among its types only
    /// if every workload is isolated for outgoing traffic too. The pods with which cert-manager solves
    /// HTTP01 challenges have no policy of their own: where cert-manager or an issuer is seen, a second
    /// policy lets everybody call their port 8089. Let the policies of the workloads run for a while
    /// before this one. Undo deletes the policies.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/network-policies/#default-policies>
    /// - <https://cert-manager.io/docs/configuration/acme/http01/>
    id: "missing-default-deny",
    summary: "no default-deny policy for the namespace",
    severity: Severity::Low,
    priority: Priority::ShortTerm,
    category: Category::NetworkSecurity,
    fix: Some(Applicability::Unsafe),
    impact: "The next workload starts open to the whole cluster.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for subject in inventory.audited_namespaces() {
        let namespace = subject.name.clone();
        let is_read = inventory.namespaces.get("", "Namespace", &namespace).is_some();
        let policies = inventory.network_policies.within(&namespace);
        if policies.iter().any(|policy| denies(policy)) {
            verdicts.pass(&subject);
        } else if let Some(reason) = isolation::unknown_isolation(inventory, &namespace) {
            verdicts.unknown(&subject, reason);
        } else if !is_read && !inventory.is_live() && !inventory.is_complete() {
            verdicts.unknown(&subject, format!("Namespace/{namespace} is not among the manifests"));
        } else {
            fail(context, &subject, verdicts);
        }
    }
}

/// True for a policy that isolates all pods of its namespace and does not let everybody in.
fn denies(policy: &Item<NetworkPolicy>) -> bool {
    let lets_all = policy.spec.ingress.iter().any(|rule| rule.from.is_empty() && rule.ports.is_empty());
    policy.spec.pod_selector.is_empty() && policy.isolates("Ingress") && !lets_all
}

/// The workloads of a namespace that are open in a direction; development services count too. Pods
/// on the node's network can't be isolated, and no Service leads to pods without labels.
fn open(inventory: &Inventory, namespace: &str, direction: &str) -> Vec<Subject> {
    let start = inventory.workloads.start_of(namespace);
    let end = start + inventory.workloads.within(namespace).len();
    let judged = (start..end).filter(|position| {
        let workload = inventory.workloads.at(*position);
        let on_host = workload.template().is_some_and(|template| template.spec.on_host_network());
        let is_called = direction != "Ingress" || isolation::pod_selector(workload).is_some();
        is_top_level(workload) && !workload.is_finished() && !on_host && is_called
    });
    let open = judged.filter(|position| isolation::isolated_by(inventory, *position, direction).is_none());
    open.map(|position| inventory.workloads.at(position).subject.clone()).collect()
}

fn fail(context: &Context<'_>, subject: &Subject, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let open_in = open(inventory, &subject.name, "Ingress");
    let open_out = open(inventory, &subject.name, "Egress");
    let message = "no NetworkPolicy isolates all pods of the namespace";
    let mut finding = super::namespace_finding(context, subject, message);
    finding = match open_in.as_slice() {
        [] => finding.because("every workload that a policy of its own can close is isolated for incoming traffic"),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            finding
                .severity(Severity::Info)
                .because(format!("not isolated for incoming traffic yet: {}{more}", first.short()))
        }
    };
    verdicts.fail(context.detail(finding, |finding| finding.fix(fix(inventory, &subject.name, &open_in, &open_out))));
}

fn fix(inventory: &Inventory, namespace: &str, open_in: &[Subject], open_out: &[Subject]) -> Fix {
    let taken = |name: &str| inventory.network_policies.get(namespace, "NetworkPolicy", name).is_some();
    let create = |name: &str, spec| {
        Step::create("missing-default-deny", "networking.k8s.io/v1", "NetworkPolicy", namespace, name, spec)
    };
    let name = free_name("default-deny", taken);
    let both = open_out.is_empty() && open_in.is_empty();
    let types = if both { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
    let mut fix = Fix::new(format!("Create NetworkPolicy {name}"), Applicability::Unsafe)
        .consequence("every new pod of the namespace is closed until a policy opens it")
        .note(match open_out {
            _ if both => "every workload is isolated in both directions, so the policy closes both".to_owned(),
            [] => "the policy closes incoming traffic".to_owned(),
            [first, ..] => format!("only incoming traffic: {} is not isolated for outgoing traffic", first.short()),
        })
        .note("let the policies of the workloads run for a while first");
    if let Some(issuer) = solver(inventory) {
        let name = free_name("acme-http01-solver", taken);
        let spec = json!({
            "podSelector": {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": 8089}]}],
        });
        fix =
            fix.note(format!("NetworkPolicy {name} first, for HTTP01 challenges: {issuer}")).step(create(&name, spec));
    }
    if let Some(first) = open_in.first() {
        fix.refuse(
            "stage",
            format!("{} is not isolated yet: fix missing-ingress-policy of every workload first", first.short()),
        );
    }
    fix.step(create(&name, json!({"podSelector": {}, "policyTypes": types})))
}

/// What shows that cert-manager may start solver pods.
fn solver(inventory: &Inventory) -> Option<String> {
    let issuers = ["clusterissuers.cert-manager.io", "issuers.cert-manager.io"];
    let issuer = issuers.iter().flat_map(|kind| inventory.other(kind)).find(|issuer| issuer.at("/spec/acme").is_some());
    let manager = || {
        inventory.workloads.iter().find(|workload| {
            let containers = workload.template().into_iter().flat_map(|template| &template.spec.containers);
            containers.map(|container| container.image.as_str()).any(|image| image.contains("cert-manager-controller"))
        })
    };
    issuer.map(|issuer| issuer.subject.to_string()).or_else(|| manager().map(|workload| workload.subject.to_string()))
}
