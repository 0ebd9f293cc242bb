//! Each event of a stage reaches the metric that is named for it.

use kerbside_domain::camera_state::{Blind, CameraState};
use kerbside_domain::frame::Level;
use kerbside_domain::time::{Mono, VirtualClock};
use kerbside_infer::worker::InferenceTiming;
use kerbside_link::{LinkHealth, LinkStatus};
use kerbside_media::{CameraWarning, CaptureStats, ClockFault};

use super::*;
use crate::app::tests::site;

fn meters(dir: &std::path::Path) -> (Meters, Arc<VirtualClock>) {
    let clock = VirtualClock::new(0);
    (Meters::new(&site(dir), clock.clone()), clock)
}

/// The value of a metric's line.
fn value(meters: &Meters, name: &str) -> f64 {
    let text = meters.metrics().render();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

#[test]
fn a_camera_s_frames_packets_and_losses_are_counted_over_restarts_of_its_child() {
    let dir = tempfile::tempdir().unwrap();
    let (meters, _) = meters(dir.path());
    let ring = Arc::new(Mutex::new(PacketRing::new(10.0, 1 << 20)));
    let mut meter = meters.camera(CameraIx(0), ring).unwrap();
    meter.frame(Level::L2);
    meter.overwritten();
    meter.overtaking();
    let stats = |packets| CaptureStats { packets, ..CaptureStats::default() };
    meter.capture(&stats(10));
    meter.capture(&stats(25));
    meter.restarted();
    meter.capture(&stats(5));
    for (name, expected) in [
        ("kerbside_camera_frames_total{camera=\"clip\"}", 1.0),
        ("kerbside_decode_level{camera=\"clip\"}", 2.0),
        ("kerbside_stage_items_total{stage=\"gate\"}", 1.0),
        ("kerbside_stage_items_total{stage=\"source\"}", 30.0),
        ("kerbside_dropped_total{policy=\"slot_older_frame\"}", 1.0),
        ("kerbside_dropped_total{policy=\"idle_frame_overtaking\"}", 1.0),
    ] {
        assert_eq!(value(&meters, name), expected, "{name}");
    }
    assert!(meters.camera(CameraIx(7), Arc::new(Mutex::new(PacketRing::new(1.0, 1)))).is_none());
}

#[test]
fn what_is_odd_about_a_camera_is_shown_until_its_child_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (meters, _) = meters(dir.path());
    let mut meter = meters.camera(CameraIx(0), Arc::new(Mutex::new(PacketRing::new(10.0, 1 << 20)))).unwrap();
    let core = meters.core();
    assert!(core.camera_values().is_empty() && meters.liveness.cameras().page().is_empty());
    meter.warned(CameraWarning::Clock(ClockFault::Stands));
    meter.warned(CameraWarning::Ring { mb: 30, seconds: 12.0 });
    let values = core.camera_values();
    let clock = values["camera_warnings"]["clip"]["clock"].as_str().unwrap();
    assert!(clock.contains("they stand still"), "{clock}");
    assert!(values["camera_warnings"]["clip"]["ring"].as_str().unwrap().contains("30 MiB"), "{values:?}");
    let page = meters.liveness.cameras().page();
    assert!(page["clip"]["clock"]["cure"].as_str().unwrap().contains("NTP"), "{page:?}");
    assert_eq!(value(&meters, "kerbside_camera_clock_faults_total{camera=\"clip\"}"), 1.0);
    meter.restarted();
    assert!(core.camera_values().is_empty() && meters.liveness.cameras().page().is_empty());
}

#[test]
fn an_inference_is_timed_for_its_camera() {
    let dir = tempfile::tempdir().unwrap();
    let (meters, _) = meters(dir.path());
    let timing =
        InferenceTiming { camera: CameraIx(0), inference_s: 0.05, age_s: 0.09, ok: false, close_up: true };
    meters.detector().observe(timing);
    for (name, expected) in [
        ("kerbside_frame_age_seconds_count{camera=\"clip\"}", 1.0),
        ("kerbside_inference_seconds_count", 1.0),
        ("kerbside_stage_items_total{stage=\"close_up\"}", 1.0),
        ("kerbside_dropped_total{policy=\"detector_failed_frame\"}", 1.0),
    ] {
        assert_eq!(value(&meters, name), expected, "{name}");
    }
}

#[test]
fn totals_of_the_delivery_become_counters_and_never_count_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (meters, _) = meters(dir.path());
    let core = meters.core();
    let mut stats = kerbside_trace::delivery::DeliveryStats { read_errors: 2, ..Default::default() };
    stats.outbox[0].queued = 3;
    core.delivery(&stats, 4, 5);
    core.delivery(&stats, 4, 5);
    core.camera(CameraIx(0), CameraState::Blind(Blind::Covered));
    core.left_out();
    for (name, expected) in [
        ("kerbside_delivery_total{outcome=\"read_error\"}", 2.0),
        ("kerbside_outbox_messages{priority=\"incident\"}", 3.0),
        ("kerbside_queue_depth{queue=\"evidence\"}", 4.0),
        ("kerbside_queue_depth{queue=\"unwritten\"}", 5.0),
        ("kerbside_camera_state{camera=\"clip\",state=\"blind\"}", 1.0),
        ("kerbside_camera_state{camera=\"clip\",state=\"watching\"}", 0.0),
        ("kerbside_dropped_total{policy=\"disk_refuses\"}", 1.0),
    ] {
        assert_eq!(value(&meters, name), expected, "{name}");
    }
}

#[test]
fn a_camera_that_ends_is_not_waited_for_and_one_that_hangs_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (meters, clock) = meters(dir.path());
    let ring = || Arc::new(Mutex::new(PacketRing::new(1.0, 1)));
    let ended = meters.camera(CameraIx(0), ring()).unwrap();
    let _core = meters.core();
    ended.ended();
    drop(ended);
    clock.advance_to(Mono::from_s(CORE_LIMIT_S + 1.0));
    let ages = meters.liveness.ages(clock.now().mono);
    let stages: Vec<_> = ages.iter().map(|a| (a.stage.as_str(), a.alive)).collect();
    assert_eq!(stages, [("core", false)]);
}

/// Not what the outbox was told: that counts what was never sent because its topic is refused.
#[test]
fn what_the_broker_refused_is_shown_as_the_link_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    let (meters, _) = meters(dir.path());
    let meter = link::LinkMeter::new(meters.metrics(), LinkWatch::default());
    meter.show(&LinkStatus { health: LinkHealth::Up, connections: 2, refused: 3, ..LinkStatus::default() });
    for (name, expected) in [
        ("kerbside_link_refused_total", 3.0),
        ("kerbside_link_connections_total", 2.0),
        ("kerbside_link_state{state=\"up\"}", 1.0),
    ] {
        assert_eq!(value(&meters, name), expected, "{name}");
    }
}
