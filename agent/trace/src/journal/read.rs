//! Reading: one record by its location, or all from a number on.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use super::entry::RecordLocation;
use super::error::{JournalError, Result, io};
use super::log::Journal;
use super::record::{self, Record};
use super::scan::{self, Damage};
use super::segment::{self, Segment, read_whole};

impl Journal {
    /// Reads one record and checks that it is number `n`.
    pub fn read(&self, n: u64, location: RecordLocation) -> Result<Record> {
        let path = segment::path(&self.dir, location.segment);
        let mut file = File::open(&path).map_err(io("open", &path))?;
        let mut line = vec![0u8; (location.len as usize).min(record::MAX_LINE + 1)];
        file.seek(SeekFrom::Start(location.offset)).map_err(io("seek", &path))?;
        let complete = file.read_exact(&mut line).is_ok();
        let text = line.strip_suffix(b"\n").filter(|_| complete);
        text.and_then(record::open).filter(|r| r.n == n).ok_or(JournalError::Unreadable {
            n,
            path,
            offset: location.offset,
        })
    }

    /// Whether the folder can be looked at at all: its newest file opens and gives a byte. Otherwise no record can be blamed.
    pub fn is_readable(&self) -> bool {
        let Some(newest) = self.segments.last() else { return false };
        File::open(&newest.path).and_then(|mut f| f.read_exact(&mut [0])).is_ok()
    }

    /// Gives every good record from number `from` on to `each`, oldest first, and says what was wrong on the way.
    /// Reads from the segment that holds `from`; a gap before `from` is not reported.
    pub fn replay(&self, from: u64, each: &mut dyn FnMut(Record, RecordLocation)) -> Result<Damage> {
        replay(&self.segments, self.next_n, from, each)
    }
}

/// [`Journal::replay`] of these segments, whose records are those before `next_n`.
pub(super) fn replay(
    segments: &[Segment],
    next_n: u64,
    from: u64,
    each: &mut dyn FnMut(Record, RecordLocation),
) -> Result<Damage> {
    let mut damage = Damage::default();
    let start = segments.iter().rposition(|s| s.first <= from).unwrap_or(0);
    let mut tip = scan::Tip::default();
    let segments = segments.get(start..).unwrap_or_default();
    for (i, segment) in segments.iter().enumerate() {
        let bytes = read_whole(&segment.path)?;
        if i == 0 {
            // The name is the number of the first record: a lost first record shows too.
            tip.n = segment.first - 1;
        }
        let until = segments.get(i + 1).map(|s| s.first);
        scan::segment(&bytes, &mut tip, until, &mut damage, &mut |record, offset, len| {
            if record.n >= from {
                each(record, RecordLocation { segment: segment.first, offset, len });
            }
        });
        // Numbers lost at the end of a segment show only against the name of the next, or the tip.
        let end = until.unwrap_or(next_n);
        if tip.n + 1 < end && tip.n + 1 >= from {
            damage.missing.push((tip.n + 1, end - 1));
            tip = scan::Tip { n: end - 1, hash: None };
        }
    }
    Ok(damage)
}
