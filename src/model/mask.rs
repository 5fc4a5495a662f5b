//! What may not be shown: values of keys that look like credentials, and credentials in URLs.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// What stands in place of a masked value.
pub const MASK: &str = "<masked>";

static CREDENTIAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)(pass|pwd|secret|token|key|credential|dsn|auth|private)").expect("a constant pattern")
});
static PLACE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)_(FILE|DIR|PATH|HOST|PORT|URL|URI)$").expect("a constant pattern"));
static USERINFO: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)([a-z][a-z0-9+.-]*://)([^/?#\s]+)@").expect("a constant pattern"));
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

/// What a command line calls a credential: fewer words than keys, since flags of the Kubernetes'
/// own programs have `auth` and `key` in their names.
const WORDS: &str = "pass(?:w|phrase|code)|pwd|secret|token|credential|(?:api|access|private)[_.-]?key";
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    let value = r#""[^"]*"|'[^']*'|[^\s;&|"'$/][^\s;&|"']*"#;
    let pattern = format!(r"(?i)([a-z0-9_.-]*(?:{WORDS})[a-z0-9_.-]*)(\s*=\s*)({value})");
    Regex::new(&pattern).expect("a constant pattern")
});
/// `curl -u name:password`.
static USER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"((?:^|\s)(?:-u|--user)[ =][^\s:=]+:)[^\s;&|"']+"#).expect("a constant pattern"));
static FLAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("(?i)^--?[a-z0-9_.-]*(?:{WORDS})[a-z0-9_.-]*$")).expect("a constant pattern"));
/// The end of a flag or an option whose value is no credential, but says where one is.
static OF_PLACE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("(?i)[_.-](file|dir|path|host|port|url|uri|name|ttl|mode|type)$").expect("a constant pattern")
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

/// A text in which options have values: credentials among them are masked.
fn mask_line(text: &str) -> String {
    // Most words have neither: they are not searched.
    if !text.contains(['=', ':']) {
        return text.to_owned();
    }
    let masked = ASSIGNED.replace_all(text, |found: &Captures<'_>| {
        if OF_PLACE.is_match(&found[1]) || is_harmless(&found[3]) {
            found[0].to_owned()
        } else {
            format!("{}{}{MASK}", &found[1], &found[2])
        }
    });
    USER.replace_all(&masked, format!("${{1}}{MASK}")).into_owned()
}

/// The words of a command: what follows on a flag for a credential is one.
fn mask_words(words: &mut [Value]) {
    let (mut is_flagged, mut follows_user) = (false, false);
    for word in words {
        let Value::String(text) = word else { continue };
        let is_value = is_flagged && !text.starts_with(['-', '$', '/']) && !is_harmless(text);
        let is_value = is_value || follows_user && text.contains(':');
        let is_user = matches!(text.as_str(), "-u" | "--user");
        (is_flagged, follows_user) = (FLAG.is_match(text) && !OF_PLACE.is_match(text), is_user);
        *text = if is_value { MASK.to_owned() } else { mask_line(&mask("", text)) };
    }
}

/// True for switches and numbers.
fn is_harmless(value: &str) -> bool {
    super::environment::parse_switch(value).is_some() || value.bytes().all(|byte| byte.is_ascii_digit())
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
        Value::String(text) if key == "path" && text.contains('?') => *text = mask_line(&mask(key, text)),
        Value::String(text) => *text = mask(key, text),
        Value::Array(words) if matches!(key, "args" | "command") => mask_words(words),
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
        assert_eq!(mask("ENDPOINT", "http://k:a@b@host/x"), "http://<masked>@host/x");
        assert_eq!(mask("AUTH_URL", "https://u:p@host/x?token=1"), "https://<masked>@host/x?<masked>");
        assert_eq!(mask("ANY", "AKIAABCDEFGHIJKLMNOP"), MASK);
    }

    #[test]
    fn words_of_commands_are_masked_by_their_options() {
        let mut tree = serde_json::json!({
            "command": ["sh", "-c", "export DB_PASSWORD=hunter2; PGPASSWORD='hunter2 x' psql", "curl -u me:hunter2 x"],
            "preStop": {"exec": {"command": ["curl", "-u", "me:hunter2", "http://localhost:8080"]}},
            "args": ["--password=hunter2", "--api-key", "hunter2", "-token=hunter2", "--token-file=/run/token",
                "--secret", "$(SECRET)", "--authorization-mode=RBAC", "--sort-key=name", "--token-ttl", "3600",
                "--enable-token=true", "AWS_SECRET_ACCESS_KEY=hunter2"],
            "httpGet": {"path": "/r?token=hunter2&x=1"}
        });
        mask_tree(&mut tree);
        assert!(!tree.to_string().contains("hunter2"), "{tree}");
        assert_eq!(tree["command"][2], "export DB_PASSWORD=<masked>; PGPASSWORD=<masked> psql");
        let kept = ["--token-file=/run/token", "$(SECRET)", "--authorization-mode=RBAC", "--sort-key=name", "3600"];
        for word in kept.into_iter().chain(["--enable-token=true", "--password=<masked>", "--api-key"]) {
            assert!(tree["args"].as_array().unwrap().contains(&word.into()), "{word} {tree}");
        }
        assert_eq!(tree["command"][3], "curl -u me:<masked> x");
        assert_eq!(tree["httpGet"]["path"], "/r?token=<masked>&x=1");
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
