//! The journal entry of a run: opened with its first write, ended with the run.

use super::run::Run;
use crate::backend::cluster::access;
use crate::backend::journal::{Begin, Entry, Record, SCHEMA, Writer};
use crate::cli::error::{CliError, code};
use crate::cli::history::journal;

impl Run<'_> {
    /// Opens the journal entry, if it is not open.
    pub fn begin(&mut self) -> Result<(), CliError> {
        if self.writer.is_none() {
            self.writer = Some(self.open()?);
        }
        Ok(())
    }

    /// Goes on with an entry that an earlier run has left.
    pub fn resume(&mut self, writer: Writer, entry: &Entry) {
        self.steps = entry.steps.iter().map(|step| step.intent.step + 1).max().unwrap_or_default();
        self.writer = Some(writer);
    }

    /// Lets go of an entry that has its end already.
    pub fn release(&mut self) {
        self.writer = None;
    }

    /// Ends the journal entry: what is written next begins another. Its ID, if there is one.
    pub fn end(&mut self, whole: bool) -> Result<Option<String>, CliError> {
        self.close(whole)?;
        self.steps = 0;
        Ok(self.writer.take().map(|writer| writer.id().to_owned()))
    }

    /// Appends a record to the open entry.
    pub(super) fn record(&mut self, record: &Record) -> Result<(), CliError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let Err(error) = writer.write(record) else { return Ok(()) };
        let hint = format!("`kubectl progrc recover {}` settles the entry", writer.id());
        let error = CliError::from(error);
        Err(if self.has_sent { error.code(code::LOOK).hint(hint) } else { error })
    }

    fn open(&self) -> Result<Writer, CliError> {
        let connection = &self.connection;
        let begin = Begin {
            schema: SCHEMA,
            id: String::new(),
            time: jiff::Timestamp::now(),
            command: self.command.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            server_version: self.identity.version.clone(),
            cluster: self.cluster(),
            server: connection.server.clone(),
            context: connection.context.clone(),
            user: self.runtime.block_on(access::user(connection)),
            plan_hash: self.plan_hash.clone(),
            namespaces: self.namespaces.clone(),
            undoes: self.undoes.clone(),
        };
        Ok(journal(self.shell)?.begin(&self.cluster(), begin)?)
    }

    /// Writes the last record and says how the run ended.
    pub fn close(&mut self, whole: bool) -> Result<(), CliError> {
        let back = self.settled.iter().any(|settled| settled.taken_back) && !self.stands();
        let status = match (self.interrupted, whole && !self.needs_look) {
            (true, _) => "interrupted",
            (false, true) => "done",
            (false, false) if back => "rolled-back",
            (false, false) => "partial",
        };
        self.record(&Record::End { status: status.to_owned(), time: jiff::Timestamp::now() })
    }

    /// An error in the middle: if something was written before, it says where to look.
    pub fn close_after(&mut self, error: CliError) -> CliError {
        let Some(entry) = self.entry().map(str::to_owned) else {
            // Entries before this one may have their end already.
            return if self.has_sent { error.code(code::LOOK) } else { error };
        };
        let _ = self.close(false);
        self.after_sending(error, &entry)
    }

    /// The same for an entry that has its end already.
    pub fn leave(&mut self, error: CliError) -> CliError {
        match self.writer.take() {
            Some(writer) => self.after_sending(error, writer.id()),
            None => error,
        }
    }

    fn after_sending(&self, error: CliError, entry: &str) -> CliError {
        // An error that needs a look by itself has the better hint.
        if !self.has_sent || error.code == code::LOOK {
            return error;
        }
        error.code(code::LOOK).hint(format!("`kubectl progrc history {entry}` shows what was done"))
    }
}
