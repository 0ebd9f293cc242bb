//! The patrol report: all well, open matters, or not seen enough to say.

use kerbside_domain::time::Moment;

use super::camera::CameraCore;
use super::life::StepContext;
use super::{CameraPatrol, Effect, PatrolReport};

/// When the running period began.
#[derive(Debug, Default)]
pub(super) struct PatrolClock {
    from: Option<Moment>,
}

impl PatrolClock {
    /// Says the report when the period is over. The period begins with the first input that carries a time.
    pub(super) fn advance(&mut self, now: Moment, cameras: &mut [CameraCore], voice: &mut StepContext<'_>) {
        let from = *self.from.get_or_insert(now);
        let span_s = now.mono.since_s(from.mono);
        let period_s = voice.settings.patrol.period_s;
        if period_s <= 0.0 || span_s < period_s {
            return;
        }
        self.from = Some(now);
        let tallies: Vec<CameraPatrol> = cameras.iter_mut().map(|c| tally(c, now)).collect();
        let open: Vec<String> =
            cameras.iter().flat_map(|c| c.open.iter().map(|i| i.report.incident_id.clone())).collect();
        let least = voice.settings.patrol.min_watched_share * span_s;
        // Without a camera nobody saw, so nobody may say that all is well.
        let seen = !tallies.is_empty() && tallies.iter().all(|t| t.watched_s >= least);
        let verdict = match (seen, open.is_empty()) {
            (false, _) => "degraded",
            (true, false) => "open_matters",
            (true, true) => "all_well",
        };
        voice.counters.patrols += 1;
        voice.effects.push(Effect::Patrol(PatrolReport {
            from,
            to: now,
            verdict: verdict.to_owned(),
            cameras: tallies,
            open_incidents: open,
            cleared_by_themselves: cameras.iter_mut().map(|c| std::mem::take(&mut c.cleared)).sum(),
        }));
    }
}

fn tally(camera: &mut CameraCore, now: Moment) -> CameraPatrol {
    camera.account(now.mono);
    let tally = camera.sight.take_tally();
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
