//! Pictures: sizes, scaling, colours and drawing, with the same bytes on every machine. Child and parent both use it.
//!
//! `size` and `shrink` are pure integer arithmetic; `scale`, `turned` and `pen` (feature `camera`) call FFmpeg's scaler and OpenCV.

mod drawing;
#[cfg(feature = "camera")]
pub(crate) mod pen;
#[cfg(feature = "camera")]
pub(crate) mod scale;
#[cfg(any(feature = "camera", test))]
pub(crate) mod shrink;
#[cfg(any(feature = "camera", test))]
pub(crate) mod size;
#[cfg(feature = "camera")]
pub(crate) mod turned;

pub use drawing::Drawing;
