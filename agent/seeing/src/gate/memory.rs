//! Memory: what the street looked like before, minutes and hours ago.
//!
//! A car of the street's grey is learnt for street where the wind has made the threshold high, and a car that stays long
//! enough is learnt by design. When it leaves, what it uncovers is new to the background and was there before: asked here.

use super::light;
use super::planes::{PIXELS, Planes, bit};
use kerbside_domain::time::Mono;

/// Between one memory and the next.
const EVERY_S: f64 = 60.0;
/// How many are kept; the older they are, the farther apart.
const AT_MOST: usize = 24;
/// So much of a blob is within the background's own tolerance of a memory.
const ALIKE_SHARE: f32 = 0.75;
/// And the whole is nearer to it than to the background: ratio of the mean differences.
const NEARER: f32 = 0.4;
/// Of a picture that the light explains less than this, nothing can be said.
const EXPLAINED: f32 = 0.5;

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// Ascending in time; grey levels of the slow background.
    streets: Vec<(Mono, Vec<u8>)>,
}

impl Memory {
    /// Another camera position, another street.
    pub(super) fn clear(&mut self) {
        self.streets.clear();
    }

    pub(super) fn keep(&mut self, planes: &Planes, at: Mono) {
        if self.streets.last().is_some_and(|(last, _)| at.since_s(*last) < EVERY_S) {
            return;
        }
        let mut street = if self.streets.len() < AT_MOST { vec![0; PIXELS] } else { self.give_up(at) };
        let last = self.streets.last().map(|(_, last)| last);
        for ix in 0..PIXELS {
            // A bag that lay here for a day is no street: the next one must be told.
            street[ix] = match last {
                Some(last) if planes.thing[ix] => last[ix],
                _ => planes.slow[ix].round() as u8,
            };
        }
        self.streets.push((at, street));
    }

    /// The one whose neighbours in time are closest together, measured by its age.
    fn give_up(&mut self, at: Mono) -> Vec<u8> {
        let apart = |w: &[(Mono, Vec<u8>)]| w[2].0.since_s(w[0].0) / at.since_s(w[1].0).max(1.0);
        let gaps = self.streets.windows(3).map(apart).enumerate();
        let dense = gaps.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(before, _)| before + 1);
        self.streets.remove(dense).1
    }

    /// Whether these pixels show the street as it has been before, in the light of now.
    pub(super) fn knows(&self, pixels: &[u32], planes: &Planes, picture: &[u8]) -> bool {
        let mean = |of: &dyn Fn(usize) -> f32| {
            pixels.iter().map(|&ix| of(ix as usize)).sum::<f32>() / pixels.len().max(1) as f32
        };
        let changed = mean(&|ix| (planes.fast[ix] - planes.slow[ix]).abs());
        self.streets.iter().rev().any(|(_, street)| {
            let grey = |ix: usize| f32::from(street[ix]);
            let light = light::fit(grey, picture, |ix| planes.owner[ix] != 0 || planes.is(ix, bit::WEAK));
            let off = |ix: usize| (planes.fast[ix] - light.gain * grey(ix) - light.offset).abs();
            light.explained > EXPLAINED
                && mean(&off) < NEARER * changed
                && mean(&|ix| f32::from(u8::from(off(ix) <= planes.tolerance(ix)))) >= ALIKE_SHARE
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_remembered_in_bounded_space_the_last_minutes_well_and_the_first_hours_roughly() {
        let (mut memory, planes) = (Memory::default(), Planes::new());
        for s in 0..86_400 / 5 {
            memory.keep(&planes, Mono::from_s(f64::from(s) * 5.0));
        }
        let ages: Vec<f64> =
            memory.streets.iter().map(|(at, _)| (86_400.0 - at.0 as f64 / 1e6) / 60.0).collect();
        assert_eq!(ages.len(), AT_MOST);
        assert!(ages[0] > 23.0 * 60.0 && ages[AT_MOST - 3] <= 4.0, "minutes ago: {ages:?}");
        let between = ages.windows(2).map(|w| w[0] - w[1]).zip(&ages[1..]);
        for (apart, age) in between {
            assert!(apart <= 2.0 + 1.5 * age, "{apart} at {age}: {ages:?}");
        }
    }
}
