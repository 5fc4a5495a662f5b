//! Other writers: somebody who is a moment faster, or comes right after us. Nobody's work is lost.

use std::sync::Mutex;

use http::Method;
use serde_json::{Value, json};

use crate::fault::{Action, Fault, Place};
use crate::harness::{ControlPlane, Finished, Invocation, TestNamespace};
use crate::proxy::Proxy;
use crate::stage::told;

/// A flag that `insecure-flag` sets right, and a program that reads it from a list of its own.
pub(crate) const FLAGGED: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {ALLOW_UNKNOWN_API_PATHS: 'true', LOG_LEVEL: debug}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: main
          image: registry.example/web:1
          envFrom: [{configMapRef: {name: config}}]
          env: [{name: FIRST, value: '1'}, {name: ALLOW_EMPTY_PERMISSIONS, value: 'true'}, {name: LAST, value: '3'}]
";

pub(crate) const CONFIG: &str = "v1/configmaps/config";
pub(crate) const WEB: &str = "apps/v1/deployments/web";

/// The ways to the objects of one namespace, for those who write beside us.
#[derive(Clone)]
struct Other(String);

impl Other {
    fn patch(&self, path: &str, change: &Value) {
        let plane = ControlPlane::bare();
        let folder = match path.split_once('/') {
            Some(("v1", rest)) => format!("/api/v1/namespaces/{}/{rest}", self.0),
            _ => format!("/apis/apps/v1/namespaces/{}/{}", self.0, path.trim_start_matches("apps/v1/")),
        };
        plane.request(Method::PATCH, &folder, Some(change)).success();
    }
}

struct Scene {
    ns: TestNamespace,
    other: Other,
}

impl Scene {
    fn new(prefix: &str) -> Self {
        let ns = ControlPlane::bare().namespace(prefix);
        ns.apply(FLAGGED);
        let other = Other(ns.name.clone());
        Self { ns, other }
    }

    fn fix() -> Vec<&'static str> {
        vec!["fix", "--yes", "--unsafe-fixes", "--select=insecure-flag", "--wait=false"]
    }

    /// A fix during which somebody else is served right before the n-th write.
    fn fix_after(&self, write: usize, other: impl Fn() + Send + Sync + 'static) -> Finished {
        let fault = Fault::new(Place::write(write), Action::First(Box::new(move |_| other())));
        let proxy = Proxy::start(ControlPlane::bare(), &self.ns.tester, vec![fault]);
        let server = proxy.server();
        let args = [&Self::fix()[..], &[server.as_str()]].concat();
        self.ns.progrc(&args).run()
    }

    fn undo(&self) -> Finished {
        self.ns.progrc(&["undo", "--yes", "--wait=false"]).run()
    }

    fn flag(&self) -> Value {
        self.ns.get(CONFIG)["data"]["ALLOW_UNKNOWN_API_PATHS"].clone()
    }

    fn env(&self) -> Value {
        self.ns.get(WEB)["spec"]["template"]["spec"]["containers"][0]["env"].clone()
    }
}

/// One line of the list of variables.
fn variable(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

#[test]
fn the_same_field_changed_in_between_is_not_overwritten() {
    let scene = Scene::new("same-field");
    let other = scene.other.clone();
    let change = json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "maybe"}});
    let ended = scene.fix_after(0, move || other.patch(CONFIG, &change));
    assert_eq!(scene.flag(), "maybe", "{}", told(&ended));
    assert!(told(&ended).contains("/data/ALLOW_UNKNOWN_API_PATHS is \"maybe\", not \"true\""), "{}", told(&ended));
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
    let undone = scene.undo();
    assert_eq!(scene.flag(), "maybe", "{}", told(&undone));
}

#[test]
fn another_field_changed_in_between_stays() {
    let scene = Scene::new("other-field");
    let other = scene.other.clone();
    let change = json!({"data": {"LOG_LEVEL": "info", "NEW": "1"}, "metadata": {"labels": {"theirs": "1"}}});
    scene.fix_after(0, move || other.patch(CONFIG, &change)).expect_code(0);
    assert_eq!(scene.flag(), "false");
    scene.undo().expect_code(0);
    let now = scene.ns.get(CONFIG);
    assert_eq!(now["data"], json!({"ALLOW_UNKNOWN_API_PATHS": "true", "LOG_LEVEL": "info", "NEW": "1"}));
    assert_eq!(now["metadata"]["labels"], json!({"theirs": "1"}));
}

#[test]
fn an_element_put_into_the_same_list_in_between_is_not_hit() {
    let scene = Scene::new("same-list");
    let other = scene.other.clone();
    let list = [("NEW", "0"), ("FIRST", "1"), ("ALLOW_EMPTY_PERMISSIONS", "true"), ("LAST", "3")];
    let list: Vec<Value> = list.iter().map(|(name, value)| variable(name, value)).collect();
    let container = |env: &[Value]| {
        json!({"spec": {"template": {"spec": {"containers": [{
            "name": "main", "image": "registry.example/web:1",
            "envFrom": [{"configMapRef": {"name": "config"}}], "env": env,
        }]}}}})
    };
    let change = container(&list);
    let theirs = list.clone();
    // Whichever write meets the list: the one that would set the variable has to fail or to be right.
    let ended = scene.fix_after(1, move || other.patch(WEB, &change));
    let env = scene.env();
    let by_name = |name: &str| env.as_array().unwrap().iter().find(|it| it["name"] == name).cloned();
    for untouched in ["NEW", "FIRST", "LAST"] {
        let value = theirs.iter().find(|it| it["name"] == untouched).cloned();
        assert_eq!(by_name(untouched), value, "{env}\n{}", told(&ended));
    }
    let undone = scene.undo();
    assert_eq!(scene.env(), json!(theirs), "{}", told(&undone));
}

#[test]
fn an_element_put_into_the_same_list_afterwards_stays() {
    let scene = Scene::new("list-after");
    scene.ns.progrc(&Scene::fix()).run().expect_code(0);
    let mut env = scene.env().as_array().unwrap().clone();
    assert_eq!(env[1], variable("ALLOW_EMPTY_PERMISSIONS", "false"));
    env.insert(0, variable("NEW", "0"));
    let mut template = scene.ns.get(WEB)["spec"]["template"].clone();
    template["spec"]["containers"][0]["env"] = json!(env);
    scene.other.patch(WEB, &json!({"spec": {"template": template}}));
    let undone = scene.undo();
    let after = scene.env();
    let by_name = |name: &str| after.as_array().unwrap().iter().find(|it| it["name"] == name).cloned();
    for untouched in ["NEW", "FIRST", "LAST"] {
        let value = env.iter().find(|it| it["name"] == untouched).cloned();
        assert_eq!(by_name(untouched), value, "{after}\n{}", told(&undone));
    }
    let ours = by_name("ALLOW_EMPTY_PERMISSIONS").unwrap()["value"].clone();
    match undone.code {
        Some(0) => assert_eq!(ours, "true", "{}", told(&undone)),
        Some(1) => assert!(told(&undone).contains("somebody has changed it since"), "{}", told(&undone)),
        _ => panic!("{}", told(&undone)),
    }
}

#[test]
fn an_autoscaler_that_scales_in_between_goes_on() {
    let scene = Scene::new("scaler");
    let other = scene.other.clone();
    let scale = json!({"spec": {"replicas": 7}});
    scene.fix_after(1, move || other.patch("apps/v1/deployments/web/scale", &scale)).expect_code(0);
    assert_eq!(scene.ns.get(WEB)["spec"]["replicas"], 7);
    scene.undo().expect_code(0);
    assert_eq!(scene.ns.get(WEB)["spec"]["replicas"], 7);
    assert_eq!(scene.flag(), "true");
}

#[test]
fn a_controller_that_puts_it_back_wins_and_is_left_alone() {
    let scene = Scene::new("reverts");
    let other = scene.other.clone();
    // Before our second write the controller has taken back the first.
    let change = json!({"data": {"ALLOW_UNKNOWN_API_PATHS": "true"}});
    let ended = scene.fix_after(1, move || other.patch(CONFIG, &change));
    assert!(matches!(ended.code, Some(0 | 1 | 3)), "{ended:?}");
    assert_eq!(scene.flag(), "true");
    let undone = scene.undo().expect_code(0);
    assert_eq!(scene.flag(), "true");
    assert!(told(&undone).contains("it is as it was already"), "{}", told(&undone));
    assert_eq!(scene.env()[1], variable("ALLOW_EMPTY_PERMISSIONS", "true"));
}

#[test]
fn of_two_who_fix_at_once_one_writes() {
    let scene = Scene::new("two");
    let elsewhere = scene.ns.home().join("elsewhere");
    let second: Invocation = scene.ns.progrc(&Scene::fix()).env("XDG_STATE_HOME", &elsewhere);
    let second = Mutex::new(Some(second));
    let ended = scene.fix_after(0, move || {
        let second = second.lock().unwrap().take().unwrap();
        second.run().expect_code(0);
    });
    assert_eq!(scene.flag(), "false");
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
    assert!(told(&ended).contains("/data/ALLOW_UNKNOWN_API_PATHS is \"false\", not \"true\""), "{}", told(&ended));
    // The one who wrote takes it back; the other has nothing to take back, and knows it.
    let undo = ["undo", "--yes", "--wait=false"];
    scene.ns.progrc(&undo).env("XDG_STATE_HOME", &elsewhere).run().expect_code(0);
    assert_eq!((scene.flag(), scene.env()[1]["value"].clone()), ("true".into(), "true".into()));
    scene.undo();
    assert_eq!((scene.flag(), scene.env()[1]["value"].clone()), ("true".into(), "true".into()));
}

#[test]
fn of_two_on_one_machine_the_second_is_told() {
    let scene = Scene::new("lock");
    let second = Mutex::new(Some(scene.ns.progrc(&Scene::fix())));
    scene
        .fix_after(0, move || {
            let refused = second.lock().unwrap().take().unwrap().run().expect_code(2);
            assert!(refused.stderr.contains("another run is changing"), "{}", refused.stderr);
        })
        .expect_code(0);
    scene.undo().expect_code(0);
    assert_eq!(scene.flag(), "true");
}

#[test]
fn a_namespace_that_is_being_deleted_is_left_alone() {
    let scene = Scene::new("leaving");
    let path = format!("/api/v1/namespaces/{}", scene.ns.name);
    let gone = path.clone();
    let fix = ["fix", "--yes", "--select=missing-pdb", "--wait=false"];
    let fault = Fault::new(
        Place::write(0),
        Action::First(Box::new(move |_| {
            let left = ControlPlane::bare().request(Method::DELETE, &gone, None).success();
            assert_eq!(left["status"]["phase"], "Terminating", "nobody clears it up on this plane");
        })),
    );
    let proxy = Proxy::start(ControlPlane::bare(), &scene.ns.tester, vec![fault]);
    let server = proxy.server();
    let ended = scene.ns.progrc(&[&fix[..], &[server.as_str()]].concat()).run().expect_code(1);
    assert!(told(&ended).contains("being terminated"), "{}", told(&ended));
    scene.undo().expect_code(2);
    let again = scene.ns.progrc(&fix).run();
    assert!(matches!(again.code, Some(1 | 2)), "{}", told(&again));
    assert_eq!(scene.ns.get("policy/v1/poddisruptionbudgets")["items"], json!([]));
}
