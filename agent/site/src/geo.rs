//! Geometry and codes: pixel to ground, datum, unit grid, matter codes. Pure; it knows no site, only how long its texts may be.

mod categories;
mod code_form;
mod codes;
mod csv_table;
mod datum;
mod grid;
pub(crate) mod homography;
pub mod smallest;

pub use categories::{CategoryTable, NamedCategory};
pub use codes::{AlsoCode, CURRENT_SCHEME, CodeTable, Matter};
pub use csv_table::CodesError;
pub use datum::{LocalPlane, distance_m, gcj02};
pub use grid::{GridError, GridNames, GridTable, Located};
pub use homography::{ControlPoint, Ground, Homography, HomographyError, MAX_DISTANCE_M};
