//! Which pictures are whole: decoded without an error, back to one that needs no other (invariant 17). Pure.
//!
//! Damage runs along: what is predicted from a damaged picture is damaged, and no decoder says so. Only a key frame ends it, or a
//! recovery point whose pictures have all been decoded since.

use std::collections::VecDeque;

use super::nal::Entry;
use crate::tuning::MAX_PICTURES_IN_DECODER;

/// Follows packets into a decoder and pictures out of it.
#[derive(Debug, Default)]
pub(super) struct Wholeness {
    state: State,
    /// Pictures shown before the newest entry but decoded after it refer to what was before it.
    leading: Option<Leading>,
    /// What was fed and did not come out yet, in decoding order.
    fed: VecDeque<Fed>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// What is decoded now builds on nothing, or on damage.
    #[default]
    Broken,
    /// Whole after so many more pictures.
    Refreshing(u16),
    Whole,
}

/// What is wrong with a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    /// The decoder said that a picture lacks something.
    Complaint,
    /// Something of the packet is missing, or the decoder refused it.
    Damage,
}

impl Fault {
    /// Damage counts for more than a complaint.
    pub(super) fn of(damaged: bool, complained: bool) -> Self {
        match (damaged, complained) {
            (true, _) => Fault::Damage,
            (false, true) => Fault::Complaint,
            (false, false) => Fault::None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Leading {
    before_pts: i64,
    whole: bool,
}

#[derive(Clone, Copy, Debug)]
struct Fed {
    pts: i64,
    whole: bool,
}

impl Wholeness {
    /// The decoder knows nothing any more.
    pub(super) fn restart(&mut self) {
        *self = Wholeness::default();
    }

    /// Pictures that are fed now come out whole.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// Pictures are not whole, and will not be by what has come.
    pub(super) fn is_broken(&self) -> bool {
        self.state == State::Broken
    }

    /// A packet went into the decoder, and `fault` was found. True if this broke what was whole or about to be, or what this
    /// packet would have made whole.
    pub(super) fn fed(&mut self, pts: i64, entry: Option<Entry>, fault: Fault) -> bool {
        let before = self.state;
        match entry {
            Some(Entry::Key) => {
                self.leading = Some(Leading { before_pts: pts, whole: before == State::Whole });
                self.state = State::Whole;
            }
            Some(Entry::Refresh(pictures)) if before == State::Broken => {
                self.state = State::Refreshing(pictures);
            }
            Some(Entry::Refresh(_)) | None => {
                if let State::Refreshing(left) = before {
                    self.state = if left <= 1 { State::Whole } else { State::Refreshing(left - 1) };
                }
            }
        }
        // What a recovery point refers to was before it, and is replaced part by part.
        let expected = fault == Fault::Complaint && matches!(self.state, State::Refreshing(_));
        if fault != Fault::None && !expected {
            self.state = State::Broken;
        }
        let led = self.leading.filter(|leading| pts < leading.before_pts);
        let whole = self.is_whole() && led.is_none_or(|leading| leading.whole);
        if self.fed.len() >= MAX_PICTURES_IN_DECODER {
            self.fed.pop_front();
        }
        self.fed.push_back(Fed { pts, whole });
        (before != State::Broken || entry.is_some()) && self.state == State::Broken
    }

    /// A picture came out of the decoder. `flagged`: it says itself that it is damaged.
    pub(super) fn picture(&mut self, pts: i64, flagged: bool) -> bool {
        let at = self.fed.iter().position(|fed| fed.pts == pts);
        if flagged {
            // What was decoded after it may refer to it.
            let from = at.unwrap_or(0);
            self.fed.range_mut(from..).for_each(|fed| fed.whole = false);
            self.state = State::Broken;
        }
        match at {
            Some(at) => self.fed.remove(at).is_some_and(|fed| fed.whole),
            None => !flagged && self.is_whole(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Option<Entry> = Some(Entry::Key);

    /// (pts, entry, fault, flagged) in decoding order, each shown at once -> the pts of whole pictures.
    fn whole(steps: &[(i64, Option<Entry>, bool, bool)]) -> Vec<i64> {
        let mut pictures = Wholeness::default();
        let shown = steps.iter().filter(|(pts, entry, fault, flagged)| {
            pictures.fed(*pts, *entry, Fault::of(*fault, false));
            pictures.picture(*pts, *flagged)
        });
        shown.map(|(pts, ..)| *pts).collect()
    }

    #[test]
    fn damage_lasts_to_the_next_key_frame() {
        let ok = |pts| (pts, None, false, false);
        let key = |pts| (pts, KEY, false, false);
        assert_eq!(whole(&[ok(0), ok(1), key(2), ok(3)]), [2, 3], "nothing before the first key frame");
        assert_eq!(whole(&[key(0), ok(1), (2, None, true, false), ok(3), key(4), ok(5)]), [0, 1, 4, 5]);
        assert_eq!(whole(&[key(0), (1, None, false, true), ok(2), key(3)]), [0, 3]);
        assert_eq!(whole(&[(0, KEY, true, false), ok(1), key(2)]), [2], "a key frame may be hit itself");
    }

    #[test]
    fn a_recovery_point_makes_pictures_whole_once_all_of_them_were_decoded() {
        let at = |pts, refresh| (pts, refresh, false, false);
        let point = Some(Entry::Refresh(2));
        let stream = [at(0, None), at(1, point), at(2, None), at(3, None), at(4, None)];
        assert_eq!(whole(&stream), [3, 4]);
        // A stream that is whole stays so at its recovery points; damage starts the wait anew.
        let stream = [
            at(0, KEY),
            at(1, point),
            at(2, None),
            (3, None, true, false),
            at(4, None),
            at(5, point),
            (6, None, true, false),
            at(7, point),
            at(8, None),
            at(9, None),
        ];
        assert_eq!(whole(&stream), [0, 1, 2, 9]);
    }

    #[test]
    fn what_a_recovery_point_lacks_is_expected_and_what_is_lost_is_not() {
        let whole_at_3 = |second: Fault| {
            let mut pictures = Wholeness::default();
            let point = Some(Entry::Refresh(2));
            let fed = [(1, point, Fault::Complaint), (2, None, second), (3, None, Fault::None)];
            fed.map(|(pts, entry, fault)| {
                pictures.fed(pts, entry, fault);
                pictures.picture(pts, false)
            })[2]
        };
        assert!(whole_at_3(Fault::Complaint));
        assert!(!whole_at_3(Fault::Damage));
    }

    #[test]
    fn a_key_frame_that_is_hit_says_so_whatever_was_before() {
        let mut pictures = Wholeness::default();
        // As at L1, where the decoder is emptied after each key frame.
        assert!(pictures.fed(0, KEY, Fault::Damage));
        pictures.restart();
        assert!(!pictures.fed(10, KEY, Fault::None));
        pictures.restart();
        assert!(pictures.fed(20, Some(Entry::Refresh(2)), Fault::Damage));
        assert!(!pictures.fed(21, None, Fault::Damage), "nothing was whole");
    }

    #[test]
    fn pictures_out_of_order_inherit_what_they_refer_to() {
        // Decoded I0 P4 B2, shown 0 2 4: the fault of P4 is known when it is fed.
        let mut pictures = Wholeness::default();
        assert!(!pictures.fed(0, KEY, Fault::None));
        assert!(pictures.fed(4, None, Fault::Complaint));
        pictures.fed(2, None, Fault::None);
        assert_eq!([0, 2, 4].map(|pts| pictures.picture(pts, false)), [true, false, false]);
        // An open group: B6 is decoded after I8 and refers to the damaged group before it.
        pictures.fed(8, KEY, Fault::None);
        pictures.fed(6, None, Fault::None);
        pictures.fed(10, None, Fault::None);
        assert_eq!([6, 8, 10].map(|pts| pictures.picture(pts, false)), [false, true, true]);
    }
}
