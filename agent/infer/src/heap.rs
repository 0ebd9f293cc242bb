//! Trimming the heap: a network comes and goes in blocks of megabytes (read, parsed, unfolded, packed). In glibc's heap they leave
//! holes that stay with the process, so what is free afterwards is returned to the system.
#![allow(unsafe_code)]

#[cfg(target_env = "gnu")]
pub(super) fn trim() {
    // SAFETY: takes no pointer, locks the heap by itself, and moves nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(target_env = "gnu"))]
pub(super) fn trim() {}

/// Trims the heap when it is dropped. It is the last field of whoever holds a network, so it is dropped after it.
#[derive(Debug)]
pub(super) struct TrimOnDrop;

impl Drop for TrimOnDrop {
    fn drop(&mut self) {
        trim();
    }
}
