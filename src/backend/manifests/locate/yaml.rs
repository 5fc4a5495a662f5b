//! The lines of a YAML document, from the parser's events.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Parser, Span, StrInput};

use super::super::scalars;
use super::super::values::{events, line_of};
use super::{Field, Kids, Lines};

/// Reads the lines of a document; up to where it breaks, if it does.
pub(super) fn lines(text: &str) -> Lines {
    let mut reader =
        Reader { events: events(text), anchors: HashMap::new(), keys: HashMap::new(), lines: Lines::default() };
    while let Some((event, span)) = reader.next() {
        match event {
            Event::StreamStart | Event::DocumentStart(..) => {}
            event => {
                reader.lines.root = reader.node(event, span);
                break;
            }
        }
    }
    reader.lines
}

struct Reader<'text> {
    events: Parser<'text, StrInput<'text>>,
    /// The node of each anchor.
    anchors: HashMap<usize, usize>,
    /// The scalars with an anchor, as keys: an alias may be a key.
    keys: HashMap<usize, String>,
    lines: Lines,
}

impl<'text> Reader<'text> {
    fn next(&mut self) -> Option<(Event<'text>, Span)> {
        self.events.next_event()?.ok()
    }

    /// The node that an event begins; `None` at the end and for a broken document.
    fn node(&mut self, event: Event<'text>, span: Span) -> Option<usize> {
        let line = line_of(span);
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if anchor != 0
                    && let Ok(key) = scalars::key(text, style, tag.as_deref()).map(Cow::into_owned)
                {
                    self.keys.insert(anchor, key);
                }
                (self.lines.add(line, Kids::None), anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let items = self.items();
                (self.lines.add(line, Kids::Items(items)), anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let fields = self.fields();
                (self.lines.add(line, Kids::Fields(fields)), anchor)
            }
            Event::Alias(id) => return self.anchors.get(&id).copied(),
            _ => return None,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node);
        }
        Some(node)
    }

    fn items(&mut self) -> Vec<usize> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()
            && let Some(item) = self.node(event, span)
        {
            items.push(item);
        }
        items
    }

    fn fields(&mut self) -> Vec<Field> {
        let mut fields = Vec::new();
        while let Some((event, span)) = self.next() {
            let line = line_of(span);
            let key = match event {
                Event::Scalar(text, style, 0, tag) if scalars::is_merge(&text, style, tag.as_deref()) => {
                    let value = self.next().and_then(|(event, span)| self.node(event, span));
                    self.merge(value, &mut fields);
                    continue;
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let key = scalars::key(text, style, tag.as_deref()).ok().map(Cow::into_owned);
                    if anchor != 0
                        && let Some(key) = &key
                    {
                        self.keys.insert(anchor, key.clone());
                    }
                    key
                }
                Event::Alias(id) => self.keys.get(&id).cloned(),
                _ => None,
            };
            let Some(key) = key else { break };
            let value = self.next().and_then(|(event, span)| self.node(event, span));
            let Some(node) = value else { break };
            fields.push(Field { key, line, node });
        }
        fields
    }

    /// Puts in the fields of a mapping, or of each of a list, of which the first wins.
    fn merge(&self, from: Option<usize>, fields: &mut Vec<Field>) {
        match from.map(|node| &self.lines.nodes[node].kids) {
            Some(Kids::Fields(more)) => fields.extend(more.iter().cloned()),
            Some(Kids::Items(items)) => {
                for &item in items.iter().rev() {
                    if let Kids::Fields(more) = &self.lines.nodes[item].kids {
                        fields.extend(more.iter().cloned());
                    }
                }
            }
            _ => {}
        }
    }
}
