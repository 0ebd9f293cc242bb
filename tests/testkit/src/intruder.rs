//! Takes over a thread of a running process and makes it call the kernel, as somebody would who had found a hole in a decoder.
//! What the kernel answers there, it answers that process: its filters, its Landlock, its rights.
//!
//! By `ptrace`, from outside, on x86_64. The thread is one that waits in a system call; it goes on waiting afterwards.
#![allow(unsafe_code)]

use anyhow::{Context as _, Result, ensure};
use rustix::process::Pid;

/// Below the part of a stack that is in use.
const BELOW_STACK: u64 = 4096;

/// A thread in our hands.
#[derive(Debug)]
pub struct Intruder {
    thread: i32,
    saved: libc::user_regs_struct,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// What the kernel answered: from -4095 to -1 an error.
    Returned(i64),
    /// The signal that ended the process.
    Ended(i32),
}

impl Intruder {
    /// Takes over the thread `name` of the process.
    pub fn enter(process: Pid, name: &str) -> Result<Intruder> {
        let thread = thread_named(process, name)?;
        trace(libc::PTRACE_ATTACH, thread, 0, 0).context("attaching")?;
        ensure!(matches!(wait(thread)?, Stop::Stopped), "the thread is gone");
        let mut intruder = Intruder { thread, saved: zeroed() };
        intruder.saved = intruder.registers()?;
        let before = trace(libc::PTRACE_PEEKTEXT, thread, intruder.saved.rip - 2, 0)?;
        ensure!(before & 0xffff == 0x050f, "thread {name} waits in no system call");
        Ok(intruder)
    }

    /// Makes it call `number`; a text stands in its memory, and its address takes the place of the argument `text.0`.
    pub fn call(&mut self, number: i64, arguments: [u64; 6], text: Option<(usize, &str)>) -> Result<Called> {
        let mut arguments = arguments;
        if let Some((place, text)) = text {
            let at = (self.saved.rsp - BELOW_STACK - 512) & !7;
            self.write(at, text.as_bytes())?;
            if let Some(argument) = arguments.get_mut(place) {
                *argument = at;
            }
        }
        let [a, b, c, d, e, f] = arguments;
        let mut registers = self.saved;
        // Once more through the instruction in which it waits; nothing is to be called again afterwards.
        (registers.rip, registers.rax, registers.orig_rax) = (self.saved.rip - 2, number as u64, u64::MAX);
        (registers.rdi, registers.rsi, registers.rdx) = (a, b, c);
        (registers.r10, registers.r8, registers.r9) = (d, e, f);
        self.set_registers(&registers)?;
        for _ in ["into the call", "out of it"] {
            if let Some(ended) = self.go_on()? {
                return Ok(ended);
            }
        }
        let answer = self.registers()?.rax as i64;
        // A call that ends the process is rolled back first: its number stands where the answer would.
        let ended = if answer == number { self.go_on()? } else { None };
        Ok(ended.unwrap_or(Called::Returned(answer)))
    }

    fn go_on(&self) -> Result<Option<Called>> {
        trace(libc::PTRACE_SYSCALL, self.thread, 0, 0)?;
        Ok(match wait(self.thread)? {
            Stop::Ended(signal) => Some(Called::Ended(signal)),
            Stop::Stopped => None,
        })
    }

    fn write(&self, at: u64, text: &[u8]) -> Result<()> {
        let mut padded = text.to_vec();
        padded.resize(text.len() / 8 * 8 + 8, 0);
        for (word, at) in padded.chunks_exact(8).zip((at..).step_by(8)) {
            let word = u64::from_le_bytes(word.try_into()?);
            trace(libc::PTRACE_POKEDATA, self.thread, at, word)?;
        }
        Ok(())
    }

    fn registers(&self) -> Result<libc::user_regs_struct> {
        let mut registers = zeroed();
        trace(libc::PTRACE_GETREGS, self.thread, 0, &raw mut registers as u64)?;
        Ok(registers)
    }

    fn set_registers(&self, registers: &libc::user_regs_struct) -> Result<()> {
        trace(libc::PTRACE_SETREGS, self.thread, 0, &raw const *registers as u64).map(drop)
    }
}

impl Drop for Intruder {
    /// Leaves the thread as it was. One that was ended needs nothing.
    fn drop(&mut self) {
        let _ = self.set_registers(&self.saved);
        let _ = trace(libc::PTRACE_DETACH, self.thread, 0, 0);
    }
}

enum Stop {
    Stopped,
    Ended(i32),
}

fn thread_named(process: Pid, name: &str) -> Result<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.as_raw_nonzero()))?;
    let named =
        |task: &std::path::Path| std::fs::read_to_string(task.join("comm")).is_ok_and(|n| n.trim() == name);
    let task = tasks.flatten().map(|entry| entry.path()).find(|task| named(task));
    let id = task.as_deref().and_then(|task| task.file_name()?.to_str()?.parse().ok());
    id.with_context(|| format!("no thread {name} in process {process:?}"))
}

fn zeroed() -> libc::user_regs_struct {
    // SAFETY: a struct of numbers, for which zeros are values.
    unsafe { std::mem::zeroed() }
}

/// One request. For PEEKTEXT the answer of the kernel is the word itself.
fn trace(request: libc::c_uint, thread: i32, address: u64, data: u64) -> Result<u64> {
    let mut word = 0_u64;
    let data = if request == libc::PTRACE_PEEKTEXT { &raw mut word as u64 } else { data };
    // SAFETY: the raw call, since the library's own has two forms. `data` is a number, or points to what the request reads or
    // writes, which outlives it; what happens in the other process is what is wanted.
    let done = unsafe { libc::syscall(libc::SYS_ptrace, request, thread, address, data) };
    ensure!(done >= 0, "ptrace {request}: {}", std::io::Error::last_os_error());
    Ok(word)
}

fn wait(thread: i32) -> Result<Stop> {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let waited = unsafe { libc::waitpid(thread, &mut status, libc::__WALL) };
    ensure!(waited == thread, "waiting for the thread: {}", std::io::Error::last_os_error());
    if libc::WIFSTOPPED(status) {
        return Ok(Stop::Stopped);
    }
    Ok(Stop::Ended(if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 }))
}
