//! What each stage says of itself: handles into the metrics, pulses for the watchdog, and the `device.health` message.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use serde_json::{Map, Value, json};

use crate::health::{self, CameraMetrics, Liveness, Metrics, Pulse, Stage};
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{CameraIx, Level};
use kerbside_domain::report::Report;
use kerbside_domain::time::Clock;
use kerbside_infer::worker::InferenceTiming;
use kerbside_media::ring::PacketRing;
use kerbside_seeing::incident::Core;
use kerbside_site::config::Site;
use kerbside_trace::delivery::Stats;

/// How long each stage may stay silent before it counts as hanging, s. The detector needs none: its runs are time-limited.
const CAMERA_LIMIT_S: f64 = 30.0;
const CORE_LIMIT_S: f64 = 15.0;
/// A picture and a clip may be cut in one turn, each in a child that is killed after 30 s.
const EVIDENCE_LIMIT_S: f64 = 120.0;

pub(super) struct Meters {
    metrics: Metrics,
    liveness: Arc<Liveness>,
    clock: Arc<dyn Clock>,
    cameras: Vec<(String, CameraMetrics)>,
}

impl Meters {
    pub(super) fn new(site: &Site, clock: Arc<dyn Clock>) -> Self {
        let metrics = Metrics::new();
        let cameras = site.cameras.iter().map(|c| (c.id.clone(), metrics.camera(&c.id))).collect();
        Meters { metrics, liveness: Liveness::new(), clock, cameras }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn pulse(&self, stage: &str, limit_s: f64) -> Pulse {
        self.liveness.stage(stage, limit_s, self.clock.now().mono)
    }

    pub(super) fn camera(&self, camera: CameraIx, ring: Arc<Mutex<PacketRing>>) -> Option<CameraMeter> {
        let (id, metrics) = self.cameras.get(usize::from(camera.0))?;
        Some(CameraMeter {
            metrics: metrics.clone(),
            ring,
            looks: self.metrics.stage(Stage::Gate),
            packets: self.metrics.stage(Stage::Source),
            overwritten: self.metrics.dropped("slot_older_look"),
            skipped: self.metrics.dropped("capture_older_look"),
            overtaking: self.metrics.dropped("gate_closed_look_overtaking"),
            last: kerbside_media::source::Stats::default(),
            pulse: self.pulse(&format!("camera-{id}"), CAMERA_LIMIT_S),
        })
    }

    pub(super) fn detector(&self) -> DetectorMeter {
        DetectorMeter {
            looks: self.metrics.stage(Stage::Detector),
            failed: self.metrics.dropped("detector_failed_look"),
            inference: self.metrics.inference(),
            close_ups: self.metrics.stage(Stage::CloseUp),
            ages: self.cameras.iter().map(|(_, m)| m.look_age.clone()).collect(),
        }
    }

    pub(super) fn evidence(&self) -> impl Fn(&crate::evidence::Counters) + Send + 'static {
        let pulse = self.pulse("evidence", EVIDENCE_LIMIT_S);
        let made = self.metrics.stage(Stage::Evidence);
        let degraded = self.metrics.dropped("evidence_clip_cut_short");
        let keeps = self.metrics.dropped("evidence_oldest_keep");
        move |now| {
            pulse.beat();
            raise(&made, now.pictures + now.clips);
            raise(&degraded, now.degraded);
            raise(&keeps, now.keeps_dropped);
        }
    }

    pub(super) fn core(&self) -> CoreMeter {
        CoreMeter {
            metrics: self.metrics.clone(),
            cameras: self.cameras.iter().map(|(_, m)| m.clone()).collect(),
            inputs: self.metrics.stage(Stage::Core),
            journal: self.metrics.stage(Stage::Journal),
            link: self.metrics.stage(Stage::Link),
            evicted: self.metrics.dropped("outbox_telemetry"),
            buried: self.metrics.dropped("outbox_buried"),
            left_out: self.metrics.dropped("disk_refuses"),
            waiting: self.metrics.queue("core"),
            unwritten: self.metrics.queue("unwritten"),
            evidence: self.metrics.queue("evidence"),
            pulse: self.pulse("core", CORE_LIMIT_S),
        }
    }

    /// Serves `/metrics` and `/healthz` and feeds the watchdog, as tasks of the current runtime.
    pub(super) fn serve(&self, site: &Site) -> tokio::task::JoinHandle<()> {
        let (metrics, liveness, clock) = (self.metrics.clone(), self.liveness.clone(), self.clock.clone());
        let listen = site.health.listen;
        tokio::spawn(async move {
            let watch = health::watch(liveness.clone(), clock.clone());
            let serve = async {
                let server = health::bind(listen).await?;
                tracing::info!(address = %server.addr(), "metrics and health");
                server.run(metrics, liveness, clock, std::future::pending()).await
            };
            let (served, ()) = tokio::join!(serve, watch);
            if let Err(error) = served {
                tracing::error!(%error, "no metrics, no health page");
            }
        })
    }
}

/// Brings a counter up to a total that its stage keeps itself.
fn raise(counter: &Counter, total: u64) {
    counter.inc_by(total.saturating_sub(counter.get()));
}

pub(super) struct CameraMeter {
    metrics: CameraMetrics,
    ring: Arc<Mutex<PacketRing>>,
    looks: Counter,
    packets: Counter,
    overwritten: Counter,
    skipped: Counter,
    overtaking: Counter,
    last: kerbside_media::source::Stats,
    pulse: Pulse,
}

impl CameraMeter {
    pub(super) fn look(&self, level: Level) {
        self.pulse.beat();
        self.looks.inc();
        self.metrics.looks.inc();
        self.metrics.set_level(level);
        let ring = self.ring.lock();
        let span_s = ring.latest().zip(ring.oldest()).map_or(0.0, |(to, from)| to.mono.since_s(from.mono));
        self.metrics.set_ring(ring.bytes(), span_s);
    }

    /// The slot held an older look that nobody will see.
    pub(super) fn overwritten(&self) {
        self.overwritten.inc();
    }

    /// A look that the gate closed came while the detector still had an earlier one.
    pub(super) fn overtaking(&self) {
        self.overtaking.inc();
    }

    /// Counters of the capture child, which begin anew with each child.
    pub(super) fn capture(&mut self, stats: &kerbside_media::source::Stats) {
        self.packets.inc_by(stats.packets.saturating_sub(self.last.packets));
        self.skipped.inc_by(stats.frames_dropped.saturating_sub(self.last.frames_dropped));
        self.metrics.decode_errors.inc_by(stats.decode_errors.saturating_sub(self.last.decode_errors));
        self.last = *stats;
    }

    pub(super) fn restarted(&mut self) {
        self.last = kerbside_media::source::Stats::default();
    }

    pub(super) fn alive(&self) {
        self.pulse.beat();
    }
}

impl Drop for CameraMeter {
    fn drop(&mut self) {
        self.pulse.end();
    }
}

pub(super) struct DetectorMeter {
    looks: Counter,
    failed: Counter,
    inference: Histogram,
    close_ups: Counter,
    ages: Vec<Histogram>,
}

impl DetectorMeter {
    pub(super) fn observe(&self, seen: InferenceTiming) {
        self.looks.inc();
        self.inference.observe(seen.inference_s);
        if let Some(age) = self.ages.get(usize::from(seen.camera.0)) {
            age.observe(seen.age_s);
        }
        if seen.close_up {
            self.close_ups.inc();
        }
        if !seen.ok {
            self.failed.inc();
        }
    }
}

pub(super) struct CoreMeter {
    metrics: Metrics,
    cameras: Vec<CameraMetrics>,
    inputs: Counter,
    journal: Counter,
    link: Counter,
    evicted: Counter,
    buried: Counter,
    left_out: Counter,
    waiting: Gauge,
    unwritten: Gauge,
    evidence: Gauge,
    pulse: Pulse,
}

impl CoreMeter {
    pub(super) fn input(&self) {
        self.inputs.inc();
    }

    pub(super) fn report(&self, report: &Report) {
        self.metrics.report(report.kind, report.phase).inc();
    }

    pub(super) fn camera(&self, camera: CameraIx, state: CameraState) {
        if let Some(metrics) = self.cameras.get(usize::from(camera.0)) {
            metrics.set_state(state);
        }
    }

    pub(super) fn delivery(&self, stats: &Stats, evidence: usize, unwritten: usize) {
        for (lane, now) in stats.lanes.iter().enumerate() {
            self.metrics.outbox(lane as u8).set((now.queued + now.waiting) as i64);
        }
        raise(&self.journal, stats.appended);
        raise(&self.link, stats.done + stats.receipts);
        raise(&self.evicted, stats.evicted);
        raise(&self.buried, stats.buried);
        for (outcome, total) in [
            ("read_error", stats.read_errors),
            ("append_error", stats.append_errors),
            ("refused_from_above", stats.refused),
            ("command", stats.commands),
        ] {
            raise(&self.metrics.delivery(outcome), total);
        }
        self.evidence.set(evidence as i64);
        self.unwritten.set(unwritten as i64);
    }

    /// The core's own counts, and how many inputs wait for it.
    pub(super) fn core(&self, core: &Core, waiting: usize) {
        self.waiting.set(waiting as i64);
        for (finding, total) in core.counters().named() {
            raise(&self.metrics.finding(finding), total);
        }
        for ((rule, reason), total) in &core.counters().refused {
            raise(&self.metrics.refusal(rule, reason), *total);
        }
    }

    /// A look or an observation for which there is no room while the disk refuses.
    pub(super) fn left_out(&self) {
        self.left_out.inc();
    }

    pub(super) fn alive(&self) {
        self.pulse.beat();
    }

    pub(super) fn ended(&self) {
        self.pulse.end();
    }
}

/// The body of `device.health`.
pub(super) fn health_values(site: &Site, core: &Core, stats: Option<&Stats>) -> Map<String, Value> {
    let mut values = Map::new();
    let cameras: Map<String, Value> = site
        .cameras
        .iter()
        .map(|c| (c.id.clone(), core.camera_state(c.ix).map_or(Value::Null, |state| json!(state))))
        .collect();
    values.insert("cameras".to_owned(), Value::Object(cameras));
    values.insert("open_incidents".to_owned(), json!(core.open_incidents().count()));
    if let Some(ends_s) = site.centre.tls.as_ref().and_then(kerbside_link::certificates::ends_s) {
        let ends = kerbside_domain::time::rfc3339(ends_s.saturating_mul(1000), site.device.utc_offset_s);
        values.insert("certificate_expires".to_owned(), json!(ends));
    }
    if let Some(stats) = stats {
        let waiting: Vec<usize> = stats.lanes.iter().map(|lane| lane.queued + lane.waiting).collect();
        values.insert("outbox".to_owned(), json!(waiting));
        values.insert("buried".to_owned(), json!(stats.buried));
        values.insert("read_errors".to_owned(), json!(stats.read_errors));
        values.insert("evicted".to_owned(), json!(stats.evicted));
        values.insert("journal_bytes".to_owned(), json!(stats.journal_bytes));
    }
    values
}
