//! The outcome for a person: what is wrong first, the verdict last where the eye is, in both languages.

use std::io::{Result, Write};
use std::path::Path;

use kerbside_trace::journal::audit::{Audit, Finding};
use kerbside_trace::journal::scan::Fault;

use super::checkpoints::Judgement;
use super::outcome::{KeySource, Outcome, Verdict};

pub(super) fn outcome(folder: &Path, outcome: &Outcome, out: &mut impl Write) -> Result<()> {
    findings(outcome, out)?;
    let Audit { segments, records, first_n, last_n, last_hash, bytes, set_aside, .. } = &outcome.audit;
    writeln!(
        out,
        "{}: {records} records in {segments} segments, numbers {first_n} to {last_n}, {bytes} bytes\n\
         last hash {last_hash}",
        folder.display(),
    )?;
    if *set_aside > 0 {
        writeln!(out, "{set_aside} files set aside after failed writes (*.abandoned)")?;
    }
    checkpoints(outcome, out)?;
    end(&outcome.checkpoints, out)?;
    if let Some(against) = &outcome.against {
        writeln!(
            out,
            "{} of the centre's checkpoints agree, {} speak of records that are dropped, {} are of other boxes",
            against.agreeing, against.before_the_first, against.of_others
        )?;
    }
    verdict(outcome, out)
}

fn findings(outcome: &Outcome, out: &mut impl Write) -> Result<()> {
    for finding in &outcome.audit.findings {
        writeln!(out, "{}", line(finding))?;
    }
    if outcome.audit.findings_left_out > 0 {
        writeln!(out, "... and {} more", outcome.audit.findings_left_out)?;
    }
    for (n, why) in &outcome.checkpoints.bad {
        writeln!(out, "record {n}: {why}")?;
    }
    for difference in outcome.against.iter().flat_map(|against| &against.differences) {
        writeln!(out, "{difference}")?;
    }
    Ok(())
}

fn checkpoints(outcome: &Outcome, out: &mut impl Write) -> Result<()> {
    let good = outcome.checkpoints.good;
    match &outcome.key {
        Some((key, KeySource::Given)) => writeln!(out, "{good} signed checkpoints, held against {key}"),
        Some((key, KeySource::BesideTheJournal)) => writeln!(
            out,
            "{good} signed checkpoints, held against {key}, which lies beside the journal: whoever had the box had it too. \
             Pass --key with the key of the birth message"
        ),
        None => writeln!(out, "{good} signed checkpoints, held against no key"),
    }
}

/// Where the proof ends, and how the journal does.
fn end(checkpoints: &Judgement, out: &mut impl Write) -> Result<()> {
    let Judgement { unsigned, signed_at, .. } = checkpoints;
    let signed_at = signed_at.as_deref().unwrap_or("?");
    if checkpoints.stopped {
        return writeln!(out, "it ends with the program's orderly stop, signed at {signed_at}");
    }
    if checkpoints.proven_to.is_some() {
        writeln!(
            out,
            "the newest was signed at {signed_at}; {unsigned} records behind it are not signed yet\n\
             the program has not said that it stopped: it runs, lost its power, or the end was cut off; \
             --against the centre's checkpoints tells"
        )?;
    }
    Ok(())
}

fn verdict(outcome: &Outcome, out: &mut impl Write) -> Result<()> {
    let Judgement { proven_to, unsigned, bad, doubts, .. } = &outcome.checkpoints;
    let proven_to = proven_to.unwrap_or_default();
    match outcome.verdict {
        Verdict::Proven => writeln!(
            out,
            "PROVEN to record {proven_to} (已证实至第 {proven_to} 条): every record is as the box signed it, none is missing"
        ),
        Verdict::Unproven => {
            writeln!(
                out,
                "CONSISTENT BUT UNPROVEN (一致但未证实): proven to record {proven_to}, {unsigned} records behind it are not"
            )?;
            let more = outcome.against.iter().flat_map(|against| &against.doubts);
            doubts.iter().chain(more).try_for_each(|doubt| writeln!(out, "  because {doubt}"))
        }
        Verdict::Damaged => {
            let damage = &outcome.audit.damage;
            let differences = outcome.against.as_ref().map_or(0, |against| against.differences.len());
            writeln!(
                out,
                "DAMAGED (受损): {} missing, {} unreadable, {} not in the chain, {} against a signature, {differences} against \
                 the centre's checkpoints",
                damage.missing_count(),
                damage.bad,
                damage.broken_links,
                bad.len()
            )
        }
    }
}

fn line(finding: &Finding) -> String {
    let file = &finding.file;
    match finding.fault {
        Fault::Bad { offset, bytes } => format!("{file}:{offset}: {bytes} bytes are no record"),
        Fault::Missing { offset, from, to } if from == to => {
            format!("{file}:{offset}: record {from} is missing")
        }
        Fault::Missing { offset, from, to } => format!("{file}:{offset}: records {from} to {to} are missing"),
        Fault::BrokenLink { offset, n } => {
            format!(
                "{file}:{offset}: record {n} does not follow from the one before: it was not written by the box here"
            )
        }
        Fault::Torn { offset, bytes } => {
            format!("{file}:{offset}: {bytes} bytes of a line that was being written (never acknowledged)")
        }
        Fault::Abandoned { offset, n } => {
            format!("{file}:{offset}: record {n} of a write that failed; its number was used again")
        }
    }
}
