//! What became of the restart that a written value was waiting for.

use serde_json::Value;

use crate::backend::cluster::connect::Connection;
use crate::backend::cluster::objects;
use crate::backend::journal::{StepEntry, Verb};
use crate::fix::RESTARTED_AT;
use crate::model::ObjectRef;
use crate::model::object::pointer;
use crate::plan::change::{self, Standing};

/// Whether a workload still has to be restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Its pods run with what was before.
    Restart,
    /// They do not, or it is of no use: why.
    Nothing(String),
    /// It can't be seen: why.
    Unclear(String),
}

/// Looks whether a workload still has to be restarted for a step.
pub async fn need(connection: &Connection, step: &StepEntry, workload: &ObjectRef) -> Need {
    let intent = &step.intent;
    let value = match objects::find(connection, &intent.object, intent.subresource.as_deref()).await {
        Ok(value) => value,
        Err(error) => return Need::Unclear(error.to_string()),
    };
    match objects::find(connection, workload, None).await {
        Ok(live) => judge(step, value.as_ref(), workload, live.as_ref()),
        Err(error) => Need::Unclear(error.to_string()),
    }
}

fn judge(step: &StepEntry, value: Option<&Value>, workload: &ObjectRef, live: Option<&Value>) -> Need {
    let nothing = |why: &str| Need::Nothing(why.to_owned());
    let Some(value) = value else { return nothing("what its pods were to read is gone") };
    let stands =
        |value: &Value| change::standing(step.changes(), value).iter().any(|field| field.standing == Standing::Ours);
    if step.intent.verb == Verb::Patch && !stands(value) {
        return nothing("what its pods were to read has been changed since");
    }
    let Some(live) = live else { return nothing("it does not exist any more") };
    if workload.uid.is_some() && workload.uid.as_deref() != live.pointer("/metadata/uid").and_then(Value::as_str) {
        return nothing("it was deleted and made anew: its pods are new");
    }
    let at = live.pointer(&pointer("/spec/template/metadata/annotations", &[RESTARTED_AT])).and_then(Value::as_str);
    let restarted = at.and_then(|at| at.parse::<jiff::Timestamp>().ok());
    // The annotation has no parts of a second: one of the same second may be older.
    match restarted {
        Some(at) if at.as_second() > step.intent.time.as_second() => nothing("it was restarted since"),
        _ => Need::Restart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::journal::Record;
    use serde_json::json;

    /// A flag of a map that was set at noon, for a Deployment.
    fn step() -> StepEntry {
        let record: Record = serde_json::from_value(json!({
            "record": "intent", "step": 0, "rule": "r", "title": "t", "verb": "patch",
            "object": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "a", "name": "c"},
            "changes": [{"pointer": "/data/FLAG", "before": "true", "after": "false"}],
            "time": "2026-01-01T12:00:00.5Z",
        }))
        .unwrap();
        let Record::Intent(intent) = record else { panic!("it is an intent") };
        StepEntry::new(intent)
    }

    #[test]
    fn a_restart_is_needed_as_long_as_the_value_stands_and_the_pods_are_old() {
        let workload = ObjectRef { uid: Some("u".into()), ..ObjectRef::new("apps/v1", "Deployment", Some("a"), "web") };
        let map = |flag: &str| json!({"data": {"FLAG": flag}});
        let web = |uid: &str, at: &str| {
            let annotations = json!({RESTARTED_AT: at});
            json!({"metadata": {"uid": uid}, "spec": {"template": {"metadata": {"annotations": annotations}}}})
        };
        let needs = |flag: &str, live: Option<Value>| {
            judge(&step(), Some(&map(flag)), &workload, live.as_ref()) == Need::Restart
        };
        assert!(needs("false", Some(json!({"metadata": {"uid": "u"}, "spec": {"template": {}}}))));
        assert!(needs("false", Some(web("u", "2026-01-01T11:59:59Z"))));
        assert!(needs("false", Some(web("u", "2026-01-01T12:00:00Z"))), "the same second");
        assert!(!needs("false", Some(web("u", "2026-01-01T12:00:01Z"))), "somebody has restarted it");
        assert!(!needs("false", Some(web("other", "2026-01-01T11:59:59Z"))), "its pods are new");
        assert!(!needs("false", None));
        assert!(!needs("true", Some(web("u", "2026-01-01T11:59:59Z"))), "nothing is there to be read");
        assert_eq!(judge(&step(), None, &workload, None), Need::Nothing("what its pods were to read is gone".into()));
    }
}
