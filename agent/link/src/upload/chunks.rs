//! A granted file in pieces over the link, where only the MQTT port is open: two on the way, and on from what the broker has acknowledged.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Uploader;
use kerbside_trace::delivery::Sent;
use kerbside_wire::chunk::{MAX_BYTES, MIN_BYTES};
use kerbside_wire::grant::Grant;

/// Pieces on the way.
const WINDOW: usize = 2;
/// Connections that break with a piece on the way before the next is half as long, and before it is given up: a broker that
/// closes on a long packet does not say so.
const LOST_HALVES: u32 = 2;
const LOST_ENDS: u32 = 14;
/// How far it got is journalled that often, bytes.
const MARK_EVERY: u64 = 1 << 20;

struct OnTheWay {
    end: u64,
    sent: oneshot::Receiver<Sent>,
}

impl Uploader {
    /// Until the broker has acknowledged every piece from where the grant says.
    pub(super) async fn send_chunks(&self, grant: &Grant, file: &Path, total: u64) -> Result<u64, String> {
        let file = Arc::new(File::open(file).map_err(|e| e.to_string())?);
        let mut acked = grant.offset.min(total);
        let (mut next, mut marked) = (acked, acked);
        let mut size = MAX_BYTES;
        let mut lost = 0;
        let mut on_the_way: VecDeque<OnTheWay> = VecDeque::new();
        while acked < total {
            while on_the_way.len() < WINDOW && next < total {
                let sent = self.one(grant, &file, total, next, size).await?;
                next = total.min(next + size as u64);
                on_the_way.push_back(OnTheWay { end: next, sent });
            }
            let Some(oldest) = on_the_way.pop_front() else { break };
            match self.fate(grant, oldest.sent).await? {
                Sent::Acked => (acked, lost) = (oldest.end, 0),
                Sent::Lost if lost >= LOST_ENDS => {
                    return Err(format!("the connection broke {lost} times on pieces of it"));
                }
                // On with what nobody has acknowledged.
                Sent::Lost => {
                    on_the_way.clear();
                    (next, lost) = (acked, lost + 1);
                    if lost % LOST_HALVES == 0 {
                        size = MIN_BYTES.max(size / 2);
                    }
                }
                Sent::TooLong if size > MIN_BYTES => {
                    on_the_way.clear();
                    (next, size) = (acked, size / 2);
                }
                Sent::TooLong => return Err(format!("the broker takes no piece of {size} bytes")),
                Sent::Refused(why) => return Err(why),
            }
            if acked - marked >= MARK_EVERY {
                marked = acked;
                self.mark(grant, acked).await;
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
        offset: u64,
        size: usize,
    ) -> Result<oneshot::Receiver<Sent>, String> {
        let (delivery, grant, file) = (self.delivery.clone(), grant.clone(), file.clone());
        let piece = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; size.min((total - offset) as usize)];
            file.read_exact_at(&mut bytes, offset).map_err(|e| format!("{}: {e}", grant.path))?;
            delivery.send_chunk(&grant, total, offset, &bytes).map_err(|e| e.to_string())
        });
        piece.await.map_err(|e| e.to_string())?
    }

    /// What became of a piece; it waits while the link is down and while reports wait, but not beyond the grant.
    async fn fate(&self, grant: &Grant, sent: oneshot::Receiver<Sent>) -> Result<Sent, String> {
        let left_ms = (grant.expires_at_ms - self.clock.now().wall_ms).max(0) as u64;
        match tokio::time::timeout(Duration::from_millis(left_ms), sent).await {
            Ok(Ok(fate)) => Ok(fate),
            Ok(Err(_)) => Err("the delivery is closed".to_owned()),
            Err(_) => Err("the grant has expired".to_owned()),
        }
    }

    /// After a restart it goes on from here.
    async fn mark(&self, grant: &Grant, acked: u64) {
        let (delivery, id) = (self.delivery.clone(), grant.id.clone());
        let body = serde_json::json!({"grant_id": id, "acked": acked});
        let marked = tokio::task::spawn_blocking(move || delivery.note("upload", body));
        if let Ok(Err(error)) = marked.await {
            tracing::debug!(%error, "how far an upload got is not journalled");
        }
    }
}
