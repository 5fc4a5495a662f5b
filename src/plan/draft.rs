//! The steps of fixes with everything that their requests need: what `plan` keeps and `emit` prints.
//!
//! A draft starts from the objects themselves, as the server or a manifest has them, and goes on
//! from what the steps before left. Nothing in it may be hidden: a fix that needs such a value has
//! no draft.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{self, TextChange};
use super::hidden;
use super::patch::{self, Guarded, PatchError, last_segment, parent_of};
use crate::fix::{Action, Edit, RESTARTED_AT, Step};
use crate::model::object::{LAST_APPLIED, pointer};
use crate::model::{ObjectRef, mask};

/// What stands for the moment of a restart until it is known.
pub const NOW: &str = "@now@";
/// Where the annotation stands that restarts a workload.
const RESTART: &str = "/spec/template/metadata/annotations";

/// An object before anything is changed.
#[derive(Clone, Debug)]
pub struct Original {
    /// All of it.
    pub value: Value,
    /// True if it is what somebody wrote, without what a server adds.
    pub is_source: bool,
}

/// The objects that fixes touch, each as it is before.
#[derive(Clone, Debug, Default)]
pub struct Originals {
    objects: BTreeMap<Key, Original>,
}

type Key = (String, String, String, String, String);

fn key(object: &ObjectRef, part: Option<&str>) -> Key {
    let text = str::to_owned;
    let part = part.unwrap_or_default();
    (text(object.group()), text(&object.kind), text(object.namespace()), text(&object.name), text(part))
}

impl Originals {
    /// Adds an object, or a part of one such as its `scale`.
    pub fn insert(&mut self, object: &ObjectRef, part: Option<&str>, original: Original) {
        self.objects.insert(key(object, part), original);
    }

    /// An object, if it is there.
    pub fn get(&self, object: &ObjectRef, part: Option<&str>) -> Option<&Original> {
        self.objects.get(&key(object, part))
    }

    /// The objects as their authors wrote them: what `kubectl apply` keeps of them, where it does.
    #[must_use]
    pub fn sources(mut self) -> Self {
        for original in self.objects.values_mut() {
            let text = original.value.pointer(&pointer("/metadata/annotations", &[LAST_APPLIED]));
            let written = text.and_then(Value::as_str).and_then(|text| serde_json::from_str::<Value>(text).ok());
            if let Some(value) = written.filter(|value| value.get("kind").is_some()) {
                *original = Original { value, is_source: true };
            }
        }
        self
    }
}

/// A step with everything that its request needs.
#[derive(Clone, Debug)]
pub enum Drafted {
    /// Changes fields.
    Patch {
        /// The object, with its uid where it is live.
        object: ObjectRef,
        /// `scale`, or the object itself.
        subresource: Option<String>,
        /// The object before.
        before: Value,
        /// The operations, guards first, and the object after.
        guarded: Guarded,
        /// What changes inside texts that may not be kept, and by the pointers of those texts: their
        /// operations are not among the others.
        texts: Vec<(String, TextChange)>,
    },
    /// Makes an object.
    Create {
        /// The object.
        object: ObjectRef,
        /// All of it.
        manifest: Value,
    },
    /// Removes an object.
    Delete {
        /// The object, with its uid.
        object: ObjectRef,
    },
    /// Replaces the pods of a workload.
    Restart {
        /// The workload, with its uid.
        object: ObjectRef,
        /// The patch that does; [`NOW`] stands for its moment.
        guarded: Guarded,
    },
    /// Waits for a condition.
    Wait {
        /// The object.
        object: ObjectRef,
        /// The condition's type.
        condition: String,
    },
}

impl Drafted {
    /// The object that it touches.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Patch { object, .. }
            | Self::Create { object, .. }
            | Self::Delete { object }
            | Self::Restart { object, .. }
            | Self::Wait { object, .. } => object,
        }
    }

    /// True if it replaces the pods of its object.
    pub fn rolls_out(&self) -> bool {
        match self {
            Self::Restart { .. } => true,
            Self::Patch { guarded, .. } => {
                let changes = without_tests(guarded).patch.0;
                changes.iter().any(|operation| operation.path().to_string().starts_with("/spec/template/"))
            }
            _ => false,
        }
    }
}

/// What drafts are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Requests to the server that holds the objects.
    Server,
    /// The same, to be kept: of a text that may not be, the member that changes and hashes.
    Plan,
    /// Changes of the manifests that the objects were made from.
    Source,
}

/// Drafts that go on from each other.
#[derive(Debug)]
pub struct Drafts<'a> {
    originals: &'a Originals,
    target: Target,
    /// What the steps so far have left; `None` for what is gone.
    states: BTreeMap<Key, Option<Value>>,
}

impl<'a> Drafts<'a> {
    /// Nothing drafted yet.
    pub fn new(originals: &'a Originals, target: Target) -> Self {
        Self { originals, target, states: BTreeMap::new() }
    }

    /// The steps of a fix, whole or not at all; why not, in one line.
    pub fn fix(&mut self, steps: &[Step]) -> Result<Vec<Drafted>, String> {
        let before = self.states.clone();
        let mut out = Vec::new();
        for step in steps {
            match self.step(step) {
                Ok(drafted) => out.extend(drafted),
                Err(why) => {
                    self.states = before;
                    return Err(why);
                }
            }
        }
        Ok(out)
    }

    fn step(&mut self, step: &Step) -> Result<Option<Drafted>, String> {
        Ok(match step {
            Step::Patch { object, subresource, edits, expect } => {
                let part = subresource.as_deref().filter(|_| self.target != Target::Source);
                let edits = self.edits(edits);
                let (object, before) = self.state(object, part)?;
                let expect = self.expected(expect);
                let (guarded, texts) = self.build(&object, part, &before, &edits, &expect)?;
                if guarded.patch.0.is_empty() {
                    return Ok(None);
                }
                Some(Drafted::Patch { object, subresource: part.map(str::to_owned), before, guarded, texts })
            }
            Step::Create { object, manifest } => {
                if mask::holds_masked_key(manifest) {
                    return Err(format!("{object} holds a value that may not be shown"));
                }
                self.states.insert(key(object, None), Some(manifest.clone()));
                Some(Drafted::Create { object: (**object).clone(), manifest: manifest.clone() })
            }
            Step::Delete { object } => {
                let (object, _) = self.state(object, None)?;
                self.states.insert(key(&object, None), None);
                Some(Drafted::Delete { object })
            }
            Step::Restart { object } => {
                if object.kind == "CronJob" || self.target == Target::Source {
                    return Ok(None);
                }
                let (object, before) = self.state(object, None)?;
                let edit = Edit::set(pointer(RESTART, &[RESTARTED_AT]), NOW);
                let (guarded, _) = self.build(&object, None, &before, &[edit], &[])?;
                Some(Drafted::Restart { object, guarded })
            }
            Step::Wait { object, condition } => {
                Some(Drafted::Wait { object: (**object).clone(), condition: condition.clone() })
            }
        })
    }

    /// In a source there is no text that `kubectl apply` keeps: what goes from it goes from there.
    fn edits(&self, edits: &[Edit]) -> Vec<Edit> {
        let in_source = |edit: &Edit| match &edit.action {
            Action::DropInText(member) if self.target == Target::Source => Edit::remove(member.clone()),
            _ => edit.clone(),
        };
        edits.iter().map(in_source).collect()
    }

    /// The values that must hold. Those of a live object say nothing about its source, save the
    /// names of list elements, without which a position means nothing.
    fn expected(&self, expect: &[(String, Value)]) -> Vec<(String, Value)> {
        let names_element = |pointer: &str| last_segment(parent_of(pointer)).parse::<usize>().is_ok();
        let kept = |(pointer, _): &&(String, Value)| self.target != Target::Source || names_element(pointer);
        expect.iter().filter(kept).cloned().collect()
    }

    /// The object as the steps so far leave it.
    fn state(&self, object: &ObjectRef, part: Option<&str>) -> Result<(ObjectRef, Value), String> {
        let state = match self.states.get(&key(object, part)) {
            Some(state) => state.as_ref(),
            None => self.originals.get(object, part).map(|original| &original.value),
        };
        let value = state.ok_or_else(|| format!("{object} does not exist any more"))?;
        let uid = value.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
        if uid.is_some() && object.uid.is_some() && uid != object.uid {
            return Err(format!("{object} was deleted and made anew meanwhile"));
        }
        Ok((ObjectRef { uid, ..object.clone() }, value.clone()))
    }

    fn build(
        &mut self,
        object: &ObjectRef,
        part: Option<&str>,
        before: &Value,
        edits: &[Edit],
        expect: &[(String, Value)],
    ) -> Result<(Guarded, Vec<(String, TextChange)>), String> {
        let failed = |error: PatchError| format!("{object}: {error}");
        let mut guarded = patch::build(before, edits, expect).map_err(failed)?;
        let texts = if self.target == Target::Plan { take_texts(before, &mut guarded) } else { Vec::new() };
        let hidden = match self.target {
            Target::Server | Target::Plan => hidden::first_of(before, &guarded),
            Target::Source => hidden::first_of(before, &without_tests(&guarded)),
        };
        if let Some(field) = hidden {
            return Err(format!("{field} of {object} holds a value that may not be shown"));
        }
        self.states.insert(key(object, part), Some(guarded.after.clone()));
        Ok((guarded, texts))
    }
}

/// Takes the operations on texts that may not be kept out of a patch, and keeps what they change.
fn take_texts(before: &Value, guarded: &mut Guarded) -> Vec<(String, TextChange)> {
    let changes = change::between(before, &guarded.after);
    let texts: Vec<_> = changes.into_iter().filter_map(|change| Some((change.pointer, change.text?))).collect();
    let of_text = |path: &str| texts.iter().any(|(pointer, _)| pointer == path);
    guarded.patch.0.retain(|operation| !of_text(operation.path().as_str()));
    texts
}

/// The operations that change something.
pub fn without_tests(guarded: &Guarded) -> Guarded {
    let changes = |operation: &&json_patch::PatchOperation| !matches!(operation, json_patch::PatchOperation::Test(_));
    let operations = guarded.patch.0.iter().filter(changes).cloned().collect();
    Guarded { patch: json_patch::Patch(operations), after: guarded.after.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Subject;
    use serde_json::json;

    fn config(data: &Value) -> (Subject, Originals) {
        let object = ObjectRef::new("v1", "ConfigMap", Some("a"), "config");
        let mut originals = Originals::default();
        let value = json!({"metadata": {"uid": "u", "name": "config"}, "data": data});
        originals.insert(&object, None, Original { value, is_source: false });
        (Subject::new(object), originals)
    }

    #[test]
    fn the_second_fix_builds_on_the_first_and_a_failed_one_leaves_nothing() {
        let (object, originals) = config(&json!({"A": "1", "DB_PASSWORD": "hunter2"}));
        let mut drafts = Drafts::new(&originals, Target::Server);
        let step = |edit| [Step::patch(&object, vec![edit])];
        drafts.fix(&step(Edit::set("/data/A", "2"))).unwrap();
        let both = [step(Edit::set("/data/A", "3")), step(Edit::remove("/data/DB_PASSWORD"))].concat();
        let refused = drafts.fix(&both).unwrap_err();
        assert_eq!(refused, "/data/DB_PASSWORD of ConfigMap/a/config holds a value that may not be shown");
        let again = drafts.fix(&step(Edit::set("/data/A", "4"))).unwrap();
        let [Drafted::Patch { object, guarded, .. }] = &again[..] else { panic!("{again:?}") };
        assert_eq!(object.uid.as_deref(), Some("u"));
        assert_eq!(guarded.patch.0[1], patch::test("/data/A", "2".into()));
    }

    #[test]
    fn a_plan_keeps_of_a_text_what_goes_and_hashes() {
        let text = pointer("/metadata/annotations", &[LAST_APPLIED]);
        let object = ObjectRef::new("apps/v1", "Deployment", Some("a"), "web");
        let annotations = json!({(LAST_APPLIED): r#"{"spec":{"image":"x","replicas":2}}"#});
        let value = json!({"metadata": {"uid": "u", "annotations": annotations}});
        let mut originals = Originals::default();
        originals.insert(&object, None, Original { value, is_source: false });
        let edit = Edit { pointer: text.clone(), action: Action::DropInText("/spec/replicas".into()) };
        let steps = [Step::patch(&Subject::new(object), vec![edit])];
        let refused = Drafts::new(&originals, Target::Server).fix(&steps).unwrap_err();
        assert!(refused.ends_with("holds a value that may not be shown"), "{refused}");
        let kept = Drafts::new(&originals, Target::Plan).fix(&steps).unwrap();
        let [Drafted::Patch { guarded, texts, .. }] = &kept[..] else { panic!("{kept:?}") };
        assert_eq!(guarded.patch.0, [patch::test("/metadata/uid", "u".into())]);
        assert_eq!(
            (&texts[0].0, &texts[0].1.member, &texts[0].1.value),
            (&text, &"/spec/replicas".to_owned(), &json!(2))
        );
    }

    #[test]
    fn an_object_of_another_uid_is_another_object() {
        let (object, originals) = config(&json!({"A": "1"}));
        let other = Subject::new(ObjectRef { uid: Some("v".into()), ..(*object).clone() });
        let steps = [Step::patch(&other, vec![Edit::set("/data/A", "2")])];
        let refused = Drafts::new(&originals, Target::Server).fix(&steps).unwrap_err();
        assert_eq!(refused, "ConfigMap/a/config was deleted and made anew meanwhile");
    }

    #[test]
    fn the_source_is_what_was_applied() {
        let object = ObjectRef::new("apps/v1", "Deployment", Some("a"), "web");
        let applied = json!({"kind": "Deployment", "spec": {"replicas": 1}}).to_string();
        let value = json!({
            "metadata": {"uid": "u", "annotations": {(LAST_APPLIED): applied}},
            "spec": {"replicas": 3, "strategy": {"type": "RollingUpdate"}},
        });
        let mut originals = Originals::default();
        originals.insert(&object, None, Original { value, is_source: false });
        let originals = originals.sources();
        let text = pointer("/metadata/annotations", &[LAST_APPLIED]);
        let drop = Edit { pointer: text, action: Action::DropInText("/spec/replicas".into()) };
        let object = Subject::new(object);
        let edits = vec![drop, Edit::set("/spec/strategy/type", "Recreate")];
        let drafted = Drafts::new(&originals, Target::Source).fix(&[Step::patch(&object, edits.clone())]).unwrap();
        let [Drafted::Patch { guarded, .. }] = &drafted[..] else { panic!("{drafted:?}") };
        assert_eq!(guarded.after, json!({"kind": "Deployment", "spec": {"strategy": {"type": "Recreate"}}}));
        let expect = vec![("/spec/replicas".into(), json!(3)), ("/spec/list/0/name".into(), json!("sidecar"))];
        let step = Step::Patch { object, subresource: None, edits, expect };
        let refused = Drafts::new(&originals, Target::Source).fix(&[step]).unwrap_err();
        assert_eq!(refused, "Deployment/a/web: /spec/list/0/name is absent, not \"sidecar\"");
    }
}
