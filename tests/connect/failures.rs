//! What an unlucky end of a request is called.

use std::time::{Duration, Instant};

use http::Method;
use kubectl_progrc::backend::cluster::connect::{Cause, ConnectOptions, explain, send};

use crate::server::{Answer, Authority, Server};
use crate::world::{World, failure, get, plain, request};

#[tokio::test]
async fn a_request_timeout_covers_head_and_body() {
    let never = Server::http(|_| Answer::silence());
    let half = Server::http(|_| Answer::half("0123456789"));
    for server in [never, half] {
        let mut options = plain(&server.url);
        options.request_timeout = Some(Duration::from_millis(300));
        let connection = World::new().connect(&options).await;
        let started = Instant::now();
        let error = failure(&connection).await;
        assert!(!error.never_sent(), "{error:?}");
        assert_eq!(error.cause(), Cause::TimedOut, "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(5));
        let (message, hint) = explain(&error, &connection.server);
        assert_eq!(message, format!("the server {} did not answer in time", server.url));
        assert!(hint.contains("--request-timeout"));
    }
}

#[tokio::test]
async fn what_never_left_is_told_from_what_got_lost() {
    let lost = Server::http(|_| Answer::hang_up());
    let cut = Server::http(|_| Answer::cut_short("0123456789"));
    for server in [lost, cut] {
        let connection = World::new().connect(&plain(&server.url)).await;
        let error = connection.write(request(&Method::PATCH)).await.unwrap_err();
        assert!(!error.never_sent(), "{error:?}");
        assert_eq!(error.cause(), Cause::Reset, "{error:?}");
        assert_eq!(server.take().len(), 1);
    }
    let refused = Server::closed_port();
    let connection = World::new().connect(&plain(&refused)).await;
    let error = failure(&connection).await;
    assert!(error.never_sent(), "{error:?}");
    assert_eq!(error.cause(), Cause::Refused);
    let (message, _) = explain(&error, &connection.server);
    assert_eq!(message, format!("the server {refused} refused the connection"));
}

#[tokio::test]
async fn a_server_that_never_shakes_hands_was_not_asked() {
    let server = Server::http(|_| Answer::silence());
    let mut options = plain(&server.url.replace("http:", "https:"));
    options.insecure_skip_tls_verify = true;
    options.request_timeout = Some(Duration::from_millis(400));
    let error = failure(&World::new().connect(&options).await).await;
    assert!(error.never_sent(), "{error:?}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_called_so() {
    let connection = World::new().connect(&plain("http://name.invalid:1")).await;
    let error = failure(&connection).await;
    assert!(error.never_sent());
    assert_eq!(error.cause(), Cause::Dns, "{error:?}");
}

#[tokio::test]
async fn certificates_are_checked_and_problems_explained() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = Server::https(&ours, "localhost", false, |_| Answer::new(200, "{}"));
    let world = World::new();
    let reach = async |options: &ConnectOptions| {
        let connection = world.connect(options).await;
        send(&connection.read_client(), get()).await
    };
    let trusted = world.trusting(&server, &ours, "token: t");
    let error = reach(&trusted).await.unwrap_err();
    assert_eq!(error.cause(), Cause::WrongName, "the certificate is not for 127.0.0.1");
    assert!(explain(&error, "https://s").1.contains("--tls-server-name"));
    let named = ConnectOptions { tls_server_name: Some("localhost".into()), ..trusted.clone() };
    assert_eq!(reach(&named).await.unwrap().status, 200);
    let unknown = ConnectOptions { certificate_authority: Some(world.write("other.crt", &other.pem)), ..named.clone() };
    let error = reach(&unknown).await.unwrap_err();
    assert!(error.never_sent());
    assert_eq!(error.cause(), Cause::UnknownAuthority);
    let (message, hint) = explain(&error, "https://s");
    assert_eq!(message, "the server https://s has a certificate from an unknown authority");
    assert!(hint.contains("--certificate-authority") && hint.contains("--insecure-skip-tls-verify"));
    let insecure = ConnectOptions { insecure_skip_tls_verify: true, ..trusted.clone() };
    assert_eq!(reach(&insecure).await.unwrap().status, 200);
    let speaks_http = ConnectOptions { server: Some(Server::astonished()), ..trusted };
    let error = reach(&speaks_http).await.unwrap_err();
    assert_eq!(error.cause(), Cause::NotTls, "{error:?}");
    assert!(error.never_sent());
}
