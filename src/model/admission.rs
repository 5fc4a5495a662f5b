//! What the API server would say to new pods of a template: quotas, limit ranges, Pod Security.
//!
//! Sources: the reference documentation on resource quotas ("Quota scopes"), limit ranges and Pod
//! Security admission. A mutating webhook may change a pod before it is judged, which nobody can
//! foresee: pods that run with more than their template states show it.

use serde_json::{Map, Value};

use super::allowance::{self, Defaults, lacking};
use super::amounts::{Side, pod_amount, quality_of_service};
use super::bounds;
use super::capacity::Obstacle;
use super::inventory::Inventory;
use super::pod::{PodSpec, PodTemplate, Requests};
use super::pod_security::{self, Level};
use super::policy::ResourceQuota;
use super::quantity::Quantity;
use super::store::Item;
use super::workload::Workload;

/// What refuses every new pod of a workload, however few there are.
pub fn refusals(inventory: &Inventory, workload: &Item<Workload>) -> Vec<Obstacle> {
    refusals_after(inventory, workload, workload)
}

/// The same for a workload that gets another template. What happens to pods on their way shows by
/// those of the old one.
pub fn refusals_after(inventory: &Inventory, old: &Item<Workload>, new: &Item<Workload>) -> Vec<Obstacle> {
    let (namespace, Some(template)) = (new.namespace(), new.template()) else { return Vec::new() };
    let defaults = Defaults::of(inventory, namespace);
    let filled = defaults.fill(&template.spec);
    let mut out: Vec<Obstacle> = insecure(inventory, namespace, template).into_iter().collect();
    if let Some(reason) = inventory.unseen("limitranges", namespace) {
        let reason = format!("what its containers get by default is not known: {reason}");
        out.push(Obstacle::new("limit-range", reason).unknown());
        return out;
    }
    let today = old.template().map(|template| defaults.fill(&template.spec));
    let known = !today.is_some_and(|today| is_changed_on_the_way(inventory, old, &today));
    let demanded = demands(inventory, new, &filled).map(|reason| Obstacle::new("quota", reason));
    let beyond = bounds::broken(inventory, namespace, &filled).map(|reason| Obstacle::new("limit-range", reason));
    out.extend(demanded.into_iter().chain(beyond).map(|obstacle| Obstacle { known, refuses: known, ..obstacle }));
    out
}

/// True if pods of the workload run with more than their template asks for.
fn is_changed_on_the_way(inventory: &Inventory, workload: &Item<Workload>, filled: &PodSpec) -> bool {
    let subject = &workload.subject;
    let Some(position) = inventory.workloads.position(subject.namespace(), &subject.kind, &subject.name) else {
        return false;
    };
    let stated = super::amounts::requests(filled);
    inventory.pods_of(position).any(|pod| pod.requests.cpu > stated.cpu || pod.requests.memory > stated.memory)
}

/// The field that a quota demands of a container which does not state it.
fn demands(inventory: &Inventory, workload: &Item<Workload>, filled: &PodSpec) -> Option<String> {
    let quotas = inventory.quotas.within(workload.namespace()).iter();
    quotas.filter(|quota| holds_for(quota, filled) == Some(true)).find_map(|quota| {
        let keys = allowance::compute_keys(quota);
        let (key, container) =
            keys.iter().find_map(|key| Some((*key, lacking(filled, key).first()?.2.name.clone())))?;
        let name = quota.subject.short();
        Some(format!(
            "{name} demands {key} of every container, and {container} states none: missing-limit-range gives defaults"
        ))
    })
}

/// The level that a namespace enforces and the template does not meet.
fn insecure(inventory: &Inventory, namespace: &str, template: &PodTemplate) -> Option<Obstacle> {
    let Some(home) = inventory.namespaces.get("", "Namespace", namespace) else {
        let reason = inventory.unseen("namespaces", namespace)?;
        let reason = format!("whether its namespace enforces a Pod Security Standard is not known: {reason}");
        return Some(Obstacle::new("pod-security", reason).unknown());
    };
    let label = |key: &str| home.metadata.label(&format!("pod-security.kubernetes.io/{key}"));
    let level = label("enforce").and_then(Level::parse)?;
    let minor = pod_security::version(label("enforce-version"), inventory.server_minor());
    let failing = pod_security::failing(&pod_security::evaluate(template, level, minor));
    let (name, level) = (home.subject.short(), level.word());
    (!failing.is_empty()).then(|| Obstacle {
        refuses: true,
        ..Obstacle::new("pod-security", format!("{name} enforces {level}, and its pods fail {}", failing.join(", ")))
    })
}

/// The first quota that `more` new pods would exceed once `freed` old ones are gone. A quota of which
/// nobody can say whether it holds for them is no proof.
pub fn shortage(inventory: &Inventory, workload: &Item<Workload>, more: i64, freed: i64) -> Option<Obstacle> {
    shortage_after(inventory, (workload, freed), (workload, more))
}

/// The same for a workload that gets another template: the old one with its pods that are gone, and the
/// new one with those that come.
pub fn shortage_after(
    inventory: &Inventory,
    (old, freed): (&Item<Workload>, i64),
    (new, more): (&Item<Workload>, i64),
) -> Option<Obstacle> {
    let (namespace, template) = (new.namespace(), new.template()?);
    if more < 1 {
        return None;
    }
    if let Some(reason) = inventory.unseen("resourcequotas", namespace) {
        let reason = format!("whether a quota leaves room is not known: {reason}");
        return Some(Obstacle::new("quota", reason).unknown());
    }
    let defaults = Defaults::of(inventory, namespace);
    let filled = defaults.fill(&template.spec);
    let (stated, today) = (&old.template()?.spec, defaults.fill(&old.template()?.spec));
    let before = Old::of(inventory, old, stated, &today);
    let all = inventory.quotas.within(namespace).iter().filter_map(|quota| {
        let holds = holds_for(quota, &filled);
        let freed = if holds_for(quota, &today) == Some(false) { 0 } else { freed };
        let reason = exceeds(quota, (&before, freed), (&filled, more)).filter(|_| holds != Some(false))?;
        if holds.is_some() {
            return Some(Obstacle::new("quota", reason));
        }
        let doubt = "if it holds for these pods, which is not known";
        Some(Obstacle::new("quota", format!("{reason}, {doubt}")).unknown())
    });
    all.min_by_key(|obstacle| !obstacle.known)
}

/// The pods that a workload has now. They may take less than new ones: those that were made before a
/// limit range gave defaults.
struct Old<'a> {
    /// What their containers state.
    spec: &'a PodSpec,
    /// The least that one of them requests; `None` if they take what new ones do.
    least: Option<Requests>,
}

impl<'a> Old<'a> {
    fn of(inventory: &Inventory, workload: &Item<Workload>, stated: &'a PodSpec, filled: &'a PodSpec) -> Self {
        let subject = &workload.subject;
        let position = inventory.workloads.position(subject.namespace(), &subject.kind, &subject.name);
        let pods = position.into_iter().flat_map(|position| inventory.pods_of(position));
        let least = pods
            .map(|pod| pod.requests)
            .reduce(|a, b| Requests { cpu: a.cpu.min(b.cpu), memory: a.memory.min(b.memory) });
        let new = super::amounts::requests(filled);
        match least.filter(|least| least.cpu < new.cpu || least.memory < new.memory) {
            Some(least) => Self { spec: stated, least: Some(least) },
            None => Self { spec: filled, least: None },
        }
    }

    /// What makes room when one of them goes.
    fn counted(&self, key: &str) -> Quantity {
        match (&self.least, key) {
            (Some(least), "cpu" | "requests.cpu") => least.cpu,
            (Some(least), "memory" | "requests.memory") => least.memory,
            _ => counted(key, self.spec).unwrap_or_default(),
        }
    }
}

/// The number of a quota that pods of this shape would exceed, in words, once so many of the old ones
/// are gone and so many are made.
fn exceeds(quota: &Item<ResourceQuota>, old: (&Old<'_>, i64), new: (&PodSpec, i64)) -> Option<String> {
    let read = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Quantity::from_value);
    quota.status.hard.keys().find_map(|key| {
        let (hard, used) = (read(&quota.status.hard, key)?, read(&quota.status.used, key)?);
        let each = counted(key, new.0).filter(|each| !each.is_zero())?;
        let (comes, goes) = (each * new.1, old.0.counted(key) * old.1);
        let needed = if comes > goes { comes.minus(goes) } else { each };
        let text = |amount| allowance::text(key, amount);
        (used + comes > hard + goes).then(|| {
            let name = quota.subject.short();
            format!("{name} allows {} {key}, {} is used and {} more is needed", text(hard), text(used), text(needed))
        })
    })
}

/// What one pod counts in a quota.
fn counted(key: &str, spec: &PodSpec) -> Option<Quantity> {
    match key {
        "pods" | "count/pods" => Some(Quantity::units(1)),
        "cpu" | "memory" => pod_amount(spec, key, Side::Requests),
        other => match other.split_once('.')? {
            ("requests", resource) => pod_amount(spec, resource, Side::Requests),
            ("limits", resource) => pod_amount(spec, resource, Side::Limits),
            _ => None,
        },
    }
}

/// Whether a quota holds for pods of this shape; `None` if that is not known.
fn holds_for(quota: &ResourceQuota, spec: &PodSpec) -> Option<bool> {
    let terms = quota.spec.scope_selector.as_ref().and_then(|selector| selector.get("matchExpressions")?.as_array());
    let plain = quota.spec.scopes.iter().map(|scope| matches_scope(scope, "Exists", &[], spec));
    let selected = terms.into_iter().flatten().map(|term| {
        let text = |key: &str| term.get(key).and_then(Value::as_str).unwrap_or_default();
        let values = term.get("values").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        matches_scope(text("scopeName"), text("operator"), values, spec)
    });
    let answers: Vec<Option<bool>> = plain.chain(selected).collect();
    if answers.contains(&Some(false)) { Some(false) } else { answers.iter().all(Option::is_some).then_some(true) }
}

fn matches_scope(scope: &str, operator: &str, values: &[Value], spec: &PodSpec) -> Option<bool> {
    match scope {
        // A workload that is rolled out or scaled makes no pods with a deadline.
        "Terminating" => Some(false),
        "NotTerminating" => Some(true),
        "BestEffort" => Some(quality_of_service(spec) == "BestEffort"),
        "NotBestEffort" => Some(quality_of_service(spec) != "BestEffort"),
        "CrossNamespacePodAffinity" if spec.affinity.is_none() => Some(false),
        "PriorityClass" => {
            // Without a name the cluster's default counts, which is not read.
            let name = spec.priority_class_name.as_deref()?;
            let listed = values.iter().any(|value| value == name);
            match operator {
                "Exists" => Some(true),
                "DoesNotExist" => Some(false),
                "In" => Some(listed),
                "NotIn" => Some(!listed),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Scope, World};
    use serde_json::json;

    const RESTRICTED: &str = "pod-security.kubernetes.io/enforce";

    /// A live namespace with a Deployment whose container has these resources, and other objects.
    fn world(resources: &Value, others: &[Value]) -> Inventory {
        let live = World::Cluster { context: None, server: String::new(), uid: None, version: Some((1, 37)) };
        let mut out = Inventory::new(live, Scope::default(), jiff::Timestamp::UNIX_EPOCH);
        let container = json!({"name": "main", "resources": resources});
        let web = json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "a", "uid": "w"},
            "spec": {"template": {"spec": {"containers": [container]}}}});
        out.add("apps/v1", "Deployment", &web, None).unwrap();
        for other in others {
            out.add("v1", other["kind"].as_str().unwrap(), other, None).unwrap();
        }
        out.finish()
    }

    fn quota(hard: &Value, used: &Value, mut spec: Value) -> Value {
        spec["hard"] = hard.clone();
        json!({"kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "a"}, "spec": spec,
            "status": {"hard": hard, "used": used}})
    }

    fn range(entry: &Value) -> Value {
        json!({"kind": "LimitRange", "metadata": {"name": "r", "namespace": "a"}, "spec": {"limits": [entry]}})
    }

    fn refused(resources: &Value, others: &[Value]) -> Vec<String> {
        let inventory = world(resources, others);
        let known = refusals(&inventory, inventory.workloads.at(0)).into_iter().filter(|it| it.refuses && it.known);
        known.map(|it| it.reason).collect()
    }

    #[test]
    fn a_quota_demands_what_a_limit_range_may_give() {
        let (none, demands) = (json!({}), quota(&json!({"requests.memory": "1Gi"}), &json!({}), json!({})));
        let said = refused(&none, std::slice::from_ref(&demands));
        let text = "ResourceQuota/q demands requests.memory of every container, and main states none: missing-limit-range gives defaults";
        assert_eq!(said, [text]);
        let gives = range(&json!({"type": "Container", "defaultRequest": {"memory": "64Mi"}}));
        assert_eq!(refused(&none, &[demands.clone(), gives]), [""; 0]);
        assert_eq!(refused(&json!({"limits": {"memory": "1Mi"}}), &[demands]), [""; 0]);
        let best_effort = quota(&json!({"requests.memory": "1Gi"}), &json!({}), json!({"scopes": ["NotBestEffort"]}));
        assert_eq!(refused(&none, &[best_effort]), [""; 0], "it does not hold for them");
        let owner =
            json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "w", "controller": true}]);
        let container = json!({"name": "main", "resources": {"requests": {"memory": "1Mi"}}});
        let pod = json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "a", "ownerReferences": owner},
            "spec": {"containers": [container]}});
        let demands = quota(&json!({"requests.memory": "1Gi"}), &json!({}), json!({}));
        assert_eq!(refused(&none, &[demands, pod]), [""; 0], "somebody adds them on the way");
    }

    #[test]
    fn limit_ranges_bound_containers_and_pods() {
        let asks = json!({"requests": {"memory": "512Mi", "cpu": "1"}});
        let default = range(&json!({"type": "Container", "default": {"memory": "256Mi"}}));
        let said = ["main requests 512Mi memory and gets a limit of 256Mi by default"];
        assert_eq!(refused(&asks, &[default]), said);
        let least = range(&json!({"type": "Container", "min": {"cpu": "2"}}));
        assert_eq!(refused(&asks, &[least]), ["by LimitRange/r main requests 1 cpu, and 2 is the least"]);
        let whole = range(&json!({"type": "Pod", "max": {"memory": "1Gi"}}));
        let limited = json!({"limits": {"memory": "2Gi"}});
        assert_eq!(refused(&limited, &[whole]), ["by LimitRange/r one pod may use 2Gi memory, and 1Gi is the most"]);
        let said = ["by LimitRange/r one pod states no limit of memory, and 1Gi is the most"];
        let whole = || range(&json!({"type": "Pod", "max": {"memory": "1Gi"}}));
        assert_eq!(refused(&asks, &[whole()]), said);
        let ratio = |most: &str| range(&json!({"type": "Container", "maxLimitRequestRatio": {"memory": most}}));
        let twice = json!({"requests": {"memory": "512Mi"}, "limits": {"memory": "1Gi"}});
        assert_eq!(refused(&twice, &[ratio("2")]), [""; 0]);
        let said = ["by LimitRange/r main may use 1Gi memory for a request of 512Mi, and 1.5 times is the most"];
        assert_eq!(refused(&twice, &[ratio("1500m")]), said);
        let said = ["by LimitRange/r main states no limit of memory, and 2 times its request is the most"];
        assert_eq!(refused(&asks, &[ratio("2")]), said);
    }

    #[test]
    fn pods_from_before_a_default_make_less_room() {
        let owner =
            json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "w", "controller": true}]);
        let pod = |requests: Value| {
            let container = json!({"name": "main", "resources": {"requests": requests}});
            json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "a", "ownerReferences": owner},
                "spec": {"containers": [container]}})
        };
        let gives = range(&json!({"type": "Container", "defaultRequest": {"cpu": "50m"}}));
        let full = quota(&json!({"requests.cpu": "100m"}), &json!({"requests.cpu": "80m"}), json!({}));
        let short = |running: Value| {
            let inventory = world(&json!({}), &[gives.clone(), full.clone(), pod(running)]);
            shortage(&inventory, inventory.workloads.at(0), 1, 1).map(|it| it.reason)
        };
        let text = "ResourceQuota/q allows 100m requests.cpu, 80m is used and 50m more is needed";
        assert_eq!(short(json!({})).as_deref(), Some(text));
        assert_eq!(short(json!({"cpu": "50m"})), None);
    }

    #[test]
    fn a_namespace_enforces_its_level() {
        let home = json!({"kind": "Namespace", "metadata": {"name": "a", "labels": {(RESTRICTED): "restricted"}}});
        let said = refused(&json!({}), &[home]);
        assert!(said[0].starts_with("Namespace/a enforces restricted, and its pods fail "), "{said:?}");
    }

    #[test]
    fn quotas_count_pods_beside_those_that_go() {
        let short = |quota: Value, more: i64, freed: i64| {
            let inventory = world(&json!({"requests": {"cpu": "500m"}}), &[quota]);
            shortage(&inventory, inventory.workloads.at(0), more, freed).map(|it| (it.reason, it.known))
        };
        let of = |more: Value| {
            quota(&json!({"requests.cpu": "1", "pods": "9"}), &json!({"requests.cpu": "800m", "pods": "3"}), more)
        };
        let text = "ResourceQuota/q allows 1 requests.cpu, 800m is used and 500m more is needed";
        assert_eq!(short(of(json!({})), 1, 0), Some((text.to_owned(), true)));
        assert_eq!(short(of(json!({})), 1, 1), None);
        assert_eq!(short(of(json!({"scopes": ["Terminating"]})), 1, 0), None);
        let class = json!({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "DoesNotExist"}]}});
        let (reason, known) = short(of(class), 1, 0).unwrap();
        assert!(!known && reason.ends_with("which is not known"), "{reason}");
        let over = quota(&json!({"pods": "1"}), &json!({"pods": "3"}), json!({}));
        assert!(short(over, 1, 1).is_some(), "what goes makes no room below what is allowed");
    }
}
