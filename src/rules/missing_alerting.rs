//! missing-alerting: nobody is called.

use serde_json::Value;

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Finding, Priority, Severity};
use crate::fix::Applicability;
use crate::model::cluster::Other;
use crate::model::evidence;
use crate::model::monitors::{RULE_READERS, RULES, Readers, Reading};
use crate::model::observability::{self, Role, VENDOR_KINDS};
use crate::model::{Inventory, Item};

declare_rule! {
    /// ## What it does
    /// Reports a cluster where nobody is called when something breaks: no Alertmanager, as a workload
    /// or as a resource of an operator, or no alerting rule that anybody reads. A PrometheusRule
    /// counts if it has an `alert` and a Prometheus or ThanosRuler selects it, a VMRule if a VMAlert
    /// does, and a rule file in a ConfigMap beside a Prometheus without operator. The agent of a
    /// vendor whose service alerts, and alert rules of the Grafana operator, stand for both. In
    /// manifests the absence is unknown, unless they are declared complete.
    ///
    /// ## Why it matters
    /// Users find the outage first.
    ///
    /// ## Example
    /// ```yaml
    /// # complete: true
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: Alertmanager
    /// metadata: {name: main, namespace: monitoring}
    /// spec: {replicas: 3}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # complete: true
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: Alertmanager
    /// metadata: {name: main, namespace: monitoring}
    /// spec: {replicas: 3}
    /// ---
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: Prometheus
    /// metadata: {name: main, namespace: monitoring}
    /// spec:
    ///   ruleSelector: {matchLabels: {release: monitoring}}
    /// ---
    /// apiVersion: monitoring.coreos.com/v1
    /// kind: PrometheusRule
    /// metadata: {name: up, namespace: monitoring, labels: {release: monitoring}}
    /// spec:
    ///   groups:
    ///     - name: up
    ///       rules: [{alert: Down, expr: up == 0, for: 5m}]
    /// ```
    ///
    /// ## Fix
    /// Manual. Install Alertmanager with a receiver that reaches a person, and rules with the labels
    /// that a Prometheus selects. Alerting of a managed service can't be seen: attest it.
    ///
    /// ## References
    /// - <https://prometheus.io/docs/alerting/latest/overview/>
    /// - <https://prometheus-operator.dev/docs/developer/alerting/>
    /// - <https://prometheus-operator.dev/docs/api-reference/api/>
    id: "missing-alerting",
    summary: "nobody is called when something breaks",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Monitoring,
    fix: Some(Applicability::Manual),
    impact: "Users find the outage first.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: &[Aspect::Replicas, Aspect::Budgets],
    check: check,
}

/// Resources that send alerts.
const SENDERS: [&str; 2] = ["alertmanagers.monitoring.coreos.com", "vmalertmanagers.operator.victoriametrics.com"];
const GRAFANA_RULES: &str = "grafanaalertrulegroups.grafana.integreatly.org";

/// What was found of alerting rules.
enum Rules {
    Read,
    Unseen(String),
    None(Vec<String>),
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let cluster = inventory.cluster_subject();
    let stands_for_both = observability::program(inventory, Role::Vendor).is_some()
        || observability::custom_resource(inventory, &VENDOR_KINDS).is_some()
        || inventory.other(GRAFANA_RULES).next().is_some();
    let sender = observability::program(inventory, Role::Alerts).is_some()
        || observability::custom_resource(inventory, &SENDERS).is_some();
    let rules = rules(inventory);
    if stands_for_both || sender && matches!(rules, Rules::Read) {
        verdicts.pass(&cluster);
        return;
    }
    let senders = evidence::PROGRAMS.into_iter().chain(SENDERS).chain([GRAFANA_RULES]);
    let mut lists: Vec<&str> = senders.collect();
    if sender {
        lists.extend(RULES.into_iter().chain(RULE_READERS).chain(["configmaps"]));
    }
    let unseen = evidence::unseen_anywhere(inventory, &lists).or_else(|| match &rules {
        Rules::Unseen(reason) if sender => Some(reason.clone()),
        _ => None,
    });
    vouch::settle(context, verdicts, &cluster, unseen, || finding(context, sender, &rules));
}

/// The best that is known about alerting rules.
fn rules(inventory: &Inventory) -> Rules {
    if by_files(inventory) {
        return Rules::Read;
    }
    let readers = Readers::of(inventory);
    let (mut reasons, mut unseen) = (Vec::new(), None);
    for rule in RULES.into_iter().flat_map(|resource| inventory.other(resource)) {
        if !alerts(rule) {
            reasons.push(format!("{} records only", rule.subject));
            continue;
        }
        match readers.reading(rule) {
            Reading::By(_) => return Rules::Read,
            Reading::Unseen(reason) => unseen = unseen.or(Some(format!("{}: {reason}", rule.subject))),
            Reading::Nobody(misses) => {
                let why = misses.first().map_or("there is no reader", String::as_str);
                reasons.push(format!("nobody reads {}: {why}", rule.subject));
            }
        }
    }
    unseen.map_or(Rules::None(reasons), Rules::Unseen)
}

/// True if a rule object has an alert besides recorded series.
fn alerts(rule: &Item<Other>) -> bool {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let groups = list(rule.at("/spec/groups"));
    groups.iter().flat_map(|group| list(group.get("rules"))).any(|rule| rule.get("alert").is_some())
}

/// True if a ConfigMap beside a Prometheus or vmalert without operator holds alerting rules.
fn by_files(inventory: &Inventory) -> bool {
    let evaluates = |image: &str| image == "prometheus" || image == "vmalert";
    evidence::running(inventory).filter(|(_, workload)| observability::is_program(workload)).any(|(_, workload)| {
        let Some(template) = workload.template() else { return false };
        let reads = template.spec.containers.iter().any(|container| evaluates(container.image_name()));
        let mut maps = template.spec.volumes.iter().flat_map(crate::model::pod::Volume::config_maps);
        reads
            && maps.any(|name| {
                let map = inventory.config_maps.get(workload.namespace(), "ConfigMap", name);
                map.is_some_and(|map| map.data.values().any(|text| has_alert(text)))
            })
    })
}

fn has_alert(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().trim_start_matches("- ").trim_start().starts_with("alert:"))
}

fn finding(context: &Context<'_>, sender: bool, rules: &Rules) -> Finding {
    let cluster = context.inventory.cluster_subject();
    let read = matches!(rules, Rules::Read);
    let message = match (sender, read) {
        (false, true) => "alerting rules are read, and nothing sends the alerts",
        (true, _) => "an Alertmanager is there, and no alerting rule that anybody reads",
        (false, false) => "nothing sends alerts, and no alerting rule is read",
    };
    let searched = "searched: Alertmanager and vendors' agents in all namespaces; PrometheusRule, VMRule, rule files";
    let mut finding = context.finding_about(&cluster, message).because(searched);
    if let Rules::None(reasons) = rules {
        finding = reasons.iter().fold(finding, |finding, reason| finding.because(reason.clone()));
    }
    let mut notes = Vec::new();
    if !sender {
        notes.push("install Alertmanager with a receiver that reaches a person");
    }
    if !read {
        notes.push("write alerting rules with the labels that a Prometheus selects");
    }
    context.detail(finding, |finding| finding.fix(vouch::manual(context, "Send alerts", &notes)))
}
