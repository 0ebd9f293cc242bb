//! Starting and ending a capture child: program, environment, pipes. Nobody outside this folder sees a process.

use std::ffi::OsString;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::proto::{self, FromChild, ProtoError, ToChild};

/// What the child may see of our environment: where libraries and plug-ins are, nothing else.
const ENVIRONMENT: [&str; 8] = [
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "QEMU_LD_PREFIX",
    "GST_PLUGIN_PATH",
    "GST_PLUGIN_SYSTEM_PATH",
    "GST_REGISTRY",
    "XDG_RUNTIME_DIR",
];
/// Messages between the reading thread and the session. When it is full the pipe fills, and the child waits.
const QUEUE: usize = 4;

/// The program that captures, with the arguments that come first. Usually this very program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exe {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

impl Exe {
    /// This program's `capture` command, or what `KERBSIDE_CAPTURE` says instead, split at white space
    /// (under an emulator: the emulator, its options and the program).
    pub fn this() -> std::io::Result<Self> {
        if let Ok(words) = std::env::var("KERBSIDE_CAPTURE") {
            let mut words = words.split_whitespace().map(OsString::from);
            if let Some(program) = words.next() {
                let args = words.chain([OsString::from("capture")]).collect();
                return Ok(Exe { program: program.into(), args });
            }
        }
        Ok(Exe::of(std::env::current_exe()?))
    }

    /// The `capture` command of `program`.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        Exe { program: program.into(), args: vec!["capture".into()] }
    }

    /// The same of `kerbside-devices`, which stands beside it.
    pub(super) fn for_devices(&self) -> Self {
        let beside = |program: &Path| program.with_file_name("kerbside-devices");
        let mut exe = self.clone();
        // Under an emulator the program is the last word before the command.
        match exe.args.len().checked_sub(2).and_then(|ix| exe.args.get_mut(ix)) {
            Some(program) => *program = beside(Path::new(program)).into(),
            None => exe.program = beside(&exe.program),
        }
        exe
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        command.env("OPENCV_LOG_LEVEL", "ERROR");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command
    }
}

/// A running child. Dropped, it is killed and reaped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Ends (disconnects) when the child's pipe does; an `Err` is the last message.
    pub(super) messages: Receiver<Result<FromChild, ProtoError>>,
}

impl Running {
    pub(super) fn spawn(mut command: Command) -> std::io::Result<Self> {
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(|| std::io::Error::other("no pipe from the child"))?;
        let (sender, messages) = crossbeam_channel::bounded(QUEUE);
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
        Ok(Running { child, stdin, messages })
    }

    pub(super) fn send(&mut self, message: &ToChild) -> Result<(), ProtoError> {
        match &mut self.stdin {
            Some(stdin) => proto::write_to_child(stdin, message),
            None => Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()),
        }
    }

    /// Asks the child to end, waits up to `limit` for its pipe to close, then kills it.
    pub(super) fn stop(mut self, limit: Duration) {
        let _ = self.send(&ToChild::Stop);
        self.stdin = None;
        let late = crossbeam_channel::after(limit);
        loop {
            select! {
                recv(self.messages) -> message => match message {
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) | Err(_) => return,
                },
                recv(late) -> _ => return,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stdin = None;
        // An exited child is only reaped by this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
