//! One journal record: how it is written, sealed and checked. Pure; knows nothing of files.
//!
//! A record is one line:
//!
//! ```text
//! {"kj":1,"n":7,"prev":"sha256:..","boot":"01J..","mono_us":5,"wall":"2026-..","quality":"ntp","kind":"message","body":{..},"hash":"sha256:.."}
//! ```
//!
//! `hash` is the SHA-256 of all bytes of the line before `,"hash":`, so it covers `prev` and with it the whole chain.
//! The line starts with [`MAGIC`], which a reader looks for to go on after damage.

use kerbside_crypto::hash::Hash;
use kerbside_domain::time::{ClockQuality, Moment, Mono, rfc3339};
use kerbside_wire::{MessageHead, Recorded, parse_message};
use serde::Deserialize;

use super::kind::RecordKind;

/// First bytes of every record; the 1 is the version of the format.
pub const MAGIC: &[u8] = b"{\"kj\":1,\"n\":";
/// Longest line that is written or believed, bytes.
pub const MAX_LINE: usize = 256 * 1024;
/// `,"hash":"sha256:` + 64 hex digits + `"}`.
const SEAL_LEN: usize = 16 + 64 + 2;

/// A record that was read and whose hash is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Contiguous from 1 over the life of the journal.
    pub n: u64,
    /// Hash of the record before.
    pub prev: Hash,
    pub hash: Hash,
    /// Names one start of the program.
    pub boot: String,
    pub at: Moment,
    pub kind: RecordKind,
    /// JSON, byte for byte as it was given.
    pub body: String,
}

impl Record {
    /// Head and envelope of a `message` record; `None` if it is another kind.
    pub fn message(&self) -> Option<(MessageHead, &str)> {
        (self.kind == RecordKind::Message).then(|| parse_message(&self.body)).flatten()
    }

    /// What the wire needs of it to publish a message.
    pub fn recorded(&self) -> Recorded<'_> {
        Recorded { n: self.n, prev: self.prev, hash: self.hash, body: &self.body }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordHead {
    #[serde(rename = "kj")]
    _version: u8,
    n: u64,
    prev: Hash,
    boot: String,
    mono_us: u64,
    wall: String,
    quality: ClockQuality,
    kind: String,
}

/// What a record is made of, besides its kind and body.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    pub n: u64,
    pub prev: Hash,
    pub boot: &'a str,
    pub at: Moment,
    pub utc_offset_s: i32,
}

/// Appends the sealed line, with its line feed, to `out` and returns its hash. `kind` and `boot` must need no escaping,
/// `body` must be JSON on one line; the callers in this module see to it.
pub fn seal(out: &mut Vec<u8>, stamp: &Stamp<'_>, kind: &str, body: &str) -> Hash {
    let start = out.len();
    let head = format!(
        "{{\"kj\":1,\"n\":{},\"prev\":\"{}\",\"boot\":\"{}\",\"mono_us\":{},\"wall\":\"{}\",\"quality\":\"{}\",\"kind\":\"{}\",\"body\":",
        stamp.n,
        stamp.prev,
        stamp.boot,
        stamp.at.mono.0,
        rfc3339(stamp.at.wall_ms, stamp.utc_offset_s),
        stamp.at.quality.as_str(),
        kind,
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body.as_bytes());
    let hash = Hash::of(out.get(start..).unwrap_or_default());
    out.extend_from_slice(format!(",\"hash\":\"{hash}\"}}\n").as_bytes());
    hash
}

/// Checks one line (without its line feed). `None`: not a record, or not what was written.
pub fn open(line: &[u8]) -> Option<Record> {
    if line.len() > MAX_LINE || !line.starts_with(MAGIC) {
        return None;
    }
    let (sealed, seal) = line.split_at_checked(line.len().checked_sub(SEAL_LEN)?)?;
    let hash =
        Hash::parse(std::str::from_utf8(seal.strip_prefix(b",\"hash\":\"")?.strip_suffix(b"\"}")?).ok()?)?;
    if Hash::of(sealed) != hash {
        return None;
    }
    let text = std::str::from_utf8(sealed).ok()?;
    let (head, body) = text.split_once(",\"body\":")?;
    let head: RecordHead = serde_json::from_str(&format!("{head}}}")).ok()?;
    let wall_ms = chrono::DateTime::parse_from_rfc3339(&head.wall).ok()?.timestamp_millis();
    Some(Record {
        n: head.n,
        prev: head.prev,
        hash,
        boot: head.boot,
        at: Moment { mono: Mono(head.mono_us), wall_ms, quality: head.quality },
        kind: RecordKind::from(head.kind.as_str()),
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Vec<u8> {
        let stamp = Stamp {
            n: 7,
            prev: Hash::of(b"six"),
            boot: "01JD7Z6T6V8Q0M5N3K2H1G9F8E",
            at: Moment { mono: Mono(1_500_000), wall_ms: 1_795_221_065_120, quality: ClockQuality::Ntp },
            utc_offset_s: 8 * 3600,
        };
        let mut out = Vec::new();
        seal(&mut out, &stamp, "message", r#"{"a":",\"body\":"}"#);
        out
    }

    #[test]
    fn a_record_reads_as_written() {
        let out = line();
        let record = open(out.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!((record.n, record.kind.as_str()), (7, "message"));
        assert_eq!(record.body, r#"{"a":",\"body\":"}"#);
        assert_eq!(record.at.wall_ms, 1_795_221_065_120);
        assert!(std::str::from_utf8(&out).unwrap().starts_with("{\"kj\":1,\"n\":7,\"prev\":\"sha256:"));
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let out = line();
        let good = out.strip_suffix(b"\n").unwrap();
        for i in 0..good.len() {
            let mut bad = good.to_vec();
            bad[i] ^= 0x01;
            assert!(open(&bad).is_none(), "byte {i} of {}", good.len());
        }
    }
}
