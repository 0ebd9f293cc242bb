//! Every tuning constant of the gate: its unit, why it has this value, and what it was measured on.
//!
//! The values were tuned together, not one by one: on the clips of split `tune` of `test-videos/` (rendered kerb scenes and
//! composites, luma 160x90, five frames a second), on rendered hours of ordinary life (`maker.long`: day, quiet night, rain,
//! clouds, failing lamps, wind) and on the scenes of this module's tests. A value that was measured by itself says on what.
//! What all of them together give stands in the results of `kerbside score`.
//!
//! Grey levels are 0..255. A "share" is 0..1. "px" are luma pixels.
//!
//! What a site may set is not here but in its rules; what a [`GateConfig`](super::GateConfig) may set takes its default
//! from here.

/// Defaults of [`GateConfig`](super::GateConfig).
pub(crate) mod defaults {
    /// Frames for the first background: a median of eight forgets a passer-by who is there in three of them.
    pub(crate) const LEARN_FRAMES: usize = 8;
    /// And at least this long, s: one who walks by fills eight frames of a fast stream.
    pub(crate) const LEARN_S: f64 = 3.0;
    /// A pixel that shows the same for this long is still, s. Shorter, and the middle of a slow walker's coat is still.
    pub(crate) const STILL_S: f64 = 1.2;
    /// Smallest region, share of the picture: nine px. Smaller changes are noise at the resolution of the gate.
    pub(crate) const MIN_AREA: f32 = 0.0006;
    /// Largest region, share of the picture: beyond it a change is the light, the camera or a bus.
    pub(crate) const MAX_AREA: f32 = 0.3;
    /// Regions at once. The most that any clip of `test-videos/` gave, at 5, 2.5 and 0.5 frames a second: 14.
    pub(crate) const MAX_REGIONS: usize = 32;
    /// The same picture for this long is a frozen camera, s. Key frames come every two seconds where nothing moves: the
    /// fourth must be enough, so that the camera is called frozen within ten seconds.
    pub(crate) const FROZEN_S: f64 = 5.9;
    /// A region becomes background after this long, s: what lay here for a day will not be reported today.
    pub(crate) const ABSORB_S: f64 = 24.0 * 3600.0;
    /// The ground that something uncovered becomes background much sooner, s: it is the street.
    pub(crate) const ABSORB_REMOVED_S: f64 = 30.0;
    /// A camera that still shows another place after this long learns it, s: a gust or a cleaner is over by then.
    pub(crate) const RELEARN_MOVED_S: f64 = 1800.0;
    /// A region younger than this gets every frame detected, s: who brought it is still near.
    pub(crate) const YOUNG_S: f64 = 10.0;
    /// Where older regions stand, one frame in this time is detected, s: dwells are counted in tens of seconds.
    pub(crate) const REGION_DETECTION_S: f64 = 2.0;
    /// On an empty street one frame in this time is detected, s: rubbish that lay there before the gate learnt is no change.
    pub(crate) const IDLE_DETECTION_S: f64 = 20.0;
    /// After motion has ended, every frame is detected for this long, s: one who stops is no longer motion.
    pub(crate) const LINGER_S: f64 = 2.0;
}

/// Frames and their times.
pub(super) mod frames {
    /// Time before the first frame, s: the usual distance of frames.
    pub(crate) const FIRST_STEP_S: f64 = 0.2;
    /// Time between two frames that the filters believe, s: a gap must not replace a background at once.
    pub(crate) const STEP_RANGE_S: (f64, f64) = (0.001, 5.0);
    /// Frames stored for the first median, 14 kB each.
    pub(crate) const LEARN_AT_MOST: usize = 24;
    /// Repetitions of one picture before the camera is called frozen, where frames are rare.
    pub(crate) const FROZEN_REPEATS: u32 = 3;
    /// Between two updates of what changes slowly (steepness, enclosed pixels, history, alignment), s.
    pub(crate) const SLOW_UPDATE_S: f64 = 1.0;
}

/// The scene as a whole.
pub(super) mod scene {
    /// Changed share of the picture above which it is a light, a cover or a move, and no object.
    pub(crate) const GLOBAL_CHANGE: f32 = 0.35;
    /// Changed share below which the background fits again.
    pub(crate) const FITS: f32 = 0.2;
    /// Changed share below which a switched lamp explains everything: nothing to wait for.
    pub(crate) const EXPLAINED: f32 = 0.05;
    /// A mid-grey pixel jumps by this in one frame when a lamp is switched, grey levels.
    pub(crate) const LIGHT_JUMP: f32 = 9.0;
    /// An illumination that explains a smaller share of the samples than this is not believed.
    pub(crate) const BELIEVED: f32 = 0.5;
    /// Moving share below which the picture is calm.
    pub(crate) const CALM: f32 = 0.06;
    /// After a change of light, what changed with it and came to rest is taken for its shine for this long, s: lamps light
    /// unevenly, exposure and codec need a while. What was changing before is left alone.
    pub(crate) const SHINE_S: f64 = 3.0;
    /// A picture is judged after it has been calm for this long, s.
    pub(crate) const SETTLE_S: f64 = 1.2;
    /// A picture that does not calm down (rain, a crowd) is judged after this long, s.
    pub(crate) const JUDGE_AT_LATEST_S: f64 = 6.0;
    /// Mean correlation of gradients from which the picture shows the same place.
    pub(crate) const SAME_PLACE: f32 = 0.4;
    /// The median correlation that a jump of the light must leave: people and vehicles may be about.
    pub(crate) const SAME_PLACE_RELIT: f32 = 0.25;
    /// A picture whose 98th percentile lies below this is black, grey levels: night without a lamp, or no signal.
    pub(crate) const BLACK: u8 = 26;
}

/// The camera's shift.
pub(super) mod alignment {
    /// Reach of the search for a small shift, px around the current one.
    pub(crate) const SEARCH_REACH: i32 = 3;
    /// Reach of the search while the camera is lost, px.
    pub(crate) const LOST_REACH: i32 = 1;
    /// Largest shift that is compensated, px: beyond it the zones would lie somewhere else.
    pub(crate) const MAX_SHIFT: i32 = 8;
    /// A search starts when the usual correlation drops by this: rain and passers-by cost less.
    pub(crate) const CORRELATION_DROP: f32 = 0.12;
    /// A shift is taken when it correlates better than no shift by this.
    pub(crate) const CORRELATION_GAIN: f32 = 0.08;
    /// The usual correlation follows by this share each second. A search that finds nothing lowers it by this share of the
    /// drop, so that rain is not searched for ever.
    pub(crate) const FOLLOW_SHARE: f32 = 0.1;
    /// Changed share below which nothing is searched.
    pub(crate) const MIN_CHANGE: f32 = 0.01;
    /// Two pictures are the same within the codec's rounding, grey levels in the mean and at most. Measured (x264, 160x90
    /// luma): 0.02 and 2 between two key frames of one picture, against 0.8 and 5 between two pictures of an empty
    /// street by day, 1.3 and 7 by night.
    pub(crate) const SAME_PICTURE_MEAN: f32 = 0.05;
    /// See [`SAME_PICTURE_MEAN`].
    pub(crate) const SAME_PICTURE_MOST: u8 = 3;
    /// Structure is compared in blocks of this size, px: a burnt-in clock speaks for its own corner only.
    pub(crate) const BLOCK_W: usize = 20;
    /// See [`BLOCK_W`].
    pub(crate) const BLOCK_H: usize = 15;
    /// Mean squared gradient from which a block has texture. Sensor noise alone has about 4.
    pub(crate) const TEXTURED: f32 = 6.0;
    /// Sum of squared gradients below which a block of the picture is flat and correlates with nothing.
    pub(crate) const FLAT: f32 = 1.0;
    /// Share of a block's steepness that is left when something is before the lens.
    pub(crate) const COVERED_TEXTURE: f32 = 0.3;
    /// Share of the background's steeper blocks that must have lost theirs: a burnt-in clock keeps its corner.
    pub(crate) const COVERED_BLOCKS: f32 = 0.7;
    /// The brightest `1 / BRIGHTEST_PART` of the picture is left out of its brightness: a lamp or a burnt-in clock.
    pub(crate) const BRIGHTEST_PART: usize = 50;
}

/// The fit of the illumination.
pub(super) mod illumination {
    /// Every third pixel in both directions is sampled: 1,590 samples of 14,400 pixels.
    pub(crate) const STRIDE: usize = 3;
    /// A sample within this of the fit is explained by it, grey levels.
    pub(crate) const INLIER: f32 = 14.0;
    /// Pulls the gain towards the one before where the picture has too little contrast to tell it, squared grey levels.
    pub(crate) const RIDGE: f32 = 40.0;
    /// A mid-grey pixel; sums are taken around it so that `f32` keeps its digits.
    pub(crate) const MID_GREY: f32 = 110.0;
    /// With fewer samples the illumination is taken as unchanged.
    pub(crate) const MIN_SAMPLES: usize = 50;
    /// With fewer explained samples a fit is not refined.
    pub(crate) const MIN_INLIERS: f32 = 30.0;
    /// A first fit that explains this share is good enough.
    pub(crate) const GOOD: f32 = 0.75;
    /// Another guess must explain this much more: a bus is no exposure.
    pub(crate) const BETTER_BY: f32 = 0.05;
    /// Pixels outside this range are clipped and say nothing about the light, grey levels.
    pub(crate) const UNCLIPPED: std::ops::RangeInclusive<u8> = 4..=250;
    /// Gains that a camera's exposure can make.
    pub(crate) const GAIN_RANGE: (f32, f32) = (0.2, 5.0);
    /// Least spread of a picture's 10th to 90th percentile that a gain is taken from, grey levels.
    pub(crate) const MIN_SPREAD: f32 = 8.0;
    /// Darker pixels are taken as this level where they divide, grey levels.
    pub(crate) const DARKEST: f32 = 4.0;
}

/// The background of each pixel.
pub(super) mod background {
    /// A change below this is none, grey levels.
    pub(crate) const MIN_TOLERANCE: f32 = 7.0;
    /// A swaying tree raises its tolerance this far and not further, grey levels: what stands before it must still show.
    pub(crate) const MAX_TOLERANCE: f32 = 38.0;
    /// Tolerance in multiples of the pixel's noise.
    pub(crate) const TOLERANCE_NOISE: f32 = 3.5;
    /// And in shares of the local steepness: a hair's shift of the camera must not count.
    pub(crate) const TOLERANCE_STEEPNESS: f32 = 0.25;
    /// A change of this many tolerances is a strong one: it seeds a region.
    pub(crate) const STRONG: f32 = 1.6;
    /// A pixel stays the same within this many of its noise ...
    pub(crate) const STILL_NOISE: f32 = 3.0;
    /// ... and this share of the local steepness ...
    pub(crate) const STILL_STEEPNESS: f32 = 0.15;
    /// ... and never beyond this, grey levels.
    pub(crate) const MAX_STILL: f32 = 14.0;
    /// Frames that must agree before a pixel is still: one may agree by chance.
    pub(crate) const STILL_FRAMES: u8 = 2;
    /// The long-term background follows with this time constant, s: dusk and clouds, not a passer-by.
    pub(crate) const LONG_TERM_TAU_S: f32 = 25.0;
    /// The short-term background, s: a few frames.
    pub(crate) const SHORT_TERM_TAU_S: f32 = 0.8;
    /// The appearance of an object that stands, s: as the light moves over it.
    pub(crate) const OBJECT_TAU_S: f32 = 20.0;
    /// Noise that grows is followed with this time constant, s.
    pub(crate) const NOISE_TAU_S: f32 = 12.0;
    /// Noise that falls, s: a leaf is where it belongs half of the time, and that must not undo what it taught.
    pub(crate) const QUIETER_TAU_S: f32 = 60.0;
    /// Sway is learnt slower than noise, s: a passer-by leaves no blind trail.
    pub(crate) const SWAY_TAU_S: f32 = 45.0;
    /// One frame's deviation counts towards the noise up to this, grey levels.
    pub(crate) const MAX_SWAY: f32 = 60.0;
    /// Noise before anything was learnt, grey levels.
    pub(crate) const FIRST_NOISE: f32 = 2.0;
    /// Noise learnt from the first frames lies in this range, grey levels.
    pub(crate) const FIRST_NOISE_RANGE: (f32, f32) = (1.0, 20.0);
    /// A change that is still and never became a region (too small, a shadow) is background after this long, s.
    pub(crate) const ABSORB_S: f64 = 25.0;
    /// The same outside every zone, s.
    pub(crate) const ABSORB_UNWATCHED_S: f64 = 5.0;
    /// A pixel shows its object within this tolerance at most, grey levels ...
    pub(crate) const OBJECT_TOLERANCE: f32 = 20.0;
    /// ... times this: an object is compared with one crop, a background with a mean.
    pub(crate) const OBJECT_SLACK: f32 = 1.3;
}

/// Drift: many small steps in one direction.
pub(super) mod drift {
    /// Steps in one direction: light and water come so, and nothing that is put down does. Measured on dappled shade that
    /// comes in 3 to 8 s, at five and at two frames a second (`tests/light.rs`).
    pub(crate) const MIN_STEPS: u8 = 4;
    /// Over at least this long, s.
    pub(crate) const MIN_S: f64 = 1.4;
    /// A step against the direction ends the drift if it is longer than this, grey levels; shorter ones are noise.
    pub(crate) const NOISE: f32 = 1.0;
    /// No step may be this share of the whole way.
    pub(crate) const MAX_STEP: f32 = 0.5;
    /// A pixel drifted if this share of its difference from the background came so.
    pub(crate) const DRIFTED: f32 = 0.6;
}

/// Blobs: connected changed pixels of one frame.
pub(super) mod blobs {
    /// Share of a blob's pixels that must be strongly changed.
    pub(crate) const STRONG_SHARE: f32 = 0.25;
    /// Changed neighbours (of eight) that a pixel needs: single pixels and hairlines are noise or a half-pixel shift.
    pub(crate) const MIN_NEIGHBOURS: usize = 3;
    /// Pixels this far apart belong to one blob, px: a gap of one does not part it.
    pub(crate) const JOIN_DISTANCE: usize = 2;
    /// Fewest pixels of a blob, whatever the configured area.
    pub(crate) const MIN_PIXELS: usize = 4;
    /// A pixel of the outline votes when it is steeper in one picture by this, grey levels.
    pub(crate) const OUTLINE_STEP: f32 = 6.0;
    /// Votes for a removal in multiples of those against: to call an object a ghost costs its report.
    pub(crate) const REMOVAL_MAJORITY: u32 = 2;
    /// Moving pixels in the neighbourhood that make motion of one: codec specks stand alone.
    pub(crate) const MOTION_NEIGHBOURS: usize = 2;
    /// Moving pixels below which there is no motion: insects and codec noise.
    pub(crate) const MIN_MOTION_PX: f32 = 12.0;
}

/// Light on the same ground: the background times one factor, its texture kept.
pub(super) mod light {
    /// Inner pixels from which a blob can be called light in its first frame.
    pub(crate) const ENOUGH_AT_ONCE: f32 = 14.0;
    /// The same for a region that is watched over time.
    pub(crate) const ENOUGH_IN_TIME: f32 = 8.0;
    /// Factors of a shade ...
    pub(crate) const SHADE: std::ops::Range<f32> = 0.3..0.95;
    /// ... and of a light.
    pub(crate) const SHINE: std::ops::Range<f32> = 1.05..2.5;
    /// Least detail of the ground, grey levels: below one it has no texture that a camera would keep.
    pub(crate) const GROUND_DETAIL: f32 = 1.0;
    /// Least detail of the blob, grey levels.
    pub(crate) const BLOB_DETAIL: f32 = 0.5;
    /// Correlation of their details that makes light, where few pixels (fewer than [`ENOUGH_AT_ONCE`]) tell it ...
    pub(crate) const ALIKE_FEW: f32 = 0.85;
    /// ... and where many do.
    pub(crate) const ALIKE_MANY: f32 = 0.7;
    /// Spread of the factor, share of its mean.
    pub(crate) const MAX_SPREAD: f32 = 0.16;
    /// Darker ground is taken as this level where it divides, grey levels.
    pub(crate) const DARKEST: f32 = 4.0;
    /// A region that has been light for this long is no object, s.
    pub(crate) const FOR_S: f64 = 2.0;
    /// Share of a region that came by drifting: light, however dappled.
    pub(crate) const DRIFTED: f32 = 0.5;
}

/// Regions: what changed and stayed, over frames.
pub(super) mod region {
    /// Share of the pixels around a blob that are changed and not still: a slow walker's coat is still in its middle.
    pub(crate) const UNREST: f32 = 0.35;
    /// A restless blob is waited for this long after it came to rest, s.
    pub(crate) const UNREST_S: f64 = 3.0;
    /// One who stands before an object hides it for this long, s; longer, and the one who hides it is the object.
    pub(crate) const MAX_HIDDEN_S: f64 = 600.0;
    /// Parts of one object may be confirmed this far apart, s.
    pub(crate) const GROWS_FOR_S: f64 = 5.0;
    /// Parts of one object lie this far apart, px.
    pub(crate) const PARTS_APART_PX: usize = 4;
    /// A new blob beside an older region is a part of it when it has less than this share of its pixels.
    pub(crate) const SMALL_PART: f32 = 0.5;
    /// A region that shows itself on this share of its pixels is in view.
    pub(crate) const IN_VIEW: f32 = 0.6;
    /// For this long its kind may still turn out otherwise, s: the first crop may show a foot.
    pub(crate) const KIND_SETTLES_S: f64 = 10.0;
    /// It shows itself on this share of its pixels: the kind can be judged again.
    pub(crate) const KIND_IN_VIEW: f32 = 0.85;
    /// Share of its pixels that show the object: it is there.
    pub(crate) const PRESENT: f32 = 0.5;
    /// Share of its pixels that show the street: the object is gone.
    pub(crate) const GONE: f32 = 0.6;
    /// Share that shows the street, below which its structure may still vouch for it.
    pub(crate) const MOSTLY_STREET: f32 = 0.5;
    /// Object and street together on this share of its pixels: nothing hides it, and whoever was one with it has left.
    pub(crate) const PARTED: f32 = 0.9;
    /// Correlation of its crop that is the object in another light.
    pub(crate) const SAME_STRUCTURE: f32 = 0.85;
    /// The same after a change of the whole light, when a crop is all there is.
    pub(crate) const SAME_STRUCTURE_RELIT: f32 = 0.5;
    /// Share of still pixels below which something that moves hides it.
    pub(crate) const HIDER_STILL: f32 = 0.7;
    /// What covers a region and has come to rest inside it is judged after this long, s.
    pub(crate) const CHANGED_AFTER_S: f64 = 2.0;
    /// Its outline is weaker than this share of the object's: the ground shows, lit otherwise.
    pub(crate) const OUTLINE_LOST: f32 = 0.35;
    /// Something bigger stands before a region when the change goes on outside it, by one pixel for this many of its own ...
    pub(crate) const REACHES_OUT: usize = 3;
    /// ... and by this many pixels more.
    pub(crate) const REACHES_OUT_PX: usize = 4;
    /// When fewer than one in this many pixels of its crop are left, the crop shows mostly street and is cut anew.
    pub(crate) const RECROP: usize = 2;
    /// A region ends when it has less than one part in this many of the smallest blob's pixels.
    pub(crate) const MIN_PART: usize = 2;
    /// Mean squared contrast below which a crop is flat, grey levels.
    pub(crate) const FLAT: f32 = 2.0;
    /// Two flat crops are alike within this, grey levels.
    pub(crate) const FLAT_ALIKE: f32 = 10.0;
    /// A region appeared when this share of its pixels had changed ...
    pub(crate) const APPEARED_PERCENTILE: f32 = 0.1;
    /// ... and is still since the median pixel is.
    pub(crate) const STILL_PERCENTILE: f32 = 0.5;
    /// Regions of one gate at most, whatever is configured: a pixel names its owner in one byte.
    pub(crate) const MAX_SLOTS: usize = 250;
}

/// The history of the background.
pub(super) mod history {
    /// Between two entries, s.
    pub(crate) const EVERY_S: f64 = 60.0;
    /// Entries; the older, the farther apart. 24 of 14 kB reach a day back.
    pub(crate) const AT_MOST: usize = 24;
    /// Share of a blob that must lie within the background's own tolerance of an entry.
    pub(crate) const ALIKE: f32 = 0.75;
    /// And its mean difference from the entry, as a share of that from the background.
    pub(crate) const NEARER: f32 = 0.4;
    /// The illumination must explain this share of the entry, or nothing can be said.
    pub(crate) const EXPLAINED: f32 = 0.5;
}

/// Objects stand in a zone with their feet and stick out of it with their tops: px added around each zone.
pub(super) const ZONE_MARGIN_PX: usize = 3;
