//! How a journal is written.

use std::fs::File;

/// How what was written comes onto the disk.
#[derive(Clone, Copy, Debug)]
pub struct Syncs {
    pub file: fn(&File) -> std::io::Result<()>,
    /// After a file of this folder was made.
    pub folder: fn(&File) -> std::io::Result<()>,
}

/// The real ones; a simulated power cut watches them instead, to know what it may take away.
impl Default for Syncs {
    fn default() -> Self {
        Syncs { file: File::sync_data, folder: File::sync_all }
    }
}

#[derive(Clone, Debug)]
pub struct JournalSettings {
    /// A segment that is longer is closed, bytes.
    pub segment_bytes: u64,
    pub syncs: Syncs,
    pub utc_offset_s: i32,
    /// Names this start of the program in every record.
    pub boot: String,
}
