//! The program `kerbside`: command line and exit codes.

#![deny(clippy::print_stdout)]

use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use kerbside::app::Ended;
use kerbside::cli::{Cli, Command, CommandArgs, KeyCommand, ReplayArgs, WatchArgs, exit};
use kerbside::data_folder::DataFolder;
use kerbside::doctor::ModelFault;
use kerbside::say;
#[cfg(feature = "camera")]
use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::time::Clock as _;
use kerbside_infer::{LIVE_RUN_LIMIT, LoadError};
#[cfg(feature = "camera")]
use kerbside_media::Walls;
#[cfg(feature = "camera")]
use kerbside_media::parent::{CameraSeen, CameraTrouble};
use kerbside_site::config::{self, Site};

fn main() -> ExitCode {
    #[cfg(feature = "inference")]
    #[allow(unsafe_code)]
    // SAFETY: this is the program's first line; no thread runs yet.
    unsafe {
        kerbside_infer::telemetry::off();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { exit::CONFIG } else { exit::OK });
        }
    };
    #[cfg(feature = "camera")]
    if let Command::Capture { clip, probe } = &cli.command {
        // A child of ours: no logs, no signals, only its pipes.
        return match (clip, probe) {
            (true, _) => kerbside_media::child::clip::main(),
            (_, Some(stage)) => kerbside_media::child::probe::main(stage),
            _ => kerbside_media::child::capture::main(None),
        };
    }
    kerbside::log::init();
    match run(cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(exit::FAILED)
        }
    }
}

fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Run(args) => start(&args.config),
        Command::Adopt(args) => adopt(&args.config),
        Command::Check { config } => Ok(check(&config)),
        Command::Replay(args) => replay(args),
        Command::Score(args) => kerbside::score::command(&args),
        Command::Negatives(args) => kerbside::negatives::command(&args),
        Command::Watch(args) => watch(args).map(|()| exit::OK),
        Command::Why(args) => kerbside::why::command(&args, &mut std::io::stdout().lock()),
        Command::Journal(args) => kerbside::inspect::run(&args, &mut std::io::stdout().lock()),
        Command::Evidence(args) => kerbside::proof::run(&args, &mut std::io::stdout().lock()),
        Command::Command(args) => send_command(*args),
        Command::Key(args) => key(args),
        Command::Doctor { config } => Ok(doctor(config.as_deref())),
        #[cfg(feature = "embedded-broker")]
        Command::Broker { listen, v4 } => broker(listen, v4),
        Command::Capture { .. } => anyhow::bail!("this program was built without the feature `camera`"),
    }
}

/// Runs the agent, unless its data folder is not its own.
fn start(config: &Path) -> anyhow::Result<u8> {
    let Some(site) = load(config) else { return Ok(exit::CONFIG) };
    let folder = DataFolder::of(&site, config);
    if let Err(refused) = folder.check() {
        eprintln!("{refused}");
        return Ok(exit::CONFIG);
    }
    let walls = kerbside::app::walls(&site, config);
    let program = kerbside_media::CaptureProgram::this()?.with_walls(walls);
    kerbside::app::run(config.to_owned(), site, &folder, program).map(|ended| match ended {
        Ended::Stopped => exit::OK,
        Ended::Restart => exit::RESTART,
    })
}

fn adopt(config: &Path) -> anyhow::Result<u8> {
    let Some(site) = load(config) else { return Ok(exit::CONFIG) };
    for line in DataFolder::of(&site, config).adopt()? {
        say!("{line}");
    }
    Ok(exit::OK)
}

/// The checked site, with its warnings logged; or `None`, with every problem on stderr.
fn load(path: &Path) -> Option<Site> {
    let site = config::load(path).map_err(|problems| eprint!("{problems}")).ok()?;
    for warning in &site.warnings {
        tracing::warn!("{warning}");
    }
    Some(site)
}

fn check(path: &Path) -> u8 {
    match load(path) {
        Some(site) => {
            say!(
                "{}: in order: box {}, {} camera(s), {} sensor(s)",
                path.display(),
                site.device.edge_id,
                site.cameras.len(),
                site.sensors.sensors.len()
            );
            match &site.models.witness {
                Some(manifest) => say!("second witness: {}", manifest.display()),
                None => say!("second witness: none ([models] witness)"),
            }
            exit::OK
        }
        None => exit::CONFIG,
    }
}

fn replay(args: ReplayArgs) -> anyhow::Result<u8> {
    let Some(site) = load(&args.config) else { return Ok(exit::CONFIG) };
    kerbside::replay::command(args, site)
}

fn watch(args: WatchArgs) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(kerbside::centre::watch(args.into()))?;
    Ok(())
}

fn send_command(args: CommandArgs) -> anyhow::Result<u8> {
    let mut out = std::io::stdout();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(kerbside::centre::send_command(args, &mut out))?;
    Ok(if done { exit::OK } else { exit::FAILED })
}

fn key(args: KeyCommand) -> anyhow::Result<u8> {
    let out = &mut std::io::stdout();
    let of_box = |config: &Path, run: &mut dyn FnMut(&Site) -> anyhow::Result<bool>| match load(config) {
        Some(site) => run(&site).map(|done| if done { exit::OK } else { exit::FAILED }),
        None => Ok(exit::CONFIG),
    };
    match args {
        KeyCommand::New { file } => kerbside::centre::new_key(&file, out).map(|()| exit::OK),
        KeyCommand::Show { file: Some(file), .. } => {
            kerbside::centre::show_key(&file, out).map(|()| exit::OK)
        }
        KeyCommand::Show { config, .. } => {
            let config = config.unwrap_or_default();
            of_box(&config, &mut |site| kerbside::box_key::show(site, out).map(|()| true))
        }
        KeyCommand::Csr { config, organisation } => of_box(&config, &mut |site| {
            kerbside::box_key::csr(site, organisation.as_deref(), out).map(|()| true)
        }),
        KeyCommand::Chain { file, config } => {
            let now_s = kerbside_domain::time::SystemClock::new().now().wall_ms / 1000;
            of_box(&config, &mut |site| kerbside::box_key::install_chain(site, &file, now_s, out))
        }
    }
}

fn doctor(config: Option<&Path>) -> u8 {
    #[cfg(feature = "camera")]
    let versions = Some(kerbside_media::versions as _);
    #[cfg(not(feature = "camera"))]
    let versions = None;
    #[cfg(feature = "camera")]
    let confinement = Some(kerbside::doctor::confined as _);
    #[cfg(not(feature = "camera"))]
    let confinement = None;
    #[cfg(feature = "camera")]
    let try_camera = Some(try_camera as _);
    #[cfg(not(feature = "camera"))]
    let try_camera = None;
    let hooks = kerbside::doctor::Hooks { versions, load_model: Some(load_model), confinement, try_camera };
    let clock = kerbside_domain::time::SystemClock::new();
    let findings = kerbside::doctor::run(config, &hooks, &clock, |what| eprintln!("checking: {what}"));
    say!("{}", kerbside::doctor::render(&findings).trim_end());
    kerbside::doctor::exit_code(&findings)
}

/// What `doctor` says of a camera that can be watched, as the agent itself would watch it.
#[cfg(feature = "camera")]
fn try_camera(camera: &config::Camera, walls: Walls) -> Result<CameraSeen, CameraTrouble> {
    let not_found = |error: std::io::Error| CameraTrouble {
        state: CameraState::Off(Off::Crashed),
        why: format!("this program cannot be found: {error}"),
    };
    let program = kerbside_media::CaptureProgram::this().map_err(not_found)?.with_walls(walls);
    kerbside_media::parent::try_camera(camera, program)
}

/// The sentence of `doctor` about a model that loads.
fn load_model(manifest: &Path, runtime: Option<&Path>) -> Result<String, ModelFault> {
    let fault = |error: LoadError| ModelFault { what: error.to_string(), remedy: error.remedy() };
    let (_, manifest) = kerbside_infer::load(manifest, runtime, LIVE_RUN_LIMIT).map_err(fault)?;
    Ok(format!("{} {} loads; its hash is right", manifest.name, manifest.version))
}

#[cfg(feature = "embedded-broker")]
fn broker(listen: std::net::SocketAddr, v4: Option<std::net::SocketAddr>) -> anyhow::Result<u8> {
    kerbside_link::embedded::start(listen, v4)?;
    say!("listening on mqtt://{listen}");
    loop {
        std::thread::park();
    }
}
