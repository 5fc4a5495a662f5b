//! What became of the fixes of a run.

use crate::backend::change::Purpose;
use crate::backend::journal::StepResult;
use crate::model::{ObjectRef, Subject};

/// What became of a fix.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The rule.
    pub rule: String,
    /// The fix in words.
    pub title: String,
    /// The object of the finding.
    pub object: Subject,
    /// The answers to its requests.
    pub results: Vec<(ObjectRef, StepResult)>,
    /// Why it is not whole, if it is not.
    pub failure: Option<String>,
    /// The numbers of the steps that were carried out, in the journal.
    pub steps: Vec<usize>,
    /// The workloads whose pods it replaced.
    pub rolled: Vec<ObjectRef>,
    /// The workloads whose later restart makes it take effect.
    pub awaits: Vec<ObjectRef>,
    /// True if it was taken back.
    pub taken_back: bool,
}

/// Why a fix is not whole.
#[derive(Debug)]
pub(super) enum Failure {
    /// A request was not carried out.
    Step(String),
    /// Its rollout failed.
    Rollout(String),
    /// A signal ended it; what is begun goes on.
    Interrupted(String),
    /// A person interrupted its rollout and wants it taken back.
    Unwanted(String),
}

impl Settled {
    /// A fix of which nothing was done yet.
    pub(super) fn new(purpose: &Purpose, object: &Subject) -> Self {
        Self {
            rule: purpose.rule.clone(),
            title: purpose.title.clone(),
            object: object.clone(),
            results: Vec::new(),
            failure: None,
            steps: Vec::new(),
            rolled: Vec::new(),
            awaits: Vec::new(),
            taken_back: false,
        }
    }
}

/// The fixes that go with one when it is taken back: those that its restart was for, and the other
/// restarts that they had, so that no pod keeps running with a value that is gone.
pub(super) fn related(settled: &[Settled], index: usize) -> Vec<usize> {
    let meets = |a: &[ObjectRef], b: &[ObjectRef]| a.iter().any(|a| b.iter().any(|b| a.same(b)));
    let mut out = vec![index];
    let causes = settled.iter().enumerate().filter(|(_, other)| meets(&other.awaits, &settled[index].rolled));
    out.extend(causes.map(|(number, _)| number));
    let awaited: Vec<ObjectRef> = out.iter().flat_map(|number| settled[*number].awaits.clone()).collect();
    let restarts = settled.iter().enumerate().filter(|(_, other)| meets(&awaited, &other.rolled));
    out.extend(restarts.map(|(number, _)| number));
    out.sort_unstable();
    out.dedup();
    out.retain(|number| !settled[*number].taken_back);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(awaits: &[&str], rolled: &[&str]) -> Settled {
        let named = |names: &[&str]| {
            names.iter().map(|name| ObjectRef::new("apps/v1", "Deployment", Some("a"), name)).collect::<Vec<_>>()
        };
        let purpose = Purpose { rule: "r".into(), title: "t".into(), irreversible: None, awaits: Vec::new() };
        let object = Subject::new(ObjectRef::new("v1", "ConfigMap", Some("a"), "config"));
        Settled { awaits: named(awaits), rolled: named(rolled), ..Settled::new(&purpose, &object) }
    }

    #[test]
    fn a_failed_restart_takes_its_causes_and_their_other_restarts_along() {
        let settled = [
            fix(&["web", "job"], &[]),
            fix(&["web"], &[]),
            fix(&["db"], &[]),
            fix(&[], &["db"]),
            fix(&[], &["web"]),
            fix(&[], &["job"]),
        ];
        assert_eq!(related(&settled, 5), [0, 4, 5], "the flag of web alone stays");
        assert_eq!(related(&settled, 3), [2, 3]);
        assert_eq!(related(&settled[..1], 0), [0]);
    }
}
