//! Schedule: whose frame is next. One slot a camera, newest wins; earliest deadline first with an ageing floor.
//!
//! Pure; `slots` adds a lock and a condition for threads that wait.
//!
//! A frame's deadline is its time plus its camera's period. Deadlines alone would starve: in overload every newer frame
//! postpones its camera. So a camera that has not been served for its floor goes before all that have, the most overdue
//! first: one period for active cameras, some periods for idle ones. In overload this is least recently served first,
//! which bounds the gap between two frames of a camera by `ceil(N / W) * inference time + period`.

use ringbuf::HeapRb;
use ringbuf::traits::Observer;

use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::Mono;
use kerbside_seeing::pipeline::DetectionJob;

use crate::tuning::IDLE_PERIODS;

/// When a frame was taken, and how urgent it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Urgency {
    pub at: Mono,
    /// Time between two frames of this camera at its present level.
    pub period_s: f64,
    /// The gate is open.
    pub active: bool,
}

impl Urgency {
    /// `period_s`: time between two frames of this camera at its present level. What is shown for the sweep alone can wait.
    pub fn of(job: &DetectionJob, period_s: f64) -> Urgency {
        let active = job.is_due() && (job.gate.motion > 0.0 || !job.gate.regions.is_empty());
        Urgency { at: job.frame.at.mono, period_s, active }
    }
}

struct Slot<T> {
    newest: HeapRb<T>,
    /// Of the frame in the slot.
    urgency: Urgency,
    last_served: Mono,
    /// Frames overwritten by newer ones before anybody had time for them.
    dropped: u64,
}

/// Slots of all cameras. Times are handed in.
pub struct Schedule<T> {
    slots: Vec<Slot<T>>,
}

impl<T> std::fmt::Debug for Schedule<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schedule of {} cameras", self.slots.len())
    }
}

impl<T> Schedule<T> {
    pub fn new(cameras: usize) -> Self {
        let urgency = Urgency { at: Mono::ZERO, period_s: 0.0, active: false };
        let slot = || Slot { newest: HeapRb::new(1), urgency, last_served: Mono::ZERO, dropped: 0 };
        Schedule { slots: (0..cameras).map(|_| slot()).collect() }
    }

    /// Puts a frame into its camera's slot. Back comes what will not be analysed: the frame it replaces, which is counted
    /// as dropped, or the frame itself if there is no such camera.
    pub fn offer(&mut self, camera: CameraIx, urgency: Urgency, item: T) -> Option<T> {
        let Some(slot) = self.slots.get_mut(usize::from(camera.0)) else { return Some(item) };
        slot.urgency = urgency;
        let replaced = slot.newest.push_overwrite(item);
        slot.dropped += u64::from(replaced.is_some());
        replaced
    }

    /// The frame that is due first, or none.
    pub fn take(&mut self, now: Mono) -> Option<T> {
        let full = self.slots.iter().enumerate().filter(|(_, slot)| !slot.newest.is_empty());
        let (_, first) = full.map(|(k, slot)| (rank(&slot.urgency, slot.last_served, now), k)).min()?;
        let slot = self.slots.get_mut(first)?;
        slot.last_served = now;
        slot.newest.try_pop()
    }

    /// Frames overwritten so far, by camera.
    pub fn dropped(&self) -> Vec<u64> {
        self.slots.iter().map(|s| s.dropped).collect()
    }

    /// Frames waiting now.
    pub fn waiting(&self) -> usize {
        self.slots.iter().filter(|s| !s.newest.is_empty()).count()
    }
}

/// Smaller is sooner: overdue cameras by how long they are overdue, then the others by deadline.
fn rank(urgency: &Urgency, last_served: Mono, now: Mono) -> (bool, u64) {
    let patience_s = urgency.period_s * if urgency.active { 1.0 } else { IDLE_PERIODS };
    let floor = last_served.plus_s(patience_s);
    let deadline = urgency.at.plus_s(patience_s);
    if now >= floor { (false, floor.0) } else { (true, deadline.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one camera got over a simulated run, seconds.
    #[derive(Clone, Debug, Default)]
    struct Service {
        served: u32,
        oldest_s: f64,
        worst_gap_s: f64,
        last_at: Option<Mono>,
    }

    struct Load {
        workers: usize,
        inference_s: f64,
        period_s: f64,
        run_s: f64,
    }

    /// The real schedule on a virtual clock: cameras offer on their period, workers are busy for one inference.
    fn simulate(load: &Load, active: &[bool]) -> Vec<Service> {
        let cameras = active.len();
        let mut schedule = Schedule::new(cameras);
        let mut service = vec![Service::default(); cameras];
        let mut next: Vec<f64> =
            (0..cameras).map(|c| load.period_s * (c * 7 % cameras) as f64 / cameras as f64).collect();
        let mut busy: Vec<Option<(Mono, usize, Mono)>> = vec![None; load.workers];
        let step_s = 0.001;
        for tick in 0..(load.run_s / step_s) as u64 {
            let now = Mono::from_s(tick as f64 * step_s);
            for (c, due) in next.iter_mut().enumerate() {
                if now >= Mono::from_s(*due) {
                    let urgency = Urgency { at: now, period_s: load.period_s, active: active[c] };
                    schedule.offer(CameraIx(c as u16), urgency, (c, now));
                    *due += load.period_s;
                }
            }
            for worker in &mut busy {
                if let Some((end, c, at)) = *worker
                    && now >= end
                {
                    let g = &mut service[c];
                    g.served += 1;
                    g.oldest_s = g.oldest_s.max(now.since_s(at));
                    g.worst_gap_s = g.worst_gap_s.max(g.last_at.map_or(0.0, |last| at.since_s(last)));
                    g.last_at = Some(at);
                    *worker = None;
                }
                if worker.is_none() {
                    *worker = schedule.take(now).map(|(c, at)| (now.plus_s(load.inference_s), c, at));
                }
            }
        }
        service
    }

    #[test]
    fn in_overload_frames_stay_fresh_and_nobody_starves() {
        // cameras, workers: load is cameras * 20 ms / (workers * 200 ms).
        for (cameras, workers) in [(8, 1), (20, 1), (30, 1), (32, 1), (48, 2)] {
            let load = Load { workers, inference_s: 0.020, period_s: 0.2, run_s: 30.0 };
            let got = simulate(&load, &vec![true; cameras]);
            let gap_s = cameras.div_ceil(workers) as f64 * load.inference_s + load.period_s;
            for (c, g) in got.iter().enumerate() {
                let name = format!("{cameras} cameras, {workers} workers, camera {c}: {g:?}");
                assert!(g.oldest_s <= load.period_s + 2.0 * load.inference_s + 0.002, "{name}");
                assert!(g.worst_gap_s <= gap_s + 0.002, "{name}, allowed {gap_s}");
            }
            let fewest = got.iter().map(|g| g.served).min().unwrap();
            let most = got.iter().map(|g| g.served).max().unwrap();
            assert!(most - fewest <= 2 + most / 20, "{cameras} cameras: {fewest}..{most}");
        }
    }

    #[test]
    fn active_cameras_beat_idle_ones_and_idle_ones_still_get_their_turn() {
        let load = Load { workers: 1, inference_s: 0.020, period_s: 0.2, run_s: 30.0 };
        let mut active = vec![false; 24];
        active[..6].fill(true);
        let got = simulate(&load, &active);
        let served = |of: &[Service]| of.iter().map(|g| g.served).min().unwrap();
        assert!(served(&got[..6]) >= 2 * got[6..].iter().map(|g| g.served).max().unwrap(), "{got:?}");
        let floor_s = IDLE_PERIODS * load.period_s + 24.0 * load.inference_s + load.period_s;
        assert!(got[6..].iter().all(|g| g.served > 0 && g.worst_gap_s <= floor_s), "{got:?}");
    }

    #[test]
    fn newest_wins_and_the_loss_is_counted() {
        let mut schedule = Schedule::new(1);
        let urgency = |s| Urgency { at: Mono::from_s(s), period_s: 0.2, active: true };
        assert_eq!(schedule.offer(CameraIx(0), urgency(0.0), "old"), None);
        assert_eq!(schedule.offer(CameraIx(0), urgency(0.2), "new"), Some("old"));
        assert_eq!(schedule.offer(CameraIx(9), urgency(0.2), "nobody's"), Some("nobody's"));
        assert_eq!((schedule.waiting(), schedule.dropped()), (1, vec![1]));
        assert_eq!(schedule.take(Mono::from_s(0.3)), Some("new"));
        assert_eq!(schedule.take(Mono::from_s(0.3)), None);
    }
}
