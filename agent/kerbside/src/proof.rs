//! Proof: `kerbside evidence`, for whoever has evidence in hand and must know whether it is what a box signed, and for whoever
//! looks after the box's key. Works on files alone: no running agent, no network.
//!
//! | file | owns |
//! |---|---|
//! | `keys` | the box's key as people handle it |
//! | `folder` | the files that are there: of a folder, of a bundle, single ones |
//! | `names` | the files of a bundle, and the list of them |
//! | `listing` | what a signed list says: a manifest of evidence, the list of a bundle |
//! | `trace` | the records of the journal between a manifest and the checkpoint that covers it |
//! | `judge` | what all that comes to, file by file |
//! | `print` | the outcome for a person, in both languages |
//! | `bundle`, `export` | the bundle that goes to an officer or a court |

mod bundle;
mod export;
mod folder;
mod judge;
mod keys;
mod listing;
mod names;
mod print;
#[cfg(test)]
mod tests;
mod trace;

use std::io::Write;

use anyhow::Context as _;

use folder::Folder;
use judge::{Outcome, Verdict};
pub(crate) use keys::public_key;

use crate::cli::{EvidenceCommand, EvidenceVerifyArgs, exit};

/// Runs the command, writing to `out`; the exit code.
pub fn run(command: &EvidenceCommand, out: &mut impl Write) -> anyhow::Result<u8> {
    match command {
        EvidenceCommand::Verify(args) => verify(args, out),
        EvidenceCommand::Export { incident, data, out: to } => {
            export::run(incident, data, to, out).map(|()| exit::OK)
        }
        EvidenceCommand::PublicKey { data } => keys::show(data, out).map(|()| exit::OK),
        EvidenceCommand::NewKey { data } => keys::renew(data, out).map(|()| exit::OK),
    }
}

fn verify(args: &EvidenceVerifyArgs, out: &mut impl Write) -> anyhow::Result<u8> {
    let key = args.key.as_deref().map(public_key).transpose()?;
    let folder = Folder::of(&args.paths)?;
    let outcome = Outcome::of(&folder, key)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&outcome)?).context("standard output")?;
    } else {
        print::outcome(&outcome, out).context("standard output")?;
    }
    Ok(match outcome.verdict {
        Verdict::Genuine => exit::OK,
        Verdict::Consistent | Verdict::Unsigned => exit::UNPROVEN,
        Verdict::Missing | Verdict::Changed => exit::FAILED,
    })
}
