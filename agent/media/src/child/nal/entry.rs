//! Where decoding can begin. Pure.

use super::bits::Bits;
use super::{Family, sei};

/// The payload type of a recovery point message, in H.264 and H.265.
const RECOVERY_POINT: u32 = 6;
/// A stream that says it needs more pictures than this has no recovery point that anyone could wait for.
const MAX_REFRESH: u32 = 600;

/// What a packet is to a decoder that has seen nothing before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::child) enum Entry {
    /// A picture by itself.
    Key,
    /// After so many more pictures a picture is whole: the stream refreshes it part by part.
    Refresh(u16),
}

/// Whether decoding can begin with these NAL units. `flagged`: the demuxer calls the packet a key frame, which says nothing of
/// how many pictures must follow.
pub(in crate::child) fn entry(family: Family, units: &[&[u8]], flagged: bool) -> Option<Entry> {
    let is_key = |unit: &&[u8]| match (family, family.kind(unit)) {
        (Family::H264, kind) => kind == Some(5),
        (Family::Hevc, kind) => matches!(kind, Some(16..=21)),
    };
    if units.iter().any(is_key) {
        return Some(Entry::Key);
    }
    match units.iter().find_map(|unit| recovery_point(family, unit)) {
        Some(0) if family == Family::H264 => Some(Entry::Key),
        Some(pictures) => Some(Entry::Refresh(pictures.max(1))),
        None => flagged.then_some(Entry::Key),
    }
}

/// Pictures until the recovery is complete, of a unit that holds a recovery point message.
fn recovery_point(family: Family, unit: &[u8]) -> Option<u16> {
    let payload = sei::payload(family, unit, RECOVERY_POINT)?;
    let mut bits = Bits::new(&payload);
    let pictures = match family {
        Family::H264 => bits.unsigned()?,
        Family::Hevc => u32::try_from(bits.signed()?.max(0)).ok()?,
    };
    u16::try_from(pictures.min(MAX_REFRESH)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_frame_stands_by_itself_and_a_recovery_point_needs_pictures() {
        let idr: &[u8] = &[0x65, 1];
        let slice: &[u8] = &[0x41, 1];
        // A message of user data (type 5, 2 bytes) before it; recovery_frame_cnt 4 is 00101.
        let recovery: &[u8] = &[0x06, 5, 2, 9, 9, 6, 1, 0b0010_1000, 0x80];
        let at_once: &[u8] = &[0x06, 6, 1, 0b1000_0000, 0x80];
        let h264 = |units: &[&[u8]], flagged| entry(Family::H264, units, flagged);
        assert_eq!(h264(&[idr], true), Some(Entry::Key));
        assert_eq!(h264(&[recovery, slice], true), Some(Entry::Refresh(4)));
        assert_eq!(h264(&[recovery, slice], false), Some(Entry::Refresh(4)));
        assert_eq!(h264(&[at_once, slice], true), Some(Entry::Key));
        assert_eq!((h264(&[slice], true), h264(&[slice], false)), (Some(Entry::Key), None));
        // H.265: a CRA picture; a trailing picture after a recovery point of 3 (se(v) 00110).
        let hevc = |units: &[&[u8]]| entry(Family::Hevc, units, false);
        assert_eq!(hevc(&[&[21 << 1, 1, 7]]), Some(Entry::Key));
        assert_eq!(hevc(&[&[39 << 1, 1, 6, 1, 0b0011_0000, 0x80], &[2, 1, 7]]), Some(Entry::Refresh(3)));
        assert_eq!(hevc(&[&[2, 1, 7]]), None);
    }

    proptest! {
        #[test]
        fn any_message_is_survived(data in proptest::collection::vec(any::<u8>(), 0..60)) {
            let (h264, hevc) = ([&[6u8][..], &data].concat(), [&[39u8 << 1, 1][..], &data].concat());
            let _ = entry(Family::H264, &[&h264], false);
            let _ = entry(Family::Hevc, &[&hevc], false);
        }
    }
}
