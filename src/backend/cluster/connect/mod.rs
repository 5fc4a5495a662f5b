//! The way to a cluster: kubeconfig, flags, credentials, transport.
//!
//! The kube crate brings TLS, HTTP and the client; everything that kubectl decides differently
//! is decided here: which files count, what a flag clears, which proxy applies, when a plugin
//! runs, what is sent twice. Nothing here knows clap or reads the process environment.

mod clients;
mod credentials;
mod error;
mod exec;
mod exec_policy;
mod explain;
mod incluster;
mod kubeconfig;
mod load;
mod options;
mod overrides;
mod proxy;
mod retry;
mod server;
mod transport;
mod validate;
mod warnings;

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use http::Request;
use jiff::Timestamp;

use clients::{Clients, Settings};
use credentials::Credentials;
use overrides::Target;

pub use error::ConnectError;
pub use explain::{explain, explain_status};
pub use options::{ConnectOptions, Environment, InvalidTimeout, Secret, cache_dir, parse_request_timeout};
pub use retry::write_pause;
pub use transport::{Cause, RawResponse, ResponseHead, TransportError, get_bytes, send};
pub use warnings::Warnings;

/// What the kubeconfig and the flags lead to, known without a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Name of the context; `None` without one, as inside a pod.
    pub context: Option<String>,
    /// Name of the cluster's entry.
    pub cluster: Option<String>,
    /// Name of the user's entry.
    pub user: Option<String>,
    /// Address of the server, with its scheme.
    pub server: String,
    /// The namespace of `-n`, of the context, of the pod, or `default`.
    pub namespace: String,
}

/// The names that a kubeconfig defines, sorted: what completion offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// For `--context`.
    pub contexts: Vec<String>,
    /// For `--cluster`.
    pub clusters: Vec<String>,
    /// For `--user`.
    pub users: Vec<String>,
}

/// Resolves context, server and namespace; reads kubeconfig files and nothing else.
pub fn resolve(options: &ConnectOptions, env: &Environment) -> Result<Resolved, ConnectError> {
    let target = target(options, env, Path::new(incluster::SERVICE_ACCOUNT))?;
    Ok(Resolved {
        server: server::display(&server::address(&target)?),
        context: target.context,
        cluster: target.cluster_name,
        user: target.user_name,
        namespace: target.namespace,
    })
}

/// Lists the names of the kubeconfig that the options and the environment lead to.
pub fn names(options: &ConnectOptions, env: &Environment) -> Result<Names, ConnectError> {
    fn sorted<T: Default>(list: Vec<kubeconfig::Named<T>>) -> Vec<String> {
        let mut names: Vec<String> = list.into_iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names
    }
    let config = load::load(options, env)?;
    Ok(Names { contexts: sorted(config.contexts), clusters: sorted(config.clusters), users: sorted(config.users) })
}

fn target(options: &ConnectOptions, env: &Environment, service_account: &Path) -> Result<Target, ConnectError> {
    let config = load::load(options, env)?;
    let target = overrides::select(&config, options, env, service_account)?;
    validate::validate(&target)?;
    Ok(target)
}

/// Prepares a connection: reads the kubeconfig, obtains credentials (which may run a plugin),
/// builds the clients. Sends nothing to the server yet. Needs a running tokio runtime.
pub async fn connect(options: &ConnectOptions, env: &Environment) -> Result<Connection, ConnectError> {
    connect_from(options, env, Path::new(incluster::SERVICE_ACCOUNT)).await
}

async fn connect_from(
    options: &ConnectOptions,
    env: &Environment,
    service_account: &Path,
) -> Result<Connection, ConnectError> {
    let target = target(options, env, service_account)?;
    let server = server::address(&target)?;
    let settings = Settings {
        proxy: proxy::choose(target.cluster.proxy_url.as_deref(), &server, env)?,
        authority: credentials::authority(&target)?,
        request_timeout: options.request_timeout,
        server,
        target,
    };
    let credentials = obtain(&settings, env).await?;
    let warnings = Warnings::default();
    let clients = clients::build(&settings, &credentials, &warnings)?;
    Ok(Connection {
        context: settings.target.context.clone(),
        server: server::display(&settings.server),
        namespace: settings.target.namespace.clone(),
        warnings,
        current: RwLock::new(Current { clients, credentials, generation: 0 }),
        renewal: tokio::sync::Mutex::new(()),
        settings,
        env: env.clone(),
    })
}

async fn obtain(settings: &Settings, env: &Environment) -> Result<Credentials, ConnectError> {
    if !settings.secure() {
        return Ok(Credentials::default());
    }
    credentials::obtain(&settings.target, settings.authority.as_deref(), env).await
}

/// A cluster to talk to. Clients taken from it are cheap to clone; take them anew for every
/// request, since a renewal of credentials replaces them.
pub struct Connection {
    /// Name of the context; `None` without one, as inside a pod.
    pub context: Option<String>,
    /// Address of the server, with its scheme.
    pub server: String,
    /// The namespace of `-n`, of the context, of the pod, or `default`.
    pub namespace: String,
    warnings: Warnings,
    current: RwLock<Current>,
    renewal: tokio::sync::Mutex<()>,
    settings: Settings,
    env: Environment,
}

struct Current {
    clients: Clients,
    credentials: Credentials,
    generation: u64,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("context", &self.context)
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// The client for reads: a GET is sent again after 429, 503, 504 or a lost connection, at
    /// most eight times in all; other methods once.
    pub fn read_client(&self) -> kube::Client {
        self.with_current(|current| current.clients.read.clone())
    }

    /// The client for writes: every request leaves at most once.
    pub fn write_client(&self) -> kube::Client {
        self.with_current(|current| current.clients.write.clone())
    }

    /// The warnings of all responses to both clients.
    pub fn warnings(&self) -> Warnings {
        self.warnings.clone()
    }

    /// Sends a read through [`Self::read_client`], with valid credentials: renews them if they
    /// are expired, and once if the server answers 401.
    pub async fn read(&self, request: Request<Vec<u8>>) -> Result<RawResponse, TransportError> {
        self.exchange(request, |current| &current.clients.read).await
    }

    /// Sends a write through [`Self::write_client`], with valid credentials. It is sent a second
    /// time only after a 401, which proves that nothing was done.
    pub async fn write(&self, request: Request<Vec<u8>>) -> Result<RawResponse, TransportError> {
        self.exchange(request, |current| &current.clients.write).await
    }

    /// Reads `path_and_query` into `body`, whose memory is reused, with valid credentials.
    pub async fn read_into(&self, path_and_query: &str, body: &mut Vec<u8>) -> Result<ResponseHead, TransportError> {
        self.renew_if_expired().await?;
        let generation = self.with_current(|current| current.generation);
        let head = get_bytes(&self.read_client(), path_and_query, body).await?;
        if head.status != 401 || !self.renew(generation).await.map_err(not_renewed)? {
            return Ok(head);
        }
        get_bytes(&self.read_client(), path_and_query, body).await
    }

    /// Obtains the credentials again (runs the plugin, reads the token file) and rebuilds the
    /// clients: for an answer of 401. `false` if they did not change, as with a fixed token.
    pub async fn refresh(&self) -> Result<bool, ConnectError> {
        let generation = self.with_current(|current| current.generation);
        self.renew(generation).await
    }

    async fn exchange(
        &self,
        request: Request<Vec<u8>>,
        client: fn(&Current) -> &kube::Client,
    ) -> Result<RawResponse, TransportError> {
        self.renew_if_expired().await?;
        let (first, generation) = self.with_current(|current| (client(current).clone(), current.generation));
        let response = send(&first, request.clone()).await?;
        if response.status != 401 || !self.renew(generation).await.map_err(not_renewed)? {
            return Ok(response);
        }
        let second = self.with_current(|current| client(current).clone());
        send(&second, request).await
    }

    async fn renew_if_expired(&self) -> Result<(), TransportError> {
        let (expires, generation) = self.with_current(|current| (current.credentials.expires, current.generation));
        if expires.is_some_and(|expires| expires <= Timestamp::now()) {
            self.renew(generation).await.map_err(not_renewed)?;
        }
        Ok(())
    }

    /// Renews credentials of that generation; if somebody else did meanwhile, theirs are taken.
    async fn renew(&self, generation: u64) -> Result<bool, ConnectError> {
        let _one_at_a_time = self.renewal.lock().await;
        let (now, renewable) = self.with_current(|current| (current.generation, current.credentials.renewable));
        if now != generation || !renewable {
            return Ok(now != generation);
        }
        let credentials = obtain(&self.settings, &self.env).await?;
        let same = self.with_current(|current| current.credentials.prove_the_same(&credentials));
        if same {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            current.credentials.expires = credentials.expires;
            return Ok(false);
        }
        let clients = clients::build(&self.settings, &credentials, &self.warnings)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Current { clients, credentials, generation: generation + 1 };
        Ok(true)
    }

    fn with_current<T>(&self, read: impl FnOnce(&Current) -> T) -> T {
        read(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn not_renewed(error: ConnectError) -> TransportError {
    TransportError::NeverSent { cause: Cause::Credentials, source: error.into() }
}
