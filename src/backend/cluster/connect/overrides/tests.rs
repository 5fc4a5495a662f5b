//! What each flag sets and clears, against kubectl.

use super::super::{server, validate};
use super::*;
use crate::backend::cluster::connect::options::Secret;

const CONFIG: &str = "
current-context: one
contexts:
- {name: one, context: {cluster: c1, user: u1, namespace: shop}}
- {name: two, context: {cluster: c2, user: gone, namespace: ''}}
- {name: three, context: {cluster: gone}}
clusters:
- {name: c1, cluster: {server: 'https://one', tls-server-name: name, certificate-authority-data: Y2E=}}
- {name: c2, cluster: {server: 'https://two', insecure-skip-tls-verify: true}}
- {name: c3, cluster: {}}
users:
- name: u1
  user:
    tokenFile: /t
    username: a
    password: b
    exec: {command: x, apiVersion: client.authentication.k8s.io/v1beta1}
    client-certificate-data: Yw==
    client-key-data: aw==
";

fn options(change: impl FnOnce(&mut ConnectOptions)) -> ConnectOptions {
    let mut options = ConnectOptions::default();
    change(&mut options);
    options
}

fn selected(yaml: &str, options: &ConnectOptions, env: &Environment) -> Result<Target, String> {
    let config = super::super::kubeconfig::parse(yaml.as_bytes(), Path::new("f")).unwrap();
    select(&config, options, env, Path::new("/nowhere")).map_err(|error| error.message)
}

fn chosen(options: &ConnectOptions) -> Result<Target, String> {
    selected(CONFIG, options, &Environment::default())
}

#[test]
fn context_cluster_user_and_namespace_follow_the_flags() {
    let target = chosen(&ConnectOptions::default()).unwrap();
    assert_eq!(target.context.as_deref(), Some("one"));
    assert_eq!(target.namespace, "shop");
    let target = chosen(&options(|o| o.context = Some("two".into()))).unwrap();
    assert_eq!(target.namespace, "default", "an empty namespace is none");
    assert_eq!(target.cluster.server.as_deref(), Some("https://two"));
    assert!(target.user.token_file.is_none(), "an undefined user is anonymous");
    let mixed = options(|o| {
        o.cluster = Some("c2".into());
        o.namespace = Some("other".into());
    });
    let target = chosen(&mixed).unwrap();
    assert_eq!(target.cluster.server.as_deref(), Some("https://two"));
    assert_eq!(target.user.token_file.as_deref(), Some("/t"));
    assert_eq!(target.namespace, "other");
}

#[test]
fn unknown_names_are_errors_in_kubectls_words() {
    let message = |change: fn(&mut ConnectOptions)| chosen(&options(change)).unwrap_err();
    assert_eq!(message(|o| o.context = Some("x".into())), "context \"x\" does not exist");
    assert_eq!(message(|o| o.cluster = Some("x".into())), "cluster \"x\" does not exist");
    assert_eq!(message(|o| o.user = Some("x".into())), "auth info \"x\" does not exist");
    assert_eq!(message(|o| o.context = Some("three".into())), "cluster \"gone\" does not exist");
    assert_eq!(message(|o| o.cluster = Some("c3".into())), "no server found for cluster \"c3\"");
    let server = options(|o| {
        o.context = Some("three".into());
        o.server = Some("https://s".into());
    });
    assert!(chosen(&server).is_ok());
}

#[test]
fn without_any_configuration_there_is_no_cluster() {
    let none = ConnectOptions::default();
    let mut env = Environment::default();
    assert_eq!(selected("{}", &none, &env).unwrap_err(), "no cluster is configured");
    assert_eq!(selected("current-context: ''", &none, &env).unwrap_err(), "no cluster is configured");
    env.variables.insert("KUBERNETES_MASTER".into(), "master:8080".into());
    let target = selected("{}", &none, &env).unwrap();
    assert_eq!(target.cluster.server.as_deref(), Some("master:8080"));
    assert_eq!(server::display(&server::address(&target).unwrap()), "http://master:8080");
    let target = selected(CONFIG, &none, &env).unwrap();
    assert_eq!(target.cluster.server.as_deref(), Some("https://one"));
}

#[test]
fn cluster_flags_clear_what_they_contradict() {
    let cluster = |change: fn(&mut ConnectOptions)| chosen(&options(change)).unwrap().cluster;
    let given = cluster(|o| o.server = Some("https://s".into()));
    assert_eq!(given.tls_server_name, None);
    assert!(given.certificate_authority_data.is_some());
    let given = cluster(|o| {
        o.server = Some("https://s".into());
        o.tls_server_name = Some("mine".into());
    });
    assert_eq!(given.tls_server_name.as_deref(), Some("mine"));
    let given = cluster(|o| o.insecure_skip_tls_verify = true);
    assert!(given.insecure_skip_tls_verify && given.certificate_authority_data.is_none());
    let given = cluster(|o| {
        o.cluster = Some("c2".into());
        o.certificate_authority = Some("/ca".into());
    });
    assert!(!given.insecure_skip_tls_verify);
    assert_eq!(given.certificate_authority.as_deref(), Some("/ca"));
    let both = options(|o| {
        o.insecure_skip_tls_verify = true;
        o.certificate_authority = Some("/ca".into());
    });
    let error = validate::validate(&chosen(&both).unwrap()).unwrap_err();
    assert!(error.message.starts_with("invalid configuration: a certificate authority together"));
}

#[test]
fn user_flags_clear_what_they_contradict() {
    let user = |change: fn(&mut ConnectOptions)| chosen(&options(change)).unwrap().user;
    let given = user(|o| o.token = Some(Secret::new("t")));
    assert_eq!(given.token.unwrap().expose(), "t");
    assert!(given.token_file.is_none() && given.exec.is_none() && given.username.is_none());
    let given = user(|o| {
        o.client_certificate = Some("/c".into());
        o.client_key = Some("/k".into());
    });
    assert!(given.client_certificate_data.is_none() && given.client_key_data.is_none());
    assert_eq!(given.client_certificate.as_deref(), Some("/c"));
    let target = chosen(&options(|o| o.as_groups = vec!["g".into()])).unwrap();
    let error = validate::validate(&target).unwrap_err();
    assert!(error.message.contains("without impersonating a user"), "{error}");
}

#[test]
fn a_pod_uses_its_account_only_without_a_kubeconfig() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("token", "t"), ("ca.crt", "c"), ("namespace", "pods\n")] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let mut env = Environment::default();
    for (name, value) in [("HOST", "fd00::1"), ("PORT", "443")] {
        env.variables.insert(format!("KUBERNETES_SERVICE_{name}"), value.into());
    }
    let pick = |yaml: &str, options: &ConnectOptions, env: &Environment| {
        let config = super::super::kubeconfig::parse(yaml.as_bytes(), Path::new("f")).unwrap();
        select(&config, options, env, dir.path()).unwrap()
    };
    let none = ConnectOptions::default();
    let target = pick("{}", &none, &env);
    assert_eq!(target.cluster.server.as_deref(), Some("https://[fd00::1]:443"));
    assert!(target.cluster.certificate_authority.unwrap().ends_with("ca.crt"));
    assert!(target.user.token_file.unwrap().ends_with("token"));
    assert_eq!((target.namespace.as_str(), target.context), ("pods", None));
    assert_eq!(pick(CONFIG, &none, &env).cluster.server.as_deref(), Some("https://one"));
    let token = options(|o| o.token = Some(Secret::new("mine")));
    assert!(pick("{}", &token, &env).user.token_file.is_none());
    env.variables.insert("POD_NAMESPACE".into(), "env".into());
    assert_eq!(pick("{}", &none, &env).namespace, "env");
    assert_eq!(pick(CONFIG, &none, &env).namespace, "shop");
    let elsewhere = options(|o| o.server = Some("http://s".into()));
    let target = pick("{}", &elsewhere, &env);
    assert_eq!(target.cluster.server.as_deref(), Some("http://s"));
    assert!(target.user.token_file.is_none(), "the pod's token goes nowhere else");
}

#[test]
fn contradictions_in_a_user_are_refused() {
    let verdict = |user: &str| {
        let yaml = format!(
            "current-context: k\ncontexts: [{{name: k, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {{server: https://s}}}}]\nusers: [{{name: u, user: {user}}}]\n"
        );
        let target = selected(&yaml, &ConnectOptions::default(), &Environment::default());
        validate::validate(&target.unwrap()).map_err(|error| error.message)
    };
    let fails = |user: &str, with: &str| {
        let message = verdict(user).unwrap_err();
        assert!(message.contains(with), "{user}: {message}");
    };
    fails("{token: t, username: a}", "more than one authentication method");
    fails("{client-key: /k}", "no client certificate");
    fails("{client-certificate-data: Yw==}", "no client key");
    fails("{client-certificate: /c, client-certificate-data: Yw==, client-key: /k}", "both specified");
    fails("{exec: {apiVersion: v}}", "command must be specified");
    fails("{exec: {command: c}}", "apiVersion must be specified");
    fails("{exec: {command: c, apiVersion: client.authentication.k8s.io/v1}}", "interactiveMode must be");
    fails("{exec: {command: c, apiVersion: v, interactiveMode: Yes}}", "invalid interactiveMode");
    fails("{exec: {command: c, apiVersion: v}, auth-provider: {name: oidc}}", "in combination");
    fails("{as-groups: [g]}", "without impersonating");
    assert!(verdict("{exec: {command: c, apiVersion: client.authentication.k8s.io/v1beta1}}").is_ok());
}
