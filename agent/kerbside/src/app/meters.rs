//! What each stage reports of itself: counters and gauges in the metrics, and a pulse for the watchdog.

mod camera;
mod core;
mod detector;
mod health_message;
mod link;

use std::sync::Arc;

use kerbside_domain::frame::CameraIx;
use kerbside_domain::panics;
use kerbside_domain::time::Clock;
use kerbside_link::LinkWatch;
use kerbside_media::ring::PacketRing;
use kerbside_site::config::Site;
use kerbside_trace::delivery::Delivery;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::health::{self, CameraMetrics, DropPolicy, Ends, Liveness, Metrics, Pulse, Stage, raise};

pub(super) use self::core::CoreMeter;
pub(super) use camera::CameraMeter;
pub(super) use detector::DetectorMeter;
pub(super) use health_message::health_values;
pub(super) use link::link_values;

/// How long a stage may stay silent before it counts as hanging, s. The detector needs no limit: its runs are time-limited.
///
/// A camera beats at each tick, every half second; a child that is silent is replaced after 10 s.
const CAMERA_LIMIT_S: f64 = 30.0;
/// The core beats at each tick; a journal on a slow disk may take seconds for one write.
const CORE_LIMIT_S: f64 = 15.0;
/// Pictures and a clip may be made in one turn, each in a child that is killed after 30 s.
const EVIDENCE_LIMIT_S: f64 = 120.0;

pub(super) struct Meters {
    metrics: Metrics,
    liveness: Arc<Liveness>,
    clock: Arc<dyn Clock>,
    cameras: Vec<(String, CameraMetrics)>,
    link: LinkWatch,
    ends: Ends,
}

impl Meters {
    pub(super) fn new(site: &Site, clock: Arc<dyn Clock>) -> Self {
        let metrics = Metrics::new();
        let cameras = site.cameras.iter().map(|c| (c.id.clone(), metrics.camera(&c.id))).collect();
        let (liveness, link) = (Liveness::new(), LinkWatch::default());
        liveness.watch_link(link.clone());
        Meters { metrics, liveness, clock, cameras, link, ends: Ends::default() }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where the link says how it is.
    pub(super) fn link(&self) -> LinkWatch {
        self.link.clone()
    }

    /// The store thread must live.
    pub(super) fn watch_delivery(&self, delivery: Delivery) {
        self.liveness.watch_delivery(delivery);
    }

    /// How threads and tasks may end.
    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// A stage that beats at least every `limit_s`.
    pub(super) fn pulse(&self, stage: &str, limit_s: f64) -> Pulse {
        self.liveness.stage(stage, limit_s, self.clock.now().mono)
    }

    pub(super) fn camera(&self, camera: CameraIx, ring: Arc<Mutex<PacketRing>>) -> Option<CameraMeter> {
        let (id, metrics) = self.cameras.get(usize::from(camera.0))?;
        let pulse = self.pulse(&format!("camera-{id}"), CAMERA_LIMIT_S);
        let warnings = self.liveness.cameras().clone();
        Some(CameraMeter::new(&self.metrics, metrics.clone(), ring, pulse, warnings))
    }

    pub(super) fn detector(&self) -> DetectorMeter {
        DetectorMeter::new(&self.metrics, self.cameras.iter().map(|(_, m)| m.frame_age.clone()).collect())
    }

    /// Called by the evidence stage at each turn.
    pub(super) fn evidence(&self) -> impl Fn(&crate::evidence::EvidenceCounters) + Send + 'static {
        let pulse = self.pulse("evidence", EVIDENCE_LIMIT_S);
        let made = self.metrics.stage(Stage::Evidence);
        let degraded = self.metrics.dropped(DropPolicy::EvidenceClipDegraded);
        let pins = self.metrics.dropped(DropPolicy::EvidenceOldestPin);
        let why = self.metrics.dropped(DropPolicy::WhyEntry);
        // It goes with the stage's thread, which owns what is returned.
        let stays = self.ends.stays("evidence");
        let (signed, unsigned) = self.metrics.evidence_signed();
        let (scrubbed, damaged) = self.metrics.scrub();
        move |now| {
            let _ = &stays;
            pulse.beat();
            raise(&scrubbed, now.scrubbed);
            damaged.set(now.damaged as i64);
            raise(&made, now.pictures + now.clips);
            raise(&degraded, now.degraded);
            raise(&pins, now.pins_dropped);
            raise(&why, now.shelf.dropped);
            raise(&signed, now.signed);
            raise(&unsigned, now.unsigned);
        }
    }

    pub(super) fn core(&self) -> CoreMeter {
        let cameras = self.cameras.iter().map(|(_, m)| m.clone()).collect();
        let link = link::LinkMeter::new(&self.metrics, self.link());
        let warnings = self.liveness.cameras().clone();
        CoreMeter::new(self.metrics.clone(), cameras, link, self.pulse("core", CORE_LIMIT_S), warnings)
    }

    /// Serves `/metrics` and `/healthz` and feeds the watchdog, as tasks of the current runtime.
    pub(super) fn serve(&self, site: &Site) -> JoinHandle<()> {
        let (metrics, liveness, clock) = (self.metrics.clone(), self.liveness.clone(), self.clock.clone());
        let listen = site.health.listen;
        tokio::spawn(panics::named("health", async move {
            let supervise = health::supervise(liveness.clone(), clock.clone());
            let serve = async {
                let server = health::bind(listen).await?;
                tracing::info!(address = %server.addr(), "metrics and health");
                server.run(metrics, liveness, clock, std::future::pending()).await;
                Ok::<_, health::HealthError>(())
            };
            let (served, ()) = tokio::join!(serve, supervise);
            if let Err(error) = served {
                tracing::error!(%error, "metrics and health are not served");
            }
        }))
    }
}

#[cfg(test)]
mod tests;
