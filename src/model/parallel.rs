//! The same work for many items, on all processors.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does the work for every item; the results are in the order of the items.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    map_with_stack(items, None, work)
}

/// The same, on threads with a stack of this size in bytes, for work that nests deeply.
pub fn map_with_stack<T: Sync, R: Send>(items: &[T], stack: Option<usize>, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    if threads < 2 && stack.is_none() {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return done };
            done.push((index, work(item)));
        }
    };
    let mut done = thread::scope(|scope| {
        let spawn = |_| {
            let builder = stack.iter().fold(thread::Builder::new(), |builder, size| builder.stack_size(*size));
            builder.spawn_scoped(scope, worker).ok()
        };
        let threads: Vec<_> = (0..threads).filter_map(spawn).collect();
        // Where there can be no more threads, this one does it all.
        let mut done = if threads.is_empty() { worker() } else { Vec::new() };
        for thread in threads {
            done.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|&(index, _)| index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_in_order() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(super::map(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(super::map_with_stack(&items[..1], Some(1 << 20), |item| *item), [0]);
        assert!(super::map(&[] as &[u8], |item| *item).is_empty());
    }
}
