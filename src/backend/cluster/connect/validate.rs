//! What client-go calls an invalid configuration: combinations that cannot mean anything.

use super::error::ConnectError;
use super::overrides::Target;

/// Refuses a target with contradictory settings, naming the cluster or the user.
pub(super) fn validate(target: &Target) -> Result<(), ConnectError> {
    let cluster = target.cluster_name.as_deref().unwrap_or_default();
    let user = target.user_name.as_deref().unwrap_or_default();
    cluster_problem(target, cluster)
        .or_else(|| user_problem(target, user))
        .or_else(|| exec_problem(target, user))
        .map_or(Ok(()), |(problem, hint)| Err(ConnectError::new(format!("invalid configuration: {problem}"), hint)))
}

type Problem = Option<(String, &'static str)>;

fn cluster_problem(target: &Target, name: &str) -> Problem {
    let cluster = &target.cluster;
    let (file, data) = (cluster.certificate_authority.is_some(), cluster.certificate_authority_data.is_some());
    if file && data {
        return Some((
            format!("certificate-authority-data and certificate-authority are both specified for cluster {name:?}"),
            "remove one of the two from the kubeconfig",
        ));
    }
    if cluster.insecure_skip_tls_verify && (file || data) {
        return Some((
            format!("a certificate authority together with insecure-skip-tls-verify is not allowed (cluster {name:?})"),
            "drop --insecure-skip-tls-verify or the certificate authority",
        ));
    }
    None
}

fn user_problem(target: &Target, name: &str) -> Problem {
    let user = &target.user;
    let certificate = user.client_certificate.is_some() || user.client_certificate_data.is_some();
    let key = user.client_key.is_some() || user.client_key_data.is_some();
    if user.client_certificate.is_some() && user.client_certificate_data.is_some() {
        let problem = format!("client-certificate-data and client-certificate are both specified for user {name:?}");
        return Some((problem, "remove one of the two from the kubeconfig"));
    }
    if user.client_key.is_some() && user.client_key_data.is_some() {
        let problem = format!("client-key-data and client-key are both specified for user {name:?}");
        return Some((problem, "remove one of the two from the kubeconfig"));
    }
    if certificate != key {
        let (have, lack) = if certificate { ("certificate", "key") } else { ("key", "certificate") };
        let problem = format!("user {name:?} has a client {have} but no client {lack}");
        return Some((problem, "give --client-certificate and --client-key together"));
    }
    if user.token.is_some() && (user.username.is_some() || user.password.is_some()) {
        let problem = format!(
            "more than one authentication method found for user {name:?}; found [token basicAuth], only one is allowed"
        );
        return Some((problem, "remove one of the two from the kubeconfig"));
    }
    let more =
        user.impersonate_uid.is_some() || !user.impersonate_groups.is_empty() || !user.impersonate_extra.is_empty();
    if more && user.impersonate.is_none() {
        let problem = format!("requesting uid, groups or user-extra for {name:?} without impersonating a user");
        return Some((problem, "add --as"));
    }
    None
}

fn exec_problem(target: &Target, name: &str) -> Problem {
    let exec = target.user.exec.as_ref()?;
    let hint = "correct the exec section of that user in the kubeconfig";
    let problem = if target.user.auth_provider.is_some() {
        format!("authProvider cannot be provided in combination with an exec plugin for {name:?}")
    } else if exec.command.is_none() {
        format!("command must be specified for {name:?} to use exec authentication plugin")
    } else if exec.api_version.is_none() {
        format!("apiVersion must be specified for {name:?} to use exec authentication plugin")
    } else if exec.env.iter().any(|variable| variable.name.is_empty()) {
        format!("env variable name must be specified for {name:?} to use exec authentication plugin")
    } else {
        match exec.interactive_mode.as_deref() {
            Some("Never" | "IfAvailable" | "Always") => return None,
            None if exec.api_version.as_deref() != Some("client.authentication.k8s.io/v1") => {
                return None;
            }
            None => format!("interactiveMode must be specified for {name:?} to use exec authentication plugin"),
            Some(mode) => format!("invalid interactiveMode for {name:?}: {mode:?}"),
        }
    };
    Some((problem, hint))
}
