//! A child process whose output is read as it comes and which never outlives its handle.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use parking_lot::{Condvar, Mutex};
use rustix::process::{Pid, Signal, kill_process};

/// The repository's root.
pub fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    grew: Condvar,
    /// Nobody holds the other end any more: nothing will come.
    closed: AtomicBool,
}

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    out: Arc<Output>,
    log: Arc<Output>,
}

impl Process {
    pub fn start(name: &str, mut command: Command) -> Result<Process> {
        command.stdin(Stdio::null());
        Process::spawn(name, command)
    }

    /// The same for a program that takes orders: see [`Process::tell`].
    pub fn start_told(name: &str, mut command: Command) -> Result<Process> {
        command.stdin(Stdio::piped());
        Process::spawn(name, command)
    }

    fn spawn(name: &str, mut command: Command) -> Result<Process> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name}: cannot be started"))?;
        let out = Arc::new(Output::default());
        let log = Arc::new(Output::default());
        if let Some(stdout) = child.stdout.take() {
            collect(stdout, out.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            collect(stderr, log.clone());
        }
        Ok(Process { name: name.to_owned(), child, out, log })
    }

    /// Lines of standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.out.lines.lock().clone()
    }

    /// Lines of standard error so far.
    pub fn log_lines(&self) -> Vec<String> {
        self.log.lines.lock().clone()
    }

    /// Waits until the lines of standard output satisfy `enough`, which returns what it was looking for.
    pub fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        enough: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T> {
        self.wait_for(&self.out, what, limit, enough)
    }

    /// The same on standard error: the program's log.
    pub fn until_log<T>(
        &self,
        what: &str,
        limit: Duration,
        enough: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T> {
        self.wait_for(&self.log, what, limit, enough)
    }

    fn wait_for<T>(
        &self,
        output: &Output,
        what: &str,
        limit: Duration,
        mut enough: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T> {
        let end = now() + limit;
        let mut lines = output.lines.lock();
        loop {
            if let Some(found) = enough(&lines) {
                return Ok(found);
            }
            let closed = output.closed.load(Ordering::Acquire);
            if closed || output.grew.wait_until(&mut lines, end).timed_out() {
                drop(lines);
                let why = if closed { "before its end".to_owned() } else { format!("within {limit:?}") };
                bail!("{}: no {what} {why}\n{}", self.name, self.tail());
            }
        }
    }

    /// The last lines of output and log, for a failure's message.
    pub fn tail(&self) -> String {
        let last = |output: &Output| {
            let lines = output.lines.lock();
            lines[lines.len().saturating_sub(40)..].join("\n")
        };
        format!("--- output\n{}\n--- log\n{}", last(&self.out), last(&self.log))
    }

    pub fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.child.id() as i32)
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid().context("no pid")?;
        kill_process(pid, signal).with_context(|| format!("{}: signal", self.name))
    }

    /// `kill -9`, as a power cut looks to the program.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// `kill -9`, and everything that it wrote to standard output before.
    pub fn kill_and_read(mut self) -> Result<Vec<String>> {
        self.child.kill()?;
        self.child.wait()?;
        let mut lines = self.out.lines.lock();
        while !self.out.closed.load(Ordering::Acquire) {
            self.out.grew.wait(&mut lines);
        }
        Ok(std::mem::take(&mut lines))
    }

    /// One line to its standard input.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("it takes no orders")?;
        writeln!(stdin, "{line}").with_context(|| format!("{}: gone", self.name))
    }

    /// Resident memory now, bytes.
    pub fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kb = status
            .lines()
            .find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kb.context("no VmRSS")? * 1024)
    }

    /// Asks it to end and waits for it.
    pub fn stop(mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(limit)
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let end = now() + limit;
        let gate = Mutex::new(());
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            // Exit has no event to wait on without a signal handler; look again in small steps until the limit.
            Condvar::new().wait_for(&mut gate.lock(), Duration::from_millis(20));
            if now() > end {
                bail!("{}: still running after {limit:?}\n{}", self.name, self.tail());
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(from: impl Read + Send + 'static, into: Arc<Output>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { break };
            into.lines.lock().push(line);
            into.grew.notify_all();
        }
        let _lines = into.lines.lock();
        into.closed.store(true, Ordering::Release);
        into.grew.notify_all();
    });
}

#[allow(clippy::disallowed_methods)] // Time limits of tests; the agent's clock is not concerned.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Status line and body of a plain GET on loopback.
pub fn http_get(port: u16, path: &str) -> Result<(String, String)> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    Ok((head.lines().next().unwrap_or_default().to_owned(), body.to_owned()))
}
