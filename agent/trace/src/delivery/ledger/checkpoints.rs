//! Checkpoints: when the box signs where its journal stands, and what each checkpoint says. How one proves anything is the
//! business of whoever reads them.

use std::path::Path;
use std::sync::Arc;

use kerbside_crypto::hash::Hash;
use kerbside_crypto::sign::{KeyError, PublicKey, SigningKey};
use kerbside_domain::time::Moment;
use kerbside_wire::checkpoint::{self, Chain};

use super::base::Ledger;
use super::checkpoint_times::CheckpointTimes;
use crate::delivery::error::Result;
use crate::delivery::item::Item;
use crate::delivery::settings::{KEY_FILE, NEXT_KEY_FILE};
use crate::tuning::CHECKPOINT_EVERY_RECORDS;

/// What is special about a checkpoint.
#[derive(Clone, Copy, Default)]
struct Occasion {
    /// The journal is about to begin here.
    beginning: Option<(u64, Hash)>,
    next_key: Option<PublicKey>,
    stopped: bool,
}

impl Ledger {
    /// Signs where the journal stands, when enough time has passed.
    pub(super) fn sign_if_due(&mut self, now: Moment) -> Result<()> {
        let is_due = self.checkpoints.is_due(self.uncovered(), now.mono);
        if is_due { self.sign(Occasion::default(), now) } else { Ok(()) }
    }

    /// The same when enough was written since the last time. A burst is signed while it lasts.
    pub(super) fn sign_if_long(&mut self, now: Moment) -> Result<()> {
        let is_long = self.uncovered() >= CHECKPOINT_EVERY_RECORDS;
        if is_long { self.sign(Occasion::default(), now) } else { Ok(()) }
    }

    fn uncovered(&self) -> u64 {
        self.journal.last_n().saturating_sub(self.state.counters.covered_n)
    }

    /// The segments below record `n` are about to be dropped.
    pub(super) fn sign_beginning(&mut self, n: u64, now: Moment) -> Result<()> {
        let beginning = Some((n, self.journal.hash_before(n)));
        self.sign(Occasion { beginning, ..Occasion::default() }, now)
    }

    /// The program stops: what comes after this was not written by it.
    pub(super) fn sign_stop(&mut self) -> Result<()> {
        self.sign(Occasion { stopped: true, ..Occasion::default() }, self.clock.now())
    }

    fn sign(&mut self, occasion: Occasion, now: Moment) -> Result<()> {
        let Some(key) = self.key.clone() else { return Ok(()) };
        let last = self.state.counters.checkpoint;
        let first_n = self.journal.first_n();
        let (first_n, first_prev) =
            occasion.beginning.unwrap_or_else(|| (first_n, self.journal.hash_before(first_n)));
        let chain = Chain {
            number: last.map_or(1, |last| last.number + 1),
            previous: last.map(|last| last.digest),
            first_n,
            first_prev,
            next_key: occasion.next_key,
            stopped: occasion.stopped,
        };
        let position = (self.journal.last_n(), self.journal.last_hash());
        let message = checkpoint::checkpoint(&self.who, &key, position, chain, now);
        self.commit(vec![Item::Message(Box::new(message))])?;
        self.checkpoints = CheckpointTimes::signed(now.mono);
        Ok(())
    }

    /// Without a key the journal is as good, but nobody signs it.
    pub(super) fn take_key(&mut self, dir: &Path) -> Result<()> {
        let path = dir.join(KEY_FILE);
        if self.state.counters.covered_n > 0 && !path.exists() {
            tracing::error!(
                path = %path.display(),
                "the box's key is gone, though it has signed this journal: a new one is made, which nothing vouches for. \
                 Tell the centre the new key (kerbside evidence public-key), or put the old file back and start again"
            );
        }
        match SigningKey::read_or_create(&path) {
            Ok(key) => self.use_key(key),
            Err(error) => tracing::error!(%error, "the journal is not signed"),
        }
        if self.key.is_some() && dir.join(NEXT_KEY_FILE).exists() {
            self.change_key(dir)?;
        }
        Ok(())
    }

    /// The old key signs which key comes next; then the new one takes its place. A start that breaks off in between does it again.
    fn change_key(&mut self, dir: &Path) -> Result<()> {
        let (path, next_path) = (dir.join(KEY_FILE), dir.join(NEXT_KEY_FILE));
        let next = match SigningKey::read(&next_path) {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "the box keeps its key");
                return Ok(());
            }
        };
        let public = next.public();
        self.sign(Occasion { next_key: Some(public), ..Occasion::default() }, self.clock.now())?;
        let moved = std::fs::rename(&next_path, &path)
            .and_then(|()| std::fs::File::open(dir)?.sync_all())
            .map_err(|cause| KeyError::File { path: next_path, cause });
        match moved {
            Ok(()) => {
                tracing::info!(key = %public, "the box signs with its new key");
                self.use_key(next);
            }
            Err(error) => tracing::error!(%error, "the box keeps its key"),
        }
        Ok(())
    }

    fn use_key(&mut self, key: SigningKey) {
        self.who.key = Some(key.public().to_string());
        self.key = Some(Arc::new(key));
    }
}
