//! `matter.opened`, `updated`, `cleared`, `withdrawn`, `recheck`: one report about one incident, at most 4 KiB.
//!
//! What does not fit goes in this order, and the message says so: objects beyond the most confident 8, 4, 2, 1, all;
//! the reasons; the paths of the evidence on the box; the address. `omitted` counts the objects and names the rest.

mod data;

use kerbside_domain::report::{Phase, Report};
use kerbside_site::geo::Matter;
use kerbside_site::place::Place;

use crate::identity::Identity;
use crate::limits;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::to_json;
use crate::topic;

/// Of how many objects, and how many other parts left out, the message is tried until it fits.
const STEPS: [(usize, usize); 9] =
    [(usize::MAX, 0), (8, 0), (4, 0), (2, 0), (1, 0), (0, 0), (0, 1), (0, 2), (0, 3)];
/// Stands for the code of a matter that the site's code table does not have.
const UNCODED: &str = "uncoded";

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Opened => "opened",
        Phase::Updated => "updated",
        Phase::Cleared => "cleared",
        Phase::Withdrawn => "withdrawn",
        Phase::Recheck => "recheck",
    }
}

/// The message for one report. `place`, `matter`: what is known of them; `None` leaves the parts out.
pub fn matter(who: &Identity, report: &Report, place: Option<&Place>, matter: Option<&Matter>) -> Message {
    let phase = phase_name(report.phase);
    let code = matter.map_or(UNCODED, |m| m.code.as_str());
    let grid = place.and_then(|p| p.unit_grid.as_deref()).unwrap_or("-");
    let kind = format!("matter.{phase}.v1");
    let topic = format!("matter/{}/{phase}", topic::word(code));
    let mut message = Message::new(&kind, topic, Priority::Incident, report.at, String::new());
    message.id = Some(format!("{}.{:04}", report.incident_id, report.revision));
    message.subject = Some(format!("{}/{}/{}", who.division, grid, code));
    message.correlation_id = Some(report.incident_id.clone());
    for (max_objects, parts_left_out) in STEPS {
        let shortening = data::Shortening { max_objects, parts_left_out };
        message.data = to_json(&data::data(who, report, place, matter, shortening));
        if message.envelope(who, None).len() + limits::MATTER_ENVELOPE_ROOM <= limits::MATTER {
            break;
        }
    }
    message
}
