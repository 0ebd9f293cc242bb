//! C2PA in MP4: the manifest store in a `uuid` box behind `ftyp`. What follows moves back, so the chunk offsets grow.
//!
//! The clip may be hostile. Signed is what has the structure of our own clips: `ftyp`, then `moov` and `mdat` in any order, and
//! filling. Everything else (fragments, foreign boxes, encryption) is refused, for a box that is not known may hold offsets too.

mod chunks;
mod roots;

use std::io::{Read, Seek, SeekFrom, Write};

use kerbside_crypto::hash::{Hasher, Sha256};

use self::roots::RootBox;
use crate::error::SignError;
use crate::manifest::{BMFF_UUID, Binding, store};
use crate::signer::Signer;
use crate::statement::Statement;

/// The clip of a few minutes has some 100 KB.
const MAX_MOOV_BYTES: u64 = 16 << 20;
/// Bytes copied at once.
const COPY: usize = 64 * 1024;

/// Writes the clip of `from` with a manifest in it to `to`, which must be empty. The media data is copied as it is.
pub fn sign_mp4(
    signer: &Signer,
    from: &mut (impl Read + Seek),
    to: &mut (impl Write + Seek),
    statement: &Statement,
) -> Result<(), SignError> {
    let end = from.seek(SeekFrom::End(0))?;
    let boxes = roots::read(from, end)?;
    let Some((ftyp, rest)) = boxes.split_first().filter(|(first, _)| first.name == *b"ftyp") else {
        return Err(SignError::mp4("it does not begin with ftyp"));
    };
    let place = ftyp.end();
    let unhashed = uuid_box(&store(signer, statement, Binding::Bmff { hash: Sha256::default() })?)?;
    let by = unhashed.len() as u64;

    from.seek(SeekFrom::Start(0))?;
    copy(from, place, |bytes| Ok(to.write_all(bytes)?))?;
    to.write_all(&vec![0; unhashed.len()])?;
    let mut hasher = Hasher::new();
    for one in rest {
        // Moving a box about would not show in its content.
        hasher.update(&(one.start + by).to_be_bytes());
        let mut hashed = |bytes: &[u8]| {
            hasher.update(bytes);
            Ok(to.write_all(bytes)?)
        };
        from.seek(SeekFrom::Start(one.start))?;
        if one.name == *b"moov" {
            let mut moov = whole(from, one)?;
            chunks::shift(&mut moov, place..end, by)?;
            hashed(&moov)?;
        } else {
            copy(from, one.length, hashed)?;
        }
    }
    let signed = uuid_box(&store(signer, statement, Binding::Bmff { hash: hasher.finish() })?)?;
    if signed.len() != unhashed.len() {
        return Err(SignError::TooLong("the manifest"));
    }
    to.seek(SeekFrom::Start(place))?;
    to.write_all(&signed)?;
    Ok(to.flush()?)
}

/// Size, `uuid`, whose, version and flags, what for, the place of the first Merkle tree (there is none), the manifest store.
fn uuid_box(store: &[u8]) -> Result<Vec<u8>, SignError> {
    const REST: &[u8] = b"\0\0\0\0manifest\0\0\0\0\0\0\0\0\0";
    let length = 8 + BMFF_UUID.len() + REST.len() + store.len();
    let size = u32::try_from(length).map_err(|_| SignError::TooLong("the manifest"))?;
    Ok([&size.to_be_bytes(), b"uuid", &BMFF_UUID[..], REST, store].concat())
}

fn whole(from: &mut impl Read, moov: &RootBox) -> Result<Vec<u8>, SignError> {
    if moov.length > MAX_MOOV_BYTES {
        return Err(SignError::mp4(format!("moov has {} bytes", moov.length)));
    }
    let mut bytes = Vec::new();
    copy(from, moov.length, |part| {
        bytes.extend_from_slice(part);
        Ok(())
    })?;
    Ok(bytes)
}

/// Hands on the next `length` bytes, piece by piece.
fn copy(
    from: &mut impl Read,
    length: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), SignError>,
) -> Result<(), SignError> {
    let mut buffer = vec![0; COPY];
    let mut left = length;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(COPY).min(COPY);
        let n = from.read(&mut buffer[..most])?;
        if n == 0 {
            return Err(SignError::mp4("it became shorter while it was read"));
        }
        take(&buffer[..n])?;
        left -= n as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
