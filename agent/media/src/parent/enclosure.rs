//! What stands around each kind of child, and what stands in the end.

use std::path::{Path, PathBuf};

use kerbside_site::config::Confine;

use super::cell::{self, Cell, Entered, Ports};
use super::program::CaptureProgram;
use super::said;
use super::start::{self, Limits, Started};
use crate::confinement::{Confinement, Wall};
use crate::proto::{Greeting, OpenSource, ProtoError};
use crate::tuning::{
    CHILD_DESCRIPTORS, CHILD_MEMORY_BYTES, CLIP_FILE_BYTES, DEVICES_DESCRIPTORS, DEVICES_FILE_BYTES,
};
use crate::url;

impl CaptureProgram {
    /// The cell of a child that gets nothing but this program.
    pub(super) fn cell(&self) -> Cell {
        let mut programs = vec![self.path.clone()];
        programs.extend(self.reads.iter().cloned());
        programs.extend(libraries_elsewhere());
        Cell {
            programs,
            reads: Vec::new(),
            writes: Vec::new(),
            keep_out: self.walls.keep_out.to_vec(),
            ports: Ports::Only(Vec::new()),
            devices: false,
            newest_abi: self.walls.newest_abi,
        }
    }

    /// The cell of a child that reads one source.
    pub(super) fn source_cell(&self, open: &OpenSource) -> Cell {
        let devices = url::is_device(&open.url, open.opencv);
        let ports = match url::tcp_port(&open.url) {
            // Names of hosts are asked for over TCP where the answer is long.
            Some(port) => Ports::Only(vec![port, 53]),
            None if open.url.starts_with("gst:") => Ports::Any,
            None => Ports::Only(Vec::new()),
        };
        let reads = url::file(&open.url).into_iter().collect();
        Cell { reads, ports, devices, ..self.cell() }
    }
}

/// What a child that reads this source may take.
pub(super) fn source_limits(open: &OpenSource) -> Limits {
    if url::is_device(&open.url, open.opencv) {
        Limits { memory: open.memory_bytes, file: DEVICES_FILE_BYTES, descriptors: DEVICES_DESCRIPTORS }
    } else {
        Limits { memory: open.memory_bytes, file: 0, descriptors: CHILD_DESCRIPTORS }
    }
}

/// Starts a clip child that can write `files`, which are there, and no others. `read` is called with its output, on a thread of
/// its own.
pub(crate) fn start_clip(
    program: &CaptureProgram,
    files: &[&Path],
    read: impl FnOnce(std::process::ChildStdout) + Send + 'static,
) -> std::io::Result<ClipChild> {
    let mut command = program.command();
    command.arg("--clip");
    let writes = files.iter().map(|file| file.to_path_buf()).collect();
    let mut started = start::start(command, Cell { writes, ..program.cell() }, "clip-pipe", read)?;
    said::log("clip".to_owned(), started.stderr.take());
    Ok(ClipChild { started, demand: program.walls.demand })
}

/// A clip child that runs. Dropped, it is killed and reaped.
#[derive(Debug)]
pub(crate) struct ClipChild {
    started: Started,
    demand: Confine,
}

impl ClipChild {
    /// The pipe to the child; taken once.
    pub(crate) fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.started.child.stdin.take()
    }

    /// Its first message came. `Err`: it must get no job.
    pub(crate) fn greeted(&self, greeting: &Greeting) -> Result<(), ProtoError> {
        let limits =
            Limits { memory: CHILD_MEMORY_BYTES, file: CLIP_FILE_BYTES, descriptors: CHILD_DESCRIPTORS };
        limits.set(&self.started.child);
        let stands = confinement(&self.started.entered, greeting, &Sealed::NotYet);
        demanded(self.demand, &stands)
    }
}

impl Drop for ClipChild {
    fn drop(&mut self) {
        let _ = self.started.child.kill();
        let _ = self.started.child.wait();
    }
}

/// Whether a child can still open sockets and files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// Its source is not open yet.
    NotYet,
    Yes,
    /// And why.
    No(String),
}

/// What stands around a child.
pub(super) fn confinement(entered: &Entered, greeting: &Greeting, sealed: &Sealed) -> Confinement {
    let landlock = || format!("Landlock ABI {}", entered.abi);
    let why_not = || entered.why_not.clone().unwrap_or_default();
    let system_calls = match &greeting.unfiltered {
        None => Wall::Whole("seccomp".to_owned()),
        Some(why) => Wall::None(why.clone()),
    };
    let files = match (entered.abi, sealed) {
        (1.., _) => Wall::Whole(landlock()),
        (_, Sealed::Yes) => Wall::Part(format!("{}; closed from the first picture on", why_not())),
        (_, Sealed::NotYet | Sealed::No(_)) => Wall::None(why_not()),
    };
    let filtered = system_calls.is_whole();
    let network = match sealed {
        _ if entered.needs_no_network() && filtered => Wall::Whole("no socket at all".to_owned()),
        Sealed::Yes if entered.holds_tcp() => Wall::Whole(format!("{} and seccomp", landlock())),
        _ if entered.holds_tcp() => Wall::Whole(landlock()),
        Sealed::Yes => Wall::Part(format!("{}: closed from the first picture on", tcp_is_open(entered))),
        Sealed::NotYet if filtered => Wall::Part(tcp_is_open(entered)),
        Sealed::NotYet => Wall::None(tcp_is_open(entered)),
        Sealed::No(why) => Wall::None(format!("{}; {why}", tcp_is_open(entered))),
    };
    Confinement { files, network, system_calls }
}

fn tcp_is_open(entered: &Entered) -> String {
    match &entered.why_not {
        Some(why) => why.clone(),
        None => format!("Landlock ABI {} ({}) holds no TCP", entered.abi, cell::kernel()),
    }
}

/// `Err` if the site demands more than stands.
pub(super) fn demanded(demand: Confine, stands: &Confinement) -> Result<(), ProtoError> {
    match (demand, stands.shortfall()) {
        (Confine::Required, Some(missing)) => Err(ProtoError::Unconfined { missing }),
        _ => Ok(()),
    }
}

/// Libraries of this process that lie outside the system's folders: a child of the same program loads them too.
fn libraries_elsewhere() -> Vec<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let path = |line: &str| line.split_once('/').map(|(_, path)| PathBuf::from(format!("/{path}")));
    let code = maps.lines().filter(|line| line.contains(" r-xp "));
    let mut files: Vec<PathBuf> = code.filter_map(path).filter(|path| !is_system(path)).collect();
    files.sort();
    files.dedup();
    let named = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    files.extend(std::env::split_paths(&named).filter(|path| path.is_absolute()));
    files
}

fn is_system(path: &Path) -> bool {
    ["/usr", "/lib", "/lib64", "/bin"].iter().any(|root| path.starts_with(root))
}
