//! The checks of the baseline level.

use serde_json::Value;

use super::super::object::pointer;
use super::super::pod::PodTemplate;
use super::{Violation, in_user_namespace, of_pod, places, pod_security, set};

const TRUE: Value = Value::Bool(true);

pub(super) fn privileged(template: &PodTemplate) -> Vec<Violation> {
    places(template)
        .filter(|place| place.security("/privileged") == Some(&TRUE))
        .map(|place| place.violation("privileged", &["securityContext", "privileged"], Some(TRUE), "privileged"))
        .collect()
}

pub(super) fn host_namespaces(template: &PodTemplate) -> Vec<Violation> {
    let spec = &template.spec;
    [("hostNetwork", spec.host_network), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc)]
        .into_iter()
        .filter(|(_, value)| *value == Some(true))
        .map(|(field, _)| of_pod("hostNamespaces", &pointer("/spec", &[field]), Some(TRUE), field))
        .collect()
}

pub(super) fn host_path_volumes(template: &PodTemplate) -> Vec<Violation> {
    let volumes = template.spec.volumes.iter().enumerate();
    volumes
        .filter(|(_, volume)| set(volume.source.get("hostPath")).is_some())
        .map(|(index, volume)| Violation {
            check: "hostPathVolumes",
            pointer: format!("/spec/volumes/{index}/hostPath"),
            stable: pointer("/spec/volumes", &[&volume.name, "hostPath"]),
            found: volume.source.get("hostPath").cloned(),
            detail: format!("volume {}: hostPath", volume.name),
            repair: None,
        })
        .collect()
}

pub(super) fn host_ports(template: &PodTemplate) -> Vec<Violation> {
    let mut out = Vec::new();
    for place in places(template) {
        for (index, port) in place.container.ports.iter().enumerate() {
            if let Some(number) = port.host_port.filter(|number| *number != 0) {
                let field = ["ports", &index.to_string(), "hostPort"];
                out.push(place.violation("hostPorts", &field, Some(number.into()), &format!("hostPort {number}")));
            }
        }
    }
    out
}

/// Capabilities that may be added at the baseline level.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

pub(super) fn capabilities(template: &PodTemplate) -> Vec<Violation> {
    added(template, "capabilities_baseline", &CAPABILITIES)
}

/// Capabilities that are added and not allowed.
pub(super) fn added(template: &PodTemplate, check: &'static str, allowed: &[&str]) -> Vec<Violation> {
    let mut out = Vec::new();
    for place in places(template) {
        let list = place.security("/capabilities/add").and_then(Value::as_array);
        let names: Vec<&str> = list.into_iter().flatten().filter_map(Value::as_str).collect();
        let bad: Vec<&str> = names.into_iter().filter(|name| !allowed.contains(name)).collect();
        if !bad.is_empty() {
            let found = place.security("/capabilities/add").cloned();
            let field = ["securityContext", "capabilities", "add"];
            out.push(place.violation(check, &field, found, &format!("adds {}", bad.join(", "))));
        }
    }
    out
}

pub(super) fn app_armor(template: &PodTemplate) -> Vec<Violation> {
    let is_bad = |value: &Value| !matches!(value.as_str(), Some("RuntimeDefault" | "Localhost"));
    let mut out = Vec::new();
    if let Some(profile) = pod_security(template, "/appArmorProfile/type").filter(|value| is_bad(value)) {
        let at = "/spec/securityContext/appArmorProfile/type";
        out.push(of_pod("appArmorProfile", at, Some(profile.clone()), "AppArmor profile"));
    }
    for place in places(template) {
        if let Some(profile) = place.security("/appArmorProfile/type").filter(|value| is_bad(value)) {
            let field = ["securityContext", "appArmorProfile", "type"];
            out.push(place.violation("appArmorProfile", &field, Some(profile.clone()), "AppArmor profile"));
        }
    }
    for (key, value) in &template.metadata.annotations {
        let ours = key.starts_with("container.apparmor.security.beta.kubernetes.io/");
        let fine = value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
        if ours && !fine {
            let at = pointer("/metadata/annotations", &[key]);
            out.push(of_pod("appArmorProfile", &at, Some(value.as_str().into()), "AppArmor profile"));
        }
    }
    out
}

const SELINUX_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

pub(super) fn selinux_0(template: &PodTemplate) -> Vec<Violation> {
    selinux(template, &SELINUX_TYPES[..4])
}

pub(super) fn selinux_31(template: &PodTemplate) -> Vec<Violation> {
    selinux(template, &SELINUX_TYPES)
}

fn selinux(template: &PodTemplate, types: &[&str]) -> Vec<Violation> {
    let bad = |member: &str, value: &Value| {
        let text = value.as_str().unwrap_or_default();
        if member == "type" { !types.contains(&text) } else { !text.is_empty() }
    };
    let stands = |options: &Value, member: &str| set(options.get(member)).filter(|value| bad(member, value)).cloned();
    let own = pod_security(template, "/seLinuxOptions");
    let placed: Vec<_> =
        places(template).filter_map(|place| Some((place.security("/seLinuxOptions")?, place))).collect();
    let mut out = Vec::new();
    for member in ["type", "user", "role"] {
        let detail = || format!("SELinux {member}");
        if let Some(value) = own.and_then(|options| stands(options, member)) {
            let at = format!("/spec/securityContext/seLinuxOptions/{member}");
            out.push(of_pod("seLinuxOptions", &at, Some(value), &detail()));
        }
        for (options, place) in &placed {
            if let Some(value) = stands(options, member) {
                let field = ["securityContext", "seLinuxOptions", member];
                out.push(place.violation("seLinuxOptions", &field, Some(value), &detail()));
            }
        }
    }
    out
}

pub(super) fn proc_mount_0(template: &PodTemplate) -> Vec<Violation> {
    proc_mount(template, "procMount")
}

pub(super) fn proc_mount_35(template: &PodTemplate) -> Vec<Violation> {
    if in_user_namespace(template) {
        return Vec::new();
    }
    proc_mount(template, "procMount")
}

pub(super) fn proc_mount(template: &PodTemplate, check: &'static str) -> Vec<Violation> {
    let mut out = Vec::new();
    for place in places(template) {
        if let Some(value) = place.security("/procMount").filter(|value| value.as_str() != Some("Default")) {
            let field = ["securityContext", "procMount"];
            out.push(place.violation(check, &field, Some(value.clone()), "procMount"));
        }
    }
    out
}

/// Before 1.19 the profile stood in alpha annotations.
pub(super) fn seccomp_0(template: &PodTemplate) -> Vec<Violation> {
    let fine = |value: &str| matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let of_pod_key = "seccomp.security.alpha.kubernetes.io/pod".to_owned();
    let of_containers = places(template)
        .map(|place| format!("container.seccomp.security.alpha.kubernetes.io/{}", place.container.name));
    std::iter::once(of_pod_key)
        .chain(of_containers)
        .filter_map(|key| {
            let value = template.metadata.annotation(&key).filter(|value| !fine(value))?;
            let at = pointer("/metadata/annotations", &[&key]);
            Some(of_pod("seccompProfile_baseline", &at, Some(value.into()), "seccomp profile"))
        })
        .collect()
}

pub(super) fn seccomp_19(template: &PodTemplate) -> Vec<Violation> {
    bad_seccomp(template, "seccompProfile_baseline")
}

/// True for a profile that confines.
pub(super) fn is_confined(value: &Value) -> bool {
    matches!(value.as_str(), Some("RuntimeDefault" | "Localhost"))
}

/// Profiles that are set and do not confine.
pub(super) fn bad_seccomp(template: &PodTemplate, check: &'static str) -> Vec<Violation> {
    let mut out = Vec::new();
    if let Some(value) = pod_security(template, "/seccompProfile/type").filter(|value| !is_confined(value)) {
        let at = "/spec/securityContext/seccompProfile/type";
        out.push(of_pod(check, at, Some(value.clone()), "seccomp profile"));
    }
    for place in places(template) {
        if let Some(value) = place.security("/seccompProfile/type").filter(|value| !is_confined(value)) {
            let field = ["securityContext", "seccompProfile", "type"];
            out.push(place.violation(check, &field, Some(value.clone()), "seccomp profile"));
        }
    }
    out
}

/// Sysctls that are safe, in the order of the versions that added them.
const SYSCTLS: [&str; 14] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_notsent_lowat",
];

pub(super) fn sysctls_0(template: &PodTemplate) -> Vec<Violation> {
    sysctls(template, &SYSCTLS[..5])
}

pub(super) fn sysctls_27(template: &PodTemplate) -> Vec<Violation> {
    sysctls(template, &SYSCTLS[..6])
}

pub(super) fn sysctls_29(template: &PodTemplate) -> Vec<Violation> {
    sysctls(template, &SYSCTLS[..10])
}

pub(super) fn sysctls_32(template: &PodTemplate) -> Vec<Violation> {
    sysctls(template, &SYSCTLS[..12])
}

pub(super) fn sysctls_37(template: &PodTemplate) -> Vec<Violation> {
    sysctls(template, &SYSCTLS)
}

fn sysctls(template: &PodTemplate, allowed: &[&str]) -> Vec<Violation> {
    let list = pod_security(template, "/sysctls").and_then(Value::as_array);
    let names = list.into_iter().flatten().enumerate();
    names
        .filter_map(|(index, sysctl)| {
            let name = sysctl.get("name")?.as_str().filter(|name| !allowed.contains(name))?;
            let at = format!("/spec/securityContext/sysctls/{index}/name");
            let stable = pointer("/spec/securityContext/sysctls", &[name]);
            let violation = of_pod("sysctls", &at, Some(name.into()), &format!("sysctl {name}"));
            Some(Violation { stable, ..violation })
        })
        .collect()
}

pub(super) fn host_process(template: &PodTemplate) -> Vec<Violation> {
    let mut out = Vec::new();
    if pod_security(template, "/windowsOptions/hostProcess") == Some(&TRUE) {
        let at = "/spec/securityContext/windowsOptions/hostProcess";
        out.push(of_pod("windowsHostProcess", at, Some(TRUE), "hostProcess"));
    }
    let containers = places(template).filter(|place| place.security("/windowsOptions/hostProcess") == Some(&TRUE));
    let field = ["securityContext", "windowsOptions", "hostProcess"];
    out.extend(containers.map(|place| place.violation("windowsHostProcess", &field, Some(TRUE), "hostProcess")));
    out
}

pub(super) fn probe_hosts(template: &PodTemplate) -> Vec<Violation> {
    let mut out = Vec::new();
    for place in places(template) {
        let container = place.container;
        let hooks = container.lifecycle.as_deref();
        let handlers: [(&[&str], Option<&Value>); 5] = [
            (&["livenessProbe"], container.liveness_probe.as_deref()),
            (&["readinessProbe"], container.readiness_probe.as_deref()),
            (&["startupProbe"], container.startup_probe.as_deref()),
            (&["lifecycle", "postStart"], hooks.and_then(|hooks| hooks.get("postStart"))),
            (&["lifecycle", "preStop"], hooks.and_then(|hooks| hooks.get("preStop"))),
        ];
        for (path, handler) in handlers {
            for action in ["httpGet", "tcpSocket"] {
                let host = handler.and_then(|handler| handler.get(action)?.get("host"));
                if let Some(host) = host.filter(|host| host.as_str().is_some_and(|text| !text.is_empty())) {
                    let field = [path, &[action, "host"]].concat();
                    let detail = format!("host in {}", path.join("."));
                    out.push(place.violation("hostProbesAndHostLifecycle", &field, Some(host.clone()), &detail));
                }
            }
        }
    }
    out
}
