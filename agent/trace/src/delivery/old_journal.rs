//! A journal that version 0.1.0 wrote reads as it did then, and the index of that version too.

use std::path::{Path, PathBuf};

use super::state::LedgerState;
use super::*;
use crate::index::{IndexChange, MemoryStore, Store, Table};
use crate::journal::{Durability, Entry, Journal, JournalSettings, RecordKind, audit};
use kerbside_crypto::hash::{self, Hash};
use kerbside_domain::time::{Mono, VirtualClock};
use kerbside_wire::checkpoint::Checkpoint;
use kerbside_wire::testing::who;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journal-0.1.0")
}

/// A copy of the journal that a test may write to.
fn copied(dir: &Path) {
    let journal = dir.join("journal");
    std::fs::create_dir(&journal).unwrap();
    for file in std::fs::read_dir(fixture().join("journal")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), journal.join(file.file_name())).unwrap();
    }
}

fn opened(dir: &Path) -> Journal {
    let settings = JournalSettings {
        segment_bytes: 1 << 20,
        syncs: Default::default(),
        utc_offset_s: 8 * 3600,
        boot: "01JD7Z6T6V8Q0M5N3K2H1G9F8E".into(),
    };
    let clock = VirtualClock::new(1_795_221_065_120);
    let (journal, damage) = Journal::open(&dir.join("journal"), settings, clock, None).unwrap();
    assert!(damage.is_none(), "{damage:?}");
    journal
}

fn outbox() -> crate::outbox::OutboxSettings {
    DeliverySettings::new("", true).outbox
}

fn folded(journal: &Journal) -> LedgerState {
    let mut state = LedgerState::new(outbox());
    let damage = journal.replay(1, &mut |record, at| drop(state.apply(&record, at, Mono::ZERO))).unwrap();
    assert!(damage.is_none(), "{damage:?}");
    state
}

/// The last value of each key, one a line, as the fixture has them.
fn lines(changes: Vec<IndexChange>) -> String {
    let mut values = std::collections::BTreeMap::new();
    for IndexChange { table, key, value } in changes {
        values.insert((format!("{table:?}"), hash::hex(&key)), value);
    }
    let line = |((table, key), value): ((String, String), Option<Vec<u8>>)| {
        Some(format!("{table} {key} {}\n", String::from_utf8(value?).unwrap()))
    };
    values.into_iter().filter_map(line).collect()
}

#[test]
fn every_record_is_read_and_folds_into_the_same_index() {
    let dir = tempfile::tempdir().unwrap();
    copied(dir.path());
    let journal = opened(dir.path());
    let mut kinds = std::collections::BTreeSet::new();
    journal.replay(1, &mut |record, _| kinds.extend([record.kind.to_string()])).unwrap();
    assert_eq!(kinds.len(), 20, "{kinds:?}");
    let index = std::fs::read_to_string(fixture().join("index.txt")).unwrap();
    // Since then grants are remembered beside the commands.
    let now = lines(folded(&journal).take_changes());
    let (grants, rest): (Vec<&str>, Vec<&str>) =
        now.lines().partition(|line| line.contains("\"verb\":\"evidence/grant\""));
    let rest = rest.iter().map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!((grants.len(), rest.replace("\"commands\":9", "\"commands\":7")), (2, index));
}

#[test]
fn the_index_of_then_is_taken_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    copied(dir.path());
    let bytes = |hex: &str| -> Vec<u8> {
        let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap();
        hex.as_bytes().chunks(2).map(pair).collect()
    };
    let change = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let mut part = || parts.next().unwrap();
        let name = part();
        let table = Table::ALL.into_iter().find(|t| format!("{t:?}") == name).unwrap();
        IndexChange { table, key: bytes(part()), value: Some(part().as_bytes().to_vec()) }
    };
    let text = std::fs::read_to_string(fixture().join("index.txt")).unwrap();
    let mut store = MemoryStore::default();
    store.apply(&text.lines().map(change).collect::<Vec<_>>()).unwrap();
    let settings = DeliverySettings::new(dir.path(), true);
    let clock = VirtualClock::new(1_795_221_065_120);
    let (ledger, recovery) =
        Ledger::open_with(settings, who(), clock, Some(Box::new(store) as Box<dyn Store>)).unwrap();
    assert_eq!(recovery, Recovery::default(), "nothing is rebuilt, nothing replayed");
    assert_eq!((ledger.last_seq(), ledger.inputs().len(), ledger.incidents().len()), (10, 7, 1));
    assert_eq!(ledger.unfinished().unacknowledged.len(), 2);
}

#[test]
fn what_is_said_again_is_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    copied(dir.path());
    let mut messages = String::new();
    opened(dir.path())
        .replay(1, &mut |record, _| {
            if let Some(outgoing) = kerbside_wire::published(record.recorded(), &who()) {
                let sha256 = hash::hex(&hash::of(&outgoing.body));
                messages.push_str(&format!("{} {} {sha256}\n", outgoing.seq, outgoing.topic));
            }
        })
        .unwrap();
    assert_eq!(messages, std::fs::read_to_string(fixture().join("messages.txt")).unwrap());
}

#[test]
fn it_is_whole_and_its_checkpoint_is_good() {
    let mut hashes: Vec<(u64, Hash)> = Vec::new();
    let mut checkpoints = 0;
    let audit = audit::read(&fixture().join("journal"), &mut |record, _| {
        if let Some((head, envelope)) = record.message()
            && head.kind == kerbside_wire::checkpoint::KIND
        {
            let checkpoint = Checkpoint::read(envelope).unwrap();
            checkpoint.verify(Some(kerbside_crypto::testing::key().public())).unwrap();
            assert!(hashes.contains(&(checkpoint.n, checkpoint.hash)));
            checkpoints += 1;
        }
        hashes.push((record.n, record.hash));
    })
    .unwrap();
    assert!(audit.is_whole(), "{audit:?}");
    assert_eq!((audit.records, audit.segments, checkpoints), (43, 2, 1));
}

#[test]
fn a_kind_of_a_later_version_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    copied(dir.path());
    let mut journal = opened(dir.path());
    let before = lines(folded(&journal).take_changes());
    journal
        .append(&[Entry::new(RecordKind::from("weather.seen"), r#"{"rain":true}"#)], Durability::Now)
        .unwrap();
    let mut newest = String::new();
    journal.replay(44, &mut |record, _| newest = record.kind.to_string()).unwrap();
    assert_eq!(newest, "weather.seen");
    let after = lines(folded(&journal).take_changes());
    let but_meta =
        |text: &str| text.lines().filter(|l| !l.starts_with("Meta")).collect::<Vec<_>>().join("\n");
    assert_eq!(but_meta(&after), but_meta(&before));
}
