//! What the proxy can do to a request, and to which one.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

/// A request as the proxy saw it, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET`, `PATCH`, …
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// What the server answered; none if it was never asked, or has not answered yet.
    pub(crate) code: Option<u16>,
}

impl Asked {
    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// Whether it could change something.
    pub(crate) fn writes(&self) -> bool {
        self.method != "GET" && !self.target.contains("dryRun=All") && !self.path().ends_with("reviews")
    }

    /// Whether it is about one object, or about rights: all that is neither a list of an audit nor
    /// a look at the server itself.
    pub(crate) fn is_step(&self) -> bool {
        let named = Regex::new("^/apis?/.*/namespaces/[^/]+/[^/]+/[^/]+").expect("it is one");
        let namespace = Regex::new("^/api/v1/namespaces/[^/]+$").expect("it is one");
        let own = namespace.is_match(self.path()) && !self.path().ends_with("/kube-system");
        self.method != "GET" || named.is_match(self.path()) || own
    }

    /// `PATCH deployments/web`, with `dry` before it for a dry run.
    pub(crate) fn short(&self) -> String {
        let tail: Vec<&str> = self.path().rsplit('/').take(2).collect();
        format!("{} {}", self.verb(), tail.into_iter().rev().collect::<Vec<_>>().join("/"))
    }

    fn verb(&self) -> String {
        let dry = if self.target.contains("dryRun=All") { "dry " } else { "" };
        format!("{dry}{}", self.method)
    }
}

/// Requests without the names in them, which are numbered as they come: all that the protocol knows
/// of them. `PATCH /apis/apps/v1/namespaces/0/deployments/1/scale`.
pub(crate) fn shapes(requests: &[Asked]) -> Vec<String> {
    let object = Regex::new("^(/apis?/.*?/namespaces/)([^/]+)(?:(/[^/]+)(?:/([^/]+)(.*))?)?$").expect("it is one");
    let mut names: Vec<String> = Vec::new();
    let mut number = |name: String| {
        let known = names.iter().position(|it| *it == name);
        known.unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    };
    requests
        .iter()
        .map(|asked| {
            let Some(parts) = object.captures(asked.path()) else {
                return format!("{} {}", asked.verb(), asked.path());
            };
            let part = |at: usize| parts.get(at).map(|it| it.as_str()).unwrap_or_default();
            let space = number(part(2).to_owned());
            let name = if part(4).is_empty() {
                String::new()
            } else {
                format!("/{}", number(format!("{}/{}/{}", part(2), part(3), part(4))))
            };
            format!("{} {}{space}{}{name}{}", asked.verb(), part(1), part(3), part(5))
        })
        .collect()
}

#[test]
fn shapes_hold_what_the_protocol_knows() {
    let asked = |method: &str, target: &str| Asked { method: method.into(), target: target.into(), code: None };
    let of = |space: &str, one: &str, other: &str| {
        shapes(&[
            asked("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
            asked("PATCH", &format!("/apis/apps/v1/namespaces/{space}/deployments/{one}/scale?dryRun=All")),
            asked("PATCH", &format!("/apis/apps/v1/namespaces/{space}/deployments/{other}")),
            asked("POST", &format!("/api/v1/namespaces/{space}/configmaps")),
            asked("GET", &format!("/api/v1/namespaces/{space}")),
        ])
    };
    assert_eq!(of("shop", "web", "web"), of("stage-7", "api", "api"));
    assert_ne!(of("shop", "web", "web"), of("shop", "web", "api"), "one object is not two");
    assert_eq!(
        of("shop", "web", "api")[1..],
        [
            "dry PATCH /apis/apps/v1/namespaces/0/deployments/1/scale",
            "PATCH /apis/apps/v1/namespaces/0/deployments/2",
            "POST /api/v1/namespaces/0/configmaps",
            "GET /api/v1/namespaces/0",
        ]
    );
}

/// Which request is meant: the n-th, from 0, of those that match.
pub(crate) struct Place {
    wanted: Box<dyn Fn(&Asked) -> bool + Send + Sync>,
    nth: usize,
    seen: Mutex<usize>,
}

impl Place {
    /// The n-th request with this method, or with any, whose path and query match.
    pub(crate) fn of(method: &'static str, target: &str, nth: usize) -> Self {
        let target = Regex::new(target).expect("a test writes valid patterns");
        Self::where_(nth, move |asked| (method == "*" || asked.method == method) && target.is_match(&asked.target))
    }

    /// The n-th request about an object.
    pub(crate) fn step(nth: usize) -> Self {
        Self::where_(nth, Asked::is_step)
    }

    /// The n-th write.
    pub(crate) fn write(nth: usize) -> Self {
        Self::where_(nth, Asked::writes)
    }

    /// The first request of any kind after `steps` ones about objects.
    pub(crate) fn after_steps(steps: usize) -> Self {
        let passed = Mutex::new(0);
        Self::where_(0, move |asked| {
            let mut passed = passed.lock().expect("nobody panics with it");
            let before = *passed;
            *passed += usize::from(asked.is_step());
            before >= steps
        })
    }

    fn where_(nth: usize, wanted: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> Self {
        Self { wanted: Box::new(wanted), nth, seen: Mutex::new(0) }
    }

    /// Whether this is the request that is meant; counts it if it matches.
    pub(crate) fn is(&self, asked: &Asked) -> bool {
        if !(self.wanted)(asked) {
            return false;
        }
        let mut seen = self.seen.lock().expect("nobody panics with it");
        *seen += 1;
        *seen == self.nth + 1
    }
}

/// An answer that the proxy gives by itself.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Reply {
    /// A Status of the API.
    pub(crate) fn status(status: u16, reason: &str, message: &str) -> Self {
        let body = json!({
            "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
            "code": status, "reason": reason, "message": message,
        });
        Self { status, headers: Vec::new(), body }
    }

    /// The answer to a patch of which a guard has failed: it does not say which.
    pub(crate) fn failed_guard() -> Self {
        let message = "the server rejected our request due to an error in our request";
        let mut reply = Self::status(422, "Invalid", message);
        reply.body["details"] = json!({});
        reply
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// What happens to it.
pub(crate) enum Action {
    /// The connection ends; the server never sees the request.
    CloseBefore,
    /// The server carries it out; the connection ends without its answer.
    CloseAfter,
    /// It comes to the server late.
    Delay(Duration),
    /// The server never sees it; this is the answer.
    Answer(Reply),
    /// The server carries it out; this is the answer.
    AnswerAfter(Reply),
    /// Half of the answer, then the end of the connection.
    CutBody,
    /// The answer comes late.
    DelayAnswer(Duration),
    /// Somebody else is served first.
    First(Box<dyn Fn(&Asked) + Send + Sync>),
    /// It, or its answer, waits until the test drops its end; then the connection ends.
    Hold(Side, Sender<()>, Mutex<Receiver<()>>),
}

/// Before the server sees a request, or after it has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// One request and what happens to it.
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) action: Action,
}

impl Fault {
    pub(crate) fn new(place: Place, action: Action) -> Self {
        Self { place, action }
    }

    /// Holds a request, or its answer, as long as the test holds its end.
    pub(crate) fn hold(place: Place, side: Side) -> (Self, Held) {
        let (reached, told) = mpsc::channel();
        let (go, waits) = mpsc::channel();
        (Self::new(place, Action::Hold(side, reached, Mutex::new(waits))), Held { told, _go: go })
    }
}

/// The test's end of a held request.
pub(crate) struct Held {
    told: Receiver<()>,
    /// Its end lets the proxy close the connection.
    _go: Sender<()>,
}

impl Held {
    /// Waits until the request is held; false when `ended` says that it won't come any more.
    pub(crate) fn wait(&self, mut ended: impl FnMut() -> bool) -> bool {
        loop {
            let last = ended();
            match self.told.recv_timeout(Duration::from_millis(10)) {
                Ok(()) => return true,
                Err(RecvTimeoutError::Timeout) if !last => {}
                Err(_) => return false,
            }
        }
    }
}
