//! Evidence as the stage makes it, exported as the box does it, and forged in every way: what `evidence verify` says of each. OpenSSL
//! is the verifier that is not ours.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_domain::time::{Clock as _, Moment, Mono, VirtualClock};
use kerbside_trace::delivery::{Delivery, DeliverySettings};
use kerbside_wire::testing::who;
use kerbside_wire::{self as wire, ManifestSubject};

use super::*;
use crate::cli::EvidenceVerifyArgs;
use crate::evidence::tests::{request, ring, stage};
use crate::evidence::{HoldChange, JournalPosition, Protected, Retention, Sealer, set_retention_hold};
use crate::verdict_testing::Said;

const DAY: &str = "1970-01-01";

/// A box with the evidence of two incidents, pictures and clip each, its journal closed in order.
struct BoxFolder {
    dir: tempfile::TempDir,
}

impl BoxFolder {
    fn new() -> BoxFolder {
        let dir = tempfile::tempdir().unwrap();
        let clock = VirtualClock::new(1_795_221_065_120);
        let (delivery, _opened) =
            Delivery::open(DeliverySettings::new(dir.path(), true), who(), clock.clone()).unwrap();
        let asked = delivery.clone();
        let position = Box::new(move || {
            let stats = asked.stats().unwrap();
            Some(JournalPosition { n: stats.last_n, hash: stats.last_hash })
        });
        let sealer = Sealer::new(delivery.key().unwrap(), who().source(), clock.clone(), position);
        let mut stage = stage(&dir.path().join("evidence"), ring(30.0, 22)).with_sealer(Some(sealer));
        for incident in ["A", "B"] {
            let outcomes = stage.request(request(incident, (10.0, 21.0)));
            for outcome in outcomes.into_iter().chain(stage.poll(Mono::from_s(30.0))) {
                assert_eq!(outcome.shortfall, None);
                let about = ManifestSubject::Incident(incident);
                let items = &outcome.items;
                let message = wire::evidence_manifest(&who(), incident, about, 1, items, clock.now());
                delivery.send(message).unwrap();
            }
        }
        delivery.close().unwrap();
        BoxFolder { dir }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn set(&self, incident: &str) -> PathBuf {
        self.path().join("evidence").join(DAY).join(incident)
    }

    fn key(&self) -> PublicKey {
        SigningKey::read(&self.path().join("box.key")).unwrap().public()
    }

    fn export(&self, name: &str) -> PathBuf {
        let to = self.path().join(name);
        let data = self.path().to_owned();
        let command = EvidenceCommand::Export { incident: "A".into(), data, out: to.clone() };
        let mut said = Vec::new();
        run(&command, &mut said).unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("13 files of incident A") && said.lines().count() == 1, "{said}");
        to
    }

    fn verify(&self, path: &Path) -> Said {
        verify(&[path], Some(self.key()))
    }
}

fn verify(paths: &[&Path], key: Option<PublicKey>) -> Said {
    let paths: Vec<PathBuf> = paths.iter().map(|p| p.to_path_buf()).collect();
    Said::by(|json| {
        let key = key.map(|key| key.to_string());
        let args = EvidenceVerifyArgs { paths: paths.clone(), key, json };
        let mut out = Vec::new();
        (run(&EvidenceCommand::Verify(args), &mut out).unwrap(), out)
    })
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

#[test]
fn what_a_box_signed_is_genuine_on_the_box_as_a_folder_and_as_one_file() {
    let folder = BoxFolder::new();
    for path in [folder.set("A"), folder.path().join("evidence"), folder.export("a.zip"), folder.export("a")]
    {
        let said = folder.verify(&path);
        said.is(
            exit::OK,
            "genuine",
            &["GENUINE 真实", "genuine 真实  ", "incident A, waste.exposed, camera cam1"],
        );
    }
    // In the bundle lies the excerpt of the journal, with the checkpoint that covers it.
    let said = folder.verify(&folder.path().join("a.zip"));
    said.is(exit::OK, "genuine", &["covers it", "r1-clip.mp4", "after journal record"]);
    assert!(!said.text.contains("no checkpoint of the journal is with"), "{}", said.text);
    let manifests = said.json["listings"].as_array().unwrap();
    assert_eq!(manifests.iter().filter(|l| l["covered"]["number"] == 1).count(), 2, "{}", said.json);
    // The key in every form that people have it in.
    let pem = folder.path().join("box.pem");
    std::fs::write(&pem, folder.key().to_pem()).unwrap();
    assert_eq!(public_key(pem.to_str().unwrap()).unwrap(), folder.key());
    assert!(public_key("/nowhere").unwrap_err().to_string().contains("a public key is expected"));
}

/// What retention, holds and a power cut leave beside the evidence changes nothing about it.
#[test]
fn the_box_s_own_marks_are_no_evidence() {
    let folder = BoxFolder::new();
    let evidence = folder.path().join("evidence");
    let retention = Retention { max_bytes: 1 << 40, max_age_days: Some(30), lacking: 0 };
    for incident in ["A", "B"] {
        set_retention_hold(&evidence, incident, HoldChange::Ended).unwrap();
        set_retention_hold(&evidence, incident, HoldChange::Hold).unwrap();
    }
    retention.prune(&evidence, Moment::default(), &Protected::default()).unwrap();
    let set = folder.set("A");
    for unfinished in [".r2-clip.mp4.part", ".r2-clip.mp4.signed", ".r2-manifest.json.sig.part"] {
        std::fs::write(set.join(unfinished), "half").unwrap();
    }
    let marks = std::fs::read_dir(&set).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
    let marks: Vec<String> = marks.filter(|name| name.starts_with('.')).collect();
    assert_eq!(marks.len(), 5, "{marks:?}");
    for path in [set.clone(), evidence] {
        folder.verify(&path).is(exit::OK, "genuine", &["GENUINE 真实"]);
    }
    // Only by their own names.
    for other in [".hold2", "first-met", ".first-met.jpg", "r2-clip.mp4.part", "r2-clip.signed"] {
        std::fs::write(set.join(other), "x").unwrap();
        folder.verify(&set).is(exit::FAILED, "changed", &["no manifest names it"]);
        std::fs::remove_file(set.join(other)).unwrap();
    }
}

#[test]
fn without_a_key_from_elsewhere_it_is_only_consistent() {
    let folder = BoxFolder::new();
    let own = folder.key().to_string();
    let zip = folder.export("a.zip");
    verify(&[&zip], None).is(exit::UNPROVEN, "consistent", &["CONSISTENT 一致", &own, "pass --key"]);
    let stranger = kerbside_crypto::testing::key().public();
    verify(&[&zip], Some(stranger)).is(
        exit::FAILED,
        "changed",
        &[&format!("signed by {own}, not by {stranger}")],
    );
}

#[test]
fn single_files_are_judged_by_the_manifest_beside_them() {
    let folder = BoxFolder::new();
    let set = folder.set("A");
    let picture = set.join("r1-trigger.jpg");
    let said = folder.verify(&picture);
    said.is(exit::OK, "genuine", &["r1-trigger.jpg"]);
    assert!(!said.text.contains("r1-before.jpg"), "{}", said.text);
    change(&set.join("r1-clip.mp4"), |b| b[0] ^= 1);
    folder.verify(&picture).is(exit::OK, "genuine", &[]);
    verify(&[&picture, &set.join("r1-clip.mp4")], Some(folder.key())).is(
        exit::FAILED,
        "changed",
        &["r1-clip.mp4"],
    );
    std::fs::write(set.join("note.jpg"), b"picture").unwrap();
    folder.verify(&set.join("note.jpg")).is(exit::FAILED, "changed", &["no manifest names it"]);
}

type Forgery = (&'static str, fn(&Path, &Path), u8, &'static str, &'static str);

/// Done to the folder of incident A; the second path is that of incident B.
const FORGERIES: &[Forgery] = &[
    (
        "one byte of the clip",
        |a, _| change(&a.join("r1-clip.mp4"), |b| b[3] ^= 1),
        exit::FAILED,
        "changed",
        "✗ changed 已改动  1970-01-01/A/r1-clip.mp4: its SHA-256 is",
    ),
    (
        "another picture",
        |a, b| copy(&b.join("r1-before.jpg"), &a.join("r1-trigger.jpg")),
        exit::FAILED,
        "changed",
        "1970-01-01/A/r1-trigger.jpg: its SHA-256 is",
    ),
    (
        "an edited manifest",
        |a, _| {
            let text = std::fs::read_to_string(a.join("r1-manifest.json")).unwrap();
            std::fs::write(a.join("r1-manifest.json"), text.replace("waste.exposed", "stall.occupying"))
                .unwrap();
        },
        exit::FAILED,
        "changed",
        "r1-manifest.json: the signature does not fit",
    ),
    (
        "the signature of another manifest",
        |a, b| copy(&b.join("r1-manifest.json.sig"), &a.join("r1-manifest.json.sig")),
        exit::FAILED,
        "changed",
        "r1-manifest.json: the signature does not fit",
    ),
    (
        "no signature",
        |a, _| std::fs::remove_file(a.join("r1-manifest.json.sig")).unwrap(),
        exit::FAILED,
        "changed",
        "its signature, 1970-01-01/A/r1-manifest.json.sig, is missing",
    ),
    (
        "the files of another incident under this one's name",
        |a, b| {
            for file in std::fs::read_dir(b).unwrap().map(Result::unwrap) {
                copy(&file.path(), &a.join(file.file_name()));
            }
        },
        exit::FAILED,
        "changed",
        "it is of incident B, and lies with A",
    ),
    (
        "a file more",
        |a, _| std::fs::write(a.join("r1-after.jpg"), b"picture 99").unwrap(),
        exit::FAILED,
        "changed",
        "✗ added 多出  1970-01-01/A/r1-after.jpg: no manifest names it",
    ),
    (
        "a file less",
        |a, _| std::fs::remove_file(a.join("r1-before.jpg")).unwrap(),
        exit::FAILED,
        "missing",
        "✗ missing 缺失  1970-01-01/A/r1-before.jpg",
    ),
    (
        "a manifest signed by a key of the forger's",
        |a, _| {
            let key = kerbside_crypto::testing::key();
            let text = std::fs::read_to_string(a.join("r1-manifest.json")).unwrap();
            let own = text.split("\"ed25519:").nth(1).unwrap()[..64].to_owned();
            let text = text.replace(&own, key.public().to_string().trim_start_matches("ed25519:"));
            std::fs::write(a.join("r1-manifest.json.sig"), key.sign_bytes(text.as_bytes())).unwrap();
            std::fs::write(a.join("r1-manifest.json"), text).unwrap();
        },
        exit::FAILED,
        "changed",
        "r1-manifest.json: signed by ed25519:d75a98",
    ),
];

#[test]
fn every_forgery_is_named() {
    for (name, forge, code, verdict, says) in FORGERIES {
        // On the box, and in a bundle that somebody got.
        let folder = BoxFolder::new();
        forge(&folder.set("A"), &folder.set("B"));
        let on_the_box = folder.path().join("evidence");
        println!("{name}");
        folder.verify(&on_the_box).is(*code, verdict, &[says]);

        let folder = BoxFolder::new();
        let bundle = folder.export("a");
        forge(&bundle.join(DAY).join("A"), &folder.set("B"));
        folder.verify(&bundle).is(*code, verdict, &[says]);
    }
}

#[test]
fn a_bundle_shows_what_was_taken_out_whole_and_what_was_done_to_its_excerpt() {
    let folder = BoxFolder::new();
    let bundle = folder.export("a");
    let set = bundle.join(DAY).join("A");
    for file in
        ["r1-clip.mp4", "r1-clip-manifest.json", "r1-clip-manifest.json.sig", "r1-clip-manifest.trace.jsonl"]
    {
        std::fs::remove_file(set.join(file)).unwrap();
    }
    folder.verify(&bundle).is(exit::FAILED, "missing", &["missing 缺失  1970-01-01/A/r1-clip-manifest.json"]);

    type Hurt = fn(&mut Vec<u8>);
    let table: [(Hurt, &str); 3] = [
        (|text| text[500] ^= 1, "a line is no record"),
        (
            |text| drop(text.drain(..text.iter().position(|b| *b == b'\n').unwrap() + 1)),
            "names another manifest",
        ),
        (
            |text| {
                text.pop();
                text.truncate(text.iter().rposition(|b| *b == b'\n').unwrap() + 1);
            },
            "it does not end with a checkpoint",
        ),
    ];
    for (i, (hurt, says)) in table.into_iter().enumerate() {
        let bundle = folder.export(&format!("b{i}"));
        // A list that says nothing against it.
        std::fs::remove_file(bundle.join("bundle.json")).unwrap();
        std::fs::remove_file(bundle.join("bundle.json.sig")).unwrap();
        change(&bundle.join(DAY).join("A/r1-manifest.trace.jsonl"), hurt);
        folder.verify(&bundle).is(exit::FAILED, "changed", &[says]);
    }
}

#[test]
fn evidence_of_an_older_version_is_unsigned() {
    let dir = tempfile::tempdir().unwrap();
    stage(dir.path(), ring(30.0, 22)).request(request("A", (10.0, 21.0)));
    let set = dir.path().join(DAY).join("A");
    verify(&[&set], None).is(
        exit::UNPROVEN,
        "unsigned",
        &["! unsigned 未签名  r1-trigger.jpg", "UNSIGNED 未签名"],
    );
    // Nor is a folder without any list genuine.
    std::fs::remove_file(set.join("r1-manifest.json")).unwrap();
    verify(&[&set], None).is(exit::UNPROVEN, "unsigned", &["unsigned 未签名  r1-trigger.jpg"]);
}

/// Between pictures and clip somebody edits the first manifest: the second does not vouch for it.
#[test]
fn a_manifest_that_was_touched_is_not_signed_again() {
    let dir = tempfile::tempdir().unwrap();
    let key = Arc::new(kerbside_crypto::testing::key());
    let sealer = Sealer::new(key, who().source(), VirtualClock::new(0), Box::new(|| None));
    let mut stage = stage(dir.path(), ring(30.0, 22)).with_sealer(Some(sealer));
    stage.request(request("A", (10.0, 21.0)));
    let set = dir.path().join(DAY).join("A");
    change(&set.join("r1-manifest.json"), |b| b[40] ^= 1);
    let outcome = stage.poll(Mono::from_s(30.0)).remove(0);
    assert!(outcome.shortfall.unwrap().contains("not as it was written"));
    let text = std::fs::read_to_string(set.join("r1-clip-manifest.json")).unwrap();
    assert!(!text.contains("r1-trigger") && text.contains("r1-clip.mp4"), "{text}");
}

/// The message to the centre carries the signature, so that the manifest that it gets can be checked there.
#[test]
fn openssl_verifies_what_the_box_signed_and_refuses_what_was_changed() {
    let folder = BoxFolder::new();
    let bundle = folder.export("a");
    let set = bundle.join(DAY).join("A");
    let openssl = |manifest: &str| {
        let (manifest, signature) = (set.join(manifest), set.join(format!("{manifest}.sig")));
        let mut command = Command::new("openssl");
        command.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(bundle.join("box.pem"));
        let output = command.arg("-in").arg(manifest).arg("-sigfile").arg(signature).output();
        output.expect("openssl is there: tools/setup installs it").status.success()
    };
    for manifest in ["r1-manifest.json", "r1-clip-manifest.json"] {
        assert!(openssl(manifest), "{manifest}");
        change(&set.join(manifest), |b| b[40] ^= 1);
        assert!(!openssl(manifest), "{manifest}");
    }
    let shown = run_text(&EvidenceCommand::PublicKey { data: folder.path().to_owned() });
    assert_eq!(shown, format!("{}{}\n", folder.key().to_pem(), folder.key()));
}

fn run_text(command: &EvidenceCommand) -> String {
    let mut out = Vec::new();
    run(command, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_bundle_that_is_none_is_refused_and_nothing_is_overwritten() {
    let folder = BoxFolder::new();
    let zip = folder.export("a.zip");
    let again =
        EvidenceCommand::Export { incident: "A".into(), data: folder.path().to_owned(), out: zip.clone() };
    assert!(run(&again, &mut Vec::new()).unwrap_err().to_string().contains("is there already"));
    let out = folder.path().join("c.zip");
    for incident in ["C", "../A", ""] {
        let unknown = EvidenceCommand::Export {
            incident: incident.into(),
            data: folder.path().to_owned(),
            out: out.clone(),
        };
        let error = run(&unknown, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.contains("no evidence of incident"), "{error}");
    }
    assert!(!out.exists());
    // Outside of the folder it is unpacked to.
    let name = |inside: &str| {
        let path = folder.path().join("evil.zip");
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        let stored =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(inside, stored).unwrap();
        std::io::Write::write_all(&mut zip, b"x").unwrap();
        zip.finish().unwrap();
        let args = EvidenceVerifyArgs { paths: vec![path], key: None, json: false };
        run(&EvidenceCommand::Verify(args), &mut Vec::new()).map_err(|e| format!("{e:#}"))
    };
    assert!(name("../../evil.jpg").unwrap_err().contains("would lie outside"));
    assert_eq!(name("r1-trigger.jpg").unwrap(), exit::UNPROVEN);
    change(&zip, |b| b.truncate(b.len() / 2));
    let args = EvidenceVerifyArgs { paths: vec![zip], key: None, json: false };
    assert!(run(&EvidenceCommand::Verify(args), &mut Vec::new()).is_err());
}
