//! What is sent, and how often.

use std::time::Duration;

use http::Method;
use kubectl_progrc::backend::cluster::connect::{Cause, Secret, get_bytes, send};

use crate::server::{Answer, Server};
use crate::world::{World, failure, get, plain, request};

#[tokio::test]
async fn a_write_is_sent_exactly_once_whatever_the_answer() {
    for status in [429, 500, 503, 504] {
        let server = Server::http(move |_| Answer::new(status, "busy"));
        let connection = World::new().connect(&plain(&server.url)).await;
        for method in [Method::PATCH, Method::POST, Method::PUT, Method::DELETE] {
            let answer = send(&connection.write_client(), request(&method)).await.unwrap();
            assert_eq!((answer.status, answer.body.as_slice()), (status, &b"busy"[..]));
            assert_eq!(server.take().len(), 1, "{method} {status}");
            connection.write(request(&method)).await.unwrap();
            send(&connection.read_client(), request(&method)).await.unwrap();
            assert_eq!(server.take().len(), 2, "{method} {status}");
        }
    }
}

#[tokio::test]
async fn a_read_is_repeated_until_the_server_recovers() {
    let server = Server::http(|number| match number {
        1 => Answer::new(503, "").header("retry-after", "0"),
        2 => Answer::new(429, "").header("retry-after", "0"),
        3 => Answer::hang_up(),
        _ => Answer::new(200, "fine"),
    });
    let connection = World::new().connect(&plain(&server.url)).await;
    let answer = send(&connection.read_client(), get()).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"fine"[..]));
    assert_eq!(server.take().len(), 4);
}

#[tokio::test]
async fn a_4xx_is_an_answer_with_its_headers() {
    let server = Server::http(|_| {
        Answer::new(409, r#"{"kind":"Status"}"#).header("retry-after", "7").header("warning", r#"299 - "careful""#)
    });
    let connection = World::new().connect(&plain(&server.url)).await;
    let answer = connection.write(request(&Method::PATCH)).await.unwrap();
    assert_eq!(answer.status, 409);
    assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(answer.warnings, ["careful"]);
    assert_eq!(answer.body, br#"{"kind":"Status"}"#);
}

#[tokio::test]
async fn warnings_of_all_clients_are_collected_once() {
    let server = Server::http(|number| {
        let text = format!(r#"299 - "same", 299 - "number {number}""#);
        Answer::new(200, "{}").header("warning", &text)
    });
    let connection = World::new().connect(&plain(&server.url)).await;
    let one = connection.read(get()).await.unwrap();
    let two = connection.write(request(&Method::PATCH)).await.unwrap();
    assert_eq!(one.warnings, ["same", "number 1"]);
    assert_eq!(two.warnings, ["same", "number 2"]);
    assert_eq!(connection.warnings().drain(), ["same", "number 1", "number 2"]);
    assert!(connection.warnings().drain().is_empty());
}

#[tokio::test]
async fn requests_name_us_and_whom_we_act_as() {
    let server = Server::http(|_| Answer::new(200, "{}"));
    let mut options = plain(&server.url);
    options.as_user = Some("jane".into());
    options.as_uid = Some("7".into());
    options.as_groups = vec!["a".into(), "b,c".into()];
    options.as_user_extra.insert("example.com/scope".into(), vec!["x".into(), "y".into()]);
    let connection = World::new().connect(&options).await;
    connection.read(get()).await.unwrap();
    let seen = server.take().remove(0);
    let agent = seen.all("user-agent").remove(0);
    let version = env!("CARGO_PKG_VERSION");
    assert!(agent.starts_with(&format!("kubectl-progrc/{version} (")), "{agent}");
    assert!(!agent.contains("x86_64"), "{agent}");
    assert_eq!(seen.all("impersonate-user"), ["jane"]);
    assert_eq!(seen.all("impersonate-uid"), ["7"]);
    assert_eq!(seen.all("impersonate-group"), ["a", "b,c"]);
    assert_eq!(seen.all("impersonate-extra-example.com%2fscope"), ["x", "y"]);
    assert_eq!(seen.all("accept-encoding"), ["gzip"]);
    options.disable_compression = true;
    options.request_timeout = Some(Duration::from_secs(9));
    let connection = World::new().connect(&options).await;
    connection.read(get()).await.unwrap();
    let seen = server.take().remove(0);
    assert!(seen.all("accept-encoding").is_empty());
    assert_eq!(seen.target, "/version?timeout=9000ms");
}

#[tokio::test]
async fn credentials_never_travel_without_tls() {
    let server = Server::http(|_| Answer::new(200, "{}"));
    let world = World::new();
    let user = world.plugin(r#"{"token":"t$n"}"#);
    let mut options = world.kubeconfig(&server.url, "", &user);
    world.connect(&options).await.read(get()).await.unwrap();
    options.token = Some(Secret::new("t"));
    world.connect(&options).await.read(get()).await.unwrap();
    assert_eq!(world.runs(), 0);
    assert!(server.take().iter().all(|seen| seen.all("authorization").is_empty()));
}

#[tokio::test]
async fn paging_reuses_one_buffer() {
    let server = Server::http(|number| Answer::new(200, &"x".repeat(100_000 / number)));
    let connection = World::new().connect(&plain(&server.url)).await;
    let mut body = Vec::new();
    let head = get_bytes(&connection.read_client(), "/api/v1/pods?limit=500", &mut body).await.unwrap();
    assert_eq!((head.status, body.len()), (200, 100_000));
    let memory = body.as_ptr();
    connection.read_into("/api/v1/pods", &mut body).await.unwrap();
    assert_eq!((body.len(), body.as_ptr()), (50_000, memory));
    assert_eq!(server.take()[0].target, "/api/v1/pods?limit=500");
}

#[tokio::test]
async fn proxies_are_used_where_they_apply() {
    let proxy = Server::http(|_| Answer::new(200, ""));
    let world = |no_proxy: &str| {
        let mut world = World::new();
        world.env.variables.insert("HTTP_PROXY".into(), proxy.url.clone());
        world.env.variables.insert("NO_PROXY".into(), no_proxy.into());
        world
    };
    let connection = world("").connect(&plain("http://api.invalid:6443")).await;
    connection.read(get()).await.unwrap();
    let lines: Vec<String> = proxy.take().iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect();
    assert_eq!(lines, ["CONNECT api.invalid:6443", "GET /version"]);
    let connection = world(".invalid").connect(&plain("http://api.invalid:6443")).await;
    assert_eq!(failure(&connection).await.cause(), Cause::Dns);
    assert!(proxy.take().is_empty());
    let own = world("*");
    let options = own.kubeconfig("http://127.0.0.1:1", &format!("proxy-url: '{}'", proxy.url), "");
    own.connect(&options).await.read(get()).await.unwrap();
    assert_eq!(proxy.take()[0].target, "127.0.0.1:1");
    let refusing = Server::http(|_| Answer::new(403, ""));
    let options = own.kubeconfig("http://127.0.0.1:1", &format!("proxy-url: '{}'", refusing.url), "");
    let error = failure(&own.connect(&options).await).await;
    assert_eq!(error.cause(), Cause::Proxy, "{error:?}");
    assert!(error.never_sent());
}
