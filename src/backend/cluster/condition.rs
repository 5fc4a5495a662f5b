//! Waiting until an object reports a condition.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::connect::Connection;
use super::objects;
use crate::model::ObjectRef;

/// How often the object is looked at.
const PULSE: Duration = Duration::from_secs(1);

/// Waits until a condition is `True`; says why it did not become so.
pub async fn wait(
    connection: &Connection,
    object: &ObjectRef,
    condition: &str,
    timeout: Duration,
) -> Result<(), String> {
    let end = Instant::now() + timeout;
    loop {
        let live = objects::get(connection, object, None).await.map_err(|error| error.to_string())?;
        let seen = state(&live, condition);
        if seen.as_deref() == Some("True") {
            return Ok(());
        }
        if Instant::now() + PULSE > end {
            let seen = seen.unwrap_or_else(|| "not reported".to_owned());
            return Err(format!("{} of {object} is {seen} after {} s", condition, timeout.as_secs()));
        }
        tokio::time::sleep(PULSE).await;
    }
}

/// The status of a condition, and why it is not true.
fn state(object: &Value, condition: &str) -> Option<String> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|it| it.get("type").and_then(Value::as_str) == Some(condition))?;
    let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(match (text("status"), text("message")) {
        ("True", _) => "True".to_owned(),
        (status, "") => status.to_owned(),
        (status, message) => format!("{status} ({})", super::answer::shorten(message)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_condition_is_read_by_its_type() {
        let object = json!({"status": {"conditions": [
            {"type": "Issuing", "status": "True"}, {"type": "Ready", "status": "False", "message": "no order"}]}});
        assert_eq!(state(&object, "Issuing").as_deref(), Some("True"));
        assert_eq!(state(&object, "Ready").as_deref(), Some("False (no order)"));
        assert_eq!(state(&object, "Other"), None);
    }
}
