//! The server's `Warning: 299` headers: read, kept once each, in order of arrival.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;

/// Warnings of every response of a connection, shared by its clients. Each text is kept once.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    pending: Vec<String>,
    seen: std::collections::BTreeSet<String>,
}

impl Warnings {
    /// Takes what arrived since the last call. A text that was handed out once never returns.
    pub fn drain(&self) -> Vec<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.pending)
    }

    pub(super) fn collect(&self, headers: &HeaderMap) {
        for text in parse(headers) {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.seen.insert(text.clone()) {
                state.pending.push(text);
            }
        }
    }
}

/// The texts of one response's `Warning: 299 AGENT "TEXT"` headers (RFC 7234 5.5), in order;
/// other codes, other headers and what cannot be read are left out, as in client-go.
pub(super) fn parse(headers: &HeaderMap) -> Vec<String> {
    let mut texts = Vec::new();
    for value in headers.get_all(http::header::WARNING) {
        let Ok(mut rest) = std::str::from_utf8(value.as_bytes()) else {
            continue;
        };
        while let Some((code, text, tail)) = one(rest) {
            if code == "299" && !text.is_empty() {
                texts.push(text);
            }
            rest = tail;
        }
    }
    texts
}

/// `CODE AGENT "TEXT" ["DATE"]`, and what follows its comma.
fn one(input: &str) -> Option<(&str, String, &str)> {
    let (code, rest) = input.trim_start().split_once(' ')?;
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (_agent, rest) = rest.trim_start().split_once(' ')?;
    let (text, rest) = quoted(rest.trim_start())?;
    let rest = match quoted(rest.trim_start()) {
        Some((_date, rest)) => rest,
        None => rest,
    };
    let rest = rest.trim_start();
    match rest.strip_prefix(',') {
        Some(tail) => Some((code, text, tail)),
        None if rest.is_empty() => Some((code, text, "")),
        None => None,
    }
}

/// A quoted string with its backslashes resolved, and the rest.
fn quoted(input: &str) -> Option<(String, &str)> {
    let body = input.strip_prefix('"')?;
    let mut text = String::new();
    let mut characters = body.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((text, &body[at + 1..])),
            '\\' => text.push(characters.next()?.1),
            _ => text.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            map.append(http::header::WARNING, value);
        }
        map
    }

    #[test]
    fn reads_every_text_in_order() {
        let map = headers(&[
            r#"299 - "first", 299 kube "with \"quotes\", and comma" "Sat, 25 Aug 2012 23:34:45 GMT""#,
            r#"199 - "other code""#,
            "299 - \"umlaut ü\"",
            "299 - unquoted",
            r#"299 - """#,
        ]);
        assert_eq!(parse(&map), ["first", r#"with "quotes", and comma"#, "umlaut ü"]);
    }

    #[test]
    fn a_text_is_handed_out_once() {
        let warnings = Warnings::default();
        warnings.collect(&headers(&[r#"299 - "b""#, r#"299 - "a""#]));
        warnings.clone().collect(&headers(&[r#"299 - "b""#]));
        assert_eq!(warnings.drain(), ["b", "a"]);
        warnings.collect(&headers(&[r#"299 - "a""#, r#"299 - "c""#]));
        assert_eq!(warnings.drain(), ["c"]);
        assert!(warnings.drain().is_empty());
    }
}
