//! From the payloads of RTP packets to pictures: RFC 6184 for H.264, RFC 7798 for H.265. Pure; every byte may be hostile.
//!
//! NAL units come out as the camera made them, in the byte stream form of annex B: a camera's signature stays whole. Cameras are
//! taken as they are: a marker may be missing, or a clock may stand still.

use crate::child::nal::Family;
use crate::tuning::MAX_BLOB_BYTES;

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// One picture, with what stands before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AccessUnit {
    /// In ticks of the RTP clock, beyond 32 bits.
    pub(super) time: i64,
    /// Decoding can begin here.
    pub(super) key: bool,
    /// RTP packets that are missing within it or before it.
    pub(super) lost: u32,
    pub(super) data: Vec<u8>,
}

/// One RTP packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) time: i64,
    /// It is the last of its picture.
    pub(super) marker: bool,
    /// Packets missing before it.
    pub(super) lost: u16,
}

/// Collects the NAL units of one stream.
#[derive(Debug)]
pub(super) struct AccessUnits {
    family: Family,
    unit: AccessUnit,
    has_picture: bool,
    /// A NAL unit of which parts have come.
    fragment: Option<Vec<u8>>,
    /// This camera marks the ends of pictures.
    marks: bool,
    done: Vec<AccessUnit>,
}

impl AccessUnits {
    pub(super) fn new(family: Family) -> Self {
        let unit = AccessUnit::default();
        AccessUnits { family, unit, has_picture: false, fragment: None, marks: false, done: Vec::new() }
    }

    /// Takes one packet; returns the pictures that it completes.
    pub(super) fn push(&mut self, payload: Payload<'_>) -> std::vec::Drain<'_, AccessUnit> {
        if payload.lost > 0 {
            self.fragment = None;
            self.unit.lost += u32::from(payload.lost);
        }
        if payload.time != self.unit.time {
            self.fragment = None;
            let lost = self.has_picture && payload.lost > 0;
            self.end_unit();
            self.unit.time = payload.time;
            // Whose they were nobody knows: the picture before lacks its end, or this one its beginning.
            self.unit.lost += if lost { u32::from(payload.lost) } else { 0 };
        }
        match self.family {
            Family::H264 => self.h264(payload.bytes),
            Family::Hevc => self.hevc(payload.bytes),
        }
        if payload.marker && self.has_picture {
            self.marks = true;
            self.end_unit();
        }
        self.done.drain(..)
    }

    fn h264(&mut self, bytes: &[u8]) {
        match (bytes.first().map(|head| head & 31), bytes) {
            (Some(1..=23), _) => self.nal(bytes),
            // STAP-A, and STAP-B with its decoding order number.
            (Some(24), [_, rest @ ..]) | (Some(25), [_, _, _, rest @ ..]) => self.aggregate(rest),
            // FU-A, and FU-B with its decoding order number at the start.
            (Some(28), [head, flags, body @ ..]) | (Some(29), [head, flags, _, _, body @ ..]) => {
                self.part(*flags, &[head & 0xE0 | flags & 31], body);
            }
            _ => {}
        }
    }

    fn hevc(&mut self, bytes: &[u8]) {
        match (bytes.first().map(|head| head >> 1 & 63), bytes) {
            (Some(0..=47), _) => self.nal(bytes),
            (Some(48), [_, _, rest @ ..]) => self.aggregate(rest),
            (Some(49), [head, layer, flags, body @ ..]) => {
                self.part(*flags, &[head & 0x81 | (flags & 63) << 1, *layer], body);
            }
            _ => {}
        }
    }

    /// NAL units, each with its length in two bytes before it.
    fn aggregate(&mut self, mut rest: &[u8]) {
        while let [high, low, after @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let Some((nal, next)) = after.split_at_checked(len) else { return };
            self.nal(nal);
            rest = next;
        }
    }

    /// A part of a NAL unit; its first and its last say so.
    fn part(&mut self, flags: u8, head: &[u8], body: &[u8]) {
        if flags & 0x80 != 0 {
            self.fragment = Some(head.to_vec());
        }
        // Without its beginning it is nothing.
        let Some(fragment) = &mut self.fragment else { return };
        if fragment.len() + body.len() > MAX_BLOB_BYTES {
            self.fragment = None;
            return;
        }
        fragment.extend_from_slice(body);
        if flags & 0x40 != 0
            && let Some(whole) = self.fragment.take()
        {
            self.nal(&whole);
        }
    }

    fn nal(&mut self, nal: &[u8]) {
        let Some(kind) = self.kind(nal) else { return };
        if self.has_picture && (kind == Kind::Delimiter || kind == Kind::FirstSlice && !self.marks) {
            self.end_unit();
        }
        if self.unit.data.len() + nal.len() + START_CODE.len() > MAX_BLOB_BYTES {
            self.unit.lost += 1;
            return;
        }
        self.has_picture |= matches!(kind, Kind::FirstSlice | Kind::Slice);
        self.unit.key |= self.is_key(nal);
        self.unit.data.extend_from_slice(&START_CODE);
        self.unit.data.extend_from_slice(nal);
    }

    fn end_unit(&mut self) {
        // Parameter sets may come with a time of their own: they belong to the picture that follows.
        if std::mem::take(&mut self.has_picture) {
            let next = AccessUnit { time: self.unit.time, ..AccessUnit::default() };
            self.done.push(std::mem::replace(&mut self.unit, next));
        }
    }

    fn kind(&self, nal: &[u8]) -> Option<Kind> {
        Some(match (self.family, nal) {
            (Family::H264, [head, rest @ ..]) => match head & 31 {
                1 | 2 | 5 if rest.first().is_some_and(|byte| byte & 0x80 != 0) => Kind::FirstSlice,
                1..=5 => Kind::Slice,
                9 => Kind::Delimiter,
                _ => Kind::Other,
            },
            (Family::Hevc, [head, _, rest @ ..]) => match head >> 1 & 63 {
                0..=31 if rest.first().is_some_and(|byte| byte & 0x80 != 0) => Kind::FirstSlice,
                0..=31 => Kind::Slice,
                35 => Kind::Delimiter,
                _ => Kind::Other,
            },
            _ => return None,
        })
    }

    /// As FFmpeg calls a packet a key: an IDR picture or a recovery point (H.264), an IRAP picture (H.265).
    fn is_key(&self, nal: &[u8]) -> bool {
        match (self.family, nal) {
            (Family::H264, [head, rest @ ..]) => match head & 31 {
                5 => true,
                // A message of supplemental information; type 6 is a recovery point (D.1.8).
                6 => rest.first() == Some(&6),
                _ => false,
            },
            (Family::Hevc, [head, ..]) => (16..=23).contains(&(head >> 1 & 63)),
            _ => false,
        }
    }
}

/// What a NAL unit means for the bounds of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Delimiter,
    /// The first slice of a picture.
    FirstSlice,
    Slice,
    Other,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// (payload, time, marker, lost before it)
    type Sent<'a> = (&'a [u8], i64, bool, u16);

    fn pictures(family: Family, sent: &[Sent<'_>]) -> Vec<AccessUnit> {
        let mut units = AccessUnits::new(family);
        let push = |units: &mut AccessUnits, (bytes, time, marker, lost)| {
            units.push(Payload { bytes, time, marker, lost }).collect::<Vec<_>>()
        };
        sent.iter().flat_map(|sent| push(&mut units, *sent)).collect()
    }

    fn shapes(units: &[AccessUnit]) -> Vec<(i64, bool, u32, Vec<u8>)> {
        units.iter().map(|u| (u.time, u.key, u.lost, u.data.clone())).collect()
    }

    const SPS: &[u8] = &[0x67, 1];
    const IDR: &[u8] = &[0x65, 0x88, 2];
    const P: &[u8] = &[0x41, 0x9A, 3];

    #[test]
    fn nal_units_whole_together_and_in_parts_make_pictures() {
        let stap: &[u8] = &[24, 0, 2, 0x67, 1, 0, 2, 0x68, 1];
        let first: &[u8] = &[0x7C, 0x85, 0x88, 2];
        let last: &[u8] = &[0x7C, 0x45, 3, 0];
        let got = pictures(
            Family::H264,
            &[(stap, 9, false, 0), (first, 9, false, 0), (last, 9, true, 0), (P, 10, true, 0)],
        );
        let key = [&START_CODE[..], &[0x67, 1], &START_CODE, &[0x68, 1], &START_CODE, &[0x65, 0x88, 2, 3, 0]]
            .concat();
        let next = [&START_CODE[..], P].concat();
        assert_eq!(shapes(&got), [(9, true, 0, key), (10, false, 0, next)]);
    }

    #[test]
    fn h265_is_put_together_the_same_way() {
        let sets: &[u8] = &[48 << 1, 1, 0, 3, 32 << 1, 1, 7, 0, 3, 33 << 1, 1, 8];
        let first: &[u8] = &[49 << 1, 1, 0x80 | 19, 0x80, 2];
        let last: &[u8] = &[49 << 1, 1, 0x40 | 19, 3];
        let got = pictures(Family::Hevc, &[(sets, 1, false, 0), (first, 1, false, 0), (last, 1, true, 0)]);
        let data =
            [&START_CODE[..], &[64, 1, 7], &START_CODE, &[66, 1, 8], &START_CODE, &[38, 1, 0x80, 2, 3]]
                .concat();
        assert_eq!(shapes(&got), [(1, true, 0, data)]);
    }

    #[test]
    fn pictures_are_told_apart_without_marker_and_with_a_clock_that_stands() {
        let whole = |sent: &[Sent<'_>]| pictures(Family::H264, sent).len();
        assert_eq!(whole(&[(IDR, 1, false, 0), (P, 2, false, 0), (P, 3, false, 0)]), 2, "by their time");
        assert_eq!(whole(&[(IDR, 1, true, 0), (P, 1, true, 0), (P, 1, true, 0)]), 3, "by their markers");
        assert_eq!(
            whole(&[(IDR, 1, false, 0), (P, 1, false, 0), (P, 1, false, 0)]),
            2,
            "by their first slices"
        );
        // A second slice of the same picture does not begin with macroblock 0.
        assert_eq!(whole(&[(IDR, 1, true, 0), (IDR, 2, false, 0), (&[0x65, 0x20], 2, true, 0)]), 2);
        // A marker on parameter sets ends nothing; another time for them neither.
        assert_eq!(whole(&[(SPS, 1, true, 0), (IDR, 2, true, 0)]), 1);
    }

    #[test]
    fn lost_packets_are_counted_where_they_may_have_been() {
        let part: &[u8] = &[0x7C, 0x81, 0x9A, 1];
        let end: &[u8] = &[0x7C, 0x41, 2];
        // Lost between the parts: the NAL unit is gone, and its picture with it; the next one says so.
        let got = pictures(
            Family::H264,
            &[(IDR, 1, true, 0), (part, 2, false, 0), (end, 2, true, 1), (P, 3, true, 0)],
        );
        assert_eq!(got.iter().map(|u| (u.time, u.lost)).collect::<Vec<_>>(), [(1, 0), (3, 1)]);
        // Lost between two pictures: both are in doubt if the first was not ended.
        let got = pictures(Family::H264, &[(IDR, 1, false, 0), (P, 2, true, 2), (P, 3, true, 0)]);
        assert_eq!(got.iter().map(|u| (u.time, u.lost)).collect::<Vec<_>>(), [(1, 2), (2, 2), (3, 0)]);
        let got = pictures(Family::H264, &[(IDR, 1, true, 0), (P, 2, true, 2)]);
        assert_eq!(got.iter().map(|u| (u.time, u.lost)).collect::<Vec<_>>(), [(1, 0), (2, 2)]);
    }

    #[test]
    fn recovery_points_are_keys_as_ffmpeg_calls_them() {
        let recovery: &[u8] = &[0x06, 0x06, 0x01, 0xC4, 0x80];
        let other: &[u8] = &[0x06, 0x05, 0x01, 0x00, 0x80];
        let got = pictures(
            Family::H264,
            &[(recovery, 1, false, 0), (P, 1, true, 0), (other, 2, false, 0), (P, 2, true, 0)],
        );
        assert_eq!(got.iter().map(|u| u.key).collect::<Vec<_>>(), [true, false]);
    }

    proptest! {
        #[test]
        fn any_packets_are_survived(
            hevc: bool,
            sent in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..30), 0i64..3, any::<bool>(), 0u16..3), 0..40),
        ) {
            let family = if hevc { Family::Hevc } else { Family::H264 };
            let sent: Vec<Sent<'_>> = sent.iter().map(|(b, t, m, l)| (b.as_slice(), *t, *m, *l)).collect();
            let bytes: usize = sent.iter().map(|s| s.0.len() + 8).sum();
            let got = pictures(family, &sent);
            // A length before each NAL unit inside an aggregate is two bytes, a start code four.
            prop_assert!(got.iter().map(|u| u.data.len()).sum::<usize>() <= bytes * 3);
        }
    }
}
