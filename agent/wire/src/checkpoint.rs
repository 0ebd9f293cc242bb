//! `audit.checkpoint`: the box signs where its journal stands, so that nobody can write another past later, the box included.
//!
//! Signed text, lines parted by line feeds: the CloudEvents type, `source`, the record's number, its hash, `time`. Whoever keeps
//! the checkpoints (the centre) can prove that a journal which is handed over later is the one that was signed.

use kerbside_crypto::hash::Hash;
use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_domain::time::Moment;
use serde::Deserialize;
use serde_json::json;

use crate::identity::Identity;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::to_json;

/// CloudEvents type of a checkpoint.
pub const KIND: &str = "kerbside.audit.checkpoint.v1";

/// A checkpoint as it was published or journalled.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// CloudEvents source: the box.
    pub source: String,
    /// When it was signed, as the envelope says it.
    pub time: String,
    /// Number of the newest record that it covers; with it, by the chain, all before.
    pub n: u64,
    /// Hash of that record.
    pub hash: Hash,
    /// The key that it says it is signed with.
    pub key: PublicKey,
    /// 128 hex digits.
    pub signature: String,
}

/// Why a checkpoint proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Its envelope does not parse.
    #[error("{0}")]
    Malformed(String),
    /// What it names as its key is none.
    #[error("its key is none")]
    NotAKey,
    /// Another key signed it.
    #[error("signed by {found}, not by {expected}")]
    OtherKey {
        /// The key that it names.
        found: PublicKey,
        /// The key that it should have.
        expected: PublicKey,
    },
    /// The signature does not fit.
    #[error("the signature is wrong")]
    WrongSignature,
}

#[derive(Deserialize)]
struct CheckpointEvent {
    source: String,
    time: String,
    data: CheckpointData,
}

#[derive(Deserialize)]
struct CheckpointData {
    n: u64,
    hash: Hash,
    key: String,
    signature: String,
}

impl Checkpoint {
    /// Reads an envelope of this type.
    pub fn read(envelope: &str) -> Result<Checkpoint, CheckpointError> {
        let event = serde_json::from_str(envelope);
        let CheckpointEvent { source, time, data } =
            event.map_err(|e| CheckpointError::Malformed(e.to_string()))?;
        let CheckpointData { n, hash, key, signature } = data;
        let key = PublicKey::parse(&key).ok_or(CheckpointError::NotAKey)?;
        Ok(Checkpoint { source, time, n, hash, key, signature })
    }

    /// Whether the signature is good. `key`: whose it must be; none: the one that it names itself.
    pub fn verify(&self, key: Option<PublicKey>) -> Result<(), CheckpointError> {
        if let Some(expected) = key.filter(|key| *key != self.key) {
            return Err(CheckpointError::OtherKey { found: self.key, expected });
        }
        let text = signed_text(&self.source, self.n, self.hash, &self.time);
        if self.key.verifies(text.as_bytes(), &self.signature) {
            Ok(())
        } else {
            Err(CheckpointError::WrongSignature)
        }
    }
}

fn signed_text(source: &str, n: u64, hash: Hash, time: &str) -> String {
    format!("{KIND}\n{source}\n{n}\n{hash}\n{time}")
}

/// The message that covers the journal up to record `n`.
pub fn checkpoint(who: &Identity, key: &SigningKey, n: u64, hash: Hash, at: Moment) -> Message {
    let signature = key.sign(signed_text(&who.source(), n, hash, &who.time(at)).as_bytes());
    let data = json!({"n": n, "hash": hash, "key": key.public().to_string(), "signature": signature});
    Message::new("audit.checkpoint.v1", "audit", Priority::Evidence, at, to_json(&data))
}
