//! Evidence that a disk has changed: found, said once, and remembered over a restart.

use std::path::Path;
use std::sync::Arc;

use kerbside_domain::time::{Moment, Mono, VirtualClock};
use kerbside_wire::testing::who;
use parking_lot::Mutex;

use super::scrub::*;
use super::tests::{request, ring, stage};
use super::*;

/// The evidence of some incidents, signed, pictures and clip each: three files.
fn evidence(root: &Path, incidents: &[&str]) {
    let key = Arc::new(kerbside_crypto::testing::key());
    let sealer = Sealer::new(key, who().source(), VirtualClock::new(0), Box::new(|| None));
    let mut stage = stage(root, ring(30.0, 22)).with_sealer(Some(sealer));
    for incident in incidents {
        stage.request(request(incident, (10.0, 21.0)));
        stage.poll(Mono::from_s(30.0));
    }
}

#[derive(Clone, Default)]
struct Reported(Arc<Mutex<(Vec<String>, bool)>>);

impl Reported {
    fn scrub(&self, root: &Path) -> Scrub {
        let reported = self.0.clone();
        let report = move |found: &DamagedFile| {
            let mut reported = reported.lock();
            let taken = !reported.1;
            if taken {
                reported.0.push(format!("{} {}", found.path, found.why));
            }
            taken
        };
        Scrub::new(root.to_owned(), 0, Box::new(report))
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().0)
    }

    fn refuse(&self, refuse: bool) {
        self.0.lock().1 = refuse;
    }
}

fn at_s(s: u32) -> Moment {
    Moment { mono: Mono::from_s(f64::from(s)), wall_ms: i64::from(s) * 1000, ..Moment::default() }
}

/// So many hours, a turn each second; how many files were looked at.
fn hours(scrub: &mut Scrub, from_h: u32, to_h: u32) -> u64 {
    let before = scrub.state().checked;
    for s in from_h * 3600..to_h * 3600 {
        scrub.turn(at_s(s));
    }
    scrub.state().checked - before
}

#[test]
fn a_flipped_bit_is_found_said_once_and_not_said_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("evidence");
    evidence(&root, &["A", "B", "C"]);
    let reported = Reported::default();
    let mut scrub = reported.scrub(&root);
    let mut s = 0;
    while scrub.state().rounds == 0 {
        scrub.turn(at_s(s));
        s += 1;
    }
    assert_eq!(scrub.state().checked, 9, "each once, though two manifests name some of them");
    assert!(s < 3600 && reported.take().is_empty(), "nothing is wrong with it: {s}");

    flip_a_bit(&root.join("1970-01-01/B/r1-clip.mp4"));
    std::fs::remove_file(root.join("1970-01-01/C/r1-before.jpg")).unwrap();
    // The journal refuses for a while.
    reported.refuse(true);
    hours(&mut scrub, 1, 3);
    assert_eq!(reported.take(), Vec::<String>::new());
    reported.refuse(false);
    hours(&mut scrub, 3, 5);
    let said = reported.take();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("1970-01-01/B/r1-clip.mp4 its SHA-256 is "), "{said:?}");
    assert!(
        said[1].starts_with(
            "1970-01-01/C/r1-before.jpg 1970-01-01/C/r1-clip-manifest.json names it, and it cannot"
        ),
        "{said:?}"
    );

    let mut scrub = reported.scrub(&root);
    hours(&mut scrub, 0, 3);
    assert_eq!(reported.take(), Vec::<String>::new(), "it is known");
    assert_eq!(scrub_state(dir.path()).unwrap().damaged.len(), 2);
    // What goes with its folder is no damage.
    std::fs::remove_dir_all(root.join("1970-01-01/B")).unwrap();
    hours(&mut scrub, 3, 6);
    assert_eq!(reported.take(), Vec::<String>::new());
    assert_eq!(scrub.state().damaged.len(), 1);
}

fn flip_a_bit(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[2] ^= 4;
    std::fs::write(file, bytes).unwrap();
}

/// The report of a finding is owed until it is durable, whatever happens to the program in between.
#[test]
fn a_finding_that_was_not_reported_is_reported_after_a_restart_and_then_not_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("evidence");
    evidence(&root, &["A", "B"]);
    flip_a_bit(&root.join("1970-01-01/A/r1-clip.mp4"));
    let reported = Reported::default();
    reported.refuse(true);
    let mut scrub = reported.scrub(&root);
    hours(&mut scrub, 0, 2);
    assert_eq!((scrub.state().damaged.len(), reported.take().len()), (1, 0));
    for _ in 0..2 {
        hours(&mut reported.scrub(&root), 0, 2);
    }
    reported.refuse(false);
    let mut scrub = reported.scrub(&root);
    scrub.turn(at_s(0));
    let said = reported.take();
    assert!(said.len() == 1 && said[0].starts_with("1970-01-01/A/r1-clip.mp4"), "at once: {said:?}");
    // Not even if the program ends right behind the report.
    for _ in 0..3 {
        hours(&mut reported.scrub(&root), 0, 2);
    }
    assert_eq!(reported.take(), Vec::<String>::new());
    assert_eq!(scrub_state(dir.path()).unwrap().damaged.len(), 1);
}

/// A disk that dies: what is not remembered by name must not be found and reported in each round anew.
#[test]
fn more_damage_than_is_named_is_reported_to_the_last_name_and_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("evidence");
    evidence(&root, &["A", "B"]);
    for incident in ["A", "B"] {
        flip_a_bit(&root.join("1970-01-01").join(incident).join("r1-clip.mp4"));
        flip_a_bit(&root.join("1970-01-01").join(incident).join("r1-trigger.jpg"));
    }
    let known = |n| serde_json::json!({"path": format!("1970-01-01/A/{n}"), "why": "", "found_at": "", "reported": true});
    let known: Vec<_> = (0..198).map(known).collect();
    let state = serde_json::json!({"cursor": "", "checked": 0, "rounds": 0, "damaged": known});
    std::fs::write(dir.path().join("scrub.json"), state.to_string()).unwrap();
    let reported = Reported::default();
    let mut scrub = reported.scrub(&root);
    hours(&mut scrub, 0, 4);
    assert!(scrub.state().rounds >= 3, "{scrub:?}");
    let said = reported.take();
    assert_eq!((said.len(), scrub.state().damaged.len()), (2, 200), "{said:?}");
    assert!(said[1].ends_with("200 files are damaged: further ones are not named"), "{said:?}");
}

/// A link could lead anywhere; what lies there is none of ours.
#[test]
fn no_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (root, elsewhere) = (dir.path().join("evidence"), dir.path().join("elsewhere"));
    evidence(&root, &["A"]);
    evidence(&elsewhere, &["B"]);
    flip_a_bit(&elsewhere.join("1970-01-01/B/r1-clip.mp4"));
    std::os::unix::fs::symlink(elsewhere.join("1970-01-01"), root.join("1970-01-02")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("1970-01-01/B"), root.join("1970-01-01/B")).unwrap();
    let reported = Reported::default();
    let mut scrub = reported.scrub(&root);
    hours(&mut scrub, 0, 3);
    assert!(scrub.state().rounds > 0 && scrub.state().checked >= 3);
    assert_eq!(reported.take(), Vec::<String>::new());
}

#[test]
fn a_manifest_that_lost_a_bit_is_named_itself() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("evidence");
    evidence(&root, &["A"]);
    let manifest = root.join("1970-01-01/A/r1-manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"cam1\"", "\"cam0\"")).unwrap();
    let reported = Reported::default();
    hours(&mut reported.scrub(&root), 0, 1);
    let said = reported.take();
    assert_eq!(said, ["1970-01-01/A/r1-manifest.json its signature does not fit"]);
}

/// A long file takes many turns, and none of them long.
#[test]
fn a_file_is_read_in_pieces_and_few_files_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("evidence");
    let many: Vec<String> = (0..12).map(|i| format!("I{i:02}")).collect();
    evidence(&root, &many.iter().map(String::as_str).collect::<Vec<_>>());
    let reported = Reported::default();
    let mut scrub = reported.scrub(&root);
    let in_an_hour = hours(&mut scrub, 0, 1);
    assert!((8..=14).contains(&in_an_hour), "{in_an_hour}");
    // It goes on where it was, also after a restart.
    let mut scrub = reported.scrub(&root);
    assert!(hours(&mut scrub, 0, 4) >= 36 - in_an_hour && scrub.state().rounds == 1, "{scrub:?}");
}
