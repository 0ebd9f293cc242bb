//! What the core's thread reports, also on behalf of the delivery.

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::report::Report;
use kerbside_link::LinkStatus;
use kerbside_seeing::incident::Core;
use kerbside_trace::delivery::DeliveryStats;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Map, Value};

use super::link::LinkMeter;
use crate::health::{
    CameraMetrics, CameraWarnings, DeliveryOutcome, DropPolicy, Metrics, Priority, Pulse, Queue, Stage, raise,
};

pub(crate) struct CoreMeter {
    metrics: Metrics,
    /// One a camera.
    cameras: Vec<CameraMetrics>,
    inputs: Counter,
    journal: Counter,
    link: Counter,
    evicted: Counter,
    dead_lettered: Counter,
    left_out: Counter,
    waiting: Gauge,
    unwritten: Gauge,
    evidence: Gauge,
    of_link: LinkMeter,
    pulse: Pulse,
    warnings: CameraWarnings,
}

impl CoreMeter {
    pub(super) fn new(
        metrics: Metrics,
        cameras: Vec<CameraMetrics>,
        of_link: LinkMeter,
        pulse: Pulse,
        warnings: CameraWarnings,
    ) -> Self {
        CoreMeter {
            cameras,
            inputs: metrics.stage(Stage::Core),
            journal: metrics.stage(Stage::Journal),
            link: metrics.stage(Stage::Link),
            evicted: metrics.dropped(DropPolicy::OutboxTelemetry),
            dead_lettered: metrics.dropped(DropPolicy::OutboxDeadLettered),
            left_out: metrics.dropped(DropPolicy::DiskRefuses),
            waiting: metrics.queue(Queue::Core),
            unwritten: metrics.queue(Queue::Unwritten),
            evidence: metrics.queue(Queue::Evidence),
            of_link,
            pulse,
            warnings,
            metrics,
        }
    }

    /// What is to be put right about cameras: the part of `device.health`.
    pub(crate) fn camera_values(&self) -> Map<String, Value> {
        let warnings = self.warnings.values();
        let values = (!warnings.is_empty()).then(|| ("camera_warnings".to_owned(), warnings.into()));
        values.into_iter().collect()
    }

    pub(crate) fn link_status(&self) -> LinkStatus {
        self.of_link.status()
    }

    pub(crate) fn input(&self) {
        self.inputs.inc();
    }

    pub(crate) fn report(&self, report: &Report) {
        self.metrics.report(report.kind, report.phase).inc();
    }

    pub(crate) fn camera(&self, camera: CameraIx, state: CameraState) {
        if let Some(metrics) = self.cameras.get(usize::from(camera.0)) {
            metrics.set_state(state);
        }
    }

    /// `evidence`: requests that wait for the evidence stage; `unwritten`: items that wait for the disk.
    pub(crate) fn delivery(&self, stats: &DeliveryStats, evidence: usize, unwritten: usize) {
        for (priority, now) in Priority::ALL.into_iter().zip(&stats.outbox) {
            self.metrics.outbox(priority).set((now.queued + now.waiting) as i64);
        }
        self.of_link.show(&self.of_link.status());
        raise(&self.journal, stats.appended);
        raise(&self.link, stats.done + stats.receipts);
        raise(&self.evicted, stats.evicted);
        raise(&self.dead_lettered, stats.dead_lettered);
        for (outcome, total) in [
            (DeliveryOutcome::ReadError, stats.read_errors),
            (DeliveryOutcome::AppendError, stats.append_errors),
            (DeliveryOutcome::InboundRefused, stats.refused),
            (DeliveryOutcome::Command, stats.commands),
        ] {
            raise(&self.metrics.delivery(outcome), total);
        }
        self.evidence.set(evidence as i64);
        self.unwritten.set(unwritten as i64);
    }

    /// The core's own counts, and how many inputs wait for it.
    pub(crate) fn core(&self, core: &Core, waiting: usize) {
        self.waiting.set(waiting as i64);
        for (decision, total) in core.counters().named() {
            raise(&self.metrics.decision(decision), total);
        }
        for ((rule, reason), total) in &core.counters().refusals {
            raise(&self.metrics.refusal(rule, reason.as_str()), *total);
        }
    }

    /// A frame or an observation for which there is no room while the disk refuses.
    pub(crate) fn left_out(&self) {
        self.left_out.inc();
    }

    pub(crate) fn alive(&self) {
        self.pulse.beat();
    }

    pub(crate) fn ended(&self) {
        self.pulse.end();
    }
}
