//! Gate: is a frame worth the detector's time, and what has changed and then stayed?
//!
//! The gate sees small luma pictures. It knows the background of each pixel, compensates the light and small shifts of the
//! camera, judges the scene as a whole, and follows static regions. One [`Gate`] a camera, on the camera's thread. It must
//! not know what an object is: regions are pixels, boxes and times.
//!
//! | file | owns |
//! |---|---|
//! | `report` | what a gate reports |
//! | `step` | [`Gate`]: the order in which one frame is judged |
//! | `scene` | learning, changes of light, covered, moved |
//! | `street` | what is known of the street: background, regions, alignment |
//! | `background`, `history` | what each pixel is expected to show, and what it showed hours ago |
//! | `illumination`, `alignment` | gain and offset of the light; shift of the camera, covered lens |
//! | `repetition`, `attention` | frozen pictures; which frames are active or due for the detector |
//! | `grid`, `mask` | boxes and neighbours of pixels; which pixels are watched |
//! | `blobs`, `region`, `regions` | what changed and stayed: in one frame, over frames, all of it |
//! | `config`, `tuning` | what a gate is given; every constant with its reason |

mod alignment;
mod attention;
mod background;
mod blobs;
mod config;
mod grid;
mod history;
mod illumination;
mod mask;
mod region;
mod regions;
mod repetition;
mod report;
mod scene;
mod step;
mod street;
#[cfg(test)]
mod tests;
mod tuning;

pub use self::config::{GateConfig, GateCounters};
pub use self::report::{GateReport, RegionKind, Scene, StaticRegion};
pub use self::step::Gate;
