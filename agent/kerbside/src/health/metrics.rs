//! The metrics, and the typed handles that stages hold. A handle is cheap to clone. Its use is an atomic operation; a
//! histogram takes a short lock.
//!
//! OpenMetrics text; names begin with `kerbside_`, times are in seconds.

mod handles;
mod labels;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use kerbside_domain::kind::Kind;
use kerbside_domain::report::Phase;
use kerbside_link::{LinkHealth, LinkProblem};

pub(crate) use handles::{CameraMetrics, SensorMetrics, raise};
use labels::{
    ByCamera, ByCameraOff, ByCameraState, ByDecision, ByDelivery, ByLine, ByLinkProblem, ByLinkState,
    ByPolicy, ByPriority, ByQueue, ByReading, ByRefusal, ByReport, ByStage, ByWall, CameraCondition,
    LineOutcome, ReadingOutcome,
};
pub(crate) use labels::{DeliveryOutcome, DropPolicy, Priority, Queue, Stage};

/// Bounds of frame age and inference time, s. Dense between 10 ms and 0.4 s, where the goals lie: a frame is analysed every
/// 0.2 s.
const SECONDS: [f64; 18] =
    [0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.7, 1.5, 4.0, 10.0, 20.0];

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

#[derive(Debug)]
struct Families {
    frame_age: Family<ByCamera, Histogram, fn() -> Histogram>,
    inference: Histogram,
    items: Family<ByStage, Counter>,
    queue: Family<ByQueue, Gauge>,
    dropped: Family<ByPolicy, Counter>,
    outbox: Family<ByPriority, Gauge>,
    frames: Family<ByCamera, Counter>,
    decode_errors: Family<ByCamera, Counter>,
    clock_faults: Family<ByCamera, Counter>,
    large_groups: Family<ByCamera, Counter>,
    level: Family<ByCamera, Gauge>,
    camera_state: Family<ByCameraState, Gauge>,
    confined: Family<ByWall, Gauge>,
    camera_off: Family<ByCameraOff, Gauge>,
    reports: Family<ByReport, Counter>,
    decisions: Family<ByDecision, Counter>,
    refusals: Family<ByRefusal, Counter>,
    ring_bytes: Family<ByCamera, Gauge>,
    ring_seconds: Family<ByCamera, Gauge<f64, AtomicU64>>,
    readings: Family<ByReading, Counter>,
    gnss_lines: Family<ByLine, Counter>,
    delivery: Family<ByDelivery, Counter>,
    link_state: Family<ByLinkState, Gauge>,
    link_problem: Family<ByLinkProblem, Gauge>,
    link_connections: Counter,
    link_refused: Counter,
    signed: Counter,
    unsigned: Counter,
    scrubbed: Counter,
    damaged: Gauge,
    resident: Gauge<f64, AtomicU64>,
    registry: Registry,
}

/// Registers a metric under its name, with the help text that a scraper shows.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Families {
    fn new() -> Self {
        let mut registry = Registry::with_prefix("kerbside");
        let r = &mut registry;
        let age = Family::new_with_constructor(seconds as fn() -> Histogram);
        Families {
            frame_age: add(r, "frame_age_seconds", "Age of a frame when its inference ended", age),
            inference: add(
                r,
                "inference_seconds",
                "Time of the inferences of one frame, with its close-up",
                seconds(),
            ),
            items: add(r, "stage_items", "Items that passed a stage", Family::default()),
            queue: add(r, "queue_depth", "Items that wait in a queue now", Family::default()),
            dropped: add(r, "dropped", "Items that a full queue gave up, by policy", Family::default()),
            outbox: add(
                r,
                "outbox_messages",
                "Messages not yet acknowledged, by priority",
                Family::default(),
            ),
            frames: add(r, "camera_frames", "Frames of a camera taken for analysis", Family::default()),
            decode_errors: add(
                r,
                "camera_decode_errors",
                "Packets that gave no picture, and pictures that are not whole",
                Family::default(),
            ),
            clock_faults: add(
                r,
                "camera_clock_faults",
                "Streams whose timestamps contradicted the arrival of their packets, which dates them since",
                Family::default(),
            ),
            large_groups: add(
                r,
                "camera_large_groups",
                "Streams with a group of pictures larger than the packet ring",
                Family::default(),
            ),
            level: add(
                r,
                "decode_level",
                "How much of a stream is decoded: 0 nothing, 1 key frames, 2 every frame",
                Family::default(),
            ),
            camera_state: add(r, "camera_state", "1 for the state of the camera, else 0", Family::default()),
            camera_off: add(
                r,
                "camera_off",
                "1 for the reason why a camera gives no pictures, 0 for reasons that are over",
                Family::default(),
            ),
            confined: add(
                r,
                "camera_confined",
                "1 if the decoding child of a camera is held in whole: files, network, system_calls",
                Family::default(),
            ),
            reports: add(r, "reports", "Reports about incidents, by kind and phase", Family::default()),
            decisions: add(r, "core_decisions", "Decisions of the incident core", Family::default()),
            refusals: add(
                r,
                "refusals",
                "Objects that stayed for the dwell time and broke no rule, by rule and reason",
                Family::default(),
            ),
            ring_bytes: add(r, "ring_bytes", "Bytes of packets in the ring of a camera", Family::default()),
            ring_seconds: add(r, "ring_seconds", "Time that the ring of a camera spans", Family::default()),
            readings: add(r, "sensor_readings", "Messages of sensors, by outcome", Family::default()),
            gnss_lines: add(r, "gnss_lines", "Lines of the GNSS receiver, by outcome", Family::default()),
            delivery: add(
                r,
                "delivery",
                "Errors, refusals and commands of the delivery, by outcome",
                Family::default(),
            ),
            link_state: add(r, "link_state", "1 for the state of the link, else 0", Family::default()),
            link_problem: add(
                r,
                "link_problem",
                "1 for what a person should put right about the link, else 0",
                Family::default(),
            ),
            link_connections: add(
                r,
                "link_connections",
                "Connections that the broker let in",
                Counter::default(),
            ),
            link_refused: add(
                r,
                "link_refused",
                "Times that the broker refused a message, in words or by closing the connection on it",
                Counter::default(),
            ),
            signed: add(
                r,
                "evidence_signed",
                "Pictures and clips with a signature in them",
                Counter::default(),
            ),
            unsigned: add(
                r,
                "evidence_unsigned",
                "Pictures and clips that could not be signed",
                Counter::default(),
            ),
            scrubbed: add(
                r,
                "evidence_scrubbed",
                "Files of evidence that were read again",
                Counter::default(),
            ),
            damaged: add(
                r,
                "evidence_damaged",
                "Files of evidence that are not as they were written",
                Gauge::default(),
            ),
            resident: add(r, "resident_bytes", "Resident memory of the agent process", Gauge::default()),
            registry,
        }
    }
}

/// All metrics of the program. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    families: Arc<Families>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Metrics { families: Arc::new(Families::new()) }
    }

    /// Files of evidence that were read again, and those that were not as they were written.
    pub(crate) fn scrub(&self) -> (Counter, Gauge) {
        (self.families.scrubbed.clone(), self.families.damaged.clone())
    }

    /// Handles of one camera, by its configured id.
    pub(crate) fn camera(&self, id: &str) -> CameraMetrics {
        let label = ByCamera { camera: id.to_owned() };
        let state = |state| ByCameraState { camera: id.to_owned(), state };
        CameraMetrics {
            frame_age: self.families.frame_age.get_or_create_owned(&label),
            frames: self.families.frames.get_or_create_owned(&label),
            decode_errors: self.families.decode_errors.get_or_create_owned(&label),
            clock_faults: self.families.clock_faults.get_or_create_owned(&label),
            large_groups: self.families.large_groups.get_or_create_owned(&label),
            level: self.families.level.get_or_create_owned(&label),
            ring_bytes: self.families.ring_bytes.get_or_create_owned(&label),
            ring_seconds: self.families.ring_seconds.get_or_create_owned(&label),
            states: CameraCondition::ALL
                .map(|s| (s, self.families.camera_state.get_or_create_owned(&state(s)))),
            confined: ["files", "network", "system_calls"].map(|wall| {
                self.families.confined.get_or_create_owned(&ByWall { camera: id.to_owned(), wall })
            }),
            id: id.to_owned(),
            off: self.families.camera_off.clone(),
        }
    }

    /// Counts what passes a stage.
    pub(crate) fn stage(&self, stage: Stage) -> Counter {
        self.families.items.get_or_create_owned(&ByStage { stage })
    }

    pub(crate) fn inference(&self) -> Histogram {
        self.families.inference.clone()
    }

    pub(crate) fn queue(&self, queue: Queue) -> Gauge {
        self.families.queue.get_or_create_owned(&ByQueue { queue })
    }

    /// Counts what a full queue gave up.
    pub(crate) fn dropped(&self, policy: DropPolicy) -> Counter {
        self.families.dropped.get_or_create_owned(&ByPolicy { policy })
    }

    /// Counts pictures and clips: those with a signature, those that could not get one.
    pub(crate) fn evidence_signed(&self) -> (Counter, Counter) {
        (self.families.signed.clone(), self.families.unsigned.clone())
    }

    pub(crate) fn outbox(&self, priority: Priority) -> Gauge {
        self.families.outbox.get_or_create_owned(&ByPriority { priority })
    }

    pub(crate) fn report(&self, kind: Kind, phase: Phase) -> Counter {
        let phase = match phase {
            Phase::Opened => "opened",
            Phase::Updated => "updated",
            Phase::Cleared => "cleared",
            Phase::Withdrawn => "withdrawn",
            Phase::Settled => "settled",
            Phase::Recheck => "recheck",
        };
        self.families.reports.get_or_create_owned(&ByReport { kind: kind.as_str(), phase })
    }

    /// Counts decisions of the core, e.g. `candidates_gone`.
    pub(crate) fn decision(&self, decision: &'static str) -> Counter {
        self.families.decisions.get_or_create_owned(&ByDecision { decision })
    }

    /// Counts objects that stayed long enough and broke no rule, by rule id and reason.
    pub(crate) fn refusal(&self, rule: &str, reason: &'static str) -> Counter {
        self.families.refusals.get_or_create_owned(&ByRefusal { rule: rule.to_owned(), reason })
    }

    pub(crate) fn delivery(&self, outcome: DeliveryOutcome) -> Counter {
        self.families.delivery.get_or_create_owned(&ByDelivery { outcome })
    }

    pub(crate) fn link_state(&self, state: LinkHealth) -> Gauge {
        self.families.link_state.get_or_create_owned(&ByLinkState { state: state.as_str() })
    }

    pub(crate) fn link_problem(&self, problem: LinkProblem) -> Gauge {
        self.families.link_problem.get_or_create_owned(&ByLinkProblem { problem: problem.as_str() })
    }

    pub(crate) fn link_connections(&self) -> Counter {
        self.families.link_connections.clone()
    }

    pub(crate) fn link_refused(&self) -> Counter {
        self.families.link_refused.clone()
    }

    /// Handles of the sensor and GNSS adapters.
    pub(crate) fn sensors(&self) -> SensorMetrics {
        let reading = |outcome| self.families.readings.get_or_create_owned(&ByReading { outcome });
        let line = |outcome| self.families.gnss_lines.get_or_create_owned(&ByLine { outcome });
        SensorMetrics {
            accepted: reading(ReadingOutcome::Accepted),
            suspicious: reading(ReadingOutcome::Suspicious),
            malformed: reading(ReadingOutcome::Malformed),
            unknown_topic: reading(ReadingOutcome::UnknownTopic),
            no_answer: reading(ReadingOutcome::NoAnswer),
            refused: reading(ReadingOutcome::Refused),
            line_lost: reading(ReadingOutcome::LineLost),
            readings_dropped: self.dropped(DropPolicy::ReadingsNewest),
            gnss_good: line(LineOutcome::Good),
            gnss_bad: line(LineOutcome::Bad),
            gnss_dropped: self.dropped(DropPolicy::GnssNewest),
        }
    }

    /// OpenMetrics text of everything, with the memory as it is now.
    pub(crate) fn render(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            self.families.resident.set(bytes);
        }
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.families.registry);
        text
    }
}

/// Resident set of this process, bytes, from /proc/self/statm.
fn resident_bytes() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64)
}

#[cfg(test)]
mod tests {
    use kerbside_domain::camera_state::{CameraState, Off};
    use kerbside_domain::frame::Level;

    use super::*;

    #[test]
    fn what_the_handles_count_is_rendered() {
        let metrics = Metrics::new();
        let camera = metrics.camera("cam1");
        camera.frame_age.observe(0.03);
        camera.frames.inc();
        camera.set_level(Level::L2);
        camera.set_ring(1500, 2.5);
        camera.set_state(CameraState::Watching);
        camera.set_state(CameraState::Off(Off::Unauthorised));
        camera.set_state(CameraState::Off(Off::Silent));
        metrics.stage(Stage::Gate).inc_by(3);
        metrics.dropped(DropPolicy::SlotOlderFrame).inc();
        metrics.queue(Queue::Core).set(7);
        metrics.outbox(Priority::Incident).set(2);
        metrics.report(Kind::WasteExposed, Phase::Opened).inc();
        metrics.decision("candidates").inc_by(4);
        metrics.refusal("no-dumping", "attended").inc();
        metrics.delivery(DeliveryOutcome::ReadError).inc();
        metrics.sensors().gnss_bad.inc();
        let text = metrics.clone().render();
        for line in [
            "kerbside_frame_age_seconds_bucket{le=\"0.04\",camera=\"cam1\"} 1",
            "kerbside_camera_frames_total{camera=\"cam1\"} 1",
            "kerbside_decode_level{camera=\"cam1\"} 2",
            "kerbside_camera_state{camera=\"cam1\",state=\"watching\"} 0",
            "kerbside_camera_state{camera=\"cam1\",state=\"off\"} 1",
            "kerbside_camera_off{camera=\"cam1\",reason=\"unauthorised\"} 0",
            "kerbside_camera_off{camera=\"cam1\",reason=\"silent\"} 1",
            "kerbside_stage_items_total{stage=\"gate\"} 3",
            "kerbside_dropped_total{policy=\"slot_older_frame\"} 1",
            "kerbside_queue_depth{queue=\"core\"} 7",
            "kerbside_outbox_messages{priority=\"incident\"} 2",
            "kerbside_reports_total{kind=\"waste.exposed\",phase=\"opened\"} 1",
            "kerbside_core_decisions_total{decision=\"candidates\"} 4",
            "kerbside_refusals_total{rule=\"no-dumping\",reason=\"attended\"} 1",
            "kerbside_delivery_total{outcome=\"read_error\"} 1",
            "kerbside_gnss_lines_total{outcome=\"bad\"} 1",
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
