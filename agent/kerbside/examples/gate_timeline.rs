//! Developer's window into the gate: reads 160x90 grey pictures, prints what becomes of every static region.
//!
//! `ffmpeg -i CLIP -vf fps=5,scale=160:90:flags=bilinear,format=gray -f rawvideo - | gate_timeline 5`

use std::collections::BTreeMap;
use std::io::Read;

use kerbside_domain::frame::{LUMA_HEIGHT, LUMA_WIDTH};
use kerbside_domain::time::{Clock, Mono, SystemClock};
use kerbside_seeing::gate::{Gate, GateConfig, Scene, StaticRegion};

struct Life {
    first_s: f64,
    last_s: f64,
    seen: StaticRegion,
    hidden: u32,
}

fn main() -> std::io::Result<()> {
    let per_s: f64 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(5.0);
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let clock = SystemClock::new();
    let mut gate = Gate::new(GateConfig::default());
    let mut lives: BTreeMap<u32, Life> = BTreeMap::new();
    let (mut frames, mut due, mut scene, mut cost_us) = (0u64, 0u64, Scene::Learning, 0u64);
    for (k, luma) in bytes.chunks_exact(LUMA_WIDTH * LUMA_HEIGHT).enumerate() {
        let at_s = k as f64 / per_s;
        let before = clock.now().mono.0;
        let report = gate.step_luma(luma, Mono::from_s(at_s), 0);
        cost_us += clock.now().mono.0 - before;
        frames += 1;
        due += u64::from(report.due_for_detection);
        if report.scene != scene {
            println!("{at_s:7.1} s  {scene:?} -> {:?}", report.scene);
            scene = report.scene;
        }
        for region in report.regions {
            let life = lives.entry(region.id).or_insert(Life {
                first_s: at_s,
                last_s: at_s,
                seen: region.clone(),
                hidden: 0,
            });
            life.last_s = at_s;
            life.hidden += u32::from(region.occluded);
            life.seen = region;
        }
    }
    for (id, l) in &lives {
        let (r, b) = (&l.seen, &l.seen.bbox);
        println!(
            "region {id:3}  {:6.1} .. {:6.1} s ({:5.1})  {:?} area {:.4}  box {:.2} {:.2} {:.2} {:.2}  appeared {:.1} still since {:.1}  hidden {} frames  like {:.2}",
            l.first_s,
            l.last_s,
            l.last_s - l.first_s,
            r.kind,
            r.area_norm,
            b.x,
            b.y,
            b.w,
            b.h,
            r.appeared.0 as f64 / 1e6,
            r.still_since.0 as f64 / 1e6,
            l.hidden,
            r.similarity
        );
    }
    let n = frames.max(1);
    println!(
        "{frames} frames, {} regions, {due} of {frames} due for detection, {} ns a frame; {:?}",
        lives.len(),
        cost_us * 1000 / n,
        gate.counters()
    );
    Ok(())
}
