//! Whether a stream's own clock lies. Pure.

use std::collections::VecDeque;

use kerbside_domain::time::Mono;

use crate::proto::ClockFault;
use crate::tuning::{
    CLOCK_RULES, CLOCK_STEPS, ClockRule, JUMPS_S, MAX_JUMPS, MAX_PICTURES_PER_S, STILL_PACKETS, STILL_S,
};

/// Of what a step must go wrong by on the average, each must by this share at least: a box that is busy reads late.
const LEAST_OF_STEP: f64 = 0.3;

/// Holds a stream's own time against arrival, packet by packet.
pub(super) struct Judge {
    still: Option<Still>,
    drifts: [Drift; CLOCK_RULES.len()],
    jumps: VecDeque<Mono>,
}

impl Default for Judge {
    fn default() -> Self {
        Judge { still: None, drifts: CLOCK_RULES.map(Drift::new), jumps: VecDeque::new() }
    }
}

impl Judge {
    /// A packet of `own_s` arrived at `now`.
    pub(super) fn packet(&mut self, own_s: f64, now: Mono) -> Option<ClockFault> {
        let arrived_s = now.since_s(Mono::ZERO);
        if self.stands(own_s, arrived_s) {
            return Some(ClockFault::Stands);
        }
        if self.jumps.len() > MAX_JUMPS {
            return Some(ClockFault::Jumps);
        }
        let late_s = arrived_s - own_s;
        self.drifts.iter_mut().find_map(|drift| drift.packet(late_s, arrived_s))
    }

    pub(super) fn jumped(&mut self, now: Mono) {
        self.still = None;
        self.drifts = CLOCK_RULES.map(Drift::new);
        self.jumps.push_back(now);
        while self.jumps.front().is_some_and(|at| now.since_s(*at) > JUMPS_S)
            || self.jumps.len() > MAX_JUMPS + 1
        {
            self.jumps.pop_front();
        }
    }

    /// The times of many packets lie closer together than any camera takes pictures.
    fn stands(&mut self, own_s: f64, arrived_s: f64) -> bool {
        let still =
            self.still.get_or_insert(Still { since_s: arrived_s, from_s: own_s, to_s: own_s, packets: 0 });
        still.packets += 1;
        still.to_s = still.to_s.max(own_s);
        if arrived_s - still.since_s < STILL_S || still.packets < STILL_PACKETS {
            return false;
        }
        let stands = still.to_s - still.from_s < f64::from(still.packets) / MAX_PICTURES_PER_S
            // A clock that falls is another fault.
            && own_s >= still.from_s;
        self.still = None;
        stands
    }
}

struct Still {
    since_s: f64,
    from_s: f64,
    to_s: f64,
    packets: u32,
}

/// How the lag of a stream's own time behind arrival develops from step to step.
struct Drift {
    rule: ClockRule,
    step: Option<Step>,
    last: Option<Step>,
    /// The least lag of all earlier steps: below it a packet would come from the future.
    least_s: f64,
    slower: Run,
    faster: Run,
}

/// Steps in a row that all went wrong in one direction.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    steps: u32,
    moved_s: f64,
    took_s: f64,
}

impl Run {
    /// One more step; true if the run is long enough and went wrong by `slope` on the whole.
    fn step(&mut self, moved_s: f64, took_s: f64, slope: f64) -> bool {
        if moved_s < took_s * slope * LEAST_OF_STEP {
            *self = Run::default();
            return false;
        }
        self.steps += 1;
        self.moved_s += moved_s;
        self.took_s += took_s;
        self.steps >= CLOCK_STEPS && self.moved_s >= self.took_s * slope
    }
}

#[derive(Clone, Copy)]
struct Step {
    since_s: f64,
    packets: u32,
    least_s: f64,
    most_s: f64,
}

impl Drift {
    fn new(rule: ClockRule) -> Self {
        Drift {
            rule,
            step: None,
            last: None,
            least_s: f64::INFINITY,
            slower: Run::default(),
            faster: Run::default(),
        }
    }

    fn packet(&mut self, late_s: f64, arrived_s: f64) -> Option<ClockFault> {
        let begin = Step { since_s: arrived_s, packets: 1, least_s: late_s, most_s: late_s };
        match &mut self.step {
            Some(step) if arrived_s - step.since_s < self.rule.step_s || step.packets < 2 => {
                step.packets += 1;
                step.least_s = step.least_s.min(late_s);
                step.most_s = step.most_s.max(late_s);
                None
            }
            step => step.replace(begin).and_then(|done| self.judge(done)),
        }
    }

    /// The whole range of lags must grow: a burst stretches it at one end only.
    fn judge(&mut self, done: Step) -> Option<ClockFault> {
        let last = self.last.replace(done);
        let earlier_least_s = self.least_s;
        self.least_s = self.least_s.min(done.least_s);
        let last = last?;
        let took_s = done.since_s - last.since_s;
        let slower_s = (done.least_s - last.least_s).min(done.most_s - last.most_s);
        // What only catches up was late before; what is ahead comes from the future, however late its slowest packets are.
        let faster_s = earlier_least_s - done.least_s;
        let slower = self.slower.step(slower_s, took_s, self.rule.slope);
        let faster = self.faster.step(faster_s, took_s, self.rule.slope);
        match (slower, faster) {
            (true, _) => Some(ClockFault::Slow),
            (false, true) => Some(ClockFault::Fast),
            (false, false) => None,
        }
    }
}
