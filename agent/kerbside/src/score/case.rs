//! The clips to be scored: each with its truth and its site.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::cli::ScoreArgs;
use crate::replay::truth::Truth;
use kerbside_site::config::Site;

/// The sensitivities that are compared. Rules are tuned at 5.
pub(super) const SENSITIVITIES: [u8; 5] = [1, 3, 5, 7, 10];

/// A clip that is there, with its truth and its site.
#[derive(Debug)]
pub(super) struct Case {
    /// The truth's file name without its ending.
    pub(super) name: String,
    pub(super) truth: Truth,
    pub(super) clip: PathBuf,
    pub(super) site: Site,
}

/// All truths of the folder in order of name. `None`: a truth or a site is wrong; stderr names the fault.
pub(super) fn load(args: &ScoreArgs) -> anyhow::Result<Option<Vec<Case>>> {
    let mut truths = Vec::new();
    let entries = std::fs::read_dir(&args.dir).with_context(|| format!("reading {}", args.dir.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".truth.toml"));
        truths.extend(name.map(|name| (name.to_owned(), path.clone())));
    }
    truths.sort();
    if let Some(unknown) = args.clips.iter().find(|clip| truths.iter().all(|(name, _)| name != *clip)) {
        bail!("--clips: {} has no {unknown}.truth.toml", args.dir.display());
    }
    let mut cases = Vec::new();
    for (name, path) in truths {
        if !args.clips.is_empty() && !args.clips.contains(&name) {
            continue;
        }
        let truth = match Truth::load(&path) {
            Ok(truth) => truth,
            Err(error) => {
                eprintln!("{error}");
                return Ok(None);
            }
        };
        let clip = args.dir.join(&truth.clip);
        if args.split.is_some() && args.split != truth.split {
            continue;
        }
        if !clip.is_file() {
            eprintln!("left out: {} is not there", clip.display());
            continue;
        }
        let site = match (&args.config, &truth.site) {
            (Some(config), _) => config.clone(),
            (None, Some(site)) => args.dir.join(site),
            (None, None) => bail!("{}: names no site, and there is no --config", path.display()),
        };
        match kerbside_site::config::load(&site) {
            Ok(site) => cases.push(Case { name, truth, clip, site }),
            Err(problems) => {
                eprint!("{problems}");
                return Ok(None);
            }
        }
    }
    Ok(Some(cases))
}
