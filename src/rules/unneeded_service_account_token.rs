//! unneeded-service-account-token: pods that carry a token of the API without a use for it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Confidence, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::cluster::RoleBinding;
use crate::model::pod::PodTemplate;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item};

declare_rule! {
    /// ## What it does
    /// Reports a workload whose pods mount the token of their service account although nothing
    /// shows that they use the API of Kubernetes: no RoleBinding or ClusterRoleBinding names the
    /// account or a group of its namespace, and no image, variable, argument or annotation hints
    /// at it (`kubeconfig`, `in-cluster`, leader election, operators, the agent of Vault). The
    /// bindings that Kubernetes makes for all accounts do not count. It is unknown where bindings
    /// or accounts can't be read. In manifests the bindings in the files decide. It does not apply to
    /// pods that the kubelet mirrors from files of its node: they get no token.
    ///
    /// ## Why it matters
    /// Whoever breaks into the container takes the token and speaks to the API server with it:
    /// each right that the account ever gets, and discovery until then.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       automountServiceAccountToken: false
    ///       containers: [{name: web, image: web:1}]
    /// ```
    ///
    /// ## Fix
    /// Unsafe. Sets `automountServiceAccountToken: false` in the pod template, which restarts the
    /// pods. Only offered where nothing shows a use; a program that reads the token file without
    /// any of these hints fails. Tokens that a volume projects are not touched. Manual for a bare
    /// pod: the API refuses the change while the pod exists.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#opt-out-of-api-credential-automounting>
    /// - <https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/>
    /// - <https://kubernetes.io/docs/concepts/security/rbac-good-practices/>
    id: "unneeded-service-account-token",
    summary: "a service account token mounted without need",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::Security,
    fix: Some(Applicability::Unsafe),
    impact: "Whoever breaks into a container may speak to the API server.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

static HINT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        "(?i)kubernetes|kube[-_.]?(config|api|client|ctl|context)|in[-_]?cluster|leader[-_]?elect|service[-_]?account",
    )
    .expect("a constant pattern")
});
static IMAGE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("(?i)kubectl|operator|controller|kube-").expect("a constant pattern"));

/// Who is named by bindings: accounts as `NAMESPACE/NAME`, groups by name.
#[derive(Default)]
struct Bound {
    accounts: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl Bound {
    fn of(inventory: &Inventory) -> Self {
        let mut out = Self::default();
        for binding in inventory.role_bindings.iter().filter(|binding| !is_default(binding)) {
            for subject in &binding.subjects {
                let user = subject.name.strip_prefix("system:serviceaccount:");
                match (subject.kind.as_str(), user.and_then(|user| user.split_once(':'))) {
                    ("ServiceAccount", _) => {
                        let namespace = subject.namespace.as_deref().unwrap_or_else(|| binding.namespace());
                        out.accounts.insert(format!("{namespace}/{}", subject.name));
                    }
                    ("User", Some((namespace, name))) => {
                        out.accounts.insert(format!("{namespace}/{name}"));
                    }
                    ("Group", _) => {
                        out.groups.insert(subject.name.clone());
                    }
                    _ => {}
                }
            }
        }
        out
    }

    fn names(&self, namespace: &str, account: &str) -> bool {
        let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
        self.accounts.contains(&format!("{namespace}/{account}"))
            || groups.iter().any(|group| self.groups.contains(group))
    }
}

/// True for the bindings that every cluster has.
fn is_default(binding: &Item<RoleBinding>) -> bool {
    binding.name().starts_with("system:")
        || binding.metadata.label("kubernetes.io/bootstrapping") == Some("rbac-defaults")
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let bound = Bound::of(inventory);
    for (_, workload) in inventory.audited_workloads() {
        // A pod that the server does not make can't have an account.
        let is_judged = !workload.is_idle() && !workload.is_mirror();
        let Some(template) = workload.template().filter(|_| is_judged) else {
            verdicts.na(&workload.subject);
            continue;
        };
        let own = template.spec.automount_service_account_token;
        let account = template.spec.service_account();
        let namespace = workload.namespace();
        let of_account = inventory
            .service_accounts
            .get(namespace, "ServiceAccount", account)
            .and_then(|account| account.automount_service_account_token);
        if own == Some(false) || (own.is_none() && of_account == Some(false)) || is_used(template) {
            verdicts.pass(&workload.subject);
        } else if let Some(reason) = unseen(inventory, namespace, own) {
            verdicts.unknown(&workload.subject, reason);
        } else if bound.names(namespace, account) {
            verdicts.pass(&workload.subject);
        } else {
            verdicts.fail(describe(context, workload, own));
        }
    }
}

/// Why it can't be said whether a token is mounted and used.
fn unseen(inventory: &Inventory, namespace: &str, own: Option<bool>) -> Option<String> {
    let accounts = || inventory.unseen("serviceaccounts", namespace).filter(|_| own.is_none());
    inventory
        .unseen("rolebindings", namespace)
        .or_else(|| inventory.unseen("clusterrolebindings", namespace))
        .or_else(accounts)
}

/// True if something in the template hints at a use of the API.
fn is_used(template: &PodTemplate) -> bool {
    let annotated = template.metadata.annotation("vault.hashicorp.com/agent-inject") == Some("true");
    annotated
        || template.spec.all_containers().any(|(_, _, container)| {
            let arguments = container.command.iter().chain(&container.args);
            let variables = container.env.iter().flat_map(|own| std::iter::once(&own.name).chain(&own.value));
            IMAGE.is_match(&container.image)
                || arguments.chain(variables).any(|text| HINT.is_match(text))
                || container.volume_mounts.iter().any(|mount| HINT.is_match(&mount.mount_path))
        })
}

fn describe(context: &Context<'_>, workload: &Item<Workload>, own: Option<bool>) -> Finding {
    let inventory = context.inventory;
    let account = workload.template().map_or("default", |template| template.spec.service_account());
    let at = format!("{}/automountServiceAccountToken", workload.pod_spec_pointer());
    let message = format!("mounts the token of ServiceAccount {account} without a sign of use");
    let location = Location::at(at.as_str()).values(own.map(Into::into), Some(false.into()));
    let mut finding = context
        .finding(workload, message)
        .confidence(Confidence::Inferred)
        .at(location)
        .because(format!("no binding names ServiceAccount {account} or a group of its namespace"))
        .because("no image, variable, argument or mount hints at the API of Kubernetes");
    if !inventory.is_live() && !inventory.is_complete() {
        finding = finding.because("bindings outside the files were not seen");
    }
    let name = workload.subject.short();
    let mut fix = Fix::new(format!("Mount no service account token in {name}"), Applicability::Unsafe)
        .consequence("a program that reads the token without a sign of it fails")
        .step(Step::patch(&workload.subject, vec![Edit::set(at, false)]));
    match workload.kind.as_str() {
        "CronJob" => fix = fix.consequence(format!("{name} takes the new template with its next run")),
        "Pod" if inventory.is_live() => {
            fix.refuse("immutable", format!("the token of {name} can't be changed while it exists"));
        }
        "Pod" => {
            fix.steps.clear();
            fix.applicability = Applicability::Manual;
            fix = fix.note("its template can't change; write the field down, delete the pod and make it anew");
        }
        _ => {}
    }
    finding.fix(fix)
}
