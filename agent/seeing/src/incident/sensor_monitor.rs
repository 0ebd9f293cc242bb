//! Sensor alarms: a reading above the limit for long enough raises one, below it for as long ends it.

use kerbside_domain::reading::Reading;
use kerbside_domain::time::Mono;
use kerbside_site::config::Sensor;

use super::context::StepContext;
use super::effect::Effect;

/// The alarm of one sensor.
#[derive(Debug)]
pub(super) struct SensorMonitor {
    config: Sensor,
    active: bool,
    /// The latest reading that can be believed.
    last: Option<Reading>,
    /// Since when the readings require the other state.
    pending_since: Option<Mono>,
    /// Since when it reads the same, to the last digit.
    unchanged_since: Option<Mono>,
}

impl SensorMonitor {
    pub(super) fn new(config: Sensor) -> Self {
        SensorMonitor { config, active: false, last: None, pending_since: None, unchanged_since: None }
    }

    pub(super) fn is(&self, sensor: &str) -> bool {
        self.config.id == sensor
    }

    pub(super) fn reading(&mut self, reading: Reading, context: &mut StepContext<'_>) {
        if reading.suspicious.is_some() || !reading.value.is_finite() {
            context.counters.readings_suspicious += 1;
            return;
        }
        let (at, value) = (reading.arrived.mono, reading.value);
        if self.last.as_ref().is_none_or(|last| last.value != value) {
            self.unchanged_since = Some(at);
        }
        self.last = Some(reading);
        let Some(limit) = self.config.alarm_above else { return };
        // Between the two limits the alarm stays as it is: a level that swings about one of them is one alarm.
        let requires_other = match self.active {
            false => value > limit,
            true => value <= self.config.clear_below.unwrap_or(limit),
        };
        if requires_other {
            self.pending_since.get_or_insert(at);
        } else {
            self.pending_since = None;
        }
        self.advance(at, context);
    }

    /// A press of a call button. Each is told, with the durable message that its acknowledgement waits for.
    pub(super) fn press(&mut self, reading: Reading, context: &mut StepContext<'_>) {
        context.counters.sensor_alarms += 1;
        self.last = Some(reading.clone());
        context.effects.push(Effect::SensorAlarm { reading, active: true });
    }

    /// Sensors that report on change only alarm without a second reading, as long as the first is not too old.
    pub(super) fn advance(&mut self, now: Mono, context: &mut StepContext<'_>) {
        let (Some(since), Some(last)) = (self.pending_since, &self.last) else { return };
        let is_recent = now.since_s(last.arrived.mono) <= self.config.max_age_s;
        if is_recent && now.since_s(since) >= self.config.alarm_for_s {
            self.active = !self.active;
            self.pending_since = None;
            context.counters.sensor_alarms += u64::from(self.active);
            context.effects.push(Effect::SensorAlarm { reading: last.clone(), active: self.active });
        }
    }
}
