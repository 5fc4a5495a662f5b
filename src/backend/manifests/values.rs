//! A YAML document as a JSON value, in kubectl's way.
//!
//! As go-yaml v2 does, a merge key counts from where it stands: it overrides the fields above
//! it, the fields below override it. Of a key given twice the last one counts; it is reported.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::scalars;
use super::tree::{Fields, Tree};
use granit_parser::{Event, Parser, ScanError, Span, StrInput};

/// What aliases may add to a document: a base, and a multiple of its length in bytes.
const ALIAS_BASE: usize = 128 * 1024;
const ALIAS_FACTOR: usize = 10;
/// What a value costs besides the bytes of its text: about its size in memory.
const VALUE_COST: usize = 64;
/// How deep values may nest once aliases are put in; their nesting as written is bounded by
/// the parser.
const DEPTH: usize = 512;

/// A key that stands twice in a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Duplicate {
    /// The line of the later one, from 1, in the document.
    pub(super) line: u32,
    /// The key.
    pub(super) key: String,
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// The line, from 1, in the document.
    pub(super) line: u32,
    /// A fragment that quotes no value.
    pub(super) message: String,
}

/// A document's value, and the keys that stand in it twice.
pub(super) type Parsed<'text> = (Tree<'text>, Vec<Duplicate>);

/// Reads one document; null if it is empty.
///
/// # Errors
/// [`Broken`] where the text is not YAML, or YAML that kubectl refuses.
pub(super) fn parse(text: &str) -> Result<Parsed<'_>, Broken> {
    let mut composer = Composer {
        events: events(text),
        anchors: HashMap::new(),
        allowance: ALIAS_BASE.saturating_add(text.len().saturating_mul(ALIAS_FACTOR)),
        duplicates: Vec::new(),
    };
    loop {
        match composer.next()? {
            (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
            (Event::StreamEnd, _) => return Ok((Tree::Null, composer.duplicates)),
            (event, span) => {
                let value = composer.node(event, span)?.value;
                composer.end()?;
                return Ok((value, composer.duplicates));
            }
        }
    }
}

/// The events of a document, comments left out.
pub(super) fn events(text: &str) -> Parser<'_, StrInput<'_>> {
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    Parser::new_from_str_with_options(text, options)
}

/// The line on which a node starts, from 1.
pub(super) fn line_of(span: Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX)
}

/// A value with what an alias to it costs.
#[derive(Clone)]
struct Node<'text> {
    value: Tree<'text>,
    cost: usize,
    depth: usize,
}

impl<'text> Node<'text> {
    fn scalar(value: Tree<'text>) -> Self {
        let bytes = value.text().map_or(0, str::len);
        Self { value, cost: VALUE_COST + bytes, depth: 1 }
    }
}

/// Counts what a collection holds.
struct Weight {
    cost: usize,
    depth: usize,
}

impl Weight {
    fn new() -> Self {
        Self { cost: VALUE_COST, depth: 1 }
    }

    fn add(&mut self, node: &Node<'_>, key: &str, span: Span) -> Result<(), Broken> {
        self.cost = self.cost.saturating_add(node.cost + key.len());
        self.depth = self.depth.max(node.depth + 1);
        if self.depth > DEPTH {
            return Err(broken(span, "values nest too deeply"));
        }
        Ok(())
    }

    fn node(self, value: Tree<'_>) -> Node<'_> {
        Node { value, cost: self.cost, depth: self.depth }
    }
}

struct Composer<'text> {
    events: Parser<'text, StrInput<'text>>,
    anchors: HashMap<usize, Node<'text>>,
    allowance: usize,
    duplicates: Vec<Duplicate>,
}

impl<'text> Composer<'text> {
    fn next(&mut self) -> Result<(Event<'text>, Span), Broken> {
        match self.events.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(refused(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// Makes sure that nothing follows the document.
    fn end(&mut self) -> Result<(), Broken> {
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, span) => return Err(broken(span, "text after the end of the document")),
            }
        }
    }

    fn node(&mut self, event: Event<'text>, span: Span) -> Result<Node<'text>, Broken> {
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalars::value(text, style, tag.as_deref());
                let value = value.map_err(|message| broken(span, message))?;
                (Node::scalar(value), anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.sequence()?, anchor),
            Event::MappingStart(_, anchor, _) => (self.mapping()?, anchor),
            Event::Alias(id) => return self.alias(id, span),
            _ => return Err(broken(span, "expected a value")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node<'text>, Broken> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(broken(span, "an anchor's value contains itself"));
        };
        match self.allowance.checked_sub(node.cost) {
            Some(rest) => self.allowance = rest,
            None => return Err(broken(span, "aliases multiply the document too much")),
        }
        Ok(node.clone())
    }

    fn sequence(&mut self) -> Result<Node<'text>, Broken> {
        let (mut items, mut weight) = (Vec::new(), Weight::new());
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(weight.node(Tree::List(items)));
            }
            let node = self.node(event, span)?;
            weight.add(&node, "", span)?;
            items.push(node.value);
        }
    }

    fn mapping(&mut self) -> Result<Node<'text>, Broken> {
        let (mut fields, mut weight) = (Fields::default(), Weight::new());
        let mut merged = BTreeSet::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::MappingEnd => return Ok(weight.node(Tree::Map(fields))),
                Event::Scalar(text, style, 0, tag) if scalars::is_merge(&text, style, tag.as_deref()) => {
                    let (event, span) = self.next()?;
                    let node = self.node(event, span)?;
                    weight.add(&node, "", span)?;
                    merge(node.value, &mut fields, &mut merged)
                        .ok_or_else(|| broken(span, "a merge key needs a mapping, or a list of them"))?;
                }
                event => {
                    let key = self.key(event, span)?;
                    let (event, value_span) = self.next()?;
                    let node = self.node(event, value_span)?;
                    weight.add(&node, &key, value_span)?;
                    if fields.get(&key).is_some() && !merged.remove(&*key) {
                        self.duplicates.push(Duplicate { line: line_of(span), key: key.to_string() });
                    }
                    fields.insert(key, node.value);
                }
            }
        }
    }

    fn key(&mut self, event: Event<'text>, span: Span) -> Result<Cow<'text, str>, Broken> {
        let key = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if anchor != 0 {
                    let value = scalars::value(text.clone(), style, tag.as_deref());
                    let value = value.map_err(|message| broken(span, message))?;
                    self.anchors.insert(anchor, Node::scalar(value));
                }
                scalars::key(text, style, tag.as_deref())
            }
            Event::Alias(id) => match self.alias(id, span)?.value {
                Tree::Text(text) => Ok(text),
                Tree::Bool(value) => Ok(value.to_string().into()),
                Tree::Number(number) => Ok(number.to_string().into()),
                _ => Err("a key is not a scalar"),
            },
            _ => Err("a key is not a scalar"),
        };
        key.map_err(|message| broken(span, message))
    }
}

/// Puts in the fields of a mapping, or of each of a list, of which the first wins.
fn merge<'text>(value: Tree<'text>, fields: &mut Fields<'text>, merged: &mut BTreeSet<String>) -> Option<()> {
    match value {
        Tree::Map(from) => {
            for (key, value) in from.into_members() {
                merged.insert(key.to_string());
                fields.insert(key, value);
            }
        }
        Tree::List(items) => {
            for item in items.into_iter().rev() {
                item.fields()?;
                merge(item, fields, merged)?;
            }
        }
        _ => return None,
    }
    Some(())
}

fn broken(span: Span, message: impl Into<String>) -> Broken {
    Broken { line: line_of(span), message: message.into() }
}

/// The parser's refusal; its messages are fixed texts.
fn refused(error: &ScanError) -> Broken {
    Broken { line: u32::try_from(error.marker().line()).unwrap_or(u32::MAX), message: error.kind().to_string() }
}

#[cfg(test)]
mod tests;
