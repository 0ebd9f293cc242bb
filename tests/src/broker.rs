//! mosquitto from Debian on a free port of loopback; it can be killed and started again on the same port.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{LIMIT, Process};

#[derive(Debug)]
pub struct Broker {
    port: u16,
    config: PathBuf,
    process: Option<Process>,
}

impl Broker {
    pub fn start(dir: &std::path::Path) -> Result<Broker> {
        let port = free_port()?;
        let config = dir.join("mosquitto.conf");
        let store = dir.join("mosquitto");
        std::fs::create_dir_all(&store)?;
        std::fs::write(
            &config,
            format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
                 autosave_interval 1\nlog_dest stderr\nlog_type notice\nlog_type information\nlog_type warning\nlog_type error\nuser root\n",
                store.display()
            ),
        )?;
        let mut broker = Broker { port, config, process: None };
        broker.resume()?;
        Ok(broker)
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// The broker dies at once, as when the centre's machine fails.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the broker is not running")?.kill()
    }

    pub fn resume(&mut self) -> Result<()> {
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"]
            .into_iter()
            .find(|p| std::path::Path::new(p).is_file())
            .context("mosquitto is missing: run `make setup`")?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config);
        let process = Process::start("mosquitto", command)?;
        process.until_log("start of the broker", LIMIT, |lines| {
            lines.iter().any(|l| l.contains("running")).then_some(())
        })?;
        self.process = Some(process);
        Ok(())
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
