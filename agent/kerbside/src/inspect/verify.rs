//! `journal verify`: every record, the chain, the numbers and the signed checkpoints; what is wrong, in which file and where; and
//! up to which record it is proven.
//!
//! | file | owns |
//! |---|---|
//! | `checkpoints` | what the checkpoints of the journal prove, and against whose key |
//! | `against` | the comparison with those that the centre kept |
//! | `print` | the outcome for a person |

mod against;
mod checkpoints;
mod print;

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_trace::delivery::KEY_FILE;
use kerbside_trace::journal::audit::{self, Audit};
use serde::Serialize;

use against::Against;
use checkpoints::{Checkpoints, Judgement};

use crate::cli::{VerifyArgs, exit};
use crate::proof::public_key;

/// What the whole comes to. Damage outweighs doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
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
enum KeySource {
    Given,
    /// Whoever had the box had this key too.
    BesideTheJournal,
}

#[derive(Serialize)]
struct Outcome {
    verdict: Verdict,
    /// Nothing is missing or changed, whoever wrote it.
    whole: bool,
    key: Option<(PublicKey, KeySource)>,
    #[serde(flatten)]
    audit: Audit,
    checkpoints: Judgement,
    /// Checkpoints of the centre that were compared.
    against: Option<against::Comparison>,
}

impl Outcome {
    fn verdict(&self) -> Verdict {
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

/// Reads and judges the journal, writing to `out`; the exit code.
pub(super) fn run(args: &VerifyArgs, out: &mut impl Write) -> anyhow::Result<u8> {
    let folder = super::segments::folder(&args.dir)?;
    let key = match &args.key {
        Some(text) => Some((public_key(text)?, KeySource::Given)),
        None => beside(&args.dir).map(|key| (key, KeySource::BesideTheJournal)),
    };
    let mut against = args.against.as_deref().map(Against::read).transpose()?;
    let mut checkpoints = Checkpoints::default();
    let audit = audit::read(&folder, &mut |record, _| {
        checkpoints.record(record);
        if let Some(against) = &mut against {
            against.record(record);
        }
    })?;
    let public = key.map(|(key, _)| key);
    let keys = checkpoints.keys();
    let mut outcome = Outcome {
        verdict: Verdict::Damaged,
        whole: audit.is_whole(),
        key,
        checkpoints: checkpoints.judge(public, audit.first_n, audit.last_n),
        against: against.map(|against| against.compare(&keys, audit.first_n, audit.last_n)),
        audit,
    };
    outcome.verdict = outcome.verdict();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&outcome)?).context("standard output")?;
    } else {
        print::outcome(&folder, &outcome, out).context("standard output")?;
    }
    Ok(match outcome.verdict {
        Verdict::Proven => exit::OK,
        Verdict::Unproven if args.unsigned_ok => exit::OK,
        Verdict::Unproven => exit::UNPROVEN,
        Verdict::Damaged => exit::FAILED,
    })
}

/// On the box itself its key lies beside the journal.
fn beside(dir: &Path) -> Option<PublicKey> {
    let places = [dir.join(KEY_FILE), dir.join("..").join(KEY_FILE)];
    places.iter().find_map(|path| SigningKey::read(path).ok()).map(|key| key.public())
}
