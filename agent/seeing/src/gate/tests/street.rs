//! Scenes made in code: a textured street with camera noise, and objects on it.

use kerbside_domain::frame::{LUMA_HEIGHT as H, LUMA_WIDTH as W};
use kerbside_domain::time::Mono;

use crate::gate::*;

/// Grey level of a surface at `(x, y)`, or none where it is not.
pub(super) type Object = Box<dyn Fn(i32, i32) -> Option<f32>>;

pub(super) struct Street {
    pub(super) gate: Gate,
    pub(super) at_s: f64,
    pub(super) period_s: f64,
    seed: u32,
    pub(super) noise: f32,
    /// Picture level = gain * level + offset.
    pub(super) light: (f32, f32),
    pub(super) shift: (i32, i32),
    pub(super) sway: bool,
}

impl Street {
    /// A gate that has learnt the empty street.
    pub(super) fn learnt() -> Self {
        let mut street = Street::new(GateConfig::default());
        let report = street.run(4.0, &[]);
        assert_eq!(report.scene, Scene::Clear);
        street
    }

    pub(super) fn new(config: GateConfig) -> Self {
        let gate = Gate::new(config);
        let (light, shift) = ((1.0, 0.0), (0, 0));
        Street { gate, at_s: 0.0, period_s: 0.2, seed: 7, noise: 2.0, light, shift, sway: false }
    }

    fn random(&mut self) -> f32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        (self.seed % 2001) as f32 / 1000.0 - 1.0
    }

    pub(super) fn draw(&mut self, objects: &[Object]) -> Vec<u8> {
        let mut out = Vec::with_capacity(W * H);
        // Leaves swing over the upper right corner.
        let swing = if self.sway { (self.at_s * 3.5).sin() * 2.5 } else { 0.0 };
        for y in 0..H as i32 {
            for x in 0..W as i32 {
                let (gx, gy) = (x + self.shift.0, y + self.shift.1);
                let mut level = ground(gx, gy);
                if gx > 120 && gy < 30 {
                    level = 90.0 + 50.0 * f32::from(((gx as f64 + swing) / 2.0).sin() > 0.0);
                }
                for object in objects {
                    level = object(gx, gy).unwrap_or(level);
                }
                let noise = self.random() * self.noise;
                out.push((self.light.0 * level + self.light.1 + noise).round().clamp(0.0, 255.0) as u8);
            }
        }
        out
    }

    pub(super) fn frame(&mut self, objects: &[Object]) -> GateReport {
        let luma = self.draw(objects);
        self.feed(&luma)
    }

    pub(super) fn feed(&mut self, luma: &[u8]) -> GateReport {
        self.at_s += self.period_s;
        self.gate.step_luma(luma, Mono::from_s(self.at_s), 0)
    }

    /// The last report of some seconds of the same objects.
    pub(super) fn run(&mut self, s: f64, objects: &[Object]) -> GateReport {
        let mut report = GateReport::default();
        for _ in 0..(s / self.period_s).round() as usize {
            report = self.frame(objects);
        }
        report
    }
}

/// Slabs with joints and stains: what asphalt and paving look like from a mast.
pub(super) fn ground(x: i32, y: i32) -> f32 {
    let joint = if x.rem_euclid(16) == 0 || y.rem_euclid(11) == 0 { -18.0 } else { 0.0 };
    let stain = ((x * 7 + y * 13).rem_euclid(23) as f32 - 11.0) * 0.7;
    95.0 + joint + stain + y as f32 * 0.3
}

pub(super) fn block(x0: i32, y0: i32, w: i32, h: i32, level: f32) -> Object {
    Box::new(move |x, y| {
        let inside = (x0..x0 + w).contains(&x) && (y0..y0 + h).contains(&y);
        inside.then(|| level + ((x * 5 + y * 3).rem_euclid(7) as f32 - 3.0) * 2.0)
    })
}

pub(super) fn bag() -> Object {
    block(70, 50, 12, 10, 35.0)
}

pub(super) fn walker(x: i32) -> Object {
    block(x, 30, 9, 34, 200.0)
}

pub(super) fn shadow(x0: i32, y0: i32, w: i32, h: i32, factor: f32) -> Object {
    Box::new(move |x, y| {
        let inside = (x0..x0 + w).contains(&x) && (y0..y0 + h).contains(&y);
        inside.then(|| ground(x, y) * factor)
    })
}
