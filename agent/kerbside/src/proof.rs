//! Proof: `kerbside evidence`, for whoever has evidence in hand and must know whether it is what a box signed, and for whoever
//! looks after the box's key. Works on files alone: no running agent, no network.

mod keys;

use std::io::Write;

pub(crate) use keys::public_key;

use crate::cli::{EvidenceCommand, exit};

/// Runs the command, writing to `out`; the exit code.
pub fn run(command: &EvidenceCommand, out: &mut impl Write) -> anyhow::Result<u8> {
    match command {
        EvidenceCommand::PublicKey { data } => keys::show(data, out).map(|()| exit::OK),
        EvidenceCommand::NewKey { data } => keys::renew(data, out).map(|()| exit::OK),
    }
}
