//! Command line: the commands of the program and their help. No work is done here.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kerbside_domain::lang::Lang;

/// Prints a line to stdout. When the reader has gone (`| head`), the program goes on; `println!` would panic.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::print_line(format_args!($($text)*)) };
}

/// Used by [`say!`].
pub fn print_line(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Exit codes, as sysexits.h names them.
pub mod exit {
    /// The command succeeded.
    pub const OK: u8 = 0;
    /// Nothing contradicts a journal or evidence, but nobody vouches for it either (EX_UNAVAILABLE).
    pub const UNPROVEN: u8 = 69;
    /// Something failed while running (EX_SOFTWARE); also a replay that missed its truth, a journal that is damaged, evidence that
    /// was changed.
    pub const FAILED: u8 = 70;
    /// The centre ordered a restart: the supervisor starts the program again (EX_TEMPFAIL).
    pub const RESTART: u8 = 75;
    /// The configuration or the command line is wrong (EX_CONFIG).
    pub const CONFIG: u8 = 78;
}

const AFTER_HELP: &str = "\
Start here:
  kerbside doctor                          what is missing on this machine, and how to correct it
  kerbside check edge-config/one-camera.toml
  kerbside replay clip.mp4 --config site.toml --out replay/
  kerbside run --config /etc/kerbside/site.toml

Exit codes: 0 success, 69 consistent but unproven (journal, evidence), 70 something failed while running, 75 the centre
ordered a restart, 78 the configuration is wrong.
Logs go to stderr: for people on a terminal, as JSON elsewhere. KERBSIDE_LOG=debug shows more.";

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
    Run(OfSite),
    /// Play a clip through the same line and print what it would have reported.
    Replay(ReplayArgs),
    /// Replay every clip of a folder that has a truth, and count hits and false reports: tables, results.json, pictures.
    Score(ScoreArgs),
    /// Replay every video of a folder in which there is nothing to report, and count what was reported: false reports an hour with
    /// their bound, by cause.
    Negatives(NegativesArgs),
    /// Check a configuration whole: every problem with file, line, column and a suggestion.
    Check {
        /// The site file.
        config: PathBuf,
    },
    /// The centre's side: print incidents as they arrive, answer with receipts on request.
    Watch(WatchArgs),
    /// Why not: what stood there and was not reported, with time, place, rule and value against threshold. Only reads.
    Why(WhyArgs),
    /// Inspect a journal: check what it proves, and print its records. Only reads, so the box may be running.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Evidence outside of the running agent: check it, take it along, the box's key.
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// The centre's side: send a box a signed command and print its answer.
    Command(Box<CommandArgs>),
    /// Keys: of the centre, which sign commands, and of a box, which sign evidence.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Find what is missing or wrong on this machine, and how to correct it.
    Doctor {
        /// Also check what this site needs: cameras, broker, models, certificates.
        config: Option<PathBuf>,
    },
    /// Accept the data folder as it is now, after a lost disk. `run` refuses one that was emptied, or that is another box's.
    Adopt(OfSite),
    /// Internal: the process that demuxes and decodes one camera.
    #[command(hide = true)]
    Capture {
        /// Write a clip and stills of packets instead of watching a source.
        #[arg(long)]
        clip: bool,
        /// At this stage of a child's life, try one act that it must not be able to do, as told on stdin.
        #[arg(long, conflicts_with = "clip")]
        probe: Option<String>,
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

// For every command that the box carries out for its own site. No documentation: clap would show it as the command's.
#[derive(Debug, Args)]
pub struct OfSite {
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
    /// Also write the clip with boxes, zones and reports drawn in.
    #[arg(long, value_name = "MP4")]
    pub annotated: Option<PathBuf>,
    /// Play at the clip's own pace, drops and all, instead of as fast as possible in lockstep.
    #[arg(long)]
    pub realtime: bool,
    #[command(flatten)]
    pub lang: LangArgs,
    /// Wall clock at the first frame (RFC 3339); default: the truth's, else 2026-01-01T12:00:00 in the site's offset.
    #[arg(long, value_name = "TIME")]
    pub start: Option<String>,
}

/// The language of texts for people.
#[derive(Debug, Args)]
pub struct LangArgs {
    /// Language of the texts; default: that of the locale.
    #[arg(long = "lang", value_name = "LANG", value_enum)]
    chosen: Option<LangChoice>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LangChoice {
    En,
    Zh,
}

impl LangArgs {
    /// As chosen, else as the locale says (LC_ALL, LC_MESSAGES, LANG).
    pub fn lang(&self) -> Lang {
        match self.chosen {
            Some(LangChoice::En) => Lang::En,
            Some(LangChoice::Zh) => Lang::Zh,
            None => {
                let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
                let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set);
                Lang::of_locale(&locale.unwrap_or_default())
            }
        }
    }
}

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The box's data folder.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/kerbside")]
    pub data: PathBuf,
    /// Only of this camera, zone, rule.
    #[arg(long, value_name = "ID")]
    pub camera: Option<String>,
    #[arg(long, value_name = "ID")]
    pub zone: Option<String>,
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,
    /// Only what stood there from then on, and before (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only the newest of them.
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// One JSON object a line, with every value and both texts.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub lang: LangArgs,
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
    /// Only these clips: names of truths without ".truth.toml", by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub clips: Vec<String>,
    /// Score degraded versions of the clips (made by the ffmpeg program), as a table of a row each:
    /// NAME or NAME:STRENGTH, more than once, or `all`. The names: none, crf, small, crop, sway, exposure, noise, night, soft,
    /// fps, vibration, bands, drops.
    #[arg(long, value_name = "NAME[:STRENGTH]")]
    pub degrade: Vec<String>,
    /// Another seed draws other noise, phases and drops; 0 is that of the published table.
    #[arg(long, default_value_t = 0, requires = "degrade")]
    pub seed: u32,
}

#[derive(Debug, Args)]
pub struct NegativesArgs {
    /// Folder of videos (avi, gif, mkv, mov, mp4, ts, webm) in which nothing is left behind.
    pub dir: PathBuf,
    /// The site file: its networks, and the zones and rules of its first camera.
    #[arg(long)]
    pub config: PathBuf,
    /// Watch the whole picture for every kind that a camera can see, instead of the site's zones.
    #[arg(long)]
    pub whole_picture: bool,
    /// Dwells of every rule, s; each is counted by itself. Default: as the rules say.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(f64))]
    pub dwell: Vec<f64>,
    /// Hold the last picture of each video for this long, with a camera's noise, s: what was left by the end has its dwell.
    #[arg(long, default_value_t = 0.0)]
    pub hold: f64,
    /// Only videos whose name contains this.
    #[arg(long)]
    pub only: Option<String>,
    /// Where results.json, table.md and what each replay wrote go.
    #[arg(long, default_value = "negatives")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct BrokerArgs {
    /// mqtt://host:port or mqtts://host:port of the broker.
    #[arg(long, default_value = "mqtt://127.0.0.1:1883")]
    pub broker: String,
    /// Who the broker's certificate must be from (mqtts://).
    #[arg(long, value_name = "PEM")]
    pub ca_file: Option<PathBuf>,
    /// Own certificate and its private key, if the broker requires one.
    #[arg(long, value_name = "PEM", requires = "key_file")]
    pub cert_file: Option<PathBuf>,
    #[arg(long, value_name = "PEM", requires = "cert_file")]
    pub key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CommandArgs {
    /// snapshot, clip, recheck, resend, statistics, detector.pause, log.pull or restart; or grant, which has the box put a file to a url:
    /// --args '{"path": ..., "sha256": ..., "url": ...}' as its manifest names the file; without url, --into FILE.
    /// Or receipt or case, a signed statement that nobody answers: --args '{"id": ..., "result": "accepted"}',
    /// --args '{"incident_id": ..., "state": "closed"}'.
    pub verb: String,
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The division (six digits).
    #[arg(long)]
    pub division: String,
    /// The box.
    #[arg(long, required_unless_present = "all")]
    pub edge: Option<String>,
    /// All boxes of the division (snapshot, detector.pause).
    #[arg(long, conflicts_with = "edge")]
    pub all: bool,
    /// Private key that signs, made with `kerbside key new`.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Id of that key in the site files.
    #[arg(long)]
    pub key_id: String,
    /// Who orders it; written into the box's journal.
    #[arg(long)]
    pub actor: String,
    /// recheck: the incident.
    #[arg(long)]
    pub incident: Option<String>,
    /// snapshot, clip, detector.pause: the camera.
    #[arg(long)]
    pub camera: Option<String>,
    /// clip: the span (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// detector.pause: for how long; 0 ends a pause.
    #[arg(long = "for", value_name = "SECONDS")]
    pub for_s: Option<f64>,
    /// All other arguments of the verb, as JSON: '{"from": 3, "to": 9}', '{"last": 20}'.
    #[arg(long, value_name = "JSON")]
    pub args: Option<String>,
    /// grant: take the file over MQTT, in pieces, and write it here. A file that is there already goes on from its end.
    #[arg(long, value_name = "FILE")]
    pub into: Option<PathBuf>,
    /// The command's own id; the same id is obeyed once. Default: a new ULID.
    #[arg(long)]
    pub id: Option<String>,
    /// Print topic and message instead of sending them.
    #[arg(long)]
    pub print: bool,
    /// The box does not obey it later than that.
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    pub expires: f64,
    /// How long to wait for the answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 90.0)]
    pub wait: f64,
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Check every record, the hash chain, the numbers and the signed checkpoints: proven up to which record, consistent but
    /// unproven, or damaged. Exit code 0, 69, 70.
    Verify(VerifyArgs),
    /// Print records, oldest first.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The box's data folder, or its journal folder, or a copy of it.
    pub dir: PathBuf,
    /// The box's public key, as its birth message gave it: ed25519:..., a PEM file, or a file with either. Without, the key beside
    /// the journal is taken, which whoever had the box had too.
    #[arg(long, value_name = "PUBLIC")]
    pub key: Option<String>,
    /// Compare with the audit.checkpoint messages that the centre kept: one JSON message a line, as they came.
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Exit code 0 also for a journal that is consistent but unproven.
    #[arg(long)]
    pub unsigned_ok: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Evidence outside of the running agent: for an officer, a court, or whoever looks after the box.
#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Check evidence without box and without network: genuine, changed, unsigned or missing. Exit code 0, 69 (nobody vouches for
    /// it), 70.
    Verify(EvidenceVerifyArgs),
    /// On the box: put all evidence of an incident into one bundle, with what is needed to check it elsewhere.
    Export {
        /// The incident.
        incident: String,
        /// The box's data folder.
        #[arg(long, value_name = "DIR", default_value = "/var/lib/kerbside")]
        data: PathBuf,
        /// A new file FILE.zip, or a new folder.
        #[arg(long, value_name = "FILE.zip|DIR")]
        out: PathBuf,
    },
    /// On the box: print the public half of its key, as PEM for other people's tools and as the text of the birth message.
    PublicKey {
        /// The box's data folder, or a key file.
        #[arg(default_value = "/var/lib/kerbside")]
        data: PathBuf,
    },
    /// On the box: make the key that it signs with from its next start on. The old key signs the change.
    NewKey {
        /// The box's data folder.
        #[arg(default_value = "/var/lib/kerbside")]
        data: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct EvidenceVerifyArgs {
    /// A bundle (FILE.zip), a folder of evidence, or single files in one.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// The box's public key from a source that you trust: ed25519:..., a PEM file, or a file with either.
    #[arg(long, value_name = "PUBLIC")]
    pub key: Option<String>,
    /// One JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The box's data folder, or its journal folder, or a copy of it.
    pub dir: PathBuf,
    /// Only records of this kind (command, refused, message, ...) or messages of this type (matter, patrol, ...); may be repeated.
    #[arg(long)]
    pub kind: Vec<String>,
    /// Only what names this incident.
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// Only what was written from then on, and before (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Only what is at least so grave.
    #[arg(long, value_enum, default_value = "info")]
    pub severity: Severity,
    /// Only the newest of them.
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// The records as they stand, one a line, with their hashes: what an auditor takes along.
    #[arg(long)]
    pub json: bool,
    /// Also the queries of pre-signed urls and the headers of grants, which open the centre's store; without them a grant's
    /// record does not give its hash.
    #[arg(long)]
    pub secrets: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Severity {
    Info,
    Notice,
    Warning,
    Error,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// The centre's side: make a key (Ed25519) and print what goes into the site file.
    New {
        /// The new file; it stays with the centre.
        file: PathBuf,
    },
    /// Print the public half of a key: of the centre's, as it goes into the site file; of a box's, as openssl reads it.
    Show {
        /// A key of the centre.
        #[arg(required_unless_present = "config")]
        file: Option<PathBuf>,
        /// The site file of a box.
        #[arg(long, value_name = "SITE", conflicts_with = "file")]
        config: Option<PathBuf>,
    },
    /// The box's side: print a request (PKCS#10) for a certificate that vouches for this box's signature in pictures and clips.
    Csr {
        /// The site file.
        #[arg(long, value_name = "SITE", default_value = "/etc/kerbside/site.toml")]
        config: PathBuf,
        /// Who operates the box, as verifiers shall show it.
        #[arg(long, value_name = "NAME")]
        organisation: Option<String>,
    },
    /// The box's side: check the certificates that an authority gave, and use them from the next file on.
    Chain {
        /// PEM: the box's certificate, then those of its authorities.
        file: PathBuf,
        /// The site file.
        #[arg(long, value_name = "SITE", default_value = "/etc/kerbside/site.toml")]
        config: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// Only this division (six digits).
    #[arg(long)]
    pub division: Option<String>,
    /// Only this box.
    #[arg(long)]
    pub edge: Option<String>,
    /// Answer each report with a receipt, as a centre does.
    #[arg(long)]
    pub receipts: bool,
    /// Sign the receipts with this private key (`kerbside key new`).
    #[arg(long, value_name = "FILE", requires = "receipts", requires = "key_id")]
    pub key: Option<PathBuf>,
    /// Id of that key in the site files.
    #[arg(long, requires = "key")]
    pub key_id: Option<String>,
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
