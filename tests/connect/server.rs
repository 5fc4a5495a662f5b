//! A small HTTP server on loopback that records what it is asked, plain or with TLS.

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
pub struct Seen {
    pub method: String,
    pub target: String,
    headers: Vec<(String, String)>,
}

impl Seen {
    /// Every value of a header, in order.
    pub fn all(&self, name: &str) -> Vec<String> {
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
pub struct Answer {
    bytes: Option<(u16, Vec<(String, String)>, Vec<u8>, usize)>,
    end: End,
}

impl Answer {
    pub fn new(status: u16, body: &str) -> Self {
        let body = body.as_bytes().to_vec();
        let length = body.len();
        Self { bytes: Some((status, Vec::new(), body, length)), end: End::Keep }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        let bytes = self.bytes.as_mut().unwrap();
        bytes.1.push((name.into(), value.into()));
        self
    }

    /// Closes the connection without an answer.
    pub fn hang_up() -> Self {
        Self { bytes: None, end: End::HangUp }
    }

    /// Never answers.
    pub fn silence() -> Self {
        Self { bytes: None, end: End::Wait }
    }

    /// Sends half of the promised body, then nothing more.
    pub fn half(body: &str) -> Self {
        let mut answer = Self::new(200, body);
        answer.bytes.as_mut().unwrap().3 *= 2;
        answer.end = End::Wait;
        answer
    }

    /// Sends half of the promised body, then closes.
    pub fn cut_short(body: &str) -> Self {
        Self { end: End::HangUp, ..Self::half(body) }
    }
}

/// A certificate authority that lives as long as its test.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key for a name or an address, PEM.
    pub fn issue(&self, name: &str) -> (String, String) {
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
pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// A plain server; `answer` gets the number of the request, from 1. To CONNECT it answers
    /// and then goes on as if it were the server behind.
    pub fn http(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(answer, None)
    }

    /// A TLS server with a certificate for `name`; with `ask` it wants a client certificate.
    pub fn https(
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
        Self::start(answer, Some(Arc::new(config)))
    }

    /// The address of a port on which nobody listens.
    pub fn closed_port() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    }

    /// The requests since the last call.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    fn start(answer: impl Fn(usize) -> Answer + Send + Sync + 'static, tls: Option<Arc<ServerConfig>>) -> Self {
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
                    let next = || answer(number.fetch_add(1, Ordering::SeqCst) + 1);
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
fn serve<S: Read + Write>(stream: S, record: &Mutex<Vec<Seen>>, next: &dyn Fn() -> Answer) {
    let mut stream = BufReader::new(stream);
    while let Some(seen) = read_request(&mut stream) {
        record.lock().unwrap().push(seen.clone());
        let answer = next();
        if let Some((status, headers, body, length)) = answer.bytes {
            let mut text = format!("HTTP/1.1 {status} X\r\n");
            if seen.method != "CONNECT" {
                text += &format!("content-length: {length}\r\n");
            }
            for (name, value) in headers {
                text += &format!("{name}: {value}\r\n");
            }
            text += "\r\n";
            let stream = stream.get_mut();
            let sent = stream.write_all(text.as_bytes()).and_then(|()| stream.write_all(&body));
            if sent.and_then(|()| stream.flush()).is_err() {
                return;
            }
        }
        match answer.end {
            End::Keep => {}
            End::HangUp => return,
            End::Wait => std::thread::sleep(Duration::from_secs(60)),
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
