//! Whole objects as they are after the fixes.

use serde_json::Value;

use super::{Printed, Touched, comment, file_name, written, yaml};
use crate::model::{ObjectRef, mask};

/// A file for each object that stays, and the objects that are left out, each with why.
pub fn files(touched: &[Touched]) -> (Vec<Printed>, Vec<(ObjectRef, String)>) {
    let (mut files, mut left) = (Vec::new(), Vec::new());
    for Touched { object, after, head, .. } in touched {
        match after.as_ref().map(written) {
            None => left.push((object.clone(), "it is to be deleted".to_owned())),
            Some(whole) if mask::holds_masked_key(&whole) => {
                let why = "it holds values that may not be shown; --format kustomize prints what changes";
                left.push((object.clone(), why.to_owned()));
            }
            Some(whole) => {
                let text = comment(head) + &yaml(&in_order(whole, object));
                files.push((file_name(object, &files), text));
            }
        }
    }
    (files, left)
}

/// What an object is stands first, as people write it; lists of a server leave it out.
fn in_order(whole: Value, object: &ObjectRef) -> Value {
    let Value::Object(mut rest) = whole else { return whole };
    let mut out = serde_json::Map::new();
    for (name, text) in [("apiVersion", &object.api_version), ("kind", &object.kind)] {
        rest.shift_remove(name);
        out.insert(name.to_owned(), text.clone().into());
    }
    out.extend(rest);
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_object_shows_no_secret() {
        let object = |name: &str, data: Value| Touched {
            object: ObjectRef::new("v1", "ConfigMap", Some("a"), name),
            before: None,
            after: Some(json!({"metadata": {"name": name}, "data": data})),
            operations: Vec::new(),
            head: vec!["why".into()],
        };
        let all = [object("open", json!({"A": "1"})), object("closed", json!({"DB_PASSWORD": "hunter2"}))];
        let (files, left) = files(&all);
        let text = "# why\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: open\ndata:\n  A: \"1\"\n";
        assert_eq!(files, [("open-configmap.yaml".to_owned(), text.to_owned())]);
        assert_eq!(left[0].0.name, "closed");
    }
}
