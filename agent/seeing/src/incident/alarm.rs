//! Sensor alarms: above the limit for long enough, and below it for as long before it is over.

use kerbside_domain::time::Mono;
use kerbside_site::config::Sensor;

use super::life::StepContext;
use super::{Effect, Reading};

#[derive(Debug)]
pub(super) struct SensorWatch {
    config: Sensor,
    active: bool,
    /// The latest reading that can be believed.
    last: Option<Reading>,
    /// Since when the readings ask for the other state.
    asking_since: Option<Mono>,
}

impl SensorWatch {
    pub(super) fn new(config: Sensor) -> Self {
        SensorWatch { config, active: false, last: None, asking_since: None }
    }

    pub(super) fn is(&self, sensor: &str) -> bool {
        self.config.id == sensor
    }

    pub(super) fn reading(&mut self, reading: Reading, voice: &mut StepContext<'_>) {
        if reading.suspicious.is_some() || !reading.value.is_finite() {
            voice.counters.readings_suspicious += 1;
            return;
        }
        let Some(limit) = self.config.alarm_above else { return };
        let at = reading.arrived.mono;
        let above = reading.value > limit;
        self.last = Some(reading);
        if above == self.active {
            self.asking_since = None;
        } else {
            self.asking_since.get_or_insert(at);
        }
        self.advance(at, voice);
    }

    /// Sensors that report on change only alarm without a second reading, as long as the first is not too old.
    pub(super) fn advance(&mut self, now: Mono, voice: &mut StepContext<'_>) {
        let (Some(since), Some(last)) = (self.asking_since, &self.last) else { return };
        let fresh = now.since_s(last.arrived.mono) <= self.config.max_age_s;
        if fresh && now.since_s(since) >= self.config.alarm_for_s {
            self.active = !self.active;
            self.asking_since = None;
            voice.counters.sensor_alarms += u64::from(self.active);
            voice.effects.push(Effect::SensorAlarm { reading: last.clone(), active: self.active });
        }
    }
}
