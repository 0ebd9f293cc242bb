//! Stops a run that takes too long.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use ort::session::RunOptions;

use crate::error::LoadError;

/// What the thread hears.
enum RunEvent {
    Start(Arc<RunOptions>),
    End,
}

/// A thread that sleeps until a run takes too long, then tells the runtime to stop between two nodes.
pub(super) struct Watchdog {
    limit: Duration,
    events: Sender<RunEvent>,
    stopped: Receiver<bool>,
}

/// One run that is watched.
pub(super) struct RunGuard<'a>(&'a Watchdog);

impl Watchdog {
    /// The thread ends when the watchdog is dropped.
    pub(super) fn start(limit: Duration) -> Result<Self, LoadError> {
        let (events, runs) = crossbeam_channel::bounded(2);
        let (report, stopped) = crossbeam_channel::bounded(2);
        let body = move || {
            while let Ok(RunEvent::Start(options)) = runs.recv() {
                let late = runs.recv_timeout(limit).is_err();
                if late {
                    // If even that fails, the run ends by itself or the stage is reported as stuck.
                    let _ = options.terminate();
                    if runs.recv().is_err() {
                        return;
                    }
                }
                if report.send(late).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ort-watchdog".to_owned());
        thread.spawn(body).map_err(LoadError::Thread)?;
        Ok(Watchdog { limit, events, stopped })
    }

    /// Watches one run from here on.
    pub(super) fn guard(&self, options: &Arc<RunOptions>) -> RunGuard<'_> {
        let _ = self.events.send(RunEvent::Start(Arc::clone(options)));
        RunGuard(self)
    }
}

impl RunGuard<'_> {
    /// The limit, if the run was stopped because of it.
    pub(super) fn end(self) -> Option<Duration> {
        let _ = self.0.events.send(RunEvent::End);
        self.0.stopped.recv().unwrap_or(false).then_some(self.0.limit)
    }
}
