//! What a caller decides: flags and environment, free of clap and of the process.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A value that never shows in logs: its `Debug` form is a placeholder.
#[derive(Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// What the connection flags say, by kubectl's names. `None` and empty mean "not given".
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// `--kubeconfig`: the only file that is read; it has to exist.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`
    pub context: Option<String>,
    /// `--cluster`
    pub cluster: Option<String>,
    /// `--user`
    pub user: Option<String>,
    /// `-n`, `--namespace`
    pub namespace: Option<String>,
    /// `-s`, `--server`: also clears the kubeconfig's `tls-server-name`.
    pub server: Option<String>,
    /// `--token`: beats every other credential except client certificates.
    pub token: Option<Secret>,
    /// `--as`
    pub as_user: Option<String>,
    /// `--as-group`, repeatable
    pub as_groups: Vec<String>,
    /// `--as-uid`
    pub as_uid: Option<String>,
    /// `--as-user-extra KEY=VALUE`, repeatable
    pub as_user_extra: BTreeMap<String, Vec<String>>,
    /// `--certificate-authority`: clears the kubeconfig's authority and its insecure switch.
    pub certificate_authority: Option<PathBuf>,
    /// `--client-certificate`
    pub client_certificate: Option<PathBuf>,
    /// `--client-key`
    pub client_key: Option<PathBuf>,
    /// `--insecure-skip-tls-verify`: clears the kubeconfig's authority.
    pub insecure_skip_tls_verify: bool,
    /// `--tls-server-name`
    pub tls_server_name: Option<String>,
    /// `--request-timeout`: the whole of one request; `None` waits for ever.
    pub request_timeout: Option<Duration>,
    /// `--disable-compression`
    pub disable_compression: bool,
    /// `--cache-dir`
    pub cache_dir: Option<PathBuf>,
}

/// The part of the process environment that matters, read once by the command line.
#[derive(Clone, Default)]
pub struct Environment {
    /// Every variable.
    pub variables: BTreeMap<String, String>,
    /// The home directory, if there is one.
    pub home: Option<PathBuf>,
    /// Whether a credential plugin may ask on standard input.
    pub stdin_is_terminal: bool,
}

impl fmt::Debug for Environment {
    /// Names only: values of variables are secrets more often than not.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("home", &self.home)
            .field("stdin_is_terminal", &self.stdin_is_terminal)
            .finish()
    }
}

impl Environment {
    /// A variable's value; an empty one counts as unset.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The first of several spellings that is set.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }
}

/// The directory of the discovery cache: `--cache-dir`, `$KUBECACHEDIR`, else `~/.kube/cache`.
pub fn cache_dir(options: &ConnectOptions, env: &Environment) -> Option<PathBuf> {
    options
        .cache_dir
        .clone()
        .or_else(|| env.get("KUBECACHEDIR").map(PathBuf::from))
        .or_else(|| env.home.as_ref().map(|home| home.join(".kube/cache")))
}

/// kubectl's sentence for a timeout that it cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "timeout must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)"
)]
pub struct InvalidTimeout;

/// Reads `--request-timeout`: seconds (`30`) or a Go duration (`1m30s`, `500ms`); zero means none.
pub fn parse_request_timeout(text: &str) -> Result<Option<Duration>, InvalidTimeout> {
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) if text.is_empty() => Some(Duration::ZERO),
        Err(_) => go_duration(text),
    };
    let duration = seconds.ok_or(InvalidTimeout)?;
    Ok((!duration.is_zero()).then_some(duration))
}

/// Go's `time.ParseDuration` without a sign: a sequence of decimals, each with its unit.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..unit_end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        rest = &rest[unit_end..];
        total = total.checked_add(Duration::try_from_secs_f64(number * unit).ok()?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_read_as_in_kubectl() {
        let seconds = |text| parse_request_timeout(text).unwrap().map(|d| d.as_secs_f64());
        assert_eq!(seconds("0"), None);
        assert_eq!(seconds(""), None);
        assert_eq!(seconds("0s"), None);
        assert_eq!(seconds("30"), Some(30.0));
        assert_eq!(seconds("2m"), Some(120.0));
        assert_eq!(seconds("1h1m1.5s"), Some(3661.5));
        assert_eq!(seconds("500ms"), Some(0.5));
        for wrong in ["abc", "-1", "5x", "1s2", "s", "1..5s", "-5s"] {
            assert_eq!(parse_request_timeout(wrong), Err(InvalidTimeout), "{wrong}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let options = ConnectOptions { token: Some(Secret::new("s3cret")), ..ConnectOptions::default() };
        assert!(!format!("{options:?}").contains("s3cret"));
    }

    #[test]
    fn cache_directory_has_kubectls_order() {
        let mut env = Environment { home: Some("/home/a".into()), ..Environment::default() };
        let mut options = ConnectOptions::default();
        assert_eq!(cache_dir(&options, &env), Some("/home/a/.kube/cache".into()));
        env.variables.insert("KUBECACHEDIR".into(), "/c".into());
        assert_eq!(cache_dir(&options, &env), Some("/c".into()));
        options.cache_dir = Some("/flag".into());
        assert_eq!(cache_dir(&options, &env), Some("/flag".into()));
    }
}
