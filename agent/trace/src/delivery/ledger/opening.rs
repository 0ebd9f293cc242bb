//! Opening: journal and index made to agree; the index is made again from the journal on any doubt.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Item, Ledger, Result};
use crate::delivery::state::State;
use crate::delivery::{DeliveryError, KEY_FILE, Recovery, Settings, Stats};
use crate::journal::{Damage, Journal};
use crate::store::{Change, SledStore, Store, StoreError, Table};
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::Clock;
use kerbside_wire::Identity;

const INDEX_OPEN_LIMIT: Duration = Duration::from_secs(30);

impl Ledger {
    /// Opens journal and index under `settings.dir`, rebuilding the index on any doubt.
    pub fn open(settings: Settings, who: Identity, clock: Arc<dyn Clock>) -> Result<(Ledger, Recovery)> {
        let lock = lock(&settings.dir)?;
        let Index { store, state, doubt } = open_index(&settings);
        let key_file = settings.dir.join(KEY_FILE);
        let (mut ledger, recovery) = Ledger::over(settings, who, clock, store, state)?;
        ledger._lock = Some(lock);
        ledger.take_key(&key_file);
        let recovery = Recovery { index_doubt: doubt.or(recovery.index_doubt), ..recovery };
        if !recovery.damage.is_none() || recovery.index_doubt.is_some() {
            let body = json!({"damage": recovery.damage, "index": recovery.index_doubt, "rebuilt": recovery.rebuilt});
            ledger.commit(vec![Item::Note { kind: "recovered", body }])?;
        }
        Ok((ledger, recovery))
    }

    /// Without a key the journal is as good, but nobody signs it.
    fn take_key(&mut self, path: &Path) {
        match SigningKey::read_or_create(path) {
            Ok(key) => {
                self.who.key = Some(key.public().to_string());
                self.key = Some(key);
            }
            Err(error) => tracing::error!(%error, "the journal is not signed"),
        }
    }

    /// The same with a store of the caller's choice.
    pub fn open_with(
        settings: Settings,
        who: Identity,
        clock: Arc<dyn Clock>,
        store: Option<Box<dyn Store>>,
    ) -> Result<(Ledger, Recovery)> {
        let indexed = match &store {
            Some(store) => State::load(store.as_ref(), settings.outbox.clone()).ok().flatten(),
            None => None,
        };
        Ledger::over(settings, who, clock, store, indexed)
    }

    /// `indexed`: what the store says, if it says all.
    fn over(
        settings: Settings,
        who: Identity,
        clock: Arc<dyn Clock>,
        store: Option<Box<dyn Store>>,
        indexed: Option<State>,
    ) -> Result<(Ledger, Recovery)> {
        let journal_settings = crate::journal::Settings {
            segment_bytes: settings.segment_bytes,
            syncs: settings.syncs,
            utc_offset_s: who.utc_offset_s,
            boot: ulid::Ulid::generate().to_string(),
        };
        let known = indexed.as_ref().filter(|s| s.n > 0).map(|s| (s.n, s.hash));
        let (journal, tip_damage) =
            Journal::open(&settings.dir.join("journal"), journal_settings, clock.clone(), known)?;
        let now = clock.now().mono;
        let mut recovery = Recovery::default();
        let fits = indexed.filter(|s| s.n == 0 || fits(&journal, s));
        let rebuild = fits.is_none();
        let mut state = fits.unwrap_or_else(|| State::new(settings.outbox.clone()));
        recovery.rebuilt = rebuild && journal.last_n() > 0;
        let from = state.n + 1;
        let damage = journal.replay(from, &mut |record, at| {
            state.apply(&record, at, now);
            recovery.replayed += 1;
        })?;
        recovery.damage = if rebuild { merge(damage, tip_damage) } else { merge(tip_damage, damage) };
        let ballast = crate::delivery::ballast::Ballast::new(&settings.dir);
        let mut ledger = Ledger {
            journal,
            store,
            state,
            who,
            settings,
            clock,
            stats: Stats::default(),
            pubacks: Vec::new(),
            unread: HashMap::new(),
            indexed: (0, now),
            refusals: (now, 0),
            key: None,
            checkpointed: now,
            ballast,
            _lock: None,
        };
        // Records that are gone may have been messages, or a start: their numbers must not be given out again.
        ledger.state.carry.seq += recovery.damage.missing_count();
        ledger.state.carry.opens += recovery.damage.missing_count();
        ledger.set_carry();
        let carry = ledger.state.carry;
        let body = json!({"version": ledger.who.version, "seq": carry.seq, "opens": carry.opens + 1});
        ledger.commit(vec![Item::Note { kind: "boot", body }])?;
        ledger.answer_interrupted()?;
        if rebuild {
            ledger.rewrite_index();
        }
        Ok((ledger, recovery))
    }
}

#[derive(Default)]
struct Index {
    /// Without one the journal carries on alone.
    store: Option<Box<dyn Store>>,
    /// What it says, if it says all.
    state: Option<State>,
    /// Why the old one does not count.
    doubt: Option<String>,
}

/// The index, new if the old one is in doubt.
fn open_index(settings: &Settings) -> Index {
    let opened = match SledStore::open(&settings.dir.join("index"), INDEX_OPEN_LIMIT) {
        Ok(opened) => opened,
        Err(e) => return Index { doubt: Some(e.to_string()), ..Index::default() },
    };
    let doubt = opened.set_aside.map(|(_, reason)| reason);
    let why = match State::load(&opened.store, settings.outbox.clone()) {
        Ok(None) if !is_empty(&opened.store) => "it is not whole".to_owned(),
        Ok(state) => return Index { store: Some(Box::new(opened.store)), state, doubt },
        Err(e) => e.to_string(),
    };
    let fresh = opened.store.replace(INDEX_OPEN_LIMIT);
    let store = fresh.ok().map(|(store, _)| Box::new(store) as Box<dyn Store>);
    Index { store, state: None, doubt: Some(why) }
}

fn is_empty(store: &dyn Store) -> bool {
    Table::ALL.into_iter().all(|t| store.scan(t).is_ok_and(|pairs| pairs.is_empty()))
}

pub(super) fn clear(store: &mut dyn Store) -> std::result::Result<(), StoreError> {
    let mut changes = Vec::new();
    for table in Table::ALL {
        let pairs = store.scan(table)?;
        changes.extend(pairs.into_iter().map(|(key, _)| Change { table, key, value: None }));
    }
    store.apply(&changes)
}

/// Whether the journal holds, at the index's cursor, the record that the index says it has seen last.
fn fits(journal: &Journal, state: &State) -> bool {
    let mut seen = None;
    let read = journal.replay(state.n, &mut |record, _| {
        if record.n == state.n {
            seen = Some(record.hash);
        }
    });
    // A record that is gone at the very end was reported by `Journal::open`; what the index knows of it is still true.
    read.is_ok() && seen.is_none_or(|hash| hash == state.hash)
}

fn merge(mut a: Damage, b: Damage) -> Damage {
    a.bad = a.bad.max(b.bad);
    a.broken_links = a.broken_links.max(b.broken_links);
    a.torn_bytes = a.torn_bytes.max(b.torn_bytes);
    a.abandoned = a.abandoned.max(b.abandoned);
    a.missing.extend(b.missing);
    a.missing.sort_unstable();
    a.missing.dedup();
    a
}

fn lock(dir: &Path) -> Result<std::fs::File> {
    let failed = |source: std::io::Error| DeliveryError::Folder { path: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let path = dir.join("lock");
    let file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(DeliveryError::InUse { path: dir.to_owned() }),
        Err(e) => Err(failed(e.into())),
    }
}
