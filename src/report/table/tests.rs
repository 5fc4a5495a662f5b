use super::*;
use crate::report::samples::{folded_report_of as report_of, objects};

fn options(width: usize) -> Options {
    Options { width: Some(width), ..Options::default() }
}

fn show(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text().trim_end().to_owned() + "\n").collect()
}

/// What people see, at one width each; `BLESS=1` writes them anew.
#[test]
fn pages_look_as_kept() {
    let live = report_of(&objects(6), true);
    let manifests = report_of(&objects(1), false);
    let wide = Options { wide: true, selection: "-f k8s -R".into(), ..options(120) };
    for (name, lines) in [
        ("40", table(&live, &options(40))),
        ("80", table(&live, &options(80))),
        ("120-wide-manifests", table(&manifests, &wide)),
        ("pipe", table(&live, &Options::default())),
        ("explain-40", explain_score(&live, &options(40))),
        ("explain-120", explain_score(&live, &options(120))),
        ("empty", table(&report_of(&[], false), &options(80))),
    ] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/table/pages");
        let path = folder.join(format!("{name}.txt"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, show(&lines)).unwrap();
        }
        assert_eq!(show(&lines), std::fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
    }
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let mut report = report_of(&objects(6), true);
    report.findings[0].message = "値".repeat(90) + " and-one-long-word-".repeat(12).as_str();
    report.findings[0].object.name = "n".repeat(253);
    for wide in [false, true] {
        for width in 20..140 {
            let options = Options { wide, ..options(width) };
            for line in table(&report, &options).iter().chain(&explain_score(&report, &options)) {
                assert!(line.width() <= width, "{width}: {}", line.text());
            }
        }
    }
}

#[test]
fn nothing_of_the_cluster_forges_a_line() {
    let mut report = report_of(&objects(6), true);
    let lines = table(&report, &Options::default()).len();
    report.findings[0].message = "x\nOVERALL 10.0\u{1b}[32m\u{202e}".into();
    report.findings[1].object.name = "web\r\n".into();
    let forged = table(&report, &Options::default());
    assert_eq!(forged.len(), lines);
    assert!(!show(&forged).contains(['\u{1b}', '\r', '\u{202e}']));
}

#[test]
fn namespaces_are_named_where_there_are_several() {
    let mut report = report_of(&objects(0), true);
    assert!(show(&table(&report, &options(80))).contains("  Deployment/web  no"));
    if let Source::Cluster { namespaces, .. } = &mut report.metadata.source {
        namespaces.push("shop-2".into());
    }
    let text = show(&table(&report, &options(80)));
    assert!(text.contains("  Deployment/shop/web  no") && text.contains("namespaces shop, shop-2"), "{text}");
}

#[test]
fn an_uncertain_score_says_so() {
    let mut report = report_of(&objects(0), true);
    report.score.categories[1].coverage = 0.59;
    let text = show(&table(&report, &options(80)));
    assert!(text.contains("             ~0.0 ░"), "{text}");
    report.score.categories[1].coverage = 0.6;
    assert!(!show(&table(&report, &options(80))).contains('~'));
}

#[test]
fn fields_are_written_as_people_do() {
    for (pointer, words) in [
        ("/data/MODE", "data.MODE"),
        ("/spec/template/spec/containers/0/env/3/value", "spec.template.spec.containers[0].env[3].value"),
        ("/metadata/annotations/a.io~1b", "metadata.annotations[a.io/b]"),
        ("", ""),
    ] {
        assert_eq!(findings::field(pointer), words);
    }
}
