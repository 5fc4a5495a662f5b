//! Settings inside the text of a configuration file: JSON, YAML, dotenv and properties.

use serde_json::Value;

/// Names and values of the settings in a text, in their order; of nested ones the innermost name.
/// A text that is neither is read line by line, so that a template is understood too.
pub fn settings(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    if let Ok(documents) = serde_saphyr::from_multiple::<Value>(text) {
        for document in &documents {
            leaves(document, &mut out);
        }
    }
    if out.is_empty() {
        out = text.lines().filter_map(line).collect();
    }
    out
}

fn leaves(value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (name, member) in map {
                match member {
                    Value::Object(_) | Value::Array(_) => leaves(member, out),
                    Value::String(text) => out.push((name.clone(), text.clone())),
                    Value::Null => out.push((name.clone(), String::new())),
                    scalar => out.push((name.clone(), scalar.to_string())),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, out)),
        _ => {}
    }
}

/// One line `NAME=value`, with or without `export`, quotes and a comment, or `NAME: value`.
fn line(text: &str) -> Option<(String, String)> {
    let text = text.trim();
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    if text.starts_with(['#', ';', '!']) {
        return None;
    }
    let at = text.find(['=', ':'])?;
    let name = text[..at].trim().trim_matches(['"', '\'']);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    Some((name.to_owned(), unquoted(text[at + 1..].trim())))
}

fn unquoted(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inside, _)) = text.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inside.to_owned();
        }
    }
    let bare = text.split_once(" #").map_or(text, |(value, _)| value);
    bare.trim().trim_end_matches(',').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, name: &str) -> Option<String> {
        settings(text).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    #[test]
    fn every_form_is_read() {
        for text in [
            "A=1\nexport FLAG=\"true\" # why\n",
            "# FLAG=false\nFLAG = true\n",
            "{\"a\": {\"FLAG\": true}}",
            "a:\n  - FLAG: true\n",
            "a: 1\n---\nFLAG: 'true'\n",
            "FLAG: true\nx: {{ .Values.x }}\n",
        ] {
            assert_eq!(value(text, "FLAG").as_deref(), Some("true"), "{text}");
        }
        assert_eq!(value("MY_FLAG=true", "FLAG"), None);
        assert_eq!(value("true", "FLAG"), None);
    }
}
