//! What a child gives up before it reads a byte of what a camera sends.
//!
//! The only file that closes descriptors it did not open; `libav_sys.rs` is the other file of this crate with `unsafe`.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

use rustix::io::FdFlags;
use rustix::process::{Resource, Rlimit, Signal};

/// The first thing a child does: it dies with its parent (the thread that started it), and holds nothing but its pipes.
pub(super) fn begin() {
    // Even if we are stuck inside a library.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    close_inherited();
}

/// Limits the address space to what is mapped already (the libraries) and `bytes` more; no core files.
pub(super) fn limit_memory(bytes: u64) {
    let limit = status_bytes("VmSize:").unwrap_or(1 << 30).saturating_add(bytes);
    let _ = rustix::process::setrlimit(Resource::As, Rlimit { current: Some(limit), maximum: Some(limit) });
    let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// A line of /proc/self/status, bytes.
pub(super) fn status_bytes(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Whoever started our parent may have left files open in it without close-on-exec; only those reach us. What libraries open
/// for themselves before `main` carries the flag and is left alone.
fn close_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<i32> = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    for fd in open.into_iter().filter(|&fd| fd > 2) {
        // SAFETY: the borrow ends with the call; a number that is no longer open (the listing's own) gives an error.
        let flags = rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(fd) });
        if flags.is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC)) {
            // SAFETY: `fd` is open. This runs first in `main`, before this process opened anything that it keeps, so
            // nobody owns it.
            unsafe { rustix::io::close(fd) };
        }
    }
}
