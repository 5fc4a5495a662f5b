//! Rust source as the laws of the house see it: tokens without comments and string contents,
//! and every path with the module that names it.
//!
//! This is no parser: macros are read as they are written, not as they expand.

/// A word, a number, `::` or one other character; a literal in quotes is one `"`.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// A path such as `crate::model::Object`; each member of a group is a path of its own.
pub(crate) struct Named {
    pub(crate) segments: Vec<String>,
    /// The module, from the crate's root, in which the path stands.
    pub(crate) module: Vec<String>,
    pub(crate) line: usize,
}

/// One file.
pub(crate) struct Source {
    /// From the package's root, with slashes.
    pub(crate) path: String,
    pub(crate) lines: usize,
    pub(crate) tokens: Vec<Token>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), lines: text.lines().count(), tokens: lex(text) }
    }

    /// The same file without what only tests compile.
    pub(crate) fn without_tests(&self) -> Self {
        let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            if starts_with(&self.tokens[at..], &mark) {
                at = after_item(&self.tokens, at + mark.len());
            } else {
                tokens.push(self.tokens[at].clone());
                at += 1;
            }
        }
        let whole = self.path.ends_with("/tests.rs") || self.path.starts_with("tests/");
        let tokens = if whole { Vec::new() } else { tokens };
        Self { path: self.path.clone(), lines: self.lines, tokens }
    }

    /// The module of the file: `src/rules/missing_pdb.rs` is `rules`, `missing_pdb`.
    pub(crate) fn module(&self) -> Vec<String> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let parts = inside.trim_end_matches(".rs").split('/').map(str::to_owned);
        parts.filter(|part| !["mod", "lib", "main"].contains(&part.as_str())).collect()
    }

    /// All paths, in order of the file; single words are among them.
    pub(crate) fn paths(&self) -> Vec<Named> {
        let mut module = self.module();
        let (mut found, mut opened, mut depth, mut at) = (Vec::new(), Vec::new(), 0_usize, 0);
        while at < self.tokens.len() {
            let rest = &self.tokens[at..];
            match rest[0].text.as_str() {
                "mod" if rest.len() > 2 && rest[2].text == "{" => {
                    module.push(rest[1].text.clone());
                    opened.push(depth);
                    at += 2;
                    continue;
                }
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    if opened.last() == Some(&depth) {
                        opened.pop();
                        module.pop();
                    }
                }
                _ if is_word(&rest[0]) => {
                    at = path(&self.tokens, at, &[], &module, &mut found);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        found
    }
}

/// Whether the tokens begin with these texts.
pub(crate) fn starts_with(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.text == *text)
}

fn is_word(token: &Token) -> bool {
    token.text.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The index after the item that begins at `at`: after its block or its semicolon.
fn after_item(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Reads the path at `at`, groups included, and returns the index after it.
fn path(tokens: &[Token], mut at: usize, prefix: &[String], module: &[String], found: &mut Vec<Named>) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens[at].line;
    let part = |at: usize| tokens.get(at).is_some_and(|t| is_word(t) || t.text == "*" || t.text == "{");
    while part(at) {
        if tokens[at].text == "{" {
            return group(tokens, at + 1, &segments, module, found);
        }
        segments.push(tokens[at].text.clone());
        at += 1;
        if !(tokens.get(at).is_some_and(|t| t.text == "::") && part(at + 1)) {
            break;
        }
        at += 1;
    }
    found.push(Named { segments, module: module.to_vec(), line });
    at
}

/// Reads the members of a group up to its closing brace.
fn group(tokens: &[Token], mut at: usize, prefix: &[String], module: &[String], found: &mut Vec<Named>) -> usize {
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "}" => return at + 1,
            "as" => at += 2,
            _ if is_word(&tokens[at]) || tokens[at].text == "*" => {
                at = path(tokens, at, prefix, module, found);
            }
            _ => at += 1,
        }
    }
    at
}

fn lex(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let (length, token) = next(&chars[at..]);
        if let Some(text) = token {
            tokens.push(Token { text, line });
        }
        line += chars[at..at + length].iter().filter(|c| **c == '\n').count();
        at += length;
    }
    tokens
}

/// The length of what the text begins with, and its token if it is one.
fn next(rest: &[char]) -> (usize, Option<String>) {
    let until = |stop: fn(&char) -> bool| rest.iter().position(stop).unwrap_or(rest.len());
    let word = |c: &char| c.is_alphanumeric() || *c == '_';
    let literal = Some("\"".to_owned());
    match rest {
        ['/', '/', ..] => (until(|c| *c == '\n'), None),
        ['/', '*', ..] => (block_comment(rest), None),
        ['"', ..] | ['\'', '\\', ..] | ['\'', _, '\'', ..] => (quoted(rest), literal),
        [':', ':', ..] => (2, Some("::".to_owned())),
        [c, ..] if c.is_whitespace() => (1, None),
        [c, ..] if word(c) => {
            let length = until(|c| !(c.is_alphanumeric() || *c == '_'));
            let word = rest[..length].iter().collect();
            raw_string(rest).map_or((length, Some(word)), |length| (length, literal))
        }
        [c, ..] => (1, Some(c.to_string())),
        [] => (0, None),
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] if depth == 1 => return at + 2,
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != rest[0] {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The length of `r"…"`, `br#"…"#` and their like.
fn raw_string(rest: &[char]) -> Option<usize> {
    let prefix = rest.iter().take_while(|c| c.is_alphabetic()).count();
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let raw = matches!(rest[..prefix], ['r'] | ['b' | 'c', 'r']);
    if !raw || rest.get(prefix + hashes) != Some(&'"') {
        return None;
    }
    let start = prefix + hashes + 1;
    let closes =
        |at: &usize| rest[*at] == '"' && rest[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    let end = (start..rest.len()).find(closes);
    Some(end.map_or(rest.len(), |end| end + 1 + hashes))
}

#[test]
fn comments_and_literals_are_not_code() {
    let text = r##"
        // a::b
        /* c /* d */ e */ x('\'', 'f', "g \" h", r#"i " j"#, br"\", &'static k)
    "##;
    let tokens = Source::new("src/a.rs", text).tokens;
    let words: Vec<_> = tokens.iter().filter(|t| is_word(t)).map(|t| t.text.as_str()).collect();
    assert_eq!(words, ["x", "static", "k"]);
    assert_eq!(tokens[0].line, 3);
}

#[test]
fn a_group_is_many_paths() {
    let named = Source::new("src/a.rs", "use crate::{b::{self, c as d}, e::*};").paths();
    let paths: Vec<_> = named.iter().map(|n| n.segments.join("::")).collect();
    assert_eq!(paths, ["use", "crate::b::self", "crate::b::c", "crate::e::*"]);
}

#[test]
fn code_of_tests_is_left_out() {
    let text = "fn a() {} #[cfg(test)] use b; #[cfg(test)] mod t { fn c() {} } fn d() {}";
    let source = Source::new("src/a.rs", text);
    let words: Vec<_> = source.without_tests().paths().iter().map(|n| n.segments.join("::")).collect();
    assert_eq!(words, ["fn", "a", "fn", "d"]);
}
