//! Cameras, patrol and sensors.

use std::sync::Arc;

use expect_test::expect;

use super::street::*;
use crate::gate::Scene;
use crate::incident::*;
use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::frame::CameraIx;
use kerbside_domain::kind::Kind;
use kerbside_domain::reading::Reading;
use kerbside_site::config::{Sensor, SensorKind};

fn waste() -> kerbside_site::config::Rule {
    rule(&[Kind::WasteExposed])
}

#[test]
fn states_are_told_apart_and_a_short_darkness_is_none() {
    let mut street = street(waste());
    for (scene, seconds) in [
        (Scene::LightChanged, 2.0),
        (Scene::Clear, 5.0),
        (Scene::Covered, 8.0),
        (Scene::Clear, 5.0),
        (Scene::Moved, 8.0),
        (Scene::Learning, 3.0),
        (Scene::Clear, 5.0),
        (Scene::Frozen, 0.5),
        (Scene::Clear, 5.0),
    ] {
        street.scene = scene;
        street.run(seconds);
    }
    let at = street.moment();
    street.step(Input::Camera { camera: CameraIx(0), at, state: CameraState::Off(Off::Silent) });
    street.idle(5.0);
    let at = street.moment();
    street.step(Input::Camera { camera: CameraIx(0), at, state: CameraState::Watching });
    street.scene = Scene::Learning;
    street.run(3.0);
    street.scene = Scene::Clear;
    street.run(3.0);
    expect![[r#"
        20.5 cam1 Blind(Covered)
        26.5 cam1 Watching
        33.5 cam1 Blind(Moved)
        38.5 cam1 Blind(Learning)
        41.5 cam1 Watching
        46.5 cam1 Blind(Frozen)
        48.0 cam1 Watching
        51.5 cam1 Off(Silent)
        56.5 cam1 Blind(Learning)
        60.0 cam1 Watching
    "#]]
    .assert_eq(&street.figures());
}

#[test]
fn two_cameras_are_independent() {
    let mut street = Street::new(settings(vec![camera(0, vec![waste()]), camera(1, vec![waste()])]));
    // The second camera only learns; the first one's bag is none of its business.
    street.put_bag(0.4);
    for _ in 0..30 {
        street.run(1.0);
        street.camera = CameraIx(1);
        let mut frame = street.frame();
        frame.at = frame.at.at(frame.at.mono.plus_s(0.1));
        frame.gate.regions.clear();
        street.step(Input::Observation(frame));
        street.camera = CameraIx(0);
    }
    assert_eq!(street.core.candidates(CameraIx(1)), 0);
    expect![[r#"
        cam2 Watching
        pin
        cam1 watch required
        review
        opened r1: waste.exposed found_after
        save r1
    "#]]
    .assert_eq(&street.story());
}

#[test]
fn the_patrol_says_what_was_seen() {
    let mut settings = settings(vec![camera(0, vec![waste()])]);
    settings.patrol.period_s = 100.0;
    let mut street = Street::new(settings);
    street.run(90.0);
    street.put_bag(0.4);
    street.run(100.0);
    street.take("bag");
    street.run(20.0);
    street.scene = Scene::Covered;
    street.run(30.0);
    street.idle(51.0);
    let lines = street.figures();
    let patrols: Vec<&str> = lines.lines().filter(|l| l.contains("patrol")).collect();
    expect![[r#"
        100.5 patrol all_well open 0 cleared 0: [[98.0, 2.0, 0.0, 0.0, 201.0, 201.0]]
        200.5 patrol open_matters open 1 cleared 0: [[100.0, 0.0, 0.0, 0.0, 200.0, 200.0]]
        301.0 patrol degraded open 0 cleared 1: camera_blind cam1 covered 36.5; camera_off cam1 silent 41; [[23.0, 36.5, 0.0, 41.0, 99.0, 99.0]]"#]]
    .assert_eq(&patrols.join("\n"));
}

#[test]
fn a_sensor_alarms_after_its_time_and_doubtful_readings_never() {
    let mut settings = settings(vec![camera(0, vec![waste()])]);
    settings.sensors = vec![Sensor {
        alarm_above: Some(85.0),
        alarm_for_s: 20.0,
        ..Sensor::on_topic("bin-1", SensorKind::BinLevel, "%", "t")
    }];
    let mut street = Street::new(settings);
    let say = |street: &mut Street, value: f64, suspicious: Option<&str>, sensor: &str| {
        let at = street.moment();
        street.step(Input::Reading(Reading {
            sensor: Arc::from(sensor),
            phenomenon: at,
            arrived: at,
            value,
            unit: "%".into(),
            suspicious: suspicious.map(str::to_owned),
        }));
        street.idle(10.0);
    };
    for (value, suspicious) in [
        (90.0, None),
        (80.0, None),
        (90.0, None),
        (500.0, Some("out_of_range")),
        (91.0, None),
        (92.0, None),
        (70.0, None),
        (90.0, None),
        (70.0, None),
        (60.0, None),
        (60.0, None),
    ] {
        say(&mut street, value, suspicious, "bin-1");
    }
    say(&mut street, 99.0, None, "unknown");
    expect![[r#"
        40.0 sensor bin-1 implausible at 90
        50.0 alarm bin-1 true at 90
        50.0 opened r1: bin.overflow 0.90, dwell 20, count 1, at x 0.00, evidence 0+0
        70.0 sensor bin-1 alarm at 92
        110.0 alarm bin-1 false at 60
        110.0 cleared r2: bin.overflow 0.90, dwell 80, count 1, at x 0.00, evidence 0+0
    "#]]
    .assert_eq(&street.figures());
    let counters = street.core.counters();
    assert_eq!((counters.readings, counters.readings_suspicious, counters.readings_unknown), (12, 1, 1));
}

#[test]
fn frames_out_of_order_or_of_strangers_change_nothing() {
    let mut street = street(waste());
    let mut old = street.frame();
    old.at = old.at.minus_s(3.0);
    old.gate.scene = Scene::Black;
    street.step(Input::Observation(old));
    let mut stranger = street.frame();
    stranger.camera = CameraIx(9);
    street.step(Input::Observation(stranger));
    assert_eq!((street.figures().as_str(), street.core.counters().frames_ignored), ("", 2));
}
