//! Journals of a real ledger, forged by somebody who has everything but the box's key: what `verify` says of each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_domain::time::{Mono, VirtualClock};
use kerbside_trace::delivery::{DeliverySettings, Item, KEY_FILE, Ledger, NEXT_KEY_FILE};
use kerbside_trace::journal::Record;
use kerbside_trace::testing::{Forged, forge, records, segments};
use kerbside_wire::testing::{report, who};
use kerbside_wire::{self as wire, checkpoint};

use super::*;
use crate::cli::VerifyArgs;
use crate::verdict_testing::Said;

/// A box that has written and signed for some hours; it still runs, or its power failed.
struct BoxFolder {
    dir: tempfile::TempDir,
    clock: Arc<VirtualClock>,
    incidents: u32,
}

impl BoxFolder {
    fn new() -> BoxFolder {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = BoxFolder { dir, clock: VirtualClock::new(1_795_221_065_120), incidents: 0 };
        let mut ledger = folder.open();
        folder.write(&mut ledger, 4);
        folder
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn journal(&self) -> PathBuf {
        self.path().join("journal")
    }

    fn open(&self) -> Ledger {
        let settings = DeliverySettings {
            segment_bytes: 16 << 10,
            keep_days: 1,
            ..DeliverySettings::new(self.path(), false)
        };
        Ledger::open(settings, who(), self.clock.clone()).unwrap().0
    }

    /// So many hours with ten reports each, which the broker takes; a checkpoint ends each, and a few records follow it.
    fn write(&mut self, ledger: &mut Ledger, hours: u32) {
        for _ in 0..hours {
            self.report(ledger, 10);
            let now = kerbside_domain::time::Clock::now(&*self.clock).mono;
            self.clock.advance_to(now.plus_s(3700.0));
            ledger.upkeep().unwrap();
            self.report(ledger, 3);
        }
    }

    fn report(&mut self, ledger: &mut Ledger, count: u32) {
        for _ in 0..count {
            self.incidents += 1;
            let id = format!("INCIDENT{:03}", self.incidents);
            let message = wire::matter(&who(), &report(&id, 1), None, None).into();
            ledger.commit(vec![Item::Message(Box::new(message))]).unwrap();
        }
    }

    fn public(&self) -> PublicKey {
        SigningKey::read(&self.path().join(KEY_FILE)).unwrap().public()
    }

    /// The checkpoints as the centre got them, one a line, among other messages.
    fn as_the_centre_kept(&self) -> PathBuf {
        let is_kept = |r: &Record| {
            r.message().is_some_and(|(head, _)| head.seq % 7 == 0 || head.kind == checkpoint::KIND)
        };
        let mut text = String::new();
        for record in records(&self.journal()).unwrap().iter().filter(|r| is_kept(r)) {
            let outgoing = wire::published(record.recorded(), &who()).unwrap();
            text.push_str(&format!("{}\n", String::from_utf8(outgoing.body).unwrap()));
        }
        let path = self.path().join("centre.jsonl");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn verify(&self, change: impl FnOnce(&mut VerifyArgs)) -> Said {
        verify(self.path(), change)
    }
}

impl Said {
    fn proven_to(&self) -> u64 {
        self.json["checkpoints"]["proven_to"].as_u64().unwrap_or_default()
    }
}

fn verify(dir: &Path, change: impl FnOnce(&mut VerifyArgs)) -> Said {
    let mut args =
        VerifyArgs { dir: dir.to_owned(), key: None, against: None, unsigned_ok: false, json: false };
    change(&mut args);
    Said::by(|json| {
        let VerifyArgs { dir, key, against, unsigned_ok, .. } = &args;
        let (dir, key, against) = (dir.clone(), key.clone(), against.clone());
        let args = VerifyArgs { dir, key, against, unsigned_ok: *unsigned_ok, json };
        let mut out = Vec::new();
        (run(&JournalCommand::Verify(args), &mut out).unwrap(), out)
    })
}

fn is_checkpoint(record: &Record) -> bool {
    record.message().is_some_and(|(head, _)| head.kind == checkpoint::KIND)
}

/// The lie that all of them want to tell.
fn edited(record: &Record) -> Forged {
    let lie = record.body.replace("INCIDENT012", "INCIDENT999");
    if lie == record.body { Forged::Kept } else { Forged::Body(lie) }
}

#[test]
fn a_running_box_is_proven_and_its_short_tail_is_named() {
    let folder = BoxFolder::new();
    let last = records(&folder.journal()).unwrap().last().unwrap().n;
    let said = folder.verify(|_| {});
    said.is(exit::OK, "proven", &["3 records behind it are not signed yet", "has not said that it stopped"]);
    assert_eq!(said.proven_to(), last - 4, "the three reports and the checkpoint itself lie behind");
    let key = folder.public();
    folder.verify(|args| args.key = Some(key.to_string())).is(exit::OK, "proven", &["held against ed25519:"]);
    folder.verify(|args| args.against = Some(folder.as_the_centre_kept())).is(
        exit::OK,
        "proven",
        &["4 of the centre's checkpoints agree"],
    );
}

#[test]
fn after_a_stop_nothing_is_left_unsigned_and_nothing_may_follow() {
    let folder = BoxFolder::new();
    folder.open().close().unwrap();
    let said = folder.verify(|_| {});
    said.is(exit::OK, "proven", &["orderly stop"]);
    assert_eq!(said.json["checkpoints"]["unsigned"], 0);
    // The next start goes on from there.
    drop(folder.open());
    folder.verify(|_| {}).is(exit::OK, "proven", &["1 records behind it"]);
    // A record of the start that had stopped was written by somebody else.
    let mut ledger = folder.open();
    ledger.close().unwrap();
    let note = Item::Note { kind: kerbside_trace::journal::RecordKind::Note, body: serde_json::json!({}) };
    ledger.commit(vec![note]).unwrap();
    drop(ledger);
    folder.verify(|_| {}).is(
        exit::FAILED,
        "damaged",
        &["behind the checkpoint with which the program stopped"],
    );
}

#[test]
fn a_result_that_was_edited_with_the_checkpoints_left_in_contradicts_them() {
    let folder = BoxFolder::new();
    forge(&folder.journal(), edited).unwrap();
    let said = folder.verify(|_| {});
    said.is(exit::FAILED, "damaged", &["is not the one that was signed", "3 against a signature"]);
}

#[test]
fn a_result_that_was_edited_with_the_checkpoints_left_out_is_proven_by_nobody() {
    let folder = BoxFolder::new();
    let kept = folder.as_the_centre_kept();
    forge(&folder.journal(), |r| if is_checkpoint(r) { Forged::LeftOut } else { edited(r) }).unwrap();
    let said = folder.verify(|_| {});
    said.is(exit::UNPROVEN, "unproven", &["nobody signed it", "proven to record 0"]);
    folder.verify(|args| args.unsigned_ok = true).is(exit::OK, "unproven", &["CONSISTENT BUT UNPROVEN"]);
    folder.verify(|args| args.against = Some(kept)).is(
        exit::FAILED,
        "damaged",
        &["the centre's checkpoint number 1 (line", "is not the one that it speaks of"],
    );
}

/// The checkpoints before the lie stay, and are good.
#[test]
fn what_follows_the_last_good_checkpoint_is_no_better_for_it() {
    let folder = BoxFolder::new();
    let mut lied = false;
    forge(&folder.journal(), |r| {
        lied |= r.body.contains("INCIDENT020");
        if lied && is_checkpoint(r) { Forged::LeftOut } else { Forged::Kept }
    })
    .unwrap();
    let said = folder.verify(|_| {});
    said.is(exit::UNPROVEN, "unproven", &["more than a box leaves unsigned"]);
    let lie = records(&folder.journal()).unwrap().iter().find(|r| r.body.contains("INCIDENT020")).unwrap().n;
    assert!((1..lie).contains(&said.proven_to()), "{}", said.text);
}

#[test]
fn a_journal_that_a_script_made_without_a_key_is_proven_by_nobody() {
    use kerbside_domain::time::{ClockQuality, Moment};
    use kerbside_trace::journal::record::{Stamp, seal};
    let dir = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    let mut prev = kerbside_crypto::hash::Hash::default();
    for n in 1..=20_000 {
        let at = Moment {
            mono: Mono(n * 1000),
            wall_ms: 1_795_221_065_120 + n as i64,
            quality: ClockQuality::Ntp,
        };
        let stamp = Stamp { n, prev, boot: "01JD7Z6T6V8Q0M5N3K2H1G9F8E", at, utc_offset_s: 0 };
        prev = seal(&mut out, &stamp, "note", r#"{"result":51.0}"#);
    }
    std::fs::write(dir.path().join("00000000000000000001.journal"), out).unwrap();
    verify(dir.path(), |_| {}).is(exit::UNPROVEN, "unproven", &["20000 records", "no key was given"]);
    let key = kerbside_crypto::testing::key().public().to_string();
    verify(dir.path(), |args| args.key = Some(key)).is(exit::UNPROVEN, "unproven", &["nobody signed it"]);
}

/// In itself such a journal is one whose box has just signed; only the centre knows better.
#[test]
fn an_end_that_was_cut_off_shows_against_the_centre() {
    let folder = BoxFolder::new();
    let kept = folder.as_the_centre_kept();
    let all = records(&folder.journal()).unwrap();
    let third = all.iter().filter(|r| is_checkpoint(r)).nth(2).unwrap().n;
    forge(&folder.journal(), |r| if r.n > third { Forged::LeftOut } else { Forged::Kept }).unwrap();
    let said = folder.verify(|_| {});
    said.is(exit::OK, "proven", &["has not said that it stopped", "or the end was cut off"]);
    // Where a segment ends between the two, its head is one more record.
    assert!((third - 2..third).contains(&said.proven_to()), "{}", said.text);
    folder.verify(|args| args.against = Some(kept)).is(
        exit::FAILED,
        "damaged",
        &["checkpoint number 4", &format!("this journal ends with {third}: its end is missing")],
    );
}

#[test]
fn oldest_segments_that_were_deleted_are_told_from_those_that_retention_dropped() {
    let mut folder = BoxFolder::new();
    assert!(segments(&folder.journal()).unwrap().len() > 3);
    let oldest = segments(&folder.journal()).unwrap().remove(0);
    let bytes = std::fs::read(&oldest).unwrap();
    std::fs::remove_file(&oldest).unwrap();
    folder.verify(|_| {}).is(exit::FAILED, "damaged", &["the box signed that its journal begins with 1"]);
    std::fs::write(&oldest, bytes).unwrap();
    folder.verify(|_| {}).is(exit::OK, "proven", &["numbers 1 to"]);

    // What the box itself drops: everything acknowledged, days later.
    let mut ledger = folder.open();
    ledger.connected(1, false, 8).unwrap();
    while let Some(outgoing) = ledger.next(1 << 20) {
        ledger.puback(outgoing.seq);
    }
    let now = kerbside_domain::time::Clock::now(&*folder.clock).mono;
    for i in 0..4 {
        folder.clock.advance_to(now.plus_s(3.0 * 86_400.0 + 10.0 * f64::from(i)));
        ledger.upkeep().unwrap();
    }
    assert!(ledger.stats().segments_dropped > 1, "{:?}", ledger.stats());
    folder.report(&mut ledger, 3);
    drop(ledger);
    let said = folder.verify(|_| {});
    assert!(said.json["first_n"].as_u64() > Some(1), "{}", said.text);
    said.is(exit::OK, "proven", &[]);
    // And then somebody deletes one more.
    std::fs::remove_file(&segments(&folder.journal()).unwrap()[0]).unwrap();
    folder.verify(|_| {}).is(
        exit::FAILED,
        "damaged",
        &["gone, and the box signed that its journal begins with"],
    );
}

#[test]
fn a_key_that_was_replaced_vouches_for_nothing() {
    let mut folder = BoxFolder::new();
    let old = folder.public();
    std::fs::remove_file(folder.path().join(KEY_FILE)).unwrap();
    let said = folder.verify(|_| {});
    said.is(exit::UNPROVEN, "unproven", &["no key was given and none lies beside the journal"]);
    folder.verify(|args| args.key = Some(old.to_string())).is(exit::OK, "proven", &[]);

    // A key of the forger's beside it.
    SigningKey::create(&folder.path().join(KEY_FILE)).unwrap();
    folder.verify(|_| {}).is(exit::UNPROVEN, "unproven", &["its checkpoints are not by", &old.to_string()]);
    // The box goes on with it.
    let mut ledger = folder.open();
    folder.write(&mut ledger, 2);
    drop(ledger);
    let new = folder.public();
    folder.verify(|_| {}).is(exit::UNPROVEN, "unproven", &["signed no change to ed25519:"]);
    let said = folder.verify(|args| args.key = Some(old.to_string()));
    said.is(exit::UNPROVEN, "unproven", &["on another key signs", &new.to_string()]);
}

#[test]
fn a_change_of_the_key_that_the_old_one_signed_goes_on_being_proven() {
    let mut folder = BoxFolder::new();
    let old = folder.public();
    let mut said = Vec::new();
    let command = crate::cli::EvidenceCommand::NewKey { data: folder.path().to_owned() };
    crate::proof::run(&command, &mut said).unwrap();
    let mut ledger = folder.open();
    folder.write(&mut ledger, 2);
    ledger.close().unwrap();
    let new = folder.public();
    assert!(new != old && !folder.path().join(NEXT_KEY_FILE).exists());
    assert!(String::from_utf8(said).unwrap().contains(&new.to_string()));
    assert_eq!(ledger.identity().key, Some(new.to_string()));
    for key in [None, Some(old.to_string()), Some(new.to_string())] {
        folder.verify(|args| args.key = key.clone()).is(exit::OK, "proven", &["orderly stop"]);
    }
}

/// Written by version 0.1.0: its checkpoints are good, and number nothing.
#[test]
fn a_journal_of_an_older_version_is_read_and_said_to_be_less() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trace/tests/journal-0.1.0/journal");
    let key = kerbside_crypto::testing::key().public().to_string();
    verify(&fixture, |args| args.key = Some(key)).is(
        exit::UNPROVEN,
        "unproven",
        &["1 signed checkpoints", "of an older version, which numbers none"],
    );
}

#[test]
fn what_the_centre_kept_must_be_of_this_box_and_as_it_was_signed() {
    let folder = BoxFolder::new();
    let kept = std::fs::read_to_string(folder.as_the_centre_kept()).unwrap();
    let against = |text: &str| {
        let path = folder.path().join("against.jsonl");
        std::fs::write(&path, text).unwrap();
        move |args: &mut VerifyArgs| args.against = Some(path)
    };
    let other = kept.replace("mh-xz-017", "mh-xz-018");
    folder.verify(against(&other)).is(
        exit::UNPROVEN,
        "unproven",
        &["none of the centre's checkpoints is of this box"],
    );
    let touched = kept.replace("\"number\":2", "\"number\":7");
    folder.verify(against(&touched)).is(exit::UNPROVEN, "unproven", &["number 7 (line", "it proves nothing"]);
    let nothing: Vec<&str> = kept.lines().filter(|l| !l.contains("audit.checkpoint")).collect();
    let mut args = VerifyArgs {
        dir: folder.path().to_owned(),
        key: None,
        against: None,
        unsigned_ok: false,
        json: false,
    };
    against(&nothing.join("\n"))(&mut args);
    let error = run(&JournalCommand::Verify(args), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("no kerbside.audit.checkpoint.v1 among its"), "{error}");
}
