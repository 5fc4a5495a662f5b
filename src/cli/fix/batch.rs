//! Batch mode: every fix that the flags allow, in the order of the plan, each workload rolled out once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::preflight::{Fresh, Rights};
use super::run::Run;
use super::{DryRun, FixArgs, Left, is_allowed, is_confirmed, not_offered};
use crate::cli::error::CliError;
use crate::cli::session::{Session, offered};
use crate::finding::Finding;
use crate::fix::{Fix, Step};
use crate::model::Subject;
use crate::plan::file::sum_of_fixes;
use crate::plan::graph::{self, Planned};
use crate::plan::merge::{self, Part};
use crate::plan::seen;

mod wave;

/// Applies, or tries, every fix that the flags allow.
pub(super) fn run(
    args: &FixArgs,
    run: &mut Run<'_>,
    session: &mut Session,
    selected: &[Finding],
) -> Result<Vec<Left>, CliError> {
    let (chosen, mut left) = choose(args, session, selected);
    if args.write.dry_run == DryRun::Client {
        chosen.iter().for_each(|(_, fix)| run.shell.ui.note(&format!("{} (dry run)", fix.title)));
        return Ok(left);
    }
    let mut batch = Batch::new(args, run, session, chosen);
    batch.ask_rights()?;
    if args.write.dry_run == DryRun::Server {
        batch.try_all();
    } else {
        batch.apply_all()?;
    }
    left.extend(batch.left());
    Ok(left)
}

/// The fixes that the flags allow; of the others why they are left.
fn choose(args: &FixArgs, session: &Session, selected: &[Finding]) -> (Vec<(Finding, Fix)>, Vec<Left>) {
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    for finding in selected {
        match (not_offered(finding), offered(finding)) {
            (Some(reason), _) => left.push(Left::new(finding, reason, false)),
            (None, Some(fix)) if !is_allowed(finding, fix, args.unsafe_fixes) => {
                left.push(Left::new(finding, outside(fix, finding), false));
            }
            (None, Some(fix)) => chosen.push((finding.clone(), pinned(fix, session))),
            (None, None) => {}
        }
    }
    (chosen, left)
}

/// The fix, expecting what it was made for.
fn pinned(fix: &Fix, session: &Session) -> Fix {
    Fix { steps: seen::pin(&fix.steps, &session.inventory), ..fix.clone() }
}

/// Why a fix is not part of this batch, and what would make it one.
fn outside(fix: &Fix, finding: &Finding) -> String {
    let open: Vec<String> = fix
        .inputs
        .iter()
        .filter(|input| input.is_open())
        .map(|input| format!("--set {}.{}=…", finding.rule, input.key))
        .collect();
    if open.is_empty() && !is_confirmed(finding, fix) {
        let lost = fix.irreversible.as_deref().unwrap_or_default();
        let confirm = format!("--set '{}[{}].confirm={}'", finding.rule, finding.object, finding.object.path());
        return format!("{lost} does not come back: {confirm} with --unsafe-fixes");
    }
    if open.is_empty() {
        return "unsafe: --unsafe-fixes applies it".to_owned();
    }
    format!("needs input: {} with --unsafe-fixes", open.join(" "))
}

/// Why a fix of the batch is not applied.
struct Out {
    reason: String,
    counts: bool,
}

/// What is written or tried at once for one part.
struct Attempt {
    fixes: Vec<usize>,
    workload: Option<Subject>,
    portions: Vec<Vec<Step>>,
}

struct Batch<'b, 'r> {
    args: &'b FixArgs,
    run: &'b mut Run<'r>,
    session: &'b mut Session,
    chosen: Vec<(Finding, Fix)>,
    /// Edges between fixes.
    before: Vec<BTreeSet<usize>>,
    parts: Vec<Part>,
    done: BTreeSet<usize>,
    /// Objects that fixes make together.
    manifests: Vec<(Subject, Value)>,
    made: Vec<Subject>,
    out: BTreeMap<usize, Out>,
    /// Fixes of which a part is applied: their findings are no longer as they were.
    begun: BTreeSet<usize>,
    /// Fixes that their rules have built otherwise since the batch began.
    anew: BTreeSet<usize>,
    /// The objects of the present wave.
    fresh: Fresh,
    /// Workloads whose restart the server has tried.
    tried: Vec<Subject>,
    stopped: bool,
}

fn planned<'a>(chosen: &'a [(Finding, Fix)], session: &Session) -> Vec<Planned<'a>> {
    chosen.iter().map(|(finding, fix)| Planned::of(finding, fix, &session.inventory)).collect()
}

impl<'b, 'r> Batch<'b, 'r> {
    fn new(args: &'b FixArgs, run: &'b mut Run<'r>, session: &'b mut Session, chosen: Vec<(Finding, Fix)>) -> Self {
        let order = graph::order(&planned(&chosen, session));
        let mut taken: Vec<Option<(Finding, Fix)>> = chosen.into_iter().map(Some).collect();
        let chosen: Vec<(Finding, Fix)> = order.into_iter().filter_map(|index| taken[index].take()).collect();
        run.plan_hash.get_or_insert_with(|| sum_of_fixes(chosen.iter().map(|(finding, fix)| (finding, fix))));
        let planned = planned(&chosen, session);
        let places: Vec<usize> = (0..planned.len()).collect();
        let (manifests, other_manifests) = merge::creations(&planned, &places);
        let clashes = merge::clashes(&planned, &places);
        let before = graph::edges(&planned);
        let parts = merge::parts(&planned, &before);
        let mut this = Self {
            args,
            run,
            session,
            chosen,
            before,
            parts,
            done: BTreeSet::new(),
            manifests,
            made: Vec::new(),
            out: BTreeMap::new(),
            begun: BTreeSet::new(),
            anew: BTreeSet::new(),
            fresh: Fresh::default(),
            tried: Vec::new(),
            stopped: false,
        };
        clashes.into_iter().chain(other_manifests).for_each(|(fix, reason)| this.refuse(fix, reason));
        this
    }

    /// Leaves the fixes for which a right is missing. If that is all of them, nothing begins.
    fn ask_rights(&mut self) -> Result<(), CliError> {
        let mut rights = Rights::default();
        rights.ask(self.run, self.chosen.iter().flat_map(|(_, fix)| &fix.steps));
        let missing: Vec<(usize, String)> =
            (0..self.chosen.len()).filter_map(|fix| Some((fix, rights.missing(&self.chosen[fix].1.steps)?))).collect();
        if !missing.is_empty() && missing.len() == self.chosen.len() {
            let mut error = CliError::new("the user may not write what the selected fixes need");
            error.causes = missing.into_iter().map(|(_, reason)| reason).collect();
            error.causes.sort();
            error.causes.dedup();
            return Err(error.hint("`kubectl auth can-i --list` shows what the user may do"));
        }
        missing.into_iter().for_each(|(fix, reason)| self.refuse(fix, reason));
        Ok(())
    }

    /// Leaves a fix and everything that must come after it.
    fn refuse(&mut self, fix: usize, reason: String) {
        self.out.entry(fix).or_insert(Out { reason, counts: true });
        let (finding, failed) = &self.chosen[fix];
        let after = format!("not begun: it comes after \"{}\" ({}), which is not done", failed.title, finding.rule);
        for later in graph::descendants(&self.before, fix) {
            if !self.begun.contains(&later) {
                self.out.entry(later).or_insert_with(|| Out { reason: after.clone(), counts: true });
            }
        }
    }

    /// The steps of a part as they are now, each object made once.
    fn attempt(&self, part: usize) -> Attempt {
        let fixes: Vec<usize> =
            self.parts[part].fixes.iter().copied().filter(|fix| !self.out.contains_key(fix)).collect();
        let steps = match &self.parts[part].workload {
            Some(workload) => merge::one_rollout(fixes.iter().flat_map(|fix| &self.chosen[*fix].1.steps), workload),
            None => fixes.iter().flat_map(|fix| self.head(*fix)).collect(),
        };
        let portions = if steps.is_empty() { Vec::new() } else { merge::portions(&steps) };
        Attempt { fixes, workload: self.parts[part].workload.clone(), portions }
    }

    fn head(&self, fix: usize) -> Vec<Step> {
        let mut steps = merge::head(&self.chosen[fix].1);
        steps.retain(|step| !matches!(step, Step::Create { object, .. } if self.made.iter().any(|it| it.same(object))));
        for step in &mut steps {
            if let Step::Create { object, manifest } = step
                && let Some((_, together)) = self.manifests.iter().find(|(it, _)| it.same(object))
            {
                manifest.clone_from(together);
            }
        }
        steps
    }

    /// Parts that can be tried now: those that restart nothing together, as far as they touch
    /// different objects; else the next rollout alone.
    fn next_wave(&self) -> Vec<usize> {
        let open = || (0..self.parts.len()).filter(|part| !self.done.contains(part));
        let ready: Vec<usize> = open().filter(|part| self.parts[*part].before.is_subset(&self.done)).collect();
        let mut touched: Vec<Subject> = Vec::new();
        let mut wave = Vec::new();
        for part in ready.iter().copied().filter(|part| self.parts[*part].workload.is_none()) {
            let objects: Vec<Subject> =
                self.parts[part].fixes.iter().flat_map(|fix| self.head(*fix)).map(|it| it.object().clone()).collect();
            if !objects.iter().any(|object| touched.iter().any(|it| it.same(object))) {
                touched.extend(objects);
                wave.push(part);
            }
        }
        if wave.is_empty() {
            wave.extend(ready.first().copied().or_else(|| open().next()));
        }
        wave
    }

    fn apply_all(&mut self) -> Result<(), CliError> {
        loop {
            let wave = self.next_wave();
            if wave.is_empty() {
                return Ok(());
            }
            self.apply_wave(&wave)?;
            self.done.extend(wave);
        }
    }

    /// Why fixes are left, in the order of the plan.
    fn left(self) -> Vec<Left> {
        self.out.iter().map(|(fix, out)| Left::new(&self.chosen[*fix].0, out.reason.clone(), out.counts)).collect()
    }
}
