//! The metrics and the typed handles that stages hold. A handle is cheap to clone; using one is an atomic operation
//! (a histogram takes a short lock).
//!
//! OpenMetrics text; names begin with `kerbside_`, times are in seconds.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::Level;
use kerbside_domain::kind::Kind;
use kerbside_domain::report::Phase;

/// A stage of the line that counts what passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Source,
    Gate,
    Detector,
    CloseUp,
    Core,
    Evidence,
    Journal,
    Outbox,
    Link,
    Sensor,
    Gnss,
}

impl Stage {
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Source => "source",
            Stage::Gate => "gate",
            Stage::Detector => "detector",
            Stage::CloseUp => "close_up",
            Stage::Core => "core",
            Stage::Evidence => "evidence",
            Stage::Journal => "journal",
            Stage::Outbox => "outbox",
            Stage::Link => "link",
            Stage::Sensor => "sensor",
            Stage::Gnss => "gnss",
        }
    }
}

impl EncodeLabelValue for Stage {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStage {
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCamera {
    camera: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCameraState {
    camera: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfQueue {
    queue: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDrop {
    /// The queue and what its policy gave up, e.g. `slot_older_look`.
    policy: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLane {
    lane: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReport {
    kind: &'static str,
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFinding {
    finding: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRefusal {
    rule: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    outcome: &'static str,
}

/// Bounds of frame age and inference time, s: dense around a look's period, where the goals are.
const SECONDS: [f64; 18] =
    [0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.7, 1.5, 4.0, 10.0, 20.0];

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

const STATES: [&str; 3] = ["watching", "blind", "off"];

#[derive(Debug)]
struct Families {
    registry: Registry,
    look_age: Family<OfCamera, Histogram, fn() -> Histogram>,
    inference: Histogram,
    items: Family<OfStage, Counter>,
    queue: Family<OfQueue, Gauge>,
    dropped: Family<OfDrop, Counter>,
    outbox: Family<OfLane, Gauge>,
    looks: Family<OfCamera, Counter>,
    decode_errors: Family<OfCamera, Counter>,
    level: Family<OfCamera, Gauge>,
    camera_state: Family<OfCameraState, Gauge>,
    reports: Family<OfReport, Counter>,
    findings: Family<OfFinding, Counter>,
    refusals: Family<OfRefusal, Counter>,
    ring_bytes: Family<OfCamera, Gauge>,
    ring_seconds: Family<OfCamera, Gauge<f64, AtomicU64>>,
    readings: Family<OfOutcome, Counter>,
    gnss_lines: Family<OfOutcome, Counter>,
    delivery: Family<OfOutcome, Counter>,
    resident: Gauge<f64, AtomicU64>,
}

/// All metrics of the program. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    families: Arc<Families>,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let mut r = Registry::with_prefix("kerbside");
        let look_age = Family::new_with_constructor(seconds as fn() -> Histogram);
        r.register("look_age_seconds", "Age of a look when its inference ended", look_age.clone());
        let inference = seconds();
        r.register(
            "inference_seconds",
            "Time of the inferences of one look, close-up and all",
            inference.clone(),
        );
        let items = Family::default();
        r.register("stage_items", "What passed a stage", items.clone());
        let queue = Family::default();
        r.register("queue_depth", "What waits in a queue now", queue.clone());
        let dropped = Family::default();
        r.register("dropped", "What a full queue gave up, by the policy that says so", dropped.clone());
        let outbox = Family::default();
        r.register("outbox_messages", "Messages not yet acknowledged", outbox.clone());
        let looks = Family::default();
        r.register("camera_looks", "Looks that a camera gave", looks.clone());
        let decode_errors = Family::default();
        r.register(
            "camera_decode_errors",
            "Packets that gave no picture and pictures that are not whole",
            decode_errors.clone(),
        );
        let level = Family::default();
        r.register("decode_level", "How much of a stream is decoded: 0, 1 or 2", level.clone());
        let camera_state = Family::default();
        r.register("camera_state", "1 for the state the camera is in", camera_state.clone());
        let reports = Family::default();
        r.register("reports", "Statements about incidents", reports.clone());
        let findings = Family::default();
        r.register("core_findings", "What the core decided, by its own words", findings.clone());
        let refusals = Family::default();
        r.register(
            "refusals",
            "Things that stayed and still broke no rule, by rule and reason",
            refusals.clone(),
        );
        let ring_bytes = Family::default();
        r.register("ring_bytes", "Packets held for evidence", ring_bytes.clone());
        let ring_seconds = Family::default();
        r.register("ring_seconds", "Time that the packets held for evidence span", ring_seconds.clone());
        let readings = Family::default();
        r.register("sensor_readings", "Readings of sensors, by what became of them", readings.clone());
        let gnss_lines = Family::default();
        r.register("gnss_lines", "Lines of the GNSS receiver, by what became of them", gnss_lines.clone());
        let delivery = Family::default();
        r.register("delivery", "What journal, outbox and commands met with", delivery.clone());
        let resident = Gauge::default();
        r.register("resident_bytes", "Memory the parent process holds", resident.clone());
        let families = Families {
            registry: r,
            look_age,
            inference,
            items,
            queue,
            dropped,
            outbox,
            looks,
            decode_errors,
            level,
            camera_state,
            reports,
            findings,
            refusals,
            ring_bytes,
            ring_seconds,
            readings,
            gnss_lines,
            delivery,
            resident,
        };
        Metrics { families: Arc::new(families) }
    }

    /// Handles of one camera, by its configured id.
    pub fn camera(&self, id: &str) -> CameraMetrics {
        let label = OfCamera { camera: id.to_owned() };
        let state = |state| OfCameraState { camera: id.to_owned(), state };
        CameraMetrics {
            look_age: self.families.look_age.get_or_create_owned(&label),
            looks: self.families.looks.get_or_create_owned(&label),
            decode_errors: self.families.decode_errors.get_or_create_owned(&label),
            level: self.families.level.get_or_create_owned(&label),
            ring_bytes: self.families.ring_bytes.get_or_create_owned(&label),
            ring_seconds: self.families.ring_seconds.get_or_create_owned(&label),
            states: STATES.map(|s| self.families.camera_state.get_or_create_owned(&state(s))),
        }
    }

    /// Counts what passes a stage.
    pub fn stage(&self, stage: Stage) -> Counter {
        self.families.items.get_or_create_owned(&OfStage { stage })
    }

    pub fn inference(&self) -> Histogram {
        self.families.inference.clone()
    }

    pub fn queue(&self, queue: &'static str) -> Gauge {
        self.families.queue.get_or_create_owned(&OfQueue { queue })
    }

    /// Counts what a queue gave up; the policy names the queue and what it gives up, e.g. `slot_older_look`.
    pub fn dropped(&self, policy: &'static str) -> Counter {
        self.families.dropped.get_or_create_owned(&OfDrop { policy })
    }

    pub fn outbox(&self, lane: u8) -> Gauge {
        self.families.outbox.get_or_create_owned(&OfLane { lane: u32::from(lane) })
    }

    pub fn report(&self, kind: Kind, phase: Phase) -> Counter {
        let phase = match phase {
            Phase::Opened => "opened",
            Phase::Updated => "updated",
            Phase::Cleared => "cleared",
            Phase::Withdrawn => "withdrawn",
            Phase::Recheck => "recheck",
        };
        self.families.reports.get_or_create_owned(&OfReport { kind: kind.as_str(), phase })
    }

    /// Counts what the delivery met with: `read_error`, `append_error`, `refused_from_above`, `command`.
    pub fn delivery(&self, outcome: &'static str) -> Counter {
        self.families.delivery.get_or_create_owned(&OfOutcome { outcome })
    }

    /// Counts what the core decided, e.g. `candidates_gone`.
    pub fn finding(&self, finding: &'static str) -> Counter {
        self.families.findings.get_or_create_owned(&OfFinding { finding })
    }

    /// Counts things that stayed long enough and broke no rule, by rule id and reason.
    pub fn refusal(&self, rule: &str, reason: &'static str) -> Counter {
        self.families.refusals.get_or_create_owned(&OfRefusal { rule: rule.to_owned(), reason })
    }

    pub fn sensors(&self) -> SensorMetrics {
        let reading = |outcome| self.families.readings.get_or_create_owned(&OfOutcome { outcome });
        let line = |outcome| self.families.gnss_lines.get_or_create_owned(&OfOutcome { outcome });
        SensorMetrics {
            accepted: reading("accepted"),
            suspicious: reading("suspicious"),
            malformed: reading("malformed"),
            unknown_topic: reading("unknown_topic"),
            readings_dropped: self.dropped("readings_newest"),
            gnss_good: line("good"),
            gnss_bad: line("bad"),
            gnss_dropped: self.dropped("gnss_newest"),
        }
    }

    /// OpenMetrics text of everything, with the memory as it is now.
    pub fn render(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            self.families.resident.set(bytes);
        }
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.families.registry);
        text
    }
}

/// Handles of one camera.
#[derive(Clone, Debug)]
pub struct CameraMetrics {
    /// Observe the age of a look, s, when its inference ended.
    pub look_age: Histogram,
    pub looks: Counter,
    pub decode_errors: Counter,
    level: Gauge,
    ring_bytes: Gauge,
    ring_seconds: Gauge<f64, AtomicU64>,
    states: [Gauge; 3],
}

impl CameraMetrics {
    pub fn set_level(&self, level: Level) {
        self.level.set(match level {
            Level::L0 => 0,
            Level::L1 => 1,
            Level::L2 => 2,
        });
    }

    /// What the camera's packet ring holds now.
    pub fn set_ring(&self, bytes: usize, seconds: f64) {
        self.ring_bytes.set(bytes as i64);
        self.ring_seconds.set(seconds);
    }

    pub fn set_state(&self, state: CameraState) {
        let now = match state {
            CameraState::Watching => 0,
            CameraState::Blind(_) => 1,
            CameraState::Off(_) => 2,
        };
        for (ix, gauge) in self.states.iter().enumerate() {
            gauge.set(i64::from(ix == now));
        }
    }
}

/// Handles of the sensor and GNSS adapters.
#[derive(Clone, Debug)]
pub struct SensorMetrics {
    pub accepted: Counter,
    pub suspicious: Counter,
    pub malformed: Counter,
    pub unknown_topic: Counter,
    pub readings_dropped: Counter,
    pub gnss_good: Counter,
    pub gnss_bad: Counter,
    pub gnss_dropped: Counter,
}

/// Resident set of this process, bytes, from /proc/self/statm.
fn resident_bytes() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kerbside_domain::camera_state::Off;

    #[test]
    fn what_the_handles_count_is_rendered() {
        let metrics = Metrics::new();
        let camera = metrics.camera("cam1");
        camera.look_age.observe(0.03);
        camera.set_level(Level::L2);
        camera.set_ring(1500, 2.5);
        camera.set_state(CameraState::Watching);
        camera.set_state(CameraState::Off(Off::Silent));
        metrics.stage(Stage::Gate).inc_by(3);
        metrics.dropped("slot_older_look").inc();
        metrics.queue("core").set(7);
        metrics.outbox(0).set(2);
        metrics.report(Kind::WasteExposed, Phase::Opened).inc();
        metrics.finding("candidates").inc_by(4);
        metrics.refusal("no-dumping", "attended").inc();
        let text = metrics.clone().render();
        for line in [
            "kerbside_look_age_seconds_bucket{le=\"0.04\",camera=\"cam1\"} 1",
            "kerbside_decode_level{camera=\"cam1\"} 2",
            "kerbside_camera_state{camera=\"cam1\",state=\"watching\"} 0",
            "kerbside_camera_state{camera=\"cam1\",state=\"off\"} 1",
            "kerbside_stage_items_total{stage=\"gate\"} 3",
            "kerbside_dropped_total{policy=\"slot_older_look\"} 1",
            "kerbside_queue_depth{queue=\"core\"} 7",
            "kerbside_outbox_messages{lane=\"0\"} 2",
            "kerbside_reports_total{kind=\"waste.exposed\",phase=\"opened\"} 1",
            "kerbside_core_findings_total{finding=\"candidates\"} 4",
            "kerbside_refusals_total{rule=\"no-dumping\",reason=\"attended\"} 1",
            "kerbside_ring_bytes{camera=\"cam1\"} 1500",
            "kerbside_ring_seconds{camera=\"cam1\"} 2.5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        let resident = text.lines().find_map(|l| l.strip_prefix("kerbside_resident_bytes ")).unwrap();
        assert!(resident.parse::<f64>().unwrap() > 1e6, "{resident}");
    }
}
