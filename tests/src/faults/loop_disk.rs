//! A disk of our own that can be cut from power, fill up, or turn read-only: ext4 in a file behind a loop device.
//!
//! Needs root, loop devices and ext4; [`LoopDisk::missing`] says what is not there. The cut is the kernel's own
//! `FS_IOC_SHUTDOWN` without flushing the log: what ext4 would find after the power came back.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// Waits for a line, cuts, says so. Python, because the ioctl is not to be had in safe Rust.
const CUTTER: &str = r#"
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print("ready", flush=True)
if sys.stdin.readline():
    fcntl.ioctl(fd, 0x8004587D, struct.pack("I", 2))
    print("cut", flush=True)
"#;

#[derive(Debug)]
pub struct LoopDisk {
    image: PathBuf,
    mount: PathBuf,
    mounted: bool,
}

/// Holds the knife: cutting takes less than a millisecond.
#[derive(Debug)]
pub struct Cutter {
    child: Child,
    order: ChildStdin,
    answer: BufReader<ChildStdout>,
}

fn run(program: &str, args: &[&str]) -> Result<()> {
    let output = Command::new(program)
        .args(args)
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .output()
        .with_context(|| format!("{program} is missing"))?;
    let log = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "{program} {}: {log}", args.join(" "));
    Ok(())
}

impl LoopDisk {
    /// Why there can be no such disk here; `None`: there can.
    pub fn missing() -> Option<String> {
        let try_one = || {
            let dir = tempfile::tempdir()?;
            LoopDisk::new(dir.path(), 8).map(drop)
        };
        try_one().err().map(|e| {
            format!("no loop-mounted ext4 here ({})", e.to_string().lines().next().unwrap_or_default())
        })
    }

    /// A new file system of `mb` MiB, mounted below `dir`.
    pub fn new(dir: &Path, mb: u64) -> Result<LoopDisk> {
        let (image, mount) = (dir.join("disk.img"), dir.join("disk"));
        std::fs::File::create(&image)?.set_len(mb << 20)?;
        std::fs::create_dir_all(&mount)?;
        run("mkfs.ext4", &["-q", "-F", &image.to_string_lossy()])?;
        let mut disk = LoopDisk { image, mount, mounted: false };
        disk.plug_in()?;
        Ok(disk)
    }

    pub fn path(&self) -> &Path {
        &self.mount
    }

    pub fn plug_in(&mut self) -> Result<()> {
        run("mount", &["-o", "loop", &self.image.to_string_lossy(), &self.mount.to_string_lossy()])?;
        self.mounted = true;
        Ok(())
    }

    pub fn pull_out(&mut self) -> Result<()> {
        self.mounted = false;
        run("umount", &[&self.mount.to_string_lossy()])
    }

    /// What a box does with a disk that had errors before it mounts it again.
    pub fn check(&self) -> Result<()> {
        let status = Command::new("/usr/sbin/e2fsck").args(["-p", "-f"]).arg(&self.image).output()?.status;
        // 1: errors were corrected.
        ensure!(status.code().is_some_and(|c| c <= 1), "e2fsck: {status}");
        Ok(())
    }

    /// As after a reboot: out and in again.
    pub fn replug(&mut self) -> Result<()> {
        self.pull_out()?;
        self.plug_in()
    }

    pub fn cutter(&self) -> Result<Cutter> {
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", CUTTER])
            .arg(&self.mount)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("python3")?;
        let (order, answer) = (child.stdin.take().context("stdin")?, child.stdout.take().context("stdout")?);
        let mut cutter = Cutter { child, order, answer: BufReader::new(answer) };
        cutter.expect_line("ready")?;
        Ok(cutter)
    }

    /// The file system meets an error of its own and turns read-only, as on a failing card.
    pub fn turn_read_only(&self) -> Result<()> {
        run("mount", &["-o", "remount,errors=remount-ro", &self.mount.to_string_lossy()])?;
        let mounts = std::fs::read_to_string("/proc/self/mounts")?;
        let own = mounts.lines().find(|l| l.split(' ').nth(1) == self.mount.to_str());
        let device = own.and_then(|l| l.split(' ').next()?.strip_prefix("/dev/")).context("not mounted")?;
        std::fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "1").context("trigger_fs_error")?;
        ensure!(std::fs::write(self.mount.join("probe"), "x").is_err(), "it did not turn read-only");
        Ok(())
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        if self.mounted {
            // A test that failed may still hold files open: detached now, gone with the last of them.
            let _ = run("umount", &["-l", &self.mount.to_string_lossy()]);
        }
    }
}

impl Cutter {
    fn expect_line(&mut self, wanted: &str) -> Result<()> {
        let mut line = String::new();
        self.answer.read_line(&mut line)?;
        if line.trim() != wanted {
            bail!("the cutter did not write {wanted:?} but {line:?}");
        }
        Ok(())
    }

    /// When this returns the power is off.
    pub fn cut(mut self) -> Result<()> {
        self.order.write_all(b"\n")?;
        self.expect_line("cut")?;
        drop(self.order);
        self.child.wait()?;
        Ok(())
    }
}
