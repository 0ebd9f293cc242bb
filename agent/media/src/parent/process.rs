//! A running capture child: its pipes and its end. Nobody outside this folder sees a process.

use std::io::BufReader;
use std::process::{Child, ChildStdin, Command};
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use crate::proto::{self, FromChild, ProtoError, ToChild};
use crate::tuning::MESSAGE_QUEUE;

/// A running child. Dropped, it is killed and reaped.
#[derive(Debug)]
pub(super) struct CaptureProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Ends (disconnects) when the child's pipe does; an `Err` is the last message.
    pub(super) messages: Receiver<Result<FromChild, ProtoError>>,
}

impl CaptureProcess {
    pub(super) fn spawn(mut command: Command) -> std::io::Result<Self> {
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| std::io::Error::other("no pipe from the child"))?;
        let (sender, messages) = crossbeam_channel::bounded(MESSAGE_QUEUE);
        // The thread ends with the child's pipe, or when the session no longer listens.
        std::thread::Builder::new().name("capture-pipe".into()).spawn(move || {
            let mut from = BufReader::with_capacity(64 * 1024, stdout);
            loop {
                let message = match proto::read_from_child(&mut from) {
                    Ok(None) => return,
                    Ok(Some(message)) => Ok(message),
                    Err(error) => Err(error),
                };
                let last = message.is_err();
                if sender.send(message).is_err() || last {
                    return;
                }
            }
        })?;
        Ok(CaptureProcess { child, stdin, messages })
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
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
