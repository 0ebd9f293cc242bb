//! `audit.checkpoint`: the box signs where its journal stands, so that nobody can write another past later, the box included.
//!
//! A checkpoint carries two signatures. `signature` covers, in lines parted by line feeds, the CloudEvents type, `source`, the
//! record's number, its hash, `time`: so it is since version 0.1. `chain.signature` covers the same and the checkpoint's place
//! among the others: its own number, the digest of the one before, where the journal begins, and which key comes next. Whoever
//! keeps the checkpoints (the centre) can prove that a journal which is handed over later is the one that was signed, and that
//! none of them is missing.

use kerbside_crypto::hash::Hash;
use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_domain::time::Moment;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::identity::Identity;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::to_json;

/// CloudEvents type of a checkpoint.
pub const KIND: &str = "kerbside.audit.checkpoint.v1";
/// First line of what `chain.signature` covers.
const CHAIN_KIND: &str = "kerbside.audit.checkpoint.v1/chain";

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
    /// Its place among the checkpoints of the box; `None`: an older version wrote it.
    pub chain: Option<SignedChain>,
    /// The journal record that holds the checkpoint itself, where the message came over the link.
    pub record: Option<CheckpointRecord>,
}

/// What a checkpoint says beyond where the journal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Rises by one a checkpoint over the life of the box, from 1 on.
    pub number: u64,
    /// [`Checkpoint::digest`] of the one before; absent from the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Hash>,
    /// The journal begins with this record: what lay before went when its time was over, and nothing after it did.
    pub first_n: u64,
    /// Hash of the record before it; all zeros where there is none.
    pub first_prev: Hash,
    /// From the next checkpoint on this key signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_key: Option<PublicKey>,
    /// The program stops in order: no record follows before the next start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
}

/// [`Chain`] with the signature over it and over the rest of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedChain {
    /// What is signed.
    #[serde(flatten)]
    pub chain: Chain,
    /// 128 hex digits.
    pub signature: String,
}

/// Where the checkpoint itself stands in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct CheckpointRecord {
    /// Its number.
    pub n: u64,
    /// Its hash.
    pub hash: Hash,
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
    #[serde(default)]
    chain: Option<SignedChain>,
    #[serde(default)]
    journal: Option<CheckpointRecord>,
}

impl Checkpoint {
    /// Reads an envelope of this type.
    pub fn read(envelope: &str) -> Result<Checkpoint, CheckpointError> {
        let event = serde_json::from_str(envelope);
        let CheckpointEvent { source, time, data } =
            event.map_err(|e| CheckpointError::Malformed(e.to_string()))?;
        let CheckpointData { n, hash, key, signature, chain, journal } = data;
        let key = PublicKey::parse(&key).ok_or(CheckpointError::NotAKey)?;
        Ok(Checkpoint { source, time, n, hash, key, signature, chain, record: journal })
    }

    /// Whether the signatures are good. `key`: whose they must be; none: the one that it names itself.
    pub fn verify(&self, key: Option<PublicKey>) -> Result<(), CheckpointError> {
        if let Some(expected) = key.filter(|key| *key != self.key) {
            return Err(CheckpointError::OtherKey { found: self.key, expected });
        }
        let position = signed_position(&self.source, self.n, self.hash, &self.time);
        let chain = self.chain.as_ref().is_none_or(|signed| {
            self.key.verifies(signed_chain(&position, &signed.chain).as_bytes(), &signed.signature)
        });
        if chain && self.key.verifies(position.as_bytes(), &self.signature) {
            Ok(())
        } else {
            Err(CheckpointError::WrongSignature)
        }
    }

    /// By which the next one names this one: the hash of what `chain.signature` covers. `None`: an older version wrote it.
    pub fn digest(&self) -> Option<Hash> {
        let position = signed_position(&self.source, self.n, self.hash, &self.time);
        self.chain.as_ref().map(|signed| Hash::of(signed_chain(&position, &signed.chain).as_bytes()))
    }
}

fn signed_position(source: &str, n: u64, hash: Hash, time: &str) -> String {
    format!("{KIND}\n{source}\n{n}\n{hash}\n{time}")
}

/// The lines of the position behind another first line, then those of the chain; `-` for what is absent.
fn signed_chain(position: &str, chain: &Chain) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let Chain { number, first_n, first_prev, .. } = chain;
    let previous = or_dash(chain.previous.map(|hash| hash.to_string()));
    let next_key = or_dash(chain.next_key.map(|key| key.to_string()));
    let end = if chain.stopped { "stopped" } else { "running" };
    format!("{CHAIN_KIND}\n{position}\n{number}\n{previous}\n{first_n}\n{first_prev}\n{next_key}\n{end}")
}

/// The message that covers the journal up to record `n`.
pub fn checkpoint(
    who: &Identity,
    key: &SigningKey,
    (n, hash): (u64, Hash),
    chain: Chain,
    at: Moment,
) -> Message {
    let position = signed_position(&who.source(), n, hash, &who.time(at));
    let signature = key.sign(position.as_bytes());
    let chain = SignedChain { chain, signature: key.sign(signed_chain(&position, &chain).as_bytes()) };
    let key = key.public();
    let data = json!({"n": n, "hash": hash, "key": key, "signature": signature, "chain": chain});
    Message::new("audit.checkpoint.v1", "audit", Priority::Evidence, at, to_json(&data))
}
