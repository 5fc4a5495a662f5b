//! The same work for many items, on all processors.
//!
//! The threads stay: an allocator keeps the memory of each, so that a later stage works in what an
//! earlier one left.

use std::sync::LazyLock;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The stack of a thread in bytes: the nesting of documents is bounded, but unoptimized frames are
/// large.
const STACK: usize = 16 * 1024 * 1024;

/// The least number of parts into which many items are cut.
const PARTS: usize = 64;

/// `None` where there can be no more threads: then the caller does it all.
static THREADS: LazyLock<Option<ThreadPool>> =
    LazyLock::new(|| ThreadPoolBuilder::new().stack_size(STACK).build().ok());

/// Does the work for every item; the results are in the order of the items.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    match &*THREADS {
        Some(threads) => {
            // Whoever is done early finds work that nobody has begun.
            let most = items.len().div_ceil(PARTS).max(1);
            threads.install(|| items.par_iter().with_max_len(most).map(&work).collect())
        }
        None => items.iter().map(work).collect(),
    }
}

/// The same for few items of unequal weight: those of the lowest rank are begun first.
pub fn ranked<T: Sync, R: Send, K: Ord>(items: &[T], rank: impl Fn(&T) -> K, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let Some(threads) = &*THREADS else { return items.iter().map(work).collect() };
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    let mut jobs: Vec<(&T, &mut Option<R>)> = items.iter().zip(&mut results).collect();
    jobs.sort_by_key(|(item, _)| rank(item));
    threads.scope_fifo(|scope| {
        for (item, result) in jobs {
            let work = &work;
            scope.spawn_fifo(move |_| *result = Some(work(item)));
        }
    });
    results.into_iter().flatten().collect()
}

/// One of several things to do.
pub type Job<'a, R> = Box<dyn FnOnce() -> R + Send + 'a>;

/// Does several things; the results are in their order.
pub fn all<R: Send>(jobs: Vec<Job<'_, R>>) -> Vec<R> {
    match &*THREADS {
        Some(threads) => threads.install(|| jobs.into_par_iter().with_max_len(1).map(|job| job()).collect()),
        None => jobs.into_iter().map(|job| job()).collect(),
    }
}

/// Does two things, at the same time if there is a thread for each.
pub fn both<A: Send, B: Send>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B + Send) -> (A, B) {
    match &*THREADS {
        Some(threads) => threads.join(one, other),
        None => (one(), other()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_in_order() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(super::map(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(
            super::ranked(&items, |item| item % 7, |item| item * 2),
            items.iter().map(|item| item * 2).collect::<Vec<_>>()
        );
        assert!(super::map(&[] as &[u8], |item| *item).is_empty());
        let jobs = (0..9).map(|number| -> super::Job<'_, usize> { Box::new(move || number) }).collect();
        assert_eq!(super::all(jobs), (0..9).collect::<Vec<_>>());
        assert_eq!(super::both(|| super::map(&items[..2], |item| item + 1), || "b"), (vec![1, 2], "b"));
    }
}
