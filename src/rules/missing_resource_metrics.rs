//! missing-resource-metrics: nobody answers for the usage of pods and nodes.

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::Applicability;
use crate::model::Item;
use crate::model::cluster::ApiService;
use crate::model::evidence;

declare_rule! {
    /// ## What it does
    /// Reports a cluster without an available APIService `v1beta1.metrics.k8s.io`, by which
    /// metrics-server or a substitute answers for the usage of pods and nodes. In manifests the
    /// document counts as available; without it the verdict is unknown, unless the manifests are
    /// declared complete.
    ///
    /// ## Why it matters
    /// Autoscalers that measure CPU or memory can't act, and `kubectl top` shows nothing.
    ///
    /// ## Example
    /// ```yaml
    /// # complete: true
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # complete: true
    /// apiVersion: apiregistration.k8s.io/v1
    /// kind: APIService
    /// metadata: {name: v1beta1.metrics.k8s.io}
    /// spec:
    ///   group: metrics.k8s.io
    ///   version: v1beta1
    ///   groupPriorityMinimum: 100
    ///   versionPriority: 100
    ///   service: {name: metrics-server, namespace: kube-system}
    /// ```
    ///
    /// ## Fix
    /// Manual. Install metrics-server, or switch the provider's addon on. Where it is installed, its
    /// pods, its Service and the network between the API server and them are the places to look.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/>
    /// - <https://github.com/kubernetes-sigs/metrics-server>
    id: "missing-resource-metrics",
    summary: "no resource metrics",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Monitoring,
    fix: Some(Applicability::Manual),
    impact: "Autoscalers that measure CPU or memory can't act.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

const NAME: &str = "v1beta1.metrics.k8s.io";

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let cluster = inventory.cluster_subject();
    let Some(service) = inventory.api_services.get("", "APIService", NAME) else {
        let unseen = evidence::unseen_anywhere(inventory, &["apiservices"]);
        vouch::settle(context, verdicts, &cluster, unseen, || absent(context));
        return;
    };
    match unavailable(context, service) {
        None => verdicts.pass(&cluster),
        Some(reason) => vouch::settle(context, verdicts, &cluster, None, || broken(context, service, &reason)),
    }
}

/// Why nobody answers, where the server says so.
fn unavailable(context: &Context<'_>, service: &Item<ApiService>) -> Option<String> {
    if !context.inventory.is_live() {
        return None;
    }
    let Some(condition) = service.status.conditions.iter().find(|condition| condition.kind == "Available") else {
        return Some("it has no condition Available".to_owned());
    };
    let words = [condition.reason.as_str(), condition.message.as_str()];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    (condition.status != "True").then(|| format!("Available is {}: {}", condition.status, words.join(", ")))
}

fn broken(context: &Context<'_>, service: &Item<ApiService>, reason: &str) -> Finding {
    let cluster = context.inventory.cluster_subject();
    let mut finding = context.finding_about(&cluster, "the resource metrics API is not available");
    finding = finding.at(Location::at("/status/conditions").of(&service.subject)).because_of(&service.subject, reason);
    let notes = ["look at the pods behind the Service that the APIService names"];
    let mut finding = context
        .detail(finding, |finding| finding.fix(vouch::manual(context, "Repair the resource metrics API", &notes)));
    if let Some(backend) = &service.spec.service {
        let text = format!("{} answers by Service {}/{}", service.subject.short(), backend.namespace, backend.name);
        finding = finding.because(text);
    }
    finding
}

fn absent(context: &Context<'_>) -> Finding {
    let cluster = context.inventory.cluster_subject();
    let notes = ["install metrics-server: https://github.com/kubernetes-sigs/metrics-server#installation"];
    context
        .finding_about(&cluster, "nobody answers for the usage of pods and nodes")
        .because(format!("searched: APIService/{NAME}; there is none"))
        .fix(vouch::manual(context, "Install metrics-server", &notes))
}
