//! The task: what is granted goes, a few at a time; what cannot go now is tried again while others go, until it is there, refused
//! or expired. One attempt that fails in an unforeseen way ends its own grant, never the task.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kerbside_crypto::hash;
use kerbside_domain::panics;
use kerbside_domain::time::Clock;
use kerbside_site::config::{Proxy, Tls};
use kerbside_trace::delivery::{Delivery, Item};
use kerbside_trace::{MAX_GRANTS, evidence_file};
use kerbside_wire::{Grant, Message, Priority, evidence_not_sent, evidence_ready};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::destination::Destination;
use super::http::{self, Answer, Part, Way};
use super::put_error::PutError;
use super::queue::{Pending, UploadQueue};
use crate::tls;
use crate::tuning::{UPLOAD_ROUNDS, UPLOAD_TICK, YIELD_PERIOD, YIELD_S};

/// What the task needs.
#[derive(Clone, Debug)]
pub struct Uploader {
    pub evidence_dir: PathBuf,
    pub delivery: Delivery,
    pub clock: Arc<dyn Clock>,
    /// Whom https servers must be certified by; read at each attempt, so that a replaced file counts at once.
    pub trust: Option<Tls>,
    /// A grant may lead to the box itself and to its own wire, also without TLS to the box itself.
    pub local_allowed: bool,
    /// The site's HTTP proxy.
    pub proxy: Option<Proxy>,
    /// Originals with heads and number plates leave only by a grant that says `unmasked`.
    pub masked_only: bool,
}

/// Why an original stays.
const UNMASKED_WORD: &str =
    "this site sends masked pictures only: grant the masked copy, or say \"unmasked\": true";
/// What the names of masked files end with; the evidence stage gives them.
const MASKED_NAMES: [&str; 2] = ["-masked.jpg", "-sheet.jpg"];

/// A picture or clip as the camera showed it.
fn may_show_people(path: &str) -> bool {
    let is_text = path.ends_with(".json") || path.ends_with(".sig");
    !is_text && !MASKED_NAMES.iter().any(|end| path.ends_with(end))
}

/// Starts the task on the current runtime; it ends when the sender is dropped.
pub fn spawn(uploader: Uploader) -> (mpsc::Sender<Grant>, tokio::task::JoinHandle<()>) {
    let (grants, waiting) = mpsc::channel::<Grant>(MAX_GRANTS);
    let task = tokio::spawn(panics::named("uploads", async move {
        let mut uploads = Uploads::new(uploader, waiting);
        while let Some(end) = uploads.next_end().await {
            uploads.uploader.journal(end).await;
        }
    }));
    (grants, task)
}

/// What became of one attempt.
enum Attempt {
    Over(Result<u64, String>),
    Later(String),
}

/// The uploads that wait or are under way.
pub(super) struct Uploads {
    uploader: Arc<Uploader>,
    granted: mpsc::Receiver<Grant>,
    queue: UploadQueue,
    running: JoinSet<Attempt>,
    /// Whose attempt each is.
    attempts: HashMap<tokio::task::Id, Pending>,
    /// Said of what is over and not yet given out.
    ended: Vec<Message>,
}

impl Uploads {
    pub(super) fn new(uploader: Uploader, granted: mpsc::Receiver<Grant>) -> Self {
        Uploads {
            uploader: Arc::new(uploader),
            granted,
            queue: UploadQueue::default(),
            running: JoinSet::new(),
            attempts: HashMap::new(),
            ended: Vec::new(),
        }
    }

    /// Waits until an upload is over; the message that says how. `None`: no more will be granted.
    pub(super) async fn next_end(&mut self) -> Option<Message> {
        loop {
            self.expire();
            if let Some(message) = self.ended.pop() {
                return Some(message);
            }
            self.start();
            let idle = self.queue.is_empty();
            tokio::select! {
                grant = self.granted.recv() => self.queue.push(grant?),
                Some(attempt) = self.running.join_next_with_id() => self.attempted(attempt),
                () = tokio::time::sleep(UPLOAD_TICK), if !idle => {}
            }
        }
    }

    fn start(&mut self) {
        while let Some(pending) = self.queue.next(self.uploader.clock.now().mono) {
            let (uploader, tried) = (self.uploader.clone(), pending.clone());
            let attempt =
                self.running.spawn(panics::contained_task(async move { uploader.attempt(&tried).await }));
            self.attempts.insert(attempt.id(), pending);
        }
    }

    fn attempted(&mut self, attempt: Result<(tokio::task::Id, Attempt), tokio::task::JoinError>) {
        let id = attempt.as_ref().map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
        let Some(pending) = self.attempts.remove(&id) else { return };
        let path = &pending.grant.path;
        match attempt {
            Ok((_, Attempt::Later(why))) => {
                tracing::debug!(path, why, "upload broken off; tried again");
                self.queue.put_back(pending, why, self.uploader.clock.now().mono);
            }
            Ok((_, Attempt::Over(result))) => self.over(&pending, result),
            Err(error) => {
                tracing::error!(%error, path, "an upload ended by a fault of the program");
                self.over(&pending, Err("a fault of the program ended it".to_owned()));
            }
        }
    }

    fn over(&mut self, pending: &Pending, result: Result<u64, String>) {
        self.queue.over(pending);
        self.ended.push(self.uploader.end(&pending.grant, result));
    }

    /// Nobody can say that it has expired without a clock that is vouched for.
    fn expire(&mut self) {
        for Pending { grant, last, .. } in self.queue.expired(self.uploader.clock.now()) {
            let why = match last {
                Some(last) => format!("the grant has expired; last: {last}"),
                None => "the grant has expired".to_owned(),
            };
            self.ended.push(self.uploader.end(&grant, Err(why)));
        }
    }
}

impl Uploader {
    /// The message that says how it ended.
    fn end(&self, grant: &Grant, result: Result<u64, String>) -> Message {
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

    async fn attempt(&self, pending: &Pending) -> Attempt {
        let grant = &pending.grant;
        if self.masked_only && !grant.unmasked && may_show_people(&grant.path) {
            return Attempt::Over(Err(UNMASKED_WORD.to_owned()));
        }
        let (file, bytes) = match self.checked(grant).await {
            Ok(checked) => checked,
            Err(why) => return Attempt::Over(Err(why)),
        };
        if grant.is_by_mqtt() {
            return Attempt::Over(self.send_chunks(grant, file, bytes).await);
        }
        match self.put(pending, file, bytes).await {
            Ok(()) => Attempt::Over(Ok(bytes)),
            Err(PutError::Refused(why)) => Attempt::Over(Err(why)),
            Err(PutError::NotNow(why)) => Attempt::Later(why),
        }
    }

    /// The file and its length, if it is what was granted. It stays open: what was hashed is what goes.
    async fn checked(&self, grant: &Grant) -> Result<(Arc<File>, u64), String> {
        let (dir, path) = (self.evidence_dir.clone(), grant.path.clone());
        let hashed = tokio::task::spawn_blocking(move || {
            let mut file = evidence_file::open(&dir, Path::new(&path))?;
            hash::of_file(&mut file).map(|(sha256, bytes)| (file, sha256, bytes))
        });
        match hashed.await {
            Ok(Ok((file, sha256, bytes))) if sha256 == grant.sha256 => Ok((Arc::new(file), bytes)),
            Ok(Ok((_, sha256, _))) => {
                Err(format!("the file's SHA-256 is {sha256}, not the one that was granted"))
            }
            Ok(Err(e)) => Err(format!("{}: {e}", grant.path)),
            Err(e) => Err(e.to_string()),
        }
    }

    /// One attempt: asks how far the one before got, if the server can say, and sends the rest.
    async fn put(&self, pending: &Pending, file: Arc<File>, bytes: u64) -> Result<(), PutError> {
        let grant = &pending.grant;
        let refused = PutError::Refused;
        let tls = self.trust.as_ref().map(tls::client_config).transpose();
        let way = Way {
            destination: Destination::of(grant).map_err(refused)?,
            tls: tls.map_err(|e| refused(e.to_string()))?.map(Arc::new),
            local_allowed: self.local_allowed,
            proxy: self.proxy.clone(),
            wait: self.behind_reports(),
        };
        let mut from = if grant.resumable && pending.last.is_some() { None } else { Some(0) };
        for _ in 0..UPLOAD_ROUNDS {
            let part = Part { file: file.clone(), bytes, from };
            match http::put(grant, &way, part).await? {
                Answer::Stored => return Ok(()),
                Answer::Has(n) if n < bytes && from != Some(n) => from = Some(n),
                Answer::Has(n) => {
                    return Err(refused(format!("the server says it has {n} of {bytes} bytes")));
                }
            }
        }
        Err(PutError::NotNow(format!("the server wants more than {UPLOAD_ROUNDS} parts")))
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
