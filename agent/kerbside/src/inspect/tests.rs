//! A journal of a real ledger, hurt by a disk: what `verify` says and with which code it ends; what `show` picks.

use std::path::{Path, PathBuf};

use super::*;
use crate::cli::{Severity, ShowArgs, VerifyArgs};
use kerbside_crypto::sign;
use kerbside_domain::time::{Mono, VirtualClock};
use kerbside_trace::delivery::{DeliverySettings, Item, KEY_FILE, Ledger};
use kerbside_trace::journal::Record;
use kerbside_wire as wire;
use kerbside_wire::testing::{report, who};

/// A ledger's folder with a few segments and two signed checkpoints.
fn written() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let clock = VirtualClock::new(1_795_221_065_120);
    let settings = DeliverySettings { segment_bytes: 16 << 10, ..DeliverySettings::new(dir.path(), true) };
    let (mut ledger, _) = Ledger::open(settings, who(), clock.clone()).unwrap();
    for i in 0..60 {
        let message = wire::matter(&who(), &report(&format!("INCIDENT{i:03}"), 1), None, None).into();
        ledger.commit(vec![Item::Message(Box::new(message))]).unwrap();
        if i % 30 == 29 {
            clock.advance_to(Mono::from_s(f64::from(i) * 3600.0));
            ledger.upkeep().unwrap();
        }
    }
    ledger.incoming("cg/v1/310112/mh-xz-017/cmd/restart", b"junk", false).unwrap();
    ledger.close().unwrap();
    dir
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> =
        std::fs::read_dir(dir.join("journal")).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

fn args(dir: &Path) -> VerifyArgs {
    VerifyArgs { dir: dir.to_owned(), key: None, against: None, unsigned_ok: false, json: false }
}

fn verify_as(args: VerifyArgs) -> (u8, String) {
    let mut out = Vec::new();
    let code = run(&JournalCommand::Verify(args), &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

fn verify(dir: &Path, key: Option<String>) -> (u8, String) {
    verify_as(VerifyArgs { key, ..args(dir) })
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// The segment that holds this text.
fn with(dir: &Path, text: &str) -> PathBuf {
    let holds = |path: &PathBuf| std::fs::read_to_string(path).unwrap().contains(text);
    segments(dir).into_iter().find(holds).unwrap()
}

/// Offset of the record with this text, and its length with the line feed.
fn line_of(bytes: &[u8], text: &str) -> (usize, usize) {
    let at = bytes.windows(text.len()).position(|w| w == text.as_bytes()).unwrap();
    let begin = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let end = at + bytes[at..].iter().position(|b| *b == b'\n').unwrap() + 1;
    (begin, end - begin)
}

#[test]
fn a_journal_that_the_box_wrote_is_proven_to_its_newest_checkpoint() {
    let dir = written();
    assert!(segments(dir.path()).len() > 2);
    let (code, text) = verify(dir.path(), None);
    assert!(
        code == exit::OK && text.contains("PROVEN to record 74 (已证实至第 74 条): every record"),
        "{text}"
    );
    assert!(text.contains("\n3 signed checkpoints, held against ed25519:"), "{text}");
    assert!(text.contains("which lies beside the journal"), "{text}");
    assert!(text.contains("it ends with the program's orderly stop"), "{text}");
    // The journal alone, elsewhere, with the key that the birth message named.
    let public = sign::SigningKey::read(&dir.path().join(KEY_FILE)).unwrap().public().to_string();
    let (code, text) = verify(&dir.path().join("journal"), Some(public.clone()));
    assert!(code == exit::OK && text.contains(&public) && !text.contains("beside the journal"), "{text}");
    // A live box is just writing a line.
    change(segments(dir.path()).last().unwrap(), |b| b.extend_from_slice(b"{\"kj\":1,\"n\":70,\"pre"));
    let (code, text) = verify(dir.path(), None);
    assert!(code == exit::OK && text.contains("being written"), "{text}");
}

#[test]
fn what_is_wrong_is_named_with_file_and_offset_and_the_code_says_so() {
    type Hurt = fn(&Path);
    let table: [(&str, Hurt, &[&str]); 4] = [
        (
            "a changed word",
            |dir| {
                change(&with(dir, "INCIDENT020"), |b| {
                    let (at, _) = line_of(b, "INCIDENT020");
                    b[at + 300] ^= 1;
                })
            },
            &["bytes are no record", "is missing", "DAMAGED (受损): 1 missing, 1 unreadable"],
        ),
        (
            "a record cut out",
            |dir| {
                change(&with(dir, "INCIDENT020"), |b| {
                    let (at, len) = line_of(b, "INCIDENT020");
                    b.drain(at..at + len);
                })
            },
            &["is missing", "DAMAGED (受损): 1 missing, 0 unreadable"],
        ),
        (
            "a segment lost",
            |dir| std::fs::remove_file(&segments(dir)[1]).unwrap(),
            &["are missing", "DAMAGED (受损)"],
        ),
        (
            "one record written anew",
            |dir| forge_one(dir, "INCIDENT020", "INCIDENT999"),
            &["does not follow from the one before", "1 not in the chain"],
        ),
    ];
    for (name, hurt, findings) in table {
        let dir = written();
        hurt(dir.path());
        let (code, text) = verify(dir.path(), None);
        assert_eq!(code, exit::FAILED, "{name}: {text}");
        for wanted in findings {
            assert!(text.contains(wanted), "{name}: no {wanted:?} in\n{text}");
        }
    }
}

/// One record written anew in its place; its hash is right, and nothing else was touched.
fn forge_one(dir: &Path, old: &str, new: &str) {
    use kerbside_trace::journal::record::{self, Stamp};
    change(&with(dir, old), |bytes| {
        let (at, len) = line_of(bytes, old);
        let record = record::open(&bytes[at..at + len - 1]).unwrap();
        let Record { n, prev, .. } = record;
        let stamp = Stamp { n, prev, boot: &record.boot, at: record.at, utc_offset_s: 8 * 3600 };
        let mut line = Vec::new();
        record::seal(&mut line, &stamp, record.kind.as_str(), &record.body.replace(old, new));
        bytes.splice(at..at + len, line);
    });
}

fn show(dir: &Path, change: impl FnOnce(&mut ShowArgs)) -> Vec<String> {
    let mut args = ShowArgs {
        dir: dir.to_owned(),
        kind: Vec::new(),
        incident: None,
        from: None,
        to: None,
        severity: Severity::Info,
        last: None,
        json: false,
        secrets: false,
    };
    change(&mut args);
    let mut out = Vec::new();
    run(&JournalCommand::Show(args), &mut out).unwrap();
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn records_are_picked_by_kind_incident_time_and_gravity() {
    let dir = written();
    let dir = dir.path();
    let of_kind = |kind: &str| show(dir, |args| args.kind.push(kind.into())).len();
    assert_eq!((of_kind("matter"), of_kind("audit.checkpoint"), of_kind("refused")), (60, 3, 1));
    let one = show(dir, |args| args.incident = Some("INCIDENT007".into()));
    assert!(one.len() == 1 && one[0].contains("matter.opened.v1 seq 8"), "{one:?}");
    let grave = show(dir, |args| args.severity = Severity::Warning);
    assert!(grave.len() == 1 && grave[0].contains("! refused"), "{grave:?}");
    let late = show(dir, |args| args.from = Some("2026-11-22T00:00:00+08:00".into()));
    let early = show(dir, |args| args.to = Some("2026-11-22T00:00:00+08:00".into()));
    assert_eq!(late.len() + early.len(), show(dir, |_| {}).len());
    assert_eq!(show(dir, |args| args.last = Some(3)).len(), 3);
    // What an auditor takes along is what stands there.
    let exported = show(dir, |args| args.json = true).join("\n") + "\n";
    let files: Vec<u8> = segments(dir).iter().flat_map(|s| std::fs::read(s).unwrap()).collect();
    assert_eq!(exported.into_bytes(), files);
}

#[test]
fn nobody_is_shown_what_opens_the_centres_store_unless_he_asks_for_it() {
    use kerbside_wire::testing::grant::{data, sealed};
    let dir = tempfile::tempdir().unwrap();
    let keys = kerbside_wire::testing::keys();
    let settings = DeliverySettings { keys, ..DeliverySettings::new(dir.path(), true) };
    let (mut ledger, _) = Ledger::open(settings, who(), VirtualClock::new(1_795_221_065_120)).unwrap();
    let granted = ledger.incoming("cg/v1/310112/mh-xz-017/grant", sealed(&data("g1")).as_bytes(), false);
    assert!(granted.unwrap().is_some());
    drop(ledger);
    for json in [false, true] {
        let text = show(dir.path(), |args| args.json = json).join("\n");
        assert!(!text.contains("X-Signature") && !text.contains("private"), "{text}");
        assert_eq!(text.contains("https://centre.example/bucket/clip?(left out)"), json, "{text}");
    }
    let text = show(dir.path(), |args| (args.json, args.secrets) = (true, true)).join("\n");
    assert!(text.contains("X-Signature=secret"), "{text}");
}

#[test]
fn a_folder_without_a_journal_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let error = run(&JournalCommand::Verify(args(dir.path())), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("no journal here"), "{error}");
}
