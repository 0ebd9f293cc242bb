//! The running link.

use std::sync::Arc;

use kerbside_domain::panics;
use kerbside_domain::time::Clock;
use kerbside_trace::delivery::LinkPort;

use crate::settings::LinkSettings;
use crate::shell;
use crate::status::LinkWatch;

/// The running link. Dropping it does not stop the task; [`LinkHandle::stop`] does.
#[derive(Debug)]
pub struct LinkHandle {
    stop: tokio::sync::watch::Sender<Option<f64>>,
    task: tokio::task::JoinHandle<()>,
}

impl LinkHandle {
    /// Sends what waits for at most `grace_s`, says offline, disconnects. Returns when the task has ended.
    pub async fn stop(self, grace_s: f64) {
        // Fails only when the task has ended already.
        let _ = self.stop.send(Some(grace_s));
        let _ = self.task.await;
    }

    /// Ends at once, without a word: the last will speaks. For tests of what a crash leaves.
    pub fn abort(self) {
        self.task.abort();
    }
}

/// Says that the task is gone when it is dropped while it runs: it panicked.
struct Lost(Option<LinkWatch>);

impl Lost {
    /// The task ended as it should.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        if let Some(status) = &self.0 {
            status.lost();
        }
    }
}

/// Starts the link on the current tokio runtime.
pub fn spawn(settings: LinkSettings, port: LinkPort, clock: Arc<dyn Clock>) -> LinkHandle {
    let (stop, stopping) = tokio::sync::watch::channel(None);
    let lost = Lost(Some(settings.status.clone()));
    let task = tokio::spawn(panics::named("link", async move {
        shell::run(settings, port, clock, stopping).await;
        lost.ended();
    }));
    LinkHandle { stop, task }
}
