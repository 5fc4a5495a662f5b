//! The connection layer against servers on loopback: what is sent, how often, and what an
//! unlucky end of a request is called.

#[path = "connect/server.rs"]
mod server;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http::{Method, Request};
use kubectl_progrc::backend::cluster::connect::{
    Cause, ConnectOptions, Connection, Environment, Secret, TransportError, connect, explain, get_bytes, send,
};
use server::{Answer, Authority, Server};

/// A directory with kubeconfigs and plugins, and an environment that knows nothing else.
struct World {
    dir: tempfile::TempDir,
    env: Environment,
}

impl World {
    fn new() -> Self {
        let mut env = Environment::default();
        // The plugins of these tests are shell scripts.
        env.variables.insert("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into());
        Self { dir: tempfile::tempdir().unwrap(), env }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A kubeconfig with one context; `cluster` and `user` are flow mappings' content.
    fn kubeconfig(&self, server: &str, cluster: &str, user: &str) -> ConnectOptions {
        let text = format!(
            "current-context: k\ncontexts:\n- {{name: k, context: {{cluster: c, user: u, namespace: shop}}}}\nclusters:\n- {{name: c, cluster: {{server: '{server}', {cluster}}}}}\nusers:\n- name: u\n  user: {{{user}}}\n"
        );
        ConnectOptions { kubeconfig: Some(self.write("config", &text)), ..ConnectOptions::default() }
    }

    /// A kubeconfig that trusts the authority.
    fn trusting(&self, server: &Server, authority: &Authority, user: &str) -> ConnectOptions {
        self.write("ca.crt", &authority.pem);
        self.kubeconfig(&server.url, "certificate-authority: ca.crt", user)
    }

    /// The `exec` section of a plugin that counts its runs in `runs` and prints `status`, in
    /// which `$n` is the number of the run.
    fn plugin(&self, status: &str) -> String {
        self.write(
            "plugin.sh",
            &format!(
                "echo run >> '{runs}'\nn=$(wc -l < '{runs}' | tr -d ' ')\ncat <<END\n{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{status}}}\nEND\n",
                runs = self.path("runs").display()
            ),
        );
        format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, interactiveMode: Never, args: ['{}']}}",
            self.path("plugin.sh").display()
        )
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.path("runs")).map_or(0, |text| text.lines().count())
    }

    async fn connect(&self, options: &ConnectOptions) -> Connection {
        connect(options, &self.env).await.unwrap()
    }
}

/// Options for a server without a kubeconfig.
fn plain(url: &str) -> ConnectOptions {
    ConnectOptions { server: Some(url.into()), ..ConnectOptions::default() }
}

fn request(method: &Method) -> Request<Vec<u8>> {
    Request::builder().method(method).uri("/api/v1/namespaces/a?fieldManager=f").body(b"[]".to_vec()).unwrap()
}

fn get() -> Request<Vec<u8>> {
    Request::get("/version").body(Vec::new()).unwrap()
}

async fn failure(connection: &Connection) -> TransportError {
    send(&connection.write_client(), get()).await.unwrap_err()
}

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
    let connection = World::new().connect(&options).await;
    connection.read(get()).await.unwrap();
    assert!(server.take().remove(0).all("accept-encoding").is_empty());
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
    let plain_port = Server::http(|_| Answer::new(200, "{}"));
    let speaks_http = ConnectOptions { server: Some(plain_port.url.replace("http:", "https:")), ..trusted };
    let error = reach(&speaks_http).await.unwrap_err();
    assert_eq!(error.cause(), Cause::NotTls, "{error:?}");
    assert!(error.never_sent());
}

#[tokio::test]
async fn a_plugin_runs_once_and_again_after_401() {
    let authority = Authority::new();
    let server = Server::https(&authority, "127.0.0.1", false, |number| match number {
        1 | 2 => Answer::new(200, "{}"),
        3 => Answer::new(401, "{}"),
        _ => Answer::new(200, "{}"),
    });
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
