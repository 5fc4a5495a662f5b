//! The Pod Security Standards: which checks a pod template fails at a level and a version.
//!
//! The table follows the API server's own admission plugin, `k8s.io/pod-security-admission`
//! v0.37, check by check and version by version. Ephemeral containers are not part of templates.

mod baseline;
mod restricted;

use serde_json::Value;

use super::object::{member, pointer};
use super::pod::{Container, PodTemplate};

/// The newest minor version whose checks are known.
pub const NEWEST: u32 = 37;

/// How strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No checks.
    Privileged,
    /// Known ways out of a container are closed.
    Baseline,
    /// Hardened.
    Restricted,
}

impl Level {
    /// The level that a label names.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "privileged" => Some(Self::Privileged),
            "baseline" => Some(Self::Baseline),
            "restricted" => Some(Self::Restricted),
            _ => None,
        }
    }

    /// The word of the label.
    pub fn word(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// The minor version that a version label means: `v1.32`, or `latest` and everything else for the
/// newest that the server knows.
pub fn version(label: Option<&str>, server_minor: Option<u32>) -> u32 {
    let newest = server_minor.unwrap_or(NEWEST).min(NEWEST);
    let named = label.and_then(|text| text.strip_prefix("v1."));
    named.and_then(|minor| minor.parse().ok()).map_or(newest, |minor: u32| minor.min(newest))
}

/// How much a repair may break, from least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Few programs notice: privilege escalation, the seccomp profile.
    Low,
    /// Ports below 1024, `chown` and `ping` need capabilities.
    Capabilities,
    /// Images whose user is root or has no number do not start.
    NonRoot,
}

/// What would meet a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    /// The field below the template; a last segment `-` appends.
    pub pointer: String,
    /// Its value.
    pub value: Value,
    /// How much it may break.
    pub risk: Risk,
}

/// One place of a template that fails a check.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The check's id, as the admission plugin has it.
    pub check: &'static str,
    /// The field below the template.
    pub pointer: String,
    /// The same with names in place of list positions.
    pub stable: String,
    /// What stands there.
    pub found: Option<Value>,
    /// What is wrong, a fragment: `container web: privileged`.
    pub detail: String,
    /// What would meet the check, where that can be known.
    pub repair: Option<Repair>,
}

type Judge = fn(&PodTemplate) -> Vec<Violation>;

/// One check, and since which minor version it judges how.
struct Check {
    level: Level,
    versions: &'static [(u32, Judge)],
    /// Since which version another check takes its place at the restricted level.
    overridden_since: Option<u32>,
}

/// Every check, in the order of the findings.
const CHECKS: [Check; 19] = [
    Check::baseline(&[(0, baseline::privileged)]),
    Check::baseline(&[(0, baseline::host_namespaces)]),
    Check::baseline(&[(0, baseline::host_path_volumes)]).until(0),
    Check::baseline(&[(0, baseline::host_ports)]),
    Check::baseline(&[(0, baseline::capabilities)]).until(22),
    Check::baseline(&[(0, baseline::app_armor)]),
    Check::baseline(&[(0, baseline::selinux_0), (31, baseline::selinux_31)]),
    Check::baseline(&[(0, baseline::proc_mount_0), (35, baseline::proc_mount_35)]).until(35),
    Check::baseline(&[(0, baseline::seccomp_0), (19, baseline::seccomp_19)]).until(19),
    Check::baseline(&[
        (0, baseline::sysctls_0),
        (27, baseline::sysctls_27),
        (29, baseline::sysctls_29),
        (32, baseline::sysctls_32),
        (37, baseline::sysctls_37),
    ]),
    Check::baseline(&[(0, baseline::host_process)]),
    Check::baseline(&[(34, baseline::probe_hosts)]),
    Check::restricted(&[(0, restricted::volumes)]),
    Check::restricted(&[(8, restricted::escalation_8), (25, restricted::escalation_25)]),
    Check::restricted(&[(19, restricted::seccomp_19), (25, restricted::seccomp_25)]),
    Check::restricted(&[(22, restricted::capabilities_22), (25, restricted::capabilities_25)]),
    Check::restricted(&[(0, restricted::non_root_0), (35, restricted::non_root_35)]),
    Check::restricted(&[(23, restricted::user_23), (35, restricted::user_35)]),
    Check::restricted(&[(35, restricted::proc_mount_35)]),
];

impl Check {
    const fn baseline(versions: &'static [(u32, Judge)]) -> Self {
        Self { level: Level::Baseline, versions, overridden_since: None }
    }

    const fn restricted(versions: &'static [(u32, Judge)]) -> Self {
        Self { level: Level::Restricted, versions, overridden_since: None }
    }

    const fn until(mut self, minor: u32) -> Self {
        self.overridden_since = Some(minor);
        self
    }

    /// The form of the check that applies.
    fn at(&self, level: Level, minor: u32) -> Option<Judge> {
        let overridden = level == Level::Restricted && self.overridden_since.is_some_and(|since| minor >= since);
        if self.level > level || overridden {
            return None;
        }
        let form = self.versions.iter().rfind(|(since, _)| *since <= minor);
        form.map(|(_, judge)| *judge)
    }
}

/// Every place where a template fails a check of the level, as that minor version judges.
pub fn evaluate(template: &PodTemplate, level: Level, minor: u32) -> Vec<Violation> {
    let judges = CHECKS.iter().filter_map(|check| check.at(level, minor));
    let mut violations: Vec<Violation> = judges.flat_map(|judge| judge(template)).collect();
    if template.spec.is_windows() {
        // Before 1.25 the checks asked all pods for fields that the API refuses for Windows.
        violations.iter_mut().for_each(|violation| {
            violation.repair.take_if(|repair| !repair.pointer.ends_with("/runAsNonRoot"));
        });
    }
    violations
}

/// The ids of the checks that fail, each once, in order.
pub fn failing(violations: &[Violation]) -> Vec<&'static str> {
    let mut out = Vec::new();
    for violation in violations {
        if !out.contains(&violation.check) {
            out.push(violation.check);
        }
    }
    out
}

/// A container and where it stands in the template.
struct Place<'a> {
    list: &'static str,
    index: usize,
    container: &'a Container,
}

impl<'a> Place<'a> {
    /// A field of the container.
    fn pointer(&self, field: &[&str]) -> String {
        let index = self.index.to_string();
        pointer(&pointer("/spec", &[self.list, &index]), field)
    }

    fn violation(&self, check: &'static str, field: &[&str], found: Option<Value>, detail: &str) -> Violation {
        Violation {
            check,
            pointer: self.pointer(field),
            stable: pointer(&pointer("/spec", &[self.list, &self.container.name]), field),
            found,
            detail: format!("container {}: {detail}", self.container.name),
            repair: None,
        }
    }

    /// A member of the container's security context.
    fn security(&self, path: &str) -> Option<&'a Value> {
        set(member(self.container.security_context.as_ref()?, path))
    }
}

/// The containers that checks visit.
fn places(template: &PodTemplate) -> impl Iterator<Item = Place<'_>> {
    template.spec.all_containers().map(|(list, index, container)| Place { list, index, container })
}

/// A member of the pod's security context.
fn pod_security<'a>(template: &'a PodTemplate, path: &str) -> Option<&'a Value> {
    set(member(template.spec.security_context.as_ref()?, path))
}

/// A value that is not null.
fn set(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

/// A violation of a field of the pod.
fn of_pod(check: &'static str, at: &str, found: Option<Value>, detail: &str) -> Violation {
    Violation {
        check,
        pointer: at.to_owned(),
        stable: at.to_owned(),
        found,
        detail: format!("pod: {detail}"),
        repair: None,
    }
}

/// True if the pod runs in a user namespace, which relaxes some checks since 1.35.
fn in_user_namespace(template: &PodTemplate) -> bool {
    template.spec.host_users == Some(false)
}

#[cfg(test)]
mod tests;
