//! `journal show`: records for people, filtered; or as they stand, for an auditor.

use std::borrow::Cow;
use std::io::Write;

use anyhow::Context as _;
use serde_json::Value;

use crate::cli::{Severity, ShowArgs};
use kerbside_trace::delivery::without_secrets;
use kerbside_trace::journal::{Record, RecordKind, audit};
use kerbside_wire::text::shortened;

/// Longest summary of a record, bytes.
const SUMMARY: usize = 240;

/// What is to be shown.
struct Filter<'a> {
    args: &'a ShowArgs,
    from_ms: i64,
    to_ms: i64,
}

impl Filter<'_> {
    fn wants(&self, record: &Record) -> bool {
        let kinds = &self.args.kind;
        (kinds.is_empty()
            || kinds.iter().any(|k| record.kind.as_str() == k || message_kind(record).contains(k.as_str())))
            && self.args.incident.as_ref().is_none_or(|id| record.body.contains(id.as_str()))
            && (self.from_ms..self.to_ms).contains(&record.at.wall_ms)
            && severity(record) >= self.args.severity
    }
}

pub(super) fn run(args: &ShowArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let folder = super::segments::folder(&args.dir)?;
    let instant = |text: &Option<String>, otherwise: i64| match text {
        Some(text) => {
            chrono::DateTime::parse_from_rfc3339(text).map(|t| t.timestamp_millis()).with_context(|| {
                format!("{text:?} is no time (RFC 3339, for example 2026-11-21T08:00:00+08:00)")
            })
        }
        None => Ok(otherwise),
    };
    let filter =
        Filter { args, from_ms: instant(&args.from, i64::MIN)?, to_ms: instant(&args.to, i64::MAX)? };
    let mut last = std::collections::VecDeque::new();
    let mut written = Ok(());
    let audit = audit::read(&folder, &mut |record, line| {
        if written.is_err() || !filter.wants(record) {
            return;
        }
        let open = |text| if args.secrets { Cow::Borrowed(text) } else { without_secrets(record, text) };
        let text =
            if args.json { open(line).into_owned() } else { summary(record, line, &open(&record.body)) };
        match args.last {
            None => written = writeln!(out, "{text}"),
            Some(most) => {
                last.push_back(text);
                if last.len() > most {
                    last.pop_front();
                }
            }
        }
    })?;
    for text in last {
        written = written.and_then(|()| writeln!(out, "{text}"));
    }
    match written {
        // `| head` has seen enough.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
        written => written.context("standard output")?,
    }
    if !audit.is_whole() {
        tracing::warn!(damage = ?audit.damage, "the journal is damaged: see `kerbside journal verify`");
    }
    Ok(())
}

/// One line for a person.
fn summary(record: &Record, line: &str, body: &str) -> String {
    // As the box wrote it, with the site's own offset.
    let time = line.split_once("\"wall\":\"").and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?");
    let level = match severity(record) {
        Severity::Info => " ",
        Severity::Notice => "·",
        Severity::Warning => "!",
        Severity::Error => "✗",
    };
    let text = match record.message() {
        Some((head, envelope)) => {
            let data: Value = serde_json::from_str(envelope).unwrap_or_default();
            let data = data.get("data").map(Value::to_string).unwrap_or_default();
            let kind = head.kind.trim_start_matches("kerbside.").to_owned();
            format!("{kind} seq {} id {} {}", head.seq, head.id, shortened(&data, SUMMARY))
        }
        None => shortened(body, SUMMARY).to_owned(),
    };
    format!("{:>8} {time} {level} {:<10} {text}", record.n, record.kind.as_str())
}

/// CloudEvents type of a message; empty for everything else.
fn message_kind(record: &Record) -> String {
    record.message().map(|(head, _)| head.kind).unwrap_or_default()
}

/// How much a person should care.
fn severity(record: &Record) -> Severity {
    let says = |text: &str| record.body.contains(text);
    match record.kind {
        RecordKind::Oversized => Severity::Error,
        RecordKind::Recovered | RecordKind::Refused => Severity::Warning,
        RecordKind::DeadLettered if says("superseded") || says("\"expired\"") || says("evicted") => {
            Severity::Info
        }
        RecordKind::DeadLettered => Severity::Warning,
        RecordKind::Command if says("\"refused\":") => Severity::Warning,
        RecordKind::Camera if !says("\"watching\"") => Severity::Notice,
        RecordKind::Link if says("\"lost\"") => Severity::Notice,
        RecordKind::Command
        | RecordKind::Boot
        | RecordKind::Case
        | RecordKind::Evidence
        | RecordKind::Position => Severity::Notice,
        RecordKind::Message => match message_kind(record) {
            kind if kind.starts_with("kerbside.matter.") => Severity::Notice,
            kind if kind.starts_with("kerbside.sensor.alarm") => Severity::Warning,
            kind if kind.starts_with("kerbside.evidence.failed") => Severity::Warning,
            _ => Severity::Info,
        },
        _ => Severity::Info,
    }
}
