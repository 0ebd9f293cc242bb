//! Command line: what a person can ask of the program, and how it explains itself. No work is done here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Exit codes, as sysexits.h names them.
pub mod exit {
    /// All went as asked.
    pub const OK: u8 = 0;
    /// Something failed while running (EX_SOFTWARE); also a replay that missed its truth.
    pub const FAILED: u8 = 70;
    /// The configuration or the command line is wrong (EX_CONFIG).
    pub const CONFIG: u8 = 78;
}

const AFTER_HELP: &str = "\
Start here:
  kerbside doctor                          what is missing on this machine, and how to mend it
  kerbside check edge-config/one-camera.toml
  kerbside replay clip.mp4 --config site.toml --out seen/
  kerbside run --config /etc/kerbside/site.toml

Exit codes: 0 all went as asked, 70 something failed while running, 78 the configuration is wrong.
Logs go to stderr: for people on a terminal, as JSON elsewhere. KERBSIDE_LOG=debug says more.";

/// Kerbside watches a street from a lamp post and reports stalls and dumped rubbish to the linkage centre (联动中心).
#[derive(Debug, Parser)]
#[command(name = "kerbside", version, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the agent: cameras, detectors, evidence, delivery. Stops on SIGTERM or Ctrl-C; a second one exits at once.
    Run(RunArgs),
    /// Play a clip through the same line and say what it would have reported.
    Replay(ReplayArgs),
    /// Replay every clip of a folder that has a truth, and say how well the line sees: tables, results.json, pictures.
    Score(ScoreArgs),
    /// Check a configuration whole: every problem with file, line, column and a suggestion.
    Check {
        /// The site file.
        config: PathBuf,
    },
    /// The centre's side: print incidents as they arrive, answer with receipts if asked.
    Watch(WatchArgs),
    /// Say what is missing or wrong on this machine, and how to mend it.
    Doctor {
        /// Also check what this site needs: cameras, broker, models, certificates.
        config: Option<PathBuf>,
    },
    /// Internal: the process that demuxes and decodes one camera.
    #[command(hide = true)]
    Capture {
        /// Cut evidence instead of watching a source.
        #[arg(long)]
        cut: bool,
    },
    /// Internal: a broker in memory, for demonstrations and tests only.
    #[cfg(feature = "embedded-broker")]
    #[command(hide = true)]
    Broker {
        /// Where to listen for MQTT 5.
        #[arg(long, default_value = "127.0.0.1:1883")]
        listen: std::net::SocketAddr,
        /// Where to listen for MQTT 3.1.1.
        #[arg(long)]
        v4: Option<std::net::SocketAddr>,
    },
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The site file.
    #[arg(long, default_value = "/etc/kerbside/site.toml")]
    pub config: PathBuf,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A video file.
    pub clip: PathBuf,
    /// The site file; its first camera watches the clip, or the one named by --camera.
    #[arg(long)]
    pub config: PathBuf,
    /// Camera whose zones and rules apply.
    #[arg(long)]
    pub camera: Option<String>,
    /// What really happens in the clip: the replay is scored against it, and fails if it disagrees.
    #[arg(long, value_name = "TRUTH")]
    pub expect: Option<PathBuf>,
    /// Where incidents.ndjson and the evidence go; emptied of an earlier replay first.
    #[arg(long, default_value = "replay-out")]
    pub out: PathBuf,
    /// Also write the clip with boxes, zones and what was said drawn in.
    #[arg(long, value_name = "MP4")]
    pub annotated: Option<PathBuf>,
    /// Play at the clip's own pace, drops and all, instead of as fast as possible in lockstep.
    #[arg(long)]
    pub realtime: bool,
    /// Wall clock at the first frame (RFC 3339); default: the truth's, else 2026-01-01T12:00:00 in the site's offset.
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
}

#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Folder of truths (NAME.truth.toml); each names its clip and its site.
    pub dir: PathBuf,
    /// Judge every clip by this site instead of its own.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Only the clips of this split, e.g. `report`.
    #[arg(long)]
    pub split: Option<String>,
    /// Where results.json, table.md, the pictures and what each replay wrote go.
    #[arg(long, default_value = "score")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// mqtt://host:port of the broker.
    #[arg(long, default_value = "mqtt://127.0.0.1:1883")]
    pub broker: String,
    /// Only this division (six digits).
    #[arg(long)]
    pub division: Option<String>,
    /// Only this box.
    #[arg(long)]
    pub edge: Option<String>,
    /// Answer each report with a receipt, as a centre does.
    #[arg(long)]
    pub receipts: bool,
    /// One JSON envelope a line instead of text.
    #[arg(long)]
    pub json: bool,
    /// Folder of the box's evidence, to print full paths (demonstration: box and centre on one machine).
    #[arg(long)]
    pub evidence_dir: Option<PathBuf>,
    /// Stop after so many incidents were opened.
    #[arg(long)]
    pub max: Option<u64>,
    /// Stop when nothing came for so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub until_idle: Option<f64>,
}
