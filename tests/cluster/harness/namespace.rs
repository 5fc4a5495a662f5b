//! A namespace for one test, with a home directory and an identity of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::api::{Answer, full_path};
use super::audit_log::{AuditEntry, Mark};
use super::command::Invocation;
use super::credentials::User;
use super::plane::ControlPlane;
use super::users::{self, Rule};
use super::wait::{WAIT, wait_until};

/// How long a command may take that writes where somebody acts: it may wait for several rollouts, one
/// after the other.
const ROLLOUTS: Duration = Duration::from_mins(5);

/// A namespace that one test has for itself.
///
/// Paths are short ones: `v1/pods/x`, `apps/v1/deployments/x`; with a leading slash they are
/// whole. It is not deleted: the whole cluster is thrown away.
#[derive(Debug)]
pub(crate) struct TestNamespace {
    plane: &'static ControlPlane,
    /// Its name.
    pub(crate) name: String,
    /// Who the plugin is in this namespace, with all rights and no other use.
    pub(crate) tester: User,
    home: PathBuf,
    born: Mark,
}

impl TestNamespace {
    /// Makes the namespace and the default `ServiceAccount` without which no pod is admitted.
    pub(crate) fn new(plane: &'static ControlPlane, name: String, tester: User) -> Self {
        let born = plane.mark();
        let home = plane.new_home(&name);
        let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        plane.request(Method::POST, "/api/v1/namespaces", Some(&made)).success();
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        let path = full_path(&name, "v1/serviceaccounts");
        // The controller may have been faster.
        let answer = plane.request(Method::POST, &path, Some(&account));
        assert!(matches!(answer.code, 201 | 409), "{answer:?}");
        Self { plane, name, tester, home, born }
    }

    /// The home and working directory of the programs that this test runs.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// A kubeconfig of a user, with this namespace in its context.
    pub(crate) fn kubeconfig(&self, user: &User) -> PathBuf {
        self.plane.kubeconfig(user, &self.name)
    }

    /// Applies manifests with kubectl, as the harness.
    #[track_caller]
    pub(crate) fn apply(&self, yaml: &str) {
        self.kubectl(&["apply", "-f", "-"]).stdin(yaml).run().expect_code(0);
    }

    /// kubectl in this namespace, as the harness.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Invocation {
        self.kubectl_as(self.plane.admin(), args)
    }

    /// kubectl in this namespace, as another user: `["progrc", …]` runs the plugin through it.
    pub(crate) fn kubectl_as(&self, user: &User, args: &[&str]) -> Invocation {
        Invocation::kubectl(&self.kubeconfig(user), self.home(), args)
    }

    /// The plugin in this namespace, as [`Self::tester`].
    pub(crate) fn progrc(&self, args: &[&str]) -> Invocation {
        self.progrc_as(&self.tester, args)
    }

    /// The plugin in this namespace, as another user. It watches what it changed for no time,
    /// unless the test says how long, and waits for nothing where nobody acts.
    pub(crate) fn progrc_as(&self, user: &User, args: &[&str]) -> Invocation {
        let mut args = args.to_vec();
        if matches!(args.first(), Some(&("fix" | "apply"))) && !args.iter().any(|arg| arg.starts_with("--soak")) {
            args.push("--soak=0s");
        }
        let writes = matches!(args.first(), Some(&("fix" | "apply" | "undo" | "recover")));
        if writes && !self.plane.has_controllers() && !args.iter().any(|arg| arg.starts_with("--wait")) {
            args.push("--wait=false");
        }
        let invocation = Invocation::plugin(&self.kubeconfig(user), self.home(), &args);
        if writes && self.plane.has_controllers() { invocation.within(ROLLOUTS) } else { invocation }
    }

    /// A script in this namespace, as [`Self::tester`].
    pub(crate) fn script(&self, text: &str) -> Invocation {
        Invocation::shell(&self.kubeconfig(&self.tester), self.home(), &["-s"]).stdin(text)
    }

    /// A fresh user with these rights in this namespace and none elsewhere.
    pub(crate) fn user_with(&self, rules: &[Rule]) -> User {
        let user = self.plane.spare_user();
        users::grant(self.plane, &user, rules, Some(&self.name));
        user
    }

    /// One request, as the harness. A refusal is an answer.
    pub(crate) fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.plane.request(method, &full_path(&self.name, path), body)
    }

    /// What the server holds; panics if it holds nothing there.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.request(Method::GET, path, None).success()
    }

    /// Sends a JSON merge patch.
    #[track_caller]
    pub(crate) fn patch(&self, path: &str, change: &Value) -> Value {
        self.request(Method::PATCH, path, Some(change)).success()
    }

    /// Deletes an object.
    #[track_caller]
    pub(crate) fn delete(&self, path: &str) {
        self.request(Method::DELETE, path, None).success();
    }

    /// Waits until an object is as wanted and returns it.
    #[track_caller]
    pub(crate) fn wait_for(&self, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_until(WAIT, &format!("{path} in {}: {what}", self.name), || {
            let answer = self.request(Method::GET, path, None);
            if answer.code == 200 && wanted(&answer.body) {
                Ok(answer.body)
            } else {
                Err(self.plane.state(&answer.body))
            }
        })
    }

    /// Waits until a Deployment has rolled out its newest template with all replicas available.
    #[track_caller]
    pub(crate) fn wait_for_rollout(&self, deployment: &str) -> Value {
        self.wait_for(&format!("apps/v1/deployments/{deployment}"), "rolled out", |object| {
            let status = |field: &str| object["status"][field].as_i64().unwrap_or(0);
            let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
            object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && ["replicas", "updatedReplicas", "availableReplicas"].map(status) == [wanted; 3]
        })
    }

    /// The requests of [`Self::tester`]: all that the plugin sent in this test, nothing else.
    pub(crate) fn requests(&self) -> Vec<AuditEntry> {
        self.requests_of(&self.tester)
    }

    /// The requests of one user since this namespace was made.
    pub(crate) fn requests_of(&self, user: &User) -> Vec<AuditEntry> {
        self.plane.requests(self.born, |entry| entry.user == user.name)
    }
}
