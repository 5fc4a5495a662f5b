//! A fixture and the scene that its comment lines set.

use kubectl_progrc::audit;
use kubectl_progrc::model::object::is_cluster_wide;
use kubectl_progrc::model::store::Origin;
use kubectl_progrc::model::{Gap, Inventory, ObjectRef, Scope, World};
use kubectl_progrc::rules::rule::Rule;
use kubectl_progrc::rules::settings::{Answer, Environment, Settings};
use serde_json::Value;

/// A fixture: objects as written, and the scene they stand in.
pub(crate) struct Scene {
    pub objects: Vec<Value>,
    /// The positions of the objects that leave their namespace out.
    pub unplaced: Vec<usize>,
    pub settings: Settings,
    pub world: World,
    pub scope: Scope,
    pub now: jiff::Timestamp,
    pub gaps: Vec<Gap>,
}

impl Scene {
    pub(crate) fn parse(text: &str) -> Self {
        let (objects, unplaced) = documents(text);
        let mut scene = Self {
            objects,
            unplaced,
            settings: Settings::default(),
            world: World::default(),
            scope: Scope::default(),
            now: "2026-01-01T00:00:00Z".parse().unwrap(),
            gaps: Vec::new(),
        };
        let lines = text.lines().map_while(|line| line.strip_prefix('#'));
        for (key, value) in lines.filter_map(|line| line.trim().split_once(": ")) {
            scene.set(key, value.trim());
        }
        scene
    }

    fn set(&mut self, key: &str, value: &str) {
        match key {
            "world" => {
                assert_eq!(value, "live");
                let (context, uid) = (Some("test".to_owned()), Some("cluster-uid".to_owned()));
                let server = "https://127.0.0.1:6443".to_owned();
                self.world = World::Cluster { context, server, uid, version: Some((1, 37)) };
            }
            "version" => {
                let (major, minor) = value.split_once('.').unwrap();
                if let World::Cluster { version, .. } = &mut self.world {
                    *version = Some((major.parse().unwrap(), minor.parse().unwrap()));
                }
            }
            "now" => self.now = value.parse().unwrap(),
            "complete" => self.world = World::Manifests { complete: value == "true" },
            "env" => {
                self.settings.environment = match value {
                    "staging" => Environment::Staging,
                    "dev" => Environment::Dev,
                    _ => Environment::Production,
                };
            }
            "namespace" => self.scope = Scope::only(value),
            "set" => self.settings.answers.push(answer(value)),
            "config" => self.settings.parameters = serde_json::from_str(value).unwrap(),
            "attest" => {
                let attestations: Value = serde_json::from_str(value).unwrap();
                self.settings.attestations = serde_json::from_value(attestations).unwrap();
            }
            "gap" => {
                let (kind, reason) = value.split_once(' ').unwrap();
                self.gaps.push(Gap {
                    kind: kind.to_owned(),
                    verb: "list".to_owned(),
                    scope: "cluster".to_owned(),
                    reason: reason.to_owned(),
                });
            }
            _ => {}
        }
    }

    pub(crate) fn inventory(&self, order: impl Iterator<Item = usize>) -> Inventory {
        let mut inventory = Inventory::new(self.world.clone(), self.scope.clone(), self.now);
        inventory.gaps.clone_from(&self.gaps);
        for index in order {
            let object = self.objects[index].clone();
            let (version, kind) = kind_of(&object);
            let origin = (!inventory.is_live()).then_some(Origin { document: index, item: None });
            inventory.add(&version, &kind, object, origin).unwrap();
            inventory.unplaced.extend(origin.filter(|_| self.unplaced.contains(&index)));
        }
        inventory.finish()
    }

    pub(crate) fn audit(&self, rule: &'static Rule) -> (Inventory, audit::Audit) {
        let inventory = self.inventory(0..self.objects.len());
        let audit = audit::run(&inventory, &self.settings, &[rule]);
        (inventory, audit)
    }

    pub(crate) fn raw(&self, wanted: &ObjectRef) -> Option<&Value> {
        self.objects.iter().find(|object| {
            let (version, kind) = kind_of(object);
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let name = text("/metadata/name").unwrap_or_default();
            ObjectRef::new(&version, &kind, text("/metadata/namespace"), name).same(wanted)
        })
    }
}

fn answer(text: &str) -> Answer {
    let (place, value) = text.split_once('=').unwrap();
    let (place, key) = place.rsplit_once('.').unwrap();
    let (rule, object) = match place.split_once('[') {
        Some((rule, object)) => (rule, Some(object.trim_end_matches(']').to_owned())),
        None => (place, None),
    };
    Answer { rule: rule.to_owned(), object, key: key.to_owned(), value: value.to_owned() }
}

fn kind_of(object: &Value) -> (String, String) {
    let text = |key: &str| object[key].as_str().unwrap().to_owned();
    (text("apiVersion"), text("kind"))
}

/// The documents of a fixture, with the namespace `default` where one is left out, and which those
/// are.
fn documents(text: &str) -> (Vec<Value>, Vec<usize>) {
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    objects.retain(|object| !object.is_null());
    let mut unplaced = Vec::new();
    for (index, object) in objects.iter_mut().enumerate() {
        let (version, kind) = kind_of(object);
        if object.pointer("/metadata/namespace").is_none() && !is_cluster_wide(&version, &kind) {
            object["metadata"]["namespace"] = Value::from("default");
            unplaced.push(index);
        }
    }
    (objects, unplaced)
}
