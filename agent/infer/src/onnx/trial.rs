//! What a network must do before it is used: its numbers are of its family, and it sees nobody where nothing is.
//!
//! A layout can fit by its shape and still be read wrongly; then scores and coordinates are no such numbers, or things that are
//! not there are seen in any picture.

use std::path::Path;

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::Frame;

use crate::error::LoadError;
use crate::fake::frame_of;

/// The value of the plain picture; what letterboxes are filled with.
const GREY: u8 = 114;

/// A plain grey picture.
pub(super) fn grey(width: u32, height: u32) -> Frame {
    frame_of(width, height, |_, _| [GREY; 3])
}

/// Gradients in both directions under a chequered pattern: bright, dark, smooth and sharp at once.
pub(super) fn shades(width: u32, height: u32) -> Frame {
    let share = |at: u32, of: u32| (at * 255 / of.max(1)) as u8;
    frame_of(width, height, |x, y| {
        let dark = (x / 16 + y / 16) % 2 == 0;
        let (across, down) = (share(x, width), share(y, height));
        if dark { [across / 2, down / 2, 0] } else { [255 - across / 2, 255, 255 - down / 2] }
    })
}

/// `seen`: what the network sees in the grey picture. Persons decide what the rules hold back, so one is too many.
pub(super) fn nobody(model: &Path, seen: &[Detection]) -> Result<(), LoadError> {
    match seen.iter().find(|detection| detection.group == Group::Person) {
        Some(person) => Err(LoadError::SeesInGrey {
            path: model.to_owned(),
            label: person.label.to_string(),
            confidence: person.confidence,
        }),
        None => Ok(()),
    }
}
