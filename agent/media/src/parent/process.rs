//! A running capture child: its pipes, what stands around it, and its end. Nobody outside this folder sees a process.

use std::io::BufReader;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};
use kerbside_site::config::Confine;

use super::enclosure::{self, Sealed};
use super::program::CaptureProgram;
use super::start::{self, Started};
use super::{cell::Cell, said};
use crate::confinement::Confinement;
use crate::proto::{self, FromChild, Greeting, OpenSource, ProtoError, ToChild};
use crate::tuning::MESSAGE_QUEUE;

/// A running child. Dropped, it is killed and reaped.
#[derive(Debug)]
pub(super) struct CaptureProcess {
    started: Started,
    stdin: Option<ChildStdin>,
    greeting: Option<Greeting>,
    demand: Confine,
    /// Ends (disconnects) when the child's pipe does; an `Err` is the last message.
    pub(super) messages: Receiver<Result<FromChild, ProtoError>>,
}

impl CaptureProcess {
    /// Starts a child in its cell. It gets its order when it has greeted.
    pub(super) fn start(program: &CaptureProgram, cell: Cell, name: String) -> std::io::Result<Self> {
        let (sender, messages) = crossbeam_channel::bounded(MESSAGE_QUEUE);
        let mut started =
            start::start(program.command(), cell, "capture-pipe", move |stdout| relay(stdout, &sender))?;
        said::log(name, started.stderr.take());
        let stdin = started.child.stdin.take();
        Ok(CaptureProcess { started, stdin, greeting: None, demand: program.walls.demand, messages })
    }

    /// The child's first message: it has loaded what it needs and is confined. It is told what to open, if it may.
    pub(super) fn greeted(
        &mut self,
        greeting: Greeting,
        open: OpenSource,
    ) -> Result<Confinement, ProtoError> {
        if greeting.version != proto::VERSION {
            return Err(ProtoError::Version { theirs: greeting.version });
        }
        if self.greeting.is_some() {
            return Err(ProtoError::OutOfTurn("a child greets once"));
        }
        enclosure::source_limits(&open).set(&self.started.child);
        let stands = enclosure::confinement(&self.started.entered, &greeting, &Sealed::NotYet);
        enclosure::demanded(self.demand, &stands)?;
        self.greeting = Some(greeting);
        self.send(&ToChild::Open(open))?;
        Ok(stands)
    }

    /// The child has greeted, and so been told what to open.
    pub(super) fn has_greeted(&self) -> bool {
        self.greeting.is_some()
    }

    /// The source is open. What stands from here on; `open`: why sockets and files can still be opened.
    pub(super) fn sealed(&self, open: Option<String>) -> Result<Confinement, ProtoError> {
        let Some(greeting) = &self.greeting else { return Err(ProtoError::OutOfTurn("no greeting came")) };
        let sealed = open.map_or(Sealed::Yes, Sealed::No);
        let stands = enclosure::confinement(&self.started.entered, greeting, &sealed);
        enclosure::demanded(self.demand, &stands)?;
        Ok(stands)
    }

    /// Resident memory of the child now, bytes. The child itself sees nothing of /proc.
    pub(super) fn resident_bytes(&self) -> u64 {
        start::resident_bytes(&self.started.child).unwrap_or(0)
    }

    /// A child that no longer listens is no error here: it has said why, or its pipe is about to end, and either tells more than
    /// a broken pipe.
    pub(super) fn send(&mut self, message: &ToChild) -> Result<(), ProtoError> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        match proto::write_to_child(stdin, message) {
            Err(ProtoError::Io { cause }) if cause.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Asks the child to end, waits up to `limit` for its pipe to close, then kills it.
    pub(super) fn stop(mut self, limit: Duration) {
        let _ = self.send(&ToChild::Stop);
        self.stdin = None;
        let timeout = crossbeam_channel::after(limit);
        loop {
            select! {
                recv(self.messages) -> message => match message {
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) | Err(_) => return,
                },
                recv(timeout) -> _ => return,
            }
        }
    }
}

impl Drop for CaptureProcess {
    fn drop(&mut self) {
        self.stdin = None;
        // An exited child is only reaped by this.
        let _ = self.started.child.kill();
        let _ = self.started.child.wait();
    }
}

/// Ends with the child's pipe, or when the session no longer listens.
fn relay(stdout: ChildStdout, messages: &Sender<Result<FromChild, ProtoError>>) {
    let mut from = BufReader::with_capacity(64 * 1024, stdout);
    loop {
        let message = match proto::read_from_child(&mut from) {
            Ok(None) => return,
            Ok(Some(message)) => Ok(message),
            Err(error) => Err(error),
        };
        let last = message.is_err();
        if messages.send(message).is_err() || last {
            return;
        }
    }
}
