//! The core's thread: inputs enter the core one at a time, and its effects are applied, the durable part first.
//!
//! | file | owns |
//! |---|---|
//! | `state` | [`CoreThread`] with all its parts; [`Parts`], from which it is built |
//! | `inbox` | the channels that the thread reads |
//! | `events` | what each event leads to |
//! | `effects` | the one place where effects of the core are applied |
//! | `write_queue` | items that are not durable yet, and actions that wait for them |
//! | `upkeep`, `due` | work that is due as time passes, and when |
//! | `messages` | messages and records made from the core's output; pure |

mod due;
mod effects;
mod events;
mod inbox;
mod messages;
#[cfg(test)]
mod one_line_tests;
#[cfg(test)]
mod returns_tests;
mod state;
#[cfg(test)]
mod tests;
mod upkeep;
mod write_queue;

use kerbside_domain::position::{Position, PositionSource};
use kerbside_seeing::incident::Input;
use kerbside_wire as wire;

use crate::sensor::GnssEvent;
use events::Event;
pub(super) use inbox::Inbox;
use inbox::Next;
pub(super) use state::{CoreThread, Parts};

impl CoreThread {
    /// Runs until every sender of inputs is gone. Then pending clips are made and their outcomes reported.
    pub(super) fn run(mut self, mut inbox: Inbox) {
        self.report_surveyed_position();
        self.report_cameras();
        loop {
            match inbox.next(upkeep::WAIT) {
                Next::Event(event) => self.handle(event),
                Next::Idle => {}
                Next::Closed => break,
            }
            self.tick(inbox.inputs.len());
        }
        self.finish(&inbox);
    }

    fn report_surveyed_position(&mut self) {
        let Some((lon_deg, lat_deg)) = self.site.device.point else { return };
        let at = self.clock.now();
        let (source, suspicious) = (PositionSource::Surveyed, None);
        let surveyed = Position { lon_deg, lat_deg, accuracy_m: 0.0, source, frozen: true, at, suspicious };
        self.handle(Event::Gnss(GnssEvent::Position(surveyed)));
    }

    /// The centre may still read what the last run said of a camera.
    fn report_cameras(&mut self) {
        let now = self.clock.now();
        let states = self.site.cameras.iter().filter_map(|c| Some((c.ix, self.core.camera_state(c.ix)?)));
        let identity = self.delivery.identity();
        let messages: Vec<_> = states.map(|(ix, state)| wire::camera(identity, ix, state, now)).collect();
        messages.into_iter().for_each(|message| self.writes.message(message));
        self.write();
    }

    fn finish(&mut self, inbox: &Inbox) {
        self.step(Input::Tick(self.clock.now()));
        self.commit();
        // The worker's last outcomes fit into their channel, which has more room than the worker has requests.
        if self.evidence.take().is_some_and(|worker| worker.finish().is_none()) {
            tracing::error!("the evidence thread ended by a panic");
        }
        while let Ok(outcome) = inbox.evidence.try_recv() {
            self.handle(Event::Evidence(outcome));
        }
        self.commit();
        self.meter.ended();
        let lost = self.writes.items();
        if lost > 0 {
            tracing::error!(records = lost, "the journal refused the last records");
        }
    }
}
