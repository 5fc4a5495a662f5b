//! Which network plugin a cluster runs, and whether it enforces network policies.
//!
//! A `NetworkPolicy` without a plugin that enforces it has no effect
//! (<https://kubernetes.io/docs/concepts/services-networking/network-policies/#prerequisites>).

use super::inventory::Inventory;
use super::object::Subject;
use super::pod::Container;
use super::store::Item;
use super::workload::Workload;

/// Whether policies have an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// A plugin enforces them.
    Enforced {
        /// The plugin's name.
        by: &'static str,
        /// Its `DaemonSet`.
        seen: Subject,
    },
    /// The only plugin that was found does not.
    NotEnforced {
        /// The plugin's name.
        by: &'static str,
        /// Its `DaemonSet`.
        seen: Subject,
        /// Why not.
        reason: String,
    },
    /// No plugin that is known was found.
    Unknown {
        /// Where was looked.
        reason: String,
    },
}

/// A plugin: its name, names of its `DaemonSet`, parts of its images.
struct Plugin {
    name: &'static str,
    daemon_sets: &'static [&'static str],
    images: &'static [&'static str],
}

/// Plugins that enforce policies, possibly after a switch that [`switched_off`] knows.
static PLUGINS: &[Plugin] = &[
    plugin("Cilium", &["cilium"], &["cilium/cilium"]),
    plugin("Calico", &["calico-node"], &["calico/node"]),
    plugin("Canal", &["canal", "rke2-canal"], &[]),
    plugin("Antrea", &["antrea-agent"], &["antrea/antrea-agent-ubuntu", "antrea/antrea-ubuntu"]),
    plugin("kube-router", &["kube-router"], &["cloudnativelabs/kube-router"]),
    plugin("OVN-Kubernetes", &["ovnkube-node"], &[]),
    plugin("Kube-OVN", &["kube-ovn-cni"], &["kubeovn/kube-ovn"]),
    plugin("Weave Net", &["weave-net"], &["weaveworks/weave-npc"]),
    plugin("Amazon VPC CNI", &["aws-node"], &["amazon-k8s-cni"]),
    plugin("Azure Network Policy Manager", &["azure-npm"], &["azure-npm"]),
    plugin("GKE Dataplane V2", &["anetd"], &[]),
    plugin("kube-network-policies", &["kube-network-policies"], &["networking/kube-network-policies"]),
    plugin("NSX", &["nsx-node-agent"], &[]),
    plugin("kindnet", &["kindnet"], &["kindest/kindnetd"]),
    plugin(
        "Flannel",
        &["kube-flannel", "kube-flannel-ds", "kube-flannel-ds-amd64"],
        &["flannel/flannel", "flannel-io/flannel", "coreos/flannel"],
    ),
];

const fn plugin(name: &'static str, daemon_sets: &'static [&'static str], images: &'static [&'static str]) -> Plugin {
    Plugin { name, daemon_sets, images }
}

/// The name of the plugin for rules that treat it apart.
pub const CILIUM: &str = "Cilium";

/// What the cluster's `DaemonSet`s show. One plugin that enforces is enough.
pub fn enforcement(inventory: &Inventory) -> Enforcement {
    let mut weak = None;
    for workload in inventory.workloads.iter().filter(|workload| workload.kind == "DaemonSet") {
        let Some(plugin) = PLUGINS.iter().find(|plugin| plugin.is(workload)) else {
            continue;
        };
        let (by, seen) = (plugin.name, workload.subject.clone());
        match switched_off(inventory, by, workload) {
            None => return Enforcement::Enforced { by, seen },
            Some(reason) => weak = weak.or(Some(Enforcement::NotEnforced { by, seen, reason })),
        }
    }
    let unseen = || inventory.unseen("daemonsets", "kube-system");
    weak.unwrap_or_else(|| Enforcement::Unknown {
        reason: unseen().unwrap_or_else(|| "no DaemonSet of a network plugin that is known was read".to_owned()),
    })
}

/// True if the cluster runs this plugin, whatever it enforces.
pub fn runs(inventory: &Inventory, plugin: &str) -> bool {
    matches!(enforcement(inventory), Enforcement::Enforced { by, .. } | Enforcement::NotEnforced { by, .. } if by == plugin)
}

impl Plugin {
    fn is(&self, workload: &Item<Workload>) -> bool {
        let by_image = |container: &Container| self.images.iter().any(|part| container.image_path().ends_with(part));
        self.daemon_sets.contains(&workload.name()) || containers(workload).any(by_image)
    }
}

fn containers(workload: &Workload) -> impl Iterator<Item = &Container> {
    workload.template().into_iter().flat_map(|template| template.spec.serving_containers())
}

/// Why a plugin does not enforce policies, if it does not.
fn switched_off(inventory: &Inventory, plugin: &str, workload: &Item<Workload>) -> Option<String> {
    match plugin {
        "Flannel" => Some("Flannel connects pods and enforces no policy".to_owned()),
        "Cilium" => {
            let config = inventory.config_maps.get(workload.namespace(), "ConfigMap", "cilium-config");
            let never =
                config.is_some_and(|config| config.data.get("enable-policy").is_some_and(|value| value == "never"));
            never.then(|| "ConfigMap/cilium-config sets enable-policy: never".to_owned())
        }
        "kube-router" => says(workload, "--run-firewall=false").then(|| "it runs with --run-firewall=false".to_owned()),
        "Weave Net" => {
            let off = |container: &Container| {
                container.env.iter().any(|v| v.name == "EXPECT_NPC" && v.value.as_deref() == Some("0"))
            };
            containers(workload).any(off).then(|| "EXPECT_NPC is 0".to_owned())
        }
        "Amazon VPC CNI" => amazon(inventory, workload),
        "kindnet" => {
            let image = containers(workload)
                .map(|container| container.image.as_str())
                .find(|image| image.contains("kindnetd"))?;
            let version = image.rsplit_once(":v")?.1.get(..8)?;
            let is_old = version.bytes().all(|b| b.is_ascii_digit()) && version < "20240813";
            is_old.then(|| format!("kindnet {version} is older than its support for policies (20240813)"))
        }
        _ => None,
    }
}

fn says(workload: &Workload, argument: &str) -> bool {
    containers(workload).any(|container| container.command.iter().chain(&container.args).any(|word| word == argument))
}

/// The plugin of Amazon enforces policies with an agent in a container of its own, if that is on.
fn amazon(inventory: &Inventory, workload: &Item<Workload>) -> Option<String> {
    let is_agent = |container: &Container| {
        container.image_path().ends_with("aws-network-policy-agent") || container.name == "aws-eks-nodeagent"
    };
    if !containers(workload).any(is_agent) {
        return Some("it has no network policy agent".to_owned());
    }
    let config = inventory.config_maps.get(workload.namespace(), "ConfigMap", "amazon-vpc-cni");
    let on = config
        .is_some_and(|config| config.data.get("enable-network-policy-controller").is_some_and(|value| value == "true"));
    let off = says(workload, "--enable-network-policy=false") && !on;
    off.then(|| "its agent runs with --enable-network-policy=false".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn with(name: &str, container: &Value) -> Enforcement {
        let mut inventory = Inventory::default();
        let body = json!({"metadata": {"name": name, "namespace": "kube-system"}, "spec": {"template": {"spec": {"containers": [container]}}}});
        inventory.add("apps/v1", "DaemonSet", body, None).unwrap();
        enforcement(&inventory.finish())
    }

    fn word(enforcement: &Enforcement) -> &'static str {
        match enforcement {
            Enforcement::Enforced { .. } => "yes",
            Enforcement::NotEnforced { .. } => "no",
            Enforcement::Unknown { .. } => "?",
        }
    }

    #[test]
    fn plugins_and_their_switches() {
        for (name, container, expected) in [
            ("cilium", json!({"name": "a"}), "yes"),
            ("renamed", json!({"name": "a", "image": "quay.io/calico/node:v3@sha256:0"}), "yes"),
            ("kube-flannel-ds", json!({"name": "a"}), "no"),
            ("kube-router", json!({"name": "a", "args": ["--run-firewall=false"]}), "no"),
            ("aws-node", json!({"name": "aws-node", "image": "x/amazon-k8s-cni:v1"}), "no"),
            ("aws-node", json!({"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=true"]}), "yes"),
            ("aws-node", json!({"name": "aws-eks-nodeagent", "args": ["--enable-network-policy=false"]}), "no"),
            ("kindnet", json!({"name": "a", "image": "docker.io/kindest/kindnetd:v20230511-dc714da8"}), "no"),
            ("kindnet", json!({"name": "a", "image": "docker.io/kindest/kindnetd:v20250512-df8de77b"}), "yes"),
            ("node-exporter", json!({"name": "a", "image": "prom/node-exporter:v1"}), "?"),
        ] {
            assert_eq!(word(&with(name, &container)), expected, "{name} {container}");
        }
    }
}
