//! What the desk does as time passes: ticks for the core, health, saved incidents brought up to date, old evidence deleted.

use super::{Desk, items};
use crate::app::{evidence_dir, watermark};
use crate::evidence::{Pruned, Retention, Room, Spared, Worker};
use kerbside_domain::time::{ClockQuality, Moment, Mono};
use kerbside_seeing::incident::Input;
use kerbside_trace::delivery::{Item, Stats};
use kerbside_wire as wire;

/// Between two comparisons of what is saved of the incidents with what the core knows, s.
const SAVE_PERIOD_S: f64 = 60.0;
/// Between two `device.health` messages, s.
const HEALTH_PERIOD_S: f64 = 60.0;
/// Between two looks at the evidence folder's size, s.
const PRUNE_PERIOD_S: f64 = 300.0;
/// The same while the disk is nearly full, s.
const PRUNE_PERIOD_FULL_S: f64 = 5.0;

impl Desk {
    /// After each input and when none comes; `waiting`: inputs that wait.
    pub(super) fn tick(&mut self, waiting: usize) {
        let now = self.clock.now();
        let due: Vec<Moment> = self.ticks.due(now).collect();
        if due.is_empty() {
            return;
        }
        self.meter.alive();
        self.meter.core(&self.core, waiting);
        self.orders.resume(now).into_iter().for_each(|input| self.step(input));
        self.tell_pauses();
        due.into_iter().for_each(|at| self.step(Input::Tick(at)));
        self.commit();
        let stats = self.delivery.stats().ok();
        if let Some(stats) = &stats {
            let evidence = self.evidence.as_ref().map_or(0, Worker::depth);
            self.meter.delivery(stats, evidence, self.unwritten.len());
        }
        self.tell_health(stats.as_ref(), now);
        if let Some(stats) = &stats
            && now.mono.since_s(self.saved) >= SAVE_PERIOD_S
            && !self.disk_refuses
        {
            self.saved = now.mono;
            self.save(stats.incidents);
        }
        if now.mono >= self.prune_at {
            self.prune(now);
        }
    }

    fn tell_health(&mut self, stats: Option<&Stats>, now: Moment) {
        let due =
            self.reported_health == Mono::ZERO || now.mono.since_s(self.reported_health) >= HEALTH_PERIOD_S;
        if due && !self.disk_refuses {
            self.reported_health = now.mono;
            let values = crate::app::meter::health_values(&self.site, &self.core, stats);
            self.unwritten.push(Item::Message(Box::new(wire::health(&values, now))));
            self.write();
        }
    }

    /// Brings what is saved of the incidents up to date, and forgets those that the core has retired.
    fn save(&mut self, kept: usize) {
        let records = self.core.snapshot();
        if std::mem::take(&mut self.reported) || kept != records.len() {
            self.unwritten.extend(items::whole(&records));
            self.write();
        }
    }

    fn prune(&mut self, now: Moment) {
        let watermark = watermark(&self.site);
        let full = watermark.room() != Room::All;
        self.prune_at = now.mono.plus_s(if full { PRUNE_PERIOD_FULL_S } else { PRUNE_PERIOD_S });
        // Who cannot say what is acknowledged is about to end.
        let Ok(unfinished) = self.delivery.unfinished() else { return };
        let open = self.core.open_incidents().map(|r| r.incident_id.clone());
        let spared = Spared {
            held: open.chain(unfinished.granted).collect(),
            unacknowledged: unfinished.unacknowledged,
        };
        let retention = Retention {
            max_bytes: self.site.evidence.max_bytes,
            max_age_days: Some(self.site.evidence.max_age_days).filter(|_| now.quality != ClockQuality::None),
            lacking: watermark.lacking(),
        };
        match retention.prune(&evidence_dir(&self.site), now.wall_ms, &spared) {
            Ok(pruned) if pruned.incidents > 0 => self.tell_pruned(&pruned, now),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old evidence cannot be deleted"),
        }
    }

    /// What the centre was promised and will not get is said to it.
    fn tell_pruned(&mut self, pruned: &Pruned, now: Moment) {
        let gone = pruned.unacknowledged.len();
        tracing::info!(
            incidents = pruned.incidents,
            bytes = pruned.bytes,
            unacknowledged = gone,
            "old evidence deleted"
        );
        let body = serde_json::json!({
            "incidents": pruned.incidents, "bytes": pruned.bytes, "unacknowledged": pruned.unacknowledged,
        });
        self.unwritten.push(Item::Note { kind: "evidence", body });
        for incident in &pruned.unacknowledged {
            let why = "deleted before the report was acknowledged: nothing else was left to make room with";
            let draft = wire::evidence_failed(&incident.to_lowercase(), incident, why, now);
            self.unwritten.push(Item::Message(Box::new(draft)));
        }
        self.write();
    }
}
