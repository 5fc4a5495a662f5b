//! The JSON Schema of the configuration: the types of the file, and the parameters of each rule.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::check::SEVERITY;
use super::document::Document;
use crate::finding::{Category, Severity};
use crate::rules::rule::{Parameter, ParameterKind, Rule};

/// The schema of a configuration for these rules, JSON Schema 2020-12.
pub fn schema(rules: &[&'static Rule]) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>().to_value();
    schema["title"] = json!("kubectl progrc: .progrc.yaml");
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id).collect();
    let terms: Vec<&str> = (ids.iter().copied())
        .chain(Category::ALL.map(Category::word))
        .chain(Severity::ALL.map(Severity::word))
        .collect();
    let tables: Map<String, Value> = rules.iter().map(|rule| (rule.id.to_owned(), table(rule))).collect();
    let properties = &mut schema["properties"];
    properties["ignore"]["items"] = json!({"enum": terms});
    properties["attestations"]["propertyNames"] = json!({"enum": ids});
    let rules = &mut properties["rules"];
    rules["properties"] = Value::Object(tables);
    rules["additionalProperties"] = json!(false);
    schema["$defs"]["WaiverEntry"]["properties"]["rule"]["enum"] = json!(ids);
    schema
}

/// The keys of one rule.
fn table(rule: &Rule) -> Value {
    let severity = json!({
        "description": format!("Replaces the rule's own severity, {}.", rule.severity.word()),
        "enum": Severity::ALL.map(Severity::word),
    });
    let own = rule.parameters.iter().filter(|parameter| !matches!(parameter.kind, ParameterKind::Confirm));
    let mut properties: Map<String, Value> =
        own.map(|parameter| (parameter.key.to_owned(), value(parameter))).collect();
    properties.insert(SEVERITY.to_owned(), severity);
    json!({
        "description": rule.summary,
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    })
}

/// What one parameter may be.
fn value(parameter: &Parameter) -> Value {
    let scalar = json!(["string", "number", "boolean"]);
    let mut schema = match parameter.kind {
        ParameterKind::List => json!({"type": "array", "items": {"type": scalar}}),
        ParameterKind::Map => {
            json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}})
        }
        ParameterKind::Choice(choices) => json!({"enum": choices}),
        ParameterKind::Number(least) => json!({"type": ["integer", "string"], "minimum": least, "pattern": "^[0-9]+$"}),
        _ => {
            let pattern = parameter.pattern().map(|pattern| format!("^(?:{pattern})$"));
            json!({"type": scalar, "pattern": pattern})
        }
    };
    schema["description"] = json!(parameter.prompt);
    if let Some(default) = parameter.default {
        schema["default"] = json!(default);
    }
    schema
}
