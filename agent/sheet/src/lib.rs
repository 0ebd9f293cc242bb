//! The officer's pictures: one sheet an incident, the window of the close-up, masks over people and number plates, EXIF. Pure.
//!
//! * [`sheet`] puts place, close-up, before and now on one picture with the facts beside them, [`layout`] says what goes where.
//! * [`caption`] are the facts as an officer reads them, [`font`] draws them: a subset of Noto Sans CJK SC, see `font/README.md`.
//! * [`window`] says which part of a picture shows a thing, [`mask`] which parts must not leave the box.
//! * [`exif`] writes when, where and of what a picture is into its JPEG.
//! * [`picture`] holds pixels: read from JPEG, cut, scaled, written as JPEG of a bounded size.
//!
//! It knows no files, no clock and no network: whoever calls has the pictures and says what the networks saw in them.

pub mod caption;
pub mod exif;
pub mod font;
pub mod layout;
pub mod mask;
pub mod picture;
pub mod sheet;
pub mod window;

pub use caption::{Caption, PlaceText};
pub use mask::{Masks, masks_of};
pub use picture::{Picture, PictureError};
pub use sheet::{Sheet, SheetPanels};
