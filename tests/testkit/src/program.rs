//! The program under test, and where things of the repository lie.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The repository's root.
pub fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

/// A file below `test-videos/`.
pub fn clip(name: &str) -> PathBuf {
    repo().join("test-videos").join(name)
}

/// A program of the workspace, built by `cargo build --workspace --bins` into the folder that this test runs from.
pub fn built(name: &str) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    // A test lies in `deps/` below the folder of the programs, a program beside it.
    let mut beside = this.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    beside
        .find(|path| path.is_file())
        .with_context(|| format!("the program `{name}` is missing: run `cargo build --workspace --bins`"))
}

/// `kerbside` with `args`, logging JSON lines, with the ONNX Runtime that `make setup` fetched unless another is named.
pub fn command(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(built("kerbside")?);
    command.args(args).env("KERBSIDE_LOG", "info");
    if std::env::var_os("KERBSIDE_ORT").is_none() {
        let runtime = format!(".deps/onnxruntime/{}/libonnxruntime.so.1.31.1", std::env::consts::ARCH);
        command.env("KERBSIDE_ORT", repo().join(runtime));
    }
    Ok(command)
}

/// Runs a replay to its end; its exit code and all that it printed, the log last.
pub fn replay(clip: &Path, site: &Path, out: &Path, more: &[&str]) -> Result<(Option<i32>, String)> {
    let mut replay = command(&["replay"])?;
    replay.arg(clip).arg("--config").arg(site).arg("--out").arg(out).args(more);
    let output = replay.output().context("kerbside replay")?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&text).into_owned()))
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
