//! Messages of the centre that are journalled already, by topic and payload: a broker that lost an acknowledgement with its
//! connection sends them again.

use std::collections::{BTreeMap, HashSet, VecDeque};

use kerbside_crypto::hash::Hash;
use serde::Deserialize;

use crate::delivery::records::parse;
use crate::journal::{Record, RecordKind};
use crate::tuning::KNOWN_MESSAGES;

/// The newest ones.
#[derive(Debug, Default)]
pub(super) struct KnownMessages {
    newest: VecDeque<Hash>,
    all: HashSet<Hash>,
}

/// Inside the one value of the record's body. Absent in records of version 0.1.0.
#[derive(Deserialize)]
struct Received {
    #[serde(default)]
    received: Option<Hash>,
}

impl KnownMessages {
    fn insert(&mut self, message: Hash) {
        if !self.all.insert(message) {
            return;
        }
        self.newest.push_back(message);
        if self.newest.len() > KNOWN_MESSAGES
            && let Some(oldest) = self.newest.pop_front()
        {
            self.all.remove(&oldest);
        }
    }

    /// What came down as this record is known from now on.
    pub(super) fn note(&mut self, record: &Record) {
        if !matches!(record.kind, RecordKind::Receipt | RecordKind::Case) {
            return;
        }
        let body = parse::<BTreeMap<String, Received>>(record.body.as_str()).unwrap_or_default();
        body.into_values().filter_map(|r| r.received).for_each(|message| self.insert(message));
    }

    pub(super) fn contains(&self, message: &Hash) -> bool {
        self.all.contains(message)
    }
}
