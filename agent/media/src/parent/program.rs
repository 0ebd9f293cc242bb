//! The program that runs as a child: its path, its arguments, and what it may see of our environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::walls::Walls;

/// What the child sees of our environment: where libraries and plug-ins are, nothing else.
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

/// The program that captures, with the arguments that come first. Usually this very program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptureProgram {
    pub path: PathBuf,
    pub args: Vec<OsString>,
    /// What it must read beside itself and the system's libraries: an emulator and its libraries.
    pub reads: Vec<PathBuf>,
    /// What stands around its children.
    pub walls: Walls,
}

impl CaptureProgram {
    /// This program's `capture` command, or what `KERBSIDE_CAPTURE` names instead, split at white space
    /// (under an emulator: the emulator, its options and the program).
    pub fn this() -> std::io::Result<Self> {
        if let Ok(words) = std::env::var("KERBSIDE_CAPTURE") {
            let reads =
                words.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect();
            let mut words = words.split_whitespace().map(OsString::from);
            if let Some(program) = words.next() {
                let args = words.chain([OsString::from("capture")]).collect();
                return Ok(CaptureProgram { path: program.into(), args, reads, walls: Walls::default() });
            }
        }
        Ok(CaptureProgram::of(std::env::current_exe()?))
    }

    /// The `capture` command of `program`.
    pub fn of(program: impl Into<PathBuf>) -> Self {
        CaptureProgram { path: program.into(), args: vec!["capture".into()], ..CaptureProgram::default() }
    }

    /// The same program with these walls around its children.
    pub fn with_walls(self, walls: Walls) -> Self {
        CaptureProgram { walls, ..self }
    }

    /// The same command of `kerbside-devices`, which stands beside it.
    pub(super) fn for_devices(&self) -> Self {
        let beside = |program: &Path| program.with_file_name("kerbside-devices");
        let mut devices = self.clone();
        // Under an emulator the program is the last word before the command.
        match devices.args.len().checked_sub(2).and_then(|ix| devices.args.get_mut(ix)) {
            Some(program) => {
                *program = beside(Path::new(program)).into();
                devices.reads.push(PathBuf::from(&*program));
            }
            None => devices.path = beside(&devices.path),
        }
        devices
    }

    /// Ready to start: pipes on stdin and stdout, an almost empty environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.args).env_clear();
        command.envs(ENVIRONMENT.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        command.env("OPENCV_LOG_LEVEL", "ERROR");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
