//! From findings and a score to the report.

use serde_json::Value;

use super::{
    API_VERSION, Attested, AuditReport, CategoryPriority, CategoryScore, CheckScore, Evidence, Finding, Fix, Gap,
    Input, Location, LoweredBy, Metadata, Object, Ownership, Score, Source, Step, Summary, Unknown, Waived, masked,
};
use crate::audit::{Audit, RuleOutcome, score};
use crate::finding::{self, Severity, Verdict};
use crate::fix::{self, Applicability};
use crate::model::{Inventory, ObjectRef, Subject, World, inventory, parallel};
use crate::plan::patch;
use crate::rules::settings::Environment;

/// What the caller knows about a run.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The version of this tool.
    pub tool_version: String,
    /// When the report is made.
    pub generated_at: jiff::Timestamp,
    /// How long it took, in seconds.
    pub elapsed_seconds: f64,
    /// What the namespaces are for.
    pub environment: Environment,
    /// The manifests as they were given; empty for a cluster.
    pub files: Vec<String>,
}

/// A finding that a report shows.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The finding.
    pub finding: &'a finding::Finding,
    /// How many others say the same and are left out after it.
    pub more: usize,
}

/// The report of an audit with those of its findings that count; the score is that of all.
pub fn report(
    inventory: &Inventory,
    audit: &Audit,
    findings: &[Shown<'_>],
    score: &score::Score,
    about: &About,
) -> AuditReport {
    let builder = Builder { inventory };
    let summary = summary(findings);
    let findings = parallel::map(findings, |shown| Finding { more: shown.more, ..builder.finding(shown.finding) });
    let mut report = AuditReport {
        api_version: API_VERSION,
        kind: "AuditReport",
        metadata: Metadata {
            tool_version: about.tool_version.clone(),
            generated_at: about.generated_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            source: source(inventory, about),
            environment: about.environment,
            objects: inventory.audited_len(),
            elapsed_seconds: (about.elapsed_seconds * 100.0).round() / 100.0,
        },
        score: scorecard(score),
        summary,
        findings,
        unknown: Vec::new(),
        waived: audit.waived.iter().map(|waived| builder.waived(waived)).collect(),
        partial: Vec::new(),
        attested: Vec::new(),
        warnings: audit.warnings.iter().map(|warning| masked::text(warning)).collect(),
        gaps: inventory.gaps.iter().map(gap).collect(),
    };
    for said in parallel::map(&audit.rules, |outcome| builder.verdicts(outcome)) {
        report.unknown.extend(said.unknown);
        report.partial.extend(said.partial);
        report.attested.extend(said.attested);
    }
    report.sort_verdicts();
    report
}

impl AuditReport {
    /// One JSON object, indented, with a final line feed.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is JSON") + "\n"
    }

    /// The same as YAML.
    pub fn to_yaml(&self) -> String {
        serde_saphyr::to_string(self).expect("a report is YAML")
    }

    fn sort_verdicts(&mut self) {
        self.unknown.sort();
        self.unknown.dedup();
        self.waived.sort();
        self.partial.sort();
        self.partial.dedup();
        self.attested.sort();
        self.attested.dedup();
    }
}

fn source(inventory: &Inventory, about: &About) -> Source {
    let namespaces = match &inventory.scope.namespaces {
        Some(names) => names.iter().cloned().collect(),
        None => namespaces(inventory),
    };
    match &inventory.world {
        World::Cluster { context, server, uid, .. } => Source::Cluster {
            context: context.clone(),
            server: masked::text(server),
            cluster_uid: uid.clone(),
            namespaces,
        },
        World::Manifests { complete } => {
            Source::Manifests { files: about.files.clone(), complete: *complete, namespaces }
        }
    }
}

/// All audited namespaces that were read or hold something that is judged, sorted.
fn namespaces(inventory: &Inventory) -> Vec<String> {
    let read = inventory.namespaces.iter().map(|namespace| namespace.name().to_owned());
    let used = inventory.audited_namespaces().into_iter().map(|namespace| namespace.name.clone());
    let mut names: Vec<String> = read.filter(|name| inventory.scope.covers(name)).chain(used).collect();
    names.sort();
    names.dedup();
    names
}

fn gap(gap: &inventory::Gap) -> Gap {
    Gap { kind: gap.kind.clone(), verb: gap.verb.clone(), scope: gap.scope.clone(), reason: gap.reason.clone() }
}

fn scorecard(score: &score::Score) -> Score {
    Score {
        overall: score.overall.map(score::displayed),
        status: score.status,
        coverage: covered(score.coverage),
        capped: score.capped,
        after_safe_fixes: score.after_safe_fixes.map(score::displayed),
        after_all_fixes: score.after_all_fixes.map(score::displayed),
        categories: score.categories.iter().map(category).collect(),
    }
}

fn category(row: &score::CategoryScore) -> CategoryScore {
    let check = |check: &score::CheckScore| CheckScore {
        rule: check.rule.to_owned(),
        weight: check.weight,
        applicable: check.applicable,
        passed: check.passed,
        partial: check.partial,
        attested: check.attested,
        unknown: check.unknown,
        contribution: score::displayed(check.contribution),
        points_lost: score::displayed(check.points_lost),
    };
    CategoryScore {
        category: row.category,
        score: row.score.map(score::displayed),
        status: row.status,
        priority: score::is_urgent(row.category)
            .map(|urgent| if urgent { CategoryPriority::High } else { CategoryPriority::Medium }),
        coverage: covered(row.coverage),
        capped: row.capped,
        checks: row.checks.iter().map(check).collect(),
    }
}

/// A coverage with two decimals. Rounded down: what is not whole never looks whole.
fn covered(coverage: f64) -> f64 {
    (coverage * 100.0 + 1e-9).floor() / 100.0
}

fn summary(findings: &[Shown<'_>]) -> Summary {
    let mut summary = Summary::default();
    for Shown { finding, more } in findings {
        *match finding.severity {
            Severity::Critical => &mut summary.critical,
            Severity::High => &mut summary.high,
            Severity::Medium => &mut summary.medium,
            Severity::Low => &mut summary.low,
            Severity::Info => &mut summary.info,
        } += 1 + more;
        if let Some(class) = finding.class() {
            *match class {
                Applicability::Safe => &mut summary.fixes.safe,
                Applicability::Unsafe => &mut summary.fixes.not_safe,
                Applicability::Input => &mut summary.fixes.input,
                Applicability::Manual => &mut summary.fixes.manual,
            } += 1 + more;
        }
    }
    summary
}

struct Builder<'a> {
    inventory: &'a Inventory,
}

/// The verdicts of one rule that a report lists.
#[derive(Default)]
struct Said {
    unknown: Vec<Unknown>,
    partial: Vec<Unknown>,
    attested: Vec<Attested>,
}

impl Builder<'_> {
    fn verdicts(&self, outcome: &RuleOutcome) -> Said {
        let mut said = Said::default();
        let unknown = |object, reason: &str| Unknown {
            rule: outcome.rule.id.to_owned(),
            object: self.object(object),
            reason: masked::text(reason),
        };
        for (object, verdict) in &outcome.outcomes {
            match verdict {
                Verdict::Unknown { reason } => said.unknown.push(unknown(object, reason)),
                Verdict::Partial { reason } => said.partial.push(unknown(object, reason)),
                Verdict::Pass { attested: Some(statement) } => said.attested.push(Attested {
                    rule: outcome.rule.id.to_owned(),
                    object: self.object(object),
                    statement: masked::text(statement),
                }),
                Verdict::Pass { attested: None } | Verdict::Fail | Verdict::NotApplicable | Verdict::Waived { .. } => {}
            }
        }
        said
    }

    fn waived(&self, waived: &crate::audit::Waived) -> Waived {
        Waived {
            rule: waived.finding.rule.to_owned(),
            object: self.object(&waived.finding.object),
            reason: masked::text(&waived.reason),
            until: waived.until.clone(),
        }
    }

    fn object(&self, object: &ObjectRef) -> Object {
        Object {
            api_version: object.api_version.clone(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
            uid: object.uid.clone().filter(|_| self.inventory.is_live()),
        }
    }

    fn finding(&self, finding: &finding::Finding) -> Finding {
        let ownership = &finding.ownership;
        let evidence = |evidence: &finding::Evidence| Evidence {
            text: masked::text(&evidence.text),
            object: evidence.object.as_deref().map(|object| self.object(object)),
        };
        Finding {
            rule: finding.rule.to_owned(),
            severity: finding.severity,
            priority: finding.priority,
            category: finding.category,
            verdict: "fail",
            confidence: finding.confidence,
            object: self.object(&finding.object),
            locations: finding.locations.iter().map(|location| self.location(finding, location)).collect(),
            message: masked::text(&finding.message),
            evidence: finding.evidence.iter().map(evidence).collect(),
            ownership: Ownership {
                class: ownership.class,
                managers: ownership.managers.clone(),
                keeper: ownership.keeper.clone(),
            },
            fixes: finding.fixes.iter().map(|fix| self.fix(fix)).collect(),
            fingerprint: finding.fingerprint(),
            more: 0,
        }
    }

    fn location(&self, finding: &finding::Finding, location: &finding::Location) -> Location {
        let object = location.object.as_ref().unwrap_or(&finding.object);
        let key = masked::key(|| self.inventory.projection(object), &location.pointer);
        let shown = |value: &Value| masked::under(&key, value);
        Location {
            object: location.object.as_deref().map(|object| self.object(object)),
            pointer: location.pointer.clone(),
            current: location.current.as_deref().map(shown),
            wanted: location.wanted.as_deref().map(shown),
            file: location.file.clone(),
            line: location.line,
        }
    }

    fn fix(&self, fix: &fix::Fix) -> Fix {
        let texts = |texts: &[String]| texts.iter().map(|text| masked::text(text)).collect();
        let input = |input: &fix::Input| Input {
            key: input.key.clone(),
            prompt: input.prompt.clone(),
            default: input.default.as_ref().map(|text| masked::answer(&input.key, text)),
            pattern: input.pattern.clone(),
            required: input.required,
            value: input.value.as_ref().map(|text| masked::answer(&input.key, text)),
        };
        let lowered = |lowered: &fix::LoweredBy| LoweredBy {
            guard: lowered.guard.clone(),
            reason: masked::text(&lowered.reason),
            refuses: lowered.refuses,
        };
        Fix {
            title: masked::text(&fix.title),
            applicability: fix.applicability,
            reversible: fix.reversible,
            consequences: texts(&fix.consequences),
            inputs: fix.inputs.iter().map(input).collect(),
            lowered_by: fix.lowered_by.iter().map(lowered).collect(),
            irreversible: fix.irreversible.as_ref().map(|text| masked::text(text)),
            notes: texts(&fix.notes),
            steps: self.steps(&fix.steps),
        }
    }

    /// The steps; each patch is built on what the steps before it left.
    fn steps(&self, steps: &[fix::Step]) -> Vec<Step> {
        let mut states: Vec<(&Subject, Value)> = Vec::new();
        let mut out = Vec::new();
        for step in steps {
            let object = self.object(step.object());
            out.push(match step {
                fix::Step::Patch { object: subject, subresource, edits, expect } => {
                    let known = states.iter().rev().find(|(other, _)| other.same(subject));
                    let before = known.map(|(_, value)| value.clone()).or_else(|| self.inventory.projection(subject));
                    let before = before.unwrap_or_default();
                    // A fix that does not fit its object any more has no patch; applying it says why.
                    let patch = match patch::build(&before, edits, expect) {
                        Ok(guarded) => {
                            let operations = masked::operations(&before, edits, &guarded);
                            states.push((subject, guarded.after));
                            operations
                        }
                        Err(_) => Vec::new(),
                    };
                    Step::Patch { object, subresource: subresource.clone(), patch }
                }
                fix::Step::Create { object: subject, manifest } => {
                    states.push((subject, manifest.clone()));
                    Step::Create { object, manifest: masked::tree(manifest) }
                }
                fix::Step::Delete { .. } => Step::Delete { object },
                fix::Step::Restart { .. } => Step::Restart { object },
                fix::Step::Wait { condition, .. } => Step::Wait { object, condition: condition.clone() },
            });
        }
        out
    }
}
