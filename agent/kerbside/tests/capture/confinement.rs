//! Confinement as the line meets it: a site that demands it, and a clip child with its files. What an intruder in a child can do is
//! tried by the fault suite (`tests/src/faults/intruder.rs`).

use kerbside_media::clip::{ClipJob, make};
use kerbside_media::parent::confinement;
use kerbside_media::{Pace, Walls};
use kerbside_site::config::Confine;

use super::support::{bag_left, kerbside, packets_of, run, setup};

#[test]
fn a_site_that_demands_confinement_decodes_nothing_without_it() {
    let mut setup = setup(bag_left().to_str().unwrap(), Pace::Lockstep);
    setup.analysis_fps = 1.0;
    let walls = |newest_abi| Walls { newest_abi, demand: Confine::Required, ..Walls::default() };
    setup.program = kerbside().with_walls(walls(0));
    let (_, seen, _) = run(setup.clone());
    assert!(seen.frames.is_empty());
    let why = seen.why.last().unwrap();
    assert!(why.contains("the child is not confined") && why.contains("without Landlock"), "{why}");

    // Best effort decodes, and says what is missing.
    setup.program.walls.demand = Confine::BestEffort;
    let (_, seen, _) = run(setup.clone());
    assert!(!seen.frames.is_empty());

    // Where the kernel has what is demanded, it is decoded.
    setup.program = kerbside().with_walls(walls(Walls::default().newest_abi));
    let stands = confinement(&setup.program).unwrap();
    let (_, seen, _) = run(setup);
    assert_eq!(seen.frames.is_empty(), stands.shortfall().is_some(), "{stands}");
}

#[test]
fn on_kernel_6_1_the_network_is_said_to_be_held_in_part() {
    let walls = Walls { newest_abi: 2, ..Walls::default() };
    let stands = confinement(&kerbside().with_walls(walls)).unwrap().to_string();
    assert!(stands.contains("network in part: Landlock ABI 2"), "{stands}");
}

#[test]
fn a_child_that_makes_a_clip_writes_its_own_files_and_leaves_no_empty_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (stream, packets) = packets_of(&bag_left());
    let (clip, other) = (dir.path().join("clip.mp4.part"), dir.path().join("earlier.mp4"));
    std::fs::write(&other, "earlier").unwrap();
    let job = ClipJob { stream, packets, clip: Some(clip.clone()), stills: Vec::new() };
    let limit = std::time::Duration::from_secs(60);
    assert!(make(&kerbside(), limit, &job).unwrap().clip.is_some());
    assert!(std::fs::metadata(&clip).unwrap().len() > 100_000);
    assert_eq!(std::fs::read(&other).unwrap(), b"earlier");

    let empty = ClipJob { packets: Vec::new(), ..job };
    std::fs::remove_file(&clip).unwrap();
    assert!(make(&kerbside(), limit, &empty).unwrap().clip.is_none());
    assert!(!clip.exists(), "a clip that cannot be made leaves no empty file");
}
