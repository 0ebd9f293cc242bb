//! Opening: journal and index made to agree; the index is made again from the journal on any doubt.

use std::collections::HashMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use kerbside_domain::time::Clock;
use kerbside_wire::Identity;
use serde_json::json;

use super::accounts::Accounts;
use super::base::{Ledger, RefusalMinute};
use super::checkpoint_times::CheckpointTimes;
use crate::delivery::error::{DeliveryError, Result};
use crate::delivery::item::Item;
use crate::delivery::reserve_file::ReserveFile;
use crate::delivery::settings::DeliverySettings;
use crate::delivery::state::LedgerState;
use crate::delivery::stats::{DeliveryStats, Recovery};
use crate::index::{SledStore, Store, Table};
use crate::journal::{Damage, Journal, JournalSettings, RecordKind};
use crate::tuning::{INDEX_OPEN_LIMIT, KNOWN_SEARCH};

impl Ledger {
    /// Opens journal and index under `settings.dir`, rebuilding the index on any doubt.
    pub fn open(
        settings: DeliverySettings,
        who: Identity,
        clock: Arc<dyn Clock>,
    ) -> Result<(Ledger, Recovery)> {
        let lock = lock(&settings.dir)?;
        let StoredIndex { store, state, doubt } = open_index(&settings);
        let dir = settings.dir.clone();
        let (mut ledger, recovery) = Ledger::over(settings, who, clock, store, state)?;
        ledger._lock = Some(lock);
        ledger.take_key(&dir)?;
        let recovery = Recovery { index_doubt: doubt.or(recovery.index_doubt), ..recovery };
        if !recovery.damage.is_none() || recovery.index_doubt.is_some() {
            let body = json!({"damage": recovery.damage, "index": recovery.index_doubt, "rebuilt": recovery.rebuilt});
            ledger.commit(vec![Item::Note { kind: RecordKind::Recovered, body }])?;
        }
        Ok((ledger, recovery))
    }

    /// The same with a store of the caller's choice.
    pub fn open_with(
        settings: DeliverySettings,
        who: Identity,
        clock: Arc<dyn Clock>,
        store: Option<Box<dyn Store>>,
    ) -> Result<(Ledger, Recovery)> {
        let indexed = match &store {
            Some(store) => LedgerState::load(store.as_ref(), settings.outbox.clone()).ok().flatten(),
            None => None,
        };
        Ledger::over(settings, who, clock, store, indexed)
    }

    /// `indexed`: what the store says, if it says all.
    fn over(
        settings: DeliverySettings,
        who: Identity,
        mut clock: Arc<dyn Clock>,
        store: Option<Box<dyn Store>>,
        indexed: Option<LedgerState>,
    ) -> Result<(Ledger, Recovery)> {
        let journal_settings = JournalSettings {
            segment_bytes: settings.segment_bytes,
            syncs: settings.syncs,
            utc_offset_s: who.utc_offset_s,
            boot: ulid::Ulid::generate().to_string(),
        };
        let cursor = indexed.as_ref().filter(|s| s.n > 0).map(|s| (s.n, s.hash));
        let (journal, tip_damage) =
            Journal::open(&settings.dir.join("journal"), journal_settings, clock.clone(), cursor)?;
        let run_clock = std::mem::replace(&mut clock, journal.clock());
        let now = clock.now().mono;
        let mut recovery = Recovery::default();
        let fits = indexed.filter(|s| s.n == 0 || fits(&journal, s));
        let rebuild = fits.is_none();
        let mut state = fits.unwrap_or_else(|| LedgerState::new(settings.outbox.clone()));
        recovery.rebuilt = rebuild && journal.last_n() > 0;
        let from = state.n + 1;
        if !rebuild {
            recall(&journal, &mut state);
        }
        let damage = journal.replay(from, &mut |record, location| {
            state.apply(&record, location, now);
            recovery.replayed += 1;
        })?;
        recovery.damage = if rebuild { merge(damage, tip_damage) } else { merge(tip_damage, damage) };
        let reserve = ReserveFile::new(&settings.dir);
        let mut ledger = Ledger {
            journal,
            store,
            state,
            who,
            settings,
            clock,
            run_clock,
            stats: DeliveryStats::default(),
            pubacks: Vec::new(),
            unreadable: HashMap::new(),
            journal_away_until: None,
            indexed_n: 0,
            indexed_at: now,
            refusals: RefusalMinute::new(now),
            genuine_refusals: RefusalMinute::new(now),
            key: None,
            checkpoints: CheckpointTimes::default(),
            accounts: Accounts::default(),
            reserve,
            _lock: None,
        };
        // Records that are gone may have been messages, or a start: their numbers must not be given out again.
        ledger.state.counters.seq += recovery.damage.missing_count();
        ledger.state.counters.opens += recovery.damage.missing_count();
        // What the clock did before was journalled then.
        ledger.state.take_clock_step();
        if ledger.journal.last_n() == 0 && ledger.state.n == 0 {
            ledger.state.counters.journal_id = Some(new_journal_id());
        }
        ledger.carry_counters();
        let counters = &ledger.state.counters;
        ledger.who.journal_id.clone_from(&counters.journal_id);
        let body = json!({"version": ledger.who.version, "seq": counters.seq, "opens": counters.opens + 1,
            "lived": true, "journal_id": counters.journal_id});
        ledger.commit(vec![Item::Note { kind: RecordKind::Boot, body }])?;
        ledger.answer_interrupted()?;
        if rebuild {
            ledger.rewrite_index();
        }
        Ok((ledger, recovery))
    }
}

/// Eight characters, 40 bits, that no other journal of this box will have, whatever its clock says.
fn new_journal_id() -> String {
    let ulid = ulid::Ulid::generate().to_string();
    // The time is in the first ten characters.
    ulid.get(ulid.len() - 8..).unwrap_or_default().to_owned()
}

#[derive(Default)]
struct StoredIndex {
    /// Without one the journal carries on alone.
    store: Option<Box<dyn Store>>,
    /// What it says, if it says all.
    state: Option<LedgerState>,
    /// Why the old one does not count.
    doubt: Option<String>,
}

/// The index, new if the old one is in doubt.
fn open_index(settings: &DeliverySettings) -> StoredIndex {
    let opened = match SledStore::open(&settings.dir.join("index"), INDEX_OPEN_LIMIT) {
        Ok(opened) => opened,
        Err(e) => return StoredIndex { doubt: Some(e.to_string()), ..StoredIndex::default() },
    };
    let doubt = opened.set_aside.map(|(_, reason)| reason);
    let why = match LedgerState::load(&opened.store, settings.outbox.clone()) {
        Ok(None) if !is_empty(&opened.store) => "it is not whole".to_owned(),
        Ok(state) => return StoredIndex { store: Some(Box::new(opened.store)), state, doubt },
        Err(e) => e.to_string(),
    };
    let replaced = opened.store.replace(INDEX_OPEN_LIMIT);
    let store = replaced.ok().map(|(store, _)| Box::new(store) as Box<dyn Store>);
    StoredIndex { store, state: None, doubt: Some(why) }
}

fn is_empty(store: &dyn Store) -> bool {
    Table::ALL.into_iter().all(|t| store.scan(t).is_ok_and(|pairs| pairs.is_empty()))
}

/// Whether the journal holds, at the index's cursor, the record that the index says it has seen last.
fn fits(journal: &Journal, state: &LedgerState) -> bool {
    let mut found = None;
    let read = journal.replay(state.n, &mut |record, _| {
        if record.n == state.n {
            found = Some(record.hash);
        }
    });
    // A record that is gone at the very end was reported by `Journal::open`; what the index knows of it is still true.
    read.is_ok() && found.is_none_or(|hash| hash == state.hash)
}

/// The messages of the centre before the index's cursor. What cannot be read is reported when it is needed; a message that is not
/// known again is only journalled a second time.
fn recall(journal: &Journal, state: &mut LedgerState) {
    let cursor = state.n;
    let newest = cursor.saturating_sub(KNOWN_SEARCH).max(journal.first_n());
    let read = journal.replay(newest, &mut |record, _| {
        if record.n <= cursor {
            state.know(&record);
        }
    });
    if let Err(error) = read {
        tracing::warn!(%error, "messages that came down may be journalled a second time");
    }
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
    let failed = |cause: std::io::Error| DeliveryError::Folder { path: dir.to_owned(), cause };
    // For its owner alone: journal, evidence and keys lie there.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    let path = dir.join("lock");
    let file =
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(DeliveryError::InUse { path: dir.to_owned() }),
        Err(e) => Err(failed(e.into())),
    }
}
