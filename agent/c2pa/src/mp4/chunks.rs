//! Where the chunks of the media data begin: the offsets in `stco` and `co64`, somewhere down in `moov`. Pure.

use std::ops::Range;

use crate::error::SignError;

/// The boxes on the way to the offsets.
const PATH: [&[u8; 4]; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

/// Adds `by` to each offset of `moov` (with its header). All must lie in `data`.
pub(super) fn shift(moov: &mut [u8], data: Range<u64>, by: u64) -> Result<(), SignError> {
    inside(moov, &PATH, &data, by)
}

/// Looks at the boxes of `boxes`; `path` says which of them lead on.
fn inside(boxes: &mut [u8], path: &[&[u8; 4]], data: &Range<u64>, by: u64) -> Result<(), SignError> {
    let mut rest = boxes;
    while !rest.is_empty() {
        let (name, header, length) = header(rest)?;
        let (one, after) = rest.split_at_mut(length);
        let content = &mut one[header..];
        match (&name, path) {
            // Of fragments, and of encrypted samples: more offsets.
            (b"mvex" | b"saio" | b"iloc" | b"uuid", _) => {
                return Err(SignError::mp4(format!("box {:?}", String::from_utf8_lossy(&name))));
            }
            (b"stco", []) => offsets::<4>(content, data, by)?,
            (b"co64", []) => offsets::<8>(content, data, by)?,
            (_, [next, below @ ..]) if name == **next => inside(content, below, data, by)?,
            _ => {}
        }
        rest = after;
    }
    Ok(())
}

/// Name, length of the header, length with it.
fn header(boxes: &[u8]) -> Result<([u8; 4], usize, usize), SignError> {
    let broken = || SignError::mp4("a box in moov goes beyond its end");
    let [s0, s1, s2, s3, n0, n1, n2, n3] = *boxes.first_chunk::<8>().ok_or_else(broken)?;
    let (header, length) = match u32::from_be_bytes([s0, s1, s2, s3]) {
        1 => {
            let large = boxes.get(8..).and_then(|b| b.first_chunk::<8>()).ok_or_else(broken)?;
            (16, usize::try_from(u64::from_be_bytes(*large)).map_err(|_| broken())?)
        }
        size => (8, size as usize),
    };
    if length < header || length > boxes.len() {
        return Err(broken());
    }
    Ok(([n0, n1, n2, n3], header, length))
}

/// Version and flags, how many, then the offsets of `N` bytes each.
fn offsets<const N: usize>(content: &mut [u8], data: &Range<u64>, by: u64) -> Result<(), SignError> {
    let broken = || SignError::mp4("a list of chunks is shorter than it says");
    let count = content.get(4..8).and_then(|b| b.first_chunk::<4>()).ok_or_else(broken)?;
    let bytes = u64::from(u32::from_be_bytes(*count)) * N as u64;
    let end = usize::try_from(8 + bytes).map_err(|_| broken())?;
    for offset in content.get_mut(8..end).ok_or_else(broken)?.chunks_exact_mut(N) {
        let old = offset.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if !data.contains(&old) {
            return Err(SignError::mp4(format!("a chunk at byte {old}, where no data is")));
        }
        let new = old + by;
        if N == 4 && new > u64::from(u32::MAX) {
            return Err(SignError::mp4("too long for the offsets that it uses"));
        }
        let digits = new.to_be_bytes();
        offset.iter_mut().rev().zip(digits.iter().rev()).for_each(|(to, from)| *to = *from);
    }
    Ok(())
}
