//! One message on a pipe: `"KBS1"`, length of the header and of the blob (u32, little endian), header (JSON), blob (packet or
//! picture bytes).

use std::io::{Error, ErrorKind, Read, Write};

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::error::ProtoError;
use crate::tuning::{MAX_BLOB_BYTES, MAX_HEADER_BYTES};

pub(super) const MAGIC: [u8; 4] = *b"KBS1";

/// Writes one message; the caller flushes. The parts of `blob` follow each other.
pub fn write_message(
    out: &mut impl Write,
    header: &impl Serialize,
    blob: &[&[u8]],
) -> Result<(), ProtoError> {
    let header = serde_json::to_vec(header)?;
    let blob_len: usize = blob.iter().map(|b| b.len()).sum();
    check_length("head", header.len(), MAX_HEADER_BYTES)?;
    check_length("blob", blob_len, MAX_BLOB_BYTES)?;
    out.write_all(&MAGIC)?;
    out.write_all(&(header.len() as u32).to_le_bytes())?;
    out.write_all(&(blob_len as u32).to_le_bytes())?;
    out.write_all(&header)?;
    for part in blob {
        out.write_all(part)?;
    }
    Ok(())
}

/// Reads one message, header and blob; `None` at a clean end.
pub fn read_message<H: DeserializeOwned>(from: &mut impl Read) -> Result<Option<(H, Bytes)>, ProtoError> {
    let mut magic = [0u8; 4];
    if !read_or_end(from, &mut magic)? {
        return Ok(None);
    }
    if magic != MAGIC {
        return Err(ProtoError::Magic(magic));
    }
    let header_len = read_length(from)?;
    let blob_len = read_length(from)?;
    check_length("head", header_len, MAX_HEADER_BYTES)?;
    check_length("blob", blob_len, MAX_BLOB_BYTES)?;
    let header = serde_json::from_slice(&read_exactly(from, header_len)?)?;
    let blob = Bytes::from(read_exactly(from, blob_len)?);
    Ok(Some((header, blob)))
}

/// `Err` if `part` is longer than `limit`.
pub(crate) fn check_length(part: &'static str, bytes: usize, limit: usize) -> Result<(), ProtoError> {
    if bytes > limit { Err(ProtoError::TooLong { part, bytes, limit }) } else { Ok(()) }
}

fn read_length(from: &mut impl Read) -> Result<usize, ProtoError> {
    let mut length = [0u8; 4];
    from.read_exact(&mut length)?;
    Ok(u32::from_le_bytes(length) as usize)
}

/// Takes memory only for bytes that arrive, up to `len`; the result has no spare capacity worth mentioning.
fn read_exactly(from: &mut impl Read, len: usize) -> Result<Vec<u8>, ProtoError> {
    let mut bytes = Vec::with_capacity(len.min(1 << 20));
    from.take(len as u64).read_to_end(&mut bytes)?;
    if bytes.len() < len {
        return Err(Error::from(ErrorKind::UnexpectedEof).into());
    }
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// False if the stream ended before the first byte.
fn read_or_end(from: &mut impl Read, buf: &mut [u8]) -> Result<bool, ProtoError> {
    let mut filled = 0;
    while filled < buf.len() {
        match from.read(&mut buf[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(Error::from(ErrorKind::UnexpectedEof).into()),
            Ok(n) => filled += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(true)
}
