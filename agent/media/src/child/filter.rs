//! Filters of system calls: seccomp, built by `seccompiler`. The numbers are those of the machine that the program is built for.
//!
//! Filters add up, and the strictest answer counts. What a decoder calls is a list (`syscalls`), and the rest counts as missing
//! in this kernel (ENOSYS), for which libraries are prepared; what no honest child ever calls ends the process; what is honest
//! only with some arguments is refused with the others (EPERM). Each filter holds for all threads of the process.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use super::syscalls;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// One layer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filter<'a> {
    /// What ends the process. `may_execute`: but for running programs.
    Lethal { may_execute: bool },
    /// What is missing in this kernel: all but the list.
    Known,
    /// Arguments that are refused: other processes, new code, processes of its own.
    Refused,
    /// What is missing in this kernel where there is no list: a call whose arguments no filter sees.
    Missing,
    /// What changes files by their names, where no list of calls refuses it: rights, owners, attributes, length.
    Changes,
    /// Families of sockets that are refused: all but these.
    Sockets { allowed: &'a [i32] },
    /// No socket, no connection, no process any more; with `files`, no file and no code either.
    Sealed { files: bool },
}

/// Applies a filter to all threads of this process, for ever.
pub(super) fn apply(filter: &Filter<'_>) -> Result<(), String> {
    let program = program(filter).map_err(|error| format!("filter of system calls: {error}"))?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| format!("seccomp: {error}"))
}

fn program(filter: &Filter<'_>) -> Result<BpfProgram, BackendError> {
    let refuse = || SeccompAction::Errno(libc::EPERM as u32);
    let (rules, others, these) = match filter {
        Filter::Lethal { may_execute } => {
            (lethal(*may_execute)?, SeccompAction::Allow, SeccompAction::KillProcess)
        }
        Filter::Known => {
            (always(syscalls::KNOWN), SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow)
        }
        Filter::Refused => (refused()?, SeccompAction::Allow, refuse()),
        Filter::Missing => {
            (always(&[libc::SYS_clone3]), SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))
        }
        Filter::Changes => (always(syscalls::CHANGING), SeccompAction::Allow, refuse()),
        Filter::Sockets { allowed } => (sockets(allowed)?, SeccompAction::Allow, refuse()),
        Filter::Sealed { files } => (sealed(*files)?, SeccompAction::Allow, refuse()),
    };
    SeccompFilter::new(rules, others, these, TargetArch::try_from(std::env::consts::ARCH)?)?.try_into()
}

fn always(calls: &[i64]) -> Rules {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

/// A namespace is never asked for by a library, whatever the thread or process is for.
fn lethal(may_execute: bool) -> Result<Rules, BackendError> {
    let mut rules = always(syscalls::LETHAL);
    if !may_execute {
        rules.extend(always(&[libc::SYS_execve, libc::SYS_execveat]));
    }
    let namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let rule = |flag: i32| one(0, Len::Qword, Op::MaskedEq(flag as u64), flag as u64);
    rules.insert(libc::SYS_clone, namespaces.into_iter().map(rule).collect::<Result<_, _>>()?);
    Ok(rules)
}

fn refused() -> Result<Rules, BackendError> {
    let pid = std::process::id().into();
    let code = libc::PROT_EXEC as u64;
    let writable_code = (libc::PROT_EXEC | libc::PROT_WRITE) as u64;
    let anonymous = libc::MAP_ANONYMOUS as u64;
    let signals = [libc::F_SETOWN, syscalls::F_SETOWN_EX, syscalls::F_SETSIG];
    Ok(Rules::from([
        // A thread is welcome, a process is not.
        (libc::SYS_clone, vec![one(0, Len::Qword, Op::MaskedEq(libc::CLONE_THREAD as u64), 0)?]),
        // To itself alone: `abort` and `pthread_kill` do.
        (libc::SYS_kill, vec![one(0, Len::Dword, Op::Ne, pid)?]),
        (libc::SYS_tgkill, vec![one(0, Len::Dword, Op::Ne, pid)?]),
        (
            libc::SYS_fcntl,
            signals.into_iter().map(|c| one(1, Len::Dword, Op::Eq, c as u64)).collect::<Result<_, _>>()?,
        ),
        // Code comes out of files alone, and what was written does not become code.
        (
            libc::SYS_mmap,
            vec![
                one(2, Len::Dword, Op::MaskedEq(writable_code), writable_code)?,
                SeccompRule::new(vec![
                    is(2, Len::Dword, Op::MaskedEq(code), code)?,
                    is(3, Len::Dword, Op::MaskedEq(anonymous), anonymous)?,
                ])?,
            ],
        ),
        (libc::SYS_mprotect, vec![one(2, Len::Dword, Op::MaskedEq(code), code)?]),
        // Limits are read, not set, and of itself.
        (
            libc::SYS_prlimit64,
            vec![
                one(2, Len::Qword, Op::Ne, 0)?,
                SeccompRule::new(vec![is(0, Len::Dword, Op::Ne, 0)?, is(0, Len::Dword, Op::Ne, pid)?])?,
            ],
        ),
        (libc::SYS_prctl, vec![none_of(0, syscalls::PRCTL)?]),
        (libc::SYS_ioctl, vec![none_of(1, syscalls::IOCTL)?]),
    ]))
}

fn sockets(allowed: &[i32]) -> Result<Rules, BackendError> {
    let mut rules = always(&[libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4]);
    let families: Vec<u64> = allowed.iter().map(|&family| family as u64).collect();
    if families.is_empty() {
        rules.extend(always(&[libc::SYS_socket, libc::SYS_socketpair]));
        return Ok(rules);
    }
    rules.insert(libc::SYS_socket, vec![none_of(0, &families)?]);
    // A pair of streams is a pipe, which an event loop wakes itself with. One of datagrams could be connected elsewhere.
    let types = [libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET];
    let rule = |kind: i32| one(1, Len::Dword, Op::MaskedEq(0xf), kind as u64);
    rules.insert(libc::SYS_socketpair, types.into_iter().map(rule).collect::<Result<_, _>>()?);
    Ok(rules)
}

fn sealed(files: bool) -> Result<Rules, BackendError> {
    let mut rules = always(syscalls::CONNECTING);
    let pid = std::process::id().into();
    for call in [libc::SYS_kill, libc::SYS_tgkill] {
        rules.insert(call, vec![one(0, Len::Dword, Op::Ne, pid)?]);
    }
    rules.insert(libc::SYS_clone, vec![one(0, Len::Qword, Op::MaskedEq(libc::CLONE_THREAD as u64), 0)?]);
    if files {
        rules.extend(always(syscalls::OPENING));
        rules.insert(
            libc::SYS_mmap,
            vec![one(2, Len::Dword, Op::MaskedEq(libc::PROT_EXEC as u64), libc::PROT_EXEC as u64)?],
        );
    }
    Ok(rules)
}

fn is(argument: u8, len: Len, op: Op, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, len, op, value)
}

/// A rule of one condition.
fn one(argument: u8, len: Len, op: Op, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![is(argument, len, op, value)?])
}

/// The argument is none of these values.
fn none_of(argument: u8, values: &[u64]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(
        values.iter().map(|&value| is(argument, Len::Dword, Op::Ne, value)).collect::<Result<_, _>>()?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_can_be_built_and_is_short_enough_for_the_kernel() {
        let filters = [
            Filter::Lethal { may_execute: true },
            Filter::Lethal { may_execute: false },
            Filter::Known,
            Filter::Refused,
            Filter::Missing,
            Filter::Changes,
            Filter::Sockets { allowed: &[] },
            Filter::Sockets { allowed: &[libc::AF_INET, libc::AF_INET6, libc::AF_UNIX] },
            Filter::Sealed { files: true },
            Filter::Sealed { files: false },
        ];
        for filter in filters {
            let program = program(&filter).unwrap();
            assert!((4..4096).contains(&program.len()), "{filter:?}: {}", program.len());
        }
    }

    #[test]
    fn nothing_is_known_that_ends_the_process() {
        let lethal = syscalls::LETHAL.iter().find(|call| syscalls::KNOWN.contains(call));
        assert_eq!(lethal, None);
        let never =
            [libc::SYS_execve, libc::SYS_execveat, libc::SYS_clone3, libc::SYS_listen, libc::SYS_unlinkat];
        assert!(never.iter().all(|call| !syscalls::KNOWN.contains(call)));
    }
}
