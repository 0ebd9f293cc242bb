//! The probe: a child like any other that, once it is confined, tries what no child must be able to do. `parent::probe` starts
//! it, for tests and for `doctor`.
//!
//! It can do nothing that whoever starts it could not do himself; it only finds out what of that confinement leaves.
#![allow(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::Pid;

use super::confine::{self, Kind};
use crate::proto::{self, Act, Greeting, ProbeAnswer, ProtoError, Stage};

/// Goes as far in a child's life as the stage of this name, by the same calls as a real one; does one act from stdin and answers
/// on stdout.
pub fn main(stage: &str) -> ExitCode {
    let Some(stage) = Stage::named(stage) else {
        eprintln!("kerbside capture --probe: no stage is called {stage}");
        return ExitCode::FAILURE;
    };
    let unfiltered = match kind_of(stage) {
        Some(kind) => confine::begin(kind).err(),
        None => Some("a free probe".to_owned()),
    };
    match serve(stage, unfiltered) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kerbside capture --probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn kind_of(stage: Stage) -> Option<Kind> {
    match stage {
        Stage::Opening | Stage::Watching => Some(Kind::Capture),
        Stage::Clip => Some(Kind::Clip),
        Stage::Devices => Some(Kind::Devices),
        Stage::Free => None,
    }
}

fn serve(stage: Stage, unfiltered: Option<String>) -> Result<(), ProtoError> {
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    proto::write_message(&mut stdout, &Greeting { version: proto::VERSION, unfiltered }, &[])?;
    stdout.flush()?;
    let Some((act, _)) = proto::read_message::<Act>(&mut stdin)? else { return Ok(()) };
    // What cannot be applied shows in what the act comes to.
    let _ = reach(stage);
    let denied = attempt(&act).err().map(|error| error.to_string());
    proto::write_message(&mut stdout, &ProbeAnswer { denied }, &[])?;
    Ok(stdout.flush()?)
}

/// What comes after the greeting.
fn reach(stage: Stage) -> Result<(), String> {
    let Some(kind) = kind_of(stage).filter(|kind| *kind != Kind::Clip) else { return Ok(()) };
    confine::before_opening("rtsp://camera/", kind)?;
    if stage == Stage::Opening { Ok(()) } else { confine::seal(kind) }
}

fn attempt(act: &Act) -> io::Result<()> {
    match act {
        Act::Nothing => Ok(()),
        Act::StartThread => {
            let thread = std::thread::Builder::new().spawn(|| ())?;
            thread.join().map_err(|_| io::Error::other("the thread panicked"))
        }
        Act::Read(path) => fs::read(path).map(drop),
        Act::Append(path) => OpenOptions::new().append(true).open(path)?.write_all(b"intruder\n"),
        Act::Create(path) => fs::write(path, "intruder\n"),
        Act::Delete(path) => fs::remove_file(path),
        Act::Truncate(path) => {
            let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes())?;
            // SAFETY: a C string that lives over the call.
            called(unsafe { libc::truncate(path.as_ptr(), 0) }.into())
        }
        Act::ChangeMode(path) => fs::set_permissions(path, fs::Permissions::from_mode(0o777)),
        Act::List(path) => fs::read_dir(path).map(drop),
        Act::Connect(address) => TcpStream::connect(address).map(drop),
        Act::Listen => TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], 0))).map(drop),
        Act::SendUdp(address) => {
            let socket = UdpSocket::bind(SocketAddr::from(([0, 0, 0, 0], 0)))?;
            socket.send_to(b"intruder", address).map(drop)
        }
        Act::ConnectLocal(path) => UnixStream::connect(path).map(drop),
        Act::ReadEnvironment(pid) => fs::read(format!("/proc/{pid}/environ")).map(drop),
        Act::WriteMemory(pid) => OpenOptions::new().write(true).open(format!("/proc/{pid}/mem")).map(drop),
        Act::Signal(pid) => {
            let pid = Pid::from_raw(*pid).ok_or(io::ErrorKind::InvalidInput)?;
            Ok(rustix::process::test_kill_process(pid)?)
        }
        Act::Execute(path) => {
            std::process::Command::new(path).stdin(std::process::Stdio::null()).status().map(drop)
        }
        Act::Netlink
        | Act::Trace(_)
        | Act::ReadMemory(_)
        | Act::TakeDescriptor(_)
        | Act::Fork
        | Act::MapWritableCode
        | Act::MakeExecutable
        | Act::IoUring
        | Act::NewNamespace
        | Act::Mount
        | Act::Keys
        | Act::KernelProgram
        | Act::PageFaults
        | Act::Counters => call(act),
    }
}

/// Acts that no library of ours has a name for. Each is called so that a kernel which allows it does no harm.
fn call(act: &Act) -> io::Result<()> {
    let null = std::ptr::null::<u8>();
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let write = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: the calls get null pointers, numbers, or zeroed memory that is large enough and outlives them. What is mapped is
    // never touched. After `fork` the new process only ends.
    unsafe {
        called(match act {
            Act::Netlink => libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0).into(),
            Act::Trace(pid) => libc::ptrace(libc::PTRACE_SEIZE, *pid, null, null),
            Act::ReadMemory(pid) => return read_memory(*pid),
            Act::TakeDescriptor(pid) => {
                let process = libc::syscall(libc::SYS_pidfd_open, *pid, 0);
                called(process)?;
                libc::syscall(libc::SYS_pidfd_getfd, process, 0, 0)
            }
            Act::Fork => match libc::fork() {
                0 => libc::_exit(0),
                child => child.into(),
            },
            Act::MapWritableCode => {
                mapped(libc::mmap(std::ptr::null_mut(), 4096, write | libc::PROT_EXEC, flags, -1, 0))
            }
            Act::MakeExecutable => {
                let page = libc::mmap(std::ptr::null_mut(), 4096, write, flags, -1, 0);
                called(mapped(page))?;
                libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC).into()
            }
            Act::IoUring => {
                let parameters = [0_u8; 256];
                libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_ptr())
            }
            Act::NewNamespace => libc::unshare(libc::CLONE_NEWUSER).into(),
            Act::Mount => {
                let (kind, on) = (c"tmpfs".as_ptr(), c"/mnt".as_ptr());
                libc::mount(kind, on, kind, 0, null.cast()).into()
            }
            // KEYCTL_GET_KEYRING_ID of the session's keyring.
            Act::Keys => libc::syscall(libc::SYS_keyctl, 0, -3, 1),
            Act::KernelProgram => {
                // BPF_MAP_CREATE of an array of one number.
                let map: [u32; 32] = std::array::from_fn(|i| {
                    if i == 0 {
                        2
                    } else if i <= 3 {
                        [4, 4, 1][i - 1]
                    } else {
                        0
                    }
                });
                libc::syscall(libc::SYS_bpf, 0, map.as_ptr(), 128)
            }
            // UFFD_USER_MODE_ONLY, which needs no privilege.
            Act::PageFaults => libc::syscall(libc::SYS_userfaultfd, 1),
            Act::Counters => {
                // A software clock of this very process.
                let mut event = [0_u32; 32];
                (event[0], event[1]) = (1, 128);
                libc::syscall(libc::SYS_perf_event_open, event.as_ptr(), 0, -1, -1, 0)
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        })
    }
}

/// The first bytes of the program of another process.
fn read_memory(pid: i32) -> io::Result<()> {
    let mut bytes = [0_u8; 8];
    let at = if std::process::id() == pid as u32 { Some(bytes.as_ptr() as usize) } else { start_of(pid) };
    // Without /proc it asks for an address that may well be empty; refused is refused before that.
    let remote = libc::iovec { iov_base: at.unwrap_or(0x1_0000) as *mut _, iov_len: 8 };
    let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: 8 };
    // SAFETY: both describe memory that outlives the call; the kernel checks the other's.
    called(unsafe { libc::process_vm_readv(pid, &local, 1, &remote, 1, 0) } as libc::c_long)
}

fn start_of(pid: i32) -> Option<usize> {
    let mut maps = String::new();
    fs::File::open(format!("/proc/{pid}/maps")).ok()?.read_to_string(&mut maps).ok()?;
    usize::from_str_radix(maps.split('-').next()?, 16).ok()
}

fn mapped(page: *mut libc::c_void) -> libc::c_long {
    if page == libc::MAP_FAILED { -1 } else { 0 }
}

fn called(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
