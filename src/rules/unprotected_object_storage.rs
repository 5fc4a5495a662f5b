//! unprotected-object-storage: files in an object store that nothing saves.

use std::sync::LazyLock;

use regex::Regex;

use super::rule::{Aspect, Context, Verdicts};
use super::vouch;
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::Applicability;
use crate::model::allowance::{self, active_workloads};
use crate::model::container::Container;
use crate::model::environment;
use crate::model::object::pointer;
use crate::model::workload::Workload;
use crate::model::{Inventory, Item, Subject, evidence, observability, volumes};

declare_rule! {
    /// ## What it does
    /// Looks at namespaces that use object storage: a workload that is an object store, or variables
    /// that name a bucket or an endpoint of one. It reports a store that keeps nothing: LocalStack, a
    /// mock, or MinIO without a claim. Whether another store keeps versions or copies can't be seen,
    /// so the verdict is unknown until somebody attests it; MinIO whose claims all have a backup
    /// passes. In a development environment such stores are at home.
    ///
    /// ## Why it matters
    /// Uploads are data too. They are seldom in the dump of the database, and a deleted object
    /// without versions is gone.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: minio, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: minio}}
    ///   template:
    ///     metadata: {labels: {app: minio}}
    ///     spec: {containers: [{name: minio, image: "minio/minio:latest"}]}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # attest: {"unprotected-object-storage": {"statement": "bucket versioning is on, copied to another region", "date": "2025-12-01"}}
    /// apiVersion: v1
    /// kind: Namespace
    /// metadata: {name: shop}
    /// ---
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec:
    ///       containers:
    ///         - {name: web, image: "web:1", env: [{name: S3_BUCKET, value: shop-uploads}]}
    /// ```
    ///
    /// ## Fix
    /// Manual. Move the files to a store that keeps them, switch versioning on, copy the bucket to
    /// another region or account, and attest it. dev-storage-endpoint has the switch.
    ///
    /// ## References
    /// - <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html>
    /// - <https://docs.localstack.cloud/aws/capabilities/state-management/persistence/>
    /// - <https://min.io/docs/minio/kubernetes/upstream/>
    id: "unprotected-object-storage",
    summary: "files in an object store that nothing saves",
    severity: Severity::Medium,
    priority: Priority::ShortTerm,
    category: Category::BackupDr,
    fix: Some(Applicability::Manual),
    impact: "Deleted or lost files stay lost.",
    parameters: &[],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

/// Images of object stores.
const STORES: [&str; 8] =
    ["adobe-s3mock", "azurite", "fake-gcs-server", "localstack", "localstack-pro", "minio", "moto", "s3mock"];

static KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        "^(?:(?:[A-Z0-9]+_)*(?:S3|GCS|MINIO|SPACES|R2|OBJECT_STORAGE|OBJECT_STORE)(?:_[A-Z0-9]+)*_?",
        "(?:BUCKET|BUCKETS|BUCKET_NAME|ENDPOINT|ENDPOINT_URL|URL)|(?:[A-Z0-9]+_)*(?:BUCKET|BUCKET_NAME)",
        "|AZURE_STORAGE_(?:ACCOUNT|CONTAINER|CONNECTION_STRING)|AWS_ENDPOINT_URL_S3)$",
    ))
    .expect("a constant pattern")
});

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for namespace in inventory.audited_namespaces() {
        let name = namespace.name.as_str();
        let stores: Vec<_> = stores(inventory, name);
        let is_lost = |workload: &Item<Workload>| super::is_development(context, workload) && !is_kept(workload);
        let lost: Vec<_> = stores.iter().filter(|(workload, ..)| is_lost(workload)).copied().collect();
        let kept = stores.iter().filter(|(workload, ..)| is_kept(workload));
        let kept: Vec<_> = kept.map(|(workload, ..)| *workload).collect();
        if !lost.is_empty() {
            let unseen = allowance::unseen_namespace(inventory, name);
            vouch::settle(context, verdicts, &namespace, unseen, || finding(context, &namespace, &lost));
            continue;
        }
        let open = if kept.is_empty() { used(inventory, name) } else { unsaved(inventory, &kept) };
        let unread = evidence::gap(inventory, &["configmaps"]).filter(|_| kept.is_empty());
        match (open, unread) {
            (Some(reason), _) => vouch::leave_open(context, verdicts, &namespace, reason),
            (None, Some(reason)) => verdicts.unknown(&namespace, reason),
            (None, None) if kept.is_empty() => verdicts.na(&namespace),
            (None, None) => verdicts.pass(&namespace),
        }
    }
}

/// The object stores of a namespace: workload, list and place of the container.
fn stores<'a>(inventory: &'a Inventory, namespace: &str) -> Vec<(&'a Item<Workload>, &'static str, usize)> {
    let programs = active_workloads(inventory, namespace).filter(|(_, workload)| observability::is_program(workload));
    let mut out = Vec::new();
    for (_, workload) in programs {
        let containers = workload.template().into_iter().flat_map(|template| template.spec.all_containers());
        let mut found =
            containers.filter(|(_, _, container)| STORES.contains(&container.image_name()) && serves_files(container));
        out.extend(found.next().map(|(list, index, _)| (workload, list, index)));
    }
    out
}

/// False for a mock of several services that is told to leave object storage out.
fn serves_files(container: &Container) -> bool {
    let services = container.env.iter().find(|variable| variable.name == "SERVICES");
    let services = services.and_then(|variable| variable.value.as_deref()).unwrap_or_default();
    services.trim().is_empty() || services.split([',', ' ']).any(|service| service.split(':').next() == Some("s3"))
}

/// True if the store has a volume that outlives its pods.
fn is_kept(workload: &Workload) -> bool {
    let mut volumes = workload.template().into_iter().flat_map(|template| &template.spec.volumes);
    !workload.spec.volume_claim_templates.is_empty() || volumes.any(|volume| volume.claim().is_some())
}

/// Why it is open whether the stores with volumes have a backup.
fn unsaved(inventory: &Inventory, stores: &[&Item<Workload>]) -> Option<String> {
    stores.iter().find_map(|workload| {
        let pods = workload.template().map(|template| &template.metadata);
        let claims = volumes::claims(inventory, workload);
        let saved =
            !claims.is_empty() && claims.iter().all(|claim| volumes::saved_by(inventory, claim, pods).is_some());
        let name = workload.subject.short();
        (!saved).then(|| format!("{name} keeps files: whether they have versions or copies can't be seen"))
    })
}

/// The variable by which a workload of the namespace uses object storage.
fn used(inventory: &Inventory, namespace: &str) -> Option<String> {
    let mut programs =
        active_workloads(inventory, namespace).filter(|(_, workload)| observability::is_program(workload));
    programs.find_map(|(_, workload)| {
        let mut places = workload.template()?.spec.all_containers();
        places.find_map(|place| {
            let variables = environment::effective(inventory, workload, place);
            let is_use = |text: Option<&str>| text.is_none_or(|text| !text.trim().is_empty());
            let is_url = |text: &str| ["s3://", "gs://"].iter().any(|scheme| text.starts_with(scheme));
            let found = variables.values().find(|variable| {
                KEY.is_match(&variable.name) && is_use(variable.text()) || variable.text().is_some_and(is_url)
            })?;
            let (name, key) = (workload.subject.short(), &found.name);
            Some(format!("{name} stores files ({key}): whether the store keeps versions or copies can't be seen"))
        })
    })
}

fn finding(context: &Context<'_>, namespace: &Subject, lost: &[(&Item<Workload>, &'static str, usize)]) -> Finding {
    let names: Vec<String> = lost.iter().map(|(workload, ..)| workload.subject.short()).collect();
    let message = format!("{} stores files and keeps none of them", names.join(", "));
    let mut finding = super::namespace_finding(context, namespace, message);
    for (workload, list, index) in lost {
        let spec = workload.pod_spec_pointer();
        let containers = workload.template().into_iter().flat_map(|template| template.spec.all_containers());
        for (_, _, container) in containers.filter(|(l, i, _)| (l, i) == (list, index)) {
            let at = Location::at(pointer(&spec, &[list, &index.to_string(), "image"]));
            let at = at.named(pointer(&spec, &[list, &container.name, "image"])).of(&workload.subject);
            let text = format!("{} runs {} without a claim", workload.subject.short(), container.image);
            finding = finding.at(at.values(Some(container.image.clone().into()), None));
            finding = finding.because_of(&workload.subject, text);
        }
    }
    let notes = [
        "move the files to a store that keeps them (dev-storage-endpoint has the switch)",
        "switch versioning on and copy the bucket to another region or account",
    ];
    context.detail(finding, |finding| finding.fix(vouch::manual(context, "Keep the files", &notes)))
}
