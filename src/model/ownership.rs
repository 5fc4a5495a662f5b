//! Who keeps an object: a person with kubectl, or a tool that will put its own state back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inventory::Inventory;
use super::object::{LAST_APPLIED, Meta};
use super::workload;

/// The kinds of keepers, as reports name them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OwnershipClass {
    /// Argo CD applies it from Git.
    GitopsArgocd,
    /// Flux applies it from Git.
    GitopsFlux,
    /// A Helm release.
    Helm,
    /// Another object's controller.
    Operator,
    /// Terraform.
    Terraform,
    /// Pulumi.
    Pulumi,
    /// Client-side `kubectl apply`.
    KubectlCsa,
    /// Server-side apply.
    KubectlSsa,
    /// Nobody in particular.
    #[default]
    None,
}

/// Who keeps an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ownership {
    /// What kind of keeper.
    pub class: OwnershipClass,
    /// The field managers, sorted, each once.
    pub managers: Vec<String>,
    /// The keeper itself, where it is known: an Application, a release, a parent object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<String>,
}

impl Ownership {
    /// Detects the keeper of a live object. The order is that of the strength of the claim.
    pub fn of(meta: &Meta, kind: &str, inventory: &Inventory) -> Self {
        let mut managers: Vec<String> = meta.managed_fields.iter().map(|entry| entry.manager.clone()).collect();
        managers.sort();
        managers.dedup();
        let (class, keeper) = classify(meta, kind, inventory, &managers);
        Self { class, managers, keeper }
    }

    /// What happens to a change that we make by hand, for classes that take it back or refuse it.
    pub fn consequence(&self) -> Option<&'static str> {
        Some(match self.class {
            OwnershipClass::GitopsArgocd => "Argo CD puts the value of Git back",
            OwnershipClass::GitopsFlux => "Flux puts the value of Git back",
            OwnershipClass::Operator => "its controller puts its own value back",
            OwnershipClass::Helm => "the next helm upgrade meets a conflict or puts the chart's value back",
            OwnershipClass::Terraform => "the next terraform apply puts its own value back",
            OwnershipClass::Pulumi => "the next pulumi up puts its own value back",
            OwnershipClass::KubectlCsa => "the next kubectl apply puts the manifest's value back",
            OwnershipClass::KubectlSsa => "the next server-side apply of another value meets a conflict",
            OwnershipClass::None => return None,
        })
    }

    /// Where a change lasts, for keepers whose objects are not changed by hand.
    pub fn place(&self) -> Option<String> {
        let known = |of: &str, otherwise: &str| {
            self.keeper.as_ref().map_or_else(|| otherwise.to_owned(), |keeper| format!("{of} {keeper}"))
        };
        Some(match self.class {
            OwnershipClass::GitopsArgocd => known("the repository of", "the repository that Argo CD applies"),
            OwnershipClass::GitopsFlux => known("the repository of", "the repository that Flux applies"),
            OwnershipClass::Operator => known("the specification of", "what its controller makes it from"),
            OwnershipClass::Helm => known("the chart or the values of", "the chart or its values"),
            _ => return None,
        })
    }
}

fn classify(meta: &Meta, kind: &str, inventory: &Inventory, managers: &[String]) -> (OwnershipClass, Option<String>) {
    let wrote = |name: &str| managers.iter().any(|manager| manager == name);
    let starts = |prefix: &str| managers.iter().any(|manager| manager.starts_with(prefix));
    if let Some(application) = argo_application(meta, kind, inventory) {
        return (OwnershipClass::GitopsArgocd, application);
    }
    if wrote("argocd-controller") {
        return (OwnershipClass::GitopsArgocd, None);
    }
    if let Some(flux) = flux_source(meta, managers) {
        return (OwnershipClass::GitopsFlux, flux);
    }
    if let Some(parent) = meta.controller().filter(|owner| !is_built_in(&owner.kind, &owner.api_version)) {
        return (OwnershipClass::Operator, Some(format!("{}/{}", parent.kind, parent.name)));
    }
    if let Some(release) = meta.annotation("meta.helm.sh/release-name")
        && meta.label("app.kubernetes.io/managed-by") == Some("Helm")
    {
        return (OwnershipClass::Helm, Some(format!("release {release}")));
    }
    if wrote("Terraform") {
        return (OwnershipClass::Terraform, None);
    }
    if starts("pulumi-kubernetes") {
        return (OwnershipClass::Pulumi, None);
    }
    if meta.annotation(LAST_APPLIED).is_some() {
        return (OwnershipClass::KubectlCsa, None);
    }
    let applied = |operation: &str| operation == "Apply";
    if meta.managed_fields.iter().any(|entry| applied(&entry.operation) && entry.manager != "kubectl-progrc") {
        return (OwnershipClass::KubectlSsa, None);
    }
    (OwnershipClass::None, None)
}

/// The Application that tracks an object. The instance label alone proves nothing, since Helm
/// charts write it too: then the Application has to list the object.
#[expect(clippy::option_option, reason = "tracked or not, and by a known Application or not")]
fn argo_application(meta: &Meta, kind: &str, inventory: &Inventory) -> Option<Option<String>> {
    if let Some(tracking) = meta.annotation("argocd.argoproj.io/tracking-id") {
        let application = tracking.split(':').next().unwrap_or_default();
        return Some(Some(format!("Application {application}")));
    }
    let instance = meta.label("app.kubernetes.io/instance")?;
    let listed = inventory.other("applications.argoproj.io").any(|application| {
        let resources = application.at("/status/resources").and_then(serde_json::Value::as_array);
        application.name() == instance
            && resources.into_iter().flatten().any(|resource| {
                let field = |name: &str| resource.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
                field("kind") == kind && field("name") == meta.name && field("namespace") == meta.namespace()
            })
    });
    listed.then(|| Some(format!("Application {instance}")))
}

/// The Flux object that applies an object, unless reconciling is switched off for it.
#[expect(clippy::option_option, reason = "applied by Flux or not, and by a known object or not")]
fn flux_source(meta: &Meta, managers: &[String]) -> Option<Option<String>> {
    if meta.annotation("kustomize.toolkit.fluxcd.io/reconcile") == Some("disabled") {
        return None;
    }
    for (kind, prefix) in [("Kustomization", "kustomize"), ("HelmRelease", "helm")] {
        if let Some(name) = meta.label(&format!("{prefix}.toolkit.fluxcd.io/name")) {
            let namespace = meta.label(&format!("{prefix}.toolkit.fluxcd.io/namespace")).unwrap_or_default();
            return Some(Some(format!("{kind} {namespace}/{name}")));
        }
    }
    let controller = ["kustomize-controller", "helm-controller"];
    managers.iter().any(|manager| controller.contains(&manager.as_str())).then_some(None)
}

fn is_built_in(kind: &str, api_version: &str) -> bool {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let known = workload::KINDS.contains(&kind) || matches!(kind, "Node" | "Service" | "Pod" | "Namespace");
    known && matches!(group, "" | "apps" | "batch")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(meta: serde_json::Value) -> OwnershipClass {
        let meta: Meta = serde_json::from_value(meta).unwrap();
        Ownership::of(&meta, "Deployment", &Inventory::default()).class
    }

    #[test]
    fn the_instance_label_alone_is_not_argo() {
        let meta = serde_json::json!({"name": "x", "labels": {"app.kubernetes.io/instance": "x"}});
        assert_eq!(class(meta), OwnershipClass::None);
        let meta = serde_json::json!({"name": "x", "annotations": {"argocd.argoproj.io/tracking-id": "x:apps/Deployment:a/x"}});
        assert_eq!(class(meta), OwnershipClass::GitopsArgocd);
    }

    #[test]
    fn helm_needs_label_and_annotation() {
        let label = serde_json::json!({"app.kubernetes.io/managed-by": "Helm"});
        assert_eq!(class(serde_json::json!({"name": "x", "labels": label})), OwnershipClass::None);
        let annotations = serde_json::json!({"meta.helm.sh/release-name": "r"});
        let meta = serde_json::json!({"name": "x", "labels": label, "annotations": annotations});
        assert_eq!(class(meta), OwnershipClass::Helm);
    }

    #[test]
    fn a_foreign_controller_is_an_operator() {
        let owner = |kind: &str, version: &str| {
            serde_json::json!({"name": "x", "ownerReferences": [
                {"kind": kind, "apiVersion": version, "name": "p", "uid": "1", "controller": true}]})
        };
        assert_eq!(class(owner("Redis", "x.io/v1")), OwnershipClass::Operator);
        assert_eq!(class(owner("ReplicaSet", "apps/v1")), OwnershipClass::None);
    }
}
