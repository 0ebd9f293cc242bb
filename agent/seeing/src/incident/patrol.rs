//! The patrol report: all well, open matters, or why nobody may say so.
//!
//! All well is said only when nothing is in doubt: each camera watched for the configured share of the period, sees now, and
//! had at least that share of its due frames analysed, and its zones swept since it learnt its background; each sensor is fresh and quiet; somebody vouches for the clock.

use kerbside_domain::camera_state::{Blind, CameraState, Off};
use kerbside_domain::patrol::{
    CameraPatrol, Doubt, DoubtReason, PatrolIncident, PatrolReport, PatrolVerdict, SensorPatrol,
};
use kerbside_domain::reading::SensorCondition;
use kerbside_domain::time::Moment;
use kerbside_site::config::Patrol;

use super::camera::CameraCore;
use super::context::StepContext;
use super::effect::Effect;
use super::reasons::tenths;
use super::sensor_monitor::SensorMonitor;

/// The running period.
#[derive(Debug, Default)]
pub(super) struct PatrolPeriod {
    from: Option<Moment>,
}

impl PatrolPeriod {
    /// Reports when the period is over. The first period begins with the first input that carries a time.
    pub(super) fn advance(
        &mut self,
        now: Moment,
        cameras: &mut [CameraCore],
        sensors: &[SensorMonitor],
        context: &mut StepContext<'_>,
    ) {
        let from = *self.from.get_or_insert(now);
        let period_s = context.settings.patrol.period_s;
        if period_s <= 0.0 || now.mono.since_s(from.mono) < period_s {
            return;
        }
        self.from = Some(now);
        let report = account(from, now, cameras, sensors, &context.settings.patrol);
        for camera in cameras {
            camera.visibility.begin_period();
            camera.incidents.begin_period();
        }
        context.counters.patrols += 1;
        context.effects.push(Effect::Patrol(report));
    }

    /// Reports the running period as far as it goes; it goes on.
    pub(super) fn on_command(
        &mut self,
        command_id: String,
        now: Moment,
        cameras: &mut [CameraCore],
        sensors: &[SensorMonitor],
        context: &mut StepContext<'_>,
    ) {
        let from = *self.from.get_or_insert(now);
        let report = account(from, now, cameras, sensors, &context.settings.patrol);
        context.counters.patrols += 1;
        context.effects.push(Effect::Patrol(PatrolReport { commands: vec![command_id], ..report }));
    }
}

fn account(
    from: Moment,
    to: Moment,
    cameras: &mut [CameraCore],
    sensors: &[SensorMonitor],
    patrol: &Patrol,
) -> PatrolReport {
    for camera in cameras.iter_mut() {
        camera.account(to.mono);
    }
    let span_s = to.mono.since_s(from.mono);
    // What stands on a sensor's word is open too.
    let calls = sensors.iter().flat_map(|s| s.incidents.open());
    let sensors: Vec<SensorPatrol> = sensors.iter().map(|s| s.patrolled(to.mono)).collect();
    let mut why: Vec<Doubt> =
        cameras.iter().flat_map(|c| doubts_of_camera(c, span_s, patrol.min_watched_share)).collect();
    if cameras.is_empty() {
        why.push(Doubt::new(DoubtReason::NoCamera));
    }
    why.extend(sensors.iter().flat_map(doubts_of_sensor));
    if !to.is_vouched() {
        why.push(Doubt::new(DoubtReason::ClockUnvouched));
    }
    let open: Vec<PatrolIncident> =
        cameras.iter().flat_map(|c| c.incidents.open()).chain(calls).map(|i| i.patrolled()).collect();
    let verdict = match (why.is_empty(), open.is_empty()) {
        (false, _) => PatrolVerdict::Degraded,
        (true, false) => PatrolVerdict::OpenMatters,
        (true, true) => PatrolVerdict::AllWell,
    };
    let (cleared, more): (Vec<_>, Vec<u32>) =
        cameras.iter().map(|c| c.incidents.cleared_by_themselves()).unzip();
    PatrolReport {
        from,
        to,
        period_s: patrol.period_s,
        verdict,
        why,
        cameras: cameras.iter().map(tally).collect(),
        open,
        cleared: cleared.concat(),
        cleared_more: more.iter().sum(),
        sensors,
        commands: Vec::new(),
    }
}

/// What a camera did not see well enough. Blindness that is over and was short enough is none.
fn doubts_of_camera(camera: &CameraCore, span_s: f64, share: f64) -> Vec<Doubt> {
    let tally = camera.visibility.tally();
    let now = camera.visibility.state();
    let watched_enough = tally.watched_s >= share * span_s;
    let of_camera = |reason| Doubt { camera: Some(camera.config.ix), ..Doubt::new(reason) };
    let hindrance = |state: CameraState, s: f64| Doubt {
        detail: state.words().1.map(str::to_owned),
        seconds: Some(tenths(s)),
        ..of_camera(reason_of(state))
    };
    let hindrances = camera.visibility.hindrances();
    let mut doubts: Vec<Doubt> = hindrances
        .iter()
        .filter(|(state, _)| !watched_enough || *state == now)
        .map(|(state, s)| hindrance(*state, *s))
        .collect();
    if now != CameraState::Watching && !hindrances.iter().any(|(state, _)| *state == now) {
        doubts.push(hindrance(now, 0.0));
    }
    if !camera.sweep.is_swept() {
        doubts.push(of_camera(DoubtReason::NotSwept));
    }
    // One frame may be on its way.
    if tally.frames as f64 + 1.0 < share * tally.frames_due as f64 {
        doubts.push(of_camera(DoubtReason::FramesNotAnalysed));
    }
    doubts
}

fn reason_of(state: CameraState) -> DoubtReason {
    match state {
        CameraState::Blind(Blind::Learning) => DoubtReason::CameraLearning,
        CameraState::Blind(Blind::Moved) => DoubtReason::CameraMoved,
        CameraState::Blind(_) | CameraState::Watching => DoubtReason::CameraBlind,
        CameraState::Off(Off::Paused) => DoubtReason::CameraPaused,
        CameraState::Off(_) => DoubtReason::CameraOff,
    }
}

/// An alarm that is on counts whatever became of its sensor since.
fn doubts_of_sensor(sensor: &SensorPatrol) -> Vec<Doubt> {
    let of_condition = match sensor.condition {
        SensorCondition::Silent => Some(DoubtReason::SensorSilent),
        SensorCondition::Implausible => Some(DoubtReason::SensorImplausible),
        SensorCondition::Stuck => Some(DoubtReason::SensorStuck),
        SensorCondition::Alarm | SensorCondition::Fresh => None,
    };
    let doubt = |reason| Doubt { sensor: Some(sensor.sensor.clone()), ..Doubt::new(reason) };
    let of_condition = of_condition.map(|reason| Doubt { seconds: sensor.age_s, ..doubt(reason) });
    of_condition.into_iter().chain(sensor.alarm.then(|| doubt(DoubtReason::SensorAlarm))).collect()
}

fn tally(camera: &CameraCore) -> CameraPatrol {
    let tally = camera.visibility.tally();
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
