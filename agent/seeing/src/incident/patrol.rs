//! The patrol report: all well, open matters, or not seen enough to say.

use kerbside_domain::patrol::{CameraPatrol, PatrolReport, PatrolVerdict};
use kerbside_domain::time::Moment;

use super::camera::CameraCore;
use super::context::StepContext;
use super::effect::Effect;

/// The running period.
#[derive(Debug, Default)]
pub(super) struct PatrolPeriod {
    from: Option<Moment>,
}

impl PatrolPeriod {
    /// Reports when the period is over. The first period begins with the first input that carries a time.
    pub(super) fn advance(&mut self, now: Moment, cameras: &mut [CameraCore], context: &mut StepContext<'_>) {
        let from = *self.from.get_or_insert(now);
        let span_s = now.mono.since_s(from.mono);
        let period_s = context.settings.patrol.period_s;
        if period_s <= 0.0 || span_s < period_s {
            return;
        }
        self.from = Some(now);
        let tallies: Vec<CameraPatrol> = cameras.iter_mut().map(|c| tally(c, now)).collect();
        let open = cameras.iter().flat_map(|c| c.incidents.open());
        let open_incidents: Vec<String> = open.map(|i| i.id().to_owned()).collect();
        let required_s = context.settings.patrol.min_watched_share * span_s;
        // Without a camera nobody saw, so nobody may say that all is well.
        let watched = !tallies.is_empty() && tallies.iter().all(|t| t.watched_s >= required_s);
        let verdict = match (watched, open_incidents.is_empty()) {
            (false, _) => PatrolVerdict::Degraded,
            (true, false) => PatrolVerdict::OpenMatters,
            (true, true) => PatrolVerdict::AllWell,
        };
        context.counters.patrols += 1;
        context.effects.push(Effect::Patrol(PatrolReport {
            from,
            to: now,
            verdict,
            cameras: tallies,
            open_incidents,
            cleared_by_themselves: cameras.iter_mut().map(|c| c.incidents.take_cleared()).sum(),
        }));
    }
}

fn tally(camera: &mut CameraCore, now: Moment) -> CameraPatrol {
    camera.account(now.mono);
    let tally = camera.visibility.take_tally();
    let hundredths = |s: f64| (s * 100.0).round() / 100.0;
    CameraPatrol {
        camera: camera.config.ix,
        watched_s: hundredths(tally.watched_s),
        blind_s: hundredths(tally.blind_s),
        moved_s: hundredths(tally.moved_s),
        off_s: hundredths(tally.off_s),
        ..tally
    }
}
