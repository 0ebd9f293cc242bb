//! The schedule for threads: one slot a camera, and workers that wait for a frame.

use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Clock, Mono};
use parking_lot::{Condvar, Mutex};

use crate::schedule::{Schedule, Urgency};

/// A [`Schedule`] that worker threads wait on.
pub struct Slots<T> {
    inner: Mutex<Inner<T>>,
    filled: Condvar,
}

struct Inner<T> {
    schedule: Schedule<T>,
    closed: bool,
}

impl<T> std::fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.lock().schedule.fmt(f)
    }
}

impl<T> Slots<T> {
    pub fn new(cameras: usize) -> Self {
        let inner = Inner { schedule: Schedule::new(cameras), closed: false };
        Slots { inner: Mutex::new(inner), filled: Condvar::new() }
    }

    /// As [`Schedule::offer`]; after closing the frame itself comes back. Never blocks for long.
    pub fn offer(&self, camera: CameraIx, urgency: Urgency, item: T) -> Option<T> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Some(item);
        }
        let back = inner.schedule.offer(camera, urgency, item);
        drop(inner);
        self.filled.notify_one();
        back
    }

    /// As [`Schedule::take`]; does not wait.
    pub fn take(&self, now: Mono) -> Option<T> {
        self.inner.lock().schedule.take(now)
    }

    /// Waits for a frame. `None`: closed.
    pub fn wait(&self, clock: &dyn Clock) -> Option<T> {
        let mut inner = self.inner.lock();
        loop {
            if inner.closed {
                return None;
            }
            if let Some(item) = inner.schedule.take(clock.now().mono) {
                return Some(item);
            }
            self.filled.wait(&mut inner);
        }
    }

    /// Wakes and ends all who wait. Frames still in slots are lost, as frames may be.
    pub fn close(&self) {
        self.inner.lock().closed = true;
        self.filled.notify_all();
    }

    pub fn dropped(&self) -> Vec<u64> {
        self.inner.lock().schedule.dropped()
    }

    pub fn waiting(&self) -> usize {
        self.inner.lock().schedule.waiting()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_ends_who_waits() {
        let slots = Slots::<u8>::new(1);
        let clock = kerbside_domain::time::VirtualClock::new(0);
        std::thread::scope(|s| {
            let waiter = s.spawn(|| slots.wait(&*clock));
            slots.close();
            assert_eq!(waiter.join().unwrap(), None);
        });
        let urgency = Urgency { at: Mono::ZERO, period_s: 0.2, active: true };
        assert_eq!(slots.offer(CameraIx(0), urgency, 1), Some(1));
    }
}
