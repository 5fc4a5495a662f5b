//! replicas-pinned-with-hpa: a manifest that sets the number of pods of an autoscaled workload.

use super::rule::{Aspect, Context, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Finding, Location, Priority, Severity};
use crate::fix::{Action, Applicability, Edit, Fix, Step};
use crate::model::Item;
use crate::model::capacity;
use crate::model::object::{LAST_APPLIED, pointer};
use crate::model::ownership::OwnershipClass;
use crate::model::replicas::{self, Pin, PinSource, Standing};
use crate::model::workload::Workload;

declare_rule! {
    /// ## What it does
    /// Reports a workload that an autoscaler scales and whose number of pods something else sets
    /// too: `replicas` stands in the manifest, in the annotation that client-side `kubectl apply`
    /// keeps, or a field manager owns `spec.replicas` otherwise than through the `scale`
    /// subresource. Severity high if the pinned number is below the autoscaler's minimum, else
    /// medium. It is unknown where the only sign is a manager that owns the number 1 in a live
    /// object, since who creates an object owns its defaults too. An autoscaled workload whose
    /// number nobody pins, or that has fewer pods than the minimum, is judged by
    /// replicas-below-hpa-min.
    ///
    /// ## Why it matters
    /// Every apply of such a manifest sets the number back, in the middle of the day's peak too,
    /// and the autoscaler has to climb again.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: apps/v1
    /// kind: Deployment
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   replicas: 3
    ///   selector: {matchLabels: {app: web}}
    ///   template:
    ///     metadata: {labels: {app: web}}
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   minReplicas: 3
    ///   maxReplicas: 10
    ///   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
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
    ///     spec: {containers: [{name: web, image: web:1}]}
    /// ---
    /// apiVersion: autoscaling/v2
    /// kind: HorizontalPodAutoscaler
    /// metadata: {name: web, namespace: shop}
    /// spec:
    ///   minReplicas: 3
    ///   maxReplicas: 10
    ///   scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
    /// ```
    ///
    /// ## Fix
    /// Manual: remove `replicas` from the source. In manifests that is the fix, unsafe. In a live
    /// cluster the order matters: if the key goes while the annotation of client-side apply still
    /// lists it, the next apply sets the workload to 1 pod once. For such workloads there is an
    /// unsafe fix that takes the number out of the annotation first; it restarts nothing and is
    /// pointless unless the manifest changes too. It is refused if the annotation holds a
    /// credential. In a Helm chart, put `replicas` into a condition on the autoscaler's switch.
    /// With Argo CD remove it from Git, or ignore the difference together with
    /// `RespectIgnoreDifferences=true`. With Flux add a drift ignore rule. With server-side apply
    /// hand the field over to another manager before it leaves the manifest. What Argo CD or Flux
    /// hold in Git is not read; their ownership of the field is.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling>
    /// - <https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership>
    /// - <https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/#respect-ignore-difference-configs>
    id: "replicas-pinned-with-hpa",
    summary: "a manifest sets the replicas of an autoscaled workload",
    severity: Severity::High,
    priority: Priority::Immediate,
    category: Category::HighAvailability,
    fix: Some(Applicability::Unsafe),
    impact: "The next apply throws the autoscaler's number away.",
    parameters: &[],
    next_stages: &["replicas-pinned-with-hpa"],
    unmoved_by: &[Aspect::Budgets, Aspect::Warnings],
    check: check,
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    for (position, workload) in context.inventory.audited_workloads() {
        if super::is_development(context, workload) {
            verdicts.na(&workload.subject);
            continue;
        }
        match replicas::standing(context.inventory, position) {
            Standing::Unknown(reason) => verdicts.unknown(&workload.subject, reason),
            Standing::Pinned(pin) => verdicts.fail(pinned(context, position, workload, &pin)),
            _ => verdicts.na(&workload.subject),
        }
    }
}

fn pinned(context: &Context<'_>, position: usize, workload: &Item<Workload>, pin: &Pin) -> Finding {
    let inventory = context.inventory;
    let floor = capacity::floor(inventory, position);
    let ceiling = capacity::ceiling(inventory, position);
    let message =
        format!("replicas is pinned to {} while the autoscaler keeps {} to {}", pin.replicas, floor.pods, ceiling.pods);
    let mut place = Location::at("/spec/replicas");
    if pin.source == PinSource::Manifest {
        place = place.values(Some(pin.replicas.into()), None);
    }
    let mut finding = context
        .finding(workload, message)
        .severity(if pin.replicas < floor.pods { Severity::High } else { Severity::Medium })
        .at(place)
        .because(pin.text.clone())
        .because(format!("floor {} = {}", floor.pods, floor.source));
    if inventory.is_live() {
        for line in replicas::writers(&workload.metadata) {
            finding = finding.because_of(&workload.subject, line);
        }
        for autoscaler in inventory.autoscalers_of(position) {
            for line in replicas::conditions(autoscaler) {
                finding = finding.because_of(&autoscaler.subject, line);
            }
        }
    }
    let fix = match pin.source {
        PinSource::Manifest => in_manifest(workload, Applicability::Unsafe),
        PinSource::LastApplied if finding.ownership.class == OwnershipClass::KubectlCsa => in_annotation(workload),
        _ => by_hand(finding.ownership.class),
    };
    finding.fix(fix)
}

/// Takes the number out of a manifest, and says what that does once; replicas-below-hpa-min does the same.
pub(super) fn in_manifest(workload: &Item<Workload>, applicability: Applicability) -> Fix {
    let once = "the first kubectl apply sets 1 pod once, unless the number leaves the live \
                annotation first (kubectl apply edit-last-applied)";
    let title = "Remove spec.replicas and leave the number to the autoscaler";
    Fix::new(title, applicability)
        .consequence(once)
        .step(Step::patch(&workload.subject, vec![Edit::remove("/spec/replicas")]))
}

/// Takes the number out of the annotation, so that a manifest without it changes nothing.
fn in_annotation(workload: &Item<Workload>) -> Fix {
    let edit = Edit {
        pointer: pointer("/metadata/annotations", &[LAST_APPLIED]),
        action: Action::DropInText("/spec/replicas".to_owned()),
    };
    let title = "Take spec.replicas out of the last-applied annotation";
    let mut fix = Fix::new(title, Applicability::Unsafe)
        .note("remove replicas from the manifest before its next apply; alone this does nothing")
        .step(Step::patch(&workload.subject, vec![edit]));
    if replicas::last_applied_is_masked(&workload.metadata) {
        fix.refuse("credentials", "the annotation holds a credential; use kubectl apply edit-last-applied");
    }
    fix
}

/// What a person does, by who keeps the workload.
fn by_hand(keeper: OwnershipClass) -> Fix {
    let note = match keeper {
        OwnershipClass::GitopsArgocd => {
            "remove replicas from Git, or ignore the difference at /spec/replicas with the sync \
             option RespectIgnoreDifferences=true"
        }
        OwnershipClass::GitopsFlux => "remove replicas from Git, or add a drift ignore rule for /spec/replicas",
        OwnershipClass::Helm => "in the chart: {{- if not .Values.autoscaling.enabled }} around replicas",
        OwnershipClass::KubectlSsa => {
            "let another field manager apply spec.replicas with its present value, then remove it \
             from the manifest and apply"
        }
        OwnershipClass::Operator => "the number belongs to the parent object: leave it out there, or scale the parent",
        OwnershipClass::Terraform | OwnershipClass::Pulumi => {
            "remove replicas from the source, and ignore changes of it"
        }
        OwnershipClass::KubectlCsa | OwnershipClass::None => {
            "remove replicas from what writes it, and scale with kubectl scale"
        }
    };
    Fix::new("Remove replicas from the source", Applicability::Manual).note(note)
}
