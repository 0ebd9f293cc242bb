//! Reads the bytes of a segment after whatever happened to them. Pure: bytes in, records and a count of the damage out.

use kerbside_crypto::hash::Hash;

use super::record::{self, MAGIC, Record};

/// What was wrong, over everything that was read. All zero and empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// Stretches of bytes that are no record (flipped, zeroed, garbage), counted by line or by record start.
    pub bad: u64,
    /// First and last number of each gap.
    pub missing: Vec<(u64, u64)>,
    /// Records whose own hash is right but whose `prev` is not the hash of the record before: somebody wrote them.
    pub broken_links: u64,
    /// Bytes after the last line feed of the last segment: a record that was being written, never acknowledged.
    pub torn_bytes: u64,
    /// Records of an attempt whose sync failed; the caller got the error, and their numbers were used again.
    pub abandoned: u64,
}

impl Damage {
    pub fn is_none(&self) -> bool {
        *self == Damage::default()
    }

    /// How many numbers are missing.
    pub fn missing_count(&self) -> u64 {
        self.missing.iter().map(|(a, b)| b - a + 1).sum()
    }
}

/// Where the reader stands in the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tip {
    /// Number of the last good record, or the number before the first that is expected.
    pub n: u64,
    /// Hash of record `n`; `None` while none was read.
    pub hash: Option<Hash>,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Bad lines after the last good record that were complete, so that their numbers may have been acknowledged.
    pub bad_after: u64,
    /// Length up to and with the last line feed.
    pub whole_len: u64,
    /// The file ends right after a good record.
    pub clean: bool,
}

/// Something wrong, and where in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// A stretch of bytes that is no record.
    Bad { offset: u64, bytes: u64 },
    /// Records of these numbers should stand before `offset`.
    Missing { offset: u64, from: u64, to: u64 },
    /// Record `n` is true in itself, but does not follow from the one before: somebody wrote it.
    BrokenLink { offset: u64, n: u64 },
    /// A line that was being written and was never acknowledged.
    Torn { offset: u64, bytes: u64 },
    /// Record `n` of an attempt that was given up; its number was used again.
    Abandoned { offset: u64, n: u64 },
}

impl Damage {
    pub fn count(&mut self, fault: Fault) {
        match fault {
            Fault::Bad { .. } => self.bad += 1,
            Fault::Missing { from, to, .. } => self.missing.push((from, to)),
            Fault::BrokenLink { .. } => self.broken_links += 1,
            Fault::Torn { bytes, .. } => self.torn_bytes += bytes,
            Fault::Abandoned { .. } => self.abandoned += 1,
        }
    }
}

/// [`read`] with the faults counted.
pub fn segment(
    bytes: &[u8],
    tip: &mut Tip,
    until: Option<u64>,
    damage: &mut Damage,
    each: &mut dyn FnMut(Record, u64, u32),
) -> Ending {
    read(bytes, tip, until, &mut |fault| damage.count(fault), each)
}

/// Reads one segment. `each` gets every good record with its offset and length (line feed included).
/// `until`: the first number of the next segment, if there is one; what reaches beyond was abandoned.
pub fn read(
    bytes: &[u8],
    tip: &mut Tip,
    until: Option<u64>,
    fault: &mut dyn FnMut(Fault),
    each: &mut dyn FnMut(Record, u64, u32),
) -> Ending {
    let mut at = 0;
    let mut ending = Ending { clean: true, ..Ending::default() };
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let offset = at as u64;
        let line_len = match rest.iter().position(|b| *b == b'\n') {
            Some(len) => len,
            None => match unended(rest) {
                Some(len) => {
                    // Only its line feed was hit.
                    fault(Fault::Bad { offset: offset + len as u64, bytes: 1 });
                    len
                }
                None => {
                    fault(Fault::Torn { offset, bytes: rest.len() as u64 });
                    ending.clean = false;
                    break;
                }
            },
        };
        let line = rest.get(..line_len).unwrap_or_default();
        match record::open(line) {
            Some(found) if until.is_some_and(|u| found.n >= u) => {
                fault(Fault::Abandoned { offset, n: found.n });
            }
            // An old record copied to a later place: true in itself, a lie where it stands.
            Some(found) if found.n <= tip.n => fault(Fault::BrokenLink { offset, n: found.n }),
            Some(found) => {
                link(&found, tip, offset, fault);
                each(found, offset, line_len as u32 + 1);
                ending.bad_after = 0;
                ending.clean = true;
            }
            None => {
                ending.bad_after += 1;
                ending.clean = false;
                // A record may begin inside this stretch if the line feed before it was hit.
                let next = find(line.get(1..).unwrap_or_default(), MAGIC).map(|next| next + 1);
                fault(Fault::Bad { offset, bytes: next.unwrap_or(line_len) as u64 });
                if let Some(next) = next {
                    at += next;
                    continue;
                }
            }
        }
        at += line_len + 1;
        ending.whole_len = at as u64;
    }
    ending
}

fn link(found: &Record, tip: &mut Tip, offset: u64, fault: &mut dyn FnMut(Fault)) {
    if found.n != tip.n + 1 {
        fault(Fault::Missing { offset, from: tip.n + 1, to: found.n - 1 });
    } else if tip.hash.is_some_and(|hash| hash != found.prev) {
        fault(Fault::BrokenLink { offset, n: found.n });
    }
    *tip = Tip { n: found.n, hash: Some(found.hash) };
}

/// Length of a record that ends the file without its line feed, or with another byte in its place.
fn unended(rest: &[u8]) -> Option<usize> {
    let short = rest.len().checked_sub(1)?;
    [short, rest.len()].into_iter().find(|len| rest.get(..*len).and_then(record::open).is_some())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}
