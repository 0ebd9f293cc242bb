//! Work that is due as time passes: ticks for the core, health messages, saved incidents brought up to date, old evidence
//! deleted.

use std::time::Duration;

use kerbside_domain::time::Moment;
use kerbside_seeing::incident::Input;
use kerbside_trace::delivery::{DeliveryStats, Item};
use kerbside_trace::journal::RecordKind;
use kerbside_wire as wire;

use super::state::CoreThread;
use super::{due, messages};
use crate::app::meters::{health_values, link_values};
use crate::app::paths::{evidence_dir, watermark};
use crate::evidence::{EvidenceThread, Protected, Pruned, Retention, Room};

/// How long the thread waits for an event: half the time between two ticks of the core.
pub(super) const WAIT: Duration = Duration::from_millis(250);
/// Between two `device.health` messages, s (contract).
const HEALTH_PERIOD_S: f64 = 60.0;
/// Between two checks of the evidence folder's size, s.
const PRUNE_PERIOD_S: f64 = 300.0;
/// The same while the disk is nearly full, s.
const PRUNE_PERIOD_FULL_S: f64 = 5.0;

impl CoreThread {
    /// Called after each event and when none comes. `waiting`: inputs that wait.
    pub(super) fn tick(&mut self, waiting: usize) {
        let now = self.clock.now();
        let ticks: Vec<Moment> = self.due.ticks.due(now).collect();
        if ticks.is_empty() {
            return;
        }
        self.meter.alive();
        self.meter.core(&self.core, waiting);
        self.commands.expired_pauses(now).into_iter().for_each(|input| self.step(input));
        self.pass_pauses_on();
        ticks.into_iter().for_each(|at| self.step(Input::Tick(at)));
        self.commit();
        let stats = self.delivery.stats().ok();
        if let Some(stats) = &stats {
            let evidence = self.evidence.as_ref().map_or(0, EvidenceThread::depth);
            self.meter.delivery(stats, evidence, self.writes.items());
        }
        if !self.writes.is_refused() {
            self.report_health(stats.as_ref(), now);
        }
        if let Some(stats) = &stats
            && !self.writes.is_refused()
            && due::reached(&mut self.due.save, now.mono, due::SAVE_PERIOD_S)
        {
            self.save_incidents(stats.incidents);
        }
        if now.mono >= self.due.prune {
            self.prune(now);
        }
    }

    fn report_health(&mut self, stats: Option<&DeliveryStats>, now: Moment) {
        if due::reached(&mut self.due.health, now.mono, HEALTH_PERIOD_S) {
            let mut values = health_values(&self.site, &self.core, stats);
            values.extend(link_values(&self.meter.link_status(), stats));
            values.extend(self.meter.camera_values());
            self.writes.message(wire::health(&values, now));
            self.write();
        }
    }

    /// Brings the saved incidents up to date and removes those that the core has retired. `saved`: how many there are.
    fn save_incidents(&mut self, saved: usize) {
        let records = self.core.snapshot();
        if std::mem::take(&mut self.unsaved_report) || saved != records.len() {
            self.writes.extend(messages::all_incidents(&records));
            self.write();
        }
    }

    fn prune(&mut self, now: Moment) {
        let watermark = watermark(&self.site);
        let full = watermark.room() != Room::All;
        self.due.prune = now.mono.plus_s(if full { PRUNE_PERIOD_FULL_S } else { PRUNE_PERIOD_S });
        // A delivery that cannot say what is acknowledged is about to end.
        let Ok(unfinished) = self.delivery.unfinished() else { return };
        let open = self.core.open_incidents().map(|r| r.incident_id.clone());
        let protected = Protected {
            held: open.chain(unfinished.granted).collect(),
            unacknowledged: unfinished.unacknowledged,
        };
        let retention = Retention {
            max_bytes: self.site.evidence.max_bytes,
            max_age_days: Some(self.site.evidence.max_age_days).filter(|_| !unfinished.deletion_paused),
            lacking: watermark.lacking(),
        };
        match retention.prune(&evidence_dir(&self.site), unfinished.now, &protected) {
            Ok(pruned) if pruned.incidents > 0 => self.report_pruned(&pruned, now),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old evidence cannot be deleted"),
        }
    }

    /// The centre is told of evidence that it was promised and will not get.
    fn report_pruned(&mut self, pruned: &Pruned, now: Moment) {
        let unacknowledged = pruned.unacknowledged.len();
        tracing::info!(
            incidents = pruned.incidents,
            bytes = pruned.bytes,
            unacknowledged,
            "old evidence deleted"
        );
        let body = serde_json::json!({
            "incidents": pruned.incidents, "bytes": pruned.bytes, "unacknowledged": pruned.unacknowledged,
        });
        self.writes.item(Item::Note { kind: RecordKind::Evidence, body });
        for incident in &pruned.unacknowledged {
            let why = "deleted before the report was acknowledged: nothing else was left to make room with";
            self.writes.message(wire::evidence_failed(&incident.to_lowercase(), incident, why, now));
        }
        self.write();
    }
}
