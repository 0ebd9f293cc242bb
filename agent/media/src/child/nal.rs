//! Just enough of H.264 and H.265 to find parameter sets in Annex-B packets. Pure; every slice may be hostile.
//!
//! Sources: ITU-T H.264 7.3.1 and annex B, ITU-T H.265 7.3.1.2 and annex B.

/// Codecs whose packets carry NAL units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    H264,
    Hevc,
}

impl Family {
    /// By FFmpeg's codec name.
    pub(super) fn of(codec: &str) -> Option<Self> {
        match codec {
            "h264" => Some(Family::H264),
            "hevc" => Some(Family::Hevc),
            _ => None,
        }
    }

    fn is_sequence_set(self, unit: &[u8]) -> bool {
        match (self, unit.first()) {
            (Family::H264, Some(byte)) => byte & 0x1f == 7,
            (Family::Hevc, Some(byte)) => (byte >> 1) & 0x3f == 33,
            (_, None) => false,
        }
    }

    /// VPS, SPS or PPS: what a decoder needs before the first picture.
    fn is_parameter_set(self, unit: &[u8]) -> bool {
        match (self, unit.first()) {
            (Family::H264, Some(byte)) => matches!(byte & 0x1f, 7 | 8),
            (Family::Hevc, Some(byte)) => matches!((byte >> 1) & 0x3f, 32..=34),
            (_, None) => false,
        }
    }
}

/// The packet is in Annex-B form (start codes), not length-prefixed as in MP4.
pub(super) fn is_annex_b(data: &[u8]) -> bool {
    data.starts_with(&[0, 0, 1]) || data.starts_with(&[0, 0, 0, 1])
}

/// NAL units of an Annex-B packet, without start codes and trailing zeros.
pub(super) fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    let mut begun = false;
    std::iter::from_fn(move || {
        loop {
            let (unit, after, last) = match find_start(rest) {
                Some(at) => (&rest[..at], &rest[at + 3..], false),
                None => (rest, &rest[rest.len()..], true),
            };
            if last && (!begun || unit.is_empty()) {
                return None;
            }
            rest = after;
            let was_begun = std::mem::replace(&mut begun, true);
            let unit = trimmed(unit);
            if was_begun && !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// The parameter sets of an Annex-B packet as extradata (each once, start codes of four bytes), `None` if it has none.
pub(super) fn parameter_sets(family: Family, data: &[u8]) -> Option<Vec<u8>> {
    if !is_annex_b(data) {
        return None;
    }
    let mut seen: Vec<&[u8]> = Vec::new();
    for unit in units(data).filter(|u| family.is_parameter_set(u)) {
        // Some cameras repeat them within one packet.
        if !seen.contains(&unit) {
            seen.push(unit);
        }
    }
    let join = |mut sets: Vec<u8>, unit: &&[u8]| {
        sets.extend_from_slice(&[0, 0, 0, 1]);
        sets.extend_from_slice(unit);
        sets
    };
    (!seen.is_empty()).then(|| seen.iter().fold(Vec::new(), join))
}

/// `sets` describe pictures in a way that `known` (both as extradata in Annex-B form) does not: a sequence parameter set is new.
pub(super) fn is_new_sequence(family: Family, known: &[u8], sets: &[u8]) -> bool {
    units(sets).filter(|u| family.is_sequence_set(u)).any(|set| units(known).all(|k| k != set))
}

fn find_start(data: &[u8]) -> Option<usize> {
    // The third byte decides how far to jump: picture data seldom holds bytes of 0 or 1.
    let mut i = 2;
    while i < data.len() {
        match data[i] {
            0 => i += 1,
            1 if data[i - 1] == 0 && data[i - 2] == 0 => return Some(i - 2),
            _ => i += 3,
        }
    }
    None
}

fn trimmed(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|&b| b != 0).map_or(0, |at| at + 1);
    &unit[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_split_at_both_kinds_of_start_code() {
        let data = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4, 0, 5];
        let got: Vec<&[u8]> = units(&data).collect();
        assert_eq!(got, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 4, 0, 5]]);
    }

    #[test]
    fn parameter_sets_are_found_by_family() {
        let h264 = [0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 4];
        let sets = parameter_sets(Family::H264, &h264).unwrap();
        assert_eq!(sets, [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 3]);
        let hevc = [0, 0, 0, 1, 0x40, 1, 9, 0, 0, 1, 0x26, 1, 4];
        assert_eq!(parameter_sets(Family::Hevc, &hevc).unwrap(), [0, 0, 0, 1, 0x40, 1, 9]);
        // Length-prefixed, as in MP4: not ours to read.
        assert_eq!(parameter_sets(Family::H264, &[0, 0, 0, 2, 0x67, 1]), None);
        assert_eq!(parameter_sets(Family::H264, &[0, 0, 1, 0x65, 4]), None);
    }

    #[test]
    fn repeated_sets_are_no_new_stream_and_other_sizes_are() {
        let known = [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 3];
        let again = [0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 4];
        let sets = parameter_sets(Family::H264, &again).unwrap();
        assert_eq!(sets, known);
        assert!(!is_new_sequence(Family::H264, &known, &sets));
        assert!(!is_new_sequence(Family::H264, &known, &[0, 0, 1, 0x68, 9]));
        assert!(is_new_sequence(Family::H264, &known, &[0, 0, 1, 0x67, 2, 0, 0, 1, 0x68, 3]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1u8), any::<u8>()], 0..200)) {
            let total: usize = units(&data).map(<[u8]>::len).sum();
            prop_assert!(total <= data.len());
            let _ = parameter_sets(Family::H264, &data);
        }
    }
}
