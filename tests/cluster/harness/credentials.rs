//! Throw-away certificates, tokens and kubeconfig files.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::NamedTempFile;
use ulid::Ulid;

/// How many identities of a kind a plane can hand out.
const SPARES: usize = 256;

/// Somebody whom the API server knows by a token.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// The user name, as RBAC and the audit log see it.
    pub(crate) name: String,
    /// The bearer token.
    pub(crate) token: String,
}

/// Every identity of a plane; the token file is read once, at the start of the server.
#[derive(Debug)]
pub(crate) struct Identities {
    /// The harness itself, in `system:masters`.
    pub(crate) admin: User,
    /// The components, in `system:masters`.
    pub(crate) component: User,
    /// One for each test namespace, in `system:masters`.
    pub(crate) testers: Vec<User>,
    /// Without any right of their own.
    pub(crate) users: Vec<User>,
}

impl Identities {
    /// Draws the tokens and writes `tokens.csv` into `directory`.
    pub(crate) fn write(directory: &Path) -> Self {
        let draw = |name: String| User { name, token: Ulid::generate().to_string() };
        let all = Self {
            admin: draw("harness".into()),
            component: draw("component".into()),
            testers: (0..SPARES).map(|n| draw(format!("tester-{n}"))).collect(),
            users: (0..SPARES).map(|n| draw(format!("user-{n}"))).collect(),
        };
        let masters = [&all.admin, &all.component].into_iter().chain(&all.testers);
        let mut file = String::new();
        for (users, group) in [(masters.collect::<Vec<_>>(), ",\"system:masters\""), (all.users.iter().collect(), "")] {
            for User { name, token } in users {
                writeln!(file, "{token},{name},{name}{group}").expect("a String takes all");
            }
        }
        save(directory, "tokens.csv", &file);
        all
    }
}

/// Writes `ca.crt`, `server.crt`, `server.key`, `sa.key` and `sa.pub` into `directory`.
pub(crate) fn write_certificates(directory: &Path) {
    let key = || KeyPair::generate().expect("a key can be generated");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    authority.distinguished_name.push(DnType::CommonName, "progrc test authority");
    let issuer = CertifiedIssuer::self_signed(authority, key()).expect("an authority signs itself");
    save(directory, "ca.crt", &issuer.pem());

    let names = ["127.0.0.1", "localhost", "kubernetes.default.svc"].map(String::from);
    let server = CertificateParams::new(names).expect("the names are valid");
    let server_key = key();
    let signed = server.signed_by(&server_key, &issuer).expect("the authority can sign");
    save(directory, "server.crt", &signed.pem());
    save(directory, "server.key", &server_key.serialize_pem());
    let accounts = key();
    save(directory, "sa.key", &accounts.serialize_pem());
    save(directory, "sa.pub", &accounts.public_key_pem());
}

/// Writes the kubeconfig of a user and a namespace and returns its path.
pub(crate) fn write_kubeconfig(directory: &Path, server: &str, user: &User, namespace: &str) -> PathBuf {
    let User { name, token } = user;
    let authority = directory.join("ca.crt");
    let text = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": name, "namespace": namespace}}],
    });
    save(directory, &format!("{name}.{namespace}.kubeconfig"), &format!("{text:#}\n"))
}

/// Writes one file, whole or not at all for those who read it meanwhile, and returns its path.
pub(crate) fn save(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    let saved = NamedTempFile::new_in(directory).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.persist(&path).map_err(|error| error.error)
    });
    saved.unwrap_or_else(|error| panic!("failed to write {}: {error}", path.display()));
    path
}
