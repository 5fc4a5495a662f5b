//! A proxy on loopback before the real API server. It passes on what it is sent, counts it, and
//! does to single requests what networks and servers do on bad days.

use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::runtime::Runtime;

use super::controllers;
use super::fault::{Action, Asked, Fault, Reply, Side};
use super::harness::{ControlPlane, User};

/// A proxy with its own faults and its own log. Its threads end with its clients.
pub(crate) struct Proxy {
    server: String,
    shared: Arc<Shared>,
}

struct Shared {
    plane: &'static ControlPlane,
    upstream: &'static Upstream,
    token: String,
    faults: Vec<Fault>,
    log: Mutex<Vec<Asked>>,
    closed: AtomicBool,
    /// Lists that are being served, and the most that ever were.
    lists: [AtomicUsize; 2],
}

impl Proxy {
    /// Listens on a free port and passes on to the plane's server, as this user: like kubectl, the
    /// plugin sends no credentials over plain HTTP.
    pub(crate) fn start(plane: &'static ControlPlane, user: &User, faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let server = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (log, closed, lists) = (Mutex::default(), AtomicBool::new(false), Default::default());
        let token = format!("Bearer {}", user.token);
        let shared = Arc::new(Shared { plane, upstream: Upstream::of(plane), token, faults, log, closed, lists });
        let own = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if own.closed.load(Ordering::Relaxed) {
                    return;
                }
                let own = own.clone();
                thread::spawn(move || own.serve(&stream));
            }
        });
        Self { server, shared }
    }

    /// Arguments of a command that goes through here.
    pub(crate) fn server(&self) -> String {
        format!("--server={}", self.server)
    }

    /// All requests so far, in the order in which they came.
    pub(crate) fn log(&self) -> Vec<Asked> {
        self.shared.log.lock().expect("nobody panics with it").clone()
    }

    /// How many lists were asked for at the same time, at most.
    pub(crate) fn most_lists(&self) -> usize {
        self.shared.lists[1].load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        // The listener wakes up and ends.
        let _ = TcpStream::connect(self.server.trim_start_matches("http://"));
    }
}

/// A request as it was read.
struct Message {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// An answer as it is passed on.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl From<&Reply> for Answer {
    fn from(reply: &Reply) -> Self {
        let mut headers: Vec<(String, String)> =
            reply.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        Self { status: reply.status, headers, body: reply.body.to_string().into_bytes() }
    }
}

/// How the serving of one request ended.
enum End {
    Answer(Answer),
    Half(Answer),
    Close,
}

impl Shared {
    /// Serves one connection to its end.
    fn serve(&self, stream: &TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut reader = BufReader::new(stream);
        while let Ok(Some(mut message)) = read(&mut reader) {
            message.headers.push(("authorization".to_owned(), self.token.clone()));
            let asked = Asked { method: message.method.clone(), target: message.target.clone(), code: None };
            let (number, fault) = {
                let mut log = self.log.lock().expect("nobody panics with it");
                let fault = self.faults.iter().filter(|fault| fault.place.is(&asked)).last();
                log.push(asked);
                (log.len() - 1, fault)
            };
            if message.target.contains("watch=1") && fault.is_none() {
                let _ = self.upstream.stream(message, stream);
                return;
            }
            let list = List::begin(self, &message);
            let end = self.work(number, message, fault);
            // Before the client knows and sends the next one.
            drop(list);
            let written = match end {
                End::Answer(answer) => write(stream, &answer, answer.body.len()),
                End::Half(answer) => {
                    let _ = write(stream, &answer, answer.body.len() / 2);
                    return;
                }
                End::Close => return,
            };
            if written.is_err() {
                return;
            }
        }
    }

    fn work(&self, number: usize, message: Message, fault: Option<&Fault>) -> End {
        let Some(fault) = fault else { return self.pass(number, message).map_or(End::Close, End::Answer) };
        match &fault.action {
            Action::CloseBefore => return End::Close,
            Action::Answer(reply) => return End::Answer(reply.into()),
            Action::Delay(pause) => thread::sleep(*pause),
            Action::First(other) => {
                let asked = self.log.lock().expect("nobody panics with it")[number].clone();
                other(&asked);
            }
            Action::Hold(Side::Before, reached, go) => {
                hold(reached, go);
                return End::Close;
            }
            _ => {}
        }
        let Some(answer) = self.pass(number, message) else { return End::Close };
        match &fault.action {
            Action::CloseAfter => End::Close,
            Action::AnswerAfter(reply) => End::Answer(reply.into()),
            Action::DelayAnswer(pause) => {
                thread::sleep(*pause);
                End::Answer(answer)
            }
            Action::CutBody => End::Half(answer),
            Action::Hold(Side::After, reached, go) => {
                hold(reached, go);
                End::Close
            }
            _ => End::Answer(answer),
        }
    }

    fn pass(&self, number: usize, message: Message) -> Option<Answer> {
        let answer = self.upstream.send(message)?;
        let asked = {
            let asked = &mut self.log.lock().expect("nobody panics with it")[number];
            asked.code = Some(answer.status);
            asked.clone()
        };
        controllers::follow(self.plane, &asked, &answer.body);
        Some(answer)
    }
}

/// A page of a list while it is served.
struct List<'a>(Option<&'a Shared>);

impl<'a> List<'a> {
    fn begin(shared: &'a Shared, message: &Message) -> Self {
        if message.method != "GET" || !message.target.contains("limit=") {
            return Self(None);
        }
        let now = shared.lists[0].fetch_add(1, Ordering::Relaxed) + 1;
        shared.lists[1].fetch_max(now, Ordering::Relaxed);
        Self(Some(shared))
    }
}

impl Drop for List<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.lists[0].fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Tells the test and waits for the end of its end.
fn hold(reached: &Sender<()>, go: &Mutex<Receiver<()>>) {
    let _ = reached.send(());
    let _ = go.lock().expect("nobody panics with it").recv();
}

/// Reads one request; none at the end of the connection.
fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Message>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    assert!(header("transfer-encoding").is_none(), "the plugin says how long its requests are");
    let length = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Message { method, target, headers, body }))
}

/// Writes an answer, or the first bytes of its body.
fn write(mut stream: &TcpStream, answer: &Answer, bytes: usize) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        text.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
    }
    text += "\r\n";
    stream.write_all(&[text.as_bytes(), &answer.body[..bytes]].concat())?;
    stream.flush()
}

/// The real server, for all proxies of a plane.
struct Upstream {
    runtime: Runtime,
    client: Client,
}

/// Headers that belong to one connection, and one whose work the client below does by itself.
const OWN: [&str; 4] = ["host", "connection", "content-length", "accept-encoding"];

impl Upstream {
    fn of(plane: &'static ControlPlane) -> &'static Self {
        static ALL: Mutex<Vec<(String, &'static Upstream)>> = Mutex::new(Vec::new());
        let mut all = ALL.lock().expect("nobody panics with it");
        if let Some((_, upstream)) = all.iter().find(|(server, _)| server == plane.server()) {
            return upstream;
        }
        let upstream: &'static Self = Box::leak(Box::new(Self::new(plane)));
        all.push((plane.server().to_owned(), upstream));
        upstream
    }

    /// A client without credentials: those of the request go through.
    fn new(plane: &ControlPlane) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be started");
        let client = runtime.block_on(async {
            let file: Kubeconfig = serde_json::from_value(serde_json::json!({
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": {
                    "server": plane.server(), "certificate-authority": plane.certificate_authority(),
                }}],
                "users": [{"name": "test", "user": {}}],
                "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            }))
            .expect("it is one");
            let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
            let mut config = config.expect("the kubeconfig is whole");
            config.default_retry = false;
            Client::try_from(config).expect("the CA is readable")
        });
        Self { runtime, client }
    }

    fn request(message: Message) -> Request<kube::client::Body> {
        let method = Method::from_bytes(message.method.as_bytes()).expect("the plugin sends methods");
        let mut request = Request::builder().method(method).uri(message.target);
        for (name, value) in message.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            request = request.header(name, value);
        }
        request.body(message.body.into()).expect("the plugin sends valid requests")
    }

    /// Sends a request; none if the server did not answer.
    fn send(&self, message: Message) -> Option<Answer> {
        self.runtime.block_on(async {
            let answer = self.client.send(Self::request(message)).await.ok()?;
            let status = answer.status().as_u16();
            let headers = headers(answer.headers());
            let body = answer.into_body().collect().await.ok()?.to_bytes().to_vec();
            Some(Answer { status, headers, body })
        })
    }

    /// Passes a watch on, event by event.
    fn stream(&self, message: Message, mut client: &TcpStream) -> io::Result<()> {
        self.runtime.block_on(async {
            let Ok(answer) = self.client.send(Self::request(message)).await else { return Ok(()) };
            let mut text = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", answer.status().as_u16());
            for (name, value) in headers(answer.headers()) {
                text.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
            }
            text += "\r\n";
            client.write_all(text.as_bytes())?;
            let mut body = answer.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                if let Some(data) = frame.data_ref() {
                    client.write_all(data)?;
                }
            }
            Ok(())
        })
    }
}

/// The headers of an answer that are of use after its way through here.
fn headers(all: &http::HeaderMap) -> Vec<(String, String)> {
    let kept = ["content-type", "warning", "retry-after", "audit-id"];
    all.iter()
        .filter(|(name, _)| kept.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

#[test]
fn the_proxy_counts_and_passes_on() {
    let ns = ControlPlane::bare().namespace("proxy");
    let gone = Fault::new(super::fault::Place::of("GET", "/configmaps", 0), Action::CloseBefore);
    let proxy = Proxy::start(ControlPlane::bare(), &ns.tester, vec![gone]);
    let ended = ns.progrc(&["audit", "--fail-on=never", &proxy.server()]).run().expect_code(0);
    assert!(!ended.stdout.contains("not readable"), "a lost read is repeated: {}", ended.stdout);
    let lists = |code: Option<u16>| {
        proxy.log().iter().filter(|asked| asked.path().ends_with("/configmaps") && asked.code == code).count()
    };
    assert_eq!((lists(None), lists(Some(200))), (1, 1), "{:?}", proxy.log());
    assert!(proxy.log().iter().all(|asked| !asked.writes()));
    assert!((1..=4).contains(&proxy.most_lists()), "{}", proxy.most_lists());
}
