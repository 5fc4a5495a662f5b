//! A user of the kubeconfig into what is sent: a token, a password, a certificate.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use kube::config::AuthProviderConfig;

use super::error::ConnectError;
use super::options::{Environment, Secret};
use super::overrides::Target;
use super::{exec, exec_policy};

/// A token file is read again after this long: client-go's period.
const TOKEN_FILE_PERIOD: SignedDuration = SignedDuration::from_secs(60);

/// What proves who we are, ready to send.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    pub(super) token: Option<Secret>,
    pub(super) basic: Option<(String, Secret)>,
    /// Certificate and key, PEM.
    pub(super) identity: Option<(Vec<u8>, Secret)>,
    /// Left to the kube crate: OIDC refresh and Google's own tokens.
    pub(super) provider: Option<AuthProviderConfig>,
    /// When they have to be obtained again.
    pub(super) expires: Option<Timestamp>,
    /// Whether obtaining them again can give others: a plugin or a token file.
    pub(super) renewable: bool,
}

impl Credentials {
    /// Whether a server would see no difference: then open connections are kept.
    pub(super) fn prove_the_same(&self, other: &Self) -> bool {
        self.token == other.token && self.identity == other.identity
    }
}

/// Obtains the credentials of a target; runs its plugin if it has one.
///
/// client-go's precedence: token file, token, password, provider, plugin; client certificates
/// besides each of them.
pub(super) async fn obtain(
    target: &Target,
    authority: Option<&[u8]>,
    env: &Environment,
) -> Result<Credentials, ConnectError> {
    let user = &target.user;
    let mut credentials = Credentials { identity: identity(target)?, ..Credentials::default() };
    if let Some(token) = token_file(target)? {
        credentials.token = Some(token);
        credentials.renewable = true;
        credentials.expires = Timestamp::now().checked_add(TOKEN_FILE_PERIOD).ok();
    } else if user.token.is_some() {
        credentials.token.clone_from(&user.token);
    } else if let (Some(name), password) = (&user.username, &user.password) {
        credentials.basic = Some((name.clone(), password.clone().unwrap_or_default()));
    } else if user.auth_provider.is_some() {
        credentials.provider.clone_from(&user.auth_provider);
    } else if let Some(plugin) = &user.exec {
        exec_policy::check(plugin.command.as_deref().unwrap_or_default(), env)?;
        let answer = exec::run(plugin, &target.cluster, authority, env).await?;
        credentials.renewable = true;
        credentials.expires = answer.expiration_timestamp;
        credentials.token = answer.token;
        if let (Some(pem), Some(key)) = (answer.client_certificate_data, answer.client_key_data) {
            credentials.identity = Some((pem.into_bytes(), key));
        }
    }
    Ok(credentials)
}

/// The content of the token file without surrounding space; the kubeconfig's token stands in for
/// a file that cannot be read.
fn token_file(target: &Target) -> Result<Option<Secret>, ConnectError> {
    let Some(path) = &target.user.token_file else {
        return Ok(None);
    };
    match std::fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => Ok(Some(Secret::new(text.trim()))),
        _ if target.user.token.is_some() => Ok(None),
        Ok(_) => Err(user_error(target, &format!("token file {path} is empty"))),
        Err(error) => Err(user_error(target, &format!("token file {path} cannot be read")).because(error)),
    }
}

fn identity(target: &Target) -> Result<Option<(Vec<u8>, Secret)>, ConnectError> {
    let user = &target.user;
    let problem = |what: &str| user_error(target, what);
    let certificate = load(user.client_certificate_data.as_deref(), user.client_certificate.as_deref())
        .map_err(|error| problem(&error.what("client certificate")).because(error.source))?;
    let key = load(user.client_key_data.as_ref().map(Secret::expose), user.client_key.as_deref())
        .map_err(|error| problem(&error.what("client key")).because(error.source))?;
    let (Some(certificate), Some(key)) = (certificate, key) else {
        return Ok(None);
    };
    let key = String::from_utf8(key).map_err(|_| problem("the client key is not PEM"))?;
    Ok(Some((certificate, Secret::new(key))))
}

fn user_error(target: &Target, what: &str) -> ConnectError {
    let user = target.user_name.as_deref().unwrap_or_default();
    ConnectError::new(
        format!("user {user:?}: {what}"),
        "correct that user in the kubeconfig, or give other credentials by flags",
    )
}

/// The PEM of the cluster's certificate authority, if it names one.
pub(super) fn authority(target: &Target) -> Result<Option<Vec<u8>>, ConnectError> {
    let cluster = &target.cluster;
    load(cluster.certificate_authority_data.as_deref(), cluster.certificate_authority.as_deref()).map_err(|error| {
        let name = target.cluster_name.as_deref().unwrap_or_default();
        ConnectError::new(
            format!("cluster {name:?}: {}", error.what("certificate authority")),
            "correct that cluster in the kubeconfig, or name a file with --certificate-authority",
        )
        .because(error.source)
    })
}

/// Data that could not be loaded: from which file, or from base64.
struct LoadError {
    file: Option<String>,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl LoadError {
    fn what(&self, title: &str) -> String {
        match &self.file {
            Some(file) => format!("the {title} {file} cannot be read"),
            None => format!("the data of the {title} is not base64"),
        }
    }
}

/// Base64 data wins over a file. As in Go, line breaks inside the data do not count.
fn load(data: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>, LoadError> {
    if let Some(data) = data {
        let compact: String = data.split(['\r', '\n']).collect();
        return STANDARD.decode(compact).map(Some).map_err(|error| LoadError { file: None, source: error.into() });
    }
    let Some(file) = file else {
        return Ok(None);
    };
    std::fs::read(Path::new(file))
        .map(Some)
        .map_err(|error| LoadError { file: Some(file.into()), source: error.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(change: impl FnOnce(&mut Target)) -> Target {
        let mut target = Target { user_name: Some("u".into()), ..Target::default() };
        change(&mut target);
        target
    }

    async fn obtained(target: &Target) -> Result<Credentials, ConnectError> {
        obtain(target, None, &Environment::default()).await
    }

    #[tokio::test]
    async fn a_token_file_is_trimmed_and_wins_over_the_token() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token").to_string_lossy().into_owned();
        std::fs::write(&path, "  from-file\n").unwrap();
        let mut target = target(|target| {
            target.user.token_file = Some(path);
            target.user.token = Some(Secret::new("static"));
        });
        let credentials = obtained(&target).await.unwrap();
        assert_eq!(credentials.token.unwrap().expose(), "from-file");
        assert!(credentials.renewable && credentials.expires.is_some());
        target.user.token_file = Some("/nowhere/token".into());
        let credentials = obtained(&target).await.unwrap();
        assert_eq!(credentials.token.unwrap().expose(), "static");
        target.user.token = None;
        let error = obtained(&target).await.unwrap_err();
        assert_eq!(error.message, "user \"u\": token file /nowhere/token cannot be read");
    }

    #[tokio::test]
    async fn a_token_keeps_the_plugin_from_running() {
        let target = target(|target| {
            target.user.token = Some(Secret::new("t"));
            target.user.exec = Some(super::super::kubeconfig::Exec::default());
        });
        let credentials = obtained(&target).await.unwrap();
        assert_eq!(credentials.token.unwrap().expose(), "t");
        assert!(!credentials.renewable);
    }

    #[test]
    fn authority_data_may_be_wrapped_and_files_are_named() {
        let wrapped = target(|target| {
            target.cluster.certificate_authority_data = Some("aGVs\nbG8=\n".into());
        });
        assert_eq!(authority(&wrapped).unwrap().unwrap(), b"hello");
        let missing = target(|target| {
            target.cluster_name = Some("c".into());
            target.cluster.certificate_authority = Some("/nowhere/ca".into());
        });
        assert_eq!(
            authority(&missing).unwrap_err().message,
            "cluster \"c\": the certificate authority /nowhere/ca cannot be read"
        );
    }
}
