//! What goes into a journal, and what became of it.

use kerbside_crypto::hash::Hash;
use serde::{Deserialize, Serialize};

use super::kind::RecordKind;

/// Where a record lies: first number of its segment, byte offset, length with line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordLocation {
    pub segment: u64,
    pub offset: u64,
    pub len: u32,
}

/// One thing to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: RecordKind,
    /// JSON on one line.
    pub body: String,
}

impl Entry {
    pub fn new(kind: RecordKind, body: impl Into<String>) -> Self {
        Entry { kind, body: body.into() }
    }
}

/// The record that an [`Entry`] became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub n: u64,
    pub prev: Hash,
    pub hash: Hash,
    pub location: RecordLocation,
}

/// Whether the caller waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On the disk when the call returns.
    Now,
    /// With the next `Now` or [`super::Journal::sync`]: telemetry only.
    Later,
}
