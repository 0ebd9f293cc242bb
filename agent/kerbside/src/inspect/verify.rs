//! `journal verify`: every record, the chain, the numbers and the signed checkpoints; what is wrong, in which file and where; and
//! up to which record it is proven.
//!
//! | file | owns |
//! |---|---|
//! | `checkpoints` | what the checkpoints of the journal prove, and against whose key |
//! | `against` | the comparison with those that the centre kept |
//! | `outcome` | what all that comes to |
//! | `print` | the outcome for a person |

mod against;
mod checkpoints;
mod outcome;
mod print;

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_trace::delivery::KEY_FILE;
use kerbside_trace::journal::audit;

use against::Against;
use checkpoints::Checkpoints;
use outcome::{KeySource, Outcome, Verdict};

use crate::cli::{VerifyArgs, exit};
use crate::proof::public_key;

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
