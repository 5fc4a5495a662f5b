//! Questions in a pseudo-terminal: each answer, each way out, what the journal keeps.

use http::Method;
use rexpect::process::{Signal, WaitStatus};
use rexpect::session::{PtySession, spawn_command};
use serde_json::{Value, json};

use crate::harness::{ControlPlane, Invocation, Rule, TestNamespace, WAIT};

const BUDGETS: &str = "policy/v1/poddisruptionbudgets";
pub(crate) const QUESTION: &str = "Apply this fix? [";

/// A namespace with a Deployment of two pods for each name; nothing acts on them.
pub(crate) fn workloads(names: &[&str]) -> TestNamespace {
    let ns = ControlPlane::bare().namespace("prompts");
    for name in names {
        ns.apply(&format!(
            "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers: [{{name: main, image: registry.example/web:1, ports: [{{name: http, containerPort: 80}}]}}]
"
        ));
    }
    ns
}

/// A dialogue with the plugin.
pub(crate) struct Talk(pub(crate) PtySession);

impl Talk {
    pub(crate) fn start(ns: &TestNamespace, words: &[&str]) -> Self {
        Self::with(&ns.progrc(words))
    }

    /// A dialogue with the plugin as it is invoked.
    pub(crate) fn with(invocation: &Invocation) -> Self {
        let limit = u64::try_from(WAIT.as_millis()).expect("a minute fits");
        Self(spawn_command(invocation.command(), Some(limit)).expect("a terminal can be opened"))
    }

    /// `fix` of missing-pdb, which creates a budget for each Deployment; no controller looks at it.
    fn fix(ns: &TestNamespace) -> Self {
        Self::start(ns, &["fix", "--select", "missing-pdb", "--wait=false"])
    }

    /// Waits for a text and returns what stood before it.
    #[track_caller]
    pub(crate) fn hear(&mut self, text: &str) -> String {
        self.0.exp_string(text).unwrap_or_else(|error| panic!("waited for {text:?}: {error}"))
    }

    pub(crate) fn say(&mut self, line: &str) {
        self.0.send_line(line).expect("the terminal is open");
    }

    /// The rest of what it says, and its exit code.
    #[track_caller]
    pub(crate) fn end(mut self, code: i32) -> String {
        let rest = self.0.exp_eof().expect("it ends");
        match self.0.process().wait().expect("it is our child") {
            WaitStatus::Exited(_, ended) => assert_eq!(ended, code, "{rest}"),
            other => panic!("{other:?}: {rest}"),
        }
        rest
    }
}

/// The names of the budgets that the server holds.
fn budgets(ns: &TestNamespace) -> Vec<String> {
    let list = ns.get(BUDGETS);
    let names = list["items"].as_array().expect("a list").iter().map(|item| &item["metadata"]["name"]);
    names.map(|name| name.as_str().expect("a name").to_owned()).collect()
}

/// The newest entry of the journal.
fn newest(ns: &TestNamespace) -> Value {
    let printed = ns.progrc(&["history", "-o", "json"]).run().expect_code(0).stdout;
    let list: Value = serde_json::from_str(&printed).expect("it is JSON");
    list[0].clone()
}

#[test]
fn yes_no_show_help_and_quit() {
    let ns = workloads(&["a", "b", "c"]);
    let mut talk = Talk::fix(&ns);
    let before = talk.hear(QUESTION);
    assert!(before.starts_with("Context ") && before.contains(&format!("namespace {}", ns.name)), "{before}");
    assert!(before.contains("[1/3] HIGH missing-pdb"), "{before}");
    assert!(before.contains("+kind: PodDisruptionBudget") && before.contains("server dry run: accepted"), "{before}");
    assert_eq!(budgets(&ns).len(), 0, "nothing is written before the answer");
    talk.say("?");
    let help = talk.hear(QUESTION);
    assert!(help.contains("leave this finding as it is") && help.contains("stop here"), "{help}");
    talk.say("what");
    assert!(talk.hear(QUESTION).contains("apply this fix"));
    talk.say("s");
    assert!(talk.hear(QUESTION).contains("\"kind\": \"PodDisruptionBudget\""));
    talk.say("y");
    let next = talk.hear(QUESTION);
    assert!(next.contains("poddisruptionbudget.policy/a-pdb created") && next.contains("[2/3]"), "{next}");
    talk.say("n");
    assert!(talk.hear(QUESTION).contains("[3/3]"));
    talk.say("Q");
    let end = talk.end(1);
    assert_eq!(budgets(&ns), ["a-pdb"]);
    let entry = newest(&ns);
    let id = entry["id"].as_str().expect("an ID");
    for wanted in
        ["1 fix applied", "2 findings left", "answered no", "not decided", &format!("kubectl progrc undo {id}")]
    {
        assert!(end.contains(wanted), "{wanted}: {end}");
    }
    assert!(end.contains("before, ") && end.contains(" now"), "the score: {end}");
    assert_eq!(entry["status"], "partial");
}

#[test]
fn all_applies_the_rest_of_the_rule() {
    let ns = workloads(&["a", "b", "c"]);
    let mut talk = Talk::fix(&ns);
    talk.hear(QUESTION);
    talk.say("a");
    let end = talk.end(0);
    assert!(end.contains("3 fixes applied") && !end.contains(QUESTION), "{end}");
    assert_eq!(budgets(&ns), ["a-pdb", "b-pdb", "c-pdb"]);
    assert_eq!(newest(&ns)["status"], "done");
}

#[test]
fn drop_leaves_the_rest_of_the_rule() {
    let ns = workloads(&["a", "b"]);
    let mut talk = Talk::fix(&ns);
    talk.hear(QUESTION);
    talk.say("d");
    let end = talk.end(1);
    assert!(end.contains("0 fixes applied") && end.contains("2 findings left"), "{end}");
    assert!(!end.contains("kubectl progrc undo"), "there is nothing to undo: {end}");
    assert_eq!(budgets(&ns).len(), 0);
    assert!(ns.requests().iter().all(|request| !request.writes()));
}

#[test]
fn answers_can_be_changed() {
    let ns = workloads(&["a"]);
    let mut talk = Talk::fix(&ns);
    assert!(talk.hear(QUESTION).contains("maxUnavailable: 1"));
    talk.say("e");
    talk.hear("[maxUnavailable]: ");
    talk.say("most");
    assert!(talk.hear("[maxUnavailable]: ").contains("`most` is not one of maxUnavailable, minAvailable"));
    talk.say("minAvailable");
    assert!(talk.hear(QUESTION).contains("minAvailable: 1"));
    talk.say("y");
    talk.end(0);
    assert_eq!(ns.get(&format!("{BUDGETS}/a-pdb"))["spec"]["minAvailable"], 1);
}

#[test]
fn open_questions_are_asked_before_the_diff() {
    let ns = workloads(&["a"]);
    ns.apply(
        "
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {selector: {app: a}, ports: [{port: 80, targetPort: http}]}
",
    );
    let mut talk = Talk::start(&ns, &["fix", "--select", "missing-readiness-probe", "--wait=false"]);
    let before = talk.hear("finding): ");
    assert!(before.contains("missing-readiness-probe") && !before.contains("server dry run"), "{before}");
    talk.say("no slash");
    assert!(talk.hear("finding): ").contains("`no slash` does not match"));
    talk.say("/ready");
    assert!(talk.hear(QUESTION).contains("path: /ready"));
    talk.say("n");
    talk.end(1);

    let mut talk = Talk::start(&ns, &["fix", "--select", "missing-readiness-probe"]);
    talk.hear("finding): ");
    talk.say("");
    assert!(talk.end(1).contains("its questions were not answered"));
}

#[test]
fn what_is_lost_for_good_is_confirmed_by_name() {
    let ns = workloads(&[]);
    balancer(&ns);
    let words = ["fix", "--select", "redundant-load-balancer", "-l", "app=web"];
    let mut talk = Talk::start(&ns, &words);
    talk.hear(QUESTION);
    talk.say("a");
    assert!(talk.hear("Type web to confirm: ").contains("203.0.113.7"));
    talk.say("wbe");
    let end = talk.end(1);
    assert!(end.contains("0 fixes applied") && end.contains("not confirmed by name"), "{end}");
    assert_eq!(ns.get("v1/services/web")["spec"]["type"], "LoadBalancer");

    let mut talk = Talk::start(&ns, &words);
    talk.hear(QUESTION);
    talk.say("y");
    talk.hear("Type web to confirm: ");
    talk.say("web");
    assert!(talk.end(0).contains("1 fix applied"));
    assert_eq!(ns.get("v1/services/web")["spec"]["type"], "ClusterIP");
}

/// A public load balancer beside an ingress controller that routes to it already.
pub(crate) fn balancer(ns: &TestNamespace) {
    ns.apply(
        "
apiVersion: v1
kind: Namespace
metadata: {name: ingress-nginx}
---
apiVersion: v1
kind: Service
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
spec: {type: LoadBalancer, selector: {app: nginx}, ports: [{name: http, port: 80}, {name: https, port: 443}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example.com
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {app: web}}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
",
    );
    let address = |ip: &str| json!({"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}});
    let controller = "/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller/status";
    ns.request(Method::PATCH, controller, Some(&address("203.0.113.1"))).success();
    ns.patch("networking.k8s.io/v1/ingresses/shop/status", &address("203.0.113.1"));
    ns.patch("v1/services/web/status", &address("203.0.113.7"));
}

#[test]
fn control_c_at_a_question_settles_everything() {
    let ns = workloads(&["a", "b"]);
    let mut talk = Talk::fix(&ns);
    talk.hear(QUESTION);
    talk.say("y");
    talk.hear(QUESTION);
    talk.0.send_control('c').expect("the terminal is open");
    settled(&ns, &talk.end(130));
}

#[test]
fn a_request_to_end_settles_everything_too() {
    let ns = workloads(&["a", "b"]);
    let mut talk = Talk::fix(&ns);
    talk.hear(QUESTION);
    talk.say("y");
    talk.hear(QUESTION);
    talk.0.process_mut().signal(Signal::SIGTERM).expect("it is our child");
    settled(&ns, &talk.end(130));
}

/// One fix stands, the journal is closed, the way back is named, the cursor can be seen.
#[track_caller]
fn settled(ns: &TestNamespace, end: &str) {
    assert_eq!(budgets(ns), ["a-pdb"]);
    let entry = newest(ns);
    assert_eq!(entry["status"], "interrupted");
    let id = entry["id"].as_str().expect("an ID");
    assert!(end.contains("1 fix applied") && end.contains(&format!("kubectl progrc undo {id}")), "{end}");
    assert!(!end.contains("panicked") && !end.contains("error: "), "{end}");
    let (hidden, shown) = (end.rfind("\u{1b}[?25l"), end.rfind("\u{1b}[?25h"));
    assert!(hidden.is_none() || hidden < shown, "{end:?}");
}

#[test]
fn what_somebody_else_did_meanwhile_is_said_and_left() {
    let ns = workloads(&["a", "b"]);
    let mut talk = Talk::fix(&ns);
    talk.hear(QUESTION);
    ns.apply(
        "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: by-hand}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: b}}}
",
    );
    talk.say("y");
    let end = talk.end(0);
    assert!(end.contains("Deployment/") && end.contains("it is gone"), "{end}");
    assert_eq!(budgets(&ns), ["a-pdb", "by-hand"]);
}

#[test]
fn a_missing_right_is_said_at_the_finding() {
    let ns = workloads(&["a"]);
    let read = Rule { group: "*", resources: &["*"], verbs: &["get", "list"] };
    let user = ControlPlane::bare().user_with(&[read]);
    let limit = u64::try_from(WAIT.as_millis()).expect("a minute fits");
    let command = ns.progrc_as(&user, &["fix", "--select", "missing-pdb"]).command();
    let end = Talk(spawn_command(command, Some(limit)).expect("a terminal can be opened")).end(1);
    let missing = format!("the user may not create poddisruptionbudgets.policy in namespace {}", ns.name);
    assert!(end.contains("[1/1] HIGH missing-pdb") && end.contains(&missing), "{end}");
    assert!(!end.contains(QUESTION), "{end}");
    assert!(!ns.requests_of(&user).iter().any(|it| it.uri.contains("dryRun")), "not even tried");
}

#[test]
fn before_the_question_stands_what_restarts() {
    let ns = workloads(&["a"]);
    let mut talk = Talk::start(&ns, &["fix", "--select", "unneeded-service-account-token", "--wait=false"]);
    let before = talk.hear(QUESTION);
    assert!(before.contains("accepted") && before.contains("reversible"), "{before}");
    assert!(before.contains("restarts Deployment/a (2 pods)"), "{before}");
    assert_eq!(before.matches("restarts Deployment/a").count(), 1, "{before}");
    talk.say("n");
    talk.end(1);
}

#[test]
fn the_end_of_input_is_no_answer() {
    let ns = workloads(&["a"]);
    let mut talk = Talk::fix(&ns);
    talk.hear(QUESTION);
    talk.0.send_control('d').expect("the terminal is open");
    let end = talk.end(2);
    assert!(end.contains("error: ") && end.contains("input ended"), "{end}");
    assert_eq!(budgets(&ns).len(), 0);
}

#[test]
fn undo_asks_and_no_is_the_default() {
    let ns = workloads(&["a"]);
    ns.progrc(&["fix", "--select", "missing-pdb", "--yes", "--wait=false"]).run().expect_code(0);
    for answer in ["", "n"] {
        let mut talk = Talk::start(&ns, &["undo"]);
        assert!(talk.hear("Take these changes back? [y/N] ").contains("a-pdb"));
        talk.say(answer);
        talk.end(1);
        assert_eq!(budgets(&ns), ["a-pdb"]);
    }
    let mut talk = Talk::start(&ns, &["undo"]);
    talk.hear("[y/N] ");
    talk.0.send_control('c').expect("the terminal is open");
    talk.end(130);
    assert_eq!(budgets(&ns), ["a-pdb"]);

    let mut talk = Talk::start(&ns, &["undo"]);
    talk.hear("[y/N] ");
    talk.say("y");
    assert!(talk.end(0).contains("1 change taken back"));
    assert_eq!(budgets(&ns).len(), 0);
}
