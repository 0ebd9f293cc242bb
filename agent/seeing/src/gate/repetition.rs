//! Repetition: a camera that hangs sends one picture again and again.

use kerbside_domain::time::Mono;

use super::alignment::is_same_picture;
use super::tuning::frames::FROZEN_REPEATS;

/// The picture that may be repeated, and for how long it has been.
#[derive(Clone, Debug, Default)]
pub(super) struct Repetition {
    picture: Vec<u8>,
    since: Mono,
    repeats: u32,
    epoch: u32,
}

impl Repetition {
    /// Whether the picture has been the same for `frozen_s`. It is compared with the first picture, not the last: what changes
    /// by hairs all the time is alive. A restarted stream (a new epoch) repeats its last picture now and then; that is no
    /// frozen camera.
    pub(super) fn is_frozen(&mut self, luma: &[u8], at: Mono, epoch: u32, frozen_s: f64) -> bool {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.begin(at);
        }
        if is_same_picture(&self.picture, luma) {
            self.repeats += 1;
        } else {
            self.picture.clear();
            self.picture.extend_from_slice(luma);
            self.begin(at);
        }
        self.repeats >= FROZEN_REPEATS && at.since_s(self.since) >= frozen_s
    }

    fn begin(&mut self, at: Mono) {
        self.since = at;
        self.repeats = 0;
    }
}
