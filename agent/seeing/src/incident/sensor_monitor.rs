//! One sensor: the condition that it is in, its alarm, and what is reported on its word.
//!
//! A reading above the limit for long enough raises the alarm, one at or below the lower limit for as long ends it.

use kerbside_domain::patrol::SensorPatrol;
use kerbside_domain::reading::{Reading, SensorCondition};
use kerbside_domain::time::{Moment, Mono};
use kerbside_site::config::{Sensor, SensorKind, With};

use super::context::StepContext;
use super::effect::Effect;
use super::incidents::Incidents;
use super::reasons;
use super::tuning::sensors::TELL_EVERY_S;

/// The state of one sensor.
#[derive(Debug)]
pub(super) struct SensorMonitor {
    pub(super) config: Sensor,
    active: bool,
    /// The latest reading that can be believed.
    last: Option<Reading>,
    /// What came after it cannot be believed.
    is_doubted: bool,
    /// Since when the readings require the other state.
    pending_since: Option<Mono>,
    /// Since when it reads the same, to the last digit.
    unchanged_since: Option<Mono>,
    /// When somebody began to listen.
    listened_since: Option<Mono>,
    /// The fault that the centre was told of, and when it was told of this one or of its end.
    told: Option<SensorCondition>,
    told_at: Option<Mono>,
    /// What is reported on its word.
    pub(super) incidents: Incidents,
}

impl SensorMonitor {
    pub(super) fn new(config: Sensor) -> Self {
        SensorMonitor {
            config,
            active: false,
            last: None,
            is_doubted: false,
            pending_since: None,
            unchanged_since: None,
            listened_since: None,
            told: None,
            told_at: None,
            incidents: Incidents::default(),
        }
    }

    pub(super) fn is(&self, sensor: &str) -> bool {
        self.config.id == sensor
    }

    pub(super) fn last_reading(&self) -> Option<Reading> {
        self.last.clone()
    }

    pub(super) fn reading(&mut self, reading: Reading, context: &mut StepContext<'_>) {
        let at = reading.arrived;
        if reading.suspicious.is_some() || !reading.value.is_finite() {
            context.counters.readings_suspicious += 1;
            self.is_doubted = true;
            return self.tell_condition(at, context);
        }
        let value = reading.value;
        self.believe(reading);
        let Some(limit) = self.config.alarm_above else { return self.tell_condition(at, context) };
        // Between the two limits the alarm stays as it is: a level that swings about one of them is one alarm.
        let requires_other = match self.active {
            false => value > limit,
            true => value <= self.config.clear_below.unwrap_or(limit),
        };
        if requires_other {
            self.pending_since.get_or_insert(at.mono);
        } else {
            self.pending_since = None;
        }
        self.advance(at, context);
    }

    /// A press of a call button. Whoever brought it waits until what follows is durable.
    pub(super) fn press(&mut self, reading: Reading, context: &mut StepContext<'_>) {
        context.counters.sensor_alarms += 1;
        self.believe(reading.clone());
        self.call(&reading, context);
    }

    fn believe(&mut self, reading: Reading) {
        let is_same = self.last.as_ref().is_some_and(|last| last.value.to_bits() == reading.value.to_bits());
        if !is_same {
            self.unchanged_since = Some(reading.arrived.mono);
        }
        self.last = Some(reading);
        self.is_doubted = false;
    }

    /// The condition that the sensor is in. One that never read is silent.
    pub(super) fn condition(&self, now: Mono) -> SensorCondition {
        let age_s = self.last.as_ref().map(|last| now.since_s(last.arrived.mono));
        let silence_is_normal = self.config.max_age_s.is_infinite();
        let unchanged_s = self.unchanged_since.map_or(0.0, |since| now.since_s(since));
        if !silence_is_normal && age_s.is_none_or(|age_s| age_s > self.config.max_age_s) {
            SensorCondition::Silent
        } else if self.is_doubted {
            SensorCondition::Implausible
        } else if unchanged_s >= self.config.stuck_after_s {
            SensorCondition::Stuck
        } else if self.is_alarmed() {
            SensorCondition::Alarm
        } else {
            SensorCondition::Fresh
        }
    }

    /// As a patrol report lists it.
    pub(super) fn patrolled(&self, now: Mono) -> SensorPatrol {
        let age_s = self.last.as_ref().map(|last| now.since_s(last.arrived.mono));
        SensorPatrol {
            sensor: self.config.id.as_str().into(),
            condition: self.condition(now),
            value: self.last.as_ref().map(|last| last.value),
            unit: self.config.unit.as_str().into(),
            age_s: age_s.map(reasons::tenths),
            alarm: self.is_alarmed(),
        }
    }

    /// Its alarm is on, or its call is open.
    fn is_alarmed(&self) -> bool {
        self.active || (self.config.kind == SensorKind::CallButton && self.incidents.has_own_alarm())
    }

    /// Whether a rule's condition on it holds; `None`: what it read last proves nothing.
    pub(super) fn says(&self, with: &With, now: Mono) -> Option<bool> {
        match self.condition(now) {
            SensorCondition::Silent | SensorCondition::Implausible | SensorCondition::Stuck => None,
            SensorCondition::Alarm | SensorCondition::Fresh => {
                self.last.as_ref().map(|last| with.holds(last.value))
            }
        }
    }

    /// Time passes. Sensors that report on change only alarm without a second reading, as long as the first is not too old.
    pub(super) fn advance(&mut self, now: Moment, context: &mut StepContext<'_>) {
        self.listened_since.get_or_insert(now.mono);
        self.tell_condition(now, context);
        self.end_call(now, context);
        let (Some(since), Some(last)) = (self.pending_since, self.last.clone()) else { return };
        let is_recent = now.mono.since_s(last.arrived.mono) <= self.config.max_age_s;
        if is_recent && now.mono.since_s(since) >= self.config.alarm_for_s {
            self.active = !self.active;
            self.pending_since = None;
            context.counters.sensor_alarms += u64::from(self.active);
            context.effects.push(Effect::SensorAlarm { reading: last.clone(), active: self.active });
            self.own_alarm(self.active, since, now, &last, context);
        }
    }

    /// The alarm goes on that an earlier run reported.
    pub(super) fn resume(&mut self) {
        self.active = self.config.alarm_above.is_some() && self.incidents.has_own_alarm();
    }

    /// Says once when it can no longer be believed, and once when it can again. A sensor that was never heard of is silent after
    /// as long as one that was.
    fn tell_condition(&mut self, now: Moment, context: &mut StepContext<'_>) {
        let condition = self.condition(now.mono);
        let listened_s = self.listened_since.map_or(0.0, |since| now.mono.since_s(since));
        let is_early = self.last.is_none() && listened_s <= self.config.max_age_s;
        let fault = match condition {
            SensorCondition::Silent if is_early => return,
            SensorCondition::Silent | SensorCondition::Implausible | SensorCondition::Stuck => {
                Some(condition)
            }
            SensorCondition::Alarm | SensorCondition::Fresh => None,
        };
        // One that comes and goes with each reading is told now and then.
        let is_recent = self.told_at.is_some_and(|at| now.mono.since_s(at) < TELL_EVERY_S);
        if fault == self.told || is_recent {
            return;
        }
        (self.told, self.told_at) = (fault, Some(now.mono));
        context.counters.sensor_faults += u64::from(fault.is_some());
        let sensor = self.config.id.as_str().into();
        context.effects.push(Effect::SensorCondition { sensor, at: now, condition, last: self.last.clone() });
    }
}
