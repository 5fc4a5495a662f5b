//! The flags of each component, as they were tried.

use std::net::TcpListener;
use std::path::Path;

use super::assets;
use super::credentials::save;
use super::process::{Process, Scratch};

/// Every request, when it comes in and when it is answered, without bodies.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted]
rules: [{level: Metadata}]
";

/// The ports of one plane on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// etcd for its clients.
    pub(crate) etcd: u16,
    /// etcd for its peers, of which there are none.
    peer: u16,
    /// The API server.
    pub(crate) server: u16,
}

impl Ports {
    /// Three ports that are free now. Another process may take one before we do: retry then.
    pub(crate) fn free() -> Self {
        let listen = || TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let listeners = [listen(), listen(), listen()];
        let [etcd, peer, server] = listeners.map(|listener| listener.local_addr().expect("it is bound").port());
        Self { etcd, peer, server }
    }
}

/// Starts etcd. Nothing is worth an fsync here.
pub(crate) fn etcd(scratch: &Scratch, ports: Ports) -> Process {
    let Ports { etcd, peer, .. } = ports;
    let args = vec![
        format!("--data-dir={}", scratch.path().join("etcd").display()),
        format!("--listen-client-urls=http://127.0.0.1:{etcd}"),
        format!("--advertise-client-urls=http://127.0.0.1:{etcd}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-cluster=default=http://127.0.0.1:{peer}"),
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
    ];
    Process::start(scratch, "etcd", &assets::binary("etcd"), &args)
}

/// Starts the API server. Its audit log is `audit.log`, and an entry is on disk before the
/// request goes on.
pub(crate) fn apiserver(scratch: &Scratch, ports: Ports) -> Process {
    let file = |name: &str| scratch.path().join(name).display().to_string();
    save(scratch.path(), "audit-policy.yaml", AUDIT_POLICY);
    let args = vec![
        format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd),
        "--bind-address=127.0.0.1".into(),
        "--advertise-address=127.0.0.1".into(),
        format!("--secure-port={}", ports.server),
        format!("--tls-cert-file={}", file("server.crt")),
        format!("--tls-private-key-file={}", file("server.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--authorization-mode=RBAC".into(),
        format!("--service-account-key-file={}", file("sa.pub")),
        format!("--service-account-signing-key-file={}", file("sa.key")),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        "--service-cluster-ip-range=10.96.0.0/16".into(),
        "--endpoint-reconciler-type=none".into(),
        "--allow-privileged=true".into(),
        format!("--audit-policy-file={}", file("audit-policy.yaml")),
        format!("--audit-log-path={}", file("audit.log")),
        "--audit-log-mode=blocking-strict".into(),
        "--audit-log-maxsize=4096".into(),
    ];
    Process::start(scratch, "kube-apiserver", &assets::binary("kube-apiserver"), &args)
}

/// Starts the controller manager with the given `--controllers`.
///
/// Its HPA controller looks every second, not every 15. kwok sends no heartbeats: without patience
/// every pod would count as not ready after 50 seconds, for good.
pub(crate) fn controller_manager(scratch: &Scratch, kubeconfig: &Path, controllers: &str) -> Process {
    let file = |name: &str| scratch.path().join(name).display().to_string();
    let args = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--controllers={controllers}"),
        format!("--service-account-private-key-file={}", file("sa.key")),
        format!("--root-ca-file={}", file("ca.crt")),
        "--leader-elect=false".into(),
        "--bind-address=127.0.0.1".into(),
        "--secure-port=0".into(),
        "--horizontal-pod-autoscaler-sync-period=1s".into(),
        "--node-monitor-grace-period=24h".into(),
        "--kube-api-qps=200".into(),
        "--kube-api-burst=400".into(),
    ];
    let program = assets::binary("kube-controller-manager");
    Process::start(scratch, "kube-controller-manager", &program, &args)
}

/// Starts the scheduler.
pub(crate) fn scheduler(scratch: &Scratch, kubeconfig: &Path) -> Process {
    let args = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        "--leader-elect=false".into(),
        "--bind-address=127.0.0.1".into(),
        "--secure-port=0".into(),
    ];
    Process::start(scratch, "kube-scheduler", &assets::binary("kube-scheduler"), &args)
}

/// Starts kwok, the kubelet of every node, with the stages of [`assets::stages`]. It listens on
/// no port.
pub(crate) fn kwok(scratch: &Scratch, kubeconfig: &Path) -> Process {
    let mut args = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        "--manage-all-nodes=true".into(),
        "--cidr=10.128.0.0/16".into(),
        "--node-port=0".into(),
    ];
    args.extend(assets::stages().iter().map(|stage| format!("--config={}", stage.display())));
    Process::start(scratch, "kwok", &assets::binary("kwok"), &args)
}
