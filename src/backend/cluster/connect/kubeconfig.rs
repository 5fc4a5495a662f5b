//! The kubeconfig format: one file's bytes into its values. Which files, and how they merge,
//! stands in `load`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer};

use super::error::ConnectError;
use super::options::Secret;

/// A kubeconfig: one file or several merged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Kubeconfig {
    #[serde(deserialize_with = "or_default")]
    pub(super) clusters: Vec<Named<Cluster>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) users: Vec<Named<User>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) contexts: Vec<Named<Context>>,
    #[serde(deserialize_with = "text")]
    pub(super) current_context: Option<String>,
}

/// An entry of one of the three lists.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named<T: Default> {
    #[serde(deserialize_with = "or_default")]
    pub(super) name: String,
    #[serde(
        alias = "cluster",
        alias = "user",
        alias = "context",
        deserialize_with = "or_default",
        bound(deserialize = "T: Deserialize<'de>")
    )]
    pub(super) value: T,
}

/// Where a cluster is and how its certificate is checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Cluster {
    #[serde(deserialize_with = "text")]
    pub(super) server: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) insecure_skip_tls_verify: bool,
    #[serde(deserialize_with = "text")]
    pub(super) certificate_authority: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) certificate_authority_data: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) proxy_url: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) disable_compression: bool,
    #[serde(deserialize_with = "text")]
    pub(super) tls_server_name: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) extensions: Vec<Extension>,
}

/// A named piece of data for others, such as credential plugins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) extension: serde_json::Value,
}

/// Who asks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct User {
    #[serde(deserialize_with = "text")]
    pub(super) client_certificate: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) client_certificate_data: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) client_key: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(super) client_key_data: Option<Secret>,
    #[serde(deserialize_with = "secret")]
    pub(super) token: Option<Secret>,
    #[serde(rename = "tokenFile", deserialize_with = "text")]
    pub(super) token_file: Option<String>,
    #[serde(rename = "as", deserialize_with = "text")]
    pub(super) impersonate: Option<String>,
    #[serde(rename = "as-uid", deserialize_with = "text")]
    pub(super) impersonate_uid: Option<String>,
    #[serde(rename = "as-groups", deserialize_with = "or_default")]
    pub(super) impersonate_groups: Vec<String>,
    #[serde(rename = "as-user-extra", deserialize_with = "or_default")]
    pub(super) impersonate_extra: BTreeMap<String, Vec<String>>,
    #[serde(deserialize_with = "text")]
    pub(super) username: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(super) password: Option<Secret>,
    pub(super) auth_provider: Option<kube::config::AuthProviderConfig>,
    pub(super) exec: Option<Exec>,
}

/// A credential plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Exec {
    #[serde(deserialize_with = "text")]
    pub(super) api_version: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) command: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) args: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) env: Vec<Variable>,
    #[serde(deserialize_with = "text")]
    pub(super) install_hint: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) provide_cluster_info: bool,
    #[serde(deserialize_with = "text")]
    pub(super) interactive_mode: Option<String>,
}

/// A variable that a credential plugin gets.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
}

/// A cluster, a user and a namespace under one name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Context {
    #[serde(deserialize_with = "text")]
    pub(super) cluster: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) user: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(super) namespace: Option<String>,
}

/// Go reads an explicit null as the type's zero value.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A string of which the empty one counts as unset.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|value| !value.is_empty()))
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(text(deserializer)?.map(Secret::new))
}

/// The entry of that name.
pub(super) fn find<'a, T: Default>(list: &'a [Named<T>], name: &str) -> Option<&'a T> {
    list.iter().find(|entry| entry.name == name).map(|entry| &entry.value)
}

/// Reads one file's text as kubectl does: the first document, YAML 1.1 numbers, the last of
/// two equal keys; two entries of one name are an error.
pub(super) fn parse(bytes: &[u8], file: &Path) -> Result<Kubeconfig, ConnectError> {
    let broken = |what: String| {
        ConnectError::new(
            format!("kubeconfig {} {what}", file.display()),
            "correct the file, or name another one with --kubeconfig",
        )
    };
    let text = decode(bytes).ok_or_else(|| broken("is neither UTF-8 nor UTF-16".into()))?;
    let documents: Vec<Option<Kubeconfig>> =
        serde_saphyr::from_multiple_with_options(&text, yaml_options()).map_err(|error| {
            let line = error.location().map(|at| format!(" at line {}", at.line()));
            broken(format!("cannot be read{}", line.unwrap_or_default()))
                .because(one_line(&error.without_snippet().to_string()))
        })?;
    let config = documents.into_iter().next().flatten().unwrap_or_default();
    let twice = duplicate(&config.clusters, "clusters")
        .or_else(|| duplicate(&config.users, "users"))
        .or_else(|| duplicate(&config.contexts, "contexts"));
    match twice {
        Some((name, list)) => Err(broken(format!("has the name {name:?} twice in {list}"))),
        None => Ok(config),
    }
}

fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: None,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        legacy_octal_numbers: true,
    }
}

fn duplicate<'a, T: Default>(list: &'a [Named<T>], title: &'static str) -> Option<(&'a str, &'static str)> {
    let mut seen = std::collections::BTreeSet::new();
    list.iter().map(|entry| entry.name.as_str()).find(|name| !seen.insert(*name)).map(|name| (name, title))
}

/// UTF-8 with or without a byte order mark, and the UTF-16 that Windows shells write.
fn decode(bytes: &[u8]) -> Option<String> {
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Kubeconfig, ConnectError> {
        parse(text.as_bytes(), Path::new("/k/config"))
    }

    #[test]
    fn the_last_of_two_equal_keys_wins() {
        let config = read("current-context: a\ncurrent-context: b\n").unwrap();
        assert_eq!(config.current_context.as_deref(), Some("b"));
    }

    #[test]
    fn empty_null_and_absent_are_the_same() {
        let config = read("current-context: ''\nclusters: null\nusers:\n- name: u\n  user: null\n").unwrap();
        assert_eq!(config.current_context, None);
        assert!(config.clusters.is_empty());
        assert_eq!(config.users.len(), 1);
        assert!(read("").unwrap().contexts.is_empty());
        assert!(read("# nothing\n").unwrap().contexts.is_empty());
    }

    #[test]
    fn broken_yaml_names_file_and_line() {
        let error = read("clusters:\n- name: a\n  cluster: {server: [}\n").unwrap_err();
        assert_eq!(error.message, "kubeconfig /k/config cannot be read at line 3");
        let error = read("clusters:\n- name: a\n  cluster:\n    server: [a]\n").unwrap_err();
        assert_eq!(error.message, "kubeconfig /k/config cannot be read at line 4");
        assert!(!error.message.contains('\n'));
    }

    #[test]
    fn two_entries_of_one_name_are_refused() {
        let error = read("users:\n- {name: u, user: {}}\n- {name: u, user: {}}\n").unwrap_err();
        assert_eq!(error.message, "kubeconfig /k/config has the name \"u\" twice in users");
    }

    #[test]
    fn only_the_first_document_counts() {
        let config = read("current-context: a\n---\ncurrent-context: b\n").unwrap();
        assert_eq!(config.current_context.as_deref(), Some("a"));
    }

    #[test]
    fn windows_encodings_are_read() {
        let mut bytes = vec![0xFF, 0xFE];
        bytes.extend("current-context: ü\n".encode_utf16().flat_map(u16::to_le_bytes));
        let config = parse(&bytes, Path::new("f")).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("ü"));
        let config = parse("\u{feff}current-context: a\n".as_bytes(), Path::new("f")).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("a"));
    }
}
