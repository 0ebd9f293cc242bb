//! `kerbside run` on a site: its log as facts, its pages, its journal.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kerbside_crypto::hash::Hash;
use kerbside_trace::journal::scan;
use serde_json::Value;

use crate::{LIMIT, Process, Site, command, http_get};

/// What `--config` of the site says, running.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    health_port: u16,
}

impl Agent {
    /// Returns when the pages answer.
    pub fn start(site: &Site) -> Result<Agent> {
        Agent::launch(command(&["run", "--config", &site.path().to_string_lossy()])?)
    }

    /// The same on a machine whose clock is disciplined, by its `timedatectl`: commands are judged by their time.
    pub fn start_on_time(site: &Site) -> Result<Agent> {
        let bin = site.path().with_file_name("bin");
        std::fs::create_dir_all(&bin)?;
        let vouches = bin.join("timedatectl");
        std::fs::write(&vouches, "#!/bin/sh\necho yes\n")?;
        std::fs::set_permissions(&vouches, std::fs::Permissions::from_mode(0o755))?;
        let mut run = command(&["run", "--config", &site.path().to_string_lossy()])?;
        let path = std::env::var("PATH").unwrap_or_default();
        run.env("PATH", format!("{}:{path}", bin.display()));
        let agent = Agent::launch(run)?;
        agent.logged("a clock that is vouched for", LIMIT, |e| e["quality"] == "Ntp")?;
        Ok(agent)
    }

    fn launch(run: std::process::Command) -> Result<Agent> {
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
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Value) -> bool,
    ) -> Result<Value> {
        self.process.until_log(what, limit, |lines| events(lines).find(&mut wanted))
    }

    /// Waits until the camera with this number in the site is said to be in `state`, for example `Off(Silent)`, after `seen`
    /// earlier times.
    pub fn camera_state(&self, camera: u64, state: &str, seen: usize, limit: Duration) -> Result<Value> {
        let is = |e: &Value| e["message"] == "camera" && e["camera"] == camera && e["state"] == state;
        self.process.until_log(&format!("state {state} of camera {camera}"), limit, |lines| {
            events(lines).filter(is).nth(seen)
        })
    }

    /// Waits until the scene of the camera is learnt and it watches.
    pub fn watching(&self, camera: &str) -> Result<Value> {
        self.logged("watching camera", LIMIT, |e| {
            e["message"] == "camera state" && e["camera"] == camera && e["state"] == "Watching"
        })
    }

    /// Waits for a report of this phase and cause.
    pub fn reported(&self, phase: &str, cause: &str) -> Result<Value> {
        self.logged(&format!("report {phase}/{cause}"), LIMIT, |e| {
            e["message"] == "report" && e["phase"] == phase && e["cause"] == cause
        })
    }

    pub fn get(&self, path: &str) -> Result<(String, String)> {
        http_get(self.health_port, path)
    }

    /// Resident memory now, without the children, bytes.
    pub fn memory(&self) -> Result<u64> {
        self.process.memory()
    }

    pub fn pid(&self) -> Option<rustix::process::Pid> {
        self.process.pid()
    }

    pub fn log(&self) -> Vec<String> {
        self.process.log_lines()
    }

    /// Waits for its end by itself.
    pub fn wait(mut self, limit: Duration) -> Result<std::process::ExitStatus> {
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

fn events(lines: &[String]) -> impl Iterator<Item = Value> + '_ {
    lines.iter().filter_map(|line| serde_json::from_str(line).ok())
}

/// Ids of all `matter` messages that the journal of a stopped agent holds, read record by record; every record must be whole and
/// chained to the one before.
pub fn matters(site: &Site) -> Result<Vec<String>> {
    let folder = site.data_dir().join("journal");
    let mut segments: Vec<_> =
        std::fs::read_dir(&folder)?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    segments.sort();
    let (mut tip, mut damage) = (scan::Tip { n: 0, hash: None::<Hash> }, scan::Damage::default());
    let mut ids = Vec::new();
    for segment in &segments {
        let bytes = std::fs::read(segment)?;
        scan::segment(&bytes, &mut tip, None, &mut damage, &mut |record, _, _| {
            let body = serde_json::from_str::<Value>(&record.body).unwrap_or_default();
            let is_matter = body["type"].as_str().is_some_and(|t| t.starts_with("kerbside.matter."));
            if record.kind == "message" && is_matter {
                ids.extend(body["id"].as_str().map(str::to_owned));
            }
        });
    }
    // A kill may leave the line that was being written when it came; nothing else may be wrong.
    ensure!(
        damage.bad == 0 && damage.missing.is_empty() && damage.broken_links == 0,
        "the journal in {} is damaged: {damage:?}",
        folder.display()
    );
    Ok(ids)
}
