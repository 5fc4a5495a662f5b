//! The defects of one policy.

use serde_json::{Value, json};

use crate::finding::Severity;
use crate::fix::{Edit, is_ours};
use crate::model::isolation::{NAMESPACE_NAME, contains};
use crate::model::lint::{self, PortDefect};
use crate::model::network::{NetworkPolicy, PolicyPeer, PolicyPort, PolicyRule};
use crate::model::number::IntOrString;
use crate::model::selector::{Labels, Selector};
use crate::model::{Inventory, Item};

/// One defect, and what is done about it.
#[derive(Clone, Debug)]
pub(super) struct Defect {
    pub(super) pointer: String,
    pub(super) message: String,
    pub(super) evidence: Vec<String>,
    /// Another severity than the rule's own.
    pub(super) severity: Option<Severity>,
    pub(super) title: String,
    pub(super) edit: Option<Edit>,
    /// What stands there now.
    pub(super) current: Option<Value>,
    pub(super) instruction: &'static str,
}

/// What one policy is judged by.
struct Judge<'a> {
    inventory: &'a Inventory,
    namespaces: &'a [(&'a str, Labels)],
    policy: &'a Item<NetworkPolicy>,
    targets: Vec<usize>,
    found: Vec<Defect>,
    unknown: Option<String>,
}

/// All defects of a policy, and why there may be more.
pub(super) fn of(
    inventory: &Inventory,
    namespaces: &[(&str, Labels)],
    policy: &Item<NetworkPolicy>,
) -> (Vec<Defect>, Option<String>) {
    let targets = inventory.selected_workloads(policy.namespace(), &policy.spec.pod_selector);
    let mut judge = Judge { inventory, namespaces, policy, targets, found: Vec::new(), unknown: None };
    judge.target();
    for direction in ["Ingress", "Egress"].into_iter().filter(|direction| policy.isolates(direction)) {
        judge.direction(direction);
    }
    judge.open();
    judge.dns();
    (judge.found, judge.unknown)
}

impl Judge<'_> {
    fn add(
        &mut self,
        pointer: &str,
        message: impl Into<String>,
        title: &str,
        instruction: &'static str,
    ) -> &mut Defect {
        self.found.push(Defect {
            pointer: pointer.to_owned(),
            message: message.into(),
            evidence: Vec::new(),
            severity: None,
            title: title.to_owned(),
            edit: None,
            current: None,
            instruction,
        });
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    /// The pods that the policy is for.
    fn target(&mut self) {
        let selector = &self.policy.spec.pod_selector;
        let namespace = self.policy.namespace();
        // Solvers of challenges live for minutes.
        let is_short_lived = selector.match_labels.keys().any(|key| key.starts_with("acme.cert-manager.io/"));
        if selector.is_empty() || is_short_lived || is_ours(&self.policy.metadata) {
            return;
        }
        if !lint::selects_any(self.inventory, namespace, selector) {
            if let Some(reason) = lint::unseen_pods(self.inventory, namespace, selector) {
                self.unknown.get_or_insert(may_select(selector, &reason));
                return;
            }
            let text = format!("`{}` selects no pod of the namespace", selector.text());
            let instruction = "select the labels of the pods' template, or delete the policy";
            self.add("/spec/podSelector", text, "Correct podSelector", instruction);
            return;
        }
        let on_host = self.targets.iter().map(|position| self.inventory.workloads.at(*position));
        let on_host =
            on_host.filter(|workload| workload.template().is_some_and(|template| template.spec.on_host_network()));
        let names: Vec<String> = on_host.map(|workload| workload.subject.short()).collect();
        if let Some(name) = names.first() {
            let text = format!("{name} uses its node's network, to which policies do not apply");
            let instruction = "leave hostNetwork, or protect the node's ports with its own firewall";
            self.add("/spec/podSelector", text, "Isolate pods on the node's network", instruction);
        }
    }

    fn direction(&mut self, direction: &str) {
        let (list, rules) = lint::rules(self.policy, direction);
        for (i, rule) in rules.iter().enumerate() {
            let base = format!("/spec/{}/{i}", direction.to_lowercase());
            let peers = lint::peers(rule, list);
            for (j, peer) in peers.iter().enumerate() {
                self.peer(&format!("{base}/{list}/{j}"), peer);
            }
            self.either(&format!("{base}/{list}"), peers);
            let workloads = match direction {
                "Ingress" => self.targets.clone(),
                _ => peers
                    .iter()
                    .flat_map(|peer| lint::selected(self.inventory, self.namespaces, self.policy, peer))
                    .collect(),
            };
            let everybody =
                direction == "Egress" && (peers.is_empty() || peers.iter().any(|peer| peer.ip_block.is_some()));
            if !everybody {
                self.ports(&base, rule, &workloads);
            }
        }
    }

    fn peer(&mut self, at: &str, peer: &PolicyPeer) {
        let own = [self.policy.namespace()];
        let spaces: Vec<&str> = match &peer.namespace_selector {
            None => own.to_vec(),
            Some(selector) => {
                let matching = self.namespaces.iter().filter(|(_, labels)| selector.matches(labels));
                let names: Vec<&str> = matching.map(|(name, _)| *name).collect();
                if names.is_empty() {
                    self.no_namespace(at, selector);
                    return;
                }
                names
            }
        };
        let Some(pods) = peer.pod_selector.as_ref().filter(|selector| !selector.is_empty()) else {
            return;
        };
        if spaces.iter().any(|space| lint::selects_any(self.inventory, space, pods)) {
            return;
        }
        let all = peer.namespace_selector.is_none() || lint::sees_all_namespaces(self.inventory);
        let unread = (!all).then(|| "they were not read".to_owned());
        let unseen = || spaces.iter().find_map(|space| lint::unseen_pods(self.inventory, space, pods));
        if let Some(reason) = unread.or_else(unseen) {
            self.unknown.get_or_insert(may_select(pods, &reason));
        } else {
            let text = format!("`{}` selects no pod in {}", pods.text(), spaces.join(", "));
            self.add(
                &format!("{at}/podSelector"),
                text,
                "Correct the peer",
                "select the labels of the callers' template, or remove the peer",
            );
        }
    }

    /// A selector of namespaces that selects none: often a label `name` that nobody set.
    fn no_namespace(&mut self, at: &str, selector: &Selector) {
        let is_complete = lint::sees_all_namespaces(self.inventory);
        let single = selector
            .match_labels
            .iter()
            .next()
            .filter(|_| selector.match_labels.len() == 1 && selector.match_expressions.is_empty());
        // Of namespaces that every cluster has only the name is known until they are read.
        let meant = single.filter(|(key, value)| {
            *key != NAMESPACE_NAME
                && self.namespaces.iter().any(|(name, _)| name == value)
                && (is_complete || self.inventory.namespaces.get("", "Namespace", value).is_some())
        });
        let text = format!("`{}` selects no namespace", selector.text());
        if let Some((key, value)) = meant {
            let pointer = format!("{at}/namespaceSelector/matchLabels");
            let evidence =
                format!("Namespace/{value} exists and has no label {key}; every namespace has {NAMESPACE_NAME}");
            let defect = self.add(&pointer, text, &format!("Select namespace {value} by its name"), "");
            defect.current = Some(json!(selector.match_labels));
            defect.edit = Some(Edit::set(pointer.as_str(), json!({NAMESPACE_NAME: value})));
            defect.evidence.push(evidence);
        } else if is_complete {
            let instruction = "select the namespace by the label kubernetes.io/metadata.name, or remove the peer";
            self.add(&format!("{at}/namespaceSelector"), text, "Correct the peer", instruction);
        } else {
            self.unknown.get_or_insert(format!("`{}` may select a namespace that was not read", selector.text()));
        }
    }

    /// Two peers that mean either, where both seem meant: the pods are in the selected namespace and
    /// not in the policy's own.
    fn either(&mut self, at: &str, peers: &[PolicyPeer]) {
        let [a, b] = peers else {
            return;
        };
        let parts = |space: &PolicyPeer, pods: &PolicyPeer| {
            Some((space.namespace_selector.clone()?, pods.pod_selector.clone()?))
        };
        let is_pair =
            |space: &PolicyPeer, pods: &PolicyPeer| space.pod_selector.is_none() && pods.namespace_selector.is_none();
        let pair = if is_pair(a, b) { parts(a, b) } else { parts(b, a).filter(|_| is_pair(b, a)) };
        let Some((spaces, pods)) = pair.filter(|(spaces, pods)| !spaces.is_empty() && !pods.is_empty()) else {
            return;
        };
        let there = self.namespaces.iter().filter(|(_, labels)| spaces.matches(labels));
        let there: Vec<&str> =
            there.map(|(name, _)| *name).filter(|name| lint::selects_any(self.inventory, name, &pods)).collect();
        if there.is_empty() || lint::selects_any(self.inventory, self.policy.namespace(), &pods) {
            return;
        }
        let evidence =
            format!("`{}` selects pods in {} and none in {}", pods.text(), there.join(", "), self.policy.namespace());
        let text = "two peers mean either of them; a namespace and its pods seem meant";
        let instruction = "put namespaceSelector and podSelector into one element of the list, so that both must hold";
        self.add(at, text, "Join the two peers", instruction).evidence.push(evidence);
    }

    fn ports(&mut self, base: &str, rule: &PolicyRule, workloads: &[usize]) {
        for (i, port) in rule.ports.iter().enumerate() {
            let pointer = format!("{base}/ports/{i}/port");
            let shown = port.port.as_ref().map(ToString::to_string).unwrap_or_default();
            match lint::judge_port(self.inventory, workloads, port) {
                None => {}
                Some(PortDefect::NoSuchName) => {
                    let protocol = port.protocol.as_deref().unwrap_or("TCP");
                    let text = format!("no container of the selected pods has a {protocol} port named {shown}");
                    self.add(
                        &pointer,
                        text,
                        "Correct the port",
                        "name a port that the containers declare, or give its number",
                    );
                }
                Some(PortDefect::ServicePort { services, pod_ports, name }) => {
                    // With both ports the rule works, whichever the network plugin sees.
                    let by_number = pod_ports.iter().all(|number| has_port(rule, &IntOrString::Int(*number), port));
                    if by_number || name.as_ref().is_some_and(|name| has_port(rule, name, port)) {
                        continue;
                    }
                    let numbers: Vec<String> = pod_ports.iter().map(ToString::to_string).collect();
                    let (of, on) = (services.join(" and "), numbers.join(" and "));
                    let whose = if services.len() > 1 { "their" } else { "its" };
                    let text = format!("{shown} is the port of {of}; {whose} pods listen on {on}");
                    let wanted = match pod_ports.as_slice() {
                        [number] => Some(IntOrString::Int(*number)),
                        _ => name,
                    };
                    self.service_port(&pointer, port, text, wanted.as_ref());
                }
            }
        }
    }

    /// The port of a Service in place of its pods' port. Pods whose numbers differ may share its name.
    fn service_port(&mut self, pointer: &str, port: &PolicyPort, text: String, wanted: Option<&IntOrString>) {
        let title =
            wanted.map_or_else(|| "List the pods' ports".to_owned(), |port| format!("Use the pods' port {port}"));
        let instruction = if wanted.is_some() { "" } else { "list the port of each of the pods, where it is meant" };
        let defect = self.add(pointer, text, &title, instruction);
        defect.evidence.push("policies see the ports of pods, after the Service's translation".to_owned());
        if let Some(IntOrString::Text(name)) = wanted {
            defect.evidence.push(format!("the port {name} has several numbers; each pod has its own under that name"));
        }
        if let Some(wanted) = wanted {
            defect.current = Some(json!(port.port));
            defect.edit = Some(Edit::set(pointer, json!(wanted)));
        }
    }

    /// Rules that let everybody in.
    fn open(&mut self) {
        if !self.policy.isolates("Ingress") || is_ours(&self.policy.metadata) {
            return;
        }
        let is_public = !self.targets.is_empty() && self.targets.iter().all(|position| self.is_public(*position));
        for (i, rule) in self.policy.spec.ingress.iter().enumerate() {
            let pointer = format!("/spec/ingress/{i}");
            let any_range = |peer: &PolicyPeer| {
                let cidr = peer.ip_block.as_ref().and_then(|block| block.get("cidr")?.as_str()).unwrap_or_default();
                contains(cidr, "0.0.0.1") && contains(cidr, "255.255.255.254")
            };
            let everybody = rule.from.is_empty()
                || rule.from.iter().any(|peer| any_range(peer) && !is_public && rule.ports.is_empty());
            if !everybody || (is_public && !rule.ports.is_empty()) {
                continue;
            }
            let instruction = "name the callers in from; delete the policy if everybody may call";
            if rule.ports.is_empty() {
                self.add(&pointer, "the rule lets everybody call every port", "Name the callers", instruction);
            } else {
                let defect = self.add(
                    &pointer,
                    "the rule names no callers: everybody may call its ports",
                    "Name the callers",
                    instruction,
                );
                defect.severity = Some(Severity::Low);
            }
        }
    }

    fn is_public(&self, position: usize) -> bool {
        let workload = self.inventory.workloads.at(position);
        let containers = workload.template().into_iter().flat_map(|template| template.spec.serving_containers());
        let on_host =
            containers.flat_map(|container| &container.ports).any(|port| port.host_port.is_some_and(|port| port > 0));
        on_host || self.inventory.services_of(position).any(|service| service.is_external())
    }

    /// Outgoing traffic to pods, without DNS in any policy of a workload.
    fn dns(&mut self) {
        let reaches_pods = |rule: &PolicyRule| rule.to.iter().any(|peer| peer.ip_block.is_none());
        if !self.policy.isolates("Egress") || !self.policy.spec.egress.iter().any(reaches_pods) {
            return;
        }
        let closed = self.targets.iter().copied().find(|position| {
            let policies = self.inventory.policies_of(*position).filter(|policy| policy.isolates("Egress"));
            let rules: Vec<&PolicyRule> = policies.flat_map(|policy| &policy.spec.egress).collect();
            !lint::lets_dns(&rules)
        });
        let all = self.inventory.network_policies.within(self.policy.namespace()).iter();
        let general = all.filter(|policy| policy.subject == self.policy.subject || policy.spec.pod_selector.is_empty());
        let own: Vec<&PolicyRule> = general.flat_map(|policy| &policy.spec.egress).collect();
        if closed.is_none() && (!self.targets.is_empty() || lint::lets_dns(&own)) {
            return;
        }
        let evidence = closed.map(|position| {
            format!("no policy lets {} call DNS", self.inventory.workloads.at(position).subject.short())
        });
        let rule = crate::rules::missing_egress_policy::dns_rule(self.inventory);
        let defect = self.add(
            "/spec/egress",
            "outgoing traffic is isolated without a rule for DNS",
            "Let the pods call DNS",
            "",
        );
        defect.evidence.extend(evidence);
        defect.edit = Some(Edit::set("/spec/egress/-", rule));
    }
}

/// What stays open about a selector that selects nothing that was read.
fn may_select(selector: &Selector, reason: &str) -> String {
    format!("`{}` may select pods: {reason}", selector.text())
}

/// True if a rule lists this port too, for the same protocol.
fn has_port(rule: &PolicyRule, wanted: &IntOrString, beside: &PolicyPort) -> bool {
    let protocol = |port: &PolicyPort| port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
    rule.ports.iter().any(|port| port.port.as_ref() == Some(wanted) && protocol(port) == protocol(beside))
}
