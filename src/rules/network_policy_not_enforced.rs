//! network-policy-not-enforced: policies that no network plugin enforces.

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Location, Priority, Severity};
use crate::fix::{Applicability, Fix};
use crate::model::plugin::{self, Enforcement};

declare_rule! {
    /// ## What it does
    /// Reports a cluster that has network policies while the network plugin that its DaemonSets show
    /// enforces none: Flannel alone, an old kindnet, Amazon's plugin without its policy agent, or a
    /// plugin whose enforcement is switched off. It does not apply where no policy exists, and it is
    /// unknown where no plugin that is known was read: managed clusters hide some, and manifests of an
    /// application do not show the cluster.
    ///
    /// ## Why it matters
    /// A NetworkPolicy is accepted and stored whatever the plugin does. Without a plugin that enforces
    /// it, it has no effect, and everybody believes that it has.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: DaemonSet
    /// metadata: {name: kube-flannel-ds, namespace: kube-flannel}
    /// spec:
    ///   selector: {matchLabels: {app: flannel}}
    ///   template:
    ///     metadata: {labels: {app: flannel}}
    ///     spec: {containers: [{name: kube-flannel, image: ghcr.io/flannel-io/flannel:v0.27.0}]}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: NetworkPolicy
    /// metadata: {name: default-deny, namespace: shop}
    /// spec: {podSelector: {}, policyTypes: [Ingress]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: DaemonSet
    /// metadata: {name: calico-node, namespace: calico-system}
    /// spec:
    ///   selector: {matchLabels: {k8s-app: calico-node}}
    ///   template:
    ///     metadata: {labels: {k8s-app: calico-node}}
    ///     spec: {containers: [{name: calico-node, image: docker.io/calico/node:v3.30.0}]}
    /// ---
    /// apiVersion: networking.k8s.io/v1
    /// kind: NetworkPolicy
    /// metadata: {name: default-deny, namespace: shop}
    /// spec: {podSelector: {}, policyTypes: [Ingress]}
    /// ```
    ///
    /// ## Fix
    /// Manual. A network plugin is the cluster administrator's choice: a plugin that enforces policies
    /// beside Flannel (Canal), the switch of the plugin that is there, or another plugin. An
    /// attestation of this rule counts where the plugin can't be seen.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/services-networking/network-policies/#prerequisites>
    /// - <https://github.com/flannel-io/flannel#networking-details>
    /// - <https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html>
    /// - <https://github.com/kubernetes-sigs/kind/releases/tag/v0.24.0>
    id: "network-policy-not-enforced",
    summary: "network policies without a plugin that enforces them",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::NetworkSecurity,
    fix: Some(Applicability::Manual),
    impact: "Network policies have no effect.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let cluster = inventory.cluster_subject();
    let policies =
        inventory.network_policies.iter().filter(|policy| inventory.scope.covers(policy.namespace())).count();
    if policies == 0 {
        match inventory.gaps.iter().find(|gap| gap.kind == "networkpolicies") {
            Some(gap) => {
                verdicts.unknown(&cluster, format!("networkpolicies not readable in {}: {}", gap.scope, gap.reason));
            }
            None => verdicts.na(&cluster),
        }
        return;
    }
    match (plugin::enforcement(inventory), context.attested()) {
        (Enforcement::Enforced { .. }, _) => verdicts.pass(&cluster),
        (Enforcement::Unknown { .. }, Some(statement)) => verdicts.attested(&cluster, statement),
        (Enforcement::Unknown { reason }, None) => verdicts.unknown(&cluster, reason),
        (Enforcement::NotEnforced { by, seen, reason }, _) => {
            let count = if policies == 1 { "1 policy has".to_owned() } else { format!("{policies} policies have") };
            let finding = context
                .finding_about(&cluster, format!("{count} no effect: {by} enforces none"))
                .at(Location::at("/spec/template").of(&seen))
                .because_of(&seen, format!("{seen}: {reason}"));
            let fix = Fix::new("Enforce network policies", Applicability::Manual).note(instruction(by));
            verdicts.fail(finding.fix(fix));
        }
    }
}

/// What a person does about a plugin.
fn instruction(plugin: &str) -> &'static str {
    match plugin {
        "Flannel" => {
            "run Calico beside Flannel for policies only (Canal), or change to a plugin that enforces policies"
        }
        "Amazon VPC CNI" => "switch on enableNetworkPolicy in the configuration of the vpc-cni add-on",
        "Cilium" => "set enable-policy to default in ConfigMap cilium-config and restart the agents",
        "kube-router" => "run kube-router with --run-firewall=true",
        "Weave Net" => "remove EXPECT_NPC=0 and run weave-npc, or change to a plugin that is maintained",
        "kindnet" => "make the cluster anew with kind 0.24 or newer",
        _ => "change to a network plugin that enforces policies",
    }
}
