//! The rules: one file each, one line here. Pure.

pub mod rule;
pub mod settings;
pub mod development;
mod namespace;
pub mod configuration;
pub mod more_pods;
mod ranges;
mod vouch;

use rule::Rule;

/// Declares the module of each rule and the list of all of them.
macro_rules! registry {
    ($($module:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// Every rule, in the order of their ids.
        pub static RULES: &[&Rule] = &[$(&$module::RULE),*];
    };
}

registry! {
    bare_pod,
    broken_ingress_route,
    broken_network_policy,
    certificate_not_ready,
    conflicting_pdb,
    database_in_app_pod,
    dev_storage_endpoint,
    ephemeral_database,
    hpa_cannot_scale,
    ingress_without_tls,
    insecure_flag,
    insecure_security_context,
    misconfigured_hpa,
    missing_alerting,
    missing_dashboards,
    missing_db_backup,
    missing_default_deny,
    missing_dr_drill,
    missing_egress_policy,
    missing_ingress_policy,
    missing_limit_range,
    missing_log_collection,
    missing_metrics_scrape,
    missing_pdb,
    missing_readiness_probe,
    missing_resource_metrics,
    missing_resource_quota,
    missing_resource_requests,
    missing_tenant_quota,
    missing_tenant_rate_limit,
    missing_tracing,
    monitor_not_selected,
    needless_exposure,
    network_policy_not_enforced,
    orphan_load_balancer,
    pdb_blocks_eviction,
    plaintext_credential,
    pod_security_not_enforced,
    quota_exhausted,
    redundant_load_balancer,
    replicas_below_hpa_min,
    replicas_on_one_node,
    replicas_pinned_with_hpa,
    rollout_without_capacity,
    single_replica,
    stale_backup,
    unbounded_db_pool,
    undeclared_tenant_model,
    unneeded_service_account_token,
    unprotected_object_storage,
    unprotected_volume,
    workload_in_default_namespace,
}

pub use development::{is_development, is_development_service};
use namespace::namespace_finding;

/// A rule by its id.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_sorted_and_named_once() {
        assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    #[test]
    fn patterns_of_parameters_are_regular_expressions_that_their_defaults_match() {
        for parameter in RULES.iter().flat_map(|rule| rule.parameters) {
            let rejected = parameter.default.and_then(|default| parameter.reject(default));
            assert_eq!(rejected, None, "{}", parameter.key);
        }
    }
}
