//! Verdicts that rest on evidence which may stand elsewhere, and that a person may vouch for.

use super::rule::{Context, Verdicts};
use crate::finding::Finding;
use crate::fix::{Applicability, Fix};
use crate::model::Subject;

/// Where no evidence was found: an attestation makes it a pass, what could not be seen leaves it
/// open, and only then it is a finding.
pub(super) fn settle(
    context: &Context<'_>,
    verdicts: &mut Verdicts<'_>,
    subject: &Subject,
    unseen: Option<String>,
    finding: impl FnOnce() -> Finding,
) {
    if let Some(reason) = unseen {
        leave_open(context, verdicts, subject, reason);
    } else if let Some(statement) = context.attested() {
        verdicts.attested(subject, statement);
    } else {
        verdicts.fail(finding());
    }
}

/// What can't be seen: a pass if somebody vouches for it.
pub(super) fn leave_open(context: &Context<'_>, verdicts: &mut Verdicts<'_>, subject: &Subject, reason: String) {
    match context.attested() {
        Some(statement) => verdicts.attested(subject, statement),
        None => verdicts.unknown(subject, reason),
    }
}

/// A fix that a person makes, with the way to vouch for what can't be seen.
pub(super) fn manual(context: &Context<'_>, title: &str, notes: &[&str]) -> Fix {
    let fix = notes.iter().fold(Fix::new(title, Applicability::Manual), |fix, note| fix.note(*note));
    let id = context.rule.id;
    fix.note(format!("if it is done where this audit can't see it, attest it in .progrc.yaml: attestations.{id}"))
}
