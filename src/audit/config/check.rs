//! From the file's shape to what it means: ids, parameters, dates and names are checked.

use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::document::{AttestationEntry, Document, Entries, WaiverEntry};
use super::error::{ConfigProblem, one_of};
use super::{Config, ConfigWaiver};
use crate::audit::filter::Term;
use crate::audit::suggest;
use crate::finding::Severity;
use crate::rules::rule::{Parameter, ParameterKind, Rule};
use crate::rules::settings::Attestation;

/// The key of every rule's table that replaces its severity.
pub(super) const SEVERITY: &str = "severity";

/// What the document means, and everything that is wrong with it.
pub(super) fn check(document: Document, rules: &[&'static Rule]) -> (Config, Vec<ConfigProblem>) {
    let mut check = Check { rules, config: Config::default(), problems: Vec::new() };
    check.config.environment = document.environment;
    check.config.complete = document.complete.unwrap_or(false);
    document.system_namespaces.into_iter().for_each(|name| check.system_namespace(name));
    document.rules.0.into_iter().for_each(|(rule, table)| check.table(&rule, table.unwrap_or_default()));
    document.ignore.iter().for_each(|word| check.ignore(word));
    document.waivers.iter().for_each(|entry| check.waiver(entry));
    document.attestations.0.into_iter().for_each(|(rule, entry)| check.attestation(&rule, entry));
    (check.config, check.problems)
}

struct Check<'a> {
    rules: &'a [&'static Rule],
    config: Config,
    problems: Vec<ConfigProblem>,
}

/// The line of a node, from 1.
fn line<T>(node: &Spanned<T>) -> Option<u32> {
    u32::try_from(node.referenced.line()).ok().filter(|line| *line > 0)
}

impl Check<'_> {
    fn wrong<T>(&mut self, node: &Spanned<T>, message: String) {
        self.problems.push(ConfigProblem { line: line(node), message });
    }

    fn rule(&mut self, id: &Spanned<String>) -> Option<&'static Rule> {
        let found = self.rules.iter().find(|rule| rule.id == id.value).copied();
        if found.is_none() {
            let near = suggest::nearest(&id.value, self.rules.iter().map(|rule| rule.id));
            let instead = near
                .map_or("; `kubectl progrc rules` lists them".to_owned(), |near| format!("; did you mean `{near}`?"));
            self.wrong(id, format!("unknown rule `{}`{instead}", id.value));
        }
        found
    }

    fn date(&mut self, text: &Spanned<String>) -> Option<jiff::civil::Date> {
        let date = parse_date(&text.value);
        if date.is_none() {
            self.wrong(text, format!("`{}` is not a day of the form 2027-01-31", text.value));
        }
        date
    }

    fn system_namespace(&mut self, name: Spanned<String>) {
        if is_name(&name.value) {
            self.config.system_namespaces.insert(name.value);
        } else {
            self.wrong(&name, format!("`{}` is not the name of a namespace", name.value));
        }
    }

    /// Severities of the file count, so the tables of rules come first.
    fn ignore(&mut self, word: &Spanned<String>) {
        let term = match Term::parse(&word.value, self.rules) {
            Ok(term) => term,
            Err(error) => return self.wrong(word, error.to_string()),
        };
        for rule in self.rules {
            let severity = self.config.severities.get(rule.id).copied().unwrap_or(rule.severity);
            if term.covers(rule, severity) {
                self.config.ignored.insert(rule.id);
            }
        }
    }

    fn table(&mut self, id: &Spanned<String>, table: Entries<Spanned<Value>>) {
        let Some(rule) = self.rule(id) else {
            return;
        };
        for (key, value) in table.0 {
            if key.value == SEVERITY {
                self.severity(rule, &value);
            } else if let Some(parameter) = rule.parameters.iter().find(|parameter| parameter.key == key.value) {
                match normalize(parameter, &value.value) {
                    Ok(text) => {
                        let parameters: &mut Map<String, Value> =
                            self.config.parameters.entry(rule.id.to_owned()).or_default();
                        parameters.insert(key.value, text);
                    }
                    Err(reason) => self.wrong(&value, format!("{}.{}: {reason}", rule.id, key.value)),
                }
            } else {
                let mut known: Vec<&str> = rule.parameters.iter().map(|parameter| parameter.key).collect();
                known.push(SEVERITY);
                let near = suggest::nearest(&key.value, known.iter().copied());
                let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                let known = known.join(", ");
                self.wrong(&key, format!("unknown key `{}` of {}{near} (its keys: {known})", key.value, rule.id));
            }
        }
    }

    fn severity(&mut self, rule: &'static Rule, value: &Spanned<Value>) {
        let words = Severity::ALL.map(Severity::word);
        let text = value.value.as_str().unwrap_or_default();
        if let Some(severity) = Severity::ALL.into_iter().find(|severity| severity.word() == text) {
            self.config.severities.insert(rule.id.to_owned(), severity);
        } else {
            let near = suggest::nearest(text, words).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            let shown = scalar(&value.value).map_or("that".to_owned(), |text| format!("`{text}`"));
            self.wrong(value, format!("{}.{SEVERITY}: {shown} is not {}{near}", rule.id, one_of(&words)));
        }
    }

    fn waiver(&mut self, entry: &WaiverEntry) {
        let rule = self.rule(&entry.rule);
        let object = entry.object.value.clone();
        if !is_object(&object) {
            self.wrong(&entry.object, format!("`{object}` is not Kind/namespace/name, or Kind/name, or Cluster"));
        }
        // A date that can't be read is an error, so it does not matter that the entry has none.
        let until = entry.until.as_ref().and_then(|text| self.date(text));
        if let Some(rule) = rule {
            let (reason, line) = (entry.reason.trim().to_owned(), line(&entry.rule));
            self.config.waivers.push(ConfigWaiver { rule: rule.id, object, reason, until, line });
        }
    }

    fn attestation(&mut self, id: &Spanned<String>, entry: AttestationEntry) {
        let rule = self.rule(id);
        let date = self.date(&entry.date);
        if entry.statement.value.trim().is_empty() {
            self.wrong(&entry.statement, "the statement is empty".to_owned());
        }
        if let (Some(rule), Some(date)) = (rule, date) {
            let attestation = Attestation { statement: entry.statement.value, date: date.to_string() };
            self.config.attestations.insert(rule.id.to_owned(), attestation);
        }
    }
}

/// A day as `2027-01-31` and in no other form.
pub(in crate::audit) fn parse_date(text: &str) -> Option<jiff::civil::Date> {
    let date: jiff::civil::Date = text.trim().parse().ok()?;
    (date.to_string() == text.trim()).then_some(date)
}

/// True for `Kind/namespace/name`, `Kind/name`, `Cluster` and `Cluster/CONTEXT`, whose name may have
/// slashes.
fn is_object(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let is_kind = parts[0].starts_with(|c: char| c.is_ascii_uppercase());
    let is_object = |name: &str| !name.is_empty() && !name.contains('*');
    match parts[..] {
        ["Cluster", ..] => true,
        [_, name] => is_kind && is_object(name),
        [_, namespace, name] => is_kind && is_name(namespace) && is_object(name),
        _ => false,
    }
}

/// The name of a namespace: an RFC 1123 label.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// The value as the rules read it: a text, a list of texts, or texts by name.
fn normalize(parameter: &Parameter, value: &Value) -> Result<Value, String> {
    match (parameter.kind, value) {
        (ParameterKind::List, Value::Array(items)) => {
            let texts = items.iter().map(|item| scalar(item).map(Value::String));
            texts.collect::<Option<Vec<Value>>>().map(Value::Array).ok_or_else(|| "is a list of texts".to_owned())
        }
        (ParameterKind::List, _) => Err("is a list of texts".to_owned()),
        (ParameterKind::Map, Value::Object(entries)) => {
            // A rule may have names of its own, which null takes out.
            let text =
                |entry: &Value| if entry.is_null() { Some(Value::Null) } else { scalar(entry).map(Value::String) };
            let texts = entries.iter().map(|(name, entry)| Some((name.clone(), text(entry)?)));
            texts.collect::<Option<Map<_, _>>>().map(Value::Object).ok_or_else(|| "is texts by name".to_owned())
        }
        (ParameterKind::Map, _) => Err("is texts by name".to_owned()),
        // What is lost for good is confirmed each time, not once for all.
        (ParameterKind::Confirm, _) => Err("is answered with --set, for one run".to_owned()),
        _ => {
            let text = scalar(value).ok_or_else(|| "is one text".to_owned())?;
            parameter.reject(&text).map_or(Ok(Value::String(text)), Err)
        }
    }
}

/// A scalar as text: numbers and switches need no quotes in the file.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(switch) => Some(switch.to_string()),
        _ => None,
    }
}
