//! The signals that end the program.

use tokio::signal::unix::{SignalKind, signal};

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
