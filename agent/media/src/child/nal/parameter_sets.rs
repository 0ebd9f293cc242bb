//! The parameter sets of a stream: taken from extradata and packets, compared, and made extradata again. Pure.

use super::Family;
use super::bits::without_emulation_prevention;
use super::units::{Packing, annex_b, is_record};

/// VPS, SPS and PPS without start codes, each once, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::child) struct ParameterSets(Vec<Vec<u8>>);

impl ParameterSets {
    /// Those among the units of a packet.
    pub(in crate::child) fn of_units(family: Family, units: &[&[u8]]) -> Self {
        let mut sets: Vec<Vec<u8>> = Vec::new();
        for unit in units.iter().filter(|unit| family.is_parameter_set(unit)) {
            // Some cameras repeat them within one packet.
            if !sets.iter().any(|set| set == unit) {
                sets.push(unit.to_vec());
            }
        }
        ParameterSets(sets)
    }

    /// Those of extradata, a configuration record or a byte stream.
    pub(in crate::child) fn of_extradata(family: Family, extradata: &[u8]) -> Self {
        let units = if is_record(extradata) {
            of_record(family, extradata).unwrap_or_default()
        } else {
            annex_b(extradata).collect()
        };
        ParameterSets::of_units(family, &units)
    }

    pub(in crate::child) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// They describe pictures in a way that `known` does not: a sequence parameter set is new.
    pub(in crate::child) fn is_new_sequence(&self, family: Family, known: &ParameterSets) -> bool {
        self.0.iter().filter(|set| family.is_sequence_set(set)).any(|set| !known.0.contains(set))
    }

    /// As extradata of a stream whose extradata was `before`: in the same form, so that its packets are read as before.
    pub(in crate::child) fn extradata(&self, family: Family, packing: Packing, before: &[u8]) -> Vec<u8> {
        let record = match (packing, family) {
            (Packing::AnnexB, _) => None,
            (Packing::Lengths(bytes), Family::H264) => self.avcc(bytes),
            (Packing::Lengths(_), Family::Hevc) => self.hvcc(before),
        };
        record.unwrap_or_else(|| {
            let start_code = |set: &Vec<u8>| [&[0, 0, 0, 1], set.as_slice()].concat();
            self.0.iter().flat_map(start_code).collect()
        })
    }

    fn avcc(&self, length_bytes: usize) -> Option<Vec<u8>> {
        let of_kind = |kind: u8| self.0.iter().filter(move |set| Family::H264.kind(set) == Some(kind));
        let profile = of_kind(7).next()?.get(1..4)?;
        let mut out = vec![1];
        out.extend_from_slice(profile);
        out.push(0xfc | length_bytes.saturating_sub(1) as u8);
        for (kind, reserved) in [(7, 0xe0), (8, 0)] {
            let sets: Vec<_> = of_kind(kind).take(31).collect();
            out.push(reserved | sets.len() as u8);
            sets.into_iter().try_for_each(|set| push_set(&mut out, set))?;
        }
        Some(out)
    }

    /// The record's head is the old one with the profile of the new sequence parameter set.
    fn hvcc(&self, before: &[u8]) -> Option<Vec<u8>> {
        let of_kind = |kind: u8| self.0.iter().filter(move |set| Family::Hevc.kind(set) == Some(kind));
        let sps = without_emulation_prevention(of_kind(33).next()?);
        let mut out = before.get(..22)?.to_vec();
        out.get_mut(1..13)?.copy_from_slice(sps.get(3..15)?);
        let kinds: Vec<u8> = (32..=34).filter(|kind| of_kind(*kind).next().is_some()).collect();
        out.push(kinds.len() as u8);
        for kind in kinds {
            let sets: Vec<_> = of_kind(kind).collect();
            out.push(0x80 | kind);
            out.extend_from_slice(&u16::try_from(sets.len()).ok()?.to_be_bytes());
            sets.into_iter().try_for_each(|set| push_set(&mut out, set))?;
        }
        Some(out)
    }
}

fn push_set(out: &mut Vec<u8>, set: &[u8]) -> Option<()> {
    out.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
    out.extend_from_slice(set);
    Some(())
}

/// The units of a configuration record; `None` where it ends too early.
fn of_record(family: Family, record: &[u8]) -> Option<Vec<&[u8]>> {
    let mut units = Vec::new();
    match family {
        Family::H264 => {
            let mut rest = record.get(5..)?;
            for mask in [0x1f, 0xff] {
                let count = take(&mut rest, 1)?.first()? & mask;
                sets(&mut rest, usize::from(count), &mut units)?;
            }
        }
        Family::Hevc => {
            let mut rest = record.get(22..)?;
            for _ in 0..*take(&mut rest, 1)?.first()? {
                take(&mut rest, 1)?;
                let count = two_bytes(&mut rest)?;
                sets(&mut rest, count, &mut units)?;
            }
        }
    }
    Some(units)
}

fn sets<'a>(rest: &mut &'a [u8], count: usize, units: &mut Vec<&'a [u8]>) -> Option<()> {
    for _ in 0..count {
        let len = two_bytes(rest)?;
        units.push(take(rest, len)?);
    }
    Some(())
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, after) = rest.split_at_checked(len)?;
    *rest = after;
    Some(head)
}

fn two_bytes(rest: &mut &[u8]) -> Option<usize> {
    let [high, low] = take(rest, 2)? else { return None };
    Some(usize::from(*high) << 8 | usize::from(*low))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_stream(family: Family, data: &[u8]) -> ParameterSets {
        ParameterSets::of_units(family, &Packing::AnnexB.units(data))
    }

    #[test]
    fn parameter_sets_are_found_in_a_packet() {
        let sets = in_stream(Family::H264, &[0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 4]);
        assert_eq!(sets.0, [vec![0x67, 1, 2], vec![0x68, 3]]);
        let sets = in_stream(Family::Hevc, &[0, 0, 0, 1, 0x40, 1, 9, 0, 0, 1, 0x26, 1, 4]);
        assert_eq!(sets.0, [[0x40, 1, 9]]);
        assert!(in_stream(Family::H264, &[0, 0, 1, 0x65, 4]).is_empty());
    }

    #[test]
    fn repeated_sets_are_no_new_stream_and_other_sizes_are() {
        let known = in_stream(Family::H264, &[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 3]);
        let again = in_stream(
            Family::H264,
            &[0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 4],
        );
        assert_eq!(again, known);
        let is_new = |data: &[u8]| in_stream(Family::H264, data).is_new_sequence(Family::H264, &known);
        assert!(!is_new(&[0, 0, 1, 0x67, 1]));
        assert!(!is_new(&[0, 0, 1, 0x68, 9]));
        assert!(is_new(&[0, 0, 1, 0x67, 2, 0, 0, 1, 0x68, 3]));
    }

    #[test]
    fn extradata_keeps_its_form_and_gets_the_new_sets() {
        let sets = in_stream(Family::H264, &[0, 0, 1, 0x67, 0x42, 0xc0, 0x1e, 7, 0, 0, 1, 0x68, 3]);
        let avcc = sets.extradata(Family::H264, Packing::Lengths(4), &[]);
        assert_eq!(
            avcc,
            [1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 5, 0x67, 0x42, 0xc0, 0x1e, 7, 1, 0, 2, 0x68, 3]
        );
        assert_eq!(ParameterSets::of_extradata(Family::H264, &avcc), sets);
        let stream = sets.extradata(Family::H264, Packing::AnnexB, &[]);
        assert_eq!(ParameterSets::of_extradata(Family::H264, &stream), sets);

        let profile: Vec<u8> = (100..112).collect();
        let sps = [&[33 << 1, 1, 0x01][..], &profile, &[9]].concat();
        let sets = ParameterSets(vec![vec![32 << 1, 1, 5], sps, vec![34 << 1, 1, 6]]);
        let mut before = vec![0; 23];
        (before[0], before[21]) = (1, 0xf3);
        let hvcc = sets.extradata(Family::Hevc, Packing::Lengths(4), &before);
        assert_eq!((&hvcc[1..13], hvcc[21], hvcc[22]), (profile.as_slice(), 0xf3, 3));
        assert_eq!(ParameterSets::of_extradata(Family::Hevc, &hvcc), sets);
    }

    proptest! {
        #[test]
        fn any_extradata_is_survived(data in proptest::collection::vec(any::<u8>(), 0..80)) {
            let record = [&[1u8][..], &data].concat();
            for family in [Family::H264, Family::Hevc] {
                let sets = ParameterSets::of_extradata(family, &record);
                let packing = Packing::of(family, &record);
                let _ = sets.extradata(family, packing, &record);
            }
        }
    }
}
