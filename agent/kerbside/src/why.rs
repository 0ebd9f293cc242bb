//! Why not: the things that were no incident, kept on the box for whoever asks why nothing was reported.
//!
//! The core says it ([`Refusal`](kerbside_seeing::incident::Refusal)); the evidence stage cuts the picture of the thing out of
//! the camera's ring and hands both to the [`Shelf`]; `kerbside why` and the console read it with [`read`]. A replay writes the
//! same entries to `refusals.ndjson`.
//!
//! | file | owns |
//! |---|---|
//! | `entry` | one entry, as it is stored, and as a line of text |
//! | `shelf` | the ring of files |
//! | `command` | `kerbside why`: filters and prints |

mod command;
mod entry;
mod shelf;

use std::path::{Path, PathBuf};

pub use command::command;
pub(crate) use entry::place;
pub use entry::{Entry, NoPicture, Picture};
pub use shelf::{MAX_ENTRIES, Shelf, ShelfCounters, read};

/// Where the entries of a box lie.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("why")
}
