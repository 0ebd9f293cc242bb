//! The root boxes of an MP4 file.

use std::io::{Read, Seek, SeekFrom};

use crate::error::SignError;

/// Our clips have four or five.
const MAX_BOXES: usize = 64;

/// A box that lies in no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RootBox {
    pub(super) name: [u8; 4],
    /// Its first byte in the file.
    pub(super) start: u64,
    /// With its header.
    pub(super) length: u64,
}

impl RootBox {
    /// The first byte behind it.
    pub(super) fn end(&self) -> u64 {
        self.start + self.length
    }
}

/// All of them, without a gap, of kinds that are known, one `ftyp` and one `moov` among them.
pub(super) fn read(from: &mut (impl Read + Seek), end: u64) -> Result<Vec<RootBox>, SignError> {
    let mut boxes = Vec::new();
    let mut at = 0;
    while at < end {
        if boxes.len() == MAX_BOXES {
            return Err(SignError::mp4(format!("more than {MAX_BOXES} boxes")));
        }
        let one = header(from, at, end)?;
        if !matches!(&one.name, b"ftyp" | b"moov" | b"mdat" | b"free" | b"skip" | b"wide") {
            return Err(SignError::mp4(format!("box {:?}", String::from_utf8_lossy(&one.name))));
        }
        at = one.end();
        boxes.push(one);
    }
    for name in [b"ftyp", b"moov"] {
        let count = boxes.iter().filter(|b| b.name == *name).count();
        if count != 1 {
            return Err(SignError::mp4(format!("{count} boxes {}", String::from_utf8_lossy(name))));
        }
    }
    Ok(boxes)
}

fn header(from: &mut (impl Read + Seek), start: u64, end: u64) -> Result<RootBox, SignError> {
    let cut = || SignError::mp4(format!("the box at byte {start} goes beyond the end"));
    let room = end - start;
    if room < 8 {
        return Err(cut());
    }
    from.seek(SeekFrom::Start(start))?;
    let [s0, s1, s2, s3, name @ ..] = bytes::<8>(from)?;
    let (length, least) = match u32::from_be_bytes([s0, s1, s2, s3]) {
        // To the end of the file: nothing says whether that is the end that was meant.
        0 => return Err(SignError::mp4(format!("the box at byte {start} has no length"))),
        1 if room < 16 => return Err(cut()),
        1 => (u64::from_be_bytes(bytes::<8>(from)?), 16),
        size => (u64::from(size), 8),
    };
    match length {
        _ if length < least => Err(SignError::mp4(format!("the box at byte {start} is too short"))),
        _ if length > room => Err(cut()),
        _ => Ok(RootBox { name, start, length }),
    }
}

fn bytes<const N: usize>(from: &mut impl Read) -> Result<[u8; N], SignError> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
