//! The network policies that fixes make on a real server, read back from it and judged by the rules of
//! the API's reference.
//!
//! No network plugin runs here: what would go through is reckoned, not sent. Probes come from the
//! kubelet of the pod's own node, which the reference excepts from all policies, so that the reckoning
//! lets them through under any policy, the bad ones too.

use serde_json::json;

use crate::flows::{End, Network};
use crate::harness::{ControlPlane, TestNamespace};
use crate::prompts::{QUESTION, Talk};
use crate::scene::{ENTRY_ADDRESS, address, assert_guarded, entry_point, pairs, report};

/// A web app and its API behind one host, and what the API calls. Nobody calls the batch.
const APPLICATION: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  ingressClassName: nginx
  rules:
    - host: shop.example.com
      http:
        paths:
          - {path: /api, pathType: Prefix, backend: {service: {name: progrc-backend, port: {name: http}}}}
          - {path: /, pathType: Prefix, backend: {service: {name: progrc-frontend, port: {name: http}}}}
";

/// Name, port, and the variables from which its calls are known.
const WORKLOADS: [(&str, u64, &str); 5] = [
    ("progrc-frontend", 8080, "{name: API_URL, value: 'http://progrc-backend/api'}"),
    (
        "progrc-backend",
        3000,
        "{name: REDIS_URL, value: 'redis://redis:6379'}, {name: DATABASE_URL, value: 'postgres://db:5432/shop'}",
    ),
    ("redis", 6379, ""),
    ("db", 5432, ""),
    ("batch", 9000, ""),
];

/// The cluster's DNS as its installers set it up.
const DNS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec:
      containers:
        - name: coredns
          image: registry.example/coredns:1
          ports: [{name: dns, containerPort: 53, protocol: UDP}, {name: dns-tcp, containerPort: 53}]
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec:
  selector: {k8s-app: kube-dns}
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]
";

fn workload(name: &str, port: u64, env: &str) -> String {
    format!(
        "
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      automountServiceAccountToken: false
      containers:
        - name: main
          image: registry.example/{name}:1
          env: [{env}]
          ports: [{{name: http, containerPort: {port}}}]
          readinessProbe: {{tcpSocket: {{port: http}}}}
"
    )
}

fn service(name: &str, port: u64) -> String {
    let port = if name.starts_with("progrc") { 80 } else { port };
    format!(
        "
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec: {{selector: {{app: {name}}}, ports: [{{name: http, port: {port}, targetPort: http}}]}}
"
    )
}

/// Applies the application, waits for its pods and gives its Ingress the address of the entry point.
fn application() -> TestNamespace {
    let plane = ControlPlane::full();
    entry_point(plane);
    let ns = plane.namespace("policies");
    let mut text = APPLICATION.to_owned();
    for (name, port, env) in WORKLOADS {
        text += &workload(name, port, env);
        text += &if name == "batch" { String::new() } else { service(name, port) };
    }
    ns.apply(DNS);
    ns.apply(&text);
    WORKLOADS.iter().for_each(|(name, ..)| drop(ns.wait_for_rollout(name)));
    ns.patch("networking.k8s.io/v1/ingresses/shop/status", &address(ENTRY_ADDRESS));
    ns
}

/// What the server holds now of all that decides about flows.
fn network(ns: &TestNamespace) -> Network {
    let policies = "networking.k8s.io/v1/networkpolicies";
    let mut lists = vec![("Namespace", "/api/v1/namespaces".to_owned()), ("NetworkPolicy", policies.to_owned())];
    for namespace in [ns.name.as_str(), "ingress-nginx", "kube-system"] {
        lists.push(("Deployment", format!("/apis/apps/v1/namespaces/{namespace}/deployments")));
    }
    let mut objects = Vec::new();
    for (kind, path) in lists {
        for object in ns.get(&path)["items"].as_array().unwrap() {
            let mut object = object.clone();
            object["kind"] = kind.into();
            objects.push(object);
        }
    }
    Network::of(&objects)
}

/// Which of these calls between workloads go through: caller, target, and the pod's port. `outside` is
/// an address on the internet.
fn open<'c>(ns: &TestNamespace, calls: &[(&'c str, &'c str, u64)]) -> Vec<(&'c str, &'c str, u64)> {
    let network = network(ns);
    let end = |name: &str| match name {
        "outside" => End::Address("198.51.100.7".parse().unwrap()),
        "node" => End::OwnNode,
        "controller" => End::Pod(network.named("ingress-nginx", "ingress-nginx-controller")[0]),
        "dns" => End::Pod(network.named("kube-system", "coredns")[0]),
        name => End::Pod(network.named(&ns.name, name)[0]),
    };
    let goes = |(from, to, port): &&(&str, &str, u64)| {
        let goes = |protocol: &'static str| network.allows(end(from), end(to), (protocol, *port));
        goes("TCP") && (*to != "dns" || goes("UDP"))
    };
    calls.iter().filter(goes).copied().collect()
}

/// The way in, names, and the calls of the application.
const NEEDED: [(&str, &str, u64); 9] = [
    ("controller", "progrc-frontend", 8080),
    ("controller", "progrc-backend", 3000),
    ("progrc-frontend", "dns", 53),
    ("progrc-backend", "dns", 53),
    ("redis", "dns", 53),
    ("batch", "dns", 53),
    ("progrc-frontend", "progrc-backend", 3000),
    ("progrc-backend", "redis", 6379),
    ("progrc-backend", "db", 5432),
];

/// What nobody needs: past the entry point, past the API, back, sideways and out.
const NEEDLESS: [(&str, &str, u64); 12] = [
    ("outside", "progrc-frontend", 8080),
    ("outside", "db", 5432),
    ("controller", "db", 5432),
    ("controller", "progrc-backend", 9229),
    ("progrc-frontend", "db", 5432),
    ("progrc-frontend", "redis", 6379),
    ("db", "progrc-backend", 3000),
    ("batch", "progrc-backend", 3000),
    ("batch", "db", 5432),
    ("progrc-backend", "outside", 443),
    ("redis", "outside", 443),
    ("batch", "outside", 443),
];

fn probes() -> Vec<(&'static str, &'static str, u64)> {
    WORKLOADS.iter().map(|(name, port, _)| ("node", *name, *port)).collect()
}

/// Lets the program make the policies of a rule.
fn isolate(ns: &TestNamespace, rule: &str, more: &[&str]) {
    let select = format!("--select={rule}");
    let args = [&["fix", "--yes", "--unsafe-fixes", &select, "-o", "json"], more].concat();
    let fixed = report(&ns.progrc(&args).run().expect_code(0));
    assert_eq!(pairs(&fixed["applied"]).len(), WORKLOADS.len(), "{fixed:#}");
}

/// What the assessment of this cluster proposed, with the pods that it selects: an entry point known by
/// a label that its namespace does not have, one callee, and no DNS.
fn literal(selector: &str) -> String {
    format!(
        "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: literal}}
spec:
  podSelector: {selector}
  policyTypes: [Ingress, Egress]
  ingress:
    - from: [{{namespaceSelector: {{matchLabels: {{name: ingress-nginx}}}}}}]
      ports: [{{port: 3000}}]
  egress:
    - to: [{{podSelector: {{matchLabels: {{app: redis}}}}}}]
      ports: [{{port: 6379}}]
"
    )
}

#[test]
fn policies_on_the_server_keep_what_is_needed_and_a_literal_one_breaks_it() {
    let ns = application();
    let everything: Vec<_> = NEEDED.iter().chain(&NEEDLESS).copied().collect();
    assert_eq!(open(&ns, &everything), everything, "nothing is isolated yet");

    isolate(&ns, "missing-ingress-policy", &[]);
    isolate(&ns, "missing-egress-policy", &["--set=missing-egress-policy.external=none"]);
    assert_eq!(open(&ns, &NEEDED), NEEDED);
    assert_eq!(open(&ns, &NEEDLESS), []);
    assert_eq!(open(&ns, &probes()), probes());
    for (name, ..) in WORKLOADS {
        ns.wait_for_rollout(name);
    }
    assert_guarded(&ns.requests());

    for _ in 0..2 {
        ns.progrc(&["undo", "--yes"]).run().expect_code(0);
    }
    assert_eq!(ns.get("networking.k8s.io/v1/networkpolicies")["items"], json!([]));
    assert_eq!(open(&ns, &everything), everything, "undone");

    ns.apply(&literal("{matchLabels: {app: progrc-backend}}"));
    // Of the backend: the way in, DNS, who calls it, and what it calls besides redis.
    let cut = [1, 3, 6, 8].map(|place| NEEDED[place]);
    assert_eq!(open(&ns, &cut), []);
    ns.apply(&literal("{}"));
    // Its own pods may send to redis, which may not listen.
    assert_eq!(open(&ns, &NEEDED), []);
    assert_eq!(open(&ns, &probes()), probes());
}

/// Makes the web app public beside its Ingress: nothing isolates it yet.
fn publish(ns: &TestNamespace) {
    ns.patch("v1/services/progrc-frontend", &json!({"spec": {"type": "LoadBalancer"}}));
    ns.patch("v1/services/progrc-frontend/status", &address("203.0.113.37"));
}

/// The rules that close the Service and isolate the pods behind it.
const CLOSE: [&str; 4] =
    ["fix", "--select=redundant-load-balancer,missing-ingress-policy", "-l", "app=progrc-frontend"];

/// The web app is closed, and its policy, which was shown before it was made, knows that.
fn assert_closed(ns: &TestNamespace, said: &str) {
    assert_eq!(ns.get("v1/services/progrc-frontend")["spec"]["type"], "ClusterIP");
    let shown = said.rsplit_once("NetworkPolicy/progrc-frontend-ingress (new)").expect("the policy is shown").1;
    assert!(shown.contains("ingress-nginx") && !shown.contains("0.0.0.0/0"), "{said}");
    let calls = [("controller", "progrc-frontend", 8080), ("outside", "progrc-frontend", 8080)];
    assert_eq!(open(ns, &calls), [calls[0]]);
}

#[test]
fn a_policy_of_a_batch_knows_the_service_that_the_same_batch_closed() {
    let ns = application();
    publish(&ns);
    let offered = ns.progrc(&["diff", "--select=missing-ingress-policy", "-l", "app=progrc-frontend"]).run();
    assert!(offered.stdout.contains("0.0.0.0/0"), "by itself it lets in who is let in now: {offered:#?}");
    let confirm = format!("--set=redundant-load-balancer.confirm={}/progrc-frontend", ns.name);
    let fixed = ns.progrc(&[&CLOSE[..], &["--yes", "--unsafe-fixes", &confirm]].concat()).run().expect_code(0);
    assert!(fixed.stderr.contains("what it rests on has changed, and it is built anew"), "{}", fixed.stderr);
    assert_closed(&ns, &fixed.stderr);
    assert_guarded(&ns.requests());
}

#[test]
fn a_policy_at_the_prompt_knows_the_service_that_was_closed_before() {
    let ns = application();
    publish(&ns);
    let mut talk = Talk::start(&ns, &CLOSE);
    talk.hear(QUESTION);
    talk.say("y");
    talk.hear("Type progrc-frontend to confirm: ");
    talk.say("progrc-frontend");
    let shown = talk.hear(QUESTION);
    talk.say("y");
    talk.end(0);
    assert_closed(&ns, &shown);
}
