//! Old segments that nobody needs any more.

use std::fs;

use super::error::{Result, io};
use super::log::Journal;
use super::segment::newest_wall_ms;

impl Journal {
    /// Drops the oldest segments whose records are all below `keep_from` and whose newest record is older than
    /// `older_than_ms` (wall clock). The last segment always stays. Returns how many went.
    pub fn drop_before(&mut self, keep_from: u64, older_than_ms: i64) -> Result<usize> {
        let mut dropped = 0;
        while let [_, next, ..] = self.segments.as_slice() {
            if next.first > keep_from || !self.oldest_is_before(older_than_ms)? {
                break;
            }
            let Some(oldest) = self.segments.first() else { break };
            fs::remove_file(&oldest.path).map_err(io("remove", &oldest.path))?;
            self.segments.remove(0);
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Whether every record of the oldest segment is older than `older_than_ms` and the segment is closed.
    pub fn oldest_is_before(&mut self, older_than_ms: i64) -> Result<bool> {
        let [oldest, _, ..] = self.segments.as_mut_slice() else { return Ok(false) };
        if oldest.newest_ms.is_none() {
            // A segment without one good record is never dropped: somebody may want to look at it.
            oldest.newest_ms = Some(newest_wall_ms(&oldest.path)?.unwrap_or(i64::MAX));
        }
        Ok(oldest.newest_ms.is_some_and(|newest| newest < older_than_ms))
    }

    /// Number after the last of the oldest segment: what is below must be copied forward before that can go.
    pub fn oldest_segment_end(&self) -> Option<u64> {
        match self.segments.as_slice() {
            [_, next, ..] => Some(next.first),
            _ => None,
        }
    }
}
