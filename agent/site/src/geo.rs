//! Geometry and codes: pixel to ground, datum, unit grid, matter codes. Pure; it knows no site.

mod code_form;
mod codes;
mod datum;
mod grid;
pub(crate) mod homography;

pub use codes::{AlsoCode, CURRENT_SCHEME, CodeTable, CodesError, Matter};
pub use datum::{LocalPlane, distance_m, gcj02};
pub use grid::{GridError, GridTable, Located};
pub use homography::{ControlPoint, Ground, Homography, HomographyError};
