//! Video that its camera signed: the camera puts signatures into the stream, in SEI units, each over the pictures before it. They
//! survive ring and clip because packets are kept as they came. Whether a signature is right is for the camera maker's verifier.
//!
//! Pure. The signature over a group of pictures comes with the key frame after it, or a little later: a clip that ends before has
//! pictures at its end that nobody can verify.

use kerbside_domain::frame::Packet;
use kerbside_domain::time::Mono;

/// User data of an SEI unit begins with whose it is: ONVIF Media Signing, and the Signed Video of Axis from which that came.
/// Neither contains what would have to be escaped in a NAL unit.
const SIGNATURES: [[u8; 16]; 2] = [
    [0x00, 0x5b, 0xc9, 0x3f, 0x2d, 0x71, 0x5e, 0x95, 0xad, 0xa4, 0x79, 0x6f, 0x90, 0x87, 0x7a, 0x6f],
    *b"Signed Video...0",
];
/// Bytes of a packet in which an SEI unit begins: it stands before the picture, behind the parameter sets alone.
const SEI_WITHIN: usize = 4096;

/// Where a span must end so that all its pictures can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedEnd {
    /// The camera does not sign.
    Unsigned,
    /// With the packet of this moment, which bears the last signature.
    At(Mono),
    /// That packet has not come yet.
    NotYet,
}

/// `packets`: all that there are, in decoding order. `from..=to`: the span.
pub fn signed_end<'a>(packets: impl Iterator<Item = &'a Packet> + Clone, from: Mono, to: Mono) -> SignedEnd {
    let signed = packets.clone().filter(|p| p.at.mono >= from).any(bears_signature);
    if !signed {
        return SignedEnd::Unsigned;
    }
    let mut after = packets.skip_while(|p| !(p.key && p.at.mono > to));
    after.find(|p| bears_signature(p)).map_or(SignedEnd::NotYet, |p| SignedEnd::At(p.at.mono))
}

fn bears_signature(packet: &Packet) -> bool {
    let head = packet.data.get(..SEI_WITHIN).unwrap_or(&packet.data);
    SIGNATURES.iter().any(|uuid| {
        let [first, ..] = *uuid;
        let mut rest = head;
        while let Some(at) = rest.iter().position(|byte| *byte == first) {
            rest = rest.get(at..).unwrap_or_default();
            if rest.starts_with(uuid) {
                return true;
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kerbside_domain::time::Moment;

    use super::*;

    /// A key packet every 10, one a second; those of `signed` bear a signature.
    fn packets(until: u32, signed: &[u32], uuid: usize) -> Vec<Packet> {
        let data = |n: u32| match signed.contains(&n) {
            true => [&[0, 0, 0, 1, 6, 5, 24, 0][..], &SIGNATURES[uuid], b"SIGNATURE"].concat(),
            false => vec![0; 5000],
        };
        let packet = |n: u32| {
            let at = Moment { mono: Mono::from_s(f64::from(n)), ..Moment::default() };
            let (pts, data) = (i64::from(n), Bytes::from(data(n)));
            let (key, refresh, damaged) = (n.is_multiple_of(10), 0, false);
            Packet { epoch: 1, pts, dts: pts, duration: 1, key, refresh, damaged, at, data }
        };
        (0..until).map(packet).collect()
    }

    fn s(s: f64) -> Mono {
        Mono::from_s(s)
    }

    #[test]
    fn a_span_ends_with_the_signature_over_its_last_group() {
        for uuid in [0, 1] {
            let all = packets(40, &[10, 20, 30], uuid);
            assert_eq!(signed_end(all.iter(), s(5.0), s(15.0)), SignedEnd::At(s(20.0)));
            assert_eq!(
                signed_end(all.iter(), s(5.0), s(20.0)),
                SignedEnd::At(s(30.0)),
                "that of its own last group"
            );
            assert_eq!(signed_end(all.iter(), s(5.0), s(33.0)), SignedEnd::NotYet);
        }
        // Some sign a little later than the key frame.
        let late = packets(40, &[12, 22, 32], 0);
        assert_eq!(signed_end(late.iter(), s(5.0), s(15.0)), SignedEnd::At(s(22.0)));
        assert_eq!(
            signed_end(late.iter(), s(5.0), s(21.0)),
            SignedEnd::At(s(32.0)),
            "22 signs the group before 20"
        );
    }

    #[test]
    fn a_camera_that_does_not_sign_waits_for_nothing() {
        let all = packets(40, &[], 0);
        assert_eq!(signed_end(all.iter(), s(5.0), s(15.0)), SignedEnd::Unsigned);
        assert_eq!(signed_end([].iter(), s(5.0), s(15.0)), SignedEnd::Unsigned);
        // It signed before the span and no more.
        let once = packets(40, &[3], 0);
        assert_eq!(signed_end(once.iter(), s(5.0), s(15.0)), SignedEnd::Unsigned);
    }
}
