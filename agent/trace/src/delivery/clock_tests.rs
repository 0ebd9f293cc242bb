//! Wherever the wall clock stands: nothing is deleted early, nothing stays for ever, no command is obeyed twice, and a fresh one is
//! obeyed.

use std::path::Path;
use std::sync::Arc;

use kerbside_domain::time::{Clock as _, Mono, VirtualClock, rfc3339};
use kerbside_wire::testing::command::{data, sealed};
use kerbside_wire::testing::{keys, who};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::index::{MemoryStore, Store};
use crate::journal::{RecordKind, Syncs};

const DAY_MS: i64 = 86_400_000;
const DAY_S: f64 = 86_400.0;
/// 2026-11-21T08:31:05.120+08:00.
const NOW_MS: i64 = 1_795_221_065_120;
const YEAR_2106_MS: i64 = 4_300_000_000_000;

fn open(dir: &Path, clock: &Arc<VirtualClock>) -> Ledger {
    // What the disk has is not the matter here.
    let syncs = Syncs { file: |_| Ok(()), folder: |_| Ok(()) };
    let settings =
        DeliverySettings { segment_bytes: 4096, keys: keys(), syncs, ..DeliverySettings::new(dir, false) };
    let store = Some(Box::new(MemoryStore::default()) as Box<dyn Store>);
    Ledger::open_with(settings, who(), clock.clone(), store).unwrap().0
}

/// The program is started again; the machine's monotonic clock begins anew.
fn reopened(ledger: Ledger, dir: &Path, wall_ms: i64, vouched: bool) -> (Ledger, Arc<VirtualClock>) {
    drop(ledger);
    let clock = VirtualClock::new(wall_ms);
    clock.set_vouched(vouched);
    (open(dir, &clock), clock)
}

fn run_for(clock: &VirtualClock, s: f64) {
    clock.advance_to(clock.now().mono.plus_s(s));
}

/// A command of a centre whose clock stands at `issued_ms`.
fn order(ledger: &mut Ledger, id: &str, issued_ms: i64, valid_ms: i64) -> bool {
    let mut data = data(id, "restart", Value::Null);
    data["issued_at"] = json!(rfc3339(issued_ms, 0));
    data["expires_at"] = json!(rfc3339(issued_ms + valid_ms, 0));
    let topic = "cg/v1/310112/mh-xz-017/cmd/restart";
    ledger.incoming(topic, sealed(&data).as_bytes(), false).unwrap().is_some()
}

/// What the journal says of its clock.
fn clock_records(ledger: &Ledger) -> Vec<Value> {
    let all = std::cell::RefCell::new(Vec::new());
    ledger.each_record(|record| {
        if record.kind == RecordKind::Clock {
            all.borrow_mut().push(serde_json::from_str(&record.body).unwrap());
        }
    });
    all.into_inner()
}

/// The very sequence: obeyed, eight days ahead, a thousand others, and back.
#[test]
fn a_clock_that_was_ahead_and_came_back_has_no_command_obeyed_twice_and_no_fresh_one_refused() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(NOW_MS);
    let mut ledger = open(dir.path(), &clock);
    assert!(order(&mut ledger, "c1", NOW_MS, 6 * DAY_MS));
    run_for(&clock, 60.0);
    clock.set_wall(NOW_MS + 8 * DAY_MS);
    for i in 0..1010 {
        run_for(&clock, 1.0);
        assert!(order(&mut ledger, &format!("x{i}"), clock.now().wall_ms, 3_600_000), "x{i}");
    }
    clock.set_wall(NOW_MS + 20 * 60_000);
    assert!(
        !order(&mut ledger, "c1", NOW_MS, 6 * DAY_MS),
        "its id is forgotten, and yet it is not obeyed again"
    );
    for i in 0..3 {
        run_for(&clock, 3600.0);
        assert!(order(&mut ledger, &format!("fresh{i}"), clock.now().wall_ms, 3_600_000), "fresh{i}");
    }
    // Over a restart from the journal alone, and when the time comes in which the others were issued.
    let (mut ledger, clock) = reopened(ledger, dir.path(), clock.now().wall_ms, true);
    assert!(!order(&mut ledger, "c1", NOW_MS, 6 * DAY_MS));
    assert!(order(&mut ledger, "after", clock.now().wall_ms, 3_600_000));
    clock.set_wall(NOW_MS + 8 * DAY_MS + 1000);
    assert!(!order(&mut ledger, "x0", NOW_MS + 8 * DAY_MS + 1000, 3_600_000), "forgotten, but not its time");
}

#[test]
fn a_fresh_command_counts_while_somebody_vouches_for_a_clock_that_is_wrong() {
    for wrong_ms in [NOW_MS + 40 * DAY_MS, NOW_MS - 40 * DAY_MS, YEAR_2106_MS, 2_080_000_000_000, 0] {
        let dir = tempfile::tempdir().unwrap();
        let right = VirtualClock::new(NOW_MS);
        let mut ledger = open(dir.path(), &right);
        run_for(&right, 3600.0);
        assert!(order(&mut ledger, "before", right.now().wall_ms, 600_000));
        // It was off for three hours, and wakes up wrong.
        run_for(&right, 3.0 * 3600.0);
        let (mut ledger, clock) = reopened(ledger, dir.path(), wrong_ms, true);
        for day in 0..9 {
            let (issued_ms, id) = (right.now().wall_ms, format!("day{day}"));
            assert!(order(&mut ledger, &id, issued_ms, 600_000), "{wrong_ms}: {id}");
            assert!(!order(&mut ledger, &id, issued_ms, 600_000), "{wrong_ms}: {id} a second time");
            assert!(
                !order(&mut ledger, "old", NOW_MS - 2 * DAY_MS, 600_000),
                "{wrong_ms}: expired by either clock"
            );
            for each in [&right, &clock] {
                run_for(each, DAY_S);
            }
            ledger.upkeep().unwrap();
        }
        // What it is told within its time, the stages may still begin, whatever the wall clock says.
        let topic = "cg/v1/310112/mh-xz-017/cmd/restart";
        let mut data = data("late", "restart", Value::Null);
        data["issued_at"] = json!(rfc3339(right.now().wall_ms, 0));
        data["expires_at"] = json!(rfc3339(right.now().wall_ms + 600_000, 0));
        let stored = ledger.incoming(topic, sealed(&data).as_bytes(), false).unwrap().unwrap();
        let StageInput::Command(command) = stored.input else { panic!("no command") };
        // It cannot know of the hours for which it was off.
        let left_s = command.until.unwrap().since_s(clock.now().mono);
        assert!((600.0..=601.0).contains(&left_s), "{wrong_ms}: {left_s}");
    }
}

#[test]
fn a_grant_goes_on_over_a_jump_and_over_a_restart_with_a_wrong_clock() {
    use kerbside_wire::testing::grant;
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(NOW_MS);
    let mut ledger = open(dir.path(), &clock);
    let hear = |ledger: &mut Ledger, id: &str, issued_ms: i64| {
        let mut data = grant::data(id);
        data["issued_at"] = json!(rfc3339(issued_ms, 0));
        data["expires_at"] = json!(rfc3339(issued_ms + 3_600_000, 0));
        let payload = grant::sealed(&data);
        let stored = ledger.incoming("cg/v1/310112/mh-xz-017/grant", payload.as_bytes(), false).unwrap()?;
        let StageInput::Grant(grant) = stored.input else { panic!("no grant") };
        Some(grant.until.unwrap().since_s(Mono::ZERO))
    };
    assert_eq!(hear(&mut ledger, "g1", NOW_MS), Some(3600.0));
    run_for(&clock, 60.0);
    clock.set_wall(NOW_MS + 40 * DAY_MS);
    assert_eq!(
        hear(&mut ledger, "g2", NOW_MS + 60_000),
        Some(3660.0),
        "issued since the jump, by the time before it"
    );
    assert_eq!(hear(&mut ledger, "g0", NOW_MS - DAY_MS), None, "expired by either");
    let (ledger, _) = reopened(ledger, dir.path(), YEAR_2106_MS, true);
    let until = |input: &StageInput| match input {
        StageInput::Grant(grant) => grant.until.unwrap().since_s(Mono::ZERO),
        other => panic!("{other:?}"),
    };
    let left: Vec<f64> = ledger.inputs().iter().map(|stored| until(&stored.input)).collect();
    assert_eq!(left, [3540.0, 3600.0], "the minute that it lived through is gone, and no more");
}

#[test]
fn what_was_ordered_while_a_box_lay_in_store_is_not_obeyed_when_it_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(NOW_MS);
    let mut ledger = open(dir.path(), &clock);
    run_for(&clock, 3600.0);
    assert!(order(&mut ledger, "before", clock.now().wall_ms, 600_000));
    let off_ms = clock.now().wall_ms;
    let (mut ledger, clock) = reopened(ledger, dir.path(), off_ms + 40 * DAY_MS, true);
    run_for(&clock, 5.0);
    for (id, issued_ms, valid_ms) in [
        ("just before", off_ms - 20 * 60_000, 3_600_000),
        ("two days after", off_ms + 2 * DAY_MS, DAY_MS),
        ("a week after", off_ms + 7 * DAY_MS, 7 * DAY_MS),
    ] {
        assert!(!order(&mut ledger, id, issued_ms, valid_ms), "{id}");
    }
    assert!(order(&mut ledger, "now", clock.now().wall_ms, 600_000));
}

#[test]
fn a_jump_is_a_record_and_pauses_deletions_and_a_dead_battery_is_put_right_at_each_boot() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(NOW_MS);
    let mut ledger = open(dir.path(), &clock);
    let upkeep = |ledger: &mut Ledger, clock: &VirtualClock| {
        // The first writes down what the moment is; the second says what became of it.
        for _ in 0..2 {
            run_for(clock, 10.0);
            ledger.commit(vec![Item::Note { kind: RecordKind::Note, body: json!({}) }]).unwrap();
            ledger.upkeep().unwrap();
        }
    };
    upkeep(&mut ledger, &clock);
    assert_eq!((clock_records(&ledger).len(), ledger.unfinished().deletion_paused), (0, false));
    clock.set_wall(NOW_MS + 40 * DAY_MS);
    upkeep(&mut ledger, &clock);
    let said = clock_records(&ledger);
    assert!(
        said.len() == 1 && (said[0]["jumped_by_s"].as_f64().unwrap() - 40.0 * DAY_S).abs() < 60.0,
        "{said:?}"
    );
    let stats = ledger.stats();
    assert_eq!((stats.clock_jumps, stats.deletion_paused), (1, true));
    run_for(&clock, DAY_S);
    assert!(!ledger.unfinished().deletion_paused, "for a day");
    upkeep(&mut ledger, &clock);

    let mut wall_ms = clock.now().wall_ms;
    for boot in 0..3 {
        let (again, now) = reopened(ledger, dir.path(), 20_000, false);
        ledger = again;
        upkeep(&mut ledger, &now);
        wall_ms += 60_000;
        now.set_wall(wall_ms);
        now.set_vouched(true);
        upkeep(&mut ledger, &now);
        wall_ms = now.now().wall_ms;
        let said = clock_records(&ledger);
        assert_eq!(said.len(), 2 + boot, "{said:?}");
        assert!(said[1 + boot]["corrected_by_s"].as_f64().unwrap() > 1e9, "{said:?}");
        assert!(!ledger.unfinished().deletion_paused);
    }
}

#[test]
fn messages_expire_by_what_the_box_lives_through_and_not_by_a_jump() {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(0);
    clock.set_vouched(false);
    let mut ledger = open(dir.path(), &clock);
    let at = clock.now();
    let health = kerbside_wire::health(&serde_json::Map::new(), at);
    ledger.commit(vec![Item::Message(Box::new(health))]).unwrap();
    let waiting = |ledger: &Ledger| ledger.stats().outbox[3].queued;
    clock.set_wall(YEAR_2106_MS);
    clock.set_vouched(true);
    run_for(&clock, 100.0);
    ledger.upkeep().unwrap();
    assert_eq!(waiting(&ledger), 1, "four of its five minutes are left");
    let (mut ledger, clock) = reopened(ledger, dir.path(), 0, false);
    run_for(&clock, 150.0);
    ledger.upkeep().unwrap();
    assert_eq!(waiting(&ledger), 1);
    run_for(&clock, 200.0);
    ledger.upkeep().unwrap();
    assert_eq!(waiting(&ledger), 0, "recorded without a good clock, it ends all the same");
}

#[test]
fn numbers_of_a_lost_journal_are_given_out_again_under_another_name() {
    let ids = |dir: &Path| {
        let mut ledger = open(dir, &VirtualClock::new(20_000));
        let failed = kerbside_wire::evidence_failed("e", "I", "why", ledger.now());
        ledger.commit(vec![Item::Message(Box::new(failed))]).unwrap();
        ledger.connected(ledger.session_base() + 1, false, 8).unwrap();
        let ids: Vec<String> = std::iter::from_fn(|| ledger.next(1 << 20))
            .map(|sent| {
                serde_json::from_slice::<Value>(&sent.body).unwrap()["id"].as_str().unwrap().to_owned()
            })
            .collect();
        (ids, ledger.identity().journal_id.clone().unwrap())
    };
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (old_ids, old_name) = ids(first.path());
    let (new_ids, new_name) = ids(second.path());
    assert_eq!(old_ids.len(), 2, "{old_ids:?}");
    assert!(old_ids.iter().all(|id| !new_ids.contains(id)), "{old_ids:?} {new_ids:?}");
    assert!(old_ids.iter().all(|id| id.ends_with(&old_name)), "{old_ids:?}");
    assert_ne!(old_name, new_name);
    let (again, name) = ids(first.path());
    assert_eq!(name, old_name, "one name for the life of a journal");
    assert!(
        again.contains(&old_ids[1]) || again.contains(&old_ids[0]),
        "and what waited keeps its id: {again:?}"
    );
}

/// What happens to a box between two records.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Runs { h: u32 },
    WallIsSet { ms: i64 },
    IsVouched(bool),
    Restarts { wall_ms: i64 },
}

fn happens() -> impl Strategy<Value = Happens> {
    let wall = prop_oneof![Just(0), Just(NOW_MS), Just(YEAR_2106_MS), 0..YEAR_2106_MS];
    prop_oneof![
        4 => (1u32..200).prop_map(|h| Happens::Runs { h }),
        2 => wall.clone().prop_map(|ms| Happens::WallIsSet { ms }),
        1 => any::<bool>().prop_map(Happens::IsVouched),
        2 => wall.prop_map(|wall_ms| Happens::Restarts { wall_ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Segments: not before two thirds of their age by what the box lived through; and in the end all go.
    #[test]
    fn no_segment_goes_early_and_none_stays_for_ever(story in proptest::collection::vec(happens(), 1..40)) {
        let dir = tempfile::tempdir().unwrap();
        let mut clock = VirtualClock::new(NOW_MS);
        let mut ledger = open(dir.path(), &clock);
        let keep_s = 30.0 * DAY_S;
        // When each segment was first there, by what the box lived through.
        let (mut lived_s, mut written) = (0.0, Vec::<(u64, f64)>::new());
        for event in story {
            match event {
                Happens::Runs { h } => {
                    run_for(&clock, f64::from(h) * 3600.0);
                    lived_s += f64::from(h) * 3600.0;
                }
                Happens::WallIsSet { ms } => clock.set_wall(ms),
                Happens::IsVouched(is) => clock.set_vouched(is),
                Happens::Restarts { wall_ms } => {
                    (ledger, clock) = reopened(ledger, dir.path(), wall_ms, true);
                }
            }
            let note = json!({"text": "x".repeat(1500)});
            let n = ledger.commit(vec![Item::Note { kind: RecordKind::Note, body: note }]).unwrap()[0].n;
            written.push((n, lived_s));
            ledger.upkeep().unwrap();
            let first = ledger.first_n();
            for (n, at_s) in &written {
                if *n < first {
                    prop_assert!(lived_s - at_s >= keep_s / 1.5, "record {n} went after {} days", (lived_s - at_s) / DAY_S);
                }
            }
        }
        // From now on the clock is good.
        let last = written.last().map_or(0, |(n, _)| *n);
        for _ in 0..40 {
            run_for(&clock, DAY_S);
            for _ in 0..4 {
                let note = json!({"text": "x".repeat(1500)});
                ledger.commit(vec![Item::Note { kind: RecordKind::Note, body: note }]).unwrap();
            }
            run_for(&clock, 10.0);
            ledger.upkeep().unwrap();
        }
        for _ in 0..200 {
            run_for(&clock, 10.0);
            ledger.upkeep().unwrap();
        }
        prop_assert!(ledger.first_n() > last.saturating_sub(4), "{} of {last}", ledger.first_n());
    }

    /// A centre with a good clock orders now and then, and somebody plays all of it again at each step.
    #[test]
    fn no_command_is_obeyed_twice(story in proptest::collection::vec(happens(), 1..25), burst in 900u64..1300) {
        let dir = tempfile::tempdir().unwrap();
        let mut clock = VirtualClock::new(NOW_MS);
        let mut ledger = open(dir.path(), &clock);
        let mut obeyed: Vec<(String, i64)> = Vec::new();
        let mut centre_ms = NOW_MS;
        for (i, event) in story.into_iter().enumerate() {
            match event {
                Happens::Runs { h } => {
                    run_for(&clock, f64::from(h) * 3600.0);
                    centre_ms += i64::from(h) * 3_600_000;
                }
                Happens::WallIsSet { ms } => clock.set_wall(ms),
                Happens::IsVouched(is) => clock.set_vouched(is),
                Happens::Restarts { wall_ms } => (ledger, clock) = reopened(ledger, dir.path(), wall_ms, true),
            }
            // Some are issued by the box's own idea of the time, as by a centre that has the same bad source.
            for issued_ms in [centre_ms, clock.now().wall_ms] {
                let id = format!("c{i}-{issued_ms}");
                if order(&mut ledger, &id, issued_ms, 7 * DAY_MS) {
                    obeyed.push((id, issued_ms));
                }
            }
            if i == 5 {
                for b in 0..burst {
                    order(&mut ledger, &format!("b{b}"), centre_ms - b as i64, DAY_MS);
                }
            }
            for (id, issued_ms) in &obeyed {
                prop_assert!(!order(&mut ledger, id, *issued_ms, 7 * DAY_MS), "{id} is obeyed again");
            }
        }
    }
}
