//! The journal as it stood at one moment, for whoever reads it on another thread while it goes on being written.

use std::path::PathBuf;

use kerbside_domain::time::{Moment, Mono};

use super::entry::RecordLocation;
use super::error::Result;
use super::log::Journal;
use super::read::replay;
use super::record::Record;
use super::scan::Damage;
use super::segment::{self, Segment};

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Number of the first record to read.
    pub n: u64,
    /// Everything there ever was since the moment that was asked for is still in the journal.
    pub reaches_back: bool,
}

/// A journal as it stood. Segments that are dropped meanwhile cannot be read, which is an error.
#[derive(Clone, Debug)]
pub struct JournalView {
    segments: Vec<Segment>,
    next_n: u64,
}

impl Journal {
    /// As it stands now, with what is appended and not synced yet.
    pub fn view(&self) -> JournalView {
        JournalView { segments: self.segments.clone(), next_n: self.next_n }
    }
}

impl JournalView {
    /// Where to begin so that no record is left out that was written at `since` or later, on the journal's own clock: only heads of segments
    /// are read, from the newest back.
    pub fn begin(&self, since: Mono) -> Begin {
        let is_before = |path: &PathBuf| {
            segment::begun(path).is_some_and(|begun| begun.mono < since && begun != Moment::default())
        };
        let found = self.segments.iter().rev().find(|segment| is_before(&segment.path));
        let first = self.segments.first().map_or(self.next_n, |segment| segment.first);
        // From its very first record on the journal holds everything there ever was.
        Begin { n: found.map_or(first, |s| s.first), reaches_back: found.is_some() || first <= 1 }
    }

    /// [`Journal::replay`], of what was there when the view was taken.
    pub fn replay(&self, from: u64, each: &mut dyn FnMut(Record, RecordLocation)) -> Result<Damage> {
        let damage = replay(&self.segments, self.next_n, from, &mut |record, location| {
            if record.n < self.next_n {
                each(record, location);
            }
        })?;
        // The end is being written.
        Ok(Damage { torn_bytes: 0, ..damage })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kerbside_domain::time::VirtualClock;

    use super::*;
    use crate::journal::{Durability, Entry, JournalSettings, RecordKind, Syncs};

    #[test]
    fn only_the_segments_since_a_moment_are_read_and_what_comes_later_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let clock = VirtualClock::new(1_795_190_400_000);
        let settings = JournalSettings {
            segment_bytes: 4096,
            syncs: Syncs { file: |_| Ok(()), folder: |_| Ok(()) },
            utc_offset_s: 0,
            boot: "01J".into(),
        };
        let (mut journal, _) =
            Journal::open(dir.path(), settings, Arc::clone(&clock) as Arc<_>, None).unwrap();
        // As a ledger heads each segment: its clock counts on over restarts.
        journal.set_counters("{\"clock\":{}}".to_owned());
        let append = |journal: &mut Journal, hour: u32| {
            clock.advance_to(Mono::from_s(f64::from(hour) * 3600.0));
            for _ in 0..10 {
                let body = format!("{{\"hour\":{hour},\"pad\":\"{}\"}}", "x".repeat(200));
                journal.append(&[Entry::new(RecordKind::Note, body)], Durability::Later).unwrap();
            }
        };
        (0..40).for_each(|hour| append(&mut journal, hour));
        let view = journal.view();
        append(&mut journal, 40);
        let hours_since = |hour: f64| {
            let Begin { n, reaches_back } = view.begin(Mono::from_s(hour * 3600.0));
            let mut hours = Vec::new();
            view.replay(n, &mut |record, _| {
                if record.kind == RecordKind::Note {
                    hours.push((record.at.mono.since_s(Mono::ZERO) / 3600.0) as u32);
                }
            })
            .unwrap();
            (hours, reaches_back)
        };
        let (hours, reaches_back) = hours_since(30.5);
        assert!(reaches_back && hours.first().is_some_and(|first| (27..=30).contains(first)), "{hours:?}");
        assert_eq!(hours.iter().filter(|hour| **hour == 31).count(), 10);
        assert_eq!(hours.last(), Some(&39), "what came later is another matter");
        let (hours, reaches_back) = hours_since(0.0);
        assert!(reaches_back && hours.len() == 400);
        std::fs::remove_file(&view.segments[0].path).unwrap();
        let (mut rest, n) = (view.clone(), view.segments[1].first);
        rest.segments.remove(0);
        assert_eq!(rest.begin(Mono::ZERO), Begin { n, reaches_back: false });
        assert!(view.replay(1, &mut |_, _| {}).is_err(), "a segment is gone");
    }
}
