//! Unified diffs of objects as YAML, with the changed part of each line marked.

use serde_json::Value;
use similar::udiff::UnifiedHunkHeader;
use similar::{Algorithm, ChangeTag, TextDiff};

use crate::model::mask;

/// What a line of a diff is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Unchanged.
    Context,
    /// Removed.
    Removed,
    /// Added.
    Added,
    /// The head of a hunk: `@@ -3,7 +3,8 @@`, lines and their number before and after.
    Hunk,
}

/// One line: pieces of text, each with whether it is the part that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What the line is.
    pub kind: Kind,
    /// Its pieces, without the line feed.
    pub pieces: Vec<(bool, String)>,
}

impl Line {
    /// What a line begins with: `-`, `+` or a space.
    pub fn mark(&self) -> &'static str {
        match self.kind {
            Kind::Context => " ",
            Kind::Removed => "-",
            Kind::Added => "+",
            Kind::Hunk => "",
        }
    }

    /// The text with its mark.
    pub fn text(&self) -> String {
        std::iter::once(self.mark()).chain(self.pieces.iter().map(|(_, text)| text.as_str())).collect()
    }
}

/// The lines that differ between two states of an object, with three lines around them. Either
/// side may be absent. Values that may not be shown are masked, but a change of one is still seen.
pub fn objects(before: Option<&Value>, after: Option<&Value>) -> Vec<Line> {
    let (mut before, mut after) = (before.cloned(), after.cloned());
    mask_both(&mut before, &mut after);
    if let (Some(before), Some(after)) = (&mut before, &mut after) {
        elide_unasked(before, after);
    }
    texts(&before.as_ref().map(yaml).unwrap_or_default(), &after.as_ref().map(yaml).unwrap_or_default())
}

/// The lines that differ between two texts, with three lines around them.
pub fn texts(before: &str, after: &str) -> Vec<Line> {
    let diff = TextDiff::configure().algorithm(Algorithm::Patience).diff_lines(before, after);
    let mut out = Vec::new();
    for group in diff.grouped_ops(3) {
        // What is all new or all gone needs no place.
        if !before.is_empty() && !after.is_empty() {
            out.push(Line { kind: Kind::Hunk, pieces: vec![(false, UnifiedHunkHeader::new(&group).to_string())] });
        }
        for op in &group {
            for change in diff.iter_inline_changes(op) {
                let kind = match change.tag() {
                    ChangeTag::Equal => Kind::Context,
                    ChangeTag::Delete => Kind::Removed,
                    ChangeTag::Insert => Kind::Added,
                };
                let pieces = change.iter_strings_lossy();
                let pieces = pieces.map(|(marked, text)| (marked, text.trim_end_matches('\n').to_owned()));
                out.push(Line { kind, pieces: pieces.filter(|(_, text)| !text.is_empty()).collect() });
            }
        }
    }
    out
}

/// An object as YAML, the way a person would write it, without what the server keeps for itself.
pub fn yaml(value: &Value) -> String {
    let mut value = value.clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for member in ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"] {
            metadata.shift_remove(member);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
            && let Some(text) = annotations.get_mut(crate::model::object::LAST_APPLIED)
        {
            *text = Value::String(mask::MASK.to_owned());
        }
    }
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("status");
    }
    serde_saphyr::to_string(&value).unwrap_or_default()
}

/// What stands in place of a value that nobody asked about.
const ELIDED: &str = "…";

/// Takes the values of settings that stay as they are out of both sides: the other keys of a
/// ConfigMap, and the other variables of a container, are nobody's business here.
fn elide_unasked(before: &mut Value, after: &mut Value) {
    if before.get("kind").and_then(Value::as_str) == Some("ConfigMap")
        && let (Some(Value::Object(old)), Some(Value::Object(new))) = (before.get_mut("data"), after.get_mut("data"))
    {
        for (key, value) in old.iter_mut() {
            if let Some(same) = new.get_mut(key).filter(|other| *other == value) {
                *same = Value::from(ELIDED);
                *value = Value::from(ELIDED);
            }
        }
    }
    elide_variables(before, after);
}

fn elide_variables(before: &mut Value, after: &mut Value) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let is_variable = old.contains_key("name") && old.get("name") == new.get("name");
            for (key, value) in old.iter_mut() {
                let Some(other) = new.get_mut(key) else { continue };
                if is_variable && key == "value" && value == other && value.is_string() {
                    *value = Value::from(ELIDED);
                    *other = Value::from(ELIDED);
                } else {
                    elide_variables(value, other);
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            old.iter_mut().zip(new).for_each(|(old, new)| elide_variables(old, new));
        }
        _ => {}
    }
}

/// Masks both sides; where a masked value changed, the new one says so.
fn mask_both(before: &mut Option<Value>, after: &mut Option<Value>) {
    let raw = (before.clone(), after.clone());
    before.iter_mut().chain(after.iter_mut()).for_each(mask::mask_tree);
    if let ((Some(old), Some(new)), Some(shown)) = (raw, after.as_mut()) {
        mark_changed(&old, &new, shown);
    }
}

fn mark_changed(old: &Value, new: &Value, shown: &mut Value) {
    match (new, shown) {
        (Value::Object(new), Value::Object(shown)) => {
            for (name, value) in new {
                if let (Some(old), Some(shown)) = (old.get(name), shown.get_mut(name)) {
                    mark_changed(old, value, shown);
                }
            }
        }
        (Value::Array(new), Value::Array(shown)) => {
            for (index, value) in new.iter().enumerate() {
                if let (Some(old), Some(shown)) = (old.get(index), shown.get_mut(index)) {
                    mark_changed(old, value, shown);
                }
            }
        }
        (Value::String(new), Value::String(shown)) if new != shown && old.as_str() != Some(new) => {
            shown.push_str(" (changed)");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(before: &Value, after: &Value) -> String {
        objects(Some(before), Some(after)).iter().map(|line| line.text() + "\n").collect()
    }

    #[test]
    fn a_changed_value_is_marked() {
        let lines = objects(Some(&json!({"data": {"A": "true"}})), Some(&json!({"data": {"A": "false"}})));
        let marked: Vec<&str> =
            lines.iter().flat_map(|line| &line.pieces).filter(|(m, _)| *m).map(|(_, t)| t.as_str()).collect();
        assert!(!marked.is_empty());
    }

    #[test]
    fn settings_that_stay_are_not_printed() {
        let map = |flag: &str| json!({"kind": "ConfigMap", "data": {"FLAG": flag, "INTERNAL": "quiet"}});
        let text = shown(&map("true"), &map("false"));
        assert!(text.contains("FLAG") && !text.contains("quiet"), "{text}");
        let pod = |flag: &str| json!({"env": [{"name": "FLAG", "value": flag}, {"name": "OTHER", "value": "quiet"}]});
        let text = shown(&pod("true"), &pod("false"));
        assert!(text.contains("true") && !text.contains("quiet"), "{text}");
    }

    #[test]
    fn secrets_are_masked_but_their_change_is_seen() {
        let text = shown(&json!({"data": {"DB_PASSWORD": "a"}}), &json!({"data": {"DB_PASSWORD": "b"}}));
        assert!(
            text.contains("-  DB_PASSWORD: <masked>\n") || text.contains("-  DB_PASSWORD: \"<masked>\"\n"),
            "{text}"
        );
        assert!(text.contains("(changed)"), "{text}");
        assert!(!text.contains(": b"));
    }
}
