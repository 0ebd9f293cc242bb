//! The task: one grant after the other, tried again until it is there, refused or expired.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kerbside_crypto::hash;
use kerbside_domain::time::Clock;
use kerbside_site::config::Tls;
use kerbside_trace::MAX_GRANTS;
use kerbside_trace::delivery::{Delivery, Item};
use kerbside_wire::{Grant, Message, Priority, evidence_not_sent, evidence_ready};
use tokio::sync::mpsc;

use super::http::{self, Answer, Part, PutError};
use crate::tls;
use crate::tuning::{UPLOAD_RETRY_MAX_S, UPLOAD_RETRY_S, YIELD_PERIOD, YIELD_S};

/// What the task needs.
#[derive(Clone, Debug)]
pub struct Uploader {
    pub evidence_dir: PathBuf,
    pub delivery: Delivery,
    pub clock: Arc<dyn Clock>,
    /// Whom https servers must be certified by; read at each attempt, so that a replaced file counts at once.
    pub trust: Option<Tls>,
}

/// Starts the task on the current runtime; it ends when the sender is dropped.
pub fn spawn(uploader: Uploader) -> (mpsc::Sender<Grant>, tokio::task::JoinHandle<()>) {
    let (grants, mut waiting) = mpsc::channel::<Grant>(MAX_GRANTS);
    let task = tokio::spawn(async move {
        while let Some(grant) = waiting.recv().await {
            let outcome = uploader.upload(&grant).await;
            uploader.journal(outcome).await;
        }
    });
    (grants, task)
}

impl Uploader {
    /// Until it is there, refused or expired; the message that says so.
    pub(super) async fn upload(&self, grant: &Grant) -> Message {
        let result = match self.checked(grant).await {
            Ok((file, bytes)) if grant.is_by_mqtt() => self.send_chunks(grant, &file, bytes).await,
            Ok((file, bytes)) => self.put(grant, &file, bytes).await,
            Err(why) => Err(why),
        };
        let at = self.clock.now();
        match result {
            Ok(bytes) => {
                tracing::info!(path = grant.path, bytes, "evidence sent");
                evidence_ready(grant, bytes, at)
            }
            Err(why) => {
                tracing::warn!(path = grant.path, why, "evidence not sent");
                evidence_not_sent(grant, &why, at)
            }
        }
    }

    /// The file and its length, if it is what was granted.
    async fn checked(&self, grant: &Grant) -> Result<(PathBuf, u64), String> {
        let path = self.evidence_dir.join(&grant.path);
        let hashing = path.clone();
        let hashed =
            tokio::task::spawn_blocking(move || File::open(&hashing).and_then(|mut f| hash::of_file(&mut f)));
        match hashed.await {
            Ok(Ok((sha256, bytes))) if sha256 == grant.sha256 => Ok((path, bytes)),
            Ok(Ok((sha256, _))) => {
                Err(format!("the file's SHA-256 is {sha256}, not the one that was granted"))
            }
            Ok(Err(e)) => Err(format!("{}: {e}", grant.path)),
            Err(e) => Err(e.to_string()),
        }
    }

    async fn put(&self, grant: &Grant, file: &Path, bytes: u64) -> Result<u64, String> {
        let mut from = Some(0);
        let mut wait_s = UPLOAD_RETRY_S;
        loop {
            let part = Part { file, bytes, from };
            let config = self.trust.as_ref().map(tls::client_config).transpose();
            let config = config.map_err(|e| e.to_string())?.map(Arc::new);
            match http::put(grant, config.as_ref(), part, self.behind_reports()).await {
                Ok(Answer::Stored) => return Ok(bytes),
                Ok(Answer::Has(n)) if n < bytes && from != Some(n) => from = Some(n),
                Ok(Answer::Has(n)) => return Err(format!("the server says it has {n} of {bytes} bytes")),
                Err(PutError::Refused(why)) => return Err(why),
                Err(PutError::NotNow(why)) => {
                    tracing::debug!(path = grant.path, why, wait_s, "upload broken off; tried again");
                    if self.clock.now().wall_ms + (wait_s * 1000.0) as i64 >= grant.expires_at_ms {
                        return Err(format!("the grant has expired; last: {why}"));
                    }
                    tokio::time::sleep(Duration::from_secs_f64(wait_s)).await;
                    wait_s = (wait_s * 2.0).min(UPLOAD_RETRY_MAX_S);
                    from = if grant.resumable { None } else { Some(0) };
                }
            }
        }
    }

    /// Called on a blocking thread before each block: returns when no report waits for its way out.
    fn behind_reports(&self) -> Arc<dyn Fn() + Send + Sync> {
        let (delivery, clock) = (self.delivery.clone(), self.clock.clone());
        Arc::new(move || {
            let since = clock.now().mono;
            while clock.now().mono.since_s(since) < YIELD_S {
                let stats = delivery.stats().unwrap_or_default();
                let urgent = [Priority::Incident, Priority::Reply].map(Priority::index);
                if !stats.connected || urgent.iter().all(|i| stats.outbox[*i].queued == 0) {
                    return;
                }
                std::thread::sleep(YIELD_PERIOD);
            }
        })
    }

    /// The disk may refuse; the grant stays in the ledger until this is durable.
    async fn journal(&self, message: Message) {
        let delivery = self.delivery.clone();
        let committed =
            tokio::task::spawn_blocking(move || delivery.commit(vec![Item::Message(Box::new(message))]));
        if let Ok(Err(error)) = committed.await {
            tracing::error!(%error, "the end of an upload is not journalled; it is tried again at the next start");
        }
    }
}
