//! Old segments that nobody needs any more.

use std::fs;

use kerbside_domain::time::Moment;

use super::error::{Result, io};
use super::log::Journal;
use super::segment;

/// How old is too old.
#[derive(Clone, Copy, Debug)]
pub struct AgeLimit {
    /// On the journal's clock.
    pub now: Moment,
    pub s: f64,
}

impl Journal {
    /// Drops the oldest segments whose records are all below `keep_from` and beyond the limit. The last segment always stays.
    /// Returns how many went.
    pub fn drop_before(&mut self, keep_from: u64, limit: AgeLimit) -> Result<usize> {
        let mut dropped = 0;
        while let [_, next, ..] = self.segments.as_slice() {
            if next.first > keep_from || !self.oldest_is_beyond(limit)? {
                break;
            }
            let Some(oldest) = self.segments.first() else { break };
            fs::remove_file(&oldest.path).map_err(io("remove", &oldest.path))?;
            self.segments.remove(0);
            dropped += 1;
        }
        Ok(dropped)
    }

    /// Whether the oldest segment is closed and every record of it is beyond the limit.
    pub fn oldest_is_beyond(&mut self, limit: AgeLimit) -> Result<bool> {
        let [oldest, later @ ..] = self.segments.as_mut_slice() else { return Ok(false) };
        if oldest.ended.is_none() {
            // Where the head of the next cannot be read, that of one still later makes it younger than it is.
            oldest.ended = later.iter().find_map(|next| segment::begun(&next.path));
        }
        Ok(oldest.ended.is_some_and(|ended| limit.now.age_s(ended) > limit.s))
    }

    /// Number after the last of the oldest segment: what is below must be copied forward before that can go.
    pub fn oldest_segment_end(&self) -> Option<u64> {
        match self.segments.as_slice() {
            [_, next, ..] => Some(next.first),
            _ => None,
        }
    }
}
