//! The order of the modules: each uses only what stands above it in `src/lib.rs`.

use crate::source::{Named, Source};

/// The modules as `src/lib.rs` lists them, from the ground up.
pub(crate) fn map(lib: &Source) -> Vec<String> {
    let modules = lib.tokens.windows(4).filter(|t| t[0].text == "pub" && t[1].text == "mod" && t[3].text == ";");
    modules.map(|t| t[2].text.clone()).collect()
}

/// The uses of a module by one that stands above it.
pub(crate) fn violations(map: &[String], source: &Source) -> Vec<String> {
    let Some(own) = source.module().first().cloned() else {
        return Vec::new();
    };
    let place = |name: &str| map.iter().position(|module| module == name);
    let mut found = Vec::new();
    for named in source.paths() {
        let used = top(&named);
        let wrong = match used.as_deref() {
            Some("*" | "self" | "") => Some("the whole crate".to_owned()),
            Some(used) if place(used) > place(&own) => Some(format!("{used}, which is listed below it")),
            _ => None,
        };
        found.extend(wrong.map(|wrong| format!("{}:{}: {own} uses {wrong}", source.path, named.line)));
    }
    found
}

/// The module of the crate that a path leads to; empty for the crate itself.
fn top(named: &Named) -> Option<String> {
    let mut place = match named.segments.first().map(String::as_str) {
        _ if named.segments.len() < 2 => return None,
        Some("crate") => Vec::new(),
        Some("super" | "self") => named.module.clone(),
        _ => return None,
    };
    for segment in &named.segments {
        match segment.as_str() {
            "crate" => {}
            "self" if !place.is_empty() => {}
            "super" => drop(place.pop()),
            name => place.push(name.to_owned()),
        }
    }
    Some(place.first().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> usize {
        let lib = Source::new("src/lib.rs", "//! pub mod no;\npub mod model;\npub mod rules;\npub mod cli;\n");
        assert_eq!(map(&lib), ["model", "rules", "cli"]);
        violations(&map(&lib), &Source::new(path, text)).len()
    }

    #[test]
    fn a_use_of_what_stands_below_is_found() {
        for (path, text) in [
            ("src/model/mod.rs", "use crate::rules::Rule;"),
            ("src/model.rs", "use crate::{rules::Rule, cli};"),
            ("src/model/object.rs", "fn a() { crate::rules::all(); }"),
            ("src/model/object.rs", "use super::super::{self as top, rules};"),
            ("src/model/object.rs", "use super::super::cli::ui;"),
            ("src/model/mod.rs", "mod tests { use super::super::cli; }"),
            ("src/model/mod.rs", "use crate::*;"),
            ("src/rules/mod.rs", "pub(in crate::cli) fn a() {}"),
        ] {
            assert!(check(path, text) > 0, "{path}: {text}");
        }
    }

    #[test]
    fn what_stands_above_may_be_used() {
        for (path, text) in [
            ("src/rules/mod.rs", "use crate::model::Object; use crate::rules::pdb;"),
            ("src/rules/pdb.rs", "use super::rule::Rule; use super::super::model; pub(super) fn a() {}"),
            ("src/model/mod.rs", "mod cli { use super::rules; } mod tests { use super::*; }"),
            ("src/model/mod.rs", "// crate::cli\npub(crate) const A: &str = \"crate::cli\"; use kube::cli;"),
            ("src/lib.rs", "pub use crate::cli::run;"),
            ("src/main.rs", "use kubectl_progrc::cli;"),
        ] {
            assert_eq!(check(path, text), 0, "{path}: {text}");
        }
    }
}
