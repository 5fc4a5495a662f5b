//! One entry that is being written: a record is on disk before anything else happens.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::lock::Lock;
use super::record::Record;
use super::{JournalError, io_error};

/// One entry that is being written. Its file is locked as long as its run lives, however that
/// ends: what is not locked and has no end was left by a crash.
#[derive(Debug)]
pub struct Writer {
    id: String,
    file: File,
    path: PathBuf,
    /// The bytes of whole records.
    whole: u64,
    /// True if more than that may stand in the file.
    is_torn: bool,
    pub(super) lock: Option<Lock>,
}

impl Writer {
    /// Makes the file of a new entry.
    pub(super) fn create(id: String, path: PathBuf, lock: Lock) -> Result<Self, JournalError> {
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(io_error("create", &path))?;
        // A reader that asks whether the run lives holds it for a moment.
        file.lock().map_err(io_error("lock", &path))?;
        Ok(Self { id, file, path, whole: 0, is_torn: false, lock: Some(lock) })
    }

    /// Opens the file of an entry whose run has ended. Half a record at its end, from a crash in
    /// the middle of a write, goes with the next record: what it was about was never sent.
    pub(super) fn reopen(id: String, path: PathBuf) -> Result<Self, JournalError> {
        let mut file = OpenOptions::new().read(true).append(true).open(&path).map_err(io_error("write", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Running(id)),
            Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io_error("read", &path))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let is_torn = whole < bytes.len();
        Ok(Self { id, file, path, whole: whole as u64, is_torn, lock: None })
    }

    /// The entry's ID.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Appends a record; it is on disk when this returns.
    pub fn write(&mut self, record: &Record) -> Result<(), JournalError> {
        let mut line = serde_json::to_vec(record).expect("records always serialize");
        line.push(b'\n');
        if self.is_torn {
            self.file.set_len(self.whole).map_err(io_error("write", &self.path))?;
        }
        self.is_torn = true;
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(io_error("write", &self.path))?;
        self.whole += line.len() as u64;
        self.is_torn = false;
        Ok(())
    }
}
