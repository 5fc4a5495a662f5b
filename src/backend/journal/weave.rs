//! What entries say about each other: an undo takes steps of an earlier entry back, and a rollout
//! makes pods read what an earlier entry has written.

use super::entry::{Entry, StepEntry};
use super::record::{Intent, Verb};

/// Marks in entries, newest first, what later ones have made of them.
pub fn weave(entries: &mut [Entry]) {
    for entry in &mut *entries {
        entry.is_undone = false;
        entry.steps.iter_mut().for_each(|step| step.is_taken_back = false);
    }
    for at in 0..entries.len() {
        let (newer, older) = entries.split_at_mut(at + 1);
        let by = &newer[at];
        let Some(undoes) = &by.begin.undoes else { continue };
        let Some(entry) = older.iter_mut().find(|entry| entry.begin.id == *undoes) else { continue };
        entry.is_undone |= by.end.as_deref() == Some("done") && !by.is_undone;
        let back: Vec<usize> = by.standing().filter_map(|step| step.intent.undoes).collect();
        entry.steps.iter_mut().filter(|step| back.contains(&step.intent.step)).for_each(|step| {
            step.is_taken_back = true;
        });
    }
    let of = |entry: &Entry| entry.begin.cluster.clone();
    let rollouts: Vec<(String, Intent)> = entries
        .iter()
        .flat_map(|entry| entry.applied().map(move |step| (of(entry), step)))
        .filter(|(_, step)| rolls_out(step))
        .map(|(cluster, step)| (cluster, step.intent.clone()))
        .collect();
    reborn(entries);
    for entry in entries {
        let here = || rollouts.iter().filter(|(cluster, _)| *cluster == entry.begin.cluster);
        for step in &mut entry.steps {
            let intent = &step.intent;
            let later = here().filter(|(_, rollout)| rollout.time > intent.time).map(|(_, rollout)| &rollout.object);
            let read = later.filter(|object| intent.awaits.iter().any(|awaited| awaited.same(object)));
            step.read_by.extend(read.cloned());
        }
    }
}

/// An object that an undo makes again has another uid, and is the one that steps before its deletion
/// have changed.
fn reborn(entries: &mut [Entry]) {
    let mut heirs: Vec<(String, String)> = Vec::new();
    // The oldest first, for an object may be made again more than once.
    for by in entries.iter().rev() {
        let undone = by.begin.undoes.as_ref().and_then(|id| entries.iter().find(|entry| entry.begin.id == *id));
        let Some(undone) = undone else { continue };
        for made in by.applied().filter(|step| step.intent.verb == Verb::Create) {
            let of_step = |step: &&StepEntry| Some(step.intent.step) == made.intent.undoes;
            let gone = undone.steps.iter().find(of_step).and_then(|step| step.intent.object.uid.clone());
            let Some((gone, uid)) = gone.zip(made.uid()) else { continue };
            let before: Vec<String> =
                heirs.iter().filter(|(_, heir)| *heir == gone).map(|(uid, _)| uid.clone()).collect();
            heirs.extend(before.into_iter().chain([gone]).map(|old| (old, uid.to_owned())));
        }
    }
    for step in entries.iter_mut().flat_map(|entry| &mut entry.steps) {
        let of_step = heirs.iter().filter(|(old, _)| step.uid() == Some(old)).map(|(_, heir)| heir.clone()).collect();
        step.reborn = of_step;
    }
}

/// True if a step has replaced the pods of its object.
fn rolls_out(step: &StepEntry) -> bool {
    step.changes().iter().any(|change| change.pointer.starts_with("/spec/template/"))
}
