//! broken-network-policy: policies that do not do what they say.

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Action, Applicability, Fix, Step};
use crate::model::Item;
use crate::model::lint;
use crate::model::network::NetworkPolicy;

mod defects;

use defects::Defect;

declare_rule! {
    /// ## What it does
    /// Reports defects of a NetworkPolicy, one finding each:
    /// - a `namespaceSelector` that selects no namespace, or a `podSelector` that selects no pod;
    /// - a port of a Service in place of the port of its pods, or a name that no container declares;
    /// - outgoing traffic isolated to other pods without a rule for DNS;
    /// - a namespace and pods as two peers, which means either, where both seem meant;
    /// - a rule that lets everybody in: without peers and ports, or without peers on a port that no
    ///   LoadBalancer, NodePort or hostPort opens (low);
    /// - pods on their node's network, to which policies do not apply.
    ///
    /// That a selector selects nothing is known from a cluster, or from manifests that are declared
    /// complete, or if the Namespace that is meant is among them without the label. A custom resource
    /// of the namespace that may own such pods leaves it unknown. Ports that
    /// containers declare are documentation, so a number is reported only if a Service explains it.
    ///
    /// ## Why it matters
    /// The server accepts a policy whose selectors and ports lead nowhere. It cuts off the callers
    /// that it was written for, or it isolates nothing.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: ingress-nginx}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: NetworkPolicy
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   podSelector: {matchLabels: {app: web}}
    ///   ingress:
    ///   - from: [{namespaceSelector: {matchLabels: {name: ingress-nginx}}}]
    ///     ports: [{port: 8080}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: ingress-nginx}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: NetworkPolicy
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   podSelector: {matchLabels: {app: web}}
    ///   ingress:
    ///   - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]
    ///     ports: [{port: 8080}]
    /// ```
    ///
    /// ## Fix
    /// Unsafe where one change is meant without doubt: the label that every namespace has with its own
    /// name, where a namespace of the selected name exists; the pods' port in place of the Service's,
    /// by its name where the numbers of the pods differ; a rule for DNS. Manual for everything else.
    /// Undo puts the old values back.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors>
    /// - <https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name>
    id: "broken-network-policy",
    summary: "network policy that does not do what it says",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::NetworkSecurity,
    fix: Some(Applicability::Unsafe),
    impact: "The policy cuts off callers that it means to let in, or isolates nothing.",
    parameters: &[],
    next_stages: &["broken-network-policy"],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let namespaces = lint::namespaces(inventory);
    for policy in inventory.network_policies.iter().filter(|policy| inventory.scope.covers(policy.namespace())) {
        let (found, unknown) = defects::of(inventory, &namespaces, policy);
        if let (true, Some(reason)) = (found.is_empty(), unknown) {
            verdicts.unknown(&policy.subject, reason);
        } else if found.is_empty() {
            verdicts.pass(&policy.subject);
        }
        for defect in found {
            verdicts.fail(finding(context, policy, &defect));
        }
    }
}

fn finding(context: &Context<'_>, policy: &Item<NetworkPolicy>, defect: &Defect) -> Finding {
    let mut finding = context.finding(policy, defect.message.clone()).at(Location::at(&defect.pointer));
    if let (Some(current), Some(Action::Set(wanted))) = (&defect.current, defect.edit.as_ref().map(|edit| &edit.action))
    {
        finding.locations[0] = Location::at(&defect.pointer).values(Some(current.clone()), Some(wanted.clone()));
    }
    for text in &defect.evidence {
        finding = finding.because(text.clone());
    }
    if let Some(severity) = defect.severity {
        finding = finding.severity(severity);
    }
    let selected = context.inventory.selected_workloads(policy.namespace(), &policy.spec.pod_selector);
    if let Some(first) = selected.first() {
        let more = if selected.len() > 1 { format!(" and {} more", selected.len() - 1) } else { String::new() };
        let name = context.inventory.workloads.at(*first).subject.short();
        finding = finding.because(format!("the policy is for {name}{more}"));
    }
    context.detail(finding, |finding| finding.fix(fix(policy, defect)))
}

fn fix(policy: &Item<NetworkPolicy>, defect: &Defect) -> Fix {
    match &defect.edit {
        Some(edit) => Fix::new(defect.title.clone(), Applicability::Unsafe)
            .consequence("opens what the policy was written to open")
            .step(Step::Patch {
                object: policy.subject.clone(),
                subresource: None,
                edits: vec![edit.clone()],
                expect: Vec::new(),
            }),
        None => Fix::new(defect.title.clone(), Applicability::Manual).note(defect.instruction),
    }
}
