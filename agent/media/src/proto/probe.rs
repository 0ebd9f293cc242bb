//! What a probe child is told to try once it is confined, and what came of it. See `child::probe`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How far the child is in its life when it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A capture child that opens its camera.
    Opening,
    /// A capture child from the first packet on.
    Watching,
    /// A child that makes a clip or pictures, or reads a file.
    Clip,
    /// A child of `kerbside-devices` from the first picture on.
    Devices,
    /// Not confined at all, to show that the act succeeds where nothing forbids it.
    Free,
}

/// One act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Nothing: shows that the probe itself works.
    Nothing,
    /// Starts a thread, which decoders need.
    StartThread,
    /// Reads a file.
    Read(PathBuf),
    /// Appends to a file.
    Append(PathBuf),
    /// Makes a file.
    Create(PathBuf),
    /// Deletes a file.
    Delete(PathBuf),
    /// Cuts a file short by its name.
    Truncate(PathBuf),
    /// Gives a file to everybody.
    ChangeMode(PathBuf),
    /// Lists a folder.
    List(PathBuf),
    /// Connects over TCP.
    Connect(SocketAddr),
    /// Listens on any TCP port of all addresses.
    Listen,
    /// Sends a datagram over UDP.
    SendUdp(SocketAddr),
    /// Opens a netlink socket.
    Netlink,
    /// Connects to a local socket.
    ConnectLocal(PathBuf),
    /// Sends a process the signal that does nothing but needs the right to send one.
    Signal(i32),
    /// Attaches to a process as a debugger.
    Trace(i32),
    /// Reads the memory of a process.
    ReadMemory(i32),
    /// Opens the memory of a process for writing.
    WriteMemory(i32),
    /// Reads the environment of a process.
    ReadEnvironment(i32),
    /// Takes a descriptor of a process.
    TakeDescriptor(i32),
    /// Runs a program in its own place.
    Execute(PathBuf),
    /// Makes a process.
    Fork,
    /// Maps memory that can be written and executed.
    MapWritableCode,
    /// Makes written memory executable.
    MakeExecutable,
    /// Sets up io_uring, which does what filters do not see.
    IoUring,
    /// Makes a namespace of its own.
    NewNamespace,
    /// Mounts a file system.
    Mount,
    /// Reads the kernel's keys.
    Keys,
    /// Loads a program into the kernel.
    KernelProgram,
    /// Handles page faults of its own.
    PageFaults,
    /// Opens the performance counters.
    Counters,
}

impl Stage {
    const ALL: [Stage; 5] = [Stage::Opening, Stage::Watching, Stage::Clip, Stage::Devices, Stage::Free];

    /// As an argument of the probe.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Opening => "opening",
            Stage::Watching => "watching",
            Stage::Clip => "clip",
            Stage::Devices => "devices",
            Stage::Free => "free",
        }
    }

    /// The stage of this name.
    pub fn named(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// What the child answers; none if it was ended for trying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// Why it failed; `None`: it succeeded.
    pub denied: Option<String>,
}
