//! Words that mean nothing: each is refused before any work, with the nearest that does.
