//! Which custom resources rules read. The cluster is asked for these and no others.

use super::Inventory;
use crate::model::cluster::Other;
use crate::model::store::Store;

/// Custom resources that rules read, by name, sorted; found by discovery, in whatever version is
/// served.
pub const CUSTOM: &[&str] = &[
    "adminnetworkpolicies.policy.networking.k8s.io",
    "agents.agent.k8s.elastic.co",
    "alertmanagers.monitoring.coreos.com",
    "applications.argoproj.io",
    "authorizationpolicies.security.istio.io",
    "backendtrafficpolicies.gateway.envoyproxy.io",
    "backups.k8s.mariadb.com",
    "backups.velero.io",
    "backupstoragelocations.velero.io",
    "baselineadminnetworkpolicies.policy.networking.k8s.io",
    "certificates.cert-manager.io",
    "ciliumclusterwidenetworkpolicies.cilium.io",
    "ciliumnetworkpolicies.cilium.io",
    "clusterissuers.cert-manager.io",
    "clusterlogforwarders.logging.openshift.io",
    "clusterlogforwarders.observability.openshift.io",
    "clusternetworkpolicies.policy.networking.k8s.io",
    "clusterpodmonitorings.monitoring.googleapis.com",
    "clusters.postgresql.cnpg.io",
    "datadogagents.datadoghq.com",
    "dynakubes.dynatrace.com",
    "envoyfilters.networking.istio.io",
    "fluentbits.fluentbit.fluent.io",
    "fluentds.fluentd.fluent.io",
    "gatewayclasses.gateway.networking.k8s.io",
    "gateways.gateway.networking.k8s.io",
    "gateways.networking.istio.io",
    "globalnetworkpolicies.crd.projectcalico.org",
    "globalnetworkpolicies.projectcalico.org",
    "grafanaalertrulegroups.grafana.integreatly.org",
    "grafanas.grafana.integreatly.org",
    "grpcroutes.gateway.networking.k8s.io",
    "httproutes.gateway.networking.k8s.io",
    "ingressroutes.traefik.io",
    "innodbclusters.mysql.oracle.com",
    "instanaagents.instana.io",
    "issuers.cert-manager.io",
    "kongclusterplugins.configuration.konghq.com",
    "kongplugins.configuration.konghq.com",
    "loggings.logging.banzaicloud.io",
    "mariadbs.k8s.mariadb.com",
    "middlewares.traefik.containo.us",
    "middlewares.traefik.io",
    "networkpolicies.crd.projectcalico.org",
    "networkpolicies.projectcalico.org",
    "opentelemetrycollectors.opentelemetry.io",
    "perconapgclusters.pgv2.percona.com",
    "perconaservermongodbs.psmdb.percona.com",
    "perconaservermysqls.ps.percona.com",
    "perconaxtradbclusters.pxc.percona.com",
    "physicalbackups.k8s.mariadb.com",
    "podmonitorings.monitoring.googleapis.com",
    "podmonitors.monitoring.coreos.com",
    "postgresclusters.postgres-operator.crunchydata.com",
    "postgresqls.acid.zalan.do",
    "prometheusagents.monitoring.coreos.com",
    "prometheuses.monitoring.coreos.com",
    "prometheusrules.monitoring.coreos.com",
    "recurringjobs.longhorn.io",
    "replicationsources.volsync.backube",
    "restores.velero.io",
    "rollouts.argoproj.io",
    "scaledobjects.keda.sh",
    "scheduledbackups.postgresql.cnpg.io",
    "schedules.k8up.io",
    "schedules.velero.io",
    "servicemonitors.monitoring.coreos.com",
    "snapshotschedules.snapscheduler.backube",
    "tcproutes.gateway.networking.k8s.io",
    "thanosrulers.monitoring.coreos.com",
    "tlsroutes.gateway.networking.k8s.io",
    "udproutes.gateway.networking.k8s.io",
    "verticalpodautoscalers.autoscaling.k8s.io",
    "virtualservices.networking.istio.io",
    "vmagents.operator.victoriametrics.com",
    "vmalertmanagers.operator.victoriametrics.com",
    "vmalerts.operator.victoriametrics.com",
    "vmpodscrapes.operator.victoriametrics.com",
    "vmrules.operator.victoriametrics.com",
    "vmservicescrapes.operator.victoriametrics.com",
    "volumesnapshots.snapshot.storage.k8s.io",
];

/// Those of [`CUSTOM`] that live in no namespace.
pub const CLUSTER_WIDE: [&str; 11] = [
    "adminnetworkpolicies.policy.networking.k8s.io",
    "baselineadminnetworkpolicies.policy.networking.k8s.io",
    "ciliumclusterwidenetworkpolicies.cilium.io",
    "clusterissuers.cert-manager.io",
    "clusternetworkpolicies.policy.networking.k8s.io",
    "clusterpodmonitorings.monitoring.googleapis.com",
    "gatewayclasses.gateway.networking.k8s.io",
    "globalnetworkpolicies.crd.projectcalico.org",
    "globalnetworkpolicies.projectcalico.org",
    "kongclusterplugins.configuration.konghq.com",
    "loggings.logging.banzaicloud.io",
];

impl Inventory {
    /// The objects of a custom resource; `None` if none was ever read. Only what [`CUSTOM`] names
    /// is read from a cluster, so a rule that asks for anything else would never see it.
    pub fn custom(&self, resource: &str) -> Option<&Store<Other>> {
        debug_assert!(CUSTOM.binary_search(&resource).is_ok(), "{resource} is read by a rule and missing in CUSTOM");
        self.others.get(resource)
    }
}
