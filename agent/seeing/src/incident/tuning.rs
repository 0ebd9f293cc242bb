//! Every tuning constant of the incident core: its unit, why it has this value, and what it was measured on.
//!
//! The values were tuned together, not one by one: with the scripted streets of this module's tests, and with `kerbside score`
//! at sensitivity 5 on the clips of split `tune` of `test-videos/` and on rendered hours of ordinary life (`maker.long`). What
//! all of them together give stands in the results of `kerbside score`. Boxes and areas are in shares of the picture; a
//! "share" is 0..1; "IoU" is intersection over union.
//!
//! What a rule of the site says (dwell, size, schedule, sensitivity) is not here. What moves with the sensitivity stands in
//! `rules::operating`.

/// Bounds: what one camera may hold at once.
pub(crate) mod bounds {
    /// Open incidents. Further ones wait until there is room, and are counted.
    pub(crate) const MAX_OPEN: usize = 64;
    /// Closed incidents kept for repeats and late evidence.
    pub(crate) const MAX_PAST: usize = 64;
    /// Cleared incidents of one camera that a patrol report lists; the rest is counted.
    pub(crate) const MAX_NOTED: usize = 32;
    /// Candidates, with those that incidents stand on. Further regions are counted and not watched.
    pub(crate) const MAX_CANDIDATES: usize = 64;
    /// Parts of one candidate.
    pub(crate) const MAX_PARTS: usize = 24;
    /// Places that are looked at again at once. Beyond, the answer is `unobservable`.
    pub(crate) const MAX_RECHECKS: usize = 16;
    /// People remembered beside one candidate; the one who stayed shortest is forgotten first.
    pub(crate) const MAX_NEARBY: usize = 32;
    /// Files of an incident that are remembered as told.
    pub(crate) const MAX_TOLD: usize = 8;
    /// Requests for evidence of an incident that wait for their answers.
    pub(crate) const MAX_PENDING: usize = 48;
    /// Attendants and vehicles named in a report beside the object itself.
    pub(crate) const MAX_OBJECTS: usize = 8;
}

/// Time between frames.
pub(crate) mod frames {
    /// Time between two frames that is believed at most, s; more is a gap in which anything may have happened.
    pub(crate) const MAX_GAP_S: f64 = 15.0;
    /// The same between two detections, s, which say who is there: people come and go faster.
    pub(crate) const MAX_DETECTION_GAP_S: f64 = 5.0;
    /// Frames with detections before anything is said about what a candidate is not.
    pub(crate) const MIN_DETECTIONS: u32 = 3;
}

/// Whether a camera sees.
pub(crate) mod visibility {
    /// A scene must be bad for this long before the camera is called blind, s: one dark or odd frame is no state.
    pub(crate) const BLIND_AFTER_S: f64 = 3.0;
    /// And good for this long before it is called watching again, s.
    pub(crate) const WATCHING_AFTER_S: f64 = 1.0;
    /// Without a frame for this long a camera does not watch, whatever its state says, s: key frames may be 4 s apart.
    pub(crate) const SILENT_AFTER_S: f64 = 10.0;
}

/// What lay there before anybody watched. What is measured was measured with the shipped close-up network on the clips of
/// `test-videos/`; decision 0055 has the figures.
pub(crate) mod sweep {
    /// Widths of the tiles of each round, shares of the picture (160, 192 and 240 px of 640). The network knows a bag at one of
    /// them and not at the others (measured).
    pub(crate) const ROUNDS: [f32; 5] = [0.25, 0.3, 0.375, 0.25, 0.3];
    /// Widths of the tiles around something that is suspected.
    pub(crate) const SCALES: [f32; 3] = [0.25, 0.3, 0.375];
    /// Height of a tile to its width, both in shares of the picture: 5 to 3 in px of a picture of 16 to 9.
    pub(crate) const PROPORTION: f32 = 16.0 / 15.0;
    /// From one tile to the next, share of its size.
    pub(crate) const STEP: f32 = 0.5;
    /// From one round to the next, s: with five of them the sweep takes a minute, and who passes by is gone in the next.
    pub(crate) const ROUND_EVERY_S: f64 = 15.0;
    /// Looks at something suspected, at each scale ...
    pub(crate) const LOOKS: u32 = 5;
    /// ... and the time between two of them, s: the last comes more than a minute after the first.
    pub(crate) const LOOK_EVERY_S: f64 = 16.0;
    /// Parts shown to the network, a second: as many as close-ups of regions at most.
    pub(crate) const PARTS_PER_S: f64 = 2.0;
    /// Parts of one frame. Where only key frames come, each carries the parts of two seconds.
    pub(crate) const MAX_PARTS: usize = 4;
    /// Looks that did not come are wanted again after this long, s.
    pub(crate) const AGAIN_AFTER_S: f64 = 5.0;
    /// From the end of one sweep to the next, s: an hour.
    pub(crate) const PERIOD_S: f64 = 3600.0;
    /// Places in question or known at once, of one camera. Bound.
    pub(crate) const MAX_FINDS: usize = 32;
    /// Share of its looks, at the scale at which it is surest, at which the network must name a thing that is found.
    pub(crate) const FOUND_SHARE: f32 = 0.75;
    /// And the mean score of all of them, of rubbish: the highest that empty ground gave is 0.15 (measured).
    pub(crate) const MIN_WASTE_SCORE: f32 = 0.25;
    /// The same of a stall: stalls gave 0.7 to 0.97, a dark bag at night 0.79, which nobody stood by (measured).
    pub(crate) const MIN_STALL_SCORE: f32 = 0.5;
    /// A stall has somebody with it at this share of its looks.
    pub(crate) const NEAR_SHARE: f32 = 0.5;
    /// What was found and no rule reports yet (its dwell, its hours) is looked at again after this long, s ...
    pub(crate) const KEEP_EVERY_S: f64 = 30.0;
    /// ... is reported only when it was named at its latest look, and not longer ago than this, s ...
    pub(crate) const FRESH_S: f64 = 45.0;
    /// ... and is gone when so many looks in a row do not name it: of four looks one may miss what is there.
    pub(crate) const MISSED: u32 = 4;
    /// A place that somebody stands before is looked at again after this long, s.
    pub(crate) const HIDDEN_AGAIN_S: f64 = 2.0;
    /// A suspected place that stays hidden for this long does not hold up the end of the sweep, s: the next one asks again.
    pub(crate) const GIVE_UP_S: f64 = 300.0;
    /// A known thing that is named at fewer of its looks than this is gone.
    pub(crate) const VANISHED_SHARE: f32 = 0.25;
    /// A box wider or higher than this share of its tile is the tile, not a thing in it: the empty street gives such boxes with
    /// 0.42 (measured).
    pub(crate) const MAX_TILE_SHARE: f32 = 0.8;
    /// Closer to the rim of its tile than this share of it a box may be cut off.
    pub(crate) const RIM: f32 = 0.02;
    /// A thing was named just now within this time, s.
    pub(crate) const SEEN_FOR_S: f64 = 3.0;
}

/// When two boxes are about the same.
pub(crate) mod belongings {
    /// What touches a candidate that is grown by this share of its size may belong to it.
    pub(crate) const TOUCHES: f32 = 0.35;
    /// It was named for this long before it belongs to it, s.
    pub(crate) const BELONGS_AFTER_S: f64 = 3.0;
    /// Boxes of one thing in two frames agree by this IoU.
    pub(crate) const SAME_IOU: f32 = 0.4;
    /// What is larger than the candidate by this factor is no part of it: a house front, an awning over the whole street.
    pub(crate) const LARGEST: f32 = 8.0;
    /// Things kept of one candidate. Bound.
    pub(crate) const MAX_BELONGINGS: usize = 12;
}

pub(crate) mod place {
    /// Boxes of one place agree by this IoU ...
    pub(crate) const SAME_PLACE_IOU: f32 = 0.2;
    /// ... or the smaller lies in the larger by this share of its area ...
    pub(crate) const INSIDE: f32 = 0.6;
    /// ... and their areas differ by no more than this factor: a bag behind a van is not the van.
    pub(crate) const MAX_SIZE_RATIO: f32 = 6.0;
    /// Boxes that touch when each is grown by this share of its size are neighbours.
    pub(crate) const NEIGHBOUR_BUFFER: f32 = 0.35;
    /// People and vehicles hide a place when they cover this share of it.
    pub(crate) const COVERED: f32 = 0.6;
    /// Two boxes of one object, seen by detector and gate, agree by this IoU.
    pub(crate) const SAME_OBJECT_IOU: f32 = 0.4;
    /// Buffer around the witness's box when it is asked whether they are still there, share of its size.
    pub(crate) const WITNESS_BUFFER: f32 = 0.1;
}

/// What a static region is, and how it is found again.
pub(crate) mod candidate {
    /// A part that has agreed with a person or vehicle for this long in a row is one, s, whatever covered it before.
    pub(crate) const IS_MOVER_S: f64 = 10.0;
    /// Uncovered for this share of the covered time, a part is an object of its own: whoever stood before it has left.
    pub(crate) const UNCOVERED_SHARE: f64 = 0.3;
    /// At least this long, s: still tracks are remembered longer than the detector misses them.
    pub(crate) const UNCOVERED_LEAST_S: f64 = 5.0;
    /// And at most this long, s.
    pub(crate) const UNCOVERED_MOST_S: f64 = 60.0;
    /// Share of the time covered from which a part is explained, where no rule says otherwise.
    pub(crate) const EXPLAINED_SHARE: f32 = 0.5;
    /// The age of a candidate is that of the parts that make this share of its area: a speck that has lain here for an hour
    /// makes no bag old.
    pub(crate) const PRINCIPAL_SHARE: f32 = 0.5;
    /// A region that comes back within this time is the same one, s.
    pub(crate) const FORGET_GONE_S: f64 = 5.0;
    /// A candidate that is hidden for longer is given up, s.
    pub(crate) const FORGET_HIDDEN_S: f64 = 120.0;
    /// The gate may change its mind for 10 s about whether a region is a removal; after this time it is one, s.
    pub(crate) const REMOVAL_SURE_S: f64 = 12.0;
    /// How far back a new region's rest is believed, s: the gate needs time to be sure.
    pub(crate) const MAX_HEAD_START_S: f64 = 60.0;
    /// A place may have been in motion for long before an object came to rest there (a lorry stops, bags fall beside it). The
    /// object is believed to have come at most this long before its rest, s, so that report, witness and clip are about
    /// its leaving.
    pub(crate) const MAX_ARRIVAL_S: f64 = 3.0;
    /// A place is left at most this long before the gate sees the change, s ...
    pub(crate) const VACATED_BEFORE_S: f64 = 10.0;
    /// ... or this long after it, s: a hidden track is kept for 90 s.
    pub(crate) const VACATED_AFTER_S: f64 = 100.0;
    /// A track that began in the very place, up to this long after the change, was there before it, s.
    pub(crate) const BEGAN_BY_S: f64 = 2.0;
}

/// Who is with a candidate.
pub(crate) mod attendance {
    /// Near for this long is staying with it, s; shorter is walking past.
    pub(crate) const STAYS_S: f64 = 8.0;
    /// Near for this long, and not an attendant, is a visit, s.
    pub(crate) const PAUSES_S: f64 = 3.0;
    /// One who is with it for this share of the time belongs to it.
    pub(crate) const OWNER_SHARE: f64 = 0.5;
    /// One who was not near for this long has left, s.
    pub(crate) const LEFT_AFTER_S: f64 = 10.0;
    /// The shade at a person's feet reaches this far to each side ...
    pub(crate) const SHADE_W: f32 = 0.6;
    /// ... and this far below, both in shares of the person's box.
    pub(crate) const SHADE_H: f32 = 0.1;
    /// A place that people and their shade fill by this share holds nothing else.
    pub(crate) const SHADE_FILLS: f32 = 0.7;
    /// Points a side at which a place is sampled for it.
    pub(crate) const SHADE_GRID: u32 = 8;
}

/// What the detectors call a candidate.
pub(crate) mod labels {
    /// The mean score of whole frames follows with this time constant, s.
    pub(crate) const FRAME_TAU_S: f64 = 20.0;
    /// Close-ups that make a score; later ones replace as much of it.
    pub(crate) const CLOSE_UPS: u32 = 8;
    /// With fewer close-ups nothing is made of them.
    pub(crate) const MIN_CLOSE_UPS: u32 = 3;
    /// A name with a lower score is not told: it was given once and not again.
    pub(crate) const TOLD_SCORE: f32 = 0.05;
    /// A close-up speaks of a candidate when it shows this share of it.
    pub(crate) const SHOWN: f32 = 0.8;
    /// A detection speaks of a candidate when their boxes agree by this IoU, or one lies in the other.
    pub(crate) const NAMES_IOU: f32 = 0.2;
}

/// What the witness says. Measured with models/convert/measure_witness.py on photographs and with the clips of `test-videos/`:
/// models/witness.md has the figures.
pub(crate) mod words {
    /// Looks that make a mean; later ones replace as much of it.
    pub(crate) const LOOKS: u32 = 8;
    /// With fewer looks nothing is made of them.
    pub(crate) const MIN_LOOKS: u32 = 2;
    /// A look is about a candidate when it shows this share of it.
    pub(crate) const SHOWN: f32 = 0.6;
    /// Added to both sides of a share, so that words that hardly anything fits decide nothing.
    pub(crate) const FLOOR: f32 = 0.01;
    /// A stall with a smaller share of goods is people or vehicles alone: of photographs 90 % of the stalls have more and 80 % of
    /// the people and cars less; the rendered stalls have 0.33 to 0.68.
    pub(crate) const MIN_GOODS_SHARE: f32 = 0.3;
    /// Rubbish of which things have a smaller share is bare street or somebody: 2 % of the bags have less, and the rendered ones
    /// 0.32 and more.
    pub(crate) const MIN_RUBBISH_SHARE: f32 = 0.12;
    /// Such rubbish waits for this many dwells ...
    pub(crate) const CONTRADICTED_DWELLS: f64 = 3.0;
    /// ... and whatever is reported against the witness is no surer than this.
    pub(crate) const CONTRADICTED_CONFIDENCE: f32 = 0.3;
    /// A name that the witness gives is told from this sum on.
    pub(crate) const TOLD_SCORE: f32 = 0.2;
}

/// Who brought an object.
pub(crate) mod arrival {
    /// Who touched the place from this long before the first change ...
    pub(crate) const BEFORE_S: f64 = 3.0;
    /// ... until this long after it brought the object, s.
    pub(crate) const AFTER_S: f64 = 2.0;
    /// A review decodes the ring from this long before the first change, s: a walker needs some seconds from the edge.
    pub(crate) const REVIEW_BEFORE_S: f64 = 6.0;
    /// And until this long after it, s, for the leaving.
    pub(crate) const REVIEW_AFTER_S: f64 = 3.0;
}

/// When a candidate is an incident.
pub(crate) mod judge {
    /// A changed share of the picture beyond this is no object on the ground.
    pub(crate) const MAX_AREA: f32 = 0.25;
    /// Sides of a plausible object differ by no more than this factor.
    pub(crate) const MAX_ASPECT: f32 = 6.0;
    /// Goods that merely stand there get this many dwells before they are reported.
    pub(crate) const PATIENT_DWELLS: f64 = 3.0;
    /// Attended for this many dwells, an object belongs to somebody even while nobody is there.
    pub(crate) const OWNED_DWELLS: f64 = 2.0;
    /// One attendant alone must be there for this share of what is required of all: a queue of strangers is no vendor.
    pub(crate) const STEADY_SHARE: f32 = 0.5;
    /// Goods of a stall are handled all the time: it may look this much less like itself.
    pub(crate) const HANDLED: f32 = 0.3;
    /// What is nothing but people and their shade for this share of the time is no object.
    pub(crate) const MOSTLY_SHADE: f32 = 0.6;
    /// Filling less of its own box than this, it is legs and a long shade beside them, or goods that a label or a customer
    /// must vouch for.
    pub(crate) const THIN: f32 = 0.35;
    /// Where the detector calls it a stall, this share of the usual attendance is enough.
    pub(crate) const NAMED_STALL_SHARE: f32 = 0.5;
    /// A vehicle with somebody beside it becomes a vendor's when this many others paused there.
    pub(crate) const VENDOR_VISITS: u32 = 2;
    /// So many parts together are an accumulation.
    pub(crate) const ACCUMULATED: usize = 3;
}

/// Which things that no rule came to judge are told of.
pub(crate) mod refusal {
    /// A thing that went away must have stood at least this long to be told of, s: less is somebody who stopped.
    pub(crate) const LEAST_S: f64 = 5.0;
    /// And for this share of the rule's dwell: chosen so that a vendor who left early is told of with dwells of minutes.
    pub(crate) const LEAST_SHARE: f64 = 0.1;
    /// What people or vehicles explain comes and goes all day: it must have stood for this share.
    pub(crate) const EXPLAINED_LEAST_SHARE: f64 = 0.5;
}

/// How sure a report is, 0..1. What a rule alone supports begins between 0.5 and 0.55; where a detector is surer, its own score
/// counts. It is not calibrated: 0.8 does not mean that eight of ten are right.
pub(crate) mod confidence {
    /// Of a stall or a mobile vendor, before anything speaks for it.
    pub(crate) const STALL: f32 = 0.5;
    /// Added as the attendance rises from what is required to all of the time.
    pub(crate) const STALL_ATTENDANCE: f32 = 0.25;
    /// Added for each visit ...
    pub(crate) const VISIT: f32 = 0.05;
    /// ... up to this many at a stall ...
    pub(crate) const STALL_VISITS: u32 = 3;
    /// ... and at a vehicle.
    pub(crate) const VENDOR_VISITS: u32 = 6;
    /// Of objects before a shop, and what a score for goods adds.
    pub(crate) const FRONTAGE: (f32, f32) = (0.55, 0.3);
    /// Of waste that no detector named.
    pub(crate) const WASTE: f32 = 0.55;
    /// Added as it looks more like itself than required.
    pub(crate) const WASTE_STEADY: f32 = 0.15;
    /// Added when somebody was seen leaving it.
    pub(crate) const WASTE_SEEN_LEFT: f32 = 0.15;
    /// Of goods, and what a score for goods adds.
    pub(crate) const GOODS: (f32, f32) = (0.5, 0.4);
    /// Least room that such additions are measured over.
    pub(crate) const MIN_RANGE: f32 = 0.1;
    /// No report is surer.
    pub(crate) const MOST: f32 = 0.99;
}

/// The life of an incident.
pub(crate) mod lifecycle {
    /// An incident that proves to be a vehicle or person this soon after opening is withdrawn, s.
    pub(crate) const WITHDRAW_WITHIN_S: f64 = 60.0;
    /// A date that is off by more is put right, and the centre hears it, ms. Less is a clock that is disciplined.
    pub(crate) const MISDATED_MS: i64 = 60_000;
    /// Evidence and receipts may come this long after an incident has closed, s.
    pub(crate) const LATE_S: f64 = 600.0;
    /// Between two revisions that say it grew, s.
    pub(crate) const GREW_EVERY_S: f64 = 60.0;
    /// An area larger by this factor has grown ...
    pub(crate) const GREW_FACTOR: f32 = 1.5;
    /// ... if it stays so for this long, s.
    pub(crate) const GREW_FOR_S: f64 = 10.0;
    /// Where its rule is no longer configured, an incident still clears after this long, s ...
    pub(crate) const DEFAULT_CLEAR_AFTER_S: f64 = 30.0;
    /// ... and may reappear for this long, s.
    pub(crate) const DEFAULT_REPEAT_S: f64 = 1800.0;
}

/// Packets pinned for candidates.
pub(crate) mod pin {
    /// A candidate that is explained (a parked car) for this long will hardly become an incident: its packets may go, s.
    pub(crate) const UNPIN_EXPLAINED_S: f64 = 120.0;
    /// The picture `before` is taken this long before the first change was seen, s.
    pub(crate) const BEFORE_S: f64 = 2.0;
}

/// Looking again at the place of an incident.
pub(crate) mod recheck {
    /// An answer rests on this many frames in a row that agree ...
    pub(crate) const MIN_FRAMES: u32 = 3;
    /// ... over this long, s: an object is there at once ...
    pub(crate) const PERSISTS_S: f64 = 2.0;
    /// ... but a place is free only when it stays so.
    pub(crate) const FREE_S: f64 = 10.0;
    /// Without an answer for this long the answer is `unobservable`, s.
    pub(crate) const LIMIT_S: f64 = 45.0;
}

/// Sensors.
pub(super) mod sensors {
    /// A fault that comes and goes is told at most this often, s.
    pub(in crate::incident) const TELL_EVERY_S: f64 = 30.0;
}
