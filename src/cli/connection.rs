//! The connection flags: kubectl's spellings, for every command.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::backend::cluster::connect::{ConnectOptions, Secret, parse_request_timeout};

/// The flags of kubectl that choose a cluster and say who asks.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// Path of the kubeconfig file; beats $KUBECONFIG
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), value_hint = clap::ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,

    /// Name of the kubeconfig context to use
    #[arg(long, global = true, value_name = "NAME", add = super::completion::contexts())]
    pub context: Option<String>,

    /// Name of the kubeconfig cluster to use
    #[arg(long, global = true, value_name = "NAME", add = super::completion::clusters())]
    pub cluster: Option<String>,

    /// Name of the kubeconfig user to use
    #[arg(long, global = true, value_name = "NAME", add = super::completion::users())]
    pub user: Option<String>,

    /// Namespace; that of the context unless given
    #[arg(short, long, global = true, value_name = "NAME", add = super::completion::namespaces())]
    pub namespace: Option<String>,

    /// Address and port of the Kubernetes API server
    #[arg(short, long, global = true, value_name = "URL")]
    pub server: Option<String>,

    /// Bearer token for the API server
    #[arg(long, global = true, value_name = "TOKEN", value_parser = secret, hide_default_value = true)]
    pub token: Option<Secret>,

    /// User to impersonate; system:serviceaccount:NAMESPACE:NAME for a service account
    #[arg(long = "as", global = true, value_name = "USER")]
    pub as_user: Option<String>,

    /// Group to impersonate, repeatable
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub as_groups: Vec<String>,

    /// UID to impersonate
    #[arg(long, global = true, value_name = "UID")]
    pub as_uid: Option<String>,

    /// Extra attribute of the impersonated user, repeatable
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub as_user_extra: Vec<(String, String)>,

    /// Path of a certificate authority's file
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), value_hint = clap::ValueHint::FilePath)]
    pub certificate_authority: Option<PathBuf>,

    /// Path of a client certificate for TLS
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), value_hint = clap::ValueHint::FilePath)]
    pub client_certificate: Option<PathBuf>,

    /// Path of a client key for TLS
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), value_hint = clap::ValueHint::FilePath)]
    pub client_key: Option<PathBuf>,

    /// Do not check the server's certificate; makes the connection insecure
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        value_parser = go_bool,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub insecure_skip_tls_verify: Option<bool>,

    /// Name to check the server's certificate against; that of the server unless given
    #[arg(long, global = true, value_name = "NAME")]
    pub tls_server_name: Option<String>,

    /// Longest time for one request, such as 1s, 2m, 3h; 0 waits for ever
    #[arg(long, global = true, value_name = "DURATION", value_parser = timeout)]
    pub request_timeout: Option<RequestTimeout>,

    /// Ask for uncompressed responses
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        value_parser = go_bool,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub disable_compression: Option<bool>,

    /// Directory of the discovery cache; $KUBECACHEDIR or ~/.kube/cache unless given
    #[arg(long, global = true, value_name = "DIR", value_parser = path(), value_hint = clap::ValueHint::DirPath)]
    pub cache_dir: Option<PathBuf>,
}

/// A value of `--request-timeout`; `None` waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestTimeout(pub Option<Duration>);

impl ConnectionArgs {
    /// The flags as the backend wants them. An empty value counts as not given, as in kubectl;
    /// everything that can be wrong was refused while parsing.
    pub fn options(&self) -> ConnectOptions {
        let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let path = |value: &Option<PathBuf>| value.clone().filter(|path| !path.as_os_str().is_empty());
        let mut as_user_extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in &self.as_user_extra {
            as_user_extra.entry(key.clone()).or_default().push(value.clone());
        }
        ConnectOptions {
            kubeconfig: path(&self.kubeconfig),
            context: text(&self.context),
            cluster: text(&self.cluster),
            user: text(&self.user),
            namespace: text(&self.namespace),
            server: text(&self.server),
            token: self.token.clone().filter(|token| !token.expose().is_empty()),
            as_user: text(&self.as_user),
            as_groups: self.as_groups.clone(),
            as_uid: text(&self.as_uid),
            as_user_extra,
            certificate_authority: path(&self.certificate_authority),
            client_certificate: path(&self.client_certificate),
            client_key: path(&self.client_key),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify.unwrap_or_default(),
            tls_server_name: text(&self.tls_server_name),
            request_timeout: self.request_timeout.and_then(|timeout| timeout.0),
            disable_compression: self.disable_compression.unwrap_or_default(),
            cache_dir: path(&self.cache_dir),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a value parser")]
fn secret(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text))
}

/// Any path, the empty one included: clap's own parser refuses that.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

fn timeout(text: &str) -> Result<RequestTimeout, String> {
    parse_request_timeout(text).map(RequestTimeout).map_err(|error| error.to_string())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("write it as KEY=VALUE".into()),
    }
}

/// The spellings that Go's `strconv.ParseBool` reads, which kubectl's switches accept after `=`.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write true or false".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        connection: ConnectionArgs,
        #[command(subcommand)]
        command: Command,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Command {
        Audit,
    }

    fn parse(arguments: &[&str]) -> Result<ConnectOptions, clap::Error> {
        let arguments = ["kubectl-progrc"].iter().chain(arguments);
        let cli = Cli::try_parse_from(arguments)?;
        let Command::Audit = cli.command;
        Ok(cli.connection.options())
    }

    #[test]
    fn every_flag_has_kubectls_spelling() {
        let mut names: Vec<String> = Cli::command()
            .get_arguments()
            .filter(|argument| argument.get_id() != "help")
            .map(|argument| {
                assert_eq!(argument.get_help_heading(), Some("Connection"));
                assert!(argument.is_global_set());
                argument.get_long().unwrap().to_string()
            })
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "as",
                "as-group",
                "as-uid",
                "as-user-extra",
                "cache-dir",
                "certificate-authority",
                "client-certificate",
                "client-key",
                "cluster",
                "context",
                "disable-compression",
                "insecure-skip-tls-verify",
                "kubeconfig",
                "namespace",
                "request-timeout",
                "server",
                "tls-server-name",
                "token",
                "user",
            ]
        );
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_after_the_command() {
        let options = parse(&["-n", "shop", "audit", "-s", "https://s", "--as-group=a,b", "--as-group", "c"]).unwrap();
        assert_eq!(options.namespace.as_deref(), Some("shop"));
        assert_eq!(options.server.as_deref(), Some("https://s"));
        assert_eq!(options.as_groups, ["a,b", "c"], "no split at commas, as in kubectl");
    }

    #[test]
    fn empty_values_count_as_not_given() {
        let options = parse(&["audit", "--context=", "--token=", "--kubeconfig="]).unwrap();
        assert_eq!(options.context, None);
        assert_eq!(options.token, None);
        assert_eq!(options.kubeconfig, None);
    }

    #[test]
    fn switches_take_gos_booleans() {
        let insecure = |flag| parse(&["audit", flag]).unwrap().insecure_skip_tls_verify;
        assert!(insecure("--insecure-skip-tls-verify"));
        assert!(insecure("--insecure-skip-tls-verify=T"));
        assert!(!insecure("--insecure-skip-tls-verify=false"));
        assert!(parse(&["audit", "--insecure-skip-tls-verify=yes"]).is_err());
    }

    #[test]
    fn extra_and_timeout_are_checked() {
        let options =
            parse(&["audit", "--as-user-extra", "k=a", "--as-user-extra=k=b=c", "--request-timeout=1m"]).unwrap();
        assert_eq!(options.as_user_extra["k"], ["a", "b=c"]);
        assert_eq!(options.request_timeout, Some(Duration::from_mins(1)));
        assert_eq!(parse(&["audit", "--request-timeout", "0"]).unwrap().request_timeout, None);
        assert!(parse(&["audit", "--as-user-extra", "k"]).is_err());
        let error = parse(&["audit", "--request-timeout", "soon"]).unwrap_err().to_string();
        assert!(error.contains("a single integer in seconds"), "{error}");
    }
}
