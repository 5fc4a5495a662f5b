//! Which credential plugins may run: the policy in kubectl's preferences file (kuberc).

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::ConnectError;
use super::options::Environment;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Preferences {
    credential_plugin_policy: Option<String>,
    credential_plugin_allowlist: Option<Vec<Entry>>,
}

/// kubectl 1.35 calls the member `name`, 1.36 `command`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    #[serde(alias = "name")]
    command: String,
}

/// Refuses a plugin that `$KUBERC` or `~/.kube/kuberc` does not allow. Without a file, or with
/// `KUBECTL_KUBERC=false` or `KUBERC=off`, every plugin may run, as in kubectl.
pub(super) fn check(command: &str, env: &Environment) -> Result<(), ConnectError> {
    let Some(file) = preferences_file(env) else {
        return Ok(());
    };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(&file).because(error)),
    };
    let preferences: Option<Preferences> = serde_saphyr::from_multiple(&text)
        .map_err(|error| unreadable(&file).because(error.without_snippet().to_string()))?
        .into_iter()
        .next();
    let preferences = preferences.unwrap_or_default();
    let policy = preferences.credential_plugin_policy.unwrap_or_default();
    let list = preferences.credential_plugin_allowlist.unwrap_or_default();
    let allowed = match policy.as_str() {
        "" | "AllowAll" => true,
        "Allowlist" => list.iter().any(|entry| same(&entry.command, command, env)),
        "DenyAll" => false,
        _ => {
            return Err(unreadable(&file).because(format!("unknown credentialPluginPolicy {policy:?}")));
        }
    };
    if allowed {
        return Ok(());
    }
    Err(ConnectError::new(
        format!("exec plugin {command} is not allowed by {}", file.display()),
        "add it to credentialPluginAllowlist there if you trust it",
    ))
}

fn preferences_file(env: &Environment) -> Option<PathBuf> {
    let off = |name: &str| {
        env.get(name).is_some_and(|value| ["false", "off", "0"].contains(&value.to_ascii_lowercase().as_str()))
    };
    if off("KUBECTL_KUBERC") || env.get("KUBERC") == Some("off") {
        return None;
    }
    env.get("KUBERC").map(PathBuf::from).or_else(|| env.home.as_ref().map(|home| home.join(".kube/kuberc")))
}

fn unreadable(file: &Path) -> ConnectError {
    ConnectError::new(
        format!("kubectl's preferences {} cannot be read", file.display()),
        "correct the file, or switch it off with KUBERC=off",
    )
}

/// Two commands are the same if they resolve to the same executable.
fn same(entry: &str, command: &str, env: &Environment) -> bool {
    match (look_up(entry, env), look_up(command, env)) {
        (Some(entry), Some(command)) => entry == command,
        _ => false,
    }
}

fn look_up(command: &str, env: &Environment) -> Option<PathBuf> {
    if command.contains(std::path::is_separator) {
        return Some(PathBuf::from(command)).filter(|path| path.is_file());
    }
    std::env::split_paths(env.get("PATH")?)
        .map(|directory| directory.join(command))
        .find(|path| !command.is_empty() && path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(kuberc: &str, command: &str) -> Result<(), String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(".kube")).unwrap();
        std::fs::write(dir.path().join(".kube/kuberc"), kuberc).unwrap();
        std::fs::write(dir.path().join("login"), "").unwrap();
        let mut env = Environment { home: Some(dir.path().into()), ..Environment::default() };
        let path = dir.path().to_string_lossy().into_owned();
        env.variables.insert("PATH".into(), path);
        check(command, &env).map_err(|error| error.message)
    }

    #[test]
    fn the_policy_of_kubectl_holds() {
        let list = "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- command: login\n";
        assert!(verdict("kind: Preference\n", "login").is_ok());
        assert!(verdict("", "login").is_ok());
        assert!(verdict("credentialPluginPolicy: AllowAll\n", "login").is_ok());
        assert!(verdict("credentialPluginPolicy: DenyAll\n", "login").is_err());
        assert!(verdict(list, "login").is_ok());
        assert!(verdict(&list.replace("command", "name"), "login").is_ok());
        assert!(verdict(list, "other").unwrap_err().contains("exec plugin other is not allowed"));
        assert!(verdict("credentialPluginPolicy: Some\n", "login").is_err());
        assert!(check("login", &Environment::default()).is_ok());
    }
}
