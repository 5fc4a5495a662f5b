//! The service account of the pod we may run in.

use std::net::IpAddr;
use std::path::Path;

use super::options::Environment;
use super::overrides::Target;

/// Where the kubelet mounts a pod's service account.
pub(super) const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// What a pod knows about its own cluster.
pub(super) struct InCluster {
    server: String,
    token_file: String,
    certificate_authority: Option<String>,
    /// `POD_NAMESPACE`, else the mounted namespace file.
    pub(super) namespace: Option<String>,
}

impl InCluster {
    /// Present if both service variables are set and a token is mounted, as client-go decides.
    pub(super) fn detect(env: &Environment, directory: &Path) -> Option<Self> {
        let host = env.get("KUBERNETES_SERVICE_HOST")?;
        let port = env.get("KUBERNETES_SERVICE_PORT")?;
        let file = |name: &str| Some(directory.join(name)).filter(|path| path.is_file());
        let token = file("token")?;
        let host = match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => host.to_string(),
        };
        let mounted = || {
            let text = std::fs::read_to_string(directory.join("namespace")).ok()?;
            Some(text.trim().to_string()).filter(|name| !name.is_empty())
        };
        Some(Self {
            server: format!("https://{host}:{port}"),
            token_file: token.to_string_lossy().into_owned(),
            certificate_authority: file("ca.crt").map(|path| path.to_string_lossy().into_owned()),
            namespace: env.get("POD_NAMESPACE").map(String::from).or_else(mounted),
        })
    }

    /// Makes the pod's own cluster and account the target.
    pub(super) fn fill(self, target: &mut Target) {
        target.cluster.server = Some(self.server);
        target.cluster.certificate_authority = self.certificate_authority;
        target.user.token_file = Some(self.token_file);
    }
}
