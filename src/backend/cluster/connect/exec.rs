//! Credential plugins: run once, by us, under client-go's protocol.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ConnectError;
use super::kubeconfig::{Cluster, Exec};
use super::options::{Environment, Secret};

/// The extension of a cluster that its plugins get as `config`.
const CLUSTER_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// The protocol versions that kubectl speaks.
const VERSIONS: [&str; 2] = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/// A plugin that may not ask has this long; one that may ask is only bounded by its user.
const UNATTENDED: Duration = Duration::from_mins(2);

/// What a plugin answered.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credential {
    pub(super) token: Option<Secret>,
    pub(super) client_certificate_data: Option<String>,
    pub(super) client_key_data: Option<Secret>,
    pub(super) expiration_timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_version: Option<String>,
    status: Option<Credential>,
}

/// Runs the plugin and reads its credential. Its standard error is ours, so that it can tell its
/// user where to log in; standard input is ours only if it may ask.
pub(super) async fn run(
    exec: &Exec,
    cluster: &Cluster,
    authority: Option<&[u8]>,
    env: &Environment,
) -> Result<Credential, ConnectError> {
    let name = exec.command.as_deref().unwrap_or_default();
    let version = exec.api_version.as_deref().unwrap_or_default();
    if !VERSIONS.contains(&version) {
        return Err(ConnectError::new(
            format!("exec plugin {name}: invalid apiVersion {version:?}"),
            "update the plugin, and write client.authentication.k8s.io/v1 into the kubeconfig",
        ));
    }
    let interactive = may_ask(exec, env)?;
    let info = exec_info(exec, version, interactive, cluster, authority);
    let mut command = tokio::process::Command::new(name);
    command
        .args(&exec.args)
        .envs(&env.variables)
        .envs(exec.env.iter().map(|variable| (&variable.name, &variable.value)))
        .env("KUBERNETES_EXEC_INFO", info.to_string())
        .stdin(if interactive { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let output = if interactive {
        command.output().await
    } else {
        let output = tokio::time::timeout(UNATTENDED, command.output()).await;
        output.map_err(|_| too_slow(name))?
    };
    let output = output.map_err(|error| not_started(exec, name, error))?;
    if !output.status.success() {
        let code = output.status.code().map_or("a signal".into(), |code| format!("exit code {code}"));
        return Err(ConnectError::new(
            format!("exec: executable {name} failed with {code}"),
            "log in again with your provider's command, or run the plugin by hand to see why",
        ));
    }
    read(name, version, &output.stdout)
}

/// Whether the plugin may ask on standard input.
fn may_ask(exec: &Exec, env: &Environment) -> Result<bool, ConnectError> {
    match exec.interactive_mode.as_deref() {
        Some("Never") => Ok(false),
        Some("Always") if !env.stdin_is_terminal => Err(ConnectError::new(
            "exec plugin cannot support interactive mode: standard input is not a terminal",
            "run this in a terminal, or use credentials that need no questions",
        )),
        _ => Ok(env.stdin_is_terminal),
    }
}

/// The `ExecCredential` that the plugin gets in `KUBERNETES_EXEC_INFO`.
fn exec_info(exec: &Exec, version: &str, interactive: bool, cluster: &Cluster, authority: Option<&[u8]>) -> Value {
    let mut info = json!({
        "kind": "ExecCredential",
        "apiVersion": version,
        "spec": {"interactive": interactive},
    });
    if exec.provide_cluster_info {
        let config = cluster
            .extensions
            .iter()
            .find(|extension| extension.name == CLUSTER_EXTENSION)
            .map(|extension| extension.extension.clone());
        let fields = [
            ("server", cluster.server.clone().map(Value::from)),
            ("tls-server-name", cluster.tls_server_name.clone().map(Value::from)),
            ("insecure-skip-tls-verify", cluster.insecure_skip_tls_verify.then_some(Value::Bool(true))),
            ("certificate-authority-data", authority.map(|pem| STANDARD.encode(pem).into())),
            ("proxy-url", cluster.proxy_url.clone().map(Value::from)),
            ("disable-compression", cluster.disable_compression.then_some(Value::Bool(true))),
            ("config", config),
        ];
        info["spec"]["cluster"] =
            fields.into_iter().filter_map(|(key, value)| Some((key.to_string(), value?))).collect();
    }
    info
}

fn too_slow(name: &str) -> ConnectError {
    let limit = UNATTENDED.as_secs();
    ConnectError::new(
        format!("exec: executable {name} did not finish within {limit} s"),
        "run it by hand: it may wait for a login",
    )
}

fn not_started(exec: &Exec, name: &str, error: std::io::Error) -> ConnectError {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => format!("exec: executable {name} not found"),
        _ => format!("exec: executable {name} could not be started"),
    };
    let hint = match &exec.install_hint {
        Some(hint) => plain(hint),
        None => "install the credential plugin that the kubeconfig names, or put it on PATH".into(),
    };
    ConnectError::new(message, hint).because(error)
}

/// A kubeconfig's own text without escape sequences and control characters, on one line.
fn plain(text: &str) -> String {
    let visible = anstream::adapter::strip_str(text).to_string();
    let visible: String =
        visible.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn read(name: &str, version: &str, stdout: &[u8]) -> Result<Credential, ConnectError> {
    let wrong = |what: &str| {
        ConnectError::new(format!("exec plugin {name} {what}"), "run the plugin by hand, and update it if it is old")
    };
    // The answer holds secrets: the parser's own words about it are not shown.
    let text = std::str::from_utf8(stdout).map_err(|_| wrong("did not print an ExecCredential"))?;
    let answer: Answer = serde_saphyr::from_str(text).map_err(|_| wrong("did not print an ExecCredential"))?;
    if answer.api_version.as_deref() != Some(version) {
        let got = answer.api_version.unwrap_or_default();
        return Err(wrong(&format!("returned different version, expected {version}, got {}", plain(&got))));
    }
    let mut status = answer.status.ok_or_else(|| wrong("didn't return a status field"))?;
    let given = |secret: &Secret| !secret.expose().is_empty();
    status.token = status.token.filter(given);
    status.client_key_data = status.client_key_data.filter(given);
    status.client_certificate_data = status.client_certificate_data.filter(|pem| !pem.is_empty());
    match (&status.client_certificate_data, &status.client_key_data, &status.token) {
        (None, None, None) => Err(wrong("didn't return a token or cert/key pair")),
        (Some(_), None, _) | (None, Some(_), _) => Err(wrong("returned only certificate or key, not both")),
        _ => Ok(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin that is a shell script.
    fn script(text: &str) -> Exec {
        Exec {
            api_version: Some(VERSIONS[0].into()),
            command: Some("sh".into()),
            args: vec!["-c".into(), text.into()],
            interactive_mode: Some("IfAvailable".into()),
            ..Exec::default()
        }
    }

    async fn outcome(exec: &Exec) -> Result<Credential, ConnectError> {
        run(exec, &Cluster::default(), None, &Environment::default()).await
    }

    fn answer(status: &str) -> Exec {
        script(&format!(r#"echo '{{"kind":"ExecCredential","apiVersion":"{}","status":{status}}}'"#, VERSIONS[0]))
    }

    #[tokio::test]
    async fn token_certificate_and_expiry_are_all_kept() {
        let exec = answer(
            r#"{"token":"t","clientCertificateData":"c","clientKeyData":"k","expirationTimestamp":"2026-11-23T10:00:00Z"}"#,
        );
        let credential = outcome(&exec).await.unwrap();
        assert_eq!(credential.token.unwrap().expose(), "t");
        assert_eq!(credential.client_certificate_data.as_deref(), Some("c"));
        assert_eq!(credential.client_key_data.unwrap().expose(), "k");
        assert_eq!(credential.expiration_timestamp.unwrap().to_string(), "2026-11-23T10:00:00Z");
    }

    #[tokio::test]
    async fn bad_answers_are_named() {
        let message = async |exec: Exec| outcome(&exec).await.unwrap_err().message;
        assert_eq!(message(answer("{}")).await, "exec plugin sh didn't return a token or cert/key pair");
        assert_eq!(
            message(answer(r#"{"clientKeyData":"k"}"#)).await,
            "exec plugin sh returned only certificate or key, not both"
        );
        assert_eq!(message(script("echo nonsense")).await, "exec plugin sh did not print an ExecCredential");
        assert_eq!(message(script("exit 3")).await, "exec: executable sh failed with exit code 3");
        let mut other = answer(r#"{"token":"t"}"#);
        other.api_version = Some(VERSIONS[1].into());
        assert!(message(other.clone()).await.contains("returned different version"));
        other.api_version = Some("client.authentication.k8s.io/v1alpha1".into());
        assert!(message(other).await.contains("invalid apiVersion"));
    }

    #[tokio::test]
    async fn a_missing_plugin_shows_its_install_hint_without_escapes() {
        let exec = Exec {
            command: Some("no-such-plugin-here".into()),
            install_hint: Some("\u{1b}[31mbrew\u{1b}[0m install\n  it".into()),
            ..answer("{}")
        };
        let error = outcome(&exec).await.unwrap_err();
        assert_eq!(error.message, "exec: executable no-such-plugin-here not found");
        assert_eq!(error.hint, "brew install it");
    }

    #[tokio::test]
    async fn always_interactive_needs_a_terminal() {
        let exec = Exec { interactive_mode: Some("Always".into()), ..answer("{}") };
        assert!(outcome(&exec).await.unwrap_err().message.contains("not a terminal"));
    }

    #[tokio::test]
    async fn the_plugin_sees_its_environment_and_the_cluster() {
        let mut exec = script(
            r#"test "$COLOUR$OWN" = "bluemine" || exit 9
            printf '{"apiVersion":"client.authentication.k8s.io/v1","status":{"token":"%s"}}' \
                "$(printf %s "$KUBERNETES_EXEC_INFO" | base64 | tr -d '\n')""#,
        );
        exec.env = vec![super::super::kubeconfig::Variable { name: "OWN".into(), value: "mine".into() }];
        exec.provide_cluster_info = true;
        let cluster = Cluster {
            server: Some("https://s".into()),
            extensions: vec![super::super::kubeconfig::Extension {
                name: CLUSTER_EXTENSION.into(),
                extension: json!({"audience": "a"}),
            }],
            ..Cluster::default()
        };
        let mut env = Environment::default();
        env.variables.insert("COLOUR".into(), "blue".into());
        let credential = run(&exec, &cluster, Some(b"PEM"), &env).await.unwrap();
        let info = STANDARD.decode(credential.token.unwrap().expose()).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&info).unwrap(),
            json!({
                "kind": "ExecCredential",
                "apiVersion": VERSIONS[0],
                "spec": {
                    "interactive": false,
                    "cluster": {
                        "server": "https://s",
                        "certificate-authority-data": "UEVN",
                        "config": {"audience": "a"},
                    },
                },
            })
        );
    }
}
