use super::*;
use crate::finding::{Confidence, Finding, Priority};
use crate::model::ObjectRef;
use crate::model::Subject;
use crate::model::ownership::Ownership;
use crate::rules::rule::Rule;

/// What a rule said about objects: one letter each. `p` pass, `f` fail, `h` half, `u` unknown, `w`
/// waived, `n` not applicable, `a` attested.
fn rule(category: Category, severity: Severity, verdicts: &str) -> RuleOutcome {
    let rule = Box::leak(Box::new(Rule {
        id: "a-rule",
        severity,
        category,
        priority: severity.priority(),
        ..crate::rules::missing_pdb::RULE
    }));
    let verdict = |letter: char| match letter {
        'p' => Verdict::Pass { attested: None },
        'a' => Verdict::Pass { attested: Some("seen (2026-01-01)".into()) },
        'f' => Verdict::Fail,
        'h' => Verdict::Partial { reason: "half".into() },
        'u' => Verdict::Unknown { reason: "forbidden".into() },
        'w' => Verdict::Waived { reason: "so be it".into(), until: None },
        _ => Verdict::NotApplicable,
    };
    let outcomes = verdicts.chars().enumerate().map(|(i, letter)| (object(&format!("o{i}")), verdict(letter)));
    RuleOutcome { rule, severity, outcomes: outcomes.collect(), ratio: None }
}

fn object(name: &str) -> Subject {
    Subject::new(ObjectRef::new("v1", "ConfigMap", Some("a"), name))
}

/// An audit with a finding of the rule's severity for every failure.
fn audit(rules: Vec<RuleOutcome>) -> Audit {
    let mut findings = Vec::new();
    for outcome in &rules {
        for (object, _) in outcome.outcomes.iter().filter(|(_, verdict)| *verdict == Verdict::Fail) {
            findings.push(finding(object, outcome.rule.category, outcome.rule.severity));
        }
    }
    Audit { findings, rules, ..Audit::default() }
}

fn finding(object: &Subject, category: Category, severity: Severity) -> Finding {
    Finding {
        rule: "a-rule",
        severity,
        priority: Priority::Immediate,
        category,
        confidence: Confidence::Observed,
        object: object.clone(),
        locations: Vec::new(),
        message: "is wrong".into(),
        impact: "",
        evidence: Vec::new(),
        abridged: None,
        ownership: Ownership::default(),
        fixes: Vec::new(),
    }
}

fn of(score: &Score, category: Category) -> &CategoryScore {
    score.categories.iter().find(|row| row.category == category).unwrap()
}

/// The displayed score and the status of one category.
fn row(rules: Vec<RuleOutcome>, category: Category) -> (Option<f64>, Status) {
    let score = score(&audit(rules));
    let row = of(&score, category);
    (row.score.map(displayed), row.status)
}

use Category::{Architecture, BackupDr, Cost, HighAvailability, Monitoring, NetworkSecurity, Scalability, Security};
use Severity::{Critical, High, Info, Low, Medium};

#[test]
fn the_calibration_of_the_assessment() {
    let mut balancers = rule(Cost, Medium, "ff");
    balancers.ratio = Some(0.5);
    let rules = vec![
        rule(Architecture, Medium, "p"),
        rule(Architecture, Medium, "p"),
        rule(Architecture, Medium, "p"),
        rule(Architecture, Medium, "p"),
        rule(Architecture, Medium, "f"),
        rule(Architecture, Medium, "n"),
        rule(Architecture, Medium, "u"),
        rule(Security, Critical, "f"),
        rule(Security, High, "f"),
        rule(Security, High, "p"),
        rule(Security, High, "pp"),
        rule(Security, Medium, "pp"),
        rule(Security, High, "p"),
        rule(HighAvailability, Critical, "f"),
        rule(HighAvailability, High, "ff"),
        rule(HighAvailability, High, "pp"),
        rule(HighAvailability, Medium, "pp"),
        rule(HighAvailability, High, "pf"),
        rule(Scalability, High, "pp"),
        rule(Scalability, Medium, "pp"),
        rule(Scalability, Medium, "f"),
        rule(Scalability, Low, "f"),
        balancers,
        rule(Cost, Low, "p"),
        rule(Monitoring, Medium, "p"),
        rule(Monitoring, Medium, "f"),
        rule(Monitoring, Medium, "f"),
        rule(Monitoring, Medium, "f"),
        rule(Monitoring, Low, "f"),
        rule(Monitoring, Low, "f"),
        rule(BackupDr, Low, "p"),
        rule(BackupDr, Medium, "f"),
        rule(BackupDr, Medium, "f"),
        rule(BackupDr, Low, "f"),
        rule(NetworkSecurity, Medium, "ff"),
        rule(NetworkSecurity, Medium, "f"),
        rule(NetworkSecurity, Medium, "p"),
        rule(NetworkSecurity, Medium, "p"),
    ];
    let score = score(&audit(rules));
    let shown: Vec<f64> = score.categories.iter().map(|row| displayed(row.score.unwrap())).collect();
    assert_eq!(shown, [8.0, 5.0, 3.9, 6.9, 6.3, 2.1, 1.3, 5.0]);
    let statuses: Vec<&str> = score.categories.iter().map(|row| row.status.word()).collect();
    let work = "needs work";
    assert_eq!(statuses, ["good", work, work, "good", work, "poor", "missing", work]);
    assert_eq!((displayed(score.overall.unwrap()), score.status), (5.0, Status::NeedsWork));
    // One of the six architecture checks can't be seen.
    assert!((of(&score, Architecture).coverage - 5.0 / 6.0).abs() < 1e-12);
}

#[test]
fn severities_fail_in_their_own_way() {
    // Beside a passing check of the same weight: 5 points come from it.
    for (severity, verdicts, points) in [
        (Critical, "pppf", 5.0),
        (High, "pppf", 7.5),
        (High, "pfff", 6.3),
        (Medium, "pppf", 8.8),
        (Low, "pppf", 8.8),
        (Medium, "h", 7.5),
        (Medium, "ph", 8.8),
        (Critical, "h", 7.5),
        (Low, "pw", 10.0),
        (Low, "pn", 10.0),
        (Low, "a", 10.0),
    ] {
        let rules = vec![rule(Scalability, severity, verdicts), rule(Scalability, severity, "p")];
        assert_eq!(row(rules, Scalability).0, Some(points), "{severity} {verdicts}");
    }
}

#[test]
fn points_add_up() {
    let score = score(&audit(vec![rule(Security, High, "pf"), rule(Security, Medium, "pa"), rule(Security, Low, "f")]));
    let checks = &of(&score, Security).checks;
    let near = |number: f64, wanted: f64| assert!((number - wanted).abs() < 1e-9, "{number} {wanted}");
    near(checks[0].contribution, 3.0);
    near(checks[0].points_lost, 3.0);
    near(checks[1].contribution, 3.0);
    near(checks[2].points_lost, 1.0);
    near(checks.iter().map(|check| check.contribution + check.points_lost).sum(), 10.0);
    assert_eq!((checks[1].passed, checks[1].attested), (2, 1));
}

#[test]
fn an_object_counts_once_with_its_worst() {
    let mut twice = rule(Cost, Medium, "pf");
    twice.outcomes.push((object("o1"), Verdict::Fail));
    twice.outcomes.push((object("o0"), Verdict::Waived { reason: String::new(), until: None }));
    let score = score(&audit(vec![twice]));
    let check = &of(&score, Cost).checks[0];
    assert_eq!((check.applicable, check.passed, check.ratio), (2, 1, Some(0.5)));
}

#[test]
fn a_ratio_of_the_rule_counts_while_something_fails() {
    for (verdicts, own, points) in [("ff", 0.5, 5.0), ("f", 0.25, 2.5), ("p", 0.5, 10.0), ("fw", 0.5, 7.5)] {
        let mut balancers = rule(Cost, Medium, verdicts);
        balancers.ratio = Some(own);
        assert_eq!(row(vec![balancers], Cost).0, Some(points), "{verdicts} {own}");
    }
}

#[test]
fn critical_findings_hold_scores_down() {
    // 10 of 10 + 40 points are lost: 8.0 without the cap.
    let many = |first| {
        let mut rules = vec![first];
        rules.extend((0..4).map(|_| rule(Security, Critical, "p")));
        rules.extend([Architecture, HighAvailability].map(|category| rule(category, High, "p")));
        rules
    };
    let capped = score(&audit(many(rule(Security, Critical, "f"))));
    assert_eq!((of(&capped, Security).score, of(&capped, Security).capped), (Some(5.0), true));
    assert_eq!((capped.overall, capped.capped), (Some(6.0), true));

    // A variant of lower severity changes the finding and the caps, not the weight.
    let mut lowered = audit(many(rule(Security, Critical, "f")));
    lowered.findings[0].severity = Medium;
    let lowered = score(&lowered);
    assert_eq!(of(&lowered, Security).score.map(displayed), Some(8.0));
    assert_eq!(lowered.overall.map(displayed), Some(9.3));

    // A waived one holds nothing down.
    let waived = score(&audit(many(rule(Security, Critical, "w"))));
    assert_eq!((waived.overall, waived.capped), (Some(10.0), false));

    // A raised one does.
    let mut raised = audit(vec![rule(Security, Medium, "pppppppppf")]);
    raised.findings[0].severity = Critical;
    assert_eq!(of(&score(&raised), Security).score, Some(5.0));
}

#[test]
fn too_little_coverage_is_no_score() {
    // Weights of 10 in all; what can be seen passes.
    let seen = |seen: u32| {
        let mut rules = vec![rule(Architecture, High, "p")];
        rules.extend((0..10).map(|i| rule(Security, Low, if i < seen { "p" } else { "u" })));
        score(&audit(rules))
    };
    for (weights, has_score, uncertain) in [(2, false, true), (3, true, true), (5, true, true), (6, true, false)] {
        let score = seen(weights);
        let security = of(&score, Security);
        assert_eq!(security.score.is_some(), has_score, "{weights}");
        assert_eq!(is_uncertain(security.coverage), uncertain, "{weights}");
        assert_eq!(security.status == Status::NotAvailable, !has_score, "{weights}");
    }
    // A category without a score leaves the whole; too little of everything is no whole.
    let mut failing = vec![rule(Architecture, Medium, "p")];
    failing.extend([rule(Security, Low, "f"), rule(Security, Medium, "u"), rule(Security, Low, "u")]);
    assert_eq!(score(&audit(failing)).overall, Some(10.0));
    let blind = score(&audit(vec![rule(Architecture, Low, "p"), rule(Security, High, "u")]));
    assert_eq!((blind.overall, blind.status), (None, Status::NotAvailable));
    assert_eq!(of(&blind, Architecture).score, Some(10.0));
}

#[test]
fn unknown_lowers_the_coverage_and_not_the_score() {
    let score = score(&audit(vec![rule(Security, High, "ppu"), rule(Security, Medium, "p")]));
    let security = of(&score, Security);
    assert_eq!(security.score, Some(10.0));
    assert!((security.coverage - 7.0 / 9.0).abs() < 1e-12, "{}", security.coverage);
    assert_eq!(security.checks[0].unknown, 1);
}

#[test]
fn nothing_to_judge_is_not_perfect() {
    let empty = score(&audit(vec![rule(Security, High, ""), rule(Cost, Low, "nnw")]));
    assert_eq!((empty.overall, empty.status), (None, Status::NotAvailable));
    assert!(empty.categories.iter().all(|row| row.score.is_none() && row.checks.is_empty()));
    let information = score(&audit(vec![rule(Security, Info, "p")]));
    assert_eq!(information.overall, None);
}

#[test]
fn statuses_round_half_up() {
    for (verdicts, status) in [
        ("pppppppppppppfffffff", Status::Good),
        ("pppppppppppppffffffff", Status::NeedsWork),
        ("pppppppfffffffffffff", Status::NeedsWork),
        ("pppppppffffffffffffff", Status::Poor),
    ] {
        assert_eq!(row(vec![rule(Scalability, Medium, verdicts)], Scalability).1, status, "{verdicts}");
    }
    assert_eq!(row(vec![rule(Monitoring, Medium, "pfff")], Monitoring).1, Status::Missing);
    assert_eq!(row(vec![rule(Monitoring, Medium, "pf")], Monitoring).1, Status::NeedsWork);
    let beside = vec![rule(Monitoring, Medium, "p"), rule(Monitoring, High, "f"), rule(Monitoring, High, "f")];
    assert_eq!(row(beside, Monitoring).1, Status::Poor);
}

#[test]
fn decimals_round_half_up() {
    for (number, shown) in
        [(6.25, 6.3), (6.249, 6.2), (0.05, 0.1), (1.25, 1.3), (2.35, 2.4), (4.449_999, 4.4), (10.0, 10.0)]
    {
        assert_eq!(displayed(number).to_string(), f64::to_string(&shown), "{number}");
    }
    // 0.285 is less than that in binary; so is the sum of its parts.
    assert_eq!(displayed(10.0 * 0.1 * 2.0 + 0.25).to_string(), "2.3");
    assert_eq!(displayed(1.005 * 10.0 - 0.0).to_string(), "10.1");
}
