//! One target out of a kubeconfig, the flags and the pod we may run in: pure, but for the
//! service account's files.

use std::path::Path;

use super::error::ConnectError;
use super::incluster::InCluster;
use super::kubeconfig::{Cluster, Context, Kubeconfig, Named, User, find};
use super::options::{ConnectOptions, Environment};

/// Whom to talk to and as whom, after every flag.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) context: Option<String>,
    pub(super) cluster_name: Option<String>,
    pub(super) user_name: Option<String>,
    pub(super) namespace: String,
    pub(super) cluster: Cluster,
    pub(super) user: User,
}

/// Chooses context, cluster, user and namespace by kubectl's precedence.
///
/// A pod's own service account is used only if the kubeconfig is empty and no flag names a
/// cluster; a broken kubeconfig never falls through to it.
pub(super) fn select(
    config: &Kubeconfig,
    options: &ConnectOptions,
    env: &Environment,
    service_account: &Path,
) -> Result<Target, ConnectError> {
    let in_cluster = InCluster::detect(env, service_account);
    let context_name = options.context.clone().or(config.current_context.clone());
    let context = choose_context(config, context_name.as_deref())?;
    let mut target = Target {
        namespace: namespace(options, &context, in_cluster.as_ref()),
        cluster_name: options.cluster.clone().or(context.cluster),
        user_name: options.user.clone().or(context.user),
        context: context_name,
        ..Target::default()
    };
    target.cluster = choose_cluster(config, options, &target)?;
    target.user = choose_user(config, options, &target)?;
    if is_empty(config)
        && options.server.is_none()
        && let Some(pod) = in_cluster
    {
        pod.fill(&mut target);
    }
    override_cluster(&mut target.cluster, options, env);
    override_user(&mut target.user, options);
    if target.cluster.server.is_none() {
        return Err(no_server(&target));
    }
    Ok(target)
}

fn is_empty(config: &Kubeconfig) -> bool {
    config.clusters.is_empty()
        && config.users.is_empty()
        && config.contexts.is_empty()
        && config.current_context.is_none()
}

fn choose_context(config: &Kubeconfig, name: Option<&str>) -> Result<Context, ConnectError> {
    let Some(name) = name else {
        return Ok(Context::default());
    };
    find(&config.contexts, name).cloned().ok_or_else(|| {
        let hint = match names(&config.contexts) {
            Some(names) => format!("known contexts: {names}"),
            None => "no kubeconfig that was read defines a context".into(),
        };
        ConnectError::new(format!("context {name:?} does not exist"), hint)
    })
}

fn choose_cluster(config: &Kubeconfig, options: &ConnectOptions, target: &Target) -> Result<Cluster, ConnectError> {
    let Some(name) = &target.cluster_name else {
        return Ok(Cluster::default());
    };
    match find(&config.clusters, name) {
        Some(cluster) => Ok(cluster.clone()),
        None if options.cluster.is_none() && options.server.is_some() => Ok(Cluster::default()),
        None => Err(ConnectError::new(
            format!("cluster {name:?} does not exist"),
            match (&options.cluster, &target.context, names(&config.clusters)) {
                (None, Some(context), _) => {
                    format!("context {context:?} names it, but no kubeconfig defines it")
                }
                (_, _, Some(names)) => format!("known clusters: {names}"),
                _ => "no kubeconfig that was read defines a cluster".into(),
            },
        )),
    }
}

/// A user that only the context names and nobody defines is anonymous, as in kubectl.
fn choose_user(config: &Kubeconfig, options: &ConnectOptions, target: &Target) -> Result<User, ConnectError> {
    let found = target.user_name.as_deref().and_then(|name| find(&config.users, name));
    match (found, &options.user) {
        (Some(user), _) => Ok(user.clone()),
        (None, None) => Ok(User::default()),
        (None, Some(name)) => Err(ConnectError::new(
            format!("auth info {name:?} does not exist"),
            match names(&config.users) {
                Some(names) => format!("known users: {names}"),
                None => "no kubeconfig that was read defines a user".into(),
            },
        )),
    }
}

fn namespace(options: &ConnectOptions, context: &Context, in_cluster: Option<&InCluster>) -> String {
    options
        .namespace
        .clone()
        .or_else(|| context.namespace.clone())
        .or_else(|| in_cluster.and_then(|pod| pod.namespace.clone()))
        .unwrap_or_else(|| "default".into())
}

fn override_cluster(cluster: &mut Cluster, options: &ConnectOptions, env: &Environment) {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    if options.insecure_skip_tls_verify || options.certificate_authority.is_some() {
        cluster.insecure_skip_tls_verify = options.insecure_skip_tls_verify;
        cluster.certificate_authority = options.certificate_authority.as_deref().map(text);
        cluster.certificate_authority_data = None;
    }
    if options.server.is_some() || options.tls_server_name.is_some() {
        cluster.tls_server_name.clone_from(&options.tls_server_name);
    }
    if options.server.is_some() {
        cluster.server.clone_from(&options.server);
    } else if cluster.server.is_none() {
        cluster.server = env.get("KUBERNETES_MASTER").map(String::from);
    }
    cluster.disable_compression |= options.disable_compression;
}

fn override_user(user: &mut User, options: &ConnectOptions) {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    if let Some(token) = &options.token {
        user.token = Some(token.clone());
        user.token_file = None;
        user.exec = None;
        user.auth_provider = None;
        user.username = None;
        user.password = None;
    }
    if let Some(path) = &options.client_certificate {
        user.client_certificate = Some(text(path));
        user.client_certificate_data = None;
    }
    if let Some(path) = &options.client_key {
        user.client_key = Some(text(path));
        user.client_key_data = None;
    }
    if options.as_user.is_some() {
        user.impersonate.clone_from(&options.as_user);
    }
    if options.as_uid.is_some() {
        user.impersonate_uid.clone_from(&options.as_uid);
    }
    if !options.as_groups.is_empty() {
        user.impersonate_groups.clone_from(&options.as_groups);
    }
    for (key, values) in &options.as_user_extra {
        user.impersonate_extra.insert(key.clone(), values.clone());
    }
}

fn no_server(target: &Target) -> ConnectError {
    match (&target.cluster_name, &target.context) {
        (Some(cluster), _) => ConnectError::new(
            format!("no server found for cluster {cluster:?}"),
            "set its server with `kubectl config set-cluster`, or name one with --server",
        ),
        (None, Some(context)) => ConnectError::new(
            format!("context {context:?} names no cluster"),
            "set it with `kubectl config set-context`, or name one with --cluster",
        ),
        (None, None) => ConnectError::new(
            "no cluster is configured",
            "choose a context with --context, point KUBECONFIG at a file, or name a server with --server",
        ),
    }
}

/// The names of a list for a hint, sorted; `None` if there are none.
fn names<T: Default>(list: &[Named<T>]) -> Option<String> {
    let mut names: Vec<&str> = list.iter().map(|entry| entry.name.as_str()).collect();
    names.sort_unstable();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests;
