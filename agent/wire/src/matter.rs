//! `matter.opened`, `updated`, `cleared`, `withdrawn`, `settled`, `recheck`: one report about one incident, at most 4 KiB.
//!
//! A [`MatterMessage`] cannot be longer: nothing else makes one. What does not fit is left out step by step, the least needed
//! first, and the message says so: `omitted` counts objects and files and names the other parts. State, address and the paths
//! of evidence are never among them, whatever a checked site says: [`kerbside_site::limits`] bounds its texts.

mod cut;
mod data;
mod parts;
#[cfg(test)]
mod size_tests;

use std::ops::Deref;

use kerbside_domain::report::{Phase, Report};
use kerbside_site::geo::Matter;
use kerbside_site::place::Place;

use self::data::Shortening;
use self::parts::Parts;
use crate::identity::Identity;
use crate::limits;
use crate::message::Message;
use crate::outgoing::packet_bound;
use crate::priority::Priority;
use crate::text::to_json;
use crate::topic;

/// Stands for the code of a matter that the site's code table does not have.
const UNCODED: &str = "uncoded";

/// Of how many objects, and how many of [`data::PARTS`] left out, the message is tried until it fits.
const STEPS: [Shortening; 14] = [
    Shortening::new(usize::MAX, 0),
    Shortening::new(8, 0),
    Shortening::new(4, 0),
    Shortening::new(2, 0),
    Shortening::new(2, 1),
    Shortening::new(2, 2),
    Shortening::new(1, 2),
    Shortening::new(1, 3),
    Shortening::new(1, 4),
    Shortening::new(1, 5),
    Shortening::new(1, 6),
    Shortening::new(1, 7),
    Shortening::new(0, 7),
    Shortening::new(0, 8),
];

/// Longest texts that are tried, bytes, when something holds a longer one than any checked site: then they are cut.
const CUTS: [usize; 5] = [256, 64, 32, 8, 0];

/// A message about an incident. With all that is added on the way to the broker it has at most [`limits::MATTER`] bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct MatterMessage(Message);

impl MatterMessage {
    /// The only way to make one.
    fn fitting(message: Message, who: &Identity) -> Option<Self> {
        (packet_bound(&message, who) <= limits::MATTER).then_some(MatterMessage(message))
    }
}

impl Deref for MatterMessage {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.0
    }
}

impl From<MatterMessage> for Message {
    fn from(matter: MatterMessage) -> Message {
        matter.0
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Opened => "opened",
        Phase::Updated => "updated",
        Phase::Cleared => "cleared",
        Phase::Withdrawn => "withdrawn",
        Phase::Settled => "settled",
        Phase::Recheck => "recheck",
    }
}

impl Parts<'_> {
    fn head(&self) -> Message {
        let Parts { who, report, place, matter } = *self;
        let phase = phase_name(report.phase);
        let code = matter.map_or(UNCODED, |m| m.code.as_str());
        let grid = place.and_then(|p| p.unit_grid.as_deref()).unwrap_or("-");
        let kind = format!("matter.{phase}.v1");
        let topic = format!("matter/{}/{phase}", topic::word(code));
        let mut message = Message::new(&kind, topic, Priority::Incident, report.at, String::new());
        message.id = Some(format!("{}.{:04}", report.incident_id, report.revision));
        message.subject = Some(format!("{}/{}/{}", who.division, grid, code));
        message.correlation_id = Some(report.incident_id.clone());
        message
    }

    fn shortened(&self, shortening: Shortening) -> Option<MatterMessage> {
        let message = Message { data: to_json(&data::data(*self, shortening)), ..self.head() };
        MatterMessage::fitting(message, self.who)
    }
}

/// The message for one report. `place`, `matter`: what is known of them; `None` leaves the parts out.
pub fn matter(
    who: &Identity,
    report: &Report,
    place: Option<&Place>,
    matter: Option<&Matter>,
) -> MatterMessage {
    let parts = Parts { who, report, place, matter };
    let fitting = STEPS.into_iter().find_map(|shortening| parts.shortened(shortening));
    fitting.unwrap_or_else(|| with_cut_texts(parts))
}

/// For what no checked site and no stage of the box gives: every text is cut, and no file is named.
fn with_cut_texts(parts: Parts<'_>) -> MatterMessage {
    let cut = CUTS.into_iter().find_map(|most| {
        let cut = cut::Cut::new(parts, most);
        cut.parts().shortened(Shortening::least())
    });
    // Without any text it is a third of the limit, so this never stands for anything.
    cut.unwrap_or_else(|| MatterMessage(Message { data: "{}".to_owned(), ..parts.head() }))
}
