//! The ONNX Runtime library: where it lies, whether it is one we know, and its one environment.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kerbside_crypto::hash;
use ort::environment::Environment;

use crate::error::LoadError;
use crate::telemetry;

/// Libraries of the pinned release (PyPI wheel onnxruntime 1.31.1): x86_64, aarch64.
const KNOWN_RUNTIMES: [&str; 2] = [
    "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
];
pub(super) const RUNTIME_FILE: &str = "libonnxruntime.so.1.31.1";

/// ONNX Runtime allows one environment a process, for ever: the one global of this program, because it is the library's.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// Where ONNX Runtime lies: as configured, else `KERBSIDE_ORT`, beside the program, `/usr/lib/kerbside`.
pub fn find_runtime(configured: Option<&Path>) -> Result<PathBuf, LoadError> {
    if let Some(path) = configured {
        return Ok(path.to_owned());
    }
    if let Some(path) = std::env::var_os("KERBSIDE_ORT").filter(|p| !p.is_empty()) {
        return Ok(path.into());
    }
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent).map(|folder| folder.join(RUNTIME_FILE));
    let places: Vec<PathBuf> =
        beside.into_iter().chain([Path::new("/usr/lib/kerbside").join(RUNTIME_FILE)]).collect();
    let found = places.iter().find(|p| p.is_file()).cloned();
    found.ok_or_else(|| {
        let tried: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
        LoadError::NoRuntime { tried: format!("KERBSIDE_ORT, {}", tried.join(", ")) }
    })
}

/// Loads the library at `runtime` once; later calls get the same environment.
pub(super) fn environment(runtime: &Path) -> Result<Environment, LoadError> {
    let mut slot = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = slot.as_ref() {
        return Ok(environment.clone());
    }
    let path =
        std::path::absolute(runtime).map_err(|cause| LoadError::Read { path: runtime.to_owned(), cause })?;
    check_runtime(&path)?;
    if !telemetry::is_off() {
        return Err(LoadError::Telemetry);
    }
    let failed = |why: String| LoadError::Runtime { path: path.clone(), why };
    let environment = ort::init_from(&path)
        .map_err(|e| failed(e.to_string()))?
        .with_name("kerbside")
        .with_telemetry(false)
        .build()
        .map_err(|e| failed(e.to_string()))?;
    *slot = Some(environment.clone());
    Ok(environment)
}

/// Loading a library runs its code: only one we know, or one the operator vouches for.
pub(super) fn check_runtime(path: &Path) -> Result<(), LoadError> {
    let read = |cause| LoadError::Read { path: path.to_owned(), cause };
    let (got, _) = std::fs::File::open(path).and_then(|mut file| hash::of_file(&mut file)).map_err(read)?;
    let vouched = std::env::var("KERBSIDE_ORT_SHA256").is_ok_and(|h| h.eq_ignore_ascii_case(&got));
    if vouched || KNOWN_RUNTIMES.contains(&got.as_str()) {
        return Ok(());
    }
    Err(LoadError::RuntimeHash { path: path.to_owned(), got })
}
