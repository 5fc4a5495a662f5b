//! The rules: one file each, one line here. Pure.
