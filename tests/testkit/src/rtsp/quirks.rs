//! What is odd about a camera: the table of quirks, one line each.

use super::film::FPS;

/// RTP ticks a second, as the session description says.
const TICKS_PER_S: u64 = 90_000;

/// What is odd about a camera from its start to its end. What comes and goes is a [`CameraFault`](super::CameraFault).
#[derive(Clone, Debug, PartialEq)]
pub enum Quirk {
    /// All pictures have one timestamp.
    ClockStands,
    /// All timestamps are 0.
    ClockIsZero,
    /// Timestamps count milliseconds, although 90 kHz are announced.
    ClockInMilliseconds,
    /// Timestamps rise half as fast as time.
    ClockHalf,
    /// Timestamps rise twice as fast as time.
    ClockDouble,
    /// Timestamps fall as fast as time rises.
    ClockBackwards,
    /// Timestamps fall by the second number once, after the first; s.
    ClockFallsBack(f64, f64),
    /// Two pictures in a row have one timestamp.
    ClockInPairs,
    /// This share of all RTP packets is lost.
    Loses(f64),
    /// No RTP packet says that it is the last of its picture.
    NoMarker,
    /// The parameter sets stand in the session description too.
    SetsInSdp,
    /// The parameter sets stand in the session description alone.
    SetsOnlyInSdp,
}

impl Quirk {
    /// The RTP time of picture number `picture`, where this quirk says it.
    fn rtp_time(&self, picture: u64) -> Option<u64> {
        let exact = picture * TICKS_PER_S / FPS;
        let ticks = |s: f64| (s * TICKS_PER_S as f64) as u64;
        // Far from 0 and from the turn of 32 bits.
        const ORIGIN: u64 = 400_000_000;
        match self {
            Quirk::ClockStands => Some(ORIGIN),
            Quirk::ClockIsZero => Some(0),
            Quirk::ClockInMilliseconds => Some(ORIGIN + picture * 1000 / FPS),
            Quirk::ClockHalf => Some(ORIGIN + exact / 2),
            Quirk::ClockDouble => Some(ORIGIN + exact * 2),
            Quirk::ClockBackwards => Some(ORIGIN.saturating_sub(exact)),
            Quirk::ClockFallsBack(after_s, by_s) if exact > ticks(*after_s) => {
                Some(ORIGIN + exact - ticks(*by_s).min(ORIGIN))
            }
            Quirk::ClockFallsBack(..) => Some(ORIGIN + exact),
            Quirk::ClockInPairs => Some((picture / 2 * 2) * TICKS_PER_S / FPS),
            _ => None,
        }
    }
}

/// All quirks of one camera.
#[derive(Debug, Default)]
pub(super) struct Quirks(pub(super) Vec<Quirk>);

impl Quirks {
    pub(super) fn has(&self, quirk: &Quirk) -> bool {
        self.0.contains(quirk)
    }

    /// The RTP time of picture number `picture`.
    pub(super) fn rtp_time(&self, picture: u64) -> u32 {
        let odd = self.0.iter().find_map(|quirk| quirk.rtp_time(picture));
        odd.unwrap_or(picture * TICKS_PER_S / FPS) as u32
    }

    /// Share of RTP packets that are lost.
    pub(super) fn loss(&self) -> f64 {
        let share = |quirk: &Quirk| if let Quirk::Loses(share) = quirk { Some(*share) } else { None };
        self.0.iter().find_map(share).unwrap_or(0.0)
    }
}
