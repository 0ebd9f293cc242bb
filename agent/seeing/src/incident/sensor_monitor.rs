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
}

impl SensorMonitor {
    pub(super) fn new(config: Sensor) -> Self {
        SensorMonitor { config, active: false, last: None, pending_since: None }
    }

    pub(super) fn is(&self, sensor: &str) -> bool {
        self.config.id == sensor
    }

    pub(super) fn reading(&mut self, reading: Reading, context: &mut StepContext<'_>) {
        if reading.suspicious.is_some() || !reading.value.is_finite() {
            context.counters.readings_suspicious += 1;
            return;
        }
        let Some(limit) = self.config.alarm_above else { return };
        let at = reading.arrived.mono;
        let above = reading.value > limit;
        self.last = Some(reading);
        if above == self.active {
            self.pending_since = None;
        } else {
            self.pending_since.get_or_insert(at);
        }
        self.advance(at, context);
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
