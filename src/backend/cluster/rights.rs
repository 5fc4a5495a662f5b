//! The rights that a command needs: those of its requests, and no others.
//!
//! A `SelfSubjectAccessReview`, the version and discovery are open to everybody who is known.

use std::collections::{BTreeMap, BTreeSet};

use super::resources::{Reach, built_in};
use crate::model::inventory::{CLUSTER_WIDE, CUSTOM};

/// Verbs on one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The API group, `""` for the core.
    pub group: String,
    /// The resource, a subresource after a slash: `deployments/scale`.
    pub resource: String,
    /// The verbs, sorted.
    pub verbs: Vec<&'static str>,
    /// True if only a `ClusterRole` can give it: the objects live in no namespace.
    pub cluster: bool,
}

/// What a fix does to a resource.
#[derive(Clone, Copy)]
enum Writes {
    /// Changes it.
    Patch,
    /// Changes it and waits for its rollout.
    RollOut,
    /// Makes it; an undo removes it.
    Create,
    /// Makes or changes it.
    CreateOrPatch,
    /// Makes, changes or removes it.
    All,
}

impl Writes {
    /// What a write needs: the object is read before and after.
    fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::Patch => &["get", "patch"],
            Self::RollOut => &["get", "patch", "watch"],
            Self::Create => &["create", "delete", "get"],
            Self::CreateOrPatch | Self::All => &["create", "delete", "get", "patch"],
        }
    }
}

/// What is looked at after a change: rollouts, their pods and what the controllers say of them.
const FOLLOWED: [(&str, &str); 10] = [
    ("", "events"),
    ("", "pods"),
    ("", "resourcequotas"),
    ("", "services"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("discovery.k8s.io", "endpointslices"),
    ("policy", "poddisruptionbudgets"),
];

/// What the fixes of all rules write. `tests/rules.rs` holds it against every fix of every fixture.
const WRITTEN: [(&str, &str, Writes); 22] = [
    ("", "configmaps", Writes::Patch),
    ("", "limitranges", Writes::CreateOrPatch),
    ("", "namespaces", Writes::Patch),
    ("", "replicationcontrollers", Writes::Patch),
    ("", "replicationcontrollers/scale", Writes::Patch),
    ("", "resourcequotas", Writes::CreateOrPatch),
    ("", "services", Writes::Patch),
    ("apps", "daemonsets", Writes::RollOut),
    ("apps", "deployments", Writes::RollOut),
    ("apps", "deployments/scale", Writes::Patch),
    ("apps", "replicasets", Writes::Patch),
    ("apps", "replicasets/scale", Writes::Patch),
    ("apps", "statefulsets", Writes::RollOut),
    ("apps", "statefulsets/scale", Writes::Patch),
    ("autoscaling", "horizontalpodautoscalers", Writes::Patch),
    ("batch", "cronjobs", Writes::Patch),
    ("cert-manager.io", "certificates", Writes::Create),
    ("monitoring.coreos.com", "servicemonitors", Writes::Create),
    ("networking.k8s.io", "ingresses", Writes::CreateOrPatch),
    ("networking.k8s.io", "networkpolicies", Writes::CreateOrPatch),
    ("operator.victoriametrics.com", "vmservicescrapes", Writes::Create),
    ("policy", "poddisruptionbudgets", Writes::All),
];

/// What `audit`, `diff -f` aside, needs: every list that rules read, and the namespaces by name.
pub fn audit() -> Vec<Right> {
    let mut rights = Rights::default();
    for resource in built_in() {
        let group = resource.api_version.split_once('/').map_or("", |(group, _)| group);
        rights.add(group, &resource.plural, &["list"], resource.reach == Reach::Cluster);
    }
    for name in CUSTOM {
        let (plural, group) = name.split_once('.').expect("a custom resource has a group");
        rights.add(group, plural, &["list"], CLUSTER_WIDE.contains(name));
    }
    rights.add("", "namespaces", &["get"], true);
    rights.list()
}

/// What `fix` needs beyond [`audit`]: what fixes and their undo write, and look at afterwards.
pub fn fix() -> Vec<Right> {
    let mut rights = Rights::default();
    for (group, resource, writes) in WRITTEN {
        // A Role of a namespace gives the right to change that namespace.
        rights.add(group, resource, writes.verbs(), false);
    }
    for (group, resource) in FOLLOWED {
        rights.add(group, resource, &["list", "watch"], false);
    }
    // A pod that is stuck with a template that was taken back is deleted, after a question.
    rights.add("", "pods", &["delete"], false);
    rights.list()
}

#[derive(Default)]
struct Rights(BTreeMap<(String, String), (BTreeSet<&'static str>, bool)>);

impl Rights {
    fn add(&mut self, group: &str, resource: &str, verbs: &[&'static str], cluster: bool) {
        let (known, _) = self.0.entry((group.to_owned(), resource.to_owned())).or_insert((BTreeSet::new(), cluster));
        known.extend(verbs);
    }

    fn list(self) -> Vec<Right> {
        let right = |((group, resource), (verbs, cluster)): ((String, String), (BTreeSet<_>, _))| Right {
            group,
            resource,
            verbs: verbs.into_iter().collect(),
            cluster,
        };
        self.0.into_iter().map(right).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_may_see_secrets() {
        for right in audit().iter().chain(&fix()) {
            assert!(!right.resource.contains("secret") && right.resource != "*" && right.group != "*", "{right:?}");
            assert!(right.verbs.iter().all(|verb| *verb != "*"), "{right:?}");
        }
    }

    #[test]
    fn an_audit_only_lists() {
        let other: Vec<Right> = audit().into_iter().filter(|right| right.verbs != ["list"]).collect();
        assert_eq!(other.len(), 1, "{other:?}");
        assert_eq!((other[0].resource.as_str(), &other[0].verbs), ("namespaces", &vec!["get", "list"]));
    }

    #[test]
    fn what_lives_in_no_namespace_is_custom() {
        assert!(CLUSTER_WIDE.iter().all(|name| CUSTOM.contains(name)));
    }
}
