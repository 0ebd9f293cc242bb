//! Puts right what a wrong wall clock dated, in each incident, and says so to the centre.

use kerbside_domain::time::Moment;

use super::context::StepContext;
use super::core::Core;
use super::dating::Redating;
use super::effect::Effect;
use super::incidents::Incidents;
use super::lifecycle::Incident;

impl Core {
    /// At each tick.
    pub(super) fn redate(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Some(redating) = self.dating.redating(now) else { return };
        let mut context = super::core::context(&self.settings, &mut self.counters, effects);
        let of_cameras = self.cameras.iter_mut().map(|camera| &mut camera.incidents);
        let of_sensors = self.sensors.iter_mut().map(|sensor| &mut sensor.incidents);
        for incidents in of_cameras.chain(of_sensors) {
            incidents.redate(redating, &mut context);
        }
    }
}

impl Incidents {
    fn redate(&mut self, redating: Redating, context: &mut StepContext<'_>) {
        for incident in self.all_mut() {
            if incident.redate(redating) {
                let items = incident.told.redate(|at| redating.date(at));
                incident.report_redated(redating.now, items, context);
            }
        }
    }

    /// Whether nobody vouched for the clock when something was written down of it.
    pub(super) fn is_undated(incident: &Incident) -> bool {
        let report = &incident.report;
        [report.at, report.first_seen, report.started, report.last_seen].iter().any(|at| !at.is_vouched())
    }
}

impl Incident {
    /// Puts its dates right. Whether the centre was told a wrong one.
    fn redate(&mut self, redating: Redating) -> bool {
        let report = &mut self.report;
        let mut is_wrong = false;
        for at in [&mut report.at, &mut report.first_seen, &mut report.started, &mut report.last_seen] {
            if let Some(date) = redating.date(*at) {
                (*at, is_wrong) = (date, true);
            }
        }
        if let Some(at) = self.closed.as_mut().filter(|_| is_wrong) {
            *at = redating.date(*at).unwrap_or(*at);
        }
        is_wrong
    }
}
