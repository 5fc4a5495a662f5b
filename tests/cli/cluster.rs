//! No cluster, no context, no terminal.
