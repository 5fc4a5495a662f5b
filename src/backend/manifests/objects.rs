//! From documents to objects: lists are flattened, what is no object is refused with a reason.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::documents::{Part, Piece};
use super::problem::{Problem, Severity};
use super::source::{Format, Loaded, Source, locate};
use super::tree::Tree;
use super::values::{Broken, Parsed};
use super::{json, secrets, values};

/// The reason given for a template.
const TEMPLATE: &str = "a template ({{ … }}): render it first, as with helm template";

/// The API groups whose files kustomize reads itself.
const KUSTOMIZE_GROUP: &str = "kustomize.config.k8s.io/";
/// The API group of this program's files.
const OWN_GROUP: &str = "progrc.io/";

/// A file that was read, split into its pieces.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: Arc<str>,
    pub(super) text: Arc<str>,
    pub(super) parts: Vec<Part>,
    /// Why it has no text, if it has none.
    pub(super) refused: Option<Problem>,
}

/// What stands in some documents.
#[derive(Debug, Default)]
pub(super) struct Harvest<'text> {
    pub(super) objects: Vec<(Loaded, Tree<'text>)>,
    pub(super) problems: Vec<Problem>,
}

impl<'text> Harvest<'text> {
    /// Adds what stands in some pieces of a file, or that it could not be split at all.
    pub(super) fn gather(&mut self, file: &'text File, parts: Range<usize>) {
        self.problems.extend(file.refused.clone());
        for part in &file.parts[parts] {
            match part.piece {
                Piece::Document => self.document(file, part),
                Piece::BadSeparator => {
                    let message = "text on the line of a `---`: kubectl refuses it";
                    self.note(&file.name, part.content_line, message, Severity::Error);
                }
                Piece::AfterEnd => {
                    let message = "kubectl ignores what follows `...`: begin it with `---`";
                    self.note(&file.name, part.content_line, message, Severity::Skipped);
                }
            }
        }
    }

    fn document(&mut self, file: &'text File, part: &Part) {
        let text = &file.text[part.range.clone()];
        let (range, line) = (part.range.clone(), part.start_line);
        let source = |range, line, format| Source::new(&file.name, &file.text, range, line, format);
        if json::looks_like_json(text) {
            match json::split(text) {
                Ok(values) => {
                    let (mut line, mut counted) = (line, 0);
                    for at in values {
                        let breaks = text[counted..at.start].matches('\n').count();
                        line = line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
                        counted = at.start;
                        let parsed = json::parse(&text[at.clone()]);
                        let at = range.start + at.start..range.start + at.end;
                        self.parsed(source(at, line, Format::Json), parsed, text);
                    }
                    return;
                }
                Err(broken) if file.name.ends_with(".json") => {
                    self.parsed(source(range, line, Format::Json), Err(broken), text);
                    return;
                }
                // Not JSON but YAML that starts with a flow mapping; kubectl tries both, too.
                Err(_) => {}
            }
        }
        self.parsed(source(range, line, Format::Yaml), values::parse(text), text);
    }

    fn parsed(&mut self, mut source: Source, parsed: Result<Parsed<'text>, Broken>, text: &str) {
        let file = Arc::clone(source.file());
        let in_file = |line: u32| source.start_line().saturating_add(line).saturating_sub(1);
        match parsed {
            Err(_) if text.contains("{{") => {
                self.note(&file, source.start_line(), TEMPLATE, Severity::Skipped);
            }
            Err(Broken { line, message }) => {
                self.note(&file, in_file(line), message, Severity::Error);
            }
            Ok((mut value, duplicates)) => {
                for duplicate in duplicates {
                    let message = format!("the key {} stands twice: the last counts", duplicate.key);
                    self.note(&file, in_file(duplicate.line), message, Severity::Warning);
                }
                if secrets::drop_values(&mut value) {
                    source.mark_secret();
                }
                self.object(value, &Arc::new(source), String::new());
            }
        }
    }

    fn object(&mut self, value: Tree<'text>, source: &Arc<Source>, prefix: String) {
        match judge(&value, source.file()) {
            Verdict::Nothing => {}
            Verdict::Object => self.objects.push((Loaded { source: Arc::clone(source), prefix }, value)),
            Verdict::List => self.items(value, source, &prefix),
            Verdict::Refused { pointer, message, severity } => {
                let line = locate(source, &prefix, pointer).unwrap_or(source.start_line());
                self.note(source.file(), line, message, severity);
            }
        }
    }

    /// The items of a list. Those of a typed list, `DeploymentList`, need not say what they are.
    fn items(&mut self, mut list: Tree<'text>, source: &Arc<Source>, prefix: &str) {
        let Some(Tree::List(items)) = list.get_mut("items").map(Tree::take) else {
            return;
        };
        let kind = list.get("kind").and_then(Tree::text).and_then(|kind| kind.strip_suffix("List"));
        let api_version = list.get("apiVersion").cloned().unwrap_or_default();
        for (index, mut item) in items.into_iter().enumerate() {
            if let (Some(kind), Tree::Map(fields)) = (kind, &mut item)
                && !kind.is_empty()
                && fields.get("kind").is_none()
            {
                fields.insert("kind".into(), Tree::Text(kind.to_owned().into()));
                if fields.get("apiVersion").is_none() {
                    fields.insert("apiVersion".into(), api_version.clone());
                }
            }
            self.object(item, source, format!("{prefix}/items/{index}"));
        }
    }

    fn note(&mut self, file: &Arc<str>, line: u32, message: impl Into<String>, severity: Severity) {
        self.problems.push(Problem { file: Arc::clone(file), line: Some(line), message: message.into(), severity });
    }
}

/// Keeps one problem a file about templates: the first.
pub(super) fn fold_templates(problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    problems.retain(|problem| problem.message != TEMPLATE || seen.insert(Arc::clone(&problem.file)));
}

/// The object at a JSON pointer of a document that was read before.
pub(super) fn read_again(source: &Source, prefix: &str) -> Option<Value> {
    let text = source.raw();
    let parsed = match source.format() {
        Format::Json => json::parse(text),
        Format::Yaml => values::parse(text),
    };
    let mut harvest = Harvest::default();
    harvest.parsed(source.afresh(), parsed, text);
    harvest.objects.into_iter().find(|(object, _)| object.prefix == prefix).map(|(_, value)| value.into())
}

/// What a value is.
enum Verdict {
    Nothing,
    Object,
    List,
    Refused { pointer: &'static str, message: &'static str, severity: Severity },
}

fn refused(pointer: &'static str, message: &'static str, severity: Severity) -> Verdict {
    Verdict::Refused { pointer, message, severity }
}

fn judge(value: &Tree<'_>, file: &str) -> Verdict {
    let skipped = |message| refused("", message, Severity::Skipped);
    match value {
        Tree::Null => return Verdict::Nothing,
        Tree::Map(_) => {}
        _ => return skipped("not a Kubernetes object: not a mapping"),
    }
    if file.rsplit('/').next().is_some_and(is_kustomization_name) {
        return skipped("a kustomization: build it with -k");
    }
    let (api_version, kind) = match (value.get("apiVersion"), value.get("kind")) {
        (Some(Tree::Text(api_version)), Some(Tree::Text(kind))) => (api_version, kind),
        (None, None) => return skipped("not a Kubernetes object: no apiVersion and no kind"),
        (None, Some(_)) if is_meant_as_object(value) => {
            return refused("/kind", "left out: no apiVersion", Severity::Warning);
        }
        (None, _) => return skipped("not a Kubernetes object: no apiVersion"),
        (_, None) => return skipped("not a Kubernetes object: no kind"),
        (Some(Tree::Text(_)), _) => {
            return refused("/kind", "kind is not text", Severity::Error);
        }
        _ => return refused("/apiVersion", "apiVersion is not text", Severity::Error),
    };
    if api_version.starts_with(KUSTOMIZE_GROUP) {
        return skipped("a kustomization: build it with -k");
    }
    if api_version.starts_with(OWN_GROUP) {
        return skipped("a file of kubectl progrc, not an object");
    }
    if kind == "List" || kind.ends_with("List") && matches!(value.get("items"), Some(Tree::List(_))) {
        return Verdict::List;
    }
    named(value)
}

/// Whether an object is named as the API server wants it.
fn named(value: &Tree<'_>) -> Verdict {
    let metadata = |field| value.get("metadata").and_then(|metadata| metadata.get(field));
    let text = |field| metadata(field).and_then(Tree::text);
    for (pointer, field, refusal) in [
        ("/metadata/name", "name", "metadata.name is not text"),
        ("/metadata/namespace", "namespace", "metadata.namespace is not text"),
    ] {
        match metadata(field) {
            Some(Tree::Text(text)) if text.contains("{{") => {
                return refused(pointer, TEMPLATE, Severity::Skipped);
            }
            Some(Tree::Text(_) | Tree::Null) | None => {}
            Some(_) => return refused(pointer, refusal, Severity::Error),
        }
    }
    let is_filled = |field| text(field).is_some_and(|text| !text.is_empty());
    if is_filled("name") || is_filled("generateName") {
        return Verdict::Object;
    }
    if is_meant_as_object(value) {
        return refused("/kind", "left out: no metadata.name", Severity::Warning);
    }
    refused("", "not an object of a cluster: no metadata.name", Severity::Skipped)
}

/// True if a document without a version or a name looks like an object of a cluster all the same. The
/// configuration files of programs, which have a kind too, have neither a specification nor such
/// metadata.
fn is_meant_as_object(value: &Tree<'_>) -> bool {
    let metadata = |field| value.get("metadata").and_then(|metadata| metadata.get(field));
    let is_filled = |field| metadata(field).is_some_and(|value| matches!(value, Tree::Text(_) | Tree::Map(_)));
    ["name", "generateName", "namespace", "labels", "annotations"].into_iter().any(is_filled)
        || matches!(value.get("spec"), Some(Tree::Map(_)))
}

fn is_kustomization_name(name: &str) -> bool {
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}
