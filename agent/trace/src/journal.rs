//! Journal: the truth of the box. Append-only segments of self-checking, hash-chained JSON lines.
//!
//! Everything that leaves or enters the box is a record here first; the index in sled is made from it. What
//! [`Journal::append`] returned is on the disk. It must not know what the bodies mean.
//!
//! Damage is never silent, not even where the disk cannot read at all: a reader finds the next record by its magic,
//! counts what is bad and names every missing number. After damage at its end, or after a failed sync, a segment is not
//! written again; a new one begins.
//!
//! | file | owns |
//! |---|---|
//! | `record`, `kind` | one record: how it is written, sealed and checked; what kinds there are. Pure |
//! | `scan` | the bytes of a segment after whatever happened to them. Pure |
//! | `segment` | the files of a folder |
//! | `log` | the open journal: where it stands, how that is found at the start |
//! | `append`, `read`, `retention` | what can be done with it |
//! | `view` | the journal as it stood, for another thread |
//! | `audit` | a whole journal read from outside, also a live box's |

mod append;
pub mod audit;
mod entry;
mod error;
mod kind;
mod log;
mod read;
pub mod record;
mod retention;
pub mod scan;
mod segment;
mod settings;
#[cfg(test)]
mod tests;
mod view;

pub use entry::{Appended, Durability, Entry, RecordLocation};
pub use error::JournalError;
pub use kind::RecordKind;
pub use log::Journal;
pub use record::Record;
pub use retention::AgeLimit;
pub use scan::Damage;
pub use settings::{JournalSettings, Syncs};
pub use view::{Begin, JournalView};
