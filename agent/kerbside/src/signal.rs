//! The signals of the program: those that end it, the one that has it read its site file again, and those that mean nothing here.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ready at SIGTERM or Ctrl-C.
pub async fn stop() {
    match signal(SignalKind::terminate()) {
        Ok(mut term) => {
            tokio::select! {
                _ = term.recv() => {}
                () = interrupt() => {}
            }
        }
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be handled");
            interrupt().await;
        }
    }
}

/// Without a handler the signal itself ends the process, which is as good.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Signals that would end the program where nobody takes them.
#[derive(Debug)]
pub(crate) struct Others {
    hangup: Signal,
    user_1: Signal,
    user_2: Signal,
    alarm: Signal,
}

impl Others {
    /// From now on they end nothing.
    pub(crate) fn taken() -> std::io::Result<Others> {
        Ok(Others {
            hangup: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
            alarm: signal(SignalKind::alarm())?,
        })
    }

    /// Has the site file read again at each SIGHUP, one after the other; says of the rest that they came.
    pub(crate) async fn serve<F: Future<Output = ()>>(mut self, mut read_again: impl FnMut() -> F) {
        loop {
            let name = tokio::select! {
                _ = self.hangup.recv() => {
                    read_again().await;
                    continue;
                }
                _ = self.user_1.recv() => "SIGUSR1",
                _ = self.user_2.recv() => "SIGUSR2",
                _ = self.alarm.recv() => "SIGALRM",
            };
            tracing::info!(name, "a signal that means nothing here; SIGHUP reads the site file again");
        }
    }
}
