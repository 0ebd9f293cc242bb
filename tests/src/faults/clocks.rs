//! Clocks both ways: boxes whose wall clock wakes up in 1970, is days ahead or behind while somebody vouches for it, and comes back.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use kerbside::evidence::{Protected, Retention};
use kerbside_domain::time::{Clock as _, VirtualClock, rfc3339};
use kerbside_trace::delivery::{DeliverySettings, Item, Ledger};
use kerbside_trace::journal::{RecordKind, Syncs};
use kerbside_wire as wire;
use serde_json::json;

use super::row::{Row, Scale};
use super::writer;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-11-21T08:31:05.120+08:00.
const BEGAN_MS: i64 = 1_795_221_065_120;
const MAX_AGE_DAYS: u32 = 10;
/// Off time makes things older by half at most; deletions pause for a day of seven.
const SOONEST_DAYS: f64 = MAX_AGE_DAYS as f64 / 1.5;
const LATEST_DAYS: f64 = MAX_AGE_DAYS as f64 + 3.0;

/// A box, what it lived through, and the true time, which it may not know.
struct Life {
    dir: PathBuf,
    ledger: Option<Ledger>,
    clock: Arc<VirtualClock>,
    true_ms: i64,
    lived_days: f64,
    /// Sets of evidence, and when each was made.
    made: Vec<(PathBuf, f64)>,
    sets: usize,
    /// Commands that were obeyed.
    obeyed: Vec<(String, i64)>,
}

/// What went wrong in one life.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wrongs {
    early: u64,
    late: u64,
    refused: u64,
    twice: u64,
}

impl Life {
    fn begin(dir: &Path) -> Result<Life> {
        let clock = VirtualClock::new(BEGAN_MS);
        let ledger = Some(open(dir, &clock)?);
        let (made, obeyed) = Default::default();
        let dir = dir.to_owned();
        Ok(Life { dir, ledger, clock, true_ms: BEGAN_MS, lived_days: 0.0, made, sets: 0, obeyed })
    }

    fn run(&mut self, h: f64) {
        self.clock.advance_to(self.clock.now().mono.plus_s(h * 3600.0));
        self.true_ms += (h * HOUR_MS as f64) as i64;
        self.lived_days += h / 24.0;
    }

    /// Off for a while; the clock of the machine then stands there, or is right.
    fn restart(&mut self, off_h: f64, wall_ms: Option<i64>, vouched: bool) -> Result<()> {
        // A box writes something each minute: no more than that of what it lived through is unknown to the next start.
        if let Some(ledger) = &mut self.ledger {
            ledger.commit(vec![Item::Note { kind: RecordKind::Note, body: json!({}) }])?;
        }
        self.true_ms += (off_h * HOUR_MS as f64) as i64;
        self.ledger = None;
        self.clock = VirtualClock::new(wall_ms.unwrap_or(self.true_ms));
        self.clock.set_vouched(vouched);
        self.ledger = Some(open(&self.dir, &self.clock)?);
        Ok(())
    }

    /// New evidence and records; upkeep; a fresh command; earlier ones again.
    fn step(&mut self, vouched: bool, wrongs: &mut Wrongs) -> Result<()> {
        let Some(ledger) = &mut self.ledger else { return Ok(()) };
        let set = self.dir.join(format!("evidence/2026-11-21/I{}", self.sets));
        self.sets += 1;
        std::fs::create_dir_all(&set)?;
        std::fs::write(set.join("r1-clip.mp4"), [0; 100])?;
        self.made.push((set, self.lived_days));
        ledger.commit(vec![Item::Note { kind: RecordKind::Note, body: json!({"text": "x".repeat(500)}) }])?;
        ledger.upkeep()?;
        let unfinished = ledger.unfinished();
        let max_age_days = (!unfinished.deletion_paused).then_some(MAX_AGE_DAYS);
        let retention = Retention { max_bytes: 1 << 30, max_age_days, lacking: 0 };
        retention.prune(&self.dir.join("evidence"), unfinished.now, &Protected::default())?;
        let id = format!("c{}", self.sets);
        let is_obeyed = order(ledger, &id, self.true_ms)?;
        wrongs.refused += u64::from(vouched && !is_obeyed);
        if is_obeyed {
            self.obeyed.push((id, self.true_ms));
        }
        for (id, issued_ms) in self.obeyed.iter().rev().take(40) {
            wrongs.twice += u64::from(order(ledger, id, *issued_ms)?);
        }
        self.judge(wrongs);
        Ok(())
    }

    fn judge(&mut self, wrongs: &mut Wrongs) {
        let lived_days = self.lived_days;
        self.made.retain(|(set, made_days)| {
            let (age_days, is_there) = (lived_days - made_days, set.is_dir());
            wrongs.early += u64::from(!is_there && age_days < SOONEST_DAYS - 0.1);
            wrongs.late += u64::from(is_there && age_days > LATEST_DAYS);
            is_there && age_days <= LATEST_DAYS
        });
    }
}

fn open(dir: &Path, clock: &Arc<VirtualClock>) -> Result<Ledger> {
    // What the disk has is not the matter here.
    let syncs = Syncs { file: |_| Ok(()), folder: |_| Ok(()) };
    let settings = DeliverySettings { syncs, ..writer::settings(dir) };
    Ok(Ledger::open_with(settings, writer::identity(), clock.clone(), None)?.0)
}

/// Whether a command that the centre issued then is obeyed.
fn order(ledger: &mut Ledger, id: &str, issued_ms: i64) -> Result<bool> {
    let data = json!({"id": id, "target": writer::identity().source(), "verb": "snapshot", "args": {}, "actor": "desk-3",
        "issued_at": rfc3339(issued_ms, 0), "expires_at": rfc3339(issued_ms + 6 * DAY_MS, 0)});
    let (kind, time) = (wire::command::COMMAND, "2026-01-01T00:00:00Z");
    let body = wire::signed::envelope(kind, id, time, "ops", writer::key(), &data.to_string());
    let topic = format!("{}/cmd/snapshot", wire::topic::root("310112", "fault-box"));
    Ok(ledger.incoming(&topic, body.as_bytes(), false)?.is_some())
}

/// Where a wrong clock stands.
fn wrong(rng: &mut fastrand::Rng, true_ms: i64) -> i64 {
    match rng.u8(..5) {
        0 => 20_000,
        1 => 4_294_967_000_000,
        2 => 2_085_978_496_000,
        3 => true_ms + rng.i64(2..400) * DAY_MS,
        _ => true_ms - rng.i64(2..400) * DAY_MS,
    }
}

/// One life: what went wrong, and how many commands were obeyed.
fn life(dir: &Path, seed: u64, steps: u32) -> Result<(Wrongs, usize)> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut life, mut wrongs) = (Life::begin(dir)?, Wrongs::default());
    for _ in 0..steps {
        life.run(1.0 + 11.0 * rng.f64());
        match rng.u8(..8) {
            // Wrong while somebody vouches, for some days, with or without a restart; then right again.
            0 => {
                let wall_ms = wrong(&mut rng, life.true_ms);
                match rng.bool() {
                    true => life.restart(rng.f64(), Some(wall_ms), true)?,
                    false => life.clock.set_wall(wall_ms),
                }
                for _ in 0..rng.u8(1..20) {
                    life.step(true, &mut wrongs)?;
                    life.run(6.0);
                }
                life.clock.set_wall(life.true_ms);
            }
            // A dead battery: wrong and nobody vouches, then right.
            1 => {
                life.restart(rng.f64() * 12.0, Some(20_000), false)?;
                life.run(0.1);
                life.step(false, &mut wrongs)?;
                life.clock.set_wall(life.true_ms);
                life.clock.set_vouched(true);
            }
            2 => life.restart(rng.f64() * 12.0, None, true)?,
            _ => {}
        }
        life.step(true, &mut wrongs)?;
    }
    Ok((wrongs, life.obeyed.len()))
}

/// Nothing deleted early, nothing kept for ever, no fresh command refused, none obeyed twice.
pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let how = "ledger and evidence folder under a clock of ours, for weeks";
    let mut row = Row::new("wall clocks that are wrong, both ways", how);
    let (mut commands, mut all) = (0, Wrongs::default());
    for seed in 0..scale.pick(3, 40) {
        let dir = tempfile::tempdir()?;
        let (wrongs, obeyed) = life(dir.path(), seed, 60)?;
        row.trials += 1;
        commands += obeyed;
        row.must(wrongs == Wrongs::default(), || format!("life {seed}: {wrongs:?}"));
        all.early += wrongs.early;
        all.late += wrongs.late;
        all.refused += wrongs.refused;
        all.twice += wrongs.twice;
    }
    row.lost = all.early + all.refused;
    row.duplicated = all.twice + all.late;
    let Wrongs { early, late, refused, twice } = all;
    row.figures = format!(
        "{commands} fresh commands, {refused} refused, {twice} obeyed twice; evidence: {early} deleted early, {late} late"
    );
    row.judge(None);
    Ok(vec![row])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The row can say no: what it counts as wrong is found.
    #[test]
    fn evidence_that_goes_early_or_stays_and_a_refused_command_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut life = Life::begin(dir.path()).unwrap();
        let mut wrongs = Wrongs::default();
        life.step(true, &mut wrongs).unwrap();
        life.step(true, &mut wrongs).unwrap();
        assert_eq!(wrongs, Wrongs::default());
        std::fs::remove_dir_all(&life.made[0].0).unwrap();
        life.run(1.0);
        life.judge(&mut wrongs);
        assert_eq!((wrongs.early, wrongs.late), (1, 0));
        life.lived_days += LATEST_DAYS + 1.0;
        life.judge(&mut wrongs);
        assert_eq!((wrongs.early, wrongs.late), (1, 1));
        // A centre whose own clock is wrong.
        life.true_ms += 30 * DAY_MS;
        life.step(true, &mut wrongs).unwrap();
        assert_eq!(wrongs.refused, 1);
    }
}
