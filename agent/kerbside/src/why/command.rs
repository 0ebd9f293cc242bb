//! `kerbside why`: prints what was no incident, and why. Only reads, so the box may be running.

use std::io::Write;

use anyhow::{Context as _, bail};
use serde_json::json;

use super::entry::Entry;
use crate::cli::{WhyArgs, exit};
use kerbside_domain::lang::Lang;
use kerbside_seeing::incident::refusal::text;

/// Prints; returns the exit code.
pub fn command(args: &WhyArgs, out: &mut impl Write) -> anyhow::Result<u8> {
    if !args.data.is_dir() {
        bail!("{}: no such folder; --data names the box's data folder", args.data.display());
    }
    let (from_ms, to_ms) = (instant(args.from.as_ref(), i64::MIN)?, instant(args.to.as_ref(), i64::MAX)?);
    let lang = args.lang.lang();
    let mut entries = super::read(&super::folder(&args.data));
    entries.retain(|e| {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|w| w == found);
        let in_time = e.to_ms >= from_ms && e.from_ms < to_ms;
        in_time && is(&args.camera, &e.camera) && is(&args.zone, &e.zone) && is(&args.rule, &e.rule)
    });
    let skipped = args.last.map_or(0, |most| entries.len().saturating_sub(most));
    match print(args, lang, &entries[skipped..], out) {
        // `| head` has seen enough.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(exit::OK),
        printed => printed.context("standard output").map(|()| exit::OK),
    }
}

fn print(args: &WhyArgs, lang: Lang, entries: &[Entry], out: &mut impl Write) -> std::io::Result<()> {
    for entry in entries {
        if args.json {
            writeln!(out, "{}", with_texts(entry))?;
        } else {
            writeln!(out, "{}", entry.line(lang))?;
        }
    }
    if entries.is_empty() && !args.json {
        writeln!(out, "{}", lang.pick("nothing was refused, as far as is kept", "没有留存未上报的记录"))?;
    }
    Ok(())
}

/// The entry as it is stored, with the sentences.
fn with_texts(entry: &Entry) -> serde_json::Value {
    let mut value = json!(entry);
    value["text"] = json!({"en": text::why(Lang::En, &entry.why), "zh": text::why(Lang::Zh, &entry.why)});
    value
}

fn instant(text: Option<&String>, otherwise: i64) -> anyhow::Result<i64> {
    let Some(text) = text else { return Ok(otherwise) };
    let time = chrono::DateTime::parse_from_rfc3339(text)
        .with_context(|| format!("{text:?} is no time (RFC 3339, for example 2026-11-21T08:00:00+08:00)"))?;
    Ok(time.timestamp_millis())
}
