//! A shell script that does with kubectl what a fix would do: every patch with its guards.

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

/// The whole script.
pub fn script(parts: &[Part], about: &About) -> String {
    let mut out = "#!/bin/sh\n".to_owned();
    out += &comment(&[
        about.title.clone(),
        "Each patch tests what it changes: the server refuses it where something has changed since.".to_owned(),
    ]);
    out += "set -eu\n\nrefused() {\n  echo \"$1 was not changed. If its guards failed, it has changed since this script was made.\" >&2\n  exit 1\n}\n";
    let restarts = |step: &Drafted| matches!(step, Drafted::Restart { .. });
    if parts.iter().flat_map(|part| &part.steps).any(restarts) {
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
    for part in parts {
        out.push('\n');
        out += &comment(&part.head);
        part.steps.iter().for_each(|step| out += &command(step, about));
    }
    out
}

fn command(step: &Drafted, about: &About) -> String {
    match step {
        Drafted::Patch { object, subresource, guarded, .. } => {
            let rolls = guarded.patch.0.iter().any(|operation| {
                let path = operation.path().to_string();
                !matches!(operation, json_patch::PatchOperation::Test(_)) && path.starts_with("/spec/template/")
            });
            let body = quote(&body(guarded));
            patch(object, subresource.as_deref(), &body, about) + &status(object, rolls)
        }
        Drafted::Restart { object, guarded } => {
            // The moment of a restart is that of the script's run.
            let body = quote(&body(guarded)).replace(&Value::from(NOW).to_string(), "\"'\"$now\"'\"");
            patch(object, None, &body, about) + &status(object, true)
        }
        Drafted::Create { manifest, .. } => {
            let text = yaml(manifest);
            let end = delimiter(&text);
            format!("kubectl create{} -f - <<'{end}'\n{text}{end}\n", manager(about))
        }
        Drafted::Delete { object } => {
            let options = json!({
                "apiVersion": "v1", "kind": "DeleteOptions",
                "preconditions": {"uid": object.uid}, "propagationPolicy": "Background",
            });
            let text = format!("{options}\n");
            let end = delimiter(&text);
            format!("kubectl delete --raw {} -f - <<'{end}'\n{text}{end}\n", quote(&path(object)))
        }
        Drafted::Wait { object, condition } => {
            let (name, condition) = (quote(&named(object)), quote(&format!("condition={condition}")));
            format!("kubectl wait --for={condition} --timeout=10m{} {name}\n", namespace(object))
        }
    }
}

fn body(guarded: &Guarded) -> String {
    String::from_utf8(to_bytes(&guarded.patch)).expect("JSON is text")
}

fn patch(object: &ObjectRef, part: Option<&str>, body: &str, about: &About) -> String {
    let part = part.map(|part| format!(" --subresource={part}")).unwrap_or_default();
    format!(
        "kubectl patch{} {}{part}{} --type=json -p {body} || refused {}\n",
        namespace(object),
        quote(&named(object)),
        manager(about),
        quote(&object.to_string())
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
        let expected = r#"now=$(date -u +%Y-%m-%dT%H:%M:%SZ)

# why rm -rf /
kubectl patch -n a deployments.v1.apps/web --field-manager=m --type=json -p '[{"op":"test","path":"/metadata/uid","value":"u"},{"op":"test","path":"/spec/template/x","value":"it'\''s \u003c1\u003e"},{"op":"replace","path":"/spec/template/x","value":"2"}]' || refused Deployment/a/web
kubectl rollout status -n a deployments.v1.apps/web --timeout=10m
kubectl patch -n a deployments.v1.apps/web --field-manager=m --type=json -p '[{"op":"test","path":"/metadata/uid","value":"u"},{"op":"test","path":"/spec/template/metadata/annotations","value":null},{"op":"add","path":"/spec/template/metadata/annotations","value":{"kubectl.kubernetes.io/restartedAt":"'"$now"'"}}]' || refused Deployment/a/web
kubectl rollout status -n a deployments.v1.apps/web --timeout=10m
"#;
        assert!(text.ends_with(expected), "{text}");
    }
}
