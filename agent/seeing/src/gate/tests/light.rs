//! Light on the same ground is no object: shadows, shade, water.

use super::street::*;

#[test]
fn a_shadow_that_stays_is_no_thing() {
    let mut street = Street::learnt();
    for factor in [0.6, 0.75] {
        for _ in 0..50 {
            let report = street.frame(&[shadow(40, 30, 40, 25, factor)]);
            assert!(report.regions.is_empty(), "{factor}: {report:?}");
        }
    }
}

/// Dappled: what falls here has a texture of its own, so that only its coming tells it from a thing.
fn dapples(depth: f32) -> Object {
    Box::new(move |x, y| {
        let inside = (50..80).contains(&x) && (40..60).contains(&y);
        let leaf = if (x / 3 + y / 4) % 2 == 0 { 1.0 } else { 0.35 };
        inside.then(|| ground(x, y) * (1.0 - depth * leaf))
    })
}

#[test]
fn the_shade_of_a_tree_that_comes_with_the_sun_is_no_thing_though_dappled() {
    // At five looks a second, and at two, where each step is a jump by itself.
    for (period_s, comes_s) in [(0.2, 3.0), (0.2, 8.0), (0.5, 4.0)] {
        let mut street = Street::learnt();
        street.period_s = period_s;
        street.run(4.0, &[]);
        let looks = (comes_s / period_s) as i32;
        for k in 1..=looks {
            street.frame(&[dapples(0.6 * k as f32 / looks as f32)]);
        }
        // It may be taken for a thing for the two seconds that telling takes.
        street.run(5.0, &[dapples(0.6)]);
        for _ in 0..60 {
            let report = street.frame(&[dapples(0.6)]);
            assert!(report.regions.is_empty(), "in {comes_s} s at {period_s}: {report:?}");
        }
        // The same, put there at a stroke, is a thing: a cloth.
        let mut street = Street::learnt();
        street.period_s = period_s;
        assert_eq!(street.run(6.0, &[dapples(0.6)]).regions.len(), 1, "at {period_s}");
    }
}

#[test]
fn a_wet_patch_that_spreads_from_a_spot_too_small_to_tell_is_no_thing_for_long() {
    let mut street = Street::learnt();
    // Five by five at first: too little inside to compare textures.
    let (mut regions, mut most) = (0, 0);
    for size in [5, 5, 8, 14, 14] {
        for _ in 0..20 {
            regions = street.frame(&[shadow(60, 50, size, size, 0.6)]).regions.len();
            most = most.max(regions);
        }
    }
    assert!(most > 0, "the spot is seen, or this proves nothing");
    assert_eq!(regions, 0);
    // A thing on wet ground is one all the same.
    let both = [shadow(60, 50, 14, 14, 0.6), block(63, 53, 6, 5, 30.0)];
    assert_eq!(street.run(6.0, &both).regions.len(), 1);
}
