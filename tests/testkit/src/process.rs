//! A child process whose output is read as it comes and which never outlives its handle.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{self, Missed, Seen, Watched};

/// Longest wait for the second stream of a program when the first has ended; a grandchild may keep it open.
const STREAM_END_LIMIT: Duration = Duration::from_secs(2);
/// Lines of a stream that a failed wait shows.
const SHOWN_LINES: usize = 40;

#[derive(Debug, Default)]
struct Output {
    lines: Vec<String>,
    /// Nobody holds the other end any more: nothing will come.
    is_closed: bool,
}

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    out: Arc<Watched<Output>>,
    log: Arc<Watched<Output>>,
}

impl Process {
    pub fn start(name: &str, mut command: Command) -> Result<Process> {
        command.stdin(Stdio::null());
        Process::spawn(name, command)
    }

    /// The same for a program that reads its standard input: see [`Process::write_line`].
    pub fn start_with_stdin(name: &str, mut command: Command) -> Result<Process> {
        command.stdin(Stdio::piped());
        Process::spawn(name, command)
    }

    fn spawn(name: &str, mut command: Command) -> Result<Process> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{name}: cannot be started"))?;
        let out: Arc<Watched<Output>> = Arc::default();
        let log: Arc<Watched<Output>> = Arc::default();
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
        self.out.read(|out| out.lines.clone())
    }

    /// Lines of standard error so far.
    pub fn log_lines(&self) -> Vec<String> {
        self.log.read(|log| log.lines.clone())
    }

    /// Waits until the lines of standard output satisfy `look`, which returns what it was looking for.
    pub fn until<T>(
        &self,
        awaited: &str,
        limit: Duration,
        look: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T> {
        self.until_in(&self.out, awaited, limit, look).map_err(|missed| self.explained(missed).into())
    }

    /// The same on standard error: the program's log.
    pub fn until_log<T>(
        &self,
        awaited: &str,
        limit: Duration,
        look: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T> {
        self.until_in(&self.log, awaited, limit, look).map_err(|missed| self.explained(missed).into())
    }

    /// The same on standard output; what came is for the caller to say.
    pub(crate) fn until_lines<T>(
        &self,
        awaited: &str,
        limit: Duration,
        look: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T, Missed> {
        self.until_in(&self.out, awaited, limit, look)
    }

    fn until_in<T>(
        &self,
        output: &Watched<Output>,
        awaited: &str,
        limit: Duration,
        mut look: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T, Missed> {
        let look = |output: &Output| match look(&output.lines) {
            Some(found) => Seen::Found(found),
            None if output.is_closed => Seen::Never,
            None => Seen::NotYet,
        };
        let awaited = format!("{awaited} from {}", self.name);
        output.until(&awaited, limit, look, |_| String::new())
    }

    fn explained(&self, missed: Missed) -> Missed {
        let is_closed = |output: &Watched<Output>| output.read(|output| output.is_closed);
        // A program that has ended closes both streams, but one of them may not be read to its end yet.
        if is_closed(&self.out) || is_closed(&self.log) {
            for output in [&self.out, &self.log] {
                let look = |output: &Output| if output.is_closed { Seen::Found(()) } else { Seen::NotYet };
                // A failure only means that less is shown.
                let _ = output.until("the end of the stream", STREAM_END_LIMIT, look, |_| String::new());
            }
        }
        Missed { came: self.tail(), ..missed }
    }

    /// The last lines of output and log, for a failure's message.
    pub fn tail(&self) -> String {
        let last = |output: &Watched<Output>| {
            output.read(|output| {
                let lines = &output.lines;
                let first = lines.len().saturating_sub(SHOWN_LINES);
                format!("{} lines\n{}", lines.len(), lines[first..].join("\n"))
            })
        };
        format!("\n--- output: {}\n--- log: {}", last(&self.out), last(&self.log))
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
        Ok(self.out.while_(|out| !out.is_closed, |out| out.lines.clone()))
    }

    /// One line to its standard input.
    pub fn write_line(&mut self, line: &str) -> Result<()> {
        let stdin =
            self.child.stdin.as_mut().with_context(|| format!("{}: started without stdin", self.name))?;
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
        let awaited = format!("end of {}", self.name);
        // An exit has no event to wait on without a signal handler.
        let pause = Duration::from_millis(20);
        let Process { child, out, log, .. } = self;
        let ended = wait::poll(&awaited, limit, pause, || Ok(child.try_wait()?.ok_or_else(String::new)));
        ended.map_err(|error| match error.downcast::<Missed>() {
            Ok(missed) => {
                let shown =
                    |output: &Watched<Output>| output.read(|o| o.lines.last().cloned().unwrap_or_default());
                let came = format!(
                    "it still runs; its last output: {:?}; its last log: {:?}",
                    shown(out),
                    shown(log)
                );
                Missed { came, ..missed }.into()
            }
            Err(other) => other,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(from: impl Read + Send + 'static, into: Arc<Watched<Output>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { break };
            into.change(|output| output.lines.push(line));
        }
        into.change(|output| output.is_closed = true);
    });
}
