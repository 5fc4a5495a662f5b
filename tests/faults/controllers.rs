//! What controllers do that the plane lacks and that a fix waits for. A proxy lets them act before the
//! writer hears of its write, so that a run sends the same requests each time.

use http::Method;
use serde_json::{Value, json};

use crate::fault::Asked;
use crate::harness::ControlPlane;

/// Follows a request that the server has answered: a new Certificate is issued.
pub(crate) fn follow(plane: &ControlPlane, asked: &Asked, answer: &[u8]) {
    let list = asked.path();
    let is_of_certificates = list.starts_with("/apis/cert-manager.io/") && list.ends_with("/certificates");
    if !is_of_certificates || asked.method != "POST" || !asked.writes() || asked.code != Some(201) {
        return;
    }
    let made: Value = serde_json::from_slice(answer).expect("the server answers with the object");
    let path = format!("{list}/{}/status", made["metadata"]["name"].as_str().expect("it has a name"));
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    plane.request(Method::PATCH, &path, Some(&ready)).success();
}
