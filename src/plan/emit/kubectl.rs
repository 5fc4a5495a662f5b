//! A shell script that does with kubectl what a fix would do: every patch with its guards.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Part, comment, yaml};
use crate::model::ObjectRef;
use crate::model::inventory::resource_name;
use crate::plan::draft::{Drafted, NOW};
use crate::plan::encode::to_bytes;
use crate::plan::patch::Guarded;

/// Kinds whose rollout kubectl waits for.
const ROLLING: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// What a script says about itself.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its first line.
    pub title: String,
    /// The cluster it is for: its uid, where it is known, and its server.
    pub cluster: Option<String>,
    /// The server's URL.
    pub server: String,
    /// The name of the writer in managedFields.
    pub field_manager: String,
}

/// The whole script: every request as a function, each tried by the server before the first of them
/// is real, then all of them in order.
pub fn script(parts: &[Part], about: &About) -> String {
    let mut out = "#!/bin/sh\n".to_owned();
    out += &comment(&[
        about.title.clone(),
        "The server tries each request before anything is changed. Each patch tests what it changes: the".to_owned(),
        "server refuses it where something has changed since.".to_owned(),
    ]);
    out += "set -eu\n\n";
    out += HELPERS;
    let steps = || parts.iter().flat_map(|part| &part.steps);
    if steps().any(|step| matches!(step, Drafted::Restart { .. })) {
        out += "now=$(date -u +%Y-%m-%dT%H:%M:%SZ)\n";
    }
    if let Some(uid) = &about.cluster {
        let message = quote(&format!("This script is for another cluster: {}", about.server));
        writeln!(
            out,
            "if [ \"$(kubectl get namespace kube-system -o 'jsonpath={{.metadata.uid}}')\" != {} ]; then\n  echo {message} >&2\n  exit 1\nfi",
            quote(uid)
        )
        .expect("a String takes text");
    }
    out += "\n";
    let requests = || steps().enumerate().filter_map(|(number, step)| Some((number, step, request(step, about)?)));
    for (number, _, body) in requests() {
        writeln!(out, "step_{}() {{\n{body}}}", number + 1).expect("a String takes text");
    }
    let first = first_tries(parts);
    out += "\n# The dry runs: one refusal ends it all, with nothing changed.\n";
    for (number, step, _) in requests().filter(|(number, ..)| first.contains(number)) {
        out += &call("try", number, step);
    }
    let mut number = 0;
    for part in parts.iter().filter(|part| !part.steps.is_empty()) {
        out.push('\n');
        out += &comment(&part.head);
        for step in &part.steps {
            out += &carry_out(step, number, first.contains(&number));
            number += 1;
        }
    }
    out
}

/// What a request that is refused ends with, and how one is tried and made.
const HELPERS: &str = r#"refused() {
  echo "$1 was not changed. If its guards failed, it has changed since this script was made." >&2
  exit 1
}
try() {
  "$2" --dry-run=server >/dev/null || refused "$1"
}
make() {
  "$2" || refused "$1"
}
"#;

/// The steps that can be tried before any other is real: not those whose object an earlier one
/// touches, or whose namespace one makes, or that come after a wait.
fn first_tries(parts: &[Part]) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    let mut touched: Vec<&ObjectRef> = Vec::new();
    let mut number = 0;
    for part in parts {
        let mut waits = false;
        for step in &part.steps {
            let object = step.object();
            waits |= matches!(step, Drafted::Wait { .. });
            let home = |other: &&&ObjectRef| other.kind == "Namespace" && object.namespace() == other.name;
            let known = touched.iter().any(|other| other.same(object)) || touched.iter().any(|other| home(&other));
            if !waits && !known {
                out.insert(number);
            }
            touched.push(object);
            number += 1;
        }
    }
    out
}

/// A line that tries or makes a request.
fn call(how: &str, number: usize, step: &Drafted) -> String {
    format!("{how} {} step_{}\n", quote(&step.object().to_string()), number + 1)
}

/// The request, tried just now if it could not be before, and the wait for what it rolls out.
fn carry_out(step: &Drafted, number: usize, tried: bool) -> String {
    if let Drafted::Wait { object, condition } = step {
        let (name, condition) = (quote(&named(object)), quote(&format!("condition={condition}")));
        return format!("kubectl wait --for={condition} --timeout=10m{} {name}\n", namespace(object));
    }
    let try_now = if tried { String::new() } else { call("try", number, step) };
    try_now + &call("make", number, step) + &status(step.object(), step.rolls_out())
}

/// The command of a request, which takes `--dry-run=server`; none for a wait.
fn request(step: &Drafted, about: &About) -> Option<String> {
    Some(match step {
        Drafted::Patch { object, subresource, guarded, .. } => {
            patch(object, subresource.as_deref(), &quote(&body(guarded)), about)
        }
        Drafted::Restart { object, guarded } => {
            // The moment of a restart is that of the script's run.
            let body = quote(&body(guarded)).replace(&Value::from(NOW).to_string(), "\"'\"$now\"'\"");
            patch(object, None, &body, about)
        }
        Drafted::Create { manifest, .. } => {
            let text = yaml(manifest);
            let end = delimiter(&text);
            format!("  kubectl create{} \"$@\" -f - <<'{end}'\n{text}{end}\n", manager(about))
        }
        Drafted::Delete { object } => {
            // kubectl tests no uid by itself, and a raw request takes its options in the body alone.
            let options = json!({
                "apiVersion": "v1", "kind": "DeleteOptions", "dryRun": [],
                "preconditions": {"uid": object.uid}, "propagationPolicy": "Background",
            });
            let options = quote(&options.to_string()).replace("\"dryRun\":[]", "\"dryRun\":['\"${1:+\\\"All\\\"}\"']");
            format!("  printf '%s' {options} | kubectl delete --raw {} -f -\n", quote(&path(object)))
        }
        Drafted::Wait { .. } => return None,
    })
}

fn body(guarded: &Guarded) -> String {
    String::from_utf8(to_bytes(&guarded.patch)).expect("JSON is text")
}

fn patch(object: &ObjectRef, part: Option<&str>, body: &str, about: &About) -> String {
    let part = part.map(|part| format!(" --subresource={part}")).unwrap_or_default();
    format!(
        "  kubectl patch{} {}{part}{} --type=json -p {body} \"$@\"\n",
        namespace(object),
        quote(&named(object)),
        manager(about)
    )
}

fn status(object: &ObjectRef, rolls: bool) -> String {
    if !rolls || !ROLLING.contains(&object.kind.as_str()) {
        return String::new();
    }
    format!("kubectl rollout status{} {} --timeout=10m\n", namespace(object), quote(&named(object)))
}

fn manager(about: &About) -> String {
    format!(" --field-manager={}", quote(&about.field_manager))
}

fn namespace(object: &ObjectRef) -> String {
    object.namespace.as_deref().map(|namespace| format!(" -n {}", quote(namespace))).unwrap_or_default()
}

/// The object as kubectl finds it, in the version whose values the guards hold.
fn named(object: &ObjectRef) -> String {
    let resource = resource_name(&object.api_version, &object.kind);
    let plural = resource.split('.').next().unwrap_or_default();
    match object.api_version.split_once('/') {
        Some((group, version)) => format!("{plural}.{version}.{group}/{}", object.name),
        None => format!("{plural}/{}", object.name),
    }
}

fn path(object: &ObjectRef) -> String {
    let resource = resource_name(&object.api_version, &object.kind);
    let plural = resource.split('.').next().unwrap_or_default();
    let root = if object.api_version.contains('/') { "/apis" } else { "/api" };
    let namespace = object.namespace.as_deref().map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    format!("{root}/{}{namespace}/{plural}/{}", object.api_version, object.name)
}

/// A word that no line of the text is.
fn delimiter(text: &str) -> String {
    let mut end = "EOF".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    end
}

/// A word of the shell, whatever is in it.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::{Edit, Step};
    use crate::model::Subject;
    use crate::plan::draft::{Drafts, Original, Originals, Target};

    #[test]
    fn words_are_quoted() {
        assert_eq!(quote("web-1"), "web-1");
        assert_eq!(quote("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(quote(""), "''");
        assert_eq!(delimiter("a\nEOF\nb"), "EOF_");
    }

    #[test]
    fn a_patch_has_its_guards_and_a_restart_its_moment() {
        let object = Subject::new(ObjectRef::new("apps/v1", "Deployment", Some("a"), "web"));
        let mut originals = Originals::default();
        let value = json!({"metadata": {"uid": "u"}, "spec": {"template": {"metadata": {}, "x": "it's <1>"}}});
        originals.insert(&object, None, Original { value, is_source: false });
        let steps =
            [Step::patch(&object, vec![Edit::set("/spec/template/x", "2")]), Step::Restart { object: object.clone() }];
        let steps = Drafts::new(&originals, Target::Server).fix(&steps).unwrap();
        let about = About { field_manager: "m".into(), ..About::default() };
        let text = script(&[Part { head: vec!["why\nrm -rf /".into()], steps }], &about);
        let expected = r#"
step_1() {
  kubectl patch -n a deployments.v1.apps/web --field-manager=m --type=json -p '[{"op":"test","path":"/metadata/uid","value":"u"},{"op":"test","path":"/spec/template/x","value":"it'\''s \u003c1\u003e"},{"op":"replace","path":"/spec/template/x","value":"2"}]' "$@"
}
step_2() {
  kubectl patch -n a deployments.v1.apps/web --field-manager=m --type=json -p '[{"op":"test","path":"/metadata/uid","value":"u"},{"op":"test","path":"/spec/template/metadata/annotations","value":null},{"op":"add","path":"/spec/template/metadata/annotations","value":{"kubectl.kubernetes.io/restartedAt":"'"$now"'"}}]' "$@"
}

# The dry runs: one refusal ends it all, with nothing changed.
try Deployment/a/web step_1

# why rm -rf /
make Deployment/a/web step_1
kubectl rollout status -n a deployments.v1.apps/web --timeout=10m
try Deployment/a/web step_2
make Deployment/a/web step_2
kubectl rollout status -n a deployments.v1.apps/web --timeout=10m
"#;
        assert!(text.ends_with(expected), "{text}");
    }
}
