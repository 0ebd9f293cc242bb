//! Listening to sensors for rules: their words are kept, a camera is watched more closely for a while, and incidents open on a
//! sensor's word alone.

use kerbside_domain::frame::BBox;
use kerbside_domain::report::Report;
use kerbside_domain::time::{Moment, Mono};
use kerbside_site::config::{Rule, With, WithMode, Zone};

use super::camera::CameraCore;
use super::context::StepContext;
use super::effect::Effect;
use super::lifecycle::Incident;
use super::sensor_incident::Subject;
use super::sensor_monitor::SensorMonitor;
use super::sensor_words::{SensorWords, Word};
use crate::rules::{RuleStatus, rule_status};

/// Asks the sensors for their words in the rules of a camera, and does what follows from them.
pub(super) fn listen(
    camera: &mut CameraCore,
    sensors: &mut [SensorMonitor],
    now: Moment,
    context: &mut StepContext<'_>,
) {
    let mut asked = std::mem::take(&mut camera.sensor_words);
    let mut words = Vec::new();
    let mut faster_for_s: Option<f64> = None;
    for zone in &camera.config.zones {
        for rule in &zone.rules {
            let Some(with) = &rule.with else { continue };
            let Some(sensor) = sensors.iter_mut().find(|s| s.is(&with.sensor)) else { continue };
            let before = asked.words.iter().find(|w| w.zone == zone.id && w.rule == rule.id);
            let mut word = heard(zone, rule, with, sensor, before, now.mono);
            match with.mode {
                WithMode::Both => {}
                WithMode::Faster if word.agrees == Some(true) => {
                    faster_for_s = Some(faster_for_s.unwrap_or(0.0).max(with.for_s));
                }
                WithMode::Faster => {}
                WithMode::Either => {
                    word.has_incident = on_its_word(camera, zone, rule, &word, sensor, now, context)
                }
            }
            words.push(word);
        }
    }
    if let Some(for_s) = faster_for_s {
        let until = now.mono.plus_s(for_s);
        let was_over = asked.faster_until.is_none();
        asked.faster_until = Some(asked.faster_until.map_or(until, |before| before.max(until)));
        if was_over {
            context.effects.push(Effect::WatchFaster { camera: camera.config.ix, required: true });
        }
    } else if asked.faster_until.is_some_and(|until| now.mono >= until) {
        asked.faster_until = None;
        context.effects.push(Effect::WatchFaster { camera: camera.config.ix, required: false });
    }
    camera.sensor_words = SensorWords { words, faster_until: asked.faster_until };
}

/// Ends what sensors reported for rules that the site has no longer, or that do not take a sensor's word alone any more.
pub(super) fn end_unasked(
    cameras: &[CameraCore],
    sensors: &mut [SensorMonitor],
    now: Moment,
    context: &mut StepContext<'_>,
) {
    for sensor in sensors {
        while let Some(index) = sensor.incidents.open().iter().position(|i| is_unasked(cameras, sensor, i)) {
            sensor.withdraw(index, now, context);
        }
    }
}

fn is_unasked(cameras: &[CameraCore], sensor: &SensorMonitor, incident: &Incident) -> bool {
    let Report { zone, rule, .. } = &incident.report;
    let takes_its_word = |r: &Rule| {
        r.id == *rule && r.with.as_ref().is_some_and(|w| w.mode == WithMode::Either && sensor.is(&w.sensor))
    };
    let mut zones = cameras.iter().flat_map(|c| &c.config.zones).filter(|z| z.id == *zone);
    !rule.is_empty() && !zones.any(|z| z.rules.iter().any(takes_its_word))
}

fn heard(
    zone: &Zone,
    rule: &Rule,
    with: &With,
    sensor: &SensorMonitor,
    before: Option<&Word>,
    now: Mono,
) -> Word {
    let agrees = sensor.says(with, now);
    let since = before.filter(|b| b.agrees == agrees).map_or(now, |b| b.since);
    let (zone, rule) = (zone.id.clone(), rule.id.clone());
    Word { zone, rule, with: with.to_string(), mode: with.mode, agrees, since, has_incident: false }
}

/// Opens or ends the incident of a rule that takes the sensor's word alone. Whether it is open now.
fn on_its_word(
    camera: &CameraCore,
    zone: &Zone,
    rule: &Rule,
    word: &Word,
    sensor: &mut SensorMonitor,
    now: Moment,
    context: &mut StepContext<'_>,
) -> bool {
    let Some(kind) = rule.kinds.first().copied() else { return false };
    let view = sensor.config.view.filter(|view| view.camera == camera.config.ix);
    let subject = Subject {
        kind,
        camera: camera.config.ix,
        bbox: view.and_then(|view| view.bbox).or_else(|| around(zone)),
        zone: zone.id.clone(),
        rule: rule.id.clone(),
        repeat_s: rule.repeat_s,
    };
    let is_same = |r: &Report| r.zone == subject.zone && r.rule == subject.rule;
    let is_open = |sensor: &SensorMonitor| sensor.incidents.open().iter().any(|i| is_same(&i.report));
    let lasted_s = now.mono.since_s(word.since);
    let in_force = rule_status(rule, now.wall_ms, context.settings.utc_offset_s) == RuleStatus::InForce;
    let is_seen = camera.incidents.open().iter().any(|i| is_same(&i.report));
    match word.agrees {
        Some(true) if in_force && !is_seen && lasted_s >= rule.dwell_s => {
            if let Some(reading) = sensor.last_reading() {
                sensor.begin(&subject, word.since, &reading, now, context);
            }
        }
        Some(false) if lasted_s >= rule.clear_after_s => {
            let reading = sensor.last_reading();
            sensor.end(&subject, reading.as_ref(), now, context);
        }
        _ => {}
    }
    is_open(sensor)
}

/// The box around a zone.
fn around(zone: &Zone) -> Option<BBox> {
    let corners = &zone.polygon_norm;
    let first = *corners.first()?;
    let bound =
        |pick: fn(f32, f32) -> f32| corners.iter().fold(first, |a, b| (pick(a.0, b.0), pick(a.1, b.1)));
    let ((x0, y0), (x1, y1)) = (bound(f32::min), bound(f32::max));
    Some(BBox::from_corners(x0, y0, x1, y1))
}
