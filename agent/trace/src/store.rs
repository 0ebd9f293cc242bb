//! Store: what must be looked up fast. An index of the journal, never the only copy of anything (invariant 12).
//!
//! The seam has two sides: [`SledStore`] on the box and [`MemoryStore`] in pure tests. Whoever opens it compares the
//! cursor with the journal and rebuilds on any doubt.

mod memory;
mod sled;

pub use self::memory::MemoryStore;
pub use self::sled::{Opened, SledStore};

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("index {path}: cannot {what}: {reason}")]
    Failed { what: &'static str, path: PathBuf, reason: String },
    #[error("index {path}: a value of table {table:?} does not match its checksum")]
    Corrupt { path: PathBuf, table: Table },
}

/// What the index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Outbox rows by sequence.
    Rows,
    /// The core's own records by incident id.
    Incidents,
    /// Command ids seen, with the stored reply.
    Commands,
    /// What came down and the core has not yet consumed, by journal number.
    Down,
    /// Cursor and counters.
    Meta,
}

impl Table {
    pub const ALL: [Table; 5] = [Table::Rows, Table::Incidents, Table::Commands, Table::Down, Table::Meta];

    fn tag(self) -> u8 {
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
pub struct Change {
    pub table: Table,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// Key and value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// A small ordered map per table. All calls from one thread.
pub trait Store: Send + std::fmt::Debug {
    /// All pairs of a table in the order of their keys.
    fn scan(&self, table: Table) -> Result<Vec<Pair>, StoreError>;
    /// Applies all changes or none. Not yet durable.
    fn apply(&mut self, changes: &[Change]) -> Result<(), StoreError>;
    /// Makes what was applied durable.
    fn sync(&mut self) -> Result<(), StoreError>;
}
