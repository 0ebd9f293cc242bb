//! How a camera says within its stream that its pictures must be turned: H.264 D.1.27 and D.2.27, H.265 D.2.17 and D.3.17. Pure.

use kerbside_domain::frame::Turn;

use super::bits::Bits;
use super::{Family, sei};

/// The payload type of a display orientation message, in H.264 and H.265.
const DISPLAY_ORIENTATION: u32 = 47;

/// The turn that a message among these units asks for; one that takes an earlier one back asks for none.
pub(in crate::child) fn turn(family: Family, units: &[&[u8]]) -> Option<Turn> {
    let payload = units.iter().find_map(|unit| sei::payload(family, unit, DISPLAY_ORIENTATION))?;
    let mut bits = Bits::new(&payload);
    if bits.fixed(1)? == 1 {
        return Some(Turn::NONE);
    }
    let (left_right, upside_down) = (bits.fixed(1)? == 1, bits.fixed(1)? == 1);
    // Anticlockwise, a whole turn is 2^16. A camera that levels itself turns by the nearest quarter.
    let anticlockwise = (bits.fixed(16)? + (1 << 13)) >> 14;
    // Upside down is left and right exchanged, and half a turn. Both come before the turning, as here.
    let half = if upside_down { 2 } else { 0 };
    let quarters = ((8 - anticlockwise + half) % 4) as u8;
    Some(Turn { mirrored: left_right != upside_down, quarters })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Cancelled, left and right, upside down, degrees anticlockwise -> an SEI unit of H.265.
    fn unit(cancelled: bool, left_right: bool, upside_down: bool, degrees: f64) -> Vec<u8> {
        let mut bits = u32::from(cancelled);
        if !cancelled {
            let angle = (degrees / 360.0 * 65_536.0) as u32;
            bits = (u32::from(left_right) << 1 | u32::from(upside_down)) << 17 | angle << 1 | 1;
        }
        let bits = if cancelled { bits << 31 } else { bits << 12 };
        [&[39 << 1, 1, 47, 3][..], &bits.to_be_bytes()[..3], &[0x80]].concat()
    }

    #[test]
    fn flips_come_before_the_turn() {
        let of = |left_right, upside_down, degrees| {
            turn(Family::Hevc, &[&[32 << 1, 1, 9], &unit(false, left_right, upside_down, degrees)])
        };
        let is = |mirrored, quarters| Some(Turn { mirrored, quarters });
        assert_eq!(
            [0.0, 90.0, 180.0, 270.0].map(|d| of(false, false, d)),
            [0, 3, 2, 1].map(|q| is(false, q))
        );
        assert_eq!(
            (of(true, false, 0.0), of(false, true, 0.0), of(true, true, 0.0)),
            (is(true, 0), is(true, 2), is(false, 2))
        );
        assert_eq!((of(true, false, 90.0), of(false, true, 90.0)), (is(true, 3), is(true, 1)));
        assert_eq!(
            (of(false, false, 3.0), of(false, false, 357.0)),
            (is(false, 0), is(false, 0)),
            "levelled"
        );
    }

    #[test]
    fn a_message_is_taken_back_and_none_says_nothing() {
        assert_eq!(turn(Family::Hevc, &[&unit(true, false, false, 0.0)]), Some(Turn::NONE));
        assert_eq!(turn(Family::Hevc, &[&[2, 1, 7], &[39 << 1, 1, 6, 1, 0x30, 0x80]]), None);
        // H.264: not cancelled, no flip, 90 degrees, then how long it holds.
        let h264: &[u8] = &[6, 47, 3, 0b0000_1000, 0, 0b0001_0000, 0x80];
        assert_eq!(turn(Family::H264, &[h264]), Some(Turn { mirrored: false, quarters: 3 }));
        assert_eq!(turn(Family::H264, &[&[6, 47, 1, 0, 0x80]]), None, "cut off");
    }

    proptest! {
        #[test]
        fn any_message_is_survived(data in proptest::collection::vec(any::<u8>(), 0..60)) {
            for (family, head) in [(Family::H264, &[6u8, 47][..]), (Family::Hevc, &[39 << 1, 1, 47])] {
                let _ = turn(family, &[&[head, &data].concat()]);
            }
        }
    }
}
