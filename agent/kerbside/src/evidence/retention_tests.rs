//! What goes and what stays: by room, by what the box lived through, and never by where its wall clock stands.

use std::path::{Path, PathBuf};

use kerbside_domain::time::{ClockQuality, Moment, Mono};
use proptest::prelude::*;

use super::*;

const DAY_S: f64 = 86_400.0;
const NOW_MS: i64 = 1_795_221_065_120;
const KEEP_ALL: Retention = Retention { max_bytes: 1 << 30, max_age_days: Some(3650), lacking: 0 };

fn folder_of(dir: &Path, day: &str, id: &str) -> PathBuf {
    let folder = dir.join(day).join(id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("r1-clip.mp4"), vec![0; 1000]).unwrap();
    folder
}

fn names(ids: &[&str]) -> std::collections::BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// After so many days of running, by a good clock.
fn after(days: f64) -> Moment {
    let wall_ms = NOW_MS + (days * DAY_S * 1000.0) as i64;
    Moment { mono: Mono::from_s(days * DAY_S), wall_ms, quality: ClockQuality::Ntp }
}

/// The same with the wall clock elsewhere, and somebody who vouches for it.
fn after_by(days: f64, wall_ms: i64) -> Moment {
    Moment { wall_ms, ..after(days) }
}

fn prune(retention: Retention, dir: &Path, now: Moment) -> Pruned {
    retention.prune(dir, now, &Protected::default()).unwrap()
}

#[test]
fn retention_takes_the_oldest_first_and_never_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let old = folder_of(dir.path(), "2026-01-01", "A");
    assert_eq!(prune(KEEP_ALL, dir.path(), after(0.0)), Pruned::default());
    let days = [("2026-11-19", "B"), ("2026-11-20", "C"), ("2026-11-21", "D")];
    let [b, c, d] = days.map(|(day, id)| folder_of(dir.path(), day, id));
    let protected = Protected { held: names(&["B"]), ..Protected::default() };
    let pruned = |retention: Retention| retention.prune(dir.path(), after(31.0), &protected).unwrap();
    let keep_two = Retention { max_bytes: 2000, max_age_days: Some(30), lacking: 0 };
    assert_eq!((pruned(keep_two).incidents, old.is_dir(), c.is_dir()), (2, false, false));
    assert!(b.is_dir() && d.is_dir() && !dir.path().join("2026-01-01").exists());
    // A disk that lacks room takes more.
    let taken = pruned(Retention { lacking: 500, ..keep_two });
    assert_eq!((taken.incidents, taken.bytes, b.is_dir(), d.is_dir()), (1, 1000, true, false));
}

#[test]
fn what_the_centre_has_not_acknowledged_goes_last_and_never_for_its_age() {
    let dir = tempfile::tempdir().unwrap();
    let days = [("2026-01-01", "A"), ("2026-01-02", "B"), ("2026-11-20", "C"), ("2026-11-21", "D")];
    let [unreceipted, other, receipted, new] = days.map(|(day, id)| folder_of(dir.path(), day, id));
    prune(KEEP_ALL, dir.path(), after(0.0));
    let protected = Protected { unacknowledged: names(&["A", "B", "C", "D"]), ..Protected::default() };
    let aged = Retention { max_age_days: Some(30), ..KEEP_ALL };
    assert_eq!(aged.prune(dir.path(), after(99.0), &protected).unwrap(), Pruned::default());
    let protected = Protected { unacknowledged: names(&["A", "B"]), ..Protected::default() };
    let pruned = |retention: Retention| retention.prune(dir.path(), after(1.0), &protected).unwrap();
    let taken = pruned(Retention { lacking: 1500, ..KEEP_ALL });
    assert_eq!((taken.incidents, taken.unacknowledged), (2, Vec::new()));
    assert!(!receipted.is_dir() && !new.is_dir());
    // Only when nothing else is left, and then it is said.
    let taken = pruned(Retention { lacking: 1, ..KEEP_ALL });
    assert_eq!(
        (taken.unacknowledged, unreceipted.is_dir(), other.is_dir()),
        (vec!["A".to_owned()], false, true)
    );
}

#[test]
fn a_held_case_is_never_pruned_however_old_and_however_full_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let later = folder_of(dir.path(), "2026-01-02", "A");
    set_retention_hold(dir.path(), "A", HoldChange::Hold).unwrap();
    let appealed = folder_of(dir.path(), "2026-01-01", "A");
    let old = folder_of(dir.path(), "2026-01-02", "B");
    for id in ["../2026-01-02/B", "..", "", "/", "NOBODY"] {
        set_retention_hold(dir.path(), id, HoldChange::Hold).unwrap();
    }
    prune(KEEP_ALL, dir.path(), after(0.0));
    let pruned = |retention: Retention| prune(retention, dir.path(), after(99.0)).incidents;
    let paused = Retention { max_age_days: None, ..KEEP_ALL };
    assert_eq!((pruned(paused), old.is_dir()), (0, true), "after a jump of the clock nothing is too old");
    assert_eq!(pruned(Retention { lacking: 1 << 40, max_age_days: Some(30), ..KEEP_ALL }), 1);
    assert!(appealed.is_dir() && later.is_dir() && !old.is_dir());
    // Somebody says, and nobody signed it, that the case has ended: a week of the box's life to notice, wherever its clock stands.
    let monthly = Retention { max_age_days: Some(30), ..KEEP_ALL };
    let at = |days: f64| prune(monthly, dir.path(), after_by(days, NOW_MS + 400 * 86_400_000)).incidents;
    set_retention_hold(dir.path(), "A", HoldChange::Ended).unwrap();
    assert_eq!((at(99.0), at(105.9)), (0, 0));
    set_retention_hold(dir.path(), "A", HoldChange::Hold).unwrap();
    assert_eq!(at(200.0), 0, "reopened");
    set_retention_hold(dir.path(), "A", HoldChange::Ended).unwrap();
    assert_eq!((at(201.0), at(207.9), at(208.1)), (0, 0, 2));
    for day in ["2026-01-01", "2026-01-02"] {
        folder_of(dir.path(), day, "A");
    }
    prune(KEEP_ALL, dir.path(), after(0.0));
    set_retention_hold(dir.path(), "A", HoldChange::Hold).unwrap();
    set_retention_hold(dir.path(), "A", HoldChange::Release).unwrap();
    assert_eq!(pruned(Retention { max_age_days: Some(30), ..KEEP_ALL }), 2);
}

/// After an update nothing has a date yet, and the core's thread gives them all.
#[test]
fn dates_are_given_without_waiting_for_the_disk_and_a_lost_one_is_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let sets: Vec<PathBuf> =
        (0..40).map(|i| folder_of(dir.path(), "2026-01-01", &format!("I{i:02}"))).collect();
    for i in 0..10 {
        set_retention_hold(dir.path(), &format!("I{i:02}"), HoldChange::Hold).unwrap();
        set_retention_hold(dir.path(), &format!("I{i:02}"), HoldChange::Ended).unwrap();
    }
    let syncs = || crate::durable::SYNCS.with(std::cell::Cell::get);
    let before = syncs();
    assert!(before >= 20, "a hold waits for the disk");
    let monthly = Retention { max_age_days: Some(30), ..KEEP_ALL };
    assert_eq!((prune(monthly, dir.path(), after(0.0)).incidents, syncs()), (0, before));
    // What a power cut may leave of an end that was being dated: the word of before, or a part of the date. Never nothing: that would
    // be a hold for ever.
    for (set, left) in sets.iter().zip(["ended", "{\"mono\"", "ended\0\0\0"]) {
        std::fs::write(set.join(".hold"), left).unwrap();
        std::fs::write(set.join(".first-met"), "").unwrap();
    }
    assert_eq!(prune(monthly, dir.path(), after(31.0)).incidents, 37);
    assert_eq!(prune(monthly, dir.path(), after(62.0)).incidents, 3, "dated anew");
}

/// Whoever can write there must not make the box delete, or count, what lies elsewhere.
#[test]
fn nothing_outside_of_the_evidence_folder_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let (root, elsewhere) = (dir.path().join("evidence"), dir.path().join("elsewhere"));
    let own = folder_of(&root, "2026-01-02", "A");
    let foreign = folder_of(&elsewhere, "2026-01-01", "B");
    std::os::unix::fs::symlink(&elsewhere, root.join("2020-01-01")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("2026-01-01"), root.join("2020-01-02")).unwrap();
    std::os::unix::fs::symlink(&foreign, root.join("2026-01-02/B")).unwrap();
    std::fs::write(root.join("2026-01-02/note.txt"), vec![0; 4000]).unwrap();
    prune(KEEP_ALL, &root, after(0.0));
    assert!(!foreign.join(".first-met").exists(), "nothing is written there");
    let all = prune(Retention { lacking: 1 << 40, ..KEEP_ALL }, &root, after(99.0));
    assert_eq!((all.incidents, all.bytes, own.exists()), (1, 1000, false));
    assert!(foreign.join("r1-clip.mp4").is_file() && root.join("2026-01-02/note.txt").is_file());
}

#[test]
fn a_wrong_wall_clock_makes_nothing_older_and_nothing_younger() {
    let monthly = Retention { max_age_days: Some(30), ..KEEP_ALL };
    let in_days = |days: i64| NOW_MS + days * 86_400_000;
    for (name, day, made, then) in [
        ("boots in 1970 and is right soon after", "1970-01-01", after_by(0.0, 20_000), after(0.01)),
        ("is 40 days ahead", "2026-11-21", after(0.0), after_by(0.01, in_days(40))),
        ("wakes up in 2106", "2106-02-07", after_by(0.0, 4_294_967_000_000), after(0.01)),
        ("wakes up in 2036", "2036-02-07", after_by(0.0, 2_085_978_496_000), after(0.01)),
        ("goes back by a year", "2026-11-21", after(0.0), after_by(0.01, in_days(-365))),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder_of(dir.path(), day, "I1");
        for now in [made, then, after_by(19.9, then.wall_ms), after(19.9)] {
            assert_eq!(prune(monthly, dir.path(), now).incidents, 0, "{name} at {now:?}");
        }
        assert!(folder.is_dir(), "{name}");
        let unvouched = Moment { quality: ClockQuality::None, wall_ms: 0, ..after(30.1) };
        assert_eq!(prune(monthly, dir.path(), unvouched).incidents, 1, "{name}: nothing stays for ever");
    }
}

#[test]
fn a_set_without_a_date_or_with_one_of_another_box_is_new_when_it_is_first_met() {
    let monthly = Retention { max_age_days: Some(30), ..KEEP_ALL };
    let dir = tempfile::tempdir().unwrap();
    let [none, foreign] = ["A", "B"].map(|id| folder_of(dir.path(), "2020-01-01", id));
    std::fs::write(foreign.join(".first-met"), serde_json::to_vec(&after(5000.0)).unwrap()).unwrap();
    assert_eq!(prune(monthly, dir.path(), after(100.0)).incidents, 0);
    assert_eq!(prune(monthly, dir.path(), after(129.0)).incidents, 0);
    std::fs::write(none.join(".first-met"), b"rubbish").unwrap();
    assert_eq!(prune(monthly, dir.path(), after(131.0)).incidents, 1, "the foreign date counted from 100");
    assert_eq!(prune(monthly, dir.path(), after(162.0)).incidents, 1);
}

/// A stretch of the box's life: how long it ran, how long it was off before that, and where its clock stood at the end.
fn stretches() -> impl Strategy<Value = Vec<(f64, f64, i64, bool)>> {
    let wall = prop_oneof![Just(0i64), Just(NOW_MS), Just(4_294_967_000_000), 0i64..4_294_967_000_000];
    proptest::collection::vec((0.01f64..4.0, 0.0f64..50.0, wall, any::<bool>()), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the wall clock does, nothing goes before two thirds of its age in days that the box ran, and after all of them
    /// it is gone.
    #[test]
    fn nothing_goes_early_and_nothing_stays_for_ever(life in stretches(), days in 1u32..40) {
        let dir = tempfile::tempdir().unwrap();
        let retention = Retention { max_age_days: Some(days), ..KEEP_ALL };
        let mut ran_days = 0.0;
        let mut met: Vec<(PathBuf, f64)> = Vec::new();
        for (i, (runs, off, wall_ms, vouched)) in life.into_iter().enumerate() {
            ran_days += runs;
            let quality = if vouched { ClockQuality::Ntp } else { ClockQuality::None };
            let wall_ms = wall_ms + (off * DAY_S * 1000.0) as i64;
            let now = Moment { wall_ms, quality, ..after(ran_days) };
            met.push((folder_of(dir.path(), "2026-11-21", &format!("I{i}")), ran_days));
            prune(retention, dir.path(), now);
            for (folder, at) in &met {
                let age = ran_days - at;
                prop_assert!(folder.is_dir() || age >= f64::from(days) / 1.5 - 1e-6, "gone after {age} of {days} days");
                prop_assert!(!folder.is_dir() || age <= f64::from(days) + 1e-6, "there after {age} of {days} days");
            }
        }
    }
}
