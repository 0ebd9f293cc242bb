//! Dates that a wrong wall clock gave: put right when somebody vouches for the clock, or when it jumps, and said to the centre.
//!
//! What happened in this run stands on the monotonic clock too, so its date follows from any moment at which the wall clock is
//! right. What an earlier run left without a good clock counts as seen when this run began.

use kerbside_domain::report::{Cause, Phase};
use kerbside_domain::time::{Moment, Mono};

use super::camera::CameraCore;
use super::context::StepContext;
use super::core::Core;
use super::effect::Effect;
use super::incidents::Incidents;
use super::lifecycle::Incident;
use super::tuning::lifecycle::MISDATED_MS;

/// What is known of the wall clock.
#[derive(Debug, Default)]
pub(super) struct Dating {
    /// When this run began: what is older stands on another run's monotonic clock.
    began: Option<Mono>,
    /// The newest moment that somebody vouched for.
    vouched: Option<Moment>,
}

/// Which moments are put right.
#[derive(Clone, Copy, Debug)]
struct Redating {
    now: Moment,
    began: Mono,
    /// The wall clock jumped since somebody last vouched for it.
    has_jumped: bool,
}

impl Redating {
    /// The date that `at` should have, if it has another.
    fn date(&self, at: Moment) -> Option<Moment> {
        let dated_wrong = self.has_jumped
            && at.mono > self.began
            && self.now.wall_gained_ms(at).saturating_abs() > MISDATED_MS;
        (!at.is_vouched() || dated_wrong).then(|| self.now.at(at.mono))
    }
}

impl Dating {
    /// This run begins.
    pub(super) fn begin(&mut self, at: Mono) {
        self.began.get_or_insert(at);
    }

    fn redating(&mut self, now: Moment) -> Option<Redating> {
        self.begin(now.mono);
        let began = self.began.filter(|_| now.is_vouched())?;
        let before = self.vouched.replace(now);
        let has_jumped = before.is_some_and(|b| now.wall_gained_ms(b).saturating_abs() > MISDATED_MS);
        Some(Redating { now, began, has_jumped })
    }
}

impl Core {
    /// At each tick.
    pub(super) fn redate(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Some(redating) = self.dating.redating(now) else { return };
        let mut context = super::core::context(&self.settings, &mut self.counters, effects);
        for camera in &mut self.cameras {
            camera.redate(redating, &mut context);
        }
    }
}

impl CameraCore {
    fn redate(&mut self, redating: Redating, context: &mut StepContext<'_>) {
        for incident in self.incidents.all_mut() {
            if incident.redate(redating) {
                incident.report_revision(redating.now, Phase::Updated, Cause::Clock, context);
            }
        }
    }
}

impl Incidents {
    /// Whether nobody vouched for the clock when something was written down of it.
    pub(super) fn is_undated(incident: &Incident) -> bool {
        let report = &incident.report;
        [report.at, report.first_seen, report.last_seen].iter().any(|at| !at.is_vouched())
    }
}

impl Incident {
    /// Puts its dates right. Whether the centre was told a wrong one.
    fn redate(&mut self, redating: Redating) -> bool {
        let report = &mut self.report;
        let mut is_wrong = false;
        for at in [&mut report.at, &mut report.first_seen, &mut report.last_seen] {
            if let Some(date) = redating.date(*at) {
                (*at, is_wrong) = (date, true);
            }
        }
        if is_wrong {
            let captured = report.evidence.iter_mut().map(|item| &mut item.captured);
            for at in captured.chain(&mut self.closed) {
                *at = redating.date(*at).unwrap_or(*at);
            }
        }
        is_wrong
    }
}
