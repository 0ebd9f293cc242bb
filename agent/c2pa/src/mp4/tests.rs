//! Clips of a few boxes: what moves, what is refused, and that nothing panics.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::testing::{signer, statement};

fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes(), &name[..], content].concat()
}

/// `moov` with one list of chunks.
fn moov(list: &[u8; 4], offsets: &[u8]) -> Vec<u8> {
    let width = if list == b"stco" { 4 } else { 8 };
    let count = (offsets.len() / width) as u32;
    let list = boxed(list, &[&[0; 4], &count.to_be_bytes()[..], offsets].concat());
    let stbl = boxed(b"stbl", &[boxed(b"stsd", b"what"), list].concat());
    let mdia = boxed(b"mdia", &boxed(b"minf", &stbl));
    boxed(b"moov", &[boxed(b"mvhd", b"head"), boxed(b"trak", &mdia)].concat())
}

const FTYP: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0";
const DATA: &[u8] = b"\0\0\0\x0fmdatSAMPLES";

/// `moov` before or after the data, whose samples begin where the one offset says.
fn clip(list: &[u8; 4], moov_first: bool) -> Vec<u8> {
    let width = if list == b"stco" { 4 } else { 8 };
    let before = if moov_first { moov(list, &vec![0; width]).len() } else { 0 };
    let offset = ((FTYP.len() + before + 8) as u64).to_be_bytes();
    let moov = moov(list, &offset[8 - width..]);
    if moov_first { [FTYP, &moov, DATA].concat() } else { [FTYP, DATA, &moov].concat() }
}

fn signed(clip: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Cursor::new(Vec::new());
    sign_mp4(&signer(), &mut Cursor::new(clip), &mut out, &statement()).map_err(|e| e.to_string())?;
    Ok(out.into_inner())
}

#[test]
fn the_chunks_are_found_where_they_went() {
    for list in [b"stco", b"co64"] {
        for moov_first in [true, false] {
            let clip = clip(list, moov_first);
            let signed = signed(&clip).unwrap();
            let by = signed.len() - clip.len();
            assert_eq!(signed[..FTYP.len()], *FTYP);
            assert_eq!(signed[FTYP.len() + 4..][..4], *b"uuid");
            // Everything but the offset is as it was.
            let at = signed.windows(4).rposition(|w| w == list).unwrap() + 12;
            let width = if list == b"stco" { 4 } else { 8 };
            let offset = signed[at..at + width].iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
            assert_eq!(signed[offset..offset + 7], *b"SAMPLES");
            let mut moved_back = [FTYP, &signed[FTYP.len() + by..]].concat();
            let was = (offset - by).to_be_bytes();
            moved_back[at - by..at - by + width].copy_from_slice(&was[8 - width..]);
            assert_eq!(moved_back, clip);
        }
    }
}

#[test]
fn a_box_of_64_bit_length_is_read() {
    let data = [&b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x17"[..], b"SAMPLES"].concat();
    let clip = [FTYP, &data, &moov(b"stco", &32u32.to_be_bytes())].concat();
    assert!(signed(&clip).unwrap().windows(data.len()).any(|w| w == data));
}

#[test]
fn what_is_not_known_stays_unsigned_with_the_reason() {
    let good = clip(b"stco", true);
    let with = |extra: &[u8]| [&good, extra].concat();
    let in_moov = |name: &[u8; 4]| [FTYP, &boxed(b"moov", &boxed(name, b""))].concat();
    let beyond = [FTYP, DATA, &moov(b"stco", &5000u32.to_be_bytes())].concat();
    let in_head = [FTYP, DATA, &moov(b"stco", &3u32.to_be_bytes())].concat();
    let mut short_list = clip(b"stco", true);
    let at = short_list.windows(4).position(|w| w == b"stco").unwrap();
    short_list[at + 8] = 0xff;
    for (clip, why) in [
        (Vec::new(), "0 boxes ftyp"),
        (FTYP.to_vec(), "0 boxes moov"),
        ([DATA, &good].concat(), "it does not begin with ftyp"),
        (with(FTYP), "2 boxes ftyp"),
        (with(&boxed(b"moof", b"")), "box \"moof\""),
        (signed(&good).unwrap(), "box \"uuid\""),
        (in_moov(b"mvex"), "box \"mvex\""),
        (in_moov(b"saio"), "box \"saio\""),
        (with(b"\0\0\0\0mdat"), " has no length"),
        (with(b"\0\0\0\x07mdat"), " is too short"),
        (with(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f"), " is too short"),
        (with(b"\0\0\0\x01mdat"), " goes beyond the end"),
        (with(b"\0\0\0"), " goes beyond the end"),
        (with(b"\xff\0\0\0mdat"), " goes beyond the end"),
        (with(&boxed(b"free", b"").repeat(64)), "more than 64 boxes"),
        (in_moov(b"\0\0\0\0")[..FTYP.len() + 8].to_vec(), " goes beyond the end"),
        ([FTYP, &boxed(b"moov", b"\0\0\0\x09trak")].concat(), "a box in moov goes beyond its end"),
        (short_list, "a list of chunks is shorter than it says"),
        (beyond, "a chunk at byte 5000, where no data is"),
        (in_head, "a chunk at byte 3, where no data is"),
    ] {
        let error = signed(&clip).unwrap_err();
        assert!(
            error.starts_with("MP4 of a kind that is not signed: ") && error.ends_with(why),
            "{why}: {error}"
        );
    }
}

#[test]
fn offsets_that_no_longer_fit_are_refused() {
    let mut list = moov(b"stco", &(u32::MAX - 10).to_be_bytes());
    let error = chunks::shift(&mut list, 0..1 << 40, 3000).unwrap_err().to_string();
    assert!(error.ends_with("too long for the offsets that it uses"), "{error}");
}

proptest! {
    #[test]
    fn any_clip_is_signed_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
        moov_first in any::<bool>(),
    ) {
        let mut clip = clip(if whole { b"stco" } else { b"co64" }, moov_first);
        for (at, to) in changes {
            let at = at.index(clip.len());
            clip[at] = to;
        }
        if !whole {
            clip.truncate(cut.index(clip.len()));
        }
        if let Ok(signed) = signed(&clip) {
            prop_assert!(signed.len() > clip.len());
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = signed(&bytes);
        let _ = chunks::shift(&mut bytes.clone(), 0..1 << 20, 3000);
    }
}
