//! What reading and judging a journal comes to.

use kerbside_crypto::sign::PublicKey;
use kerbside_trace::journal::audit::Audit;
use serde::Serialize;

use super::against::Comparison;
use super::checkpoints::Judgement;

/// What the whole comes to. Damage outweighs doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Up to its newest checkpoint it is what the box signed.
    Proven,
    /// Nothing contradicts it, and nobody vouches for it.
    Unproven,
    /// Something is missing, changed, or not what was signed.
    Damaged,
}

/// From where the key is that the checkpoints are held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeySource {
    Given,
    /// Whoever had the box had this key too.
    BesideTheJournal,
}

#[derive(Serialize)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// Nothing is missing or changed, whoever wrote it.
    pub(super) whole: bool,
    pub(super) key: Option<(PublicKey, KeySource)>,
    #[serde(flatten)]
    pub(super) audit: Audit,
    pub(super) checkpoints: Judgement,
    /// Checkpoints of the centre that were compared.
    pub(super) against: Option<Comparison>,
}

impl Outcome {
    pub(super) fn verdict(&self) -> Verdict {
        let against = self.against.as_ref();
        let differs = against.is_some_and(|a| !a.differences.is_empty());
        let doubtful = against.is_some_and(|a| !a.doubts.is_empty());
        if !self.audit.is_whole() || !self.checkpoints.bad.is_empty() || differs {
            Verdict::Damaged
        } else if !self.checkpoints.doubts.is_empty() || doubtful {
            Verdict::Unproven
        } else {
            Verdict::Proven
        }
    }
}
