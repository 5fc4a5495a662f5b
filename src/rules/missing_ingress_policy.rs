//! missing-ingress-policy: pods that everything in the cluster may call.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;

use serde_json::json;

use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity, Verdict};
use crate::fix::{Applicability, Fix, Step, free_name};
use crate::model::capacity;
use crate::model::isolation;
use crate::model::network::Service;
use crate::model::plugin::{self, Enforcement};
use crate::model::selector::Selector;
use crate::model::workload::{KINDS, Workload};
use crate::model::{Inventory, Item};

mod flow;
mod flows;
mod known;
mod others;

use flows::Flows;
use known::Known;
pub(super) use others::Others;

declare_rule! {
    /// ## What it does
    /// Reports a workload that no NetworkPolicy isolates for incoming traffic. A policy isolates the
    /// pods that it selects if `Ingress` is among its policy types, which it is by default. It does
    /// not apply to workloads that run nothing and to development services. Where policies of other
    /// kinds exist (Cilium, Calico, AdminNetworkPolicy) the answer is unknown: their meaning is not
    /// read, and no policy is created beside them.
    ///
    /// ## Why it matters
    /// Without a policy every pod of the cluster may call every port. Whoever takes over one pod
    /// reaches the databases of all others.
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
    ///     spec: {containers: [{name: api, image: api:1, ports: [{containerPort: 8080}]}]}
    /// ---
    /// apiVersion: v1
    /// kind: Service
    /// metadata: {name: api, namespace: shop}
    /// spec: {selector: {app: api}, ports: [{port: 80, targetPort: 8080}]}
    /// ---
    /// apiVersion: batch/v1
    /// kind: Job
    /// metadata: {name: import, namespace: shop}
    /// spec:
    ///   suspend: true
    ///   template:
    ///     metadata: {labels: {app: import}}
    ///     spec:
    ///       restartPolicy: Never
    ///       containers: [{name: import, image: import:1, env: [{name: API_URL, value: http://api}]}]
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
    ///     spec: {containers: [{name: api, image: api:1, ports: [{containerPort: 8080}]}]}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: NetworkPolicy
    /// metadata: {name: api-ingress, namespace: shop}
    /// spec:
    ///   podSelector: {matchLabels: {app: api}}
    ///   policyTypes: [Ingress]
    ///   ingress:
    ///   - from: [{podSelector: {matchLabels: {app: import}}}]
    ///     ports: [{protocol: TCP, port: 8080}]
    /// ```
    ///
    /// ## Fix
    /// Unsafe. Creates one policy for the workload that lets in exactly the callers that objects
    /// show, each on the pod's own ports:
    /// - the controller of every Ingress, Gateway route or Istio virtual service that leads to it;
    /// - workloads whose variables, arguments or mounted ConfigMaps name one of its Services. A bare
    ///   name counts only beside a scheme, a port of the Service, or a key that asks for an address,
    ///   and never crosses namespaces;
    /// - Prometheus, if a monitor or an annotation names the workload. Where only the resource was read
    ///   whose operator runs it, such as a `Prometheus` that selects the monitor, its pods are those of
    ///   the resource's namespace;
    /// - everybody, on ports that a LoadBalancer, NodePort, external address or hostPort opens;
    /// - its own pods, for a StatefulSet of several pods behind a headless Service;
    /// - pods that a policy for outgoing traffic lets out to it by their labels, or by its namespace
    ///   and port.
    ///
    /// What was not read is asked and never guessed silently. For a controller that is known by name
    /// `controllerNamespace` and `controllerLabels` have its usual place as default, which is named
    /// as an assumption. A workload with a Service asks for `callers` if no caller is visible, or if
    /// other workloads of its namespace take addresses from Secrets, which are not read; in files one
    /// with ports also asks if its Service is not among them. Callers that
    /// stand in code only are cut off. The fix is refused for
    /// pods on the node's network, for callers there, for Services that the API server calls, and
    /// where the selector also selects pods of another workload. Undo deletes the policy.
    /// Where no plugin is seen to enforce policies, the check counts half; where the plugin does not
    /// enforce them, it counts nothing.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/network-policies/>
    /// - <https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>
    /// - <https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/2161-apiserver-default-labels>
    /// - <https://np-guard.github.io/>
    id: "missing-ingress-policy",
    summary: "no ingress isolation",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::NetworkSecurity,
    fix: Some(Applicability::Unsafe),
    impact: "Every pod of the cluster may call it.",
    parameters: &[
        Parameter {
            key: "controllerNamespace",
            prompt: "namespace of the ingress controller",
            kind: ParameterKind::Text("[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
            default: None,
        },
        Parameter {
            key: "controllerLabels",
            prompt: "labels of the ingress controller's pods, a=b,c=d",
            kind: ParameterKind::Text("[A-Za-z0-9._/-]+=[A-Za-z0-9._-]*(,[A-Za-z0-9._/-]+=[A-Za-z0-9._-]*)*"),
            default: None,
        },
        Parameter {
            key: "controllerRanges",
            prompt: "address ranges of a load balancer outside the cluster that calls the pods",
            kind: ParameterKind::Ranges("[0-9a-f.:]+/[0-9]+(,[0-9a-f.:]+/[0-9]+)*"),
            default: None,
        },
        Parameter {
            key: "monitoringNamespace",
            prompt: "namespace of Prometheus",
            kind: ParameterKind::Text("[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
            default: Some("monitoring"),
        },
        Parameter {
            key: "callers",
            prompt: "visible lets in what objects show, namespace also every pod of its namespace",
            kind: ParameterKind::Choice(&["visible", "namespace"]),
            default: None,
        },
    ],
    next_stages: &["missing-egress-policy", "missing-default-deny"],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let known = OnceCell::new();
    let known = || known.get_or_init(|| Known::of(context.inventory));
    judge(context, verdicts, "Ingress", |position| finding(context, position, known));
    verdicts.ratio = cap(context, verdicts);
}

/// Judges each workload by whether a policy isolates it in this direction.
pub(super) fn judge(
    context: &Context<'_>,
    verdicts: &mut Verdicts<'_>,
    direction: &str,
    finding: impl Fn(usize) -> Finding,
) {
    let inventory = context.inventory;
    let mut unknown = HashMap::new();
    for (position, workload) in inventory.audited_workloads() {
        let namespace = workload.namespace();
        if workload.is_idle() || super::is_development(context, workload) {
            verdicts.na(&workload.subject);
        } else if isolation::isolated_by(inventory, position, direction).is_some() {
            verdicts.pass(&workload.subject);
        } else if let Some(reason) =
            unknown.entry(namespace).or_insert_with(|| isolation::unknown_isolation(inventory, namespace))
        {
            verdicts.unknown(&workload.subject, reason.as_str());
        } else {
            verdicts.fail(finding(position));
        }
    }
}

fn finding<'a>(context: &Context<'_>, position: usize, known: impl FnOnce() -> &'a Known) -> Finding {
    let workload = context.inventory.workloads.at(position);
    let finding =
        context.finding(workload, "no NetworkPolicy isolates it for incoming traffic").at(Location::at("/spec"));
    context.detail(finding, |finding| {
        let known = known();
        let mut flows = Flows::of(context, known, position);
        flows.unseen_callers();
        flows.evidence(finding).fix(fix(context, known, position, &mut flows))
    })
}

fn fix(context: &Context<'_>, known: &Known, position: usize, flows: &mut Flows<'_>) -> Fix {
    let inventory = context.inventory;
    let workload = inventory.workloads.at(position);
    let name = policy_name(inventory, workload, "ingress");
    let mut fix = Fix::new(format!("Create NetworkPolicy {name}"), Applicability::Unsafe).consequence(format!(
        "{} refuses every caller that the policy does not list, also those in code",
        workload.subject.short()
    ));
    flows.lower(&mut fix);
    let selector = guard(&mut fix, context, known, position);
    cilium(&mut fix, known, flows);
    if let Some(selector) = selector.filter(|_| fix.is_built()) {
        let spec = json!({"podSelector": selector, "policyTypes": ["Ingress"], "ingress": flows.rules()});
        let step = Step::create(
            "missing-ingress-policy",
            "networking.k8s.io/v1",
            "NetworkPolicy",
            workload.namespace(),
            &name,
            spec,
        );
        fix = fix.step(step);
    }
    fix
}

/// A free name: `web-ingress`, with the kind if another workload of the namespace has the name too.
pub(super) fn policy_name(inventory: &Inventory, workload: &Item<Workload>, direction: &str) -> String {
    let mut others = KINDS.iter().copied().chain(["Pod"]).filter(|kind| *kind != workload.kind);
    let shared = others.any(|kind| inventory.workloads.get(workload.namespace(), kind, workload.name()).is_some());
    let kind = if shared { format!("-{}", workload.kind.to_lowercase()) } else { String::new() };
    let taken = |name: &str| inventory.network_policies.get(workload.namespace(), "NetworkPolicy", name).is_some();
    free_name(&format!("{}{kind}-{direction}", workload.name()), taken)
}

/// The guards that do not depend on who calls. Returns the selector of the policy, if there is one.
fn guard<'a>(fix: &mut Fix, context: &Context<'a>, known: &Known, position: usize) -> Option<Cow<'a, Selector>> {
    let inventory = context.inventory;
    let workload = inventory.workloads.at(position);
    let selector = own_pods(fix, inventory, position);
    if workload.template().is_some_and(|template| template.spec.on_host_network()) {
        fix.refuse("host-network", "its pods use their node's network, to which policies do not apply");
    }
    let mut services =
        inventory.services_of(position).map(|service| (service.namespace().to_owned(), service.name().to_owned()));
    if let Some(caller) = services.find_map(|service| known.called_by_api_server.get(&service)) {
        fix.refuse("webhook", format!("the API server calls it for {}; its address can't be selected", caller.short()));
    } else if inventory.services_of(position).next().is_some() {
        if let Some(reason) = isolation::unknown_api_calls(inventory) {
            fix.refuse("webhook", format!("could not exclude that the API server calls it: {reason}"));
        } else if !inventory.is_live() && !inventory.is_complete() {
            fix.demote(Applicability::Unsafe, "webhook", "webhooks outside the files may call it");
        }
    }
    selector
}

/// Cilium gives nodes and pods identities of their own, and does not match ranges against them.
fn cilium(fix: &mut Fix, known: &Known, flows: &Flows<'_>) {
    match &known.enforcement {
        Enforcement::NotEnforced { by, .. } => {
            fix.notes.push(format!("{by} does not enforce it: it has no effect yet"));
        }
        Enforcement::Enforced { by, .. } if *by == plugin::CILIUM && flows.has_ranges() => {
            match flows.node_in_range() {
                Some(node) => fix.refuse(
                    "cilium",
                    format!("Cilium does not match address ranges against nodes, and Node/{node} is meant"),
                ),
                None => fix.demote(
                    Applicability::Unsafe,
                    "cilium",
                    "Cilium matches address ranges outside the cluster only, not nodes",
                ),
            }
        }
        _ => {}
    }
}

/// True if the pods of a workload find each other through a Service: those of a StatefulSet of
/// several pods through a headless one, under names made at run time.
pub(super) fn finds_itself(inventory: &Inventory, position: usize, service: &Service) -> bool {
    let workload = inventory.workloads.at(position);
    let several = || workload.replicas().max(capacity::ceiling(inventory, position).pods) > 1;
    workload.kind == "StatefulSet" && service.is_headless() && several()
}

/// The policy must select the workload's own pods and nobody else's. Returns the selector, if it
/// selects the own ones.
pub(super) fn own_pods<'a>(fix: &mut Fix, inventory: &'a Inventory, position: usize) -> Option<Cow<'a, Selector>> {
    let workload = inventory.workloads.at(position);
    let Some(selector) = isolation::pod_selector(workload) else {
        fix.refuse("selector", "its pods have no label of their own that a policy could select");
        return None;
    };
    if !workload.is_selected_by(&selector) {
        fix.refuse("selector", format!("`{}` does not select the pods of its own template", selector.text()));
        return None;
    }
    if !inventory.is_exclusive(&selector, position) {
        fix.refuse("selector", format!("`{}` also selects pods of another workload", selector.text()));
    } else if let Some(reason) = inventory.unseen("pods", workload.namespace()) {
        fix.demote(Applicability::Unsafe, "selector", format!("not verified against pods: {reason}"));
    }
    Some(selector)
}

/// A policy that nothing enforces is no isolation: at most half if the plugin is not known, nothing
/// if it does not enforce.
fn cap(context: &Context<'_>, verdicts: &Verdicts<'_>) -> Option<f64> {
    let plugin_rule = Context { rule: &super::network_policy_not_enforced::RULE, ..*context };
    if plugin_rule.attested().is_some() {
        return None;
    }
    let share = match plugin::enforcement(context.inventory) {
        Enforcement::Enforced { .. } => return None,
        Enforcement::NotEnforced { .. } => return Some(0.0),
        Enforcement::Unknown { .. } => 0.5,
    };
    let count = |wanted: fn(&Verdict) -> bool| verdicts.outcomes.iter().filter(|(_, verdict)| wanted(verdict)).count();
    let passed = count(|verdict| matches!(verdict, Verdict::Pass { .. }));
    let failed = count(|verdict| matches!(verdict, Verdict::Fail));
    let all = u32::try_from(passed + failed).ok().filter(|all| *all > 0)?;
    let passed = u32::try_from(passed).ok()?;
    Some((f64::from(passed) / f64::from(all)).min(share))
}
