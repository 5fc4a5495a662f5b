//! Autoscalers and their floor: they can't act.

use http::Method;
use serde_json::{Value, json};

use crate::harness::ControlPlane;
use crate::scene::{AUTOSCALER, deployment, pairs, report};

/// At zero an autoscaler does nothing, which is its own finding and no other.
#[test]
fn at_zero_the_autoscaler_is_off() {
    let ns = ControlPlane::full().namespace("zero");
    ns.apply(&deployment("web", 0));
    ns.apply(AUTOSCALER);
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
