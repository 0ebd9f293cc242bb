//! Waiting. Whoever waits says for what and how long, and is told what came instead; nothing here waits for ever.
//!
//! Most waits are for a state that another thread changes ([`Watched`]). Where nothing tells of a change (an exit, a file, a page)
//! [`poll`] looks again and again. [`sleep`] is for the pace of what a test plays: pictures, delays, windows of time.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;
use parking_lot::{Condvar, Mutex};

/// Longest wait for anything that a loaded two-core machine does in seconds.
pub const LIMIT: Duration = Duration::from_secs(180);

/// The tests' clock; the agent's is not concerned.
#[allow(clippy::disallowed_methods)] // The one place of the tests.
pub fn now() -> Instant {
    Instant::now()
}

/// Lets time pass.
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Lets time pass until `at`; nothing if that is over.
pub fn sleep_until(at: Instant) {
    sleep(at.saturating_duration_since(now()));
}

/// What was awaited did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// What was awaited, in words.
    pub awaited: String,
    pub ended: Ended,
    /// What came instead, as far as it helps.
    pub came: String,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    After(Duration),
    /// Nothing more can come: who would have sent it is gone.
    Closed,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "awaited: {}; it did not come ", self.awaited)?;
        match self.ended {
            Ended::After(limit) => write!(f, "within {limit:?}")?,
            Ended::Closed => write!(f, "before the end of what it should come from")?,
        }
        write!(f, "\nwhat came: {}", if self.came.is_empty() { "nothing" } else { &self.came })
    }
}

impl std::error::Error for Missed {}

/// A state that some threads change and others wait on.
#[derive(Debug, Default)]
pub struct Watched<T> {
    state: Mutex<T>,
    changed: Condvar,
}

/// What a waiter makes of a state.
#[derive(Debug)]
pub enum Seen<R> {
    /// It is what was awaited.
    Found(R),
    NotYet,
    /// It will never be.
    Never,
}

impl<R> From<Option<R>> for Seen<R> {
    fn from(found: Option<R>) -> Self {
        found.map_or(Seen::NotYet, Seen::Found)
    }
}

impl<T> Watched<T> {
    pub fn new(state: T) -> Watched<T> {
        Watched { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Changes the state; whoever waits looks at it.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let out = change(&mut self.state.lock());
        self.changed.notify_all();
        out
    }

    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.state.lock())
    }

    /// Waits until the state satisfies `look`; `came` describes it for the failure.
    pub fn until<R, S: Into<Seen<R>>>(
        &self,
        awaited: &str,
        limit: Duration,
        mut look: impl FnMut(&T) -> S,
        came: impl FnOnce(&T) -> String,
    ) -> Result<R, Missed> {
        let end = now() + limit;
        let mut state = self.state.lock();
        let ended = loop {
            match look(&state).into() {
                Seen::Found(found) => return Ok(found),
                Seen::Never => break Ended::Closed,
                Seen::NotYet => {}
            }
            if self.changed.wait_until(&mut state, end).timed_out() {
                // The last change may have come with the end of the time.
                match look(&state).into() {
                    Seen::Found(found) => return Ok(found),
                    _ => break Ended::After(limit),
                }
            }
        };
        Err(Missed { awaited: awaited.to_owned(), ended, came: came(&state) })
    }

    /// Waits without a limit while `look` says so: for a counterpart whose own end is the test's.
    pub fn while_<R>(&self, mut look: impl FnMut(&T) -> bool, then: impl FnOnce(&T) -> R) -> R {
        let mut state = self.state.lock();
        while look(&state) {
            self.changed.wait(&mut state);
        }
        then(&state)
    }
}

/// Looks every `pause` until `look` finds it. `Err` of the inner result: not yet, and what is there instead. An error of the outer
/// one ends the wait.
pub fn poll<R>(
    awaited: &str,
    limit: Duration,
    pause: Duration,
    mut look: impl FnMut() -> Result<Result<R, String>>,
) -> Result<R> {
    let begun = now();
    loop {
        let came = match look()? {
            Ok(found) => return Ok(found),
            Err(came) => came,
        };
        if begun.elapsed() >= limit {
            return Err(Missed { awaited: awaited.to_owned(), ended: Ended::After(limit), came }.into());
        }
        sleep(pause);
    }
}
