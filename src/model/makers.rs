//! Custom resources that make pods.
//!
//! Sources: the API references of Argo Rollouts, `OpenShift` and `OpenKruise` (their pods carry the
//! labels of `spec.template`, as those of a Deployment do), and of the operators named below, which
//! label their pods as they like.

use serde_json::Value;

use super::cluster::Other;
use super::inventory::Inventory;
use super::selector::{Labels, Selector};
use super::store::Item;

/// Kinds whose pods have the labels of `/spec/template`, and no others that anybody selects by.
const TEMPLATED: [&str; 6] = [
    "clonesets.apps.kruise.io",
    "daemonsets.apps.kruise.io",
    "deploymentconfigs",
    "deploymentconfigs.apps.openshift.io",
    "rollouts.argoproj.io",
    "statefulsets.apps.kruise.io",
];

/// Kinds that make pods and show no template of them.
const MAKERS: [&str; 33] = [
    "agents.agent.k8s.elastic.co",
    "alertmanagers.monitoring.coreos.com",
    "cassandradatacenters.cassandra.datastax.com",
    "clickhouseinstallations.clickhouse.altinity.com",
    "clusters.postgresql.cnpg.io",
    "dragonflies.dragonflydb.io",
    "elasticsearches.elasticsearch.k8s.elastic.co",
    "grafanas.grafana.integreatly.org",
    "helmcharts.helm.cattle.io",
    "helmreleases.helm.toolkit.fluxcd.io",
    "innodbclusters.mysql.oracle.com",
    "jaegers.jaegertracing.io",
    "kafkaconnects.kafka.strimzi.io",
    "kafkanodepools.kafka.strimzi.io",
    "kafkas.kafka.strimzi.io",
    "keycloaks.k8s.keycloak.org",
    "kibanas.kibana.k8s.elastic.co",
    "mariadbs.k8s.mariadb.com",
    "mongodbcommunities.mongodbcommunity.mongodb.com",
    "opentelemetrycollectors.opentelemetry.io",
    "perconapgclusters.pgv2.percona.com",
    "perconaservermongodbs.psmdb.percona.com",
    "perconaservermysqls.ps.percona.com",
    "perconaxtradbclusters.pxc.percona.com",
    "poolers.postgresql.cnpg.io",
    "postgresclusters.postgres-operator.crunchydata.com",
    "postgresqls.acid.zalan.do",
    "prometheusagents.monitoring.coreos.com",
    "prometheuses.monitoring.coreos.com",
    "rabbitmqclusters.rabbitmq.com",
    "redises.redis.redis.opstreelabs.in",
    "redisfailovers.databases.spotahome.com",
    "thanosrulers.monitoring.coreos.com",
];

/// Kinds with a `/spec/template` of something else: a Secret, a machine, a backup, an application.
const OTHER_TEMPLATES: [&str; 4] = [
    "applicationsets.argoproj.io",
    "schedules.velero.io",
    "sealedsecrets.bitnami.com",
    "triggertemplates.triggers.tekton.dev",
];

/// Groups none of whose kinds make pods, whatever stands in them.
const FREE_GROUPS: [&str; 5] =
    ["cluster.x-k8s.io", "external-secrets.io", "karpenter.sh", "kyverno.io", "machine.openshift.io"];

/// Whether custom resources make pods that a selector selects.
#[derive(Debug)]
pub enum Made<'a> {
    /// The template of this one says so.
    By(&'a Item<Other>),
    /// This one makes pods whose labels it does not show.
    Perhaps(&'a Item<Other>),
    /// None does.
    No,
}

impl Made<'_> {
    /// The sentence for a verdict that such a resource leaves open.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::By(maker) => Some(format!("{} makes such pods", maker.subject.short())),
            Self::Perhaps(maker) => Some(format!("{} may own such pods", maker.subject.short())),
            Self::No => None,
        }
    }
}

/// What custom resources of a namespace make of the pods that a selector selects. In a cluster the
/// pods themselves are seen, so only a template says more.
pub fn made<'a>(inventory: &'a Inventory, namespace: &str, selector: &Selector) -> Made<'a> {
    let mut perhaps = Made::No;
    for (resource, store) in &inventory.others {
        let here = store.within(namespace);
        if here.is_empty() || is_free(resource) {
            continue;
        }
        for maker in here {
            match labels(resource, maker) {
                Some(labels) if selector.matches(&labels) => return Made::By(maker),
                None if !inventory.is_live() && makes_pods(resource, maker) => perhaps = Made::Perhaps(maker),
                _ => {}
            }
        }
    }
    perhaps
}

/// The same in several namespaces, or in all.
pub fn made_in<'a>(inventory: &'a Inventory, namespaces: Option<Vec<&str>>, selector: &Selector) -> Made<'a> {
    let everywhere = || {
        let others = inventory.others.values().flat_map(super::store::Store::iter);
        let mut names: Vec<&str> = others.map(|item| item.namespace()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let names = namespaces.unwrap_or_else(everywhere);
    let answers = names.into_iter().map(|name| made(inventory, name, selector));
    answers.fold(Made::No, |before, next| match (&before, &next) {
        (Made::By(_), _) | (_, Made::No) => before,
        _ => next,
    })
}

/// True if a maker is scaled to zero.
pub fn is_idle(maker: &Item<Other>) -> bool {
    maker.at("/spec/replicas").and_then(Value::as_i64) == Some(0)
}

/// The labels of the pods of a kind that takes them from its template.
fn labels(resource: &str, maker: &Other) -> Option<Labels> {
    if TEMPLATED.binary_search(&resource).is_err() {
        return None;
    }
    maker.at("/spec/template")?;
    let labels = maker.at("/spec/template/metadata/labels").cloned().unwrap_or_default();
    Some(serde_json::from_value(labels).unwrap_or_default())
}

fn makes_pods(resource: &str, maker: &Other) -> bool {
    // A Rollout of another workload makes the pods of that one's template, which is seen.
    if maker.at("/spec/workloadRef").is_some() {
        return false;
    }
    MAKERS.binary_search(&resource).is_ok()
        || TEMPLATED.binary_search(&resource).is_ok()
        || maker.at("/spec/template").is_some_and(Value::is_object)
        || maker.at("/spec").is_some_and(holds_containers)
}

fn is_free(resource: &str) -> bool {
    if TEMPLATED.binary_search(&resource).is_ok() {
        return false;
    }
    let group = resource.split_once('.').map_or("", |(_, group)| group);
    let of_kubernetes = !group.contains('.') || group.ends_with(".k8s.io");
    let is_free = |free: &str| group.strip_suffix(free).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    of_kubernetes || OTHER_TEMPLATES.contains(&resource) || FREE_GROUPS.into_iter().any(is_free)
}

/// True if a list of containers stands anywhere in a specification.
fn holds_containers(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.get("containers").is_some_and(Value::is_array) || map.values().any(holds_containers),
        Value::Array(list) => list.iter().any(holds_containers),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::resource_name;
    use crate::model::{Scope, World};
    use serde_json::json;

    fn answer(api_version: &str, kind: &str, spec: &Value) -> &'static str {
        let world = World::Manifests { complete: true };
        let mut inventory = Inventory::new(world, Scope::default(), jiff::Timestamp::UNIX_EPOCH);
        let object = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec});
        inventory.add(api_version, kind, object, None).unwrap();
        let web = Selector::labels(&Labels::from_iter([("app".to_owned(), "web".to_owned())]));
        match made(&inventory.finish(), "shop", &web) {
            Made::By(_) => "by",
            Made::Perhaps(_) => "perhaps",
            Made::No => "no",
        }
    }

    #[test]
    fn templates_are_compared_and_operators_label_as_they_like() {
        let template = |app: &str| json!({"template": {"metadata": {"labels": {"app": app}}, "spec": {}}});
        for (api_version, kind, spec, expected) in [
            ("argoproj.io/v1alpha1", "Rollout", template("web"), "by"),
            ("argoproj.io/v1alpha1", "Rollout", template("api"), "no"),
            ("argoproj.io/v1alpha1", "Rollout", json!({"workloadRef": {"name": "web"}}), "no"),
            ("apps.openshift.io/v1", "DeploymentConfig", template("web"), "by"),
            ("serving.knative.dev/v1", "Service", template("api"), "perhaps"),
            (
                "batch.volcano.sh/v1alpha1",
                "Job",
                json!({"tasks": [{"template": {"spec": {"containers": []}}}]}),
                "perhaps",
            ),
            ("postgresql.cnpg.io/v1", "Cluster", json!({"instances": 3}), "perhaps"),
            ("bitnami.com/v1alpha1", "SealedSecret", template("web"), "no"),
            ("cluster.x-k8s.io/v1beta1", "MachineDeployment", template("web"), "no"),
            ("cert-manager.io/v1", "Certificate", json!({"secretTemplate": {}}), "no"),
            ("v1", "Secret", json!({}), "no"),
        ] {
            assert_eq!(answer(api_version, kind, &spec), expected, "{kind}");
        }
    }

    #[test]
    fn lists_are_sorted_and_keys_are_as_manifests_give_them() {
        assert!(TEMPLATED.is_sorted() && MAKERS.is_sorted());
        for (api_version, kind) in [
            ("dragonflydb.io/v1alpha1", "Dragonfly"),
            ("elasticsearch.k8s.elastic.co/v1", "Elasticsearch"),
            ("mongodbcommunity.mongodb.com/v1", "MongoDBCommunity"),
            ("monitoring.coreos.com/v1", "Prometheus"),
            ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
            ("kafka.strimzi.io/v1beta2", "Kafka"),
        ] {
            let key = resource_name(api_version, kind);
            assert!(MAKERS.binary_search(&key.as_str()).is_ok(), "{key}");
        }
    }
}
