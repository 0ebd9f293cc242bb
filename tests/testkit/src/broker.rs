//! mosquitto from Debian on a free port of loopback; it can be killed and started again on the same port.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{LIMIT, Process};

/// Everybody may do everything, and what it holds for others survives its death.
const OPEN_AND_PERSISTENT: &str = "allow_anonymous true\npersistence true\nautosave_interval 1\n\
    log_type notice\nlog_type information\nlog_type warning\nlog_type error\n";

#[derive(Debug)]
pub struct Broker {
    port: u16,
    config: PathBuf,
    process: Option<Process>,
}

impl Broker {
    pub fn start(dir: &Path) -> Result<Broker> {
        Broker::with_settings(dir, OPEN_AND_PERSISTENT)
    }

    /// With these lines of mosquitto.conf; its files lie in `dir`.
    pub fn with_settings(dir: &Path, settings: &str) -> Result<Broker> {
        let port = free_port()?;
        let config = dir.join("mosquitto.conf");
        let store = dir.join("mosquitto");
        std::fs::create_dir_all(&store)?;
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\npersistence_location {}/\nlog_dest stderr\n{settings}\n",
            store.display()
        );
        std::fs::write(&config, text)?;
        let mut broker = Broker { port, config, process: None };
        broker.resume()?;
        Ok(broker)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Waits for a line of its log.
    pub fn logged(&self, awaited: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let process = self.process.as_ref().context("the broker is not running")?;
        process.until_log(awaited, LIMIT, |lines| lines.iter().any(|line| wanted(line)).then_some(()))
    }

    /// Publishes and retains `what` (`-m TEXT` or `-f FILE`) as another client.
    pub fn publish_retained(&self, topic: &str, what: [&str; 2]) -> Result<()> {
        let port = self.port.to_string();
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "127.0.0.1", "-p", &port, "-q", "1", "-r", "-t", topic]).args(what);
        let output = command.output().context("mosquitto_pub is missing: run `make setup`")?;
        let log = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "mosquitto_pub to {topic}: {}: {log}", output.status);
        Ok(())
    }

    /// The broker dies at once, as when the centre's machine fails.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().context("the broker is not running")?.kill()
    }

    pub fn resume(&mut self) -> Result<()> {
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"]
            .into_iter()
            .find(|p| Path::new(p).is_file())
            .context("mosquitto is missing: run `make setup`")?;
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config);
        self.process = Some(Process::start("mosquitto", command)?);
        self.logged("start of the broker", |line| line.contains("running"))
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
