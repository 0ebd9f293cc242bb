//! A granted file in pieces over the link, where only the MQTT port is open: two on the way, and on from what the broker has acknowledged.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use kerbside_trace::delivery::ChunkFate;
use kerbside_trace::journal::RecordKind;
use kerbside_wire::Grant;
use kerbside_wire::limits::{CHUNK_MAX, CHUNK_MIN, GRANT_LIFE_MS};
use serde_json::json;
use tokio::sync::oneshot;

use super::task::Uploader;
use crate::tuning::{CHUNK_GIVEN_UP_AFTER, CHUNK_HALVED_AFTER, CHUNK_WINDOW, PROGRESS_EVERY};

struct InFlight {
    end: u64,
    fate: oneshot::Receiver<ChunkFate>,
}

/// The next piece: where it begins, its bytes at most, and whether nothing before it is on its way.
#[derive(Clone, Copy)]
struct Piece {
    offset: u64,
    size: usize,
    first: bool,
}

impl Uploader {
    /// Until the broker has acknowledged every piece from where the grant says.
    pub(super) async fn send_chunks(
        &self,
        grant: &Grant,
        file: Arc<File>,
        total: u64,
    ) -> Result<u64, String> {
        let mut acked = grant.offset.min(total);
        let (mut next, mut journalled) = (acked, acked);
        let mut size = CHUNK_MAX;
        let mut lost = 0;
        let mut in_flight: VecDeque<InFlight> = VecDeque::new();
        while acked < total {
            while in_flight.len() < CHUNK_WINDOW && next < total {
                let piece = Piece { offset: next, size, first: in_flight.is_empty() && next == acked };
                let fate = self.one(grant, &file, total, piece).await?;
                next = total.min(next + size as u64);
                in_flight.push_back(InFlight { end: next, fate });
            }
            let Some(oldest) = in_flight.pop_front() else { break };
            match self.fate(grant, oldest.fate).await? {
                ChunkFate::Acknowledged => (acked, lost) = (oldest.end, 0),
                ChunkFate::ConnectionLost if lost >= CHUNK_GIVEN_UP_AFTER => {
                    return Err(format!("the connection broke {lost} times on pieces of it"));
                }
                // On with what nobody has acknowledged.
                ChunkFate::ConnectionLost => {
                    in_flight.clear();
                    (next, lost) = (acked, lost + 1);
                    if lost % CHUNK_HALVED_AFTER == 0 {
                        size = CHUNK_MIN.max(size / 2);
                    }
                }
                ChunkFate::TooLong if size > CHUNK_MIN => {
                    in_flight.clear();
                    (next, size) = (acked, size / 2);
                }
                ChunkFate::TooLong => return Err(format!("the broker takes no piece of {size} bytes")),
                ChunkFate::Rejected(why) => return Err(why),
            }
            if acked - journalled >= PROGRESS_EVERY {
                journalled = acked;
                self.journal_progress(grant, acked).await;
            }
        }
        Ok(total)
    }

    /// Reads a piece and hands it over.
    async fn one(
        &self,
        grant: &Grant,
        file: &Arc<File>,
        total: u64,
        piece: Piece,
    ) -> Result<oneshot::Receiver<ChunkFate>, String> {
        let (delivery, grant, file) = (self.delivery.clone(), grant.clone(), file.clone());
        let Piece { offset, size, first } = piece;
        let handed = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; size.min((total - offset) as usize)];
            file.read_exact_at(&mut bytes, offset).map_err(|e| format!("{}: {e}", grant.path))?;
            delivery.send_chunk(&grant, total, offset, &bytes, first).map_err(|e| e.to_string())
        });
        handed.await.map_err(|e| e.to_string())?
    }

    /// What became of a piece; it waits while the link is down and while reports wait, but not beyond the grant.
    async fn fate(&self, grant: &Grant, fate: oneshot::Receiver<ChunkFate>) -> Result<ChunkFate, String> {
        let left_s = grant.left_s(self.clock.now()).unwrap_or(GRANT_LIFE_MS as f64 / 1000.0);
        match tokio::time::timeout(Duration::from_secs_f64(left_s), fate).await {
            Ok(Ok(fate)) => Ok(fate),
            Ok(Err(_)) => Err("the delivery is closed".to_owned()),
            Err(_) => Err("the grant has expired".to_owned()),
        }
    }

    /// After a restart it goes on from here.
    async fn journal_progress(&self, grant: &Grant, acked: u64) {
        let (delivery, id) = (self.delivery.clone(), grant.id.clone());
        let body = json!({"grant_id": id, "acked": acked});
        let journalled = tokio::task::spawn_blocking(move || delivery.note(RecordKind::Upload, body));
        if let Ok(Err(error)) = journalled.await {
            tracing::debug!(%error, "how far an upload got is not journalled");
        }
    }
}
