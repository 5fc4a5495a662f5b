//! The control plane: which variants there are, how one starts, what it offers.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::Method;
use serde_json::{Value, json};

use super::api::{Answer, Api};
use super::audit_log::{self, AuditEntry, Mark};
use super::components::{self, Ports};
use super::credentials::{self, Identities, User};
use super::namespace::TestNamespace;
use super::process::{Process, Scratch};
use super::users::{self, Rule};
use super::wait::{WAIT, try_until};

/// The nodes, both of kwok.
const NODES: [&str; 2] = ["node-a", "node-b"];

/// How often a start is tried: another process may take a port that was free a moment ago.
const STARTS: usize = 3;

/// Objects that are put into the store by one request; etcd takes 128 operations.
const STORED_AT_ONCE: usize = 100;

/// Which components run besides etcd and the API server.
#[derive(Debug, Clone, Copy)]
enum Variant {
    /// None.
    Bare,
    /// Scheduler, kwok, and the controller manager with the named controllers.
    Controllers(&'static str),
}

/// A running control plane.
pub(crate) struct ControlPlane {
    // Processes before the directory that they use: fields are dropped in order.
    processes: Vec<Process>,
    scratch: Scratch,
    server: String,
    etcd: u16,
    identities: Identities,
    api: Api,
    namespaces: AtomicUsize,
    testers: AtomicUsize,
    users: AtomicUsize,
}

impl ControlPlane {
    /// etcd and the API server: objects stay as they are written.
    pub(crate) fn bare() -> &'static Self {
        static PLANE: OnceLock<ControlPlane> = OnceLock::new();
        PLANE.get_or_init(Self::another)
    }

    /// One more as [`Self::bare`], for a test that would be in the way of all others.
    pub(crate) fn another() -> Self {
        Self::start(Variant::Bare)
    }

    /// Every component: pods become ready, Deployments roll out, the HPA scales.
    pub(crate) fn full() -> &'static Self {
        static PLANE: OnceLock<ControlPlane> = OnceLock::new();
        PLANE.get_or_init(|| Self::start(Variant::Controllers("*")))
    }

    /// As [`Self::full`], but nothing acts on a `HorizontalPodAutoscaler`.
    pub(crate) fn without_hpa() -> &'static Self {
        static PLANE: OnceLock<ControlPlane> = OnceLock::new();
        let controllers = "*,-horizontal-pod-autoscaler-controller";
        PLANE.get_or_init(|| Self::start(Variant::Controllers(controllers)))
    }

    /// Starts one; a start on a port that was taken meanwhile is tried again.
    fn start(variant: Variant) -> Self {
        let mut failures = Vec::new();
        for _ in 0..STARTS {
            match Self::try_start(variant) {
                Ok(plane) => return plane,
                Err(failure) => failures.push(failure),
            }
        }
        panic!("the control plane did not start:\n{}", failures.join("\n"));
    }

    fn try_start(variant: Variant) -> Result<Self, String> {
        let scratch = Scratch::new();
        let ports = Ports::free();
        let server = format!("https://127.0.0.1:{}", ports.server);
        credentials::write_certificates(scratch.path());
        let identities = Identities::write(scratch.path());
        let kubeconfig = |user| credentials::write_kubeconfig(scratch.path(), &server, user, "default");
        let api = Api::new(&kubeconfig(&identities.admin));
        let component = kubeconfig(&identities.component);

        let mut processes = vec![components::etcd(&scratch, ports)];
        wait_for_start(&processes, || {
            TcpStream::connect(("127.0.0.1", ports.etcd)).map_err(|error| error.to_string())
        })?;
        processes.push(components::apiserver(&scratch, ports));
        wait_for_start(&processes, || match api.send(Method::GET, "/readyz", None)? {
            Answer { code: 200, .. } => Ok(()),
            Answer { code, .. } => Err(format!("/readyz answers {code}")),
        })?;
        if let Variant::Controllers(controllers) = variant {
            processes.push(components::controller_manager(&scratch, &component, controllers));
            processes.push(components::scheduler(&scratch, &component));
            processes.push(components::kwok(&scratch, &component));
            start_nodes(&api, &processes)?;
        }
        let [namespaces, testers, users] = [const { AtomicUsize::new(0) }; 3];
        let etcd = ports.etcd;
        Ok(Self { processes, scratch, server, etcd, identities, api, namespaces, testers, users })
    }

    /// The URL of the API server.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// True if somebody acts on the objects: pods become ready, and what is waited for comes.
    pub(crate) fn has_controllers(&self) -> bool {
        // Besides etcd and the API server.
        self.processes.len() > 2
    }

    /// The certificate authority of the API server.
    pub(crate) fn certificate_authority(&self) -> PathBuf {
        self.scratch.path().join("ca.crt")
    }

    /// The harness itself: may do everything, and is nobody under test.
    pub(crate) fn admin(&self) -> &User {
        &self.identities.admin
    }

    /// A namespace for one test; its name begins with `prefix`.
    pub(crate) fn namespace(&'static self, prefix: &str) -> TestNamespace {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        let tester = hand_out(&self.identities.testers, &self.testers);
        TestNamespace::new(self, format!("{prefix}-{number}"), tester)
    }

    /// A home directory that vanishes with the plane.
    pub(crate) fn new_home(&self, name: &str) -> PathBuf {
        let home = self.scratch.path().join("homes").join(name);
        std::fs::create_dir_all(&home).expect("the scratch directory can be written");
        home
    }

    /// A fresh user with these rights in the whole cluster.
    pub(crate) fn user_with(&self, rules: &[Rule]) -> User {
        let user = self.spare_user();
        users::grant(self, &user, rules, None);
        user
    }

    /// A fresh user without rights.
    pub(crate) fn spare_user(&self) -> User {
        hand_out(&self.identities.users, &self.users)
    }

    /// A kubeconfig of a user with a namespace in its context.
    pub(crate) fn kubeconfig(&self, user: &User, namespace: &str) -> PathBuf {
        credentials::write_kubeconfig(self.scratch.path(), &self.server, user, namespace)
    }

    /// One request, as the harness. A refusal is an answer; panics when there is none.
    #[track_caller]
    pub(crate) fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        match self.api.send(method, path, body) {
            Ok(answer) => answer,
            Err(error) => panic!("{}", self.state(&error)),
        }
    }

    /// One request as another user.
    #[track_caller]
    pub(crate) fn request_as(&self, user: &User, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let api = Api::new(&self.kubeconfig(user, "default"));
        api.send(method, path, body).unwrap_or_else(|error| panic!("{}", self.state(&error)))
    }

    /// Puts an object past the API server into its store, as an older server would have left it.
    pub(crate) fn store(&self, key: &str, object: &Value) {
        self.store_all(&[(key.to_owned(), object.clone())]);
    }

    /// The same for many, each with its key: thousands in a second, where the API server takes a minute.
    pub(crate) fn store_all(&self, objects: &[(String, Value)]) {
        let encode = |text: &str| BASE64_STANDARD.encode(text);
        for part in objects.chunks(STORED_AT_ONCE) {
            let put = |(key, object): &(String, Value)| {
                let (key, value) = (encode(&format!("/registry/{key}")), encode(&object.to_string()));
                json!({"requestPut": {"key": key, "value": value}})
            };
            let body = json!({"success": part.iter().map(put).collect::<Vec<_>>()}).to_string();
            let head = "POST /v3/kv/txn HTTP/1.1\r\nHost: localhost\r\nConnection: close";
            let mut stream = TcpStream::connect(("127.0.0.1", self.etcd)).expect("etcd runs as long as the plane");
            let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(request.as_bytes()).expect("etcd reads its requests");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("etcd answers");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }

    /// The present end of the audit log.
    pub(crate) fn mark(&self) -> Mark {
        audit_log::mark(&self.scratch.path().join("audit.log"))
    }

    /// The requests since a mark that `wanted` accepts.
    pub(crate) fn requests(&self, since: Mark, wanted: impl Fn(&AuditEntry) -> bool) -> Vec<AuditEntry> {
        audit_log::requests(&self.scratch.path().join("audit.log"), since, wanted)
    }

    /// What was seen, and which components have ended, for the message of a failed wait.
    pub(crate) fn state(&self, seen: &impl fmt::Display) -> String {
        let dead = self.processes.iter().filter_map(Process::obituary);
        [seen.to_string()].into_iter().chain(dead).collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ControlPlane").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The next identity of a list.
fn hand_out(spares: &[User], next: &AtomicUsize) -> User {
    let number = next.fetch_add(1, Ordering::Relaxed);
    spares.get(number).expect("SPARES in credentials.rs is more than the tests need").clone()
}

/// Waits for a condition of the start, but not longer than the processes live.
fn wait_for_start<T>(processes: &[Process], mut ready: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    try_until(WAIT, || match processes.iter().find_map(Process::obituary) {
        Some(dead) => Ok(Err(dead)),
        None => ready().map(Ok),
    })?
}

/// Makes the nodes and waits until the controllers let pods on them.
fn start_nodes(api: &Api, processes: &[Process]) -> Result<(), String> {
    for name in NODES {
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "annotations": {"kwok.x-k8s.io/node": "fake"},
                "labels": {
                    "kubernetes.io/arch": "amd64",
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/os": "linux",
                    "topology.kubernetes.io/zone": name.replace("node", "zone"),
                },
            },
        });
        api.send(Method::POST, "/api/v1/nodes", Some(&node))?.success();
    }
    for name in NODES {
        wait_for_start(processes, || {
            let node = api.send(Method::GET, &format!("/api/v1/nodes/{name}"), None)?.success();
            let conditions = node["status"]["conditions"].as_array();
            let ready = conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True");
            if ready && node["spec"]["taints"].is_null() { Ok(()) } else { Err(node.to_string()) }
        })?;
    }
    Ok(())
}
