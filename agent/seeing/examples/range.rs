//! The smallest thing that the gate reports, by size, contrast and light: squares on a still street of 640 x 360, made small as
//! frames are, at several places between the pixels of the gate. Prints the tables of docs/en/results/range.md.
//!
//! `cargo run --release -p kerbside-seeing --example range`

use kerbside_domain::frame::{LUMA_HEIGHT, LUMA_WIDTH};
use kerbside_domain::time::Mono;
use kerbside_seeing::gate::{Gate, GateConfig, RegionKind};
use kerbside_site::geo::smallest::{FAINT_WIDTH_NORM, STRONG_WIDTH_NORM};

/// The analysed picture, px.
const WIDTH: usize = 640;
const HEIGHT: usize = 360;
/// Pixels of the analysed picture for one of the gate, in either direction.
const SHRINK: usize = WIDTH / LUMA_WIDTH;
const PER_S: f64 = 5.0;
/// The street alone, then the thing, s.
const LEARN_S: f64 = 6.0;
const STAY_S: f64 = 10.0;
/// Sizes tried, px of 640.
const SIZES: std::ops::RangeInclusive<usize> = 4..=40;
/// Contrasts tried: share of the street's brightness by which the thing is darker.
const CONTRASTS: [f32; 4] = [0.25, 0.4, 0.6, 0.8];
/// Where the thing begins, px of 640 beside a pixel border of the gate.
const PHASES: [(usize, usize); 4] = [(0, 0), (2, 2), (1, 3), (3, 0)];

/// Brightness of the street and noise of the sensor, grey levels.
struct Light {
    name: &'static str,
    mean: f32,
    noise: f32,
}

const LIGHTS: [Light; 3] = [
    Light { name: "day", mean: 120.0, noise: 2.0 },
    Light { name: "dusk", mean: 70.0, noise: 4.0 },
    Light { name: "night, under lamps", mean: 45.0, noise: 6.0 },
];

/// A thing on the street.
#[derive(Clone, Copy)]
struct Thing {
    x: usize,
    y: usize,
    size: usize,
    contrast: f32,
}

fn main() {
    println!("| light | contrast | reported from, px of 640 | share of the width |");
    println!("|---|--:|--:|--:|");
    for light in &LIGHTS {
        for contrast in CONTRASTS {
            let smallest = SIZES.clone().find(|size| is_always_reported(light, *size, contrast));
            let (px, share) = smallest.map_or(("not up to 40".to_owned(), "-".to_owned()), |px| {
                (px.to_string(), format!("{:.1} %", px as f64 / WIDTH as f64 * 100.0))
            });
            println!("| {} | {:.0} % | {px} | {share} |", light.name, contrast * 100.0);
        }
    }
    println!();
    distances();
}

/// How far a thing is seen by lens: it fills so much of the width at that distance, straight ahead.
fn distances() {
    let (strong, faint) = (STRONG_WIDTH_NORM, FAINT_WIDTH_NORM);
    println!("| thing | lens | at {:.1} % of the width | at {:.1} % |", strong * 100.0, faint * 100.0);
    println!("|---|--:|--:|--:|");
    for size_m in [0.3_f64, 0.5, 1.0] {
        for lens_deg in [90.0_f64, 60.0, 35.0] {
            let width_at_1_m = 2.0 * (lens_deg.to_radians() / 2.0).tan();
            let far_m = |share: f64| size_m / (share * width_at_1_m);
            println!("| {size_m} m | {lens_deg:.0}° | {:.0} m | {:.0} m |", far_m(strong), far_m(faint));
        }
    }
}

fn is_always_reported(light: &Light, size: usize, contrast: f32) -> bool {
    PHASES.iter().enumerate().all(|(seed, (x, y))| {
        let thing = Thing { x: 320 + x, y: 200 + y, size, contrast };
        is_reported(light, thing, seed as u64 + 1)
    })
}

fn is_reported(light: &Light, thing: Thing, seed: u64) -> bool {
    let mut gate = Gate::new(GateConfig::default());
    let mut noise = Noise(seed);
    let frames = ((LEARN_S + STAY_S) * PER_S) as usize;
    let mut last = Vec::new();
    for k in 0..frames {
        let at_s = k as f64 / PER_S;
        let shown = (at_s >= LEARN_S).then_some(thing);
        let report = gate.step_luma(&luma(light, shown, &mut noise), Mono::from_s(at_s), 0);
        last = report.regions;
    }
    let (cx, cy) = (thing.x + thing.size / 2, thing.y + thing.size / 2);
    let (cx, cy) = (cx as f32 / WIDTH as f32, cy as f32 / HEIGHT as f32);
    last.iter().any(|region| {
        let b = region.bbox;
        region.kind == RegionKind::Appeared
            && (b.x..=b.x + b.w).contains(&cx)
            && (b.y..=b.y + b.h).contains(&cy)
    })
}

/// The picture as the gate gets it: means of 4 x 4 pixels.
fn luma(light: &Light, thing: Option<Thing>, noise: &mut Noise) -> Vec<u8> {
    let mut small = Vec::with_capacity(LUMA_WIDTH * LUMA_HEIGHT);
    for sy in 0..LUMA_HEIGHT {
        for sx in 0..LUMA_WIDTH {
            let mut sum = 0.0;
            for dy in 0..SHRINK {
                for dx in 0..SHRINK {
                    let (x, y) = (sx * SHRINK + dx, sy * SHRINK + dy);
                    let covers =
                        |t: Thing| (t.x..t.x + t.size).contains(&x) && (t.y..t.y + t.size).contains(&y);
                    let kept = thing.filter(|t| covers(*t)).map_or(1.0, |t| 1.0 - t.contrast);
                    let grey = street(x, y) * light.mean * kept + noise.next() * light.noise;
                    sum += grey.clamp(0.0, 255.0).round();
                }
            }
            small.push((sum / (SHRINK * SHRINK) as f32).round() as u8);
        }
    }
    small
}

/// Slabs with joints, a kerb and a wall, around 1.
fn street(x: usize, y: usize) -> f32 {
    let wall = if y < 120 { 0.8 } else { 1.0 };
    let joint = if x % 48 < 2 || y % 36 < 2 { 0.85 } else { 1.0 };
    let slab = 0.96 + 0.02 * ((x / 48 * 7 + y / 36 * 3) % 5) as f32;
    wall * joint * slab
}

/// A fixed sequence with mean 0 and deviation 1, nearly normal: the sum of four uniform numbers (xorshift of Marsaglia 2003).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        let mut sum = 0.0;
        for _ in 0..4 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            sum += (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5;
        }
        sum * 3f32.sqrt()
    }
}
