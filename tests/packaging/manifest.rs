//! The manifest against the rules of krew, and its template against the manifest.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use crate::{TAG, krew_manifest, list, read, text, yaml};

/// The platforms that krew's index knows.
const KNOWN: [(&str, &[&str]); 3] = [
    ("darwin", &["386", "amd64", "arm64"]),
    ("linux", &["386", "amd64", "arm", "arm64", "ppc64le"]),
    ("windows", &["386", "amd64", "arm64"]),
];

/// Lower-case words joined by dashes: what the reviewers of the index ask of a name.
fn kebab(name: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.split('-').all(word)
}

/// Names that Windows keeps for devices, and the prefix that the index does not take.
fn reserved(name: &str) -> bool {
    let port = |kind| name.strip_prefix(kind).is_some_and(|n: &str| n.len() == 1 && n != "0");
    ["con", "prn", "aux", "nul"].contains(&name) || port("com") || port("lpt") || name.starts_with("kube-")
}

/// A release version with its `v`: three numbers without leading zeros.
fn semver(version: &str) -> bool {
    let number = |n: &str| n.parse::<u32>().is_ok_and(|value| value.to_string() == n);
    let parts = version.strip_prefix('v').map(|v| v.split('.').collect::<Vec<_>>());
    parts.is_some_and(|parts| parts.len() == 3 && parts.iter().all(|n| number(n)))
}

/// A relative path that stays where it is told to.
fn clean(path: &str) -> bool {
    let part = |p: &str| !p.is_empty() && p != "." && !p.contains("..") && !p.contains('\\');
    path == "." || path.split('/').all(part)
}

fn sha256(sum: &str) -> bool {
    sum.len() == 64 && sum.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

fn one_line(text: &str, width: usize) -> bool {
    text.lines().count() == 1 && text.chars().count() <= width
}

/// The names of the rules that do not hold.
fn failing(rules: &[(&str, bool)]) -> Vec<String> {
    let failing = rules.iter().filter(|(_, holds)| !holds);
    failing.map(|(name, _)| (*name).to_owned()).collect()
}

/// What krew's validation or a reviewer of its index would refuse.
pub(crate) fn violations(manifest: &Value) -> Vec<String> {
    let name = text(manifest, "/metadata/name");
    let short = text(manifest, "/spec/shortDescription");
    let description = text(manifest, "/spec/description");
    let platforms = list(manifest, "/spec/platforms");
    let covered: Vec<_> = platforms.iter().flat_map(selected).collect();
    let distinct: BTreeSet<_> = covered.iter().collect();
    let mut found = failing(&[
        ("version of the format", text(manifest, "/apiVersion") == "krew.googlecontainertools.github.com/v1alpha2"),
        ("kind", text(manifest, "/kind") == "Plugin"),
        ("name", kebab(name)),
        ("reserved name", !reserved(name)),
        ("version", semver(text(manifest, "/spec/version"))),
        ("short description", one_line(short, 50)),
        ("final period", !short.ends_with('.')),
        ("description", description.lines().all(|line| one_line(line, 80))),
        ("homepage", text(manifest, "/spec/homepage").starts_with("https://")),
        ("platforms", !platforms.is_empty()),
        ("overlap", distinct.len() == covered.len()),
    ]);
    found.extend(platforms.iter().flat_map(platform_violations));
    found
}

fn platform_violations(platform: &Value) -> Vec<String> {
    let windows = text(platform, "/selector/matchLabels/os") == "windows";
    let (uri, bin) = (text(platform, "/uri"), text(platform, "/bin"));
    let files = list(platform, "/files");
    let installs = |name: &str| files.iter().any(|file| text(file, "/from") == name);
    let moves = |file: &Value| !text(file, "/from").is_empty() && clean(text(file, "/to"));
    failing(&[
        ("selector", !selected(platform).is_empty()),
        ("uri", uri.starts_with("https://") && uri.ends_with(".tar.gz")),
        ("sha256", sha256(text(platform, "/sha256"))),
        ("bin", clean(bin) && bin.strip_suffix(".exe").is_some() == windows),
        ("bin is installed", installs(bin)),
        ("files", !files.is_empty()),
        ("file operation", files.iter().all(moves)),
        ("licence", installs("LICENSE")),
    ])
}

/// The known platforms that a selector matches; none for one of unknown labels.
fn selected(platform: &Value) -> Vec<(&'static str, &'static str)> {
    let empty = serde_json::Map::new();
    let labels = platform.pointer("/selector/matchLabels").and_then(Value::as_object).unwrap_or(&empty);
    let other = platform["selector"].as_object().is_none_or(|s| s.keys().any(|k| k != "matchLabels"));
    if other || labels.is_empty() || labels.keys().any(|k| k != "os" && k != "arch") {
        return Vec::new();
    }
    let is = |key: &str, value: &str| labels.get(key).is_none_or(|v| v == value);
    let known = KNOWN.iter().flat_map(|(os, archs)| archs.iter().map(|arch| (*os, *arch)));
    known.filter(|(os, arch)| is("os", os) && is("arch", arch)).collect()
}

#[test]
fn the_manifest_follows_the_rules_of_krew() {
    assert_eq!(violations(&krew_manifest()), Vec::<String>::new());
}

/// Changes one value of the manifest and expects the rule to say so.
fn assert_broken(pointer: &str, value: Value, rule: &str) {
    let mut broken = krew_manifest();
    *broken.pointer_mut(pointer).expect(pointer) = value;
    let found = violations(&broken);
    assert!(found.iter().any(|v| v == rule), "{pointer}: {found:?}");
}

#[test]
fn every_rule_of_a_manifest_can_fail() {
    for (pointer, value, rule) in [
        ("/apiVersion", json!("v1"), "version of the format"),
        ("/kind", json!("Plug"), "kind"),
        ("/metadata/name", json!("Progrc_x"), "name"),
        ("/metadata/name", json!("con"), "reserved name"),
        ("/spec/version", json!("0.1.0"), "version"),
        ("/spec/version", json!("v0.1"), "version"),
        ("/spec/version", json!("v0.01.0"), "version"),
        ("/spec/shortDescription", json!("two\nlines"), "short description"),
        ("/spec/shortDescription", json!("Ends so."), "final period"),
        ("/spec/description", json!("x".repeat(81)), "description"),
        ("/spec/homepage", json!("example.com"), "homepage"),
        ("/spec/platforms", json!([]), "platforms"),
    ] {
        assert_broken(pointer, value, rule);
    }
}

#[test]
fn every_rule_of_a_platform_can_fail() {
    for (pointer, value, rule) in [
        ("selector", json!({}), "selector"),
        ("selector/matchLabels", json!({"os": "plan9"}), "selector"),
        ("selector/matchLabels", json!({"cpu": "amd64"}), "selector"),
        ("selector/matchLabels", json!({"os": "linux"}), "overlap"),
        ("uri", json!("http://example.com/a.tar.gz"), "uri"),
        ("sha256", json!("A".repeat(64)), "sha256"),
        ("bin", json!("../kubectl-progrc"), "bin"),
        ("bin", json!("kubectl-progrc.exe"), "bin"),
        ("bin", json!("other"), "bin is installed"),
        ("files", json!([]), "files"),
        ("files", json!([{"from": "kubectl-progrc", "to": "."}]), "licence"),
        ("files/0/to", json!("a/../b"), "file operation"),
    ] {
        assert_broken(&format!("/spec/platforms/0/{pointer}"), value, rule);
    }
}

#[test]
fn the_manifest_is_of_this_package() {
    let manifest = krew_manifest();
    assert_eq!(text(&manifest, "/metadata/name"), "progrc");
    assert_eq!(text(&manifest, "/spec/version"), TAG);
    assert!(text(&manifest, "/spec/caveats").contains("kubectl progrc completion install"));
    let mut platforms = Vec::new();
    for platform in list(&manifest, "/spec/platforms") {
        let [(os, arch)] = selected(platform)[..] else { panic!("one platform a selector") };
        let archive = format!("/releases/download/{TAG}/kubectl-progrc-{TAG}-{os}-{arch}.tar.gz");
        assert_eq!(text(platform, "/uri"), text(&manifest, "/spec/homepage").to_owned() + &archive);
        let shim = if os == "windows" { "kubectl_complete-progrc.cmd" } else { "kubectl_complete-progrc" };
        assert!(list(platform, "/files").iter().any(|f| text(f, "/from") == shim));
        platforms.push(format!("{os}/{arch}"));
    }
    let expected = ["linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"];
    assert_eq!(platforms, expected);
}

#[test]
fn the_template_fills_to_the_manifest() {
    let manifest = krew_manifest();
    let call = Regex::new(r#"\{\{addURIAndSha "(.+)" \.TagName \| indent 6 \}\}"#).unwrap();
    let comment = Regex::new(r"(?s)^\{\{- /\*.*?\*/ -\}\}\n").unwrap();
    let mut filled = comment.replace(&read(".krew.yaml"), "").into_owned();
    for platform in list(&manifest, "/spec/platforms") {
        let pair = format!("uri: $1\n      sha256: \"{}\"", text(platform, "/sha256"));
        filled = call.replace(&filled, pair.as_str()).into_owned();
    }
    assert_eq!(yaml(&filled.replace("{{ .TagName }}", TAG)), manifest);
}
