//! The last picture of a clip, held for a while with a camera's noise: what the clip leaves behind has the time of its dwell.

use kerbside_domain::frame::Frame;

/// Pictures a second while it is held.
const PER_S: f64 = 2.0;
/// Noise, grey levels to both sides: a picture without any is a frozen camera.
const NOISE: i16 = 3;

/// For how long, and what.
#[derive(Debug)]
pub(super) struct Hold {
    hold_s: f64,
    last: Option<Frame>,
}

impl Hold {
    /// `None`: nothing is held.
    pub(super) fn of(hold_s: f64) -> Option<Hold> {
        (hold_s > 0.0).then_some(Hold { hold_s, last: None })
    }

    pub(super) fn keep(&mut self, frame: &Frame) {
        self.last = Some(frame.clone());
    }

    /// The pictures that follow the last one. The noise is the same in every replay.
    pub(super) fn pictures(self) -> impl Iterator<Item = Frame> {
        let mut seed = 0x2545_f491u32;
        let count = if self.last.is_some() { (self.hold_s * PER_S) as u64 } else { 0 };
        let last = self.last;
        (1..=count).filter_map(move |n| {
            let mut frame = last.clone()?;
            let mono = frame.at.mono.plus_s(n as f64 / PER_S);
            frame.at = frame.at.at(mono);
            frame.seq += n;
            frame.luma = noisy(&frame.luma, &mut seed).into();
            frame.rgb = noisy(&frame.rgb, &mut seed).into();
            Some(frame)
        })
    }
}

fn noisy(levels: &[u8], seed: &mut u32) -> Vec<u8> {
    let mut random = || {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        (*seed % (2 * NOISE as u32 + 1)) as i16 - NOISE
    };
    levels.iter().map(|&level| (i16::from(level) + random()).clamp(0, 255) as u8).collect()
}
