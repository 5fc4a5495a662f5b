//! The two kube clients of a connection: one that repeats reads, one that never repeats.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request, Response, Uri};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::Instant;
use tower::{BoxError, service_fn};

use super::credentials::Credentials;
use super::error::ConnectError;
use super::overrides::Target;
use super::retry::{self, RetryPolicy};
use super::server;
use super::transport::{Deadline, RequestTimedOut};
use super::warnings::Warnings;

/// The longest wait for a TCP and TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Everything about a connection that a renewal of credentials does not change.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) target: Target,
    pub(super) server: Uri,
    pub(super) authority: Option<Vec<u8>>,
    pub(super) proxy: Option<Uri>,
    pub(super) request_timeout: Option<Duration>,
}

impl Settings {
    /// client-go sends credentials over TLS only; so do we.
    pub(super) fn secure(&self) -> bool {
        self.server.scheme_str() == Some("https")
    }
}

/// Both clients; they share connections.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) read: Client,
    pub(super) write: Client,
}

/// Builds both clients. Needs a running tokio runtime; sends nothing.
pub(super) fn build(
    settings: &Settings,
    credentials: &Credentials,
    warnings: &Warnings,
) -> Result<Clients, ConnectError> {
    let base =
        ClientBuilder::try_from(config(settings, credentials)?).map_err(|error| not_built(settings, error))?.build();
    let policy = RetryPolicy::new(settings.request_timeout);
    let client = |repeat: bool| {
        let (base, warnings) = (base.clone(), warnings.clone());
        let (timeout, namespace) = (settings.request_timeout, &settings.target.namespace);
        let service = service_fn(move |mut request: Request<Body>| {
            let (base, warnings) = (base.clone(), warnings.clone());
            if let Some(timeout) = timeout {
                tell_server(request.uri_mut(), timeout);
            }
            within(timeout, async move {
                let once = async |request| {
                    let response = base.send(request).await.map_err(BoxError::from)?;
                    warnings.collect(response.headers());
                    Ok(response)
                };
                if repeat { retry::send(policy, request, once).await } else { once(request).await }
            })
        });
        Client::new(service, namespace.as_str())
    };
    Ok(Clients { read: client(true), write: client(false) })
}

/// Adds the parameter by which the server gives up when we do, as client-go does.
fn tell_server(uri: &mut Uri, timeout: Duration) {
    let separator = if uri.query().is_some() { '&' } else { '?' };
    let longer = format!("{uri}{separator}timeout={}ms", timeout.as_millis());
    if let Ok(longer) = longer.parse() {
        *uri = longer;
    }
}

/// Bounds the wait for a response's head, and leaves the deadline with it for its body.
async fn within<F>(timeout: Option<Duration>, answer: F) -> Result<Response<Body>, BoxError>
where
    F: Future<Output = Result<Response<Body>, BoxError>>,
{
    let Some(after) = timeout else {
        return answer.await;
    };
    let at = Instant::now() + after;
    let mut response = tokio::time::timeout_at(at, answer).await.map_err(|_| RequestTimedOut(after))??;
    response.extensions_mut().insert(Deadline { at, after });
    Ok(response)
}

fn config(settings: &Settings, credentials: &Credentials) -> Result<Config, ConnectError> {
    let (cluster, user) = (&settings.target.cluster, &settings.target.user);
    let mut config = Config::new(settings.server.clone());
    config.default_namespace.clone_from(&settings.target.namespace);
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify;
    config.root_cert = roots(settings)?;
    config.tls_server_name.clone_from(&cluster.tls_server_name);
    config.disable_compression = cluster.disable_compression;
    config.proxy_url.clone_from(&settings.proxy);
    config.default_retry = false;
    config.headers.push((http::header::USER_AGENT, user_agent()));
    // Shorter than the whole, so that a server that never answers a handshake counts as not asked.
    config.connect_timeout = Some(match settings.request_timeout {
        Some(timeout) => CONNECT_TIMEOUT.min(timeout.mul_f64(0.9)),
        None => CONNECT_TIMEOUT,
    });
    config.read_timeout = settings.request_timeout;
    config.reset_reader_on_write = true;

    let auth = &mut config.auth_info;
    auth.impersonate.clone_from(&user.impersonate);
    auth.impersonate_uid.clone_from(&user.impersonate_uid);
    if !user.impersonate_groups.is_empty() {
        auth.impersonate_groups = Some(user.impersonate_groups.clone());
    }
    if !user.impersonate_extra.is_empty() {
        auth.impersonate_user_extra = Some(user.impersonate_extra.clone().into_iter().collect());
    }
    if !settings.secure() {
        return Ok(config);
    }
    auth.token = credentials.token.as_ref().map(|token| token.expose().to_string().into());
    auth.auth_provider.clone_from(&credentials.provider);
    if let Some((name, password)) = &credentials.basic {
        auth.username = Some(name.clone());
        auth.password = Some(password.expose().to_string().into());
    }
    if let Some((certificate, key)) = &credentials.identity {
        auth.client_certificate_data = Some(STANDARD.encode(certificate));
        auth.client_key_data = Some(STANDARD.encode(key.expose()).into());
    }
    Ok(config)
}

/// The authorities to trust. `None` means those of the operating system, which are loaded only
/// if a certificate will be checked against them: a bare container has none.
fn roots(settings: &Settings) -> Result<Option<Vec<Vec<u8>>>, ConnectError> {
    let Some(pem) = &settings.authority else {
        let unchecked = !settings.secure() || settings.target.cluster.insecure_skip_tls_verify;
        let proxied_tls = settings.proxy.as_ref().and_then(Uri::scheme_str) == Some("https");
        return Ok((unchecked && !proxied_tls).then(Vec::new));
    };
    let wrong = || {
        let name = settings.target.cluster_name.as_deref().unwrap_or_default();
        ConnectError::new(
            format!("cluster {name:?}: the certificate authority holds no PEM certificate"),
            "correct that cluster in the kubeconfig, or name a file with --certificate-authority",
        )
    };
    let roots: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(pem)
        .map(|certificate| certificate.map(|der| der.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| wrong().because(error))?;
    if roots.is_empty() { Err(wrong()) } else { Ok(Some(roots)) }
}

/// `kubectl-progrc/VERSION (OS/ARCH)`, with Go's names for both as kubectl's own has them.
fn user_agent() -> HeaderValue {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    HeaderValue::from_str(&format!("kubectl-progrc/{} ({os}/{arch})", env!("CARGO_PKG_VERSION")))
        .expect("version and platform are plain ASCII")
}

/// Why the kube crate refused the settings: nearly always a certificate.
fn not_built(settings: &Settings, error: kube::Error) -> ConnectError {
    let server = server::display(&settings.server);
    let user = settings.target.user_name.as_deref().unwrap_or_default();
    let text = format!("{error:?}");
    let (message, hint) = if text.contains("UnsupportedCertVersion") {
        (
            format!("the client certificate of user {user:?} is of X.509 version 1, which TLS here refuses"),
            "issue it again as version 3 (for MicroK8s: `microk8s refresh-certs`), or use --token",
        )
    } else if text.contains("InvalidPrivateKey") || text.contains("InconsistentKeys") {
        (
            format!("the client certificate and key of user {user:?} cannot be used together"),
            "check client-certificate and client-key of that user in the kubeconfig",
        )
    } else if text.contains("IdentityPem") || text.contains("MissingPrivateKey") || text.contains("MissingCertificate")
    {
        (
            format!("the client certificate or key of user {user:?} is not PEM"),
            "check client-certificate and client-key of that user in the kubeconfig",
        )
    } else if matches!(error, kube::Error::Auth(_)) {
        (
            format!("the credentials of user {user:?} cannot be used"),
            "log in again, or use --token; old auth providers were replaced by exec plugins such as kubelogin",
        )
    } else {
        (format!("no connection to {server} can be set up"), "see the cause below")
    };
    ConnectError::new(message, hint).because(error)
}
