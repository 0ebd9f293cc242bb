//! The end-to-end bench: the real binary, a real broker, a real RTSP server, each stopped when its handle goes.
//!
//! Nothing here sleeps: every wait is for a line of output or an exit, with a time limit that names what did not come.

mod agent;
mod broker;
mod camera;
mod clip;
mod contract;
pub mod faults;
pub mod fuzz;
mod mqtt;
mod process;
pub mod proxy;
pub mod rtsp;
pub mod scripted;
pub mod senses;
mod site;

pub use agent::{Agent, matters};
pub use broker::{Broker, free_port};
pub use camera::Cameras;
pub use clip::{nal_units, sha256};
pub use contract::Contract;
pub use process::{Process, http_get, repo};
pub use site::Site;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use serde_json::Value;

/// Longest wait for anything that a loaded two-core machine does in seconds.
pub const LIMIT: Duration = Duration::from_secs(180);

/// The program under test: built by `make build` (or any `cargo build`) into the folder that this test runs from.
pub fn kerbside() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    // A test lies in `deps/` below the folder of the programs, a program beside it.
    let beside = test.ancestors().skip(1).take(2).map(|folder| folder.join("kerbside"));
    beside
        .into_iter()
        .find(|p| p.is_file())
        .context("the program kerbside is missing: run `cargo build` first")
}

/// The suite's own program, which serves as a box without cameras: `faults box`.
pub fn faults_program() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let beside = this.ancestors().skip(1).take(2).map(|folder| folder.join("faults"));
    beside
        .into_iter()
        .find(|p| p.is_file())
        .context("the program `faults` is missing: run `cargo build --workspace --bins`")
}

/// A test that cannot run on this machine: it is named on stderr and, for the summary of `make test`, in `skipped.txt` of
/// the target folder.
pub fn skipped(test: &str, why: &str) -> Result<()> {
    use std::io::Write as _;
    eprintln!("SKIPPED {test}: {why}");
    let this = std::env::current_exe()?;
    if let Some(target) = this.ancestors().nth(3) {
        let mut list =
            std::fs::OpenOptions::new().create(true).append(true).open(target.join("skipped.txt"))?;
        list.write_all(format!("{test}: {why}\n").as_bytes())?;
    }
    Ok(())
}

/// `kerbside` with `args`, logging JSON lines, with the ONNX Runtime that `make setup` fetched unless another is named.
pub fn command(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(kerbside()?);
    command.args(args).env("KERBSIDE_LOG", "info");
    if std::env::var_os("KERBSIDE_ORT").is_none() {
        let runtime = format!(".deps/onnxruntime/{}/libonnxruntime.so.1.31.1", std::env::consts::ARCH);
        command.env("KERBSIDE_ORT", repo().join(runtime));
    }
    Ok(command)
}

/// The centre's side, answering with receipts; each line it prints is one envelope. Returns once it has subscribed.
pub fn centre(broker: &Broker) -> Result<Process> {
    let url = broker.url();
    let watch = command(&["watch", "--json", "--receipts", "--broker", &url])?;
    let centre = Process::start("kerbside watch", watch)?;
    centre.until_log("subscription of the centre", LIMIT, |lines| {
        lines.iter().any(|l| l.contains("\"subscribed\"")).then_some(())
    })?;
    Ok(centre)
}

/// Panics where an envelope is not as `edge-config/contract/` says. Each is looked at once.
#[allow(clippy::panic)] // It fails the test that saw it.
fn keeps_the_contract(envelope: &Value) {
    static SEEN: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    let Some(kind) = envelope["type"].as_str() else { return };
    let key = (kind.to_owned(), envelope["id"].as_str().unwrap_or_default().to_owned());
    if !SEEN.lock().insert(key) {
        return;
    }
    let read = || {
        let folder = repo().join("edge-config/contract");
        Contract::read(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
    };
    if let Err(why) = CONTRACT.get_or_init(read).check(envelope) {
        panic!("a message breaks the contract: {why}");
    }
}

/// Envelopes among the lines of a centre, of the type `kerbside.{kind}.v1`.
pub fn envelopes(lines: &[String], kind: &str) -> Vec<Value> {
    let wanted = format!("kerbside.{kind}.v1");
    lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .inspect(keeps_the_contract)
        .filter(|envelope| envelope["type"] == wanted.as_str())
        .collect()
}

/// A file below `test-videos/`.
pub fn clip(name: &str) -> PathBuf {
    repo().join("test-videos").join(name)
}

/// Runs a replay to its end; its exit code and all that it printed, the log last.
pub fn replay(clip: &Path, site: &Path, out: &Path, more: &[&str]) -> Result<(Option<i32>, String)> {
    let mut replay = command(&["replay"])?;
    replay.arg(clip).arg("--config").arg(site).arg("--out").arg(out).args(more);
    let output = replay.output().context("kerbside replay")?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
}
