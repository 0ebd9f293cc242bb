//! Damage is never silent: each row of the table hurts a journal and says what must be reported.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use kerbside_crypto::hash::Hash;
use kerbside_domain::time::{Clock as _, Moment, Mono, VirtualClock};

fn settings() -> JournalSettings {
    JournalSettings {
        segment_bytes: 4096,
        syncs: Syncs::default(),
        utc_offset_s: 8 * 3600,
        boot: "01JD7Z6T6V8Q0M5N3K2H1G9F8E".into(),
    }
}

fn open(dir: &Path, known: Option<(u64, Hash)>) -> (Journal, Damage) {
    Journal::open(dir, settings(), VirtualClock::new(1_795_221_065_120), known).unwrap()
}

/// 30 records of a few segments; number, hash and file of each.
fn written(dir: &Path) -> Vec<Appended> {
    let (mut journal, damage) = open(dir, None);
    assert!(damage.is_none());
    (0..30)
        .map(|i| {
            let entry =
                Entry::new(RecordKind::Note, format!("{{\"i\":{i},\"text\":\"{}\"}}", "x".repeat(200)));
            journal.append(&[entry], Durability::Now).unwrap()[0]
        })
        .collect()
}

fn file(dir: &Path, w: &Appended) -> PathBuf {
    dir.join(format!("{:020}.journal", w.location.segment))
}

fn replayed(journal: &Journal, from: u64) -> (Vec<u64>, Damage) {
    let mut seen = Vec::new();
    let damage = journal.replay(from, &mut |r, _| seen.push(r.n)).unwrap();
    (seen, damage)
}

#[test]
fn what_was_appended_is_read_again_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let all = written(dir.path());
    let (mut journal, damage) = open(dir.path(), Some((all[29].n, all[29].hash)));
    assert!(damage.is_none(), "{damage:?}");
    assert!(journal.segments.len() > 2);
    let (seen, damage) = replayed(&journal, 1);
    assert!(damage.is_none());
    assert_eq!(seen, (1..=journal.last_n()).collect::<Vec<_>>());
    assert_eq!(journal.read(all[4].n, all[4].location).unwrap().body[..7], *"{\"i\":4,");
    let group = [Entry::new(RecordKind::Note, "{}"), Entry::new(RecordKind::Note, "{\"b\":1}")];
    let more = journal.append(&group, Durability::Now).unwrap();
    assert_eq!(more[0].n + 1, more[1].n);
    assert_eq!(more[0].hash, more[1].prev);
    assert_eq!(more[0].prev, all[29].hash);
}

/// A program that was killed may have left its last records in memory: what the next one reads, it makes durable first.
#[test]
fn what_an_opening_reads_it_also_syncs() {
    thread_local!(static SYNCED: std::cell::RefCell<Vec<&'static str>> = std::cell::RefCell::default());
    fn note(what: &'static str) -> std::io::Result<()> {
        SYNCED.with_borrow_mut(|synced| synced.push(what));
        Ok(())
    }
    let dir = tempfile::tempdir().unwrap();
    let last = written(dir.path())[29];
    let bytes = std::fs::read(file(dir.path(), &last)).unwrap();
    std::fs::write(file(dir.path(), &last), &bytes[..bytes.len() - 1]).unwrap();
    let syncs = Syncs { file: |_| note("file"), folder: |_| note("folder") };
    let settings = JournalSettings { syncs, ..settings() };
    let (journal, _) = Journal::open(dir.path(), settings, VirtualClock::new(0), None).unwrap();
    assert_eq!(journal.last_n(), last.n);
    assert_eq!(SYNCED.take(), ["file", "folder"]);
}

#[test]
fn every_kind_of_damage_in_the_middle_is_counted_and_names_the_missing() {
    type Hurt = fn(&mut Vec<u8>, usize, usize);
    let table: [(&str, Hurt, u64); 6] = [
        ("a flipped bit", |b, at, _| b[at + 100] ^= 4, 1),
        ("a flipped line feed joins two", |b, at, len| b[at + len - 1] = b'x', 1),
        ("a zeroed record and its neighbours' edges", |b, at, len| b[at - 5..at + len + 5].fill(0), 3),
        ("garbage without line feeds", |b, at, len| b[at..at + len - 1].fill(0xA5), 1),
        ("garbage full of line feeds", |b, at, len| b[at..at + len].fill(b'\n'), 1),
        ("removed whole", |b, at, len| drop(b.drain(at..at + len)), 1),
    ];
    for (name, hurt, missing) in table {
        let dir = tempfile::tempdir().unwrap();
        let all = written(dir.path());
        let hit = &all[4];
        let path = file(dir.path(), hit);
        let mut bytes = fs::read(&path).unwrap();
        hurt(&mut bytes, hit.location.offset as usize, hit.location.len as usize);
        fs::write(&path, bytes).unwrap();
        let (journal, _) = open(dir.path(), None);
        let (seen, damage) = replayed(&journal, 1);
        assert_eq!(damage.missing_count(), missing, "{name}: {damage:?}");
        assert!(damage.missing.iter().any(|(a, b)| (*a..=*b).contains(&hit.n)), "{name}: {damage:?}");
        assert_eq!(seen.len() as u64 + missing, journal.last_n(), "{name}");
        assert!(name == "removed whole" || damage.bad > 0, "{name}");
    }
}

#[test]
fn damage_at_the_end_never_gives_a_number_away_twice() {
    let dir = tempfile::tempdir().unwrap();
    let all = written(dir.path());
    let last = &all[29];
    let path = file(dir.path(), last);
    let bytes = fs::read(&path).unwrap();
    let start = last.location.offset as usize;

    // The newest record hit by one bit: its number is skipped and named.
    let mut hit = bytes.clone();
    hit[start + 50] ^= 1;
    fs::write(&path, &hit).unwrap();
    let (mut journal, damage) = open(dir.path(), None);
    assert_eq!((damage.bad, damage.missing), (1, vec![(last.n, last.n)]));
    let after = journal.append(&[Entry::new(RecordKind::Note, "{}")], Durability::Now).unwrap();
    // The new segment's head takes the next number.
    assert_eq!(after[0].n, last.n + 2);
    assert_eq!(replayed(&journal, 1).1.missing, vec![(last.n, last.n)]);
    fs::remove_file(file(dir.path(), &after[0])).unwrap();

    // Cut in mid-record: a write that never returned.
    fs::write(&path, &bytes[..start + 40]).unwrap();
    let (journal, damage) = open(dir.path(), None);
    assert_eq!((damage.torn_bytes, journal.last_n()), (40, last.n - 1));

    // Cut at a border: only the index knows, and says so.
    fs::write(&path, &bytes[..start]).unwrap();
    let (journal, damage) = open(dir.path(), Some((last.n, last.hash)));
    assert_eq!((damage.missing, journal.last_n()), (vec![(last.n, last.n)], last.n));

    // Its line feed hit: the record still counts.
    let mut hit = bytes.clone();
    *hit.last_mut().unwrap() = b'x';
    fs::write(&path, &hit).unwrap();
    let (journal, damage) = open(dir.path(), None);
    assert_eq!((damage.bad, journal.last_n()), (1, last.n));
}

#[test]
fn a_forged_or_copied_record_breaks_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let all = written(dir.path());
    let path = file(dir.path(), &all[4]);
    let mut bytes = fs::read(&path).unwrap();
    let at = all[4].location.offset as usize;
    let len = all[4].location.len as usize;
    // The same number with another text and a right hash of its own.
    let stamp = record::Stamp {
        n: all[4].n,
        prev: all[4].prev,
        boot: "01JD7Z6T6V8Q0M5N3K2H1G9F8E",
        at: VirtualClock::new(0).now(),
        utc_offset_s: 0,
    };
    let mut forged = Vec::new();
    record::seal(&mut forged, &stamp, "note", "{\"i\":\"forged\"}");
    bytes.splice(at..at + len, forged);
    fs::write(&path, &bytes).unwrap();
    let (journal, _) = open(dir.path(), None);
    assert_eq!(replayed(&journal, 1).1.broken_links, 1);
}

#[test]
fn segments_go_only_when_done_with_and_old() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let (mut journal, _) = open(dir.path(), None);
    let end = journal.oldest_segment_end().unwrap();
    let now = journal.clock().now();
    let [old, new] =
        [1.0, -1.0].map(|s| AgeLimit { now: Moment { mono: now.mono.plus_s(10.0), ..now }, s: 10.0 - s });
    assert_eq!(journal.drop_before(end - 1, old).unwrap(), 0);
    assert_eq!(journal.drop_before(end, new).unwrap(), 0);
    assert_eq!(journal.drop_before(end, old).unwrap(), 1);
    assert_eq!(journal.first_n(), end);
    let (seen, damage) = replayed(&journal, 1);
    assert!(damage.is_none());
    assert_eq!(seen.first(), Some(&end));
    // The last segment stays whatever is asked.
    journal.drop_before(u64::MAX, old).unwrap();
    assert_eq!(journal.segments.len(), 1);
}

/// The heads of segments of this version say that their clock counts on; those of version 0.1 do not.
#[test]
fn a_segment_is_as_old_as_what_the_box_lived_through_since_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(1_795_221_065_120);
    let open = || Journal::open(dir.path(), settings(), clock.clone(), None).unwrap().0;
    let mut journal = open();
    let long = || Entry::new(RecordKind::Note, format!("{{\"text\":\"{}\"}}", "x".repeat(5000)));
    let mut ran_s = 0.0;
    for head in ["{}", "{\"clock\":{}}", "{\"clock\":{}}"] {
        journal.set_counters(head.to_owned());
        ran_s += 1000.0;
        clock.advance_to(Mono::from_s(ran_s));
        journal.append(&[long()], Durability::Now).unwrap();
    }
    // Into the first segment, which the head of version 0.1 does not date, the third, and nothing behind it.
    clock.set_wall(0);
    let limit = |s: f64| AgeLimit { now: clock.now(), s };
    assert_eq!(journal.segments.len(), 3);
    assert!(
        journal.oldest_is_beyond(limit(999.0)).unwrap() && !journal.oldest_is_beyond(limit(1001.0)).unwrap()
    );
    assert_eq!(journal.drop_before(u64::MAX, limit(999.0)).unwrap(), 1);
    assert!(journal.oldest_is_beyond(limit(-1.0)).unwrap() && !journal.oldest_is_beyond(limit(1.0)).unwrap());
    // A head that cannot be read makes what is before it younger, never older, and nothing stays for ever.
    let second = journal.segments[1].path.clone();
    let mut bytes = fs::read(&second).unwrap();
    bytes[60] ^= 1;
    fs::write(&second, bytes).unwrap();
    journal.append(&[long()], Durability::Now).unwrap();
    clock.advance_to(Mono::from_s(ran_s + 500.0));
    let mut journal = open();
    assert!(
        journal.oldest_is_beyond(limit(499.0)).unwrap() && !journal.oldest_is_beyond(limit(501.0)).unwrap()
    );
}

#[test]
fn the_clock_of_a_journal_counts_on_where_the_last_run_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut at_s = 0.0;
    for boot in 0..3 {
        let clock = VirtualClock::new(boot * 1000);
        let (mut journal, _) = Journal::open(dir.path(), settings(), clock.clone(), None).unwrap();
        assert_eq!(journal.clock().now().mono, Mono::from_s(at_s), "boot {boot}");
        clock.advance_to(Mono::from_s(100.0));
        at_s += 100.0;
        let wrote = journal.append(&[Entry::new(RecordKind::Note, "{}")], Durability::Now).unwrap();
        let record = journal.read(wrote[0].n, wrote[0].location).unwrap();
        assert_eq!((record.at.mono, record.at.wall_ms), (Mono::from_s(at_s), boot * 1000 + 100_000));
    }
}

#[test]
fn what_is_no_record_is_refused_before_a_byte_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open(dir.path(), None);
    for entry in [
        Entry::new(RecordKind::from("Bad Kind"), "{}"),
        Entry::new(RecordKind::Note, "{\n}"),
        Entry::new(RecordKind::Note, "x".repeat(record::MAX_LINE)),
    ] {
        assert!(matches!(journal.append(&[entry], Durability::Now), Err(JournalError::BadEntry { .. })));
    }
    assert_eq!(journal.last_n(), 0);
}

/// Syncs of which the next ones fail, as many as the test says.
mod failing {
    use std::cell::Cell;

    thread_local!(pub(super) static FAILS: Cell<u32> = const { Cell::new(0) });

    pub(super) fn sync(_: &std::fs::File) -> std::io::Result<()> {
        match FAILS.get() {
            0 => Ok(()),
            fails => {
                FAILS.set(fails - 1);
                Err(std::io::Error::from_raw_os_error(5))
            }
        }
    }

    pub(super) fn settings() -> super::JournalSettings {
        let syncs = super::Syncs { file: sync, ..super::Syncs::default() };
        super::JournalSettings { syncs, ..super::settings() }
    }
}

/// The kernel drops what it could not write.
fn dropped_by_the_kernel(dir: &Path, lost: &Appended) {
    let path = file(dir, lost);
    let mut bytes = fs::read(&path).unwrap();
    let at = lost.location.offset as usize;
    bytes[at..at + lost.location.len as usize].fill(0);
    fs::write(&path, bytes).unwrap();
}

/// After a failed sync the kernel may have dropped the pages and says nothing of it at the next one.
#[test]
fn after_a_failed_sync_nothing_counts_as_synced_before_it_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) =
        Journal::open(dir.path(), failing::settings(), VirtualClock::new(0), None).unwrap();
    let note = |text: &str| [Entry::new(RecordKind::Note, format!("{{\"text\":\"{text}\"}}"))];
    let synced = journal.append(&note("synced"), Durability::Now).unwrap().remove(0);
    let late = journal.append(&note("late"), Durability::Later).unwrap().remove(0);
    failing::FAILS.set(2);
    journal.sync().unwrap_err();
    assert_eq!((journal.last_n(), journal.synced_n()), (late.n, synced.n));
    dropped_by_the_kernel(dir.path(), &late);
    journal.sync().unwrap_err();
    // A report does not wait for that; it goes to a new file.
    let report = journal.append(&note("report"), Durability::Now).unwrap().remove(0);
    assert_ne!(report.location.segment, late.location.segment);
    journal.sync().unwrap();
    let (seen, damage) = replayed(&journal, 1);
    assert!(damage.is_none(), "{damage:?}");
    assert!(seen.contains(&late.n) && seen.contains(&report.n), "{seen:?}");
}

/// The sync at a segment's end fails on what an older segment has in doubt; so its own end is in doubt too.
#[test]
fn a_segment_that_ends_while_an_older_one_is_in_doubt_is_in_doubt_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) =
        Journal::open(dir.path(), failing::settings(), VirtualClock::new(0), None).unwrap();
    let note = |text: &str| [Entry::new(RecordKind::Note, format!("{{\"text\":\"{text}\"}}"))];
    journal.append(&note("synced"), Durability::Now).unwrap();
    let first = journal.append(&note("in doubt"), Durability::Later).unwrap().remove(0);
    failing::FAILS.set(1);
    journal.sync().unwrap_err();
    journal.append(&note("a new segment, and its head is synced"), Durability::Later).unwrap();
    let end = journal.append(&note(&"x".repeat(5000)), Durability::Later).unwrap().remove(0);
    failing::FAILS.set(1);
    let report = journal.append(&note("report"), Durability::Now).unwrap().remove(0);
    assert_eq!(journal.segments.len(), 3);
    [first, end].iter().for_each(|lost| dropped_by_the_kernel(dir.path(), lost));
    journal.sync().unwrap();
    let (seen, damage) = replayed(&journal, 1);
    assert!(damage.is_none(), "{damage:?}");
    assert!([first, end, report].iter().all(|wrote| seen.contains(&wrote.n)), "{seen:?}");
}
