//! Which kubeconfig files are read, and how they become one: client-go's loading rules.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::ConnectError;
use super::kubeconfig::{self, Kubeconfig, Named};
use super::options::{ConnectOptions, Environment};

/// Reads and merges what `--kubeconfig`, `$KUBECONFIG` or `~/.kube/config` name, in that order.
///
/// The first file to set a name or a value wins. A missing file is an error only for
/// `--kubeconfig`; an unreadable or invalid one always is.
pub(super) fn load(options: &ConnectOptions, env: &Environment) -> Result<Kubeconfig, ConnectError> {
    if let Some(path) = &options.kubeconfig {
        return read(path)?.ok_or_else(|| {
            ConnectError::new(
                format!("kubeconfig {} does not exist", path.display()),
                "check the path given to --kubeconfig",
            )
        });
    }
    let mut merged = Kubeconfig::default();
    for path in paths(env) {
        if let Some(config) = read(&path)? {
            merge(&mut merged, config);
        }
    }
    Ok(merged)
}

/// The files of `$KUBECONFIG`, each once, without empty entries; else the default file.
fn paths(env: &Environment) -> Vec<PathBuf> {
    let Some(list) = env.get("KUBECONFIG") else {
        return env.home.iter().map(|home| home.join(".kube/config")).collect();
    };
    let mut seen = BTreeSet::new();
    std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty() && seen.insert(path.clone())).collect()
}

/// One file, its relative paths resolved; `None` if it does not exist.
fn read(path: &Path) -> Result<Option<Kubeconfig>, ConnectError> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let mut config = kubeconfig::parse(&bytes, path)?;
            resolve_paths(&mut config, path.parent().unwrap_or(Path::new("")));
            Ok(Some(config))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConnectError::new(
            format!("kubeconfig {} cannot be read", path.display()),
            "check the file's permissions, or name another one with --kubeconfig",
        )
        .because(error)),
    }
}

/// Paths inside a kubeconfig are relative to the directory it stands in. A plugin's command is a
/// path only if it contains a separator; otherwise it is looked up in `PATH`.
fn resolve_paths(config: &mut Kubeconfig, directory: &Path) {
    let resolve = |path: &mut Option<String>| {
        if let Some(path) = path
            && Path::new(path.as_str()).is_relative()
        {
            *path = directory.join(path.as_str()).to_string_lossy().into_owned();
        }
    };
    for cluster in &mut config.clusters {
        resolve(&mut cluster.value.certificate_authority);
    }
    for Named { value: user, .. } in &mut config.users {
        resolve(&mut user.client_certificate);
        resolve(&mut user.client_key);
        resolve(&mut user.token_file);
        if let Some(exec) = &mut user.exec
            && exec.command.as_deref().is_some_and(is_path)
        {
            resolve(&mut exec.command);
        }
    }
}

fn is_path(command: &str) -> bool {
    command.contains(std::path::is_separator)
}

fn merge(into: &mut Kubeconfig, next: Kubeconfig) {
    append(&mut into.clusters, next.clusters);
    append(&mut into.users, next.users);
    append(&mut into.contexts, next.contexts);
    into.current_context = into.current_context.take().or(next.current_context);
}

fn append<T: Default>(into: &mut Vec<Named<T>>, next: Vec<Named<T>>) {
    for entry in next {
        if kubeconfig::find(into, &entry.name).is_none() {
            into.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn with_kubeconfig(list: &[&Path]) -> Environment {
        let joined = std::env::join_paths(list).unwrap();
        let mut env = Environment::default();
        env.variables.insert("KUBECONFIG".into(), joined.into_string().unwrap());
        env
    }

    #[test]
    fn first_file_wins_and_missing_ones_are_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let one = dir.path().join("one");
        let two = dir.path().join("two");
        fs::write(&one, "clusters:\n- name: a\n  cluster: {server: https://one}\n").unwrap();
        fs::write(
            &two,
            "current-context: c\nclusters:\n- name: a\n  cluster: {server: https://two, tls-server-name: t}\n- name: b\n  cluster: {server: https://b}\n",
        )
        .unwrap();
        let missing = dir.path().join("missing");
        let env = with_kubeconfig(&[Path::new(""), &missing, &one, &one, &two]);
        let config = load(&ConnectOptions::default(), &env).unwrap();
        assert_eq!(config.clusters.len(), 2);
        let a = kubeconfig::find(&config.clusters, "a").unwrap();
        assert_eq!(a.server.as_deref(), Some("https://one"));
        assert_eq!(a.tls_server_name, None, "an entry is taken whole");
        assert_eq!(config.current_context.as_deref(), Some("c"));
        assert_eq!(paths(&env), [missing, one, two]);
    }

    #[test]
    fn an_empty_current_context_does_not_hide_a_later_one() {
        let dir = tempfile::tempdir().unwrap();
        let one = dir.path().join("one");
        let two = dir.path().join("two");
        fs::write(&one, "current-context: ''\n").unwrap();
        fs::write(&two, "current-context: b\n").unwrap();
        let config = load(&ConnectOptions::default(), &with_kubeconfig(&[&one, &two])).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("b"));
    }

    #[test]
    fn an_explicit_file_has_to_exist_and_is_not_merged() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other");
        fs::write(&other, "current-context: other\n").unwrap();
        let env = with_kubeconfig(&[&other]);
        let mut options = ConnectOptions { kubeconfig: Some("/nowhere/config".into()), ..ConnectOptions::default() };
        let error = load(&options, &env).unwrap_err();
        assert_eq!(error.message, "kubeconfig /nowhere/config does not exist");
        let mine = dir.path().join("mine");
        fs::write(&mine, "{}").unwrap();
        options.kubeconfig = Some(mine);
        assert_eq!(load(&options, &env).unwrap().current_context, None);
    }

    #[test]
    fn a_broken_file_of_a_list_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let broken = dir.path().join("broken");
        fs::write(&broken, "a: b: c\n").unwrap();
        let error = load(&ConnectOptions::default(), &with_kubeconfig(&[&broken])).unwrap_err();
        assert!(error.message.contains("broken cannot be read at line 1"), "{error}");
    }

    #[test]
    fn relative_paths_start_at_their_own_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        fs::write(
            &file,
            "clusters:\n- name: a\n  cluster: {certificate-authority: ca.crt}\nusers:\n- name: u\n  user:\n    client-key: /abs/key\n    exec: {command: bin/login}\n- name: v\n  user:\n    exec: {command: login}\n",
        )
        .unwrap();
        let config = load(&ConnectOptions::default(), &with_kubeconfig(&[&file])).unwrap();
        let here = |name: &str| Some(dir.path().join(name).to_string_lossy().into_owned());
        assert_eq!(config.clusters[0].value.certificate_authority, here("ca.crt"));
        assert_eq!(config.users[0].value.client_key.as_deref(), Some("/abs/key"));
        let command = |user: usize| config.users[user].value.exec.as_ref().unwrap().command.clone();
        assert_eq!(command(0), here("bin/login"));
        assert_eq!(command(1).as_deref(), Some("login"));
    }
}
