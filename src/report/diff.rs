//! Diffs as lines of text with roles; the colours are somebody else's.

use serde_json::Value;

use super::text::{Line, Role};
use crate::model::mask;
use crate::plan::diff::{self, Kind};

/// The lines of a diff, indented.
pub fn lines(diff: &[diff::Line], indent: usize) -> Vec<Line> {
    diff.iter().map(|line| one(line, indent)).collect()
}

fn one(line: &diff::Line, indent: usize) -> Line {
    let (plain, marked) = match line.kind {
        Kind::Context | Kind::Hunk => (Role::Dim, Role::Dim),
        Kind::Removed => (Role::Removed, Role::RemovedEmphasis),
        Kind::Added => (Role::Added, Role::AddedEmphasis),
    };
    let start = Line::of(Role::Plain, &" ".repeat(indent)).and(plain, line.mark());
    line.pieces.iter().fold(start, |out, (is_marked, text)| out.and(if *is_marked { marked } else { plain }, text))
}

/// A request's body for the eye: indented JSON, without what may not be shown.
pub fn masked_request(body: &Value) -> String {
    let mut body = body.clone();
    if let Some(operations) = body.as_array_mut() {
        for operation in operations {
            let path = operation.get("path").and_then(Value::as_str).unwrap_or_default().to_owned();
            let key = crate::plan::patch::last_segment(&path);
            if let Some(value) = operation.get_mut("value") {
                let mut named = serde_json::json!({ key.clone(): value.clone() });
                mask::mask_tree(&mut named);
                *value = named[&key].take();
            }
        }
    } else {
        mask::mask_tree(&mut body);
    }
    format!("{body:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_no_secret() {
        let text = masked_request(&serde_json::json!([
            {"op": "test", "path": "/data/DB_PASSWORD", "value": "hunter2"},
            {"op": "replace", "path": "/data/MODE", "value": "a"},
            {"op": "test", "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration", "value": "hunter2"},
        ]));
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("\"a\""));
    }
}
