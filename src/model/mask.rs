//! What may not be shown: values of keys that look like credentials, and credentials in URLs.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// What stands in place of a masked value.
pub const MASK: &str = "<masked>";

static CREDENTIAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)(pass|pwd|secret|token|key|credential|dsn|auth|private)").expect("a constant pattern")
});
static PLACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)_(FILE|DIR|PATH|HOST|PORT|URL|URI)$").expect("a constant pattern"));
static USERINFO: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)([a-z][a-z0-9+.-]*://)([^/?#\s@]+)@").expect("a constant pattern"));
static QUERY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)([a-z][a-z0-9+.-]*://[^?#\s]*)\?[^#\s]*").expect("a constant pattern"));
static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        r"|\bAKIA[0-9A-Z]{16}\b",
        r"|\bgh[pousr]_[A-Za-z0-9]{36,}\b",
        r"|\bgithub_pat_[A-Za-z0-9_]{22,}\b",
        r"|\bxox[abprs]-[A-Za-z0-9-]{10,}",
        r"|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ))
    .expect("a constant pattern")
});

/// True if the values under this key are credentials.
pub fn is_masked_key(key: &str) -> bool {
    CREDENTIAL.is_match(key) && !PLACE.is_match(key)
}

/// True if the text has the shape of a credential, whatever its key: a private key, an access key
/// ID, a token.
pub fn has_credential_shape(text: &str) -> bool {
    SHAPE.is_match(text)
}

/// True if a URL in the text carries a password.
pub fn has_url_password(text: &str) -> bool {
    USERINFO.captures_iter(text).any(|found| found[2].contains(':'))
}

/// The value of `key` as it may be shown. Switches such as `"false"` are no credentials.
pub fn mask(key: &str, value: &str) -> String {
    let is_credential = !key.is_empty() && CREDENTIAL.is_match(key);
    let is_masked = is_credential && !PLACE.is_match(key) && super::environment::parse_switch(value).is_none();
    if is_masked || has_credential_shape(value) {
        return MASK.to_owned();
    }
    // Most texts hold no URL: they are not searched for its parts.
    if !value.contains("://") {
        return value.to_owned();
    }
    let value = USERINFO.replace_all(value, format!("${{1}}{MASK}@"));
    if is_credential {
        return QUERY.replace_all(&value, format!("${{1}}?{MASK}")).into_owned();
    }
    value.into_owned()
}

/// True if anywhere in the value a text stands under a masked key, in a variable with a masked
/// name, or has the shape of a credential.
pub fn holds_masked_key(value: &Value) -> bool {
    let mut masked = value.clone();
    mask_tree(&mut masked);
    masked != *value
}

/// Masks every value in a tree that may not be shown: by its key, by the `name` beside a
/// `value`, and by what it looks like.
pub fn mask_tree(value: &mut Value) {
    mask_under("", value);
}

fn mask_under(key: &str, value: &mut Value) {
    match value {
        Value::String(text) => *text = mask(key, text),
        Value::Array(items) => items.iter_mut().for_each(|item| mask_under(key, item)),
        Value::Object(map) => {
            let variable = map.get("name").and_then(Value::as_str).map(str::to_owned);
            for (name, member) in map.iter_mut() {
                match (&variable, name.as_str()) {
                    (Some(variable), "value") => mask_under(variable, member),
                    (_, super::object::LAST_APPLIED) => *member = Value::String(MASK.to_owned()),
                    _ if member.is_string() && is_structural(name) => mask_under("", member),
                    _ => mask_under(name, member),
                }
            }
        }
        _ => {}
    }
}

/// Fields of the API whose names look like credentials and whose values are names.
fn is_structural(name: &str) -> bool {
    matches!(
        name,
        "key" | "secretName" | "topologyKey" | "tokenExpirationSeconds" | "imagePullSecrets" | "credentialsSecret"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked_and_places_are_not() {
        assert_eq!(mask("DB_PASSWORD", "x"), MASK);
        assert_eq!(mask("API_KEY", "x"), MASK);
        assert_eq!(mask("TLS_KEY_FILE", "/etc/tls.key"), "/etc/tls.key");
        assert_eq!(mask("USE_LOCALSTACK", "true"), "true");
        assert_eq!(mask("ENDPOINT", "https://u:p@host/x?y=1"), "https://<masked>@host/x?y=1");
        assert_eq!(mask("AUTH_URL", "https://u:p@host/x?token=1"), "https://<masked>@host/x?<masked>");
        assert_eq!(mask("ANY", "AKIAABCDEFGHIJKLMNOP"), MASK);
    }

    #[test]
    fn trees_are_masked_by_key_and_by_variable() {
        let mut tree = serde_json::json!({
            "env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "MODE", "value": "a"}],
            "data": {"TOKEN": "hunter2", "MODE": "b"},
            "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}
        });
        mask_tree(&mut tree);
        assert!(!tree.to_string().contains("hunter2"));
        assert!(tree.to_string().contains(r#""key":"password""#));
        assert_eq!(tree["data"]["MODE"], "b");
    }
}
