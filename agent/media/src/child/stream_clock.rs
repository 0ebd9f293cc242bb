//! The clock of a live stream: its own timestamps as long as they agree with the arrival of its packets, arrival itself from
//! then on (invariant 18). Pure.
//!
//! A network delays packets, in bursts too, but never for ever: an honest clock wanders about arrival and comes back. What is
//! judged is therefore a lag that grows over several steps in a row, or timestamps that no camera could mean.

mod judge;

use kerbside_domain::time::Mono;

use self::judge::Judge;
use crate::proto::ClockFault;
use crate::tuning::{LONGEST_REORDER_S, NO_TIMES_IN_A_ROW};

/// Times of one packet in ticks of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) pts: i64,
    pub(super) dts: i64,
}

/// Dates the packets of one stream.
pub(super) struct StreamClock {
    tick_s: f64,
    judge: Judge,
    /// Arrival dates the packets.
    by_arrival: Option<ByArrival>,
    last: Option<(Times, Mono)>,
    first: Option<(i64, Mono)>,
    without_times: u32,
}

/// From where on arrival counts.
#[derive(Clone, Copy)]
struct ByArrival {
    base: i64,
    since: Mono,
    /// Real time in the stream's own time.
    scale: f64,
}

impl StreamClock {
    /// `has_clock`: packets of this container carry times at all.
    pub(super) fn new(tick_s: f64, has_clock: bool, now: Mono) -> Self {
        let by_arrival = (!has_clock).then_some(ByArrival { base: 0, since: now, scale: 0.0 });
        StreamClock { tick_s, judge: Judge::default(), by_arrival, last: None, first: None, without_times: 0 }
    }

    /// Arrival dates the packets.
    pub(super) fn is_by_arrival(&self) -> bool {
        self.by_arrival.is_some()
    }

    /// Dates a packet that arrived at `now` with these times of its own; `step`: its duration in ticks. The fault is told once,
    /// with the first packet that is dated by arrival.
    pub(super) fn date(
        &mut self,
        pts: Option<i64>,
        dts: Option<i64>,
        step: i64,
        now: Mono,
    ) -> (Times, Option<ClockFault>) {
        let own = own_times(pts, dts);
        let fault = if self.by_arrival.is_some() { None } else { self.judged(own, now) };
        if fault.is_some() {
            self.by_arrival = Some(self.starting_here(own, now));
        }
        let times = match self.by_arrival {
            Some(arrival) => self.arrived(arrival, own, now),
            None => own.unwrap_or_else(|| self.guessed(step)),
        };
        self.first.get_or_insert((times.dts, now));
        self.last = Some((times, now));
        (times, fault)
    }

    /// The stream's own times jumped: what was learnt of them means nothing any more.
    pub(super) fn jumped(&mut self, now: Mono) {
        self.judge.jumped(now);
        self.first = self.last.map(|(times, _)| (times.dts, now));
    }

    fn judged(&mut self, own: Option<Times>, now: Mono) -> Option<ClockFault> {
        let Some(times) = own else {
            self.without_times += 1;
            return (self.without_times >= NO_TIMES_IN_A_ROW).then_some(ClockFault::Missing);
        };
        self.without_times = 0;
        self.judge.packet(times.dts as f64 * self.tick_s, now)
    }

    /// A slow clock jumps to where it should be; a fast one waits for nobody and goes on from where it is.
    fn starting_here(&self, own: Option<Times>, now: Mono) -> ByArrival {
        let (Some((last, at)), Some((first, begun))) = (self.last, self.first) else {
            return ByArrival { base: 0, since: now, scale: 0.0 };
        };
        let went_on = last.dts.saturating_add(self.ticks(now.since_s(at)));
        let should_be = first.saturating_add(self.ticks(now.since_s(begun)));
        let own_s = own.map_or(0.0, |t| t.dts.saturating_sub(first) as f64 * self.tick_s);
        let scale = if own_s > 0.0 { now.since_s(begun) / own_s } else { 0.0 };
        ByArrival { base: went_on.max(should_be), since: now, scale }
    }

    /// Decoding time is arrival, always rising. Presentation time is later by what the stream itself says, in real time.
    fn arrived(&self, arrival: ByArrival, own: Option<Times>, now: Mono) -> Times {
        let dts = arrival.base.saturating_add(self.ticks(now.since_s(arrival.since)));
        let dts = self.last.map_or(dts, |(last, _)| dts.max(last.dts.saturating_add(1)));
        let reorder = own.map_or(0.0, |t| t.pts.saturating_sub(t.dts) as f64 * self.tick_s * arrival.scale);
        let later = self.ticks(reorder.clamp(0.0, LONGEST_REORDER_S));
        Times { pts: dts.saturating_add(later), dts }
    }

    fn guessed(&self, step: i64) -> Times {
        let next = self.last.map_or(0, |(last, _)| last.dts.saturating_add(step));
        Times { pts: next, dts: next }
    }

    fn ticks(&self, s: f64) -> i64 {
        (s / self.tick_s).round() as i64
    }
}

fn own_times(pts: Option<i64>, dts: Option<i64>) -> Option<Times> {
    let pts = pts.or(dts)?;
    Some(Times { pts, dts: dts.unwrap_or(pts) })
}

#[cfg(test)]
mod tests;
