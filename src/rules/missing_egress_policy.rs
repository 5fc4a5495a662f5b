//! missing-egress-policy: pods that may call everything, inside and outside the cluster.

use std::cell::OnceCell;

use serde_json::json;

use super::missing_ingress_policy::{judge, own_pods, policy_name};
use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Fix, Step};
use crate::model::isolation;

mod cluster;
mod needs;

use cluster::Known;
pub(super) use cluster::dns_rule;
use needs::Needs;

declare_rule! {
    /// ## What it does
    /// Reports a workload that no NetworkPolicy isolates for outgoing traffic. It is information
    /// until the workload is isolated for incoming traffic, which comes first. It does not apply to
    /// workloads that run nothing and to development services, and it is unknown where policies of
    /// other kinds exist.
    ///
    /// ## Why it matters
    /// Whoever takes over a pod can call every other pod, the metadata service of the cloud, and any
    /// server on the internet to send data to.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: api, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: api}}
    ///   template:
    ///     metadata: {labels: {app: api}}
    ///     spec: {containers: [{name: api, image: api:1, env: [{name: DB_HOST, value: db}]}]}
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: db, namespace: shop}
    /// spec: {selector: {app: db}, ports: [{port: 5432}]}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: NetworkPolicy
    /// metadata: {name: api-ingress, namespace: shop}
    /// spec: {podSelector: {matchLabels: {app: api}}, policyTypes: [Ingress]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: api, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: api}}
    ///   template:
    ///     metadata: {labels: {app: api}}
    ///     spec: {containers: [{name: api, image: api:1, env: [{name: DB_HOST, value: db}]}]}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: NetworkPolicy
    /// metadata: {name: api-egress, namespace: shop}
    /// spec:
    ///   podSelector: {matchLabels: {app: api}}
    ///   policyTypes: [Egress]
    ///   egress:
    ///   - to:
    ///     - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
    ///       podSelector: {matchLabels: {k8s-app: kube-dns}}
    ///     ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
    ///   - to: [{podSelector: {matchLabels: {app: db}}}]
    ///     ports: [{protocol: TCP, port: 5432}]
    /// ```
    ///
    /// ## Fix
    /// Needs answers, then unsafe. Creates one policy that lets the workload call DNS, the Services
    /// that its variables, arguments and mounted ConfigMaps name, on the ports of the pods behind
    /// them, and literal addresses; the other pods of a StatefulSet behind a headless Service; what
    /// it scrapes, for Prometheus; what its Ingresses and routes lead to, for a controller; and
    /// workloads whose policies let it in. A port that a Service names and no container has is left
    /// out. A policy can't hold names, and code and Secrets are not read: so
    /// `external` asks what else it calls. The answer is `none`, ranges with or without a port
    /// (`10.10.0.0/16:5432`), or `any`, which is weak: every address but the metadata service's and
    /// `clusterRanges`, on the ports of the names that were found. `callees` asks about Services that
    /// only a Secret or a program names: where values stand in Secrets, and where no object shows who
    /// calls a workload of the namespace. A service account with roles, and agents on the node, need
    /// addresses of the API server and of nodes; from manifests those are asked too. It is manual on
    /// Cilium where such addresses are needed, since Cilium does not match ranges against them. It is
    /// refused until the workload is isolated for incoming traffic, so that never both change at once.
    /// What happens to open connections is up to the network plugin. Undo deletes the policy.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/network-policies/>
    /// - <https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/>
    /// - <https://docs.cilium.io/en/stable/security/policy/language/#cidr-based>
    id: "missing-egress-policy",
    summary: "no egress isolation",
    severity: Severity::Low,
    priority: Priority::ShortTerm,
    category: Category::NetworkSecurity,
    fix: Some(Applicability::Input),
    impact: "Whoever takes over a pod may call anything.",
    parameters: &[
        Parameter {
            key: "external",
            prompt: "what it calls outside the cluster: none, any, or ranges such as 10.10.0.0/16:5432,203.0.113.7/32:443",
            kind: ParameterKind::Ranges("none|any|[0-9a-f.:]+/[0-9]+(:[0-9]+)?(,[0-9a-f.:]+/[0-9]+(:[0-9]+)?)*"),
            default: None,
        },
        Parameter {
            key: "clusterRanges",
            prompt: "address ranges of pods and Services, which external=any leaves out",
            kind: ParameterKind::Ranges("[0-9a-f.:]+/[0-9]+(,[0-9a-f.:]+/[0-9]+)*"),
            default: None,
        },
        Parameter {
            key: "callees",
            prompt: "visible lets it call what objects show, namespace also every pod of its namespace",
            kind: ParameterKind::Choice(&["visible", "namespace"]),
            default: None,
        },
        Parameter {
            key: "apiServer",
            prompt: "addresses of the API server, such as 192.0.2.1/32:6443",
            kind: ParameterKind::Ranges("[0-9a-f.:]+/[0-9]+:[0-9]+(,[0-9a-f.:]+/[0-9]+:[0-9]+)*"),
            default: None,
        },
        Parameter {
            key: "nodes",
            prompt: "address ranges of the nodes, whose agents it calls",
            kind: ParameterKind::Ranges("[0-9a-f.:]+/[0-9]+(:[0-9]+)?(,[0-9a-f.:]+/[0-9]+(:[0-9]+)?)*"),
            default: None,
        },
    ],
    next_stages: &["missing-default-deny"],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let known = OnceCell::new();
    let known = || known.get_or_init(|| Known::of(context.inventory));
    judge(context, verdicts, "Egress", |position| finding(context, position, known));
}

fn finding<'a>(context: &Context<'_>, position: usize, known: impl FnOnce() -> &'a Known) -> Finding {
    let inventory = context.inventory;
    let workload = inventory.workloads.at(position);
    let isolated = isolation::isolated_by(inventory, position, "Ingress");
    let finding =
        context.finding(workload, "no NetworkPolicy isolates it for outgoing traffic").at(Location::at("/spec"));
    let finding = if isolated.is_some() { finding } else { finding.severity(Severity::Info) };
    let detail = |finding: Finding| {
        let mut needs = Needs::of(context, known(), position);
        let finding = needs.evidence(finding);
        let finding = match isolated {
            Some(policy) => finding.because_of(policy, format!("{} isolates it for incoming traffic", policy.short())),
            None => finding.because("not isolated for incoming traffic yet, which comes first"),
        };
        finding.fix(fix(context, position, &mut needs, isolated.is_some()))
    };
    match isolated {
        Some(_) => context.detail(finding, detail),
        // The fix is refused, whatever it is.
        None => context.detail_as(Some(Applicability::Manual), finding, detail),
    }
}

fn fix(context: &Context<'_>, position: usize, needs: &mut Needs<'_>, is_second: bool) -> Fix {
    let inventory = context.inventory;
    let workload = inventory.workloads.at(position);
    let name = policy_name(inventory, workload, "egress");
    let mut fix = Fix::new(format!("Create NetworkPolicy {name}"), Applicability::Unsafe)
        .consequence(format!("{} can call nothing that the policy does not list", workload.subject.short()))
        .note("readiness does not prove that it works: health endpoints rarely call what the workload needs");
    needs.lower(&mut fix);
    if !is_second {
        fix.refuse("stage", "incoming traffic comes first: fix missing-ingress-policy, then this");
    }
    if workload.template().is_some_and(|template| template.spec.on_host_network()) {
        fix.refuse("host-network", "its pods use their node's network, to which policies do not apply");
    }
    let selector = own_pods(&mut fix, inventory, position);
    if let Some(selector) = selector.filter(|_| fix.is_built()) {
        let spec = json!({"podSelector": selector, "policyTypes": ["Egress"], "egress": needs.rules()});
        fix = fix.step(Step::create(
            "missing-egress-policy",
            "networking.k8s.io/v1",
            "NetworkPolicy",
            workload.namespace(),
            &name,
            spec,
        ));
    }
    fix
}
