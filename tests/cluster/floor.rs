//! Autoscalers and their floor: they can't act.

use http::Method;
use serde_json::{Value, json};

use crate::harness::ControlPlane;
use crate::scene::{deployment, pairs, report};

/// At zero an autoscaler does nothing, which is its own finding and no other.
#[test]
fn at_zero_the_autoscaler_is_off() {
    let ns = ControlPlane::full().namespace("zero");
    ns.apply(&deployment("web", 0));
    ns.apply(
        "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  minReplicas: 3
  maxReplicas: 5
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
",
    );
    ns.wait_for("autoscaling/v2/horizontalpodautoscalers/web", "switched off", |scaler| {
        let conditions = scaler["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|it| it["type"] == "ScalingActive" && it["reason"] == "ScalingDisabled")
    });
    let audit = report(&ns.progrc(&["audit", "-o", "json", "--select=high-availability"]).run().expect_code(1));
    assert_eq!(pairs(&audit["findings"]), [("hpa-cannot-scale".to_owned(), "Deployment/web".to_owned())]);
    let fixed =
        report(&ns.progrc(&["fix", "--yes", "--unsafe-fixes", "-o", "json", "--select=high-availability"]).run());
    assert_eq!(fixed["applied"], json!([]), "maintenance or a mistake: nobody has said");
    assert_eq!(ns.request(Method::GET, "apps/v1/deployments/web", None).body["spec"]["replicas"], Value::from(0));
}
