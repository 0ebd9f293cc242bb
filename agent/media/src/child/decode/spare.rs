//! Whole pictures as JPEG, about one a second, while the packet ring cannot hold the group of pictures that they belong to: what
//! evidence is made of then.

use bytes::Bytes;
use ffmpeg_next::frame::Video;
use kerbside_domain::frame::Turn;

use crate::child::jpeg;
use crate::tuning::SPARE_EVERY_S;

/// Makes them while they are wanted.
#[derive(Debug, Default)]
pub(super) struct SparePictures {
    wanted: bool,
    last_s: Option<f64>,
}

impl SparePictures {
    pub(super) fn want(&mut self, wanted: bool) {
        self.wanted = wanted;
        if !wanted {
            self.last_s = None;
        }
    }

    /// The picture at `at_s` as JPEG, upright, if one is due. One that cannot be made is left out: the next is due a second later.
    pub(super) fn of(&mut self, picture: &Video, at_s: f64, turn: Turn) -> Option<Bytes> {
        // Time may jump back.
        let due = self.last_s.is_none_or(|last| (at_s - last).abs() >= SPARE_EVERY_S);
        if !self.wanted || !due {
            return None;
        }
        self.last_s = Some(at_s);
        let mat = jpeg::to_mat(picture, turn).ok()?;
        jpeg::of_mat(&mat, jpeg::BEST_QUALITY).ok().map(Bytes::from)
    }
}
