//! What a network must do before it is used: its numbers are of its family, and it sees nobody where nothing is.
//!
//! A layout can fit by its shape and still be read wrongly; then scores and coordinates are no such numbers, or things that are
//! not there are seen in any picture.

use kerbside_domain::detection::Group;
use kerbside_domain::frame::Frame;

use super::OrtDetector;
use crate::decode;
use crate::detector::Detector as _;
use crate::error::LoadError;
use crate::fake::frame_of;

/// The value of the plain picture; what letterboxes are filled with.
const GREY: u8 = 114;

/// Tries the network on a plain grey picture and on one with all shades and edges.
pub(super) fn pass(detector: &mut OrtDetector) -> Result<(), LoadError> {
    let path = detector.manifest.model.clone();
    let (width, height) = (detector.manifest.input.width, detector.manifest.input.height);
    let grey = frame_of(width, height, |_, _| [GREY; 3]);
    for frame in [&grey, &shades(width, height)] {
        let values = detector.run(frame, |manifest, layout, tensors, placed| {
            decode::check_values(manifest, layout, tensors)?;
            decode::decode(manifest, layout, tensors, placed).map(|_| ())
        });
        values.map_err(|cause| LoadError::Trial { path: path.clone(), cause: Box::new(cause) })?;
    }
    let seen = detector.detect(&grey);
    let seen = seen.map_err(|cause| LoadError::Trial { path: path.clone(), cause: Box::new(cause) })?;
    match seen.into_iter().find(|detection| detection.group == Group::Person) {
        Some(person) => {
            let (label, confidence) = (person.label.to_string(), person.confidence);
            Err(LoadError::SeesInGrey { path, label, confidence })
        }
        None => Ok(()),
    }
}

/// Gradients in both directions under a chequered pattern: bright, dark, smooth and sharp at once.
fn shades(width: u32, height: u32) -> Frame {
    let share = |at: u32, of: u32| (at * 255 / of.max(1)) as u8;
    frame_of(width, height, |x, y| {
        let dark = (x / 16 + y / 16) % 2 == 0;
        let (across, down) = (share(x, width), share(y, height));
        if dark { [across / 2, down / 2, 0] } else { [255 - across / 2, 255, 255 - down / 2] }
    })
}
