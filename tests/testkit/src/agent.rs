//! `kerbside run` on a site: its log as facts, its pages, its end.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::Pid;
use serde_json::Value;

use crate::{LIMIT, Process, Site, command, http};

/// What `--config` of the site says, running.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    health_port: u16,
}

impl Agent {
    /// Returns when the pages answer.
    pub fn start(site: &Site) -> Result<Agent> {
        Agent::launch(run(site)?)
    }

    /// The same on a machine whose clock is disciplined, by its `timedatectl`: commands are judged by their time.
    pub fn start_on_time(site: &Site) -> Result<Agent> {
        Agent::discipline(site, true)?;
        let bin = site.path().with_file_name("bin");
        std::fs::create_dir_all(&bin)?;
        let timedatectl = bin.join("timedatectl");
        std::fs::write(&timedatectl, format!("#!/bin/sh\ncat {:?}\n", disciplined(site)))?;
        std::fs::set_permissions(&timedatectl, std::fs::Permissions::from_mode(0o755))?;
        let path = std::env::var("PATH").unwrap_or_default();
        let mut run = run(site)?;
        run.env("PATH", format!("{}:{path}", bin.display()));
        let agent = Agent::launch(run)?;
        agent.logged("a clock that is disciplined", LIMIT, |e| e["quality"] == "Ntp")?;
        Ok(agent)
    }

    /// What the `timedatectl` of [`Agent::start_on_time`] says from now on. The agent asks it once a minute.
    pub fn discipline(site: &Site, is_disciplined: bool) -> Result<()> {
        Ok(std::fs::write(disciplined(site), if is_disciplined { "yes\n" } else { "no\n" })?)
    }

    /// A program that logs as the agent does.
    pub fn launch(run: Command) -> Result<Agent> {
        let process = Process::start("kerbside run", run)?;
        let address = process.until_log("address of the health page", LIMIT, |lines| {
            let line = events(lines).find(|e| e["message"] == "metrics and health")?;
            Some(line["address"].as_str()?.to_owned())
        })?;
        let (_, port) = address.rsplit_once(':').context("the address has no port")?;
        Ok(Agent { process, health_port: port.parse()? })
    }

    /// Waits for a log event.
    pub fn logged(
        &self,
        awaited: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        self.process.until_log(awaited, limit, |lines| events(lines).find(&mut wanted))
    }

    /// The same among the events after the first `lines` lines.
    pub fn logged_after(
        &self,
        lines: usize,
        awaited: &str,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        self.process.until_log(awaited, LIMIT, |all| events(all.get(lines..)?).find(&mut wanted))
    }

    /// Waits until the camera with this number in the site is said to be in `state`, for example `Off(Silent)`, after
    /// `earlier` other times.
    pub fn camera_state(&self, camera: u64, state: &str, earlier: usize, limit: Duration) -> Result<Value> {
        let is = |e: &Value| e["message"] == "source state" && e["camera"] == camera && e["state"] == state;
        self.process.until_log(&format!("state {state} of camera {camera}"), limit, |lines| {
            events(lines).filter(is).nth(earlier)
        })
    }

    /// Waits until the scene of the camera is learnt and it watches.
    pub fn watching(&self, camera: &str) -> Result<Value> {
        self.logged(&format!("state Watching of {camera}"), LIMIT, |e| {
            e["message"] == "camera state" && e["camera"] == camera && e["state"] == "Watching"
        })
    }

    /// Waits for a report of this phase and cause.
    pub fn reported(&self, phase: &str, cause: &str) -> Result<Value> {
        self.logged(&format!("report {phase}/{cause}"), LIMIT, |e| {
            e["message"] == "report" && e["phase"] == phase && e["cause"] == cause
        })
    }

    /// Waits for the link to the broker.
    pub fn connected(&self) -> Result<()> {
        self.logged("link to the broker", LIMIT, |e| e["message"] == "link up").map(drop)
    }

    /// Status line and body of a page.
    pub fn get(&self, path: &str) -> Result<(String, String)> {
        http::get(self.health_port, path)
    }

    /// Values of a metric now, with their labels.
    pub fn metric(&self, name: &str) -> Result<Vec<(String, f64)>> {
        let (_, page) = self.get("/metrics")?;
        Ok(http::values(&page, name))
    }

    /// The sum of a metric's values whose labels contain each of these; what is not there yet is 0.
    pub fn metric_sum(&self, name: &str, labels: &[&str]) -> Result<f64> {
        Ok(sum(&self.metric(name)?, labels))
    }

    /// Waits until such a sum satisfies `holds`.
    pub fn until_metric(
        &self,
        name: &str,
        labels: &[&str],
        awaited: &str,
        mut holds: impl FnMut(f64) -> bool,
    ) -> Result<()> {
        http::until_metric(self.health_port, name, awaited, LIMIT, |values| holds(sum(values, labels)))
    }

    /// Resident memory now, without the children, bytes.
    pub fn memory(&self) -> Result<u64> {
        self.process.memory()
    }

    /// Where its pages are.
    pub fn health_port(&self) -> u16 {
        self.health_port
    }

    pub fn pid(&self) -> Option<Pid> {
        self.process.pid()
    }

    pub fn log(&self) -> Vec<String> {
        self.process.log_lines()
    }

    /// Waits for its end by itself.
    pub fn wait(mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.wait(limit)
    }

    /// `kill -9`.
    pub fn kill(self) -> Result<()> {
        self.process.kill()
    }

    /// SIGTERM; the exit code must be 0.
    pub fn stop(self) -> Result<()> {
        let status = self.process.stop(LIMIT)?;
        ensure!(status.code() == Some(0), "kerbside run ended with {status}");
        Ok(())
    }
}

/// Where it stands whether the machine's clock is disciplined.
fn disciplined(site: &Site) -> std::path::PathBuf {
    site.path().with_file_name("disciplined")
}

fn run(site: &Site) -> Result<Command> {
    command(&["run", "--config", &site.path().to_string_lossy()])
}

fn sum(values: &[(String, f64)], labels: &[&str]) -> f64 {
    let with = values.iter().filter(|(of, _)| labels.iter().all(|label| of.contains(label)));
    with.map(|(_, value)| value).sum()
}

fn events(lines: &[String]) -> impl Iterator<Item = Value> + '_ {
    lines.iter().filter_map(|line| serde_json::from_str(line).ok())
}
