//! Starting a child in its cell, and the limits that are set from outside.
//!
//! Each child has a thread of its own: it enters the cell (`cell`), starts the child there and reads what it says. The child
//! dies with that thread (`child::confine`), so the thread lives as long as the child's output does.

use std::io;
use std::process::{Child, ChildStderr, ChildStdout, Command};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::cell::{Cell, Entered};
use crate::tuning::CHILD_OOM_SCORE;

/// A child that runs in its cell. Its output is with the thread that started it.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) child: Child,
    pub(super) stderr: Option<ChildStderr>,
    pub(super) entered: Entered,
}

/// Starts `command` in `cell` and has `read` called with its output, on the thread `name`.
pub(super) fn start(
    mut command: Command,
    cell: Cell,
    name: &str,
    read: impl FnOnce(ChildStdout) + Send + 'static,
) -> io::Result<Started> {
    let (sender, started) = crossbeam_channel::bounded(1);
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        let entered = cell.enter();
        match command.spawn() {
            Err(error) => drop(sender.send(Err(error))),
            Ok(mut child) => {
                let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
                let given = sender.send(Ok(Started { child, stderr, entered }));
                if let (Ok(()), Some(stdout)) = (given, stdout) {
                    read(stdout);
                }
            }
        }
    })?;
    let started = started.recv().unwrap_or_else(|_| Err(io::Error::other("its thread ended")))?;
    prefer_for_oom(&started.child);
    Ok(started)
}

/// When memory runs out the kernel ends a child before the agent. Best effort: it is the box's last line of defence, not ours.
fn prefer_for_oom(child: &Child) {
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), CHILD_OOM_SCORE);
}

/// What a child may take, set by its parent before it gets a byte of a stranger's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Address space beyond what it has mapped by then (the libraries), bytes.
    pub(super) memory: u64,
    /// Longest file that it may write, bytes.
    pub(super) file: u64,
    /// Open descriptors.
    pub(super) descriptors: u64,
}

impl Limits {
    /// Sets them for a child that has loaded its libraries. A child that is gone needs none.
    ///
    /// There is none for processes: RLIMIT_NPROC counts all of a user's, the agent's own too. The filter of system calls forbids
    /// the child to make any.
    pub(super) fn set(&self, child: &Child) {
        let Some(pid) = Pid::from_raw(child.id() as i32) else { return };
        let mapped = statm(child, 0).unwrap_or(1 << 30);
        let limits = [
            (Resource::As, mapped.saturating_add(self.memory)),
            (Resource::Fsize, self.file),
            (Resource::Nofile, self.descriptors),
            (Resource::Core, 0),
        ];
        for (resource, limit) in limits {
            let _ = prlimit(Some(pid), resource, Rlimit { current: Some(limit), maximum: Some(limit) });
        }
    }
}

/// Resident memory of a child, bytes.
pub(super) fn resident_bytes(child: &Child) -> Option<u64> {
    statm(child, 1)
}

/// A field of /proc/PID/statm in bytes: 0 what is mapped, 1 what is resident.
fn statm(child: &Child, field: usize) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", child.id())).ok()?;
    let pages: u64 = statm.split_whitespace().nth(field)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
