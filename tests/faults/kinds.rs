//! The custom resources of the fixtures, with schemas that take everything.

use http::Method;
use serde_json::json;

use crate::harness::{ControlPlane, WAIT, wait_until};

/// One custom resource.
pub(crate) struct Custom {
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    kind: &'static str,
    pub(crate) namespaced: bool,
}

const fn custom(version: &'static str, plural: &'static str, kind: &'static str) -> Custom {
    Custom { version, plural, kind, namespaced: true }
}

/// Those that rules write or read in the fixtures.
pub(crate) const CUSTOM: &[Custom] = &[
    custom("monitoring.coreos.com/v1", "servicemonitors", "ServiceMonitor"),
    custom("monitoring.coreos.com/v1", "podmonitors", "PodMonitor"),
    custom("monitoring.coreos.com/v1", "prometheuses", "Prometheus"),
    custom("cert-manager.io/v1", "certificates", "Certificate"),
    custom("cert-manager.io/v1", "issuers", "Issuer"),
    Custom { namespaced: false, ..custom("cert-manager.io/v1", "clusterissuers", "ClusterIssuer") },
    custom("keda.sh/v1alpha1", "scaledobjects", "ScaledObject"),
    custom("velero.io/v1", "schedules", "Schedule"),
];

/// Makes the server know them.
pub(crate) fn install(plane: &ControlPlane) {
    for Custom { version, plural, kind, namespaced } in CUSTOM {
        let (group, version) = version.split_once('/').unwrap();
        let object = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}"),
                "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
            "spec": {
                "group": group,
                "scope": if *namespaced { "Namespaced" } else { "Cluster" },
                "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind},
                "versions": [{
                    "name": version, "served": true, "storage": true, "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }],
            },
        });
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        plane.request(Method::POST, path, Some(&object)).success();
    }
    for Custom { version, plural, .. } in CUSTOM {
        wait_until(WAIT, &format!("{plural} to be served"), || {
            match plane.request(Method::GET, &format!("/apis/{version}/{plural}"), None) {
                answer if answer.code == 200 => Ok(()),
                answer => Err(answer.body.to_string()),
            }
        });
    }
}
