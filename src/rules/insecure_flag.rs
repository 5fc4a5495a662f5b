//! insecure-flag: permission checks that a variable switches off.

mod survey;

use std::collections::BTreeMap;

use super::configuration;
use super::rule::{Aspect, Context, Parameter, ParameterKind, Verdicts};
use crate::declare_rule;
use crate::finding::{Category, Confidence, Finding, Location, Priority, Severity};
use crate::fix::{Applicability, Edit, Fix, Step};
use crate::model::cluster::ConfigMap;
use crate::model::consumers::{Consumer, Consumers};
use crate::model::mask::mask;
use crate::model::workload::{self, Workload};
use crate::model::{Inventory, Item};
use survey::{Flags, Key, Open, Place, State, Survey};

declare_rule! {
    /// ## What it does
    /// Reports a flag whose effective value in a container is the opposite of its secure value.
    /// The effective value is the one that the container gets after all `envFrom` sources, `env`
    /// and `$(NAME)` references; a ConfigMap key that another source overrides is not reported.
    /// Files with dotenv, properties, YAML or JSON text, mounted from a ConfigMap, are read too.
    /// The catalogue: `ENABLE_PERMISSION_RESTRICTIONS` must be `"true"`,
    /// `ALLOW_UNKNOWN_API_PATHS` and `ALLOW_EMPTY_PERMISSIONS` must be `"false"`. The
    /// configuration adds flags and changes their secure values under `flags`; `null` takes one
    /// out. Names match exactly. True is `true`, `1`, `yes`, `on`, `enabled`; false is `false`,
    /// `0`, `no`, `off`, `disabled` and the empty text, in any case; another value is unknown, and
    /// so is a value in a Secret. A secure value that is no switch has to be met as it is. A
    /// reference to a key that does not exist is reported as info, since the default of the
    /// application is not known, and so is a ConfigMap that no workload takes: a program may read
    /// it through the API. In manifests without any workload a ConfigMap is judged by itself.
    ///
    /// ## Why it matters
    /// Such a flag opens the application to everybody who reaches it, whatever else is done for
    /// its security.
    ///
    /// ## Example
    /// ```yaml
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: web, namespace: shop}
    /// data: {ALLOW_UNKNOWN_API_PATHS: "true"}
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
    ///         - name: web
    ///           image: web:1
    ///           envFrom: [{configMapRef: {name: web}}]
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// apiVersion: v1
    /// kind: ConfigMap
    /// metadata: {name: web, namespace: shop}
    /// data: {ALLOW_UNKNOWN_API_PATHS: "false"}
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
    ///         - name: web
    ///           image: web:1
    ///           envFrom: [{configMapRef: {name: web}}]
    /// ```
    ///
    /// ## Fix
    /// Unsafe: users who relied on the open check are locked out. Sets the value in the object
    /// that holds it, always as a text, and restarts each workload that keeps the old one: a
    /// variable is read when a container starts, and a file mounted by `subPath` is never updated.
    /// A workload that Reloader watches restarts by itself. One fix for each flag, so that a bad
    /// one can be undone alone. An immutable ConfigMap is refused: it has to be copied and its
    /// consumers switched. A name with the hash of a kustomize build, and a flag inside a file,
    /// are left to a person. Undo restores the value and restarts again; `kubectl rollout undo`
    /// does not restore a ConfigMap.
    ///
    /// ## References
    /// - <https://kubernetes.io/docs/concepts/configuration/configmap/>
    /// - <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables>
    /// - <https://github.com/stakater/Reloader>
    /// - <https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/configmapgenerator/>
    id: "insecure-flag",
    summary: "a flag switches permission checks off",
    severity: Severity::Critical,
    priority: Priority::Immediate,
    category: Category::Security,
    fix: Some(Applicability::Unsafe),
    impact: "The application lets in whom it should not.",
    parameters: &[Parameter {
        key: "flags",
        prompt: "flags by name, each with its secure value",
        kind: ParameterKind::Map,
        default: None,
    }],
    next_stages: &[],
    unmoved_by: Aspect::ALL,
    check: check,
}

/// The flags that are known without a configuration, each with its secure value.
pub const CATALOGUE: [(&str, &str); 3] = [
    ("ENABLE_PERMISSION_RESTRICTIONS", "true"),
    ("ALLOW_UNKNOWN_API_PATHS", "false"),
    ("ALLOW_EMPTY_PERMISSIONS", "false"),
];

/// Plurals of the kinds that take `ConfigMap`s.
const TAKERS: [&str; 4] = ["deployments", "statefulsets", "daemonsets", "cronjobs"];

fn catalogue(context: &Context<'_>) -> Flags {
    let own = |(name, secure): (&str, &str)| (name.to_owned(), secure.to_owned());
    let mut flags: Flags = CATALOGUE.into_iter().map(own).collect();
    flags.extend(context.map("flags"));
    flags.retain(|name, secure| !name.is_empty() && secure != "null");
    flags
}

fn check(context: &Context<'_>, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    let flags = catalogue(context);
    let consumers = Consumers::of(inventory);
    let mut survey = Survey::default();
    for (_, workload) in inventory.audited_workloads() {
        if workload.is_idle() {
            verdicts.na(&workload.subject);
            continue;
        }
        let (found, open) = survey.workload(inventory, &flags, workload);
        if !found && open.is_empty() {
            verdicts.na(&workload.subject);
        }
        for open in open {
            match open {
                Open::Unknown(reason) => verdicts.unknown(&workload.subject, reason),
                Open::Missing(at, flag, sentence) => {
                    verdicts.fail(missing(context, workload, (&at, &flag), sentence));
                }
            }
        }
    }
    survey.files(inventory, &flags);
    for (key, places) in &survey.places {
        judge(context, &flags, &consumers, key, places, verdicts);
    }
    unused(context, &flags, &consumers, verdicts);
}

fn judge(
    context: &Context<'_>,
    flags: &Flags,
    consumers: &Consumers,
    key: &Key,
    places: &BTreeMap<String, Box<Place>>,
    verdicts: &mut Verdicts<'_>,
) {
    let holder = &key.holder;
    let all = places.iter().map(|(pointer, place)| (pointer, &**place));
    let bad: Vec<(&String, &Place)> = all.filter(|(_, place)| place.state == State::Insecure).collect();
    let unclear = places.values().find(|place| place.state == State::Unclear);
    if bad.is_empty() {
        let subject = holder.clone();
        match unclear {
            Some(place) => {
                let value = mask(&key.flag, &place.value);
                verdicts.unknown(&subject, format!("{} is {value:?}, neither true nor false", key.flag));
            }
            None => verdicts.pass(&subject),
        }
        return;
    }
    let secure = &flags[&key.flag];
    if holder.kind == "ConfigMap" {
        if let Some(map) = context.inventory.config_maps.get(holder.namespace(), "ConfigMap", &holder.name) {
            verdicts.fail(in_map(context, consumers, map, (key, secure), &bad));
        }
    } else if let Some(workload) = context.inventory.workloads.get(holder.namespace(), &holder.kind, &holder.name) {
        let finding = describe(context.finding(workload, String::new()), key, secure, &bad);
        verdicts.fail(
            context
                .detail(finding, |finding| finding.fix(fix_literal(context.inventory, workload, (key, secure), &bad))),
        );
    }
}

/// Message and places, without the fix.
fn describe(mut finding: Finding, key: &Key, secure: &str, bad: &[(&String, &Place)]) -> Finding {
    let flag = &key.flag;
    let first = mask(flag, &bad[0].1.value);
    finding.message = match &key.file {
        Some(file) => format!("{flag} is {first:?} in file {file}, secure value {secure:?}"),
        None => format!("{flag} is {first:?}, secure value {secure:?}"),
    };
    for (at, place) in bad {
        let location = Location::at(*at).named(&place.stable);
        finding = finding.at(match key.file {
            // The value of the place is the whole file, which nobody asked for.
            Some(_) => location,
            None => location.values(Some(place.raw.as_str().into()), Some(secure.into())),
        });
        if place.raw != place.value {
            let (raw, value) = (mask(flag, &place.raw), mask(flag, &place.value));
            finding = finding.because(format!("{}: {raw:?} becomes {value:?}", place.source));
        }
        if let Some(secret) = &place.overridden_by {
            finding.confidence = Confidence::Inferred;
            finding = finding.because(format!("{secret} follows in envFrom and may hold {flag} too"));
        }
    }
    finding.because(format!("the flag catalogue holds {secure:?} as secure"))
}

fn in_map(
    context: &Context<'_>,
    consumers: &Consumers,
    map: &Item<ConfigMap>,
    (key, secure): (&Key, &str),
    bad: &[(&String, &Place)],
) -> Finding {
    let inventory = context.inventory;
    let mut takers: Vec<Consumer> = Vec::new();
    for (at, _) in bad {
        let name = at.trim_start_matches("/data/").replace("~1", "/").replace("~0", "~");
        takers.extend(consumers.takers(inventory, map, &name));
    }
    let finding = describe(context.finding(map, String::new()), key, secure, bad);
    let finding = configuration::tell_takers(inventory, finding, &takers)
        .because("programs that read the ConfigMap through the API can't be seen");
    let title = format!("Set {} to {secure:?} in {}", key.flag, map.subject.short());
    if let Some(file) = &key.file {
        let fix = Fix::new(title, Applicability::Manual)
            .note(format!("set {} to {secure} in the text of {}, key {file}", key.flag, map.subject.short()))
            .note("a file is updated while the pod runs, one mounted by subPath only by a restart");
        return finding.fix(fix);
    }
    let mut fix = Fix::new(title, Applicability::Unsafe).consequence(LOCKED_OUT);
    if configuration::guard(&mut fix, map) {
        let edits = bad.iter().map(|(at, _)| Edit::set(at.as_str(), secure)).collect();
        fix = fix.step(Step::patch(&map.subject, edits));
        configuration::restart(inventory, &mut fix, map, &takers);
    }
    if let Some(reason) = unseen_takers(inventory, map.namespace()) {
        fix = fix.note(format!("other consumers may exist: {reason}"));
    }
    finding.fix(fix)
}

const LOCKED_OUT: &str = "users and calls that relied on the open check are refused";

fn fix_literal(
    inventory: &Inventory,
    workload: &Item<Workload>,
    (key, secure): (&Key, &str),
    bad: &[(&String, &Place)],
) -> Fix {
    let edits = bad.iter().map(|(at, _)| Edit::set(at.as_str(), secure)).collect();
    let places: Vec<&str> = bad.iter().map(|(_, place)| place.source.as_str()).collect();
    let name = workload.subject.short();
    let title = format!("Set {} to {secure:?} in {name}, {}", key.flag, places.join(", "));
    let mut fix =
        Fix::new(title, Applicability::Unsafe).consequence(LOCKED_OUT).step(Step::patch(&workload.subject, edits));
    match workload.kind.as_str() {
        "CronJob" => fix = fix.consequence(format!("{name} takes the new value with its next run")),
        "Pod" if inventory.is_live() => {
            fix.refuse("immutable", format!("the variables of {name} can't be changed while it exists"));
        }
        _ => {}
    }
    fix
}

fn missing(context: &Context<'_>, workload: &Item<Workload>, (at, flag): (&str, &str), sentence: String) -> Finding {
    let mut finding = context.finding(workload, sentence).severity(Severity::Info);
    finding.priority = Priority::LongTerm;
    finding
        .at(Location::at(at).named(format!("{}/env/{flag}", workload.pod_spec_pointer())))
        .because("the default of the application is not known")
}

/// Flags in `ConfigMap`s that no workload names.
fn unused(context: &Context<'_>, flags: &Flags, consumers: &Consumers, verdicts: &mut Verdicts<'_>) {
    let inventory = context.inventory;
    for map in inventory.config_maps.iter().filter(|map| inventory.scope.covers(map.namespace())) {
        if !survey::is_alone(consumers, map) {
            continue;
        }
        let mut survey = Survey::default();
        survey::flag_keys(flags, map).for_each(|key| survey.map_key(flags, map, key));
        let alone = !inventory.is_live() && !inventory.is_complete() && !has_workloads(inventory, map.namespace());
        for (key, places) in &survey.places {
            let mut found = Verdicts::default();
            judge(context, flags, consumers, key, places, &mut found);
            if alone {
                verdicts.outcomes.append(&mut found.outcomes);
                let inferred = |finding: Finding| {
                    finding.confidence(Confidence::Inferred).because("no workload stands in the files")
                };
                verdicts.findings.extend(found.findings.into_iter().map(inferred));
                continue;
            }
            for finding in found.findings {
                match unseen_takers(inventory, map.namespace()) {
                    Some(reason) => verdicts.unknown(&map.subject, reason),
                    None => verdicts.fail(without_taker(finding)),
                }
            }
        }
    }
}

fn without_taker(finding: Finding) -> Finding {
    let mut finding = finding.severity(Severity::Info).because("no workload that was read takes it");
    finding.priority = Priority::LongTerm;
    finding.message.push_str("; no workload takes it");
    finding
}

fn has_workloads(inventory: &Inventory, namespace: &str) -> bool {
    let within = inventory.workloads.within(namespace);
    within.iter().any(|item| workload::KINDS.contains(&item.kind.as_str()) || item.kind == "Pod")
}

/// Why a consumer may exist although it was not read.
fn unseen_takers(inventory: &Inventory, namespace: &str) -> Option<String> {
    TAKERS.iter().find_map(|plural| inventory.unseen(plural, namespace))
}
