//! A user's machine: kubeconfigs, plugins, an environment; and the requests of the tests.

use std::path::PathBuf;

use http::{Method, Request};
use kubectl_progrc::backend::cluster::connect::{
    ConnectOptions, Connection, Environment, TransportError, connect, send,
};

use crate::server::{Authority, Server};

/// A directory with kubeconfigs and plugins, and an environment that knows nothing else.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) env: Environment,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut env = Environment::default();
        // The plugins of these tests are shell scripts.
        env.variables.insert("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into());
        Self { dir: tempfile::tempdir().unwrap(), env }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A kubeconfig with one context; `cluster` and `user` are flow mappings' content.
    pub(crate) fn kubeconfig(&self, server: &str, cluster: &str, user: &str) -> ConnectOptions {
        let text = format!(
            "current-context: k\ncontexts:\n- {{name: k, context: {{cluster: c, user: u, namespace: shop}}}}\nclusters:\n- {{name: c, cluster: {{server: '{server}', {cluster}}}}}\nusers:\n- name: u\n  user: {{{user}}}\n"
        );
        ConnectOptions { kubeconfig: Some(self.write("config", &text)), ..ConnectOptions::default() }
    }

    /// A kubeconfig that trusts the authority.
    pub(crate) fn trusting(&self, server: &Server, authority: &Authority, user: &str) -> ConnectOptions {
        self.write("ca.crt", &authority.pem);
        self.kubeconfig(&server.url, "certificate-authority: ca.crt", user)
    }

    /// The `exec` section of a plugin that counts its runs in `runs` and prints `status`, in
    /// which `$n` is the number of the run.
    pub(crate) fn plugin(&self, status: &str) -> String {
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

    pub(crate) fn runs(&self) -> usize {
        std::fs::read_to_string(self.path("runs")).map_or(0, |text| text.lines().count())
    }

    pub(crate) async fn connect(&self, options: &ConnectOptions) -> Connection {
        connect(options, &self.env).await.unwrap()
    }
}

/// Options for a server without a kubeconfig.
pub(crate) fn plain(url: &str) -> ConnectOptions {
    ConnectOptions { server: Some(url.into()), ..ConnectOptions::default() }
}

pub(crate) fn request(method: &Method) -> Request<Vec<u8>> {
    Request::builder().method(method).uri("/api/v1/namespaces/a?fieldManager=f").body(b"[]".to_vec()).unwrap()
}

pub(crate) fn get() -> Request<Vec<u8>> {
    Request::get("/version").body(Vec::new()).unwrap()
}

pub(crate) async fn failure(connection: &Connection) -> TransportError {
    send(&connection.write_client(), get()).await.unwrap_err()
}
