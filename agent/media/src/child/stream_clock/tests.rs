//! One line a clock: what it claims, how its packets arrive, and what is said of it.

use super::*;

const TICK_S: f64 = 1.0 / 90_000.0;
const FPS: f64 = 10.0;

/// Plays `seconds` of a camera. `own`: what its clock says at a true time, s; `delay`: how late the packet arrives, s.
/// When it was judged (true time, s), the fault, and the times given out with their arrival.
type Played = (Option<(f64, ClockFault)>, Vec<(f64, f64)>);

fn play(seconds: f64, own: impl Fn(f64) -> f64, delay: impl Fn(f64) -> f64) -> Played {
    let mut clock = StreamClock::new(TICK_S, true, Mono::ZERO);
    let (mut judged, mut given) = (None, Vec::new());
    let mut arrived_s = 0.0f64;
    for i in 0..(seconds * FPS) as u32 {
        let true_s = f64::from(i) / FPS;
        // Packets of one connection arrive in order.
        arrived_s = arrived_s.max(true_s + delay(true_s));
        let ticks = (own(true_s) / TICK_S) as i64;
        let now = Mono::from_s(arrived_s + 5.0);
        let (times, fault) = clock.date(Some(ticks), Some(ticks), 9000, now);
        judged = judged.or(fault.map(|fault| (true_s, fault)));
        given.push((times.pts as f64 * TICK_S, arrived_s));
    }
    (judged, given)
}

/// The time given out passes as the time of arrival does, from the judgement on.
fn passes_as_arrival((judged, given): &Played) -> bool {
    let from = judged.map_or(0.0, |(s, _)| s);
    let after: Vec<_> = given.iter().filter(|(_, at)| *at > from + 0.3).collect();
    let Some((first, last)) = after.first().zip(after.last()) else { return false };
    ((last.0 - first.0) - (last.1 - first.1)).abs() < 0.3
}

/// Seconds of arrival to seconds of the stream's clock, or to a delay.
type Made = fn(f64) -> f64;

#[test]
fn a_clock_that_lies_is_replaced_by_arrival() {
    let faults: &[(&str, Made, ClockFault, f64)] = &[
        ("stands", |_| 7.0, ClockFault::Stands, 2.5),
        ("zero", |_| 0.0, ClockFault::Stands, 2.5),
        ("counts milliseconds as ticks", |s| s / 90.0, ClockFault::Stands, 2.5),
        ("half", |s| s / 2.0, ClockFault::Slow, 9.0),
        ("a third", |s| s / 3.0, ClockFault::Slow, 9.0),
        ("declares 25, sends 21", |s| s * 0.84, ClockFault::Slow, 65.0),
        ("double", |s| s * 2.0, ClockFault::Fast, 9.0),
        ("ten times", |s| s * 10.0, ClockFault::Fast, 9.0),
        ("a twentieth too fast", |s| s * 1.05, ClockFault::Fast, 65.0),
        ("backwards", |s| 1000.0 - s, ClockFault::Slow, 9.0),
        ("stands after half a minute", |s| s.min(30.0), ClockFault::Stands, 34.5),
    ];
    for (name, own, fault, within_s) in faults {
        for jitter in [0.0, 0.08] {
            let delay = |s: f64| jitter * ((s * 7.3).sin() + 1.0);
            let played = play(120.0, own, delay);
            let judged = played.0.unwrap_or_else(|| panic!("{name} was believed"));
            assert_eq!(judged.1, *fault, "{name}");
            assert!(judged.0 <= *within_s, "{name} after {} s", judged.0);
            assert!(passes_as_arrival(&played), "{name}");
        }
    }
}

#[test]
fn an_honest_clock_is_kept_whatever_the_network_does() {
    let delays: &[(&str, Made)] = &[
        ("nothing", |_| 0.0),
        ("jitter", |s| 0.3 * ((s * 5.1).sin() + 1.0)),
        ("a burst of 2 s", |s| if (20.0..22.0).contains(&s) { 22.0 - s } else { 0.0 }),
        ("bursts of 2 s again and again", |s| if s % 9.0 < 2.0 { 2.0 - s % 9.0 } else { 0.0 }),
        ("a standstill of 8 s", |s| if (20.0..28.0).contains(&s) { 28.0 - s } else { 0.0 }),
        ("a backlog drained slowly", |s| if (20.0..26.0).contains(&s) { (26.0 - s) / 2.0 } else { 0.0 }),
        ("a delay that stays", |s| if s > 20.0 { 3.0 } else { 0.0 }),
        ("segments of 6 s", |s| 6.0 - s % 6.0),
        ("segments of 10 s", |s| 10.0 - s % 10.0),
        ("what lay ready when it was opened", |s| if s < 8.0 { 8.0 - s } else { 0.0 }),
    ];
    for (name, delay) in delays {
        let (judged, given) = play(180.0, |s| s, delay);
        assert_eq!(judged, None, "{name}");
        assert!(
            given.windows(2).all(|w| ((w[1].0 - w[0].0) - 0.1).abs() < 1e-3),
            "{name}: its own times stay"
        );
    }
    // Quartz is off by 100 millionths at most.
    assert_eq!(play(600.0, |s| s * 1.0002, |_| 0.0).0, None);
}

#[test]
fn a_clock_that_jumps_again_and_again_is_given_up() {
    let mut clock = StreamClock::new(TICK_S, true, Mono::ZERO);
    let mut fault = None;
    for i in 0..200u32 {
        let now = Mono::from_s(f64::from(i) / FPS);
        if i % 30 == 29 {
            clock.jumped(now);
        }
        let ticks = i64::from(i % 30) * 9000;
        fault = fault.or(clock.date(Some(ticks), None, 9000, now).1);
    }
    assert_eq!(fault, Some(ClockFault::Jumps));
}

#[test]
fn a_stream_without_times_is_dated_by_arrival() {
    let mut clock = StreamClock::new(TICK_S, true, Mono::ZERO);
    let dated: Vec<_> =
        (0..20u32).map(|i| clock.date(None, None, 3600, Mono::from_s(f64::from(i) / 5.0))).collect();
    let faults: Vec<_> = dated.iter().filter_map(|(_, fault)| *fault).collect();
    assert_eq!(faults, [ClockFault::Missing]);
    let (last, tenth) = (dated[19].0.dts, dated[9].0.dts);
    assert_eq!(last - tenth, 2 * 90_000, "ten packets of 0.2 s");

    // A container that has no clock needs no judgement.
    let mut clock = StreamClock::new(TICK_S, false, Mono::from_s(3.0));
    let first = clock.date(Some(0), Some(0), 3600, Mono::from_s(3.0));
    let second = clock.date(Some(1), Some(1), 3600, Mono::from_s(3.2));
    assert_eq!((first.1, second.1, second.0.dts - first.0.dts), (None, None, 18_000));
}

#[test]
fn pictures_that_are_shown_later_than_decoded_stay_in_their_order() {
    // I P B B at half speed: own times in steps of 4500 ticks for a tenth of a second.
    let order = [0i64, 3, 1, 2];
    let mut clock = StreamClock::new(TICK_S, true, Mono::ZERO);
    let mut shown = Vec::new();
    for i in 0..400i64 {
        let dts = i * 4500;
        let pts = (i / 4 * 4 + order[(i % 4) as usize] + 2) * 4500;
        let now = Mono::from_s(i as f64 / FPS);
        let (times, _) = clock.date(Some(pts), Some(dts), 4500, now);
        if clock.is_by_arrival() && i % 4 == 0 {
            shown.clear();
        }
        shown.push(times.pts);
        assert!(times.pts >= times.dts);
    }
    let [i, p, b1, b2] = shown.as_slice() else { panic!("{shown:?}") };
    assert!(i < b1 && b1 < b2 && b2 < p, "{shown:?}");
}

#[test]
fn times_at_the_ends_of_their_range_are_survived() {
    let mut clock = StreamClock::new(TICK_S, true, Mono::ZERO);
    for (i, pts) in
        [i64::MIN + 1, i64::MAX, 0, i64::MIN + 1, i64::MAX].into_iter().cycle().take(400).enumerate()
    {
        let now = Mono::from_s(i as f64);
        clock.date(Some(pts), Some(-pts), i64::MAX, now);
        clock.jumped(now);
    }
}
