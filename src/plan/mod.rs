//! From findings to ordered, guarded steps; inverses and diffs. Pure.
