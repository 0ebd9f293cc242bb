//! C2PA in JPEG: the manifest store in APP11 segments behind the file's own head, the hash over everything else.
//!
//! Pure; the file may be hostile. What is no JPEG with a picture in it, or holds JUMBF already, is refused.

use kerbside_crypto::hash;

use crate::error::SignError;
use crate::jumbf::HEADER;
use crate::manifest::{Binding, store};
use crate::signer::Signer;
use crate::statement::Statement;

/// Marker of a segment that may hold boxes.
const APP11: u8 = 0xeb;
/// In front of each piece of a box: the letters "JP", the number of the box in the file, the number of the piece.
const BOX_NUMBER: u16 = 1;
/// Length field, "JP", box number, piece number, length and type of the box (ISO 18477-3, annex B).
const OVERHEAD: usize = 2 + 2 + 2 + 4 + HEADER;
/// Bytes of a box that one segment can hold besides the box's own header.
const PIECE: usize = u16::MAX as usize - OVERHEAD;
/// The length of the manifest stands in the manifest: the number of times until it is settled is small, for it only grows by
/// whole bytes of one number.
const MAX_ROUNDS: usize = 8;

/// The picture with a manifest in it.
pub fn sign_jpeg(signer: &Signer, picture: &[u8], statement: &Statement) -> Result<Vec<u8>, SignError> {
    let start = end_of_head(picture)?;
    let (head, rest) = picture.split_at(start);
    let hash = hash::of_parts([head, rest]);
    let mut length = 0;
    for _ in 0..MAX_ROUNDS {
        let segments = segments(&store(signer, statement, Binding::Data { start, length, hash })?)?;
        if segments.len() == length {
            return Ok([head, &segments, rest].concat());
        }
        length = segments.len();
    }
    Err(SignError::TooLong("the manifest"))
}

/// Where the manifest goes: behind the start marker and what says of which kind the file is (JFIF, EXIF).
fn end_of_head(picture: &[u8]) -> Result<usize, SignError> {
    if picture.get(..2) != Some(&[0xff, 0xd8]) {
        return Err(SignError::jpeg("it does not begin as one"));
    }
    let (mut at, mut head) = (2, 2);
    loop {
        let (marker, body, next) = segment(picture, at)?;
        match marker {
            APP11 if body.starts_with(b"JP") => return Err(SignError::jpeg("it holds JUMBF already")),
            // The picture itself begins.
            0xda => return Ok(head),
            0xe0 | 0xe1 if head == at => head = next,
            _ => {}
        }
        at = next;
    }
}

/// Marker, body and end of the segment at `at`.
fn segment(picture: &[u8], at: usize) -> Result<(u8, &[u8], usize), SignError> {
    let cut = || SignError::jpeg("it ends before its picture");
    let [0xff, marker, high, low] = *picture.get(at..at + 4).ok_or_else(cut)? else {
        return Err(SignError::jpeg(format!("no marker at byte {at}")));
    };
    if !matches!(marker, 0xc0..=0xcf | 0xda..=0xfe) {
        return Err(SignError::jpeg(format!("marker {marker:02x} before its picture")));
    }
    let next = at + 2 + usize::from(u16::from_be_bytes([high, low]));
    let body = picture.get(at + 4..next).ok_or_else(cut)?;
    Ok((marker, body, next))
}

/// A box as APP11 segments. Each piece repeats the header of the box.
fn segments(store: &[u8]) -> Result<Vec<u8>, SignError> {
    let (header, content) = store.split_at_checked(HEADER).ok_or(SignError::TooLong("a JUMBF box"))?;
    let mut out = Vec::with_capacity(store.len() + OVERHEAD + 2);
    for (n, piece) in (1u32..).zip(content.chunks(PIECE)) {
        let length = u16::try_from(OVERHEAD + piece.len()).map_err(|_| SignError::TooLong("a segment"))?;
        out.extend([0xff, APP11]);
        out.extend(length.to_be_bytes());
        out.extend(b"JP");
        out.extend(BOX_NUMBER.to_be_bytes());
        out.extend(n.to_be_bytes());
        out.extend_from_slice(header);
        out.extend_from_slice(piece);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{signer, statement};

    /// Start, APP0, a table, the picture.
    const SMALL: &[u8] = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xdb\x00\x03t\xff\xda\x00\x03spicture\xff\xd9";

    #[test]
    fn the_manifest_stands_behind_the_head_and_the_rest_is_as_it_was() {
        let signed = sign_jpeg(&signer(), SMALL, &statement()).unwrap();
        assert_eq!(signed[..8], SMALL[..8]);
        assert_eq!(signed[8..10], [0xff, APP11]);
        assert!(signed.ends_with(&SMALL[8..]));
        assert_eq!(signed, sign_jpeg(&signer(), SMALL, &statement()).unwrap(), "the same bytes each time");
        let again = sign_jpeg(&signer(), &signed, &statement()).unwrap_err();
        assert_eq!(again.to_string(), "JPEG of a kind that is not signed: it holds JUMBF already");
    }

    #[test]
    fn a_long_box_takes_several_segments_each_with_its_header() {
        let store: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let made = segments(&store).unwrap();
        let (mut at, mut joined, mut count) = (0, store[..HEADER].to_vec(), 0);
        while at < made.len() {
            let (marker, body, next) = segment(&made, at).unwrap();
            count += 1;
            assert_eq!((marker, &body[..4]), (APP11, &b"JP\x00\x01"[..]));
            assert_eq!(body[4..8], u32::to_be_bytes(count));
            assert_eq!(body[8..16], store[..HEADER]);
            joined.extend_from_slice(&body[16..]);
            at = next;
        }
        assert_eq!((count, joined == store), (4, true));
    }

    #[test]
    fn what_is_no_whole_jpeg_is_refused_with_the_reason() {
        let mut no_marker = SMALL.to_vec();
        no_marker[8] = 0;
        let mut long = SMALL.to_vec();
        long[4] = 0xff;
        for (file, why) in [
            (&b""[..], "it does not begin as one"),
            (b"\x89PNG\r\n\x1a\n", "it does not begin as one"),
            (b"\xff\xd8", "it ends before its picture"),
            (b"\xff\xd8\xff\xe0\x00\x01ab", "it ends before its picture"),
            (b"\xff\xd8\xff\xd9\x00\x00", "marker d9 before its picture"),
            (&no_marker, "no marker at byte 8"),
            (&long, "it ends before its picture"),
            (&SMALL[..12], "it ends before its picture"),
        ] {
            let error = sign_jpeg(&signer(), file, &statement()).unwrap_err().to_string();
            assert!(error.ends_with(why), "{file:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_signed_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..64), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), small in any::<bool>()) {
            if small {
                bytes = SMALL.to_vec();
                for (at, to) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = to;
                }
            }
            if let Ok(signed) = sign_jpeg(&signer(), &bytes, &statement()) {
                prop_assert!(signed.len() > bytes.len() && signed.starts_with(&bytes[..2]));
            }
        }
    }
}
