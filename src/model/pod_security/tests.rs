//! The checks against the fixtures of the standard: what each level allows and forbids.

use serde_json::{Value, json};

use super::*;

fn template(spec: &Value) -> PodTemplate {
    serde_json::from_value(json!({"spec": spec})).unwrap()
}

fn fails(spec: &Value, level: Level, minor: u32) -> Vec<&'static str> {
    failing(&evaluate(&template(spec), level, minor))
}

/// A template that meets the restricted level, with changes of its container and of its pod.
fn good(container: &Value, pod: &Value) -> Value {
    let mut spec = json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "web", "image": "web:1",
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]
    });
    merge(&mut spec["containers"][0], container);
    merge(&mut spec, pod);
    spec
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

#[test]
fn a_hardened_pod_passes_and_an_empty_one_fails_restricted() {
    let none = json!({});
    assert!(fails(&good(&none, &none), Level::Restricted, NEWEST).is_empty());
    let bare = json!({"containers": [{"name": "web"}]});
    assert!(fails(&bare, Level::Baseline, NEWEST).is_empty());
    assert!(fails(&bare, Level::Privileged, NEWEST).is_empty());
    let all = ["allowPrivilegeEscalation", "seccompProfile_restricted", "capabilities_restricted", "runAsNonRoot"];
    assert_eq!(fails(&bare, Level::Restricted, NEWEST), all);
    assert_eq!(fails(&bare, Level::Restricted, 7), ["runAsNonRoot"]);
    assert_eq!(fails(&bare, Level::Restricted, 18), ["allowPrivilegeEscalation", "runAsNonRoot"]);
}

#[test]
fn every_check_of_the_baseline_level() {
    let cases = [
        ("privileged", json!({"securityContext": {"privileged": true}}), json!({})),
        ("hostNamespaces", json!({}), json!({"hostPID": true})),
        ("hostPorts", json!({"ports": [{"containerPort": 80, "hostPort": 80}]}), json!({})),
        ("appArmorProfile", json!({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}}), json!({})),
        ("seLinuxOptions", json!({}), json!({"securityContext": {"seLinuxOptions": {"type": "spc_t"}}})),
        ("seLinuxOptions", json!({"securityContext": {"seLinuxOptions": {"user": "system_u"}}}), json!({})),
        ("sysctls", json!({}), json!({"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}})),
        ("windowsHostProcess", json!({}), json!({"securityContext": {"windowsOptions": {"hostProcess": true}}})),
        ("hostProbesAndHostLifecycle", json!({"livenessProbe": {"httpGet": {"host": "x", "port": 1}}}), json!({})),
        ("hostProbesAndHostLifecycle", json!({"lifecycle": {"preStop": {"tcpSocket": {"host": "x"}}}}), json!({})),
    ];
    for (check, container, pod) in cases {
        let spec = good(&container, &pod);
        assert_eq!(fails(&spec, Level::Baseline, NEWEST), [check], "{spec}");
        assert_eq!(fails(&spec, Level::Restricted, NEWEST), [check], "{spec}");
    }
}

#[test]
fn checks_of_the_restricted_level_take_the_place_of_baseline_ones() {
    let none = json!({});
    for (baseline, restricted, container, pod) in [
        (
            "hostPathVolumes",
            "restrictedVolumes",
            none.clone(),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
        ),
        (
            "capabilities_baseline",
            "capabilities_restricted",
            json!({"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}),
            none.clone(),
        ),
        (
            "seccompProfile_baseline",
            "seccompProfile_restricted",
            json!({"securityContext": {"seccompProfile": {"type": "Unconfined"}}}),
            none.clone(),
        ),
        ("procMount", "procMount_restricted", json!({"securityContext": {"procMount": "Unmasked"}}), none.clone()),
    ] {
        let spec = good(&container, &pod);
        assert_eq!(fails(&spec, Level::Baseline, NEWEST), [baseline]);
        assert_eq!(fails(&spec, Level::Restricted, NEWEST), [restricted]);
    }
    let chown = json!({"securityContext": {"capabilities": {"add": ["CHOWN"]}}});
    assert!(fails(&good(&chown, &none), Level::Baseline, NEWEST).is_empty());
    assert_eq!(fails(&good(&chown, &none), Level::Restricted, NEWEST), ["capabilities_restricted"]);
    let bind = json!({"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}}});
    assert!(fails(&good(&bind, &none), Level::Restricted, NEWEST).is_empty());
    let nfs = good(&none, &json!({"volumes": [{"name": "v", "nfs": {"server": "x", "path": "/"}}, {"name": "e"}]}));
    assert!(fails(&nfs, Level::Baseline, NEWEST).is_empty());
    assert_eq!(fails(&nfs, Level::Restricted, NEWEST), ["restrictedVolumes"]);
}

#[test]
fn versions_add_and_relax() {
    let none = json!({});
    let sysctl = |name: &str| good(&none, &json!({"securityContext": {"sysctls": [{"name": name, "value": "1"}]}}));
    for (name, since) in [
        ("net.ipv4.ip_local_reserved_ports", 27),
        ("net.ipv4.tcp_keepalive_time", 29),
        ("net.ipv4.tcp_wmem", 32),
        ("net.ipv4.tcp_notsent_lowat", 37),
    ] {
        assert_eq!(fails(&sysctl(name), Level::Baseline, since - 1), ["sysctls"]);
        assert!(fails(&sysctl(name), Level::Baseline, since).is_empty());
    }
    let probe = good(&json!({"readinessProbe": {"tcpSocket": {"host": "x"}}}), &none);
    assert!(fails(&probe, Level::Baseline, 33).is_empty());
    let engine = good(&none, &json!({"securityContext": {"seLinuxOptions": {"type": "container_engine_t"}}}));
    assert_eq!(fails(&engine, Level::Baseline, 30), ["seLinuxOptions"]);
    assert!(fails(&engine, Level::Baseline, 31).is_empty());
    let root = good(&none, &json!({"hostUsers": false, "securityContext": {"runAsNonRoot": null, "runAsUser": 0}}));
    assert_eq!(fails(&root, Level::Restricted, 34), ["runAsNonRoot", "runAsUser"]);
    assert!(fails(&root, Level::Restricted, 35).is_empty());
    let unmasked = good(&json!({"securityContext": {"procMount": "Unmasked"}}), &json!({"hostUsers": false}));
    assert!(fails(&unmasked, Level::Baseline, 35).is_empty());
    assert_eq!(fails(&unmasked, Level::Restricted, 35), ["procMount_restricted"]);
    let windows =
        json!({"os": {"name": "windows"}, "securityContext": {"runAsNonRoot": true}, "containers": [{"name": "web"}]});
    assert!(fails(&windows, Level::Restricted, 25).is_empty());
    assert_eq!(fails(&windows, Level::Restricted, 24).len(), 3);
}

#[test]
fn containers_and_pod_stand_in_for_each_other() {
    let own = json!({"containers": [{"name": "web", "securityContext": {
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": true, "seccompProfile": {"type": "Localhost", "localhostProfile": "x"}}}]});
    assert!(fails(&own, Level::Restricted, NEWEST).is_empty());
    let init = json!({"initContainers": [{"name": "init"}]});
    let spec = good(&json!({}), &init);
    assert_eq!(fails(&spec, Level::Restricted, NEWEST), ["allowPrivilegeEscalation", "capabilities_restricted"]);
    let denied = good(&json!({"securityContext": {"runAsNonRoot": false}}), &json!({}));
    assert_eq!(fails(&denied, Level::Restricted, NEWEST), ["runAsNonRoot"]);
}

#[test]
fn annotations_count_where_fields_do_not_yet() {
    let annotated = |key: &str, value: &str| -> PodTemplate {
        let mut annotated = template(&good(&json!({}), &json!({})));
        annotated.metadata.annotations.insert(key.into(), value.into());
        annotated
    };
    let armor = annotated("container.apparmor.security.beta.kubernetes.io/web", "unconfined");
    assert_eq!(failing(&evaluate(&armor, Level::Restricted, NEWEST)), ["appArmorProfile"]);
    let alpha = annotated("seccomp.security.alpha.kubernetes.io/pod", "unconfined");
    assert_eq!(failing(&evaluate(&alpha, Level::Baseline, 18)), ["seccompProfile_baseline"]);
    assert!(evaluate(&alpha, Level::Baseline, 19).is_empty());
}

#[test]
fn repairs_are_offered_where_they_can_hold() {
    let repairs = |spec: &Value| -> Vec<String> {
        let violations = evaluate(&template(spec), Level::Restricted, NEWEST);
        violations.into_iter().filter_map(|violation| violation.repair).map(|repair| repair.pointer).collect()
    };
    let bare = json!({"containers": [{"name": "web", "securityContext": {"capabilities": {"drop": ["KILL"]}}}]});
    assert_eq!(
        repairs(&bare),
        [
            "/spec/containers/0/securityContext/allowPrivilegeEscalation",
            "/spec/securityContext/seccompProfile",
            "/spec/containers/0/securityContext/capabilities/drop/-",
            "/spec/securityContext/runAsNonRoot"
        ]
    );
    let root = json!({"containers": [{"name": "web", "securityContext": {"privileged": true, "runAsUser": 0}}]});
    assert_eq!(repairs(&root), ["/spec/securityContext/seccompProfile"]);
}

#[test]
fn versions_are_read_from_labels() {
    assert_eq!(version(Some("v1.30"), None), 30);
    assert_eq!(version(Some("v1.30"), Some(28)), 28);
    assert_eq!(version(Some("latest"), Some(33)), 33);
    assert_eq!(version(None, None), NEWEST);
    assert_eq!(version(Some("v1.99"), Some(99)), NEWEST);
}
