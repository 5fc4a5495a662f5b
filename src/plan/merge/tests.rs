use super::*;
use crate::fix::Applicability;
use crate::plan::graph;
use serde_json::json;

fn object(kind: &str, name: &str) -> Subject {
    let version = if kind == "Deployment" { "apps/v1" } else { "v1" };
    Subject::new(ObjectRef::new(version, kind, Some("a"), name))
}

fn planned(title: &str, steps: Vec<Step>) -> Planned<'static> {
    let mut fix = Fix::new(title, Applicability::Unsafe);
    fix.steps = steps;
    Planned {
        rule: format!("rule-{title}"),
        object: object("ConfigMap", title),
        fix: std::borrow::Cow::Owned(fix),
        about: Vec::new(),
    }
}

fn restart(name: &str) -> Step {
    Step::Restart { object: object("Deployment", name) }
}

fn patch(kind: &str, name: &str, pointer: &str, value: &str) -> Step {
    Step::patch(&object(kind, name), vec![Edit::set(pointer, value)])
}

#[test]
fn a_workload_rolls_out_once_and_after_every_map() {
    let fixes = [
        planned("one", vec![patch("ConfigMap", "m", "/data/A", "1"), restart("web")]),
        planned("two", vec![patch("Deployment", "web", "/spec/template/spec/x", "1")]),
        planned("three", vec![patch("ConfigMap", "m", "/data/B", "1"), restart("web"), restart("api")]),
        planned("four", vec![patch("ConfigMap", "m", "/data/C", "1")]),
    ];
    let parts = parts(&fixes, &graph::edges(&fixes));
    let shape: Vec<(Vec<usize>, Option<&str>, Vec<usize>)> = parts
        .iter()
        .map(|part| {
            let name = part.workload.as_ref().map(|workload| workload.name.as_str());
            (part.fixes.clone(), name, part.before.iter().copied().collect())
        })
        .collect();
    let head = |fix: usize| (vec![fix], None, vec![]);
    let web = (vec![0, 1, 2], Some("web"), vec![0, 1, 2]);
    let api = (vec![2], Some("api"), vec![0, 1, 2]);
    assert_eq!(shape, [head(0), head(2), head(3), web, api]);

    let steps = fixes.iter().flat_map(|planned| &planned.fix.steps);
    let steps = one_rollout(steps, &object("Deployment", "web"));
    assert_eq!(steps, [patch("Deployment", "web", "/spec/template/spec/x", "1"), restart("web")]);
}

#[test]
fn patches_of_one_template_become_one() {
    let steps = [
        patch("Deployment", "web", "/spec/template/spec/x", "1"),
        patch("Deployment", "web", "/spec/template/spec/y", "2"),
        patch("Deployment", "web", "/spec/template/spec/x", "1"),
        patch("Deployment", "web", "/spec/minReadySeconds", "2"),
    ];
    let both = ["x", "y"].map(|at| Edit::set(format!("/spec/template/spec/{at}"), if at == "x" { "1" } else { "2" }));
    let web = object("Deployment", "web");
    assert_eq!(one_rollout(steps.iter(), &web), [Step::patch(&web, both.to_vec())]);
}

#[test]
fn of_two_values_for_one_field_the_first_is_applied() {
    let fixes = [
        planned("one", vec![patch("Deployment", "web", "/spec/strategy/type", "a")]),
        planned("two", vec![patch("Deployment", "web", "/spec/strategy", "b")]),
        planned("three", vec![patch("Deployment", "web", "/spec/strategy/type", "a")]),
        planned("four", vec![patch("Deployment", "api", "/spec/strategy/type", "c")]),
    ];
    let clashes = clashes(&fixes, &[0, 1, 2, 3]);
    assert_eq!(clashes.keys().collect::<Vec<_>>(), [&1]);
    let reason = &clashes[&1];
    assert!(reason.contains("/spec/strategy of Deployment/web") && reason.contains("\"one\" (rule-one)"), "{reason}");
}

#[test]
fn a_list_whose_places_move_is_left_to_one_fix() {
    let remove = Step::patch(&object("Deployment", "web"), vec![Edit::remove("/spec/list/1")]);
    let fixes = [planned("one", vec![remove]), planned("two", vec![patch("Deployment", "web", "/spec/list/2/x", "1")])];
    assert_eq!(clashes(&fixes, &[0, 1]).keys().collect::<Vec<_>>(), [&1]);
    let append = |value| planned("x", vec![patch("Deployment", "web", "/spec/list/-", value)]);
    assert_eq!(clashes(&[append("1"), append("2")], &[0, 1]), BTreeMap::new());
}

#[test]
fn one_object_is_made_once() {
    let range = |side: &str, amount: &str| {
        let manifest = json!({"metadata": {"labels": {"rule": side}}, "spec": {"limits": [
            {"type": "Container", "default": {"memory": "1Gi"}, side: {"cpu": amount}}]}});
        planned(side, vec![Step::Create { object: object("LimitRange", "a-limits"), manifest }])
    };
    let fixes = [range("one", "1"), range("two", "2"), range("one", "3")];
    let (made, clashes) = creations(&fixes, &[0, 1, 2]);
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].1["metadata"]["labels"]["rule"], "one");
    let merged = json!({"type": "Container", "default": {"memory": "1Gi"}, "one": {"cpu": "1"}, "two": {"cpu": "2"}});
    assert_eq!(made[0].1["spec"]["limits"], json!([merged]));
    assert_eq!(clashes.keys().collect::<Vec<_>>(), [&2]);
}

#[test]
fn what_needs_an_earlier_step_is_tried_after_it() {
    let create = Step::Create { object: object("Certificate", "c"), manifest: json!({}) };
    let wait = Step::Wait { object: object("Certificate", "c"), condition: "Ready".into() };
    let ingress = patch("Ingress", "i", "/spec/tls", "x");
    let again = patch("Ingress", "i", "/spec/rules", "x");
    let steps = [create.clone(), wait.clone(), ingress.clone(), again.clone()];
    assert_eq!(portions(&steps), [vec![create], vec![wait, ingress.clone()], vec![again]]);
    assert_eq!(portions(std::slice::from_ref(&ingress)), [[ingress]]);
    let rollout = [patch("Deployment", "web", "/spec/template/spec/x", "1"), restart("web")];
    assert_eq!(portions(&rollout), [rollout]);
}
