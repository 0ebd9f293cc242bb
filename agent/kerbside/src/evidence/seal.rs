//! The seal of a manifest: who vouches for it and where the journal stood, and the signature over the manifest's bytes. Other
//! people's tools check it: the signature is a file of 64 bytes beside the manifest.

use std::sync::Arc;

use kerbside_crypto::hash::Hash;
use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_domain::time::{Clock, rfc3339};
use serde::{Deserialize, Serialize};

/// Ending of the file with the signature: `r1-manifest.json.sig`.
pub const SIGNATURE_SUFFIX: &str = ".sig";

/// In the manifest: by whom and when it was signed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seal {
    /// The box, as its messages name it: `urn:kerbside:DIVISION:BOX`.
    pub source: String,
    pub key: PublicKey,
    /// RFC 3339, by the box's clock.
    pub time: String,
    /// The newest record that was on the disk then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalPosition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPosition {
    pub n: u64,
    pub hash: Hash,
}

/// Asks the journal where it stands.
pub type Position = Box<dyn Fn() -> Option<JournalPosition> + Send>;

/// Signs manifests with the box's key.
pub struct Sealer {
    key: Arc<SigningKey>,
    source: String,
    clock: Arc<dyn Clock>,
    position: Position,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealer({}, {})", self.source, self.key.public())
    }
}

impl Sealer {
    pub fn new(key: Arc<SigningKey>, source: String, clock: Arc<dyn Clock>, position: Position) -> Self {
        Sealer { key, source, clock, position }
    }

    pub(super) fn seal(&self, utc_offset_s: i32) -> Seal {
        Seal {
            source: self.source.clone(),
            key: self.key.public(),
            time: rfc3339(self.clock.now().wall_ms, utc_offset_s),
            journal: (self.position)(),
        }
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign_bytes(bytes)
    }

    pub(super) fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        self.key.public().verifies_bytes(bytes, signature)
    }
}
