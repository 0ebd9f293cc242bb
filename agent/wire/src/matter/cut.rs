//! Copies of what a message is made of, with every text cut: for texts that no checked site and no stage of the box gives.

use kerbside_domain::report::Report;
use kerbside_site::geo::Matter;
use kerbside_site::place::Place;

use super::parts::Parts;
use crate::identity::{CameraName, Identity};
use crate::text::shortened;

/// The parts with texts of at most so many bytes. What is left out anyway is not copied.
#[derive(Debug)]
pub(super) struct Cut {
    who: Identity,
    report: Report,
    place: Option<Place>,
    matter: Option<Matter>,
}

impl Cut {
    pub(super) fn new(parts: Parts<'_>, most: usize) -> Self {
        let Parts { who, report, place, matter } = parts;
        let cut = |text: &str| shortened(text, most).to_owned();
        let cut_some = |text: &Option<String>| text.as_deref().map(cut);
        let mut recheck = report.recheck.clone();
        if let Some(recheck) = &mut recheck {
            recheck.why = cut(&recheck.why);
        }
        let camera = |camera: &CameraName| CameraName {
            id: cut(&camera.id),
            name: None,
            zones: Vec::new(),
            gb28181_id: cut_some(&camera.gb28181_id),
        };
        Cut {
            who: Identity {
                division: cut(&who.division),
                edge_id: cut(&who.edge_id),
                utc_offset_s: who.utc_offset_s,
                address: cut_some(&who.address),
                cameras: who.cameras.iter().map(camera).collect(),
                ..Identity::default()
            },
            report: Report {
                incident_id: cut(&report.incident_id),
                zone: cut(&report.zone),
                rule: cut(&report.rule),
                previous: cut_some(&report.previous),
                recheck,
                ..report.clone()
            },
            place: place.map(|place| Place {
                unit_grid: cut_some(&place.unit_grid),
                address: cut_some(&place.address),
                ..place.clone()
            }),
            matter: matter.map(|matter| Matter {
                scheme: cut(&matter.scheme),
                code: cut(&matter.code),
                code11: cut_some(&matter.code11),
                name: cut(&matter.name),
                ..matter.clone()
            }),
        }
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        let Cut { who, report, place, matter } = self;
        Parts { who, report, place: place.as_ref(), matter: matter.as_ref() }
    }
}
