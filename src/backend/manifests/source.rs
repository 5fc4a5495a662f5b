//! Where an object stands: a document of a file.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::locate::{Lines, steps};

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Yaml,
    Json,
}

/// One document of a file, from which one object was read or, if it is a list, several.
pub struct Source {
    file: Arc<str>,
    text: Arc<str>,
    range: Range<usize>,
    start_line: u32,
    secret: bool,
    format: Format,
    lines: OnceLock<Lines>,
}

impl Source {
    /// A document of `text`, not secret so far.
    pub(super) fn new(file: &Arc<str>, text: &Arc<str>, range: Range<usize>, start_line: u32, format: Format) -> Self {
        Self {
            file: Arc::clone(file),
            text: Arc::clone(text),
            range,
            start_line,
            secret: false,
            format,
            lines: OnceLock::new(),
        }
    }

    /// Withholds the text from now on.
    pub(super) fn mark_secret(&mut self) {
        self.secret = true;
    }

    /// The file as the user named it, below a named directory with the path from there;
    /// `<stdin>` for standard input and `kustomize DIR` for `-k DIR`.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The place of the document in the file, in bytes of its text as UTF-8; its separator is
    /// not included.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The line of the file on which the document starts, from 1.
    pub fn start_line(&self) -> u32 {
        self.start_line
    }

    /// Whether the document holds a Secret: nobody may show its text.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// The text of the document, comments included; `None` if it holds a Secret.
    pub fn text(&self) -> Option<&str> {
        (!self.secret).then(|| self.raw())
    }

    /// The text whatever it holds: for finding lines only.
    pub(super) fn raw(&self) -> &str {
        &self.text[self.range.clone()]
    }

    /// The same document, not read yet.
    pub(super) fn afresh(&self) -> Self {
        Self::new(&self.file, &self.text, self.range(), self.start_line, self.format)
    }

    /// How it is written.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// The lines of every field, found at the first question.
    fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| match self.format {
            Format::Yaml => Lines::of_yaml(self.raw()),
            Format::Json => Lines::of_json(self.raw()),
        })
    }
}

/// Everything but the text.
impl fmt::Debug for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Source")
            .field("file", &self.file)
            .field("range", &self.range)
            .field("start_line", &self.start_line)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

/// Where an object was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The document it stands in.
    pub source: Arc<Source>,
    /// Its JSON pointer in the document: empty, or `/items/3` for the fourth item of a list.
    pub prefix: String,
}

impl Loaded {
    /// The object as it stands in the file, read again; if it is a Secret, the values of its data
    /// are null.
    pub fn read(&self) -> Value {
        super::objects::read_again(&self.source, &self.prefix).unwrap_or_default()
    }

    /// The line of the file, from 1, on which `pointer` stands: a JSON pointer into the object.
    /// Its nearest existing parent if it does not exist.
    pub fn line(&self, pointer: &str) -> Option<u32> {
        locate(&self.source, &self.prefix, pointer)
    }

    /// The file and that line, as compilers write them: `k8s/web.yaml:12`.
    pub fn place(&self, pointer: &str) -> String {
        let line = self.line(pointer).map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}", self.source.file())
    }
}

/// The line of the file, from 1, on which a field stands, or its nearest existing parent.
///
/// `prefix` is the JSON pointer of the object in its document, `pointer` that of the field in
/// the object. `None` only for a document without content, which holds no object.
pub fn locate(source: &Source, prefix: &str, pointer: &str) -> Option<u32> {
    let line = source.lines().find(steps(prefix).chain(steps(pointer)))?;
    Some(source.start_line() + line - 1)
}
