//! Liveness: each stage increments a counter. The systemd watchdog is fed only while all counters move.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sd_notify::NotifyState;
use serde::Serialize;

use kerbside_domain::time::{Clock, Mono};
use kerbside_link::{LinkStatus, LinkWatch};
use kerbside_trace::delivery::Delivery;

use super::CameraWarnings;

/// Held by a stage, which calls `beat` at least as often as it promised.
#[derive(Clone, Debug)]
pub(crate) struct Pulse {
    beats: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Pulse {
    pub(crate) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// The stage ended as intended (shutdown): it is no longer waited for.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// How long ago a stage moved, s.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StageAge {
    pub(crate) stage: String,
    pub(crate) age_s: f64,
    pub(crate) limit_s: f64,
    pub(crate) alive: bool,
}

#[derive(Debug)]
struct Entry {
    name: String,
    pulse: Pulse,
    limit_s: f64,
    /// The counter at the last check.
    checked: u64,
    moved: Mono,
}

/// All stages that are supervised.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    entries: Mutex<Vec<Entry>>,
    /// The link's task, and how it says it is.
    link: Mutex<Option<LinkWatch>>,
    cameras: CameraWarnings,
    /// Its thread must live.
    delivery: Mutex<Option<Delivery>>,
}

impl Liveness {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Begins to supervise a stage that promises to beat within `limit_s`.
    pub(crate) fn stage(&self, name: impl Into<String>, limit_s: f64, now: Mono) -> Pulse {
        let pulse = Pulse { beats: Arc::default(), ended: Arc::default() };
        let entry = Entry { name: name.into(), pulse: pulse.clone(), limit_s, checked: 0, moved: now };
        self.entries.lock().push(entry);
        pulse
    }

    pub(crate) fn watch_link(&self, link: LinkWatch) {
        *self.link.lock() = Some(link);
    }

    /// What is to be put right about cameras.
    pub(crate) fn cameras(&self) -> &CameraWarnings {
        &self.cameras
    }

    pub(crate) fn watch_delivery(&self, delivery: Delivery) {
        *self.delivery.lock() = Some(delivery);
    }

    /// How the link is. One that makes no progress is ill, and yet no reason to start the program again.
    pub(crate) fn link(&self) -> Option<LinkStatus> {
        self.link.lock().as_ref().map(LinkWatch::now)
    }

    /// Tasks and threads that were lost: they have no pulse of their own, and never end by themselves.
    fn lost(&self) -> Vec<StageAge> {
        let link = self.link().is_some_and(|link| link.is_lost);
        let delivery = self.delivery.lock().as_ref().is_some_and(|delivery| !delivery.is_alive());
        let lost = |stage: &str| StageAge { stage: stage.into(), age_s: 0.0, limit_s: 0.0, alive: false };
        let all = [(link, "link"), (delivery, "store")];
        all.into_iter().filter(|(is_lost, _)| *is_lost).map(|(_, stage)| lost(stage)).collect()
    }

    /// Checks every stage. A counter that moved since the last check resets the age of its stage.
    pub(crate) fn ages(&self, now: Mono) -> Vec<StageAge> {
        let lost = self.lost();
        let mut entries = self.entries.lock();
        entries.retain(|e| !e.pulse.ended.load(Ordering::Relaxed));
        entries
            .iter_mut()
            .map(|entry| {
                let beats = entry.pulse.beats.load(Ordering::Relaxed);
                if beats != entry.checked {
                    (entry.checked, entry.moved) = (beats, now);
                }
                let age_s = now.since_s(entry.moved);
                let alive = age_s <= entry.limit_s;
                StageAge { stage: entry.name.clone(), age_s, limit_s: entry.limit_s, alive }
            })
            .chain(lost)
            .collect()
    }
}

/// Tells systemd that the program is up. Without systemd it does nothing.
pub(crate) fn notify_ready() {
    notify(&[NotifyState::Ready]);
}

pub(crate) fn notify_stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(e) = sd_notify::notify(state) {
        tracing::debug!(error = %e, "systemd could not be notified");
    }
}

/// Checks the stages for ever, feeds the watchdog while all of them move, and logs each one that stops or moves again.
pub(crate) async fn supervise(liveness: Arc<Liveness>, clock: Arc<dyn Clock>) {
    let watchdog = sd_notify::watchdog_enabled();
    // Twice within the watchdog's time, and at least once a second for the ages to be true.
    let period = watchdog.map_or(Duration::from_secs(1), |w| (w / 2).min(Duration::from_secs(1)));
    let mut ticks = tokio::time::interval(period.max(Duration::from_millis(50)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut silent: Vec<String> = Vec::new();
    loop {
        ticks.tick().await;
        let ages = liveness.ages(clock.now().mono);
        if watchdog.is_some() && ages.iter().all(|a| a.alive) {
            notify(&[NotifyState::Watchdog]);
        }
        for age in &ages {
            let logged = silent.iter().position(|s| *s == age.stage);
            match (age.alive, logged) {
                (false, None) => {
                    tracing::error!(stage = %age.stage, age_s = age.age_s, "a stage hangs");
                    silent.push(age.stage.clone());
                }
                (true, Some(ix)) => {
                    tracing::info!(stage = %age.stage, "the stage moves again");
                    silent.remove(ix);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_panics_is_one_that_stops() {
        let liveness = Liveness::new();
        let pulse = liveness.stage("camera-cam1", 5.0, Mono::ZERO);
        let thread = std::thread::spawn(move || {
            pulse.beat();
            panic!("as a test");
        });
        assert!(thread.join().is_err());
        let ages = liveness.ages(Mono::from_s(1.0));
        assert!(ages.iter().all(|age| age.alive), "it beat");
        let ages = liveness.ages(Mono::from_s(9.0));
        assert!(ages.iter().any(|age| age.stage == "camera-cam1" && !age.alive), "{ages:?}");
    }

    #[test]
    fn a_stage_that_stops_is_named_and_one_that_ends_is_not() {
        let liveness = Liveness::new();
        let core = liveness.stage("core", 5.0, Mono::ZERO);
        let camera = liveness.stage("camera cam1", 5.0, Mono::ZERO);
        let alive = |s: f64| -> Vec<(String, bool)> {
            liveness.ages(Mono::from_s(s)).into_iter().map(|a| (a.stage, a.alive)).collect()
        };
        core.beat();
        assert_eq!(alive(4.0), [("core".into(), true), ("camera cam1".into(), true)]);
        assert_eq!(alive(8.0), [("core".into(), true), ("camera cam1".into(), false)]);
        camera.beat();
        core.end();
        assert_eq!(alive(9.0), [("camera cam1".into(), true)]);
    }
}
