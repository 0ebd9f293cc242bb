//! NAL units of a packet, in either packing. Pure.

use memchr::memmem;

use super::Family;

/// How NAL units lie in the packets of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::child) enum Packing {
    /// Behind start codes, as in RTP and MPEG-TS.
    AnnexB,
    /// Behind their length in so many bytes, as in MP4 and FLV.
    Lengths(usize),
}

impl Packing {
    /// By a stream's extradata: a configuration record says how long its lengths are.
    pub(in crate::child) fn of(family: Family, extradata: &[u8]) -> Packing {
        let at = match family {
            Family::H264 => 4,
            Family::Hevc => 21,
        };
        match extradata.get(at) {
            Some(byte) if is_record(extradata) => Packing::Lengths(usize::from(byte & 3) + 1),
            _ => Packing::AnnexB,
        }
    }

    /// The NAL units of a packet or of extradata.
    pub(in crate::child) fn units(self, data: &[u8]) -> Vec<&[u8]> {
        match self {
            Packing::AnnexB => annex_b(data).collect(),
            Packing::Lengths(bytes) => lengths(data, bytes).collect(),
        }
    }
}

/// The extradata is a configuration record (`avcC`, `hvcC`) and no byte stream.
pub(super) fn is_record(extradata: &[u8]) -> bool {
    extradata.len() >= 7 && extradata.first() == Some(&1)
}

/// NAL units of a byte stream, without start codes and trailing zeros.
pub(super) fn annex_b(data: &[u8]) -> impl Iterator<Item = &[u8]> {
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

fn lengths(data: &[u8], bytes: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_at_checked(bytes)?;
        let len = head.iter().fold(0usize, |len, byte| len << 8 | usize::from(*byte));
        let (unit, after) = after.split_at_checked(len)?;
        rest = after;
        Some(unit)
    })
    .filter(|unit| !unit.is_empty())
}

fn find_start(data: &[u8]) -> Option<usize> {
    memmem::find(data, &[0, 0, 1])
}

fn trimmed(unit: &[u8]) -> &[u8] {
    &unit[..unit.len() - trailing_zeros(unit)]
}

/// Zeros at the end. No NAL unit ends with one: what stands there is padding, or the begin of a start code that was cut off.
pub(in crate::child) fn trailing_zeros(data: &[u8]) -> usize {
    data.iter().rev().take_while(|byte| **byte == 0).count()
}

/// A byte stream without zeros between the end of a NAL unit and the next start code of four bytes. `None` if there are none.
pub(in crate::child) fn without_padding(data: &[u8]) -> Option<Vec<u8>> {
    let padded = memmem::find(data, &[0, 0, 0, 0, 1]).is_some();
    let join = |mut out: Vec<u8>, unit: &[u8]| {
        out.extend_from_slice(&[0, 0, 0, 1]);
        out.extend_from_slice(unit);
        out
    };
    padded.then(|| annex_b(data).fold(Vec::with_capacity(data.len()), join))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_of_both_packings_are_the_same() {
        let stream = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x65, 9, 0, 0];
        assert_eq!(Packing::AnnexB.units(&stream), [&[0x67, 1, 2][..], &[0x65, 9]]);
        let lengths = [0, 3, 0x67, 1, 2, 0, 2, 0x65, 9];
        assert_eq!(Packing::Lengths(2).units(&lengths), [&[0x67, 1, 2][..], &[0x65, 9]]);
        assert!(Packing::AnnexB.units(&[9, 0x67, 1]).is_empty(), "no start code");
        // A length beyond the end ends the packet.
        assert_eq!(Packing::Lengths(1).units(&[1, 0x67, 9, 1]), [&[0x67][..]]);
    }

    #[test]
    fn a_record_says_how_long_its_lengths_are() {
        let avcc = [1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 0];
        assert_eq!(Packing::of(Family::H264, &avcc), Packing::Lengths(4));
        assert_eq!(Packing::of(Family::H264, &[0, 0, 0, 1, 0x67, 1, 2]), Packing::AnnexB);
        assert_eq!(Packing::of(Family::H264, &[]), Packing::AnnexB);
        let mut hvcc = [0u8; 23];
        (hvcc[0], hvcc[21]) = (1, 0xfd);
        assert_eq!(Packing::of(Family::Hevc, &hvcc), Packing::Lengths(2));
    }

    #[test]
    fn padding_before_a_start_code_goes_and_nothing_else() {
        assert_eq!(without_padding(&[0, 0, 0, 1, 0x68, 5, 0, 0, 0, 1, 0x65, 9]), None);
        let padded = [0, 0, 0, 1, 0x68, 5, 0, 0, 0, 0, 1, 0x65, 9];
        assert_eq!(without_padding(&padded).unwrap(), [0, 0, 0, 1, 0x68, 5, 0, 0, 0, 1, 0x65, 9]);
        assert_eq!(trailing_zeros(&[0x65, 9, 0]), 1);
    }

    proptest! {
        #[test]
        fn start_codes_are_found_where_they_are(
            data in proptest::collection::vec(prop_oneof![3 => Just(0u8), 1 => Just(1u8), 1 => any::<u8>()], 0..300),
        ) {
            let naive = data.windows(3).position(|w| w == [0, 0, 1]);
            prop_assert_eq!(find_start(&data), naive);
            let padded = data.windows(5).any(|w| w == [0, 0, 0, 0, 1]);
            prop_assert_eq!(without_padding(&data).is_some(), padded);
        }

        #[test]
        fn any_bytes_are_survived(
            data in proptest::collection::vec(prop_oneof![Just(0u8), Just(1u8), any::<u8>()], 0..200),
            bytes in 1usize..=4,
        ) {
            for packing in [Packing::AnnexB, Packing::Lengths(bytes)] {
                let total: usize = packing.units(&data).iter().map(|unit| unit.len()).sum();
                prop_assert!(total <= data.len());
            }
            let _ = without_padding(&data);
        }
    }
}
