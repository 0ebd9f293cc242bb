//! A review as a whole: the ring of a real clip, the real child, the network that ships.

use std::path::Path;
use std::sync::Arc;

use kerbside::review::{ReviewCamera, review};
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::{Moment, Mono};
use kerbside_infer::REPLAY_RUN_LIMIT;
use kerbside_media::Pace;
use kerbside_seeing::incident::{ReviewAnswer, ReviewRequest};
use parking_lot::Mutex;

use super::support::{bag_left, kerbside, run, setup};

/// Nine seconds are reviewed, at six frames a second; what the clip shows before them is left out.
const SPAN_FRAMES: std::ops::RangeInclusive<u32> = 53..=55;

/// Asks who brought what stands at `bbox` since `appeared_s`, of the ring as `bag-left` leaves it.
fn ask(bbox: BBox, appeared_s: f64, from_s: f64) -> ReviewAnswer {
    let mut setup = setup(bag_left().to_str().unwrap(), Pace::Lockstep);
    (setup.analysis_width, setup.analysis_fps) = (640, 1.0);
    let (_, _, ring) = run(setup.clone());
    let camera = ReviewCamera::new(setup, Arc::new(Mutex::new(ring)));
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/street.toml");
    let (mut street, _) = kerbside_infer::load(&manifest, None, REPLAY_RUN_LIMIT).unwrap();
    let at = |s: f64| Moment::default().at(Mono::from_s(s));
    let (appeared, from, to) = (at(appeared_s), at(from_s), at(appeared_s + 3.0));
    let question = ReviewRequest { camera: CameraIx(0), candidate: 7, bbox, appeared, from, to };
    review(&camera, &mut *street, &mut kerbside_media::clip::in_child(kerbside()), &question)
}

#[test]
fn a_review_shows_who_set_down_the_bag_and_that_nobody_was_elsewhere() {
    let bag = BBox { x: 0.625, y: 0.4556, w: 0.0313, h: 0.0667 };
    let answer = ask(bag, 12.6, 6.6);
    assert_eq!((answer.candidate, answer.failure), (7, None));
    assert!(SPAN_FRAMES.contains(&answer.frames), "{} frames", answer.frames);
    let witness = answer.witness.expect("the walker is seen");
    assert_eq!(&*witness.label, "person");
    assert!(witness.first_seen < Mono::from_s(12.6), "{witness:?}");

    let wall = BBox { x: 0.02, y: 0.02, w: 0.03, h: 0.05 };
    let answer = ask(wall, 12.6, 6.6);
    assert_eq!((answer.witness, answer.failure), (None, None));
    assert!(SPAN_FRAMES.contains(&answer.frames), "{} frames", answer.frames);
}

#[test]
fn a_span_that_the_ring_has_lost_is_a_failure() {
    let bag = BBox { x: 0.625, y: 0.4556, w: 0.0313, h: 0.0667 };
    let answer = ask(bag, 500.0, 494.0);
    assert_eq!(answer.failure.as_deref(), Some("the ring does not hold the moment when it appeared"));
    assert_eq!((answer.witness, answer.frames), (None, 0));
}
