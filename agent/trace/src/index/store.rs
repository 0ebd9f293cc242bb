//! The seam of the index: a small ordered map per table.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("index {path}: cannot {what}: {reason}")]
    Failed { what: &'static str, path: PathBuf, reason: String },
    #[error("index {path}: a value of table {table:?} does not match its checksum")]
    Corrupt { path: PathBuf, table: Table },
}

/// What the index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Outbox rows by sequence number.
    Rows,
    /// The core's own records by incident id.
    Incidents,
    /// Commands remembered, with the stored reply.
    Commands,
    /// What came down and the core has not yet consumed, by journal number.
    Down,
    /// Cursor and counters.
    Meta,
}

impl Table {
    pub const ALL: [Table; 5] = [Table::Rows, Table::Incidents, Table::Commands, Table::Down, Table::Meta];

    pub(super) fn tag(self) -> u8 {
        match self {
            Table::Rows => b'r',
            Table::Incidents => b'i',
            Table::Commands => b'c',
            Table::Down => b'd',
            Table::Meta => b'm',
        }
    }
}

/// One change; `None` deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexChange {
    pub table: Table,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// Key and value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// A small ordered map per table. All calls from one thread.
pub trait Store: Send + std::fmt::Debug {
    /// All pairs of a table in the order of their keys.
    fn scan(&self, table: Table) -> Result<Vec<Pair>, IndexError>;
    /// Applies all changes or none. Not yet durable.
    fn apply(&mut self, changes: &[IndexChange]) -> Result<(), IndexError>;
    /// Makes what was applied durable.
    fn sync(&mut self) -> Result<(), IndexError>;
}
