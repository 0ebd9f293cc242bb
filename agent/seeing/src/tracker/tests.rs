//! Walks of boxes through the tracker.

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use super::*;

fn detection(group: Group, confidence: f32, x: f32, y: f32, w: f32, h: f32) -> Detection {
    Detection { label: "thing".into(), group, confidence, bbox: BBox { x, y, w, h } }
}

fn person(x: f32) -> Detection {
    detection(Group::Person, 0.8, x, 0.4, 0.06, 0.3)
}

fn car(x: f32) -> Detection {
    detection(Group::Vehicle, 0.9, x, 0.5, 0.25, 0.2)
}

/// One frame every 0.2 s from `from_s`; `frame(i)` says what is in the i-th.
fn play(tracker: &mut Tracker, from_s: f64, frames: u32, frame: impl Fn(u32) -> Vec<Detection>) -> f64 {
    for i in 0..frames {
        tracker.step(Mono::from_s(from_s + f64::from(i) * 0.2), &frame(i));
    }
    from_s + f64::from(frames) * 0.2
}

fn ids(tracker: &Tracker) -> Vec<u32> {
    tracker.tracks().map(|t| t.id).collect()
}

#[test]
fn two_people_who_pass_each_other_keep_their_ids() {
    let mut tracker = Tracker::new();
    play(&mut tracker, 0.0, 40, |i| {
        let step = i as f32 * 0.02;
        vec![person(0.1 + step), detection(Group::Person, 0.8, 0.9 - step, 0.45, 0.06, 0.3)]
    });
    let seen: Vec<(u32, bool)> = tracker.visible().map(|t| (t.id, t.bbox.x > 0.5)).collect();
    assert_eq!(seen, [(1, true), (2, false)]);
}

#[test]
fn a_doubtful_box_continues_a_track_but_three_do_not_start_one() {
    let mut tracker = Tracker::new();
    let now = play(&mut tracker, 0.0, 5, |_| vec![person(0.3)]);
    play(&mut tracker, now, 3, |_| {
        vec![
            detection(Group::Person, 0.3, 0.31, 0.4, 0.06, 0.3),
            detection(Group::Person, 0.3, 0.7, 0.4, 0.06, 0.3),
        ]
    });
    assert_eq!(ids(&tracker), [1]);
    assert_eq!(tracker.visible().map(|t| t.hits).collect::<Vec<_>>(), [8]);
}

#[test]
fn a_parked_car_hidden_for_a_minute_keeps_its_id_and_a_walker_does_not() {
    let mut tracker = Tracker::new();
    let now = play(&mut tracker, 0.0, 330, |_| vec![car(0.4), person(0.1)]);
    let now = play(&mut tracker, now, 300, |i| vec![person(0.1 + 0.002 * i as f32)]);
    let now = play(&mut tracker, now, 20, |_| vec![]);
    play(&mut tracker, now, 5, |_| vec![car(0.41), person(0.1)]);
    let now_visible: Vec<(u32, Group)> = tracker.visible().map(|t| (t.id, t.group)).collect();
    assert_eq!(now_visible, [(1, Group::Vehicle), (3, Group::Person)]);
}

#[test]
fn groups_do_not_mix() {
    let mut tracker = Tracker::new();
    let now = play(&mut tracker, 0.0, 5, |_| vec![person(0.3)]);
    play(&mut tracker, now, 5, |_| vec![detection(Group::Waste, 0.9, 0.3, 0.4, 0.06, 0.3)]);
    assert_eq!(tracker.tracks().map(|t| t.group).collect::<Vec<_>>(), [Group::Person, Group::Waste]);
}

#[test]
fn a_car_that_drives_off_leaves_its_place_behind() {
    let mut tracker = Tracker::new();
    let now = play(&mut tracker, 0.0, 50, |_| vec![car(0.3)]);
    assert_eq!(tracker.tracks().next().and_then(|t| t.still_since), Some(Mono::ZERO));
    play(&mut tracker, now, 20, |i| vec![car(0.3 + 0.04 * i as f32)]);
    let left: Vec<f32> = tracker.vacated().map(|v| v.bbox.x).collect();
    assert_eq!(left, [0.3]);
}

#[test]
fn the_witness_is_the_one_who_touched_the_place() {
    let mut tracker = Tracker::new();
    play(&mut tracker, 0.0, 50, |i| vec![person(0.1 + 0.01 * i as f32), car(0.7)]);
    let bag = BBox { x: 0.3, y: 0.66, w: 0.04, h: 0.04 };
    let found = tracker.witness(&bag, Mono::from_s(3.0), Mono::from_s(6.0));
    assert_eq!(found.map(|w| (w.track, w.group)), Some((1, Group::Person)));
    assert!(tracker.witness(&bag, Mono::from_s(8.0), Mono::from_s(9.0)).is_none());
    assert!(
        tracker.person_last_near(&bag).is_some_and(|at| at > Mono::from_s(4.0) && at < Mono::from_s(8.0))
    );
}

#[test]
fn the_number_of_tracks_is_bounded() {
    let mut tracker = Tracker::new();
    let crowd: Vec<Detection> = (0..200)
        .map(|i| detection(Group::Person, 0.9, (i % 20) as f32 * 0.05, (i / 20) as f32 * 0.1, 0.02, 0.05))
        .collect();
    tracker.step(Mono::from_s(1.0), &crowd);
    assert_eq!(tracker.refused(), 200 - MAX_TRACKS as u64);
}
