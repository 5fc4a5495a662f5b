//! The line of a field.
//!
//! At the first question the document is read once more, for lines only; what was found stays
//! with the [`Source`](super::Source). Fields that an alias or a merge key brings in stand where they were
//! written.

mod json;
mod yaml;

use std::collections::HashSet;

use super::values::Duplicate;

/// The steps of a JSON pointer, unescaped.
pub(super) fn steps(pointer: &str) -> impl Iterator<Item = String> {
    let steps = pointer.split('/').skip(1);
    steps.map(|step| step.replace("~1", "/").replace("~0", "~"))
}

/// The lines of every node of a document, from 1.
#[derive(Debug, Default)]
pub(super) struct Lines {
    nodes: Vec<Node>,
    root: Option<usize>,
}

/// A node: where it starts, and what it holds. Aliases share their target's.
#[derive(Debug)]
struct Node {
    line: u32,
    kids: Kids,
}

#[derive(Debug)]
enum Kids {
    None,
    Fields(Vec<Field>),
    Items(Vec<usize>),
}

/// A field of a mapping; of two with the same key the later one counts.
#[derive(Debug, Clone)]
struct Field {
    key: String,
    line: u32,
    node: usize,
}

impl Lines {
    /// The lines of a YAML document; up to where it breaks, if it does.
    pub(super) fn of_yaml(text: &str) -> Self {
        yaml::lines(text)
    }

    /// The lines of a JSON value.
    pub(super) fn of_json(text: &str) -> Self {
        json::lines(text)
    }

    /// The keys that stand twice in an object, in the order of their lines.
    pub(super) fn duplicates(&self) -> Vec<Duplicate> {
        let mut found = Vec::new();
        for node in &self.nodes {
            let Kids::Fields(fields) = &node.kids else {
                continue;
            };
            let mut seen = HashSet::with_capacity(fields.len());
            for Field { key, line, .. } in fields {
                if !seen.insert(key) {
                    let (line, key) = (*line, key.clone());
                    found.push(Duplicate { line, key });
                }
            }
        }
        found.sort_by_key(|duplicate| duplicate.line);
        found
    }

    /// The line of a path, or of the part of it that exists; `None` if nothing does.
    pub(super) fn find(&self, steps: impl Iterator<Item = String>) -> Option<u32> {
        let mut node = self.nodes.get(self.root?)?;
        let mut line = node.line;
        for step in steps {
            let next = match &node.kids {
                Kids::None => None,
                Kids::Fields(fields) => {
                    let field = fields.iter().rev().find(|field| field.key == step);
                    field.map(|field| (Some(field.line), field.node))
                }
                Kids::Items(items) => {
                    let index: Option<usize> = step.parse().ok();
                    let item = index.and_then(|index| items.get(index));
                    item.map(|&item| (None, item))
                }
            };
            let Some((key_line, index)) = next else { break };
            node = self.nodes.get(index)?;
            line = key_line.unwrap_or(node.line);
        }
        Some(line)
    }

    fn add(&mut self, line: u32, kids: Kids) -> usize {
        self.nodes.push(Node { line, kids });
        self.nodes.len() - 1
    }
}

#[cfg(test)]
mod tests;
