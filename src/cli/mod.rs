//! The command line: arguments, one file a command, the only printer.

pub mod connection;
