//! Cameras: clips served over RTSP by GStreamer's server, not re-encoded.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::{LIMIT, Process, repo};

#[derive(Debug)]
pub struct Cameras {
    process: Process,
    urls: Vec<String>,
}

impl Cameras {
    /// Serves each clip at its mount (`/cam1`), from its start for every client.
    pub fn serve(mounts: &[(&str, &Path)], repeat: bool) -> Result<Cameras> {
        Cameras::serve_on(0, mounts, repeat)
    }

    /// The same on a given port, as a camera that was away comes back.
    pub fn serve_on(port: u16, mounts: &[(&str, &Path)], repeat: bool) -> Result<Cameras> {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(repo().join("test-videos/serve.py")).args(["--port", &port.to_string()]);
        command.arg(if repeat { "--loop" } else { "--once" });
        for (mount, clip) in mounts {
            command.arg("--mount").arg(format!("{mount}={}", clip.display()));
        }
        let process = Process::start("test-videos/serve.py", command)?;
        let urls = process.until("served streams", LIMIT, |lines| {
            let urls: Vec<String> =
                lines.iter().filter_map(|l| l.trim().strip_prefix("serving ")).map(str::to_owned).collect();
            (urls.len() == mounts.len()).then_some(urls)
        })?;
        Ok(Cameras { process, urls })
    }

    pub fn url(&self, n: usize) -> Result<&str> {
        self.urls.get(n).map(String::as_str).context("no such camera")
    }

    pub fn port(&self) -> Result<u16> {
        let host = self.url(0)?.split('/').nth(2).and_then(|host| host.rsplit_once(':'));
        Ok(host.context("no port in the url")?.1.parse()?)
    }

    /// The cameras stop sending but keep their connections: the network's most common death.
    pub fn pause(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }
}
