//! Plugins, tokens and certificates; kubeconfigs that cannot work.

use std::path::Path;

use http::Method;
use kubectl_progrc::backend::cluster::connect::{Cause, ConnectOptions, Secret, connect, names, resolve};

use crate::server::{Answer, Authority, Server};
use crate::world::{World, get, request};

#[tokio::test]
async fn a_plugin_runs_once_and_again_after_401() {
    let authority = Authority::new();
    let server =
        Server::https(&authority, "127.0.0.1", false, |number| Answer::new(if number == 3 { 401 } else { 200 }, "{}"));
    let world = World::new();
    let user = world.plugin(r#"{"token":"t$n"}"#);
    let connection = world.connect(&world.trusting(&server, &authority, &user)).await;
    assert_eq!((world.runs(), connection.namespace.as_str()), (1, "shop"));
    connection.read(get()).await.unwrap();
    connection.write(request(&Method::PATCH)).await.unwrap();
    assert_eq!(world.runs(), 1);
    let answer = connection.write(request(&Method::PATCH)).await.unwrap();
    assert_eq!((answer.status, world.runs()), (200, 2));
    let tokens: Vec<String> = server.take().iter().flat_map(|seen| seen.all("authorization")).collect();
    assert_eq!(tokens, ["Bearer t1", "Bearer t1", "Bearer t1", "Bearer t2"]);
}

#[tokio::test]
async fn credentials_that_stay_refused_are_renewed_only_once() {
    let authority = Authority::new();
    let server = Server::https(&authority, "127.0.0.1", false, |_| Answer::new(401, "{}"));
    let world = World::new();
    let user = world.plugin(r#"{"token":"t$n"}"#);
    let connection = world.connect(&world.trusting(&server, &authority, &user)).await;
    assert_eq!(connection.read(get()).await.unwrap().status, 401);
    assert_eq!((world.runs(), server.take().len()), (2, 2));
    let mut options = world.trusting(&server, &authority, &user);
    options.token = Some(Secret::new("fixed"));
    let connection = world.connect(&options).await;
    assert_eq!(connection.read(get()).await.unwrap().status, 401);
    let seen = server.take();
    assert_eq!((seen.len(), world.runs()), (1, 2), "a fixed token cannot be renewed");
    assert_eq!(seen[0].all("authorization"), ["Bearer fixed"]);
    assert!(!connection.refresh().await.unwrap());
}

#[tokio::test]
async fn an_expired_credential_is_renewed_before_the_request() {
    let authority = Authority::new();
    let server = Server::https(&authority, "127.0.0.1", false, |_| Answer::new(200, "{}"));
    let world = World::new();
    let user = world.plugin(r#"{"token":"t$n","expirationTimestamp":"2020-01-01T00:00:00Z"}"#);
    let connection = world.connect(&world.trusting(&server, &authority, &user)).await;
    connection.read(get()).await.unwrap();
    assert_eq!(world.runs(), 2);
    assert_eq!(server.take()[0].all("authorization"), ["Bearer t2"]);
}

#[tokio::test]
async fn a_plugins_certificate_and_token_are_both_used() {
    let authority = Authority::new();
    let server = Server::https(&authority, "127.0.0.1", true, |_| Answer::new(200, "{}"));
    let world = World::new();
    let (certificate, key) = authority.issue("jane");
    let status = serde_json::json!({
        "token": "t", "clientCertificateData": certificate, "clientKeyData": key,
    });
    let user = world.plugin(&status.to_string().replace("\\n", "\\\\n"));
    let connection = world.connect(&world.trusting(&server, &authority, &user)).await;
    connection.read(get()).await.unwrap();
    assert_eq!(server.take()[0].all("authorization"), ["Bearer t"]);
    let anonymous = world.connect(&world.trusting(&server, &authority, "")).await;
    let error = anonymous.write(request(&Method::PATCH)).await.unwrap_err();
    assert_eq!(error.cause(), Cause::ClientCertificate, "{error:?}");
    assert!(error.never_sent(), "the handshake failed: nothing was carried out");
    let files = world.kubeconfig(&server.url, "certificate-authority: ca.crt", "");
    let files = ConnectOptions {
        client_certificate: Some(world.write("c", &certificate)),
        client_key: Some(world.write("k", &key)),
        ..files
    };
    assert_eq!(world.connect(&files).await.read(get()).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_rotated_token_file_is_read_again_after_401() {
    let authority = Authority::new();
    let server =
        Server::https(&authority, "127.0.0.1", false, |number| Answer::new(if number == 1 { 401 } else { 200 }, "{}"));
    let world = World::new();
    world.write("token", "old\n");
    let connection = world.connect(&world.trusting(&server, &authority, "tokenFile: token")).await;
    world.write("token", "new\n");
    assert_eq!(connection.read(get()).await.unwrap().status, 200);
    let seen = server.take();
    assert_eq!(seen[0].all("authorization"), ["Bearer old"]);
    assert_eq!(seen[1].all("authorization"), ["Bearer new"]);
}

#[tokio::test]
async fn a_version_1_client_certificate_gets_a_useful_hint() {
    let authority = Authority::new();
    let world = World::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/connect");
    world.write("ca.crt", &authority.pem);
    let mut options = world.kubeconfig("https://127.0.0.1:1", "certificate-authority: ca.crt", "");
    options.client_certificate = Some(data.join("version1.crt"));
    options.client_key = Some(data.join("version1.key"));
    let error = connect(&options, &world.env).await.unwrap_err();
    assert_eq!(error.message, "the client certificate of user \"u\" is of X.509 version 1, which TLS here refuses");
    assert!(error.hint.contains("version 3"));
    let (_, foreign_key) = authority.issue("jane");
    options.client_key = Some(world.write("k", &foreign_key));
    options.client_certificate = Some(world.write("c", &authority.issue("joe").0));
    let error = connect(&options, &world.env).await.unwrap_err();
    assert!(error.message.contains("cannot be used together"), "{error:?}");
    options.client_key = Some(world.write("k", "nonsense"));
    let error = connect(&options, &world.env).await.unwrap_err();
    assert!(error.message.contains("is not PEM"), "{error:?}");
}

#[tokio::test]
async fn a_broken_kubeconfig_is_never_an_in_cluster_error() {
    let mut world = World::new();
    let file = world.write("broken", "clusters:\n- name: [\n");
    world.env.variables.insert("KUBECONFIG".into(), file.display().to_string());
    let error = connect(&ConnectOptions::default(), &world.env).await.unwrap_err();
    assert!(error.message.starts_with(&format!("kubeconfig {} cannot be read at line", file.display())));
    world.env.variables.insert("KUBECONFIG".into(), "/nowhere/a:/nowhere/b".into());
    let error = connect(&ConnectOptions::default(), &world.env).await.unwrap_err();
    assert_eq!(error.message, "no cluster is configured");
    assert!(error.hint.contains("--context"));
}

#[tokio::test]
async fn resolving_runs_no_plugin_and_asks_no_server() {
    let world = World::new();
    let user = world.plugin(r#"{"token":"t$n"}"#);
    let mut options = world.kubeconfig("api.example:6443", "insecure-skip-tls-verify: true", &user);
    let resolved = resolve(&options, &world.env).unwrap();
    assert_eq!(resolved.server, "https://api.example:6443");
    assert_eq!(resolved.context.as_deref(), Some("k"));
    assert_eq!(resolved.cluster.as_deref(), Some("c"));
    assert_eq!(resolved.user.as_deref(), Some("u"));
    assert_eq!(resolved.namespace, "shop");
    assert_eq!(names(&options, &world.env).unwrap().contexts, ["k"]);
    assert_eq!(world.runs(), 0);
    options.context = Some("x".into());
    let error = resolve(&options, &world.env).unwrap_err();
    assert_eq!(error.message, "context \"x\" does not exist");
    assert_eq!(error.hint, "known contexts: k");
}
