//! A small HTTP server on loopback that records what it is asked, plain or with TLS.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: Vec<(String, String)>,
}

impl Seen {
    /// Every value of a header, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let same = |pair: &&(String, String)| pair.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|pair| pair.1.clone()).collect()
    }
}

enum End {
    Keep,
    HangUp,
    Wait,
}

/// What the server does with a request.
pub(crate) struct Answer {
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The length that the header promises.
    length: usize,
    end: End,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self {
            status: Some(status),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            length: body.len(),
            end: End::Keep,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Closes the connection without an answer.
    pub(crate) fn hang_up() -> Self {
        Self { status: None, end: End::HangUp, ..Self::new(0, "") }
    }

    /// Never answers.
    pub(crate) fn silence() -> Self {
        Self { end: End::Wait, ..Self::hang_up() }
    }

    /// Sends half of the promised body, then nothing more.
    pub(crate) fn half(body: &str) -> Self {
        Self { length: 2 * body.len(), end: End::Wait, ..Self::new(200, body) }
    }

    /// Sends half of the promised body, then closes.
    pub(crate) fn cut_short(body: &str) -> Self {
        Self { end: End::HangUp, ..Self::half(body) }
    }

    fn head(&self, method: &str) -> Option<String> {
        let mut text = format!("HTTP/1.1 {} X\r\n", self.status?);
        if method != "CONNECT" {
            let _ = write!(text, "content-length: {}\r\n", self.length);
        }
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        Some(text + "\r\n")
    }
}

/// A certificate authority that lives as long as its test.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key for a name or an address, PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.try_into().unwrap()),
        }];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// Listens until the test process ends.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// A plain server; `answer` gets the number of the request, from 1. To CONNECT it answers
    /// and then goes on as if it were the server behind.
    pub(crate) fn http(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(move |number, _| answer(number), None)
    }

    /// A plain server that answers by what it is asked for.
    pub(crate) fn routes(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(move |_, seen| answer(&seen.target), None)
    }

    /// A TLS server with a certificate for `name`; with `ask` it wants a client certificate.
    pub(crate) fn https(
        authority: &Authority,
        name: &str,
        ask: bool,
        answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let (certificate, key) = authority.issue(name);
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let builder = ServerConfig::builder();
        let builder = if ask {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(chain, key).unwrap();
        Self::start(move |number, _| answer(number), Some(Arc::new(config)))
    }

    /// The address of a server that answers TLS's first bytes as an HTTP server does.
    pub(crate) fn astonished() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut hello = [0; 16384];
                let _ = stream.read(&mut hello);
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            }
        });
        url
    }

    /// The address of a port on which nobody listens.
    pub(crate) fn closed_port() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn start(answer: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = seen.clone();
        let answer = Arc::new(answer);
        let number = Arc::new(AtomicUsize::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (tls, record) = (tls.clone(), record.clone());
                let (answer, number) = (answer.clone(), number.clone());
                std::thread::spawn(move || {
                    let next = |seen: &Seen| answer(number.fetch_add(1, Ordering::SeqCst) + 1, seen);
                    match tls {
                        None => serve(stream, &record, &next),
                        Some(config) => {
                            let session = ServerConnection::new(config).unwrap();
                            serve(StreamOwned::new(session, stream), &record, &next);
                        }
                    }
                });
            }
        });
        Self { url, seen }
    }
}

/// Answers requests on one connection until either side closes it.
fn serve<S: Read + Write>(stream: S, record: &Mutex<Vec<Seen>>, next: &dyn Fn(&Seen) -> Answer) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read_request(&mut stream) {
        record.lock().unwrap().push(seen.clone());
        let answer = next(&seen);
        if let Some(head) = answer.head(&seen.method) {
            let stream = stream.get_mut();
            let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer.body));
            if sent.and_then(|()| stream.flush()).is_err() {
                return;
            }
        }
        match answer.end {
            End::Keep => {}
            End::HangUp => return,
            End::Wait => std::thread::sleep(Duration::from_mins(1)),
        }
    }
}

fn read_request<S: Read>(stream: &mut BufReader<S>) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace().map(String::from);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.push((name.to_string(), value.to_string()));
    }
    let seen = Seen { method, target, headers };
    let length = seen.all("content-length").first().map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(seen)
}
