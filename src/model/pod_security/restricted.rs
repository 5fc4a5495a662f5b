//! The checks of the restricted level, and what would meet them.

use serde_json::{Value, json};

use super::super::object::pointer;
use super::super::pod::PodTemplate;
use super::baseline::{added, bad_seccomp, is_confined, proc_mount};
use super::{Place, Repair, Risk, Violation, in_user_namespace, of_pod, places, pod_security, set};

/// Sources of volumes that are allowed.
const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

pub(super) fn volumes(template: &PodTemplate) -> Vec<Violation> {
    let volumes = template.spec.volumes.iter().enumerate();
    volumes
        .filter_map(|(index, volume)| {
            let sources = volume.source.iter().filter(|(_, source)| !source.is_null());
            let mut kinds = sources.map(|(kind, _)| kind.as_str());
            let kind = kinds.next()?;
            if VOLUMES.contains(&kind) || kinds.any(|other| VOLUMES.contains(&other)) {
                return None;
            }
            Some(Violation {
                check: "restrictedVolumes",
                pointer: format!("/spec/volumes/{index}/{kind}"),
                stable: pointer("/spec/volumes", &[&volume.name, kind]),
                found: volume.source.get(kind).cloned(),
                detail: format!("volume {}: {kind}", volume.name),
                repair: None,
            })
        })
        .collect()
}

pub(super) fn escalation_8(template: &PodTemplate) -> Vec<Violation> {
    let field = ["securityContext", "allowPrivilegeEscalation"];
    let mut out = Vec::new();
    for place in places(template) {
        let found = place.security("/allowPrivilegeEscalation");
        if found == Some(&Value::Bool(false)) {
            continue;
        }
        let mut violation =
            place.violation("allowPrivilegeEscalation", &field, found.cloned(), "allows privilege escalation");
        // The server refuses the field beside these two, which imply escalation.
        if !is_privileged(&place) && !adds(&place, &["SYS_ADMIN", "CAP_SYS_ADMIN"]) {
            violation.repair =
                Some(Repair { pointer: violation.pointer.clone(), value: false.into(), risk: Risk::Low });
        }
        out.push(violation);
    }
    out
}

pub(super) fn escalation_25(template: &PodTemplate) -> Vec<Violation> {
    unless_windows(template, escalation_8)
}

fn is_privileged(place: &Place<'_>) -> bool {
    place.security("/privileged") == Some(&Value::Bool(true))
}

fn adds(place: &Place<'_>, names: &[&str]) -> bool {
    let list = place.security("/capabilities/add").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).any(|name| names.contains(&name))
}

fn unless_windows(template: &PodTemplate, judge: fn(&PodTemplate) -> Vec<Violation>) -> Vec<Violation> {
    if template.spec.is_windows() { Vec::new() } else { judge(template) }
}

pub(super) fn seccomp_19(template: &PodTemplate) -> Vec<Violation> {
    let check = "seccompProfile_restricted";
    let mut out = bad_seccomp(template, check);
    let of_the_pod = pod_security(template, "/seccompProfile/type");
    if of_the_pod.is_some_and(is_confined) {
        return out;
    }
    let bare = places(template).filter(|place| place.security("/seccompProfile").is_none());
    let names: Vec<&str> = bare.map(|place| place.container.name.as_str()).collect();
    if !names.is_empty() && of_the_pod.is_none() {
        let at = "/spec/securityContext/seccompProfile";
        let found = pod_security(template, "/seccompProfile").cloned();
        let detail = format!("no seccomp profile for {}", names.join(", "));
        let mut violation = of_pod(check, at, found, &detail);
        violation.repair =
            Some(Repair { pointer: at.to_owned(), value: json!({"type": "RuntimeDefault"}), risk: Risk::Low });
        out.push(violation);
    }
    out
}

pub(super) fn seccomp_25(template: &PodTemplate) -> Vec<Violation> {
    unless_windows(template, seccomp_19)
}

pub(super) fn capabilities_22(template: &PodTemplate) -> Vec<Violation> {
    let check = "capabilities_restricted";
    let mut out = Vec::new();
    for place in places(template) {
        let list = place.security("/capabilities/drop").and_then(Value::as_array);
        if list.is_some_and(|list| list.iter().any(|name| name == "ALL")) {
            continue;
        }
        let field = ["securityContext", "capabilities", "drop"];
        let found = place.security("/capabilities/drop").cloned();
        let mut violation = place.violation(check, &field, found, "does not drop ALL capabilities");
        let (at, value) = match list {
            Some(list) if !list.is_empty() => (format!("{}/-", violation.pointer), json!("ALL")),
            _ => (violation.pointer.clone(), json!(["ALL"])),
        };
        // A privileged container has all of them whatever it drops.
        if !is_privileged(&place) {
            violation.repair = Some(Repair { pointer: at, value, risk: Risk::Capabilities });
        }
        out.push(violation);
    }
    out.extend(added(template, check, &["NET_BIND_SERVICE"]));
    out
}

pub(super) fn capabilities_25(template: &PodTemplate) -> Vec<Violation> {
    unless_windows(template, capabilities_22)
}

pub(super) fn non_root_0(template: &PodTemplate) -> Vec<Violation> {
    let check = "runAsNonRoot";
    let at = "/spec/securityContext/runAsNonRoot";
    let no = Value::Bool(false);
    let mut out = Vec::new();
    let of_the_pod = pod_security(template, "/runAsNonRoot");
    if of_the_pod == Some(&no) {
        out.push(of_pod(check, at, Some(no.clone()), "runAsNonRoot is false"));
    }
    let field = ["securityContext", "runAsNonRoot"];
    let denying = places(template).filter(|place| place.security("/runAsNonRoot") == Some(&no));
    out.extend(denying.map(|place| place.violation(check, &field, Some(no.clone()), "runAsNonRoot is false")));
    if of_the_pod == Some(&Value::Bool(true)) {
        return out;
    }
    let bare = places(template).filter(|place| place.security("/runAsNonRoot").is_none());
    let names: Vec<&str> = bare.map(|place| place.container.name.as_str()).collect();
    if !names.is_empty() && of_the_pod.is_none() {
        let detail = format!("runAsNonRoot is not set for {}", names.join(", "));
        let mut violation = of_pod(check, at, None, &detail);
        if root_users(template).is_empty() {
            violation.repair = Some(Repair { pointer: at.to_owned(), value: true.into(), risk: Risk::NonRoot });
        }
        out.push(violation);
    }
    out
}

pub(super) fn non_root_35(template: &PodTemplate) -> Vec<Violation> {
    if in_user_namespace(template) { Vec::new() } else { non_root_0(template) }
}

pub(super) fn user_23(template: &PodTemplate) -> Vec<Violation> {
    root_users(template)
}

pub(super) fn user_35(template: &PodTemplate) -> Vec<Violation> {
    if in_user_namespace(template) { Vec::new() } else { root_users(template) }
}

/// Places that say user 0.
fn root_users(template: &PodTemplate) -> Vec<Violation> {
    let check = "runAsUser";
    let is_root = |value: Option<&Value>| set(value).and_then(Value::as_i64) == Some(0);
    let mut out = Vec::new();
    if is_root(pod_security(template, "/runAsUser")) {
        out.push(of_pod(check, "/spec/securityContext/runAsUser", Some(0.into()), "runs as user 0"));
    }
    let field = ["securityContext", "runAsUser"];
    let roots = places(template).filter(|place| is_root(place.security("/runAsUser")));
    out.extend(roots.map(|place| place.violation(check, &field, Some(0.into()), "runs as user 0")));
    out
}

pub(super) fn proc_mount_35(template: &PodTemplate) -> Vec<Violation> {
    proc_mount(template, "procMount_restricted")
}
