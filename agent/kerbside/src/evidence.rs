//! Evidence: pictures, clip and manifest of an incident or a command, durable before anything names them (invariant 8).
//!
//! Nothing is decoded here. A [`ClipJob`](kerbside_media::clip::ClipJob) goes to a child process that writes files under temporary
//! names; this stage makes them durable, hashes them and writes the manifest. Early beats rich: pictures are handed on as soon as
//! they are durable, the clip when its post-roll has passed.
//!
//! * [`Evidence`] is the stage: `pictures` and `clips` make its files, `pins` holds packets for candidates, `drawings` says what is
//!   drawn, `shortfall` says what is missing. [`EvidenceThread`] gives it a thread; a replay calls it inline.
//! * `signing` puts a signature into each picture and clip that verifiers of others read, `box_signer` says in whose name.
//! * `refused` keeps what was no incident, with a picture where there is time for one.
//! * `sheet` makes the one picture an officer needs, `officer` says what stands beside it and what is masked, `dating` writes EXIF.
//! * `files` makes a file durable, `manifest` lists a set of files with their hashes, `seal` signs it.
//! * [`Scrub`] reads what lies there again, slowly, and says what a disk has changed.
//! * [`Retention`] deletes, [`set_retention_hold`] protects, [`Watermark`] leaves room on the disk to reports.
//! * `tuning`: every constant with its unit and reason.

mod box_signer;
mod camera;
mod clips;
mod dating;
mod drawings;
mod files;
mod folders;
mod manifest;
mod officer;
mod pictures;
mod pins;
mod refused;
mod retention;
mod retention_hold;
mod room;
mod scrub;
#[cfg(test)]
mod scrub_tests;
mod seal;
mod sheet;
#[cfg(test)]
mod sheet_tests;
mod shortfall;
mod signing;
mod stage;
mod thread;
mod tuning;

pub use box_signer::Signing;
pub use camera::EvidenceCamera;
pub use files::FileError;
pub(crate) use folders::{folders_of, is_mark};
pub use manifest::{Manifest, ManifestItem};
pub use officer::{Finder, Look, Officer, finder_of};
pub use retention::{Protected, Pruned, Retention};
pub use retention_hold::{HoldChange, set_retention_hold};
pub use room::{Room, Watermark};
pub use scrub::{DamagedFile, SCRUB_FILE, Scrub, ScrubState, scrub_state};
pub use seal::{JournalPosition, SIGNATURE_SUFFIX, Seal, Sealer};
pub use stage::{Evidence, EvidenceCounters};
pub use thread::{BoxPoint, EvidenceTask, EvidenceThread, spawn};

#[cfg(test)]
mod refused_tests;
#[cfg(test)]
mod retention_tests;
#[cfg(test)]
pub(crate) mod tests;
