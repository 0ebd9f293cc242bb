//! What a child gives up: by itself, once its libraries are loaded and before it has read a byte of what a camera sends, and
//! again when its source is open.
//!
//! Files and TCP are held by Landlock from outside (`parent::cell`), memory and descriptors by limits (`parent::start`). Here
//! are the filters of system calls (`filter`), and what only a process itself can do. The only file that closes descriptors it
//! did not open.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

use rustix::io::FdFlags;
use rustix::process::{Resource, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::filter::{self, Filter};
use crate::url;

/// Inherited descriptors are looked for up to this number. Bound: a parent that has more open has them marked.
const MAX_INHERITED: u64 = 4096;

/// What a child is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads a camera on a network, or a file.
    Capture,
    /// Makes a clip.
    Clip,
    /// Reads devices and pipelines: drivers and plug-ins call what nobody can list.
    Devices,
}

/// The first thing a child does: it dies with its parent (the thread that started it), holds nothing but its pipes, and can call
/// nothing but what a decoder needs. `Err`: why its system calls are not filtered.
pub(super) fn begin(kind: Kind) -> Result<(), String> {
    // Even if we are stuck inside a library.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    close_inherited();
    drop_capabilities();
    if kind != Kind::Devices {
        refuse_new_code();
    }
    filter::apply(&Filter::Lethal { may_execute: kind == Kind::Devices })?;
    match kind {
        Kind::Devices => filter::apply(&Filter::Missing).and_then(|()| filter::apply(&Filter::Changes)),
        Kind::Capture => filter::apply(&Filter::Refused).and_then(|()| filter::apply(&Filter::Known)),
        Kind::Clip => {
            filter::apply(&Filter::Refused)?;
            filter::apply(&Filter::Sockets { allowed: &[] })?;
            filter::apply(&Filter::Known)
        }
    }
}

/// The source is known, nothing of it was read: sockets of other families than it needs go.
pub(super) fn before_opening(address: &str, kind: Kind) -> Result<(), String> {
    if kind == Kind::Devices {
        return Ok(());
    }
    let allowed: &[i32] = if !url::is_network(address) {
        &[]
    } else if url::is_multicast_name(address) {
        // The name is asked for through a local service.
        &[libc::AF_INET, libc::AF_INET6, libc::AF_UNIX]
    } else {
        &[libc::AF_INET, libc::AF_INET6]
    };
    filter::apply(&Filter::Sockets { allowed })
}

/// The source is open, its first packet is there: nothing is opened or connected any more.
pub(super) fn seal(kind: Kind) -> Result<(), String> {
    filter::apply(&Filter::Sealed { files: kind != Kind::Devices })?;
    match kind {
        Kind::Devices => filter::apply(&Filter::Lethal { may_execute: false }),
        Kind::Capture | Kind::Clip => Ok(()),
    }
}

/// Written memory does not become code, as the kernel itself holds it since 6.3; the filter holds it on every kernel.
fn refuse_new_code() {
    let gain = libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN);
    // SAFETY: no pointer is passed. An older kernel answers with an error, which changes nothing.
    unsafe { libc::prctl(libc::PR_SET_MDWE, gain, 0, 0, 0) };
}

/// Only a child of root has any. Best effort: the filter stands without it.
fn drop_capabilities() {
    let none = CapabilitySet::empty();
    let _ = rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    );
}

/// Whoever started our parent may have left files open in it without close-on-exec; only those reach us. What libraries open
/// for themselves before `main` carries the flag and is left alone.
fn close_inherited() {
    let limit = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(MAX_INHERITED);
    for fd in 3..limit.min(MAX_INHERITED) as i32 {
        // SAFETY: the borrow ends with the call; a number that is not open gives an error.
        let flags = rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(fd) });
        if flags.is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC)) {
            // SAFETY: `fd` is open. This runs first in `main`, before this process opened anything that it keeps, so
            // nobody owns it.
            unsafe { rustix::io::close(fd) };
        }
    }
}
