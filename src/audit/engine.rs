//! Runs rules over an inventory and puts what they say in order.

use crate::finding::{Finding, Severity, Verdict};
use crate::model::replicas::SCALING;
use crate::model::{Inventory, Subject, parallel};
use crate::rules::rule::{Context, Depth, Fold, Rule, Told, Verdicts};
use crate::rules::settings::Settings;

use super::{folded, guards};

/// What one rule said about every object that it looked at.
#[derive(Clone, Debug)]
pub struct RuleOutcome {
    /// The rule.
    pub rule: &'static Rule,
    /// What it weighs: its own severity, or the configuration's.
    pub severity: Severity,
    /// One verdict for each object, sorted by object.
    pub outcomes: Vec<(Subject, Verdict)>,
    /// The pass ratio, where the rule knows better than the share of objects.
    pub ratio: Option<f64>,
}

/// What all rules said.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Findings, worst first, then by rule, object and place.
    pub findings: Vec<Finding>,
    /// Verdicts by rule, in the order of the rules.
    pub rules: Vec<RuleOutcome>,
    /// Findings that somebody accepts, in the same order.
    pub waived: Vec<Waived>,
    /// What the user should know about waivers and attestations, one sentence each, sorted.
    pub warnings: Vec<String>,
}

impl Audit {
    /// The objects whose number of pods may still change by itself, so that nothing is said yet.
    pub fn unsettled(&self) -> Vec<Subject> {
        let open = |verdict: &Verdict| matches!(verdict, Verdict::Unknown { reason } if reason.starts_with(SCALING));
        let outcomes = self.rules.iter().flat_map(|outcome| &outcome.outcomes);
        let mut objects: Vec<_> =
            outcomes.filter(|(_, verdict)| open(verdict)).map(|(object, _)| object.clone()).collect();
        objects.sort();
        objects.dedup();
        objects
    }
}

/// A finding that somebody accepts.
#[derive(Clone, Debug)]
pub struct Waived {
    /// The finding, as it would be shown.
    pub finding: Finding,
    /// Why it is accepted; empty if nobody said.
    pub reason: String,
    /// The last day that the waiver holds, `2027-01-31`.
    pub until: Option<String>,
}

/// Runs the rules and guards their fixes.
pub fn run(inventory: &Inventory, settings: &Settings, rules: &[&'static Rule]) -> Audit {
    run_to(Depth::Whole, inventory, settings, rules)
}

/// Runs the rules for what is wanted of them.
pub fn run_to(depth: Depth, inventory: &Inventory, settings: &Settings, rules: &[&'static Rule]) -> Audit {
    if depth != Depth::Verdicts {
        inventory.prepare();
    }
    // Rules that build fixes take longer.
    let said = parallel::ranked(rules, |rule| rule.fix.is_none(), |rule| judge(inventory, settings, rule, depth));
    let mut audit = Audit::default();
    let mut groups = Vec::new();
    for (outcome, mut findings) in said {
        // Those of one rule are in order.
        while let Some(severity) = findings.first().map(|finding| finding.severity) {
            let rest = findings.split_off(findings.partition_point(|finding| finding.severity <= severity));
            groups.push((severity, outcome.rule.id, std::mem::replace(&mut findings, rest)));
        }
        audit.rules.push(outcome);
    }
    groups.sort_by_key(|(severity, rule, _)| (*severity, *rule));
    audit.findings.reserve_exact(groups.iter().map(|(_, _, findings)| findings.len()).sum());
    groups.into_iter().for_each(|(_, _, mut findings)| audit.findings.append(&mut findings));
    audit
}

/// Runs one rule.
fn judge(inventory: &Inventory, settings: &Settings, rule: &'static Rule, depth: Depth) -> (RuleOutcome, Vec<Finding>) {
    let mut context = Context { inventory, settings, rule, depth, told: None };
    if depth == Depth::Folded {
        let told = Told::default();
        context.told = Some(&told);
        let (outcome, mut findings) = check(&context);
        if folded::abridge(&mut findings) {
            return (outcome, findings);
        }
        // The rule made its findings in another order, so that one of those shown was left out.
        context.told = None;
        let (outcome, mut findings) = check(&context);
        let is_told = folded::abridge(&mut findings);
        debug_assert!(is_told, "{} left out a finding", rule.id);
        return (outcome, findings);
    }
    check(&context)
}

/// Runs one rule, and guards and orders what it finds.
fn check(context: &Context<'_>) -> (RuleOutcome, Vec<Finding>) {
    let Context { inventory, settings, rule, depth, .. } = *context;
    // Most rules judge every workload. Memory that is not used costs nothing.
    let outcomes = Vec::with_capacity(inventory.workloads.len());
    let fold = context.told.map(|told| Fold { context: *context, told, guard: guards::apply });
    let mut verdicts = Verdicts { outcomes, fold, ..Verdicts::default() };
    (rule.check)(context, &mut verdicts);
    let severity = settings.severities.get(rule.id).copied();
    if let Some(severity) = severity {
        weigh(&mut verdicts, severity, rule.severity);
    }
    verdicts.outcomes.sort_by(|a, b| a.0.cmp(&b.0));
    let findings = &mut verdicts.findings;
    if depth == Depth::Verdicts {
        findings.iter_mut().for_each(|finding| (finding.fixes, finding.evidence) = (Vec::new(), Vec::new()));
    } else {
        let whole = findings.iter_mut().filter(|finding| finding.abridged.is_none());
        let fixes = whole.flat_map(|finding| &mut finding.fixes);
        fixes.for_each(|fix| guards::apply(inventory, settings, fix));
    }
    findings.sort_by(order);
    let severity = severity.unwrap_or(rule.severity);
    (RuleOutcome { rule, severity, outcomes: verdicts.outcomes, ratio: verdicts.ratio }, verdicts.findings)
}

/// Gives all findings of a rule another severity. Mere hints stay hints, unless the whole rule is one.
fn weigh(verdicts: &mut Verdicts<'_>, severity: Severity, own: Severity) {
    for finding in &mut verdicts.findings {
        if finding.severity == Severity::Info && own != Severity::Info {
            continue;
        }
        let (from, to) = (Verdict::of(finding.severity), Verdict::of(severity));
        let same = |outcome: &&mut (Subject, Verdict)| outcome.0 == finding.object && outcome.1 == from;
        if let Some(outcome) = verdicts.outcomes.iter_mut().find(same) {
            outcome.1 = to;
        }
        finding.severity = severity;
    }
}

/// Worst first, then by rule, namespace, kind, name and place.
pub fn order(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    fn key(finding: &Finding) -> (crate::finding::Severity, &str, &str, &str, &str, &str) {
        let pointer = finding.locations.first().map_or("", |location| location.pointer.as_str());
        let object = &finding.object;
        (finding.severity, finding.rule, object.namespace(), &object.kind, &object.name, pointer)
    }
    key(a).cmp(&key(b))
}
