//! History: what the background was minutes and hours ago.
//!
//! A car of the street's grey is learnt for street where the wind has made the tolerance large, and a car that stays long
//! enough is learnt by design. When it leaves, what it uncovers is new to the background but was there before. The history
//! says so.

use kerbside_domain::time::Mono;

use super::background::{Background, PIXELS};
use super::illumination::Illumination;
use super::tuning::history as tuning;

/// Former backgrounds of one camera.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Ascending in time; long-term levels.
    entries: Vec<(Mono, Vec<u8>)>,
}

impl History {
    /// Another camera position, another street.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Adds an entry if the last one is old enough.
    pub(super) fn record(&mut self, background: &Background, at: Mono) {
        if self.entries.last().is_some_and(|(last, _)| at.since_s(*last) < tuning::EVERY_S) {
            return;
        }
        let mut entry =
            if self.entries.len() < tuning::AT_MOST { vec![0; PIXELS] } else { self.remove_densest(at) };
        let last = self.entries.last().map(|(_, last)| last);
        for ix in 0..PIXELS {
            // A bag that lay here for a day is no street: the next one must be reported.
            entry[ix] = match last {
                Some(last) if background.holds_object(ix) => last[ix],
                _ => background.long_term(ix).round() as u8,
            };
        }
        self.entries.push((at, entry));
    }

    /// The entry whose neighbours in time are closest together, measured by its age.
    fn remove_densest(&mut self, at: Mono) -> Vec<u8> {
        let density = |w: &[(Mono, Vec<u8>)]| w[2].0.since_s(w[0].0) / at.since_s(w[1].0).max(1.0);
        let gaps = self.entries.windows(3).map(density).enumerate();
        let densest = gaps.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(before, _)| before + 1);
        self.entries.remove(densest).1
    }

    /// Whether these pixels show the street as it has been before, in the light of now.
    pub(super) fn shows(&self, pixels: &[u32], background: &Background, picture: &[u8]) -> bool {
        let mean = |of: &dyn Fn(usize) -> f32| {
            pixels.iter().map(|&ix| of(ix as usize)).sum::<f32>() / pixels.len().max(1) as f32
        };
        let changed_by = mean(&|ix| (background.short_term(ix) - background.long_term(ix)).abs());
        self.entries.iter().rev().any(|(_, entry)| {
            let level = |ix: usize| f32::from(entry[ix]);
            let illumination =
                Illumination::fit(level, picture, |ix| background.is_owned(ix) || background.is_changed(ix));
            let off_by = |ix: usize| illumination.residual(level(ix), background.short_term(ix)).abs();
            illumination.explained > tuning::EXPLAINED
                && mean(&off_by) < tuning::NEARER * changed_by
                && mean(&|ix| f32::from(u8::from(off_by(ix) <= background.tolerance(ix)))) >= tuning::ALIKE
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_remembered_in_bounded_space_the_last_minutes_well_and_the_first_hours_roughly() {
        let (mut history, background) = (History::default(), Background::new());
        for s in 0..86_400 / 5 {
            history.record(&background, Mono::from_s(f64::from(s) * 5.0));
        }
        let ages: Vec<f64> =
            history.entries.iter().map(|(at, _)| (86_400.0 - at.0 as f64 / 1e6) / 60.0).collect();
        assert_eq!(ages.len(), tuning::AT_MOST);
        assert!(ages[0] > 23.0 * 60.0 && ages[tuning::AT_MOST - 3] <= 4.0, "minutes ago: {ages:?}");
        let between = ages.windows(2).map(|w| w[0] - w[1]).zip(&ages[1..]);
        for (apart, age) in between {
            assert!(apart <= 2.0 + 1.5 * age, "{apart} at {age}: {ages:?}");
        }
    }
}
