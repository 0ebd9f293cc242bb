//! ONNX Runtime: loads the library and a model, runs it with a time limit. No type of `ort` or `ndarray` leaves this file.
//!
//! One intra-op thread, no spinning, all optimisations: defaults cost two to three times the CPU at camera rates.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use ndarray::Array4;
use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{RunOptions, Session};
use ort::value::{DynValue, Tensor as OrtTensor, TensorElementType, ValueType};

use super::decode::{self, Port, Ports, Tensor};
use super::heap::GiveBack;
use super::manifest::{DType, Layout};
use super::preprocess::Preprocessor;
use super::{Detection, Detector, DetectorError, LoadError, Manifest};
use kerbside_crypto::hash;
use kerbside_domain::frame::Frame;

/// Libraries of the pinned release (PyPI wheel onnxruntime 1.31.1): x86_64, aarch64.
const KNOWN_RUNTIMES: [&str; 2] = [
    "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
];
const RUNTIME_FILE: &str = "libonnxruntime.so.1.31.1";
const MODEL_AT_MOST: u64 = 1 << 30;

/// ONNX Runtime allows one environment a process, for ever: the one global of this program, because it is the library's.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// A model in ONNX Runtime. One per worker, never per camera.
pub struct OrtDetector {
    manifest: Manifest,
    session: Session,
    preprocessor: Preprocessor,
    output_names: Vec<String>,
    ports: Ports,
    watchdog: Watchdog,
    _heap: GiveBack,
}

impl std::fmt::Debug for OrtDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OrtDetector({} {})", self.manifest.name, self.manifest.version)
    }
}

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

impl OrtDetector {
    /// Reads the manifest, checks model and library against their hashes, and makes the session.
    /// `runtime`: see [`find_runtime`]. `limit`: a run that takes longer is stopped and costs one error.
    pub fn load(manifest: &Path, runtime: Option<&Path>, limit: Duration) -> Result<Self, LoadError> {
        let manifest = Manifest::read(manifest)?;
        let bytes = read_model(&manifest)?;
        let environment = environment(&find_runtime(runtime)?)?;
        let refused = |why: String| LoadError::Model { path: manifest.model.clone(), why };
        let session = build(&environment, &bytes).map_err(refused)?;
        let ports = check_ports(&manifest, &session)?;
        Ok(OrtDetector {
            preprocessor: Preprocessor::new(&manifest.input, manifest.output.family),
            output_names: session.outputs().iter().map(|o| o.name().to_owned()).collect(),
            ports,
            session,
            watchdog: Watchdog::start(limit)?,
            manifest,
            _heap: GiveBack,
        })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn input(&self) -> Result<DynValue, String> {
        let i = &self.manifest.input;
        let (w, h) = (i.width as usize, i.height as usize);
        let shape = if i.layout == Layout::Nhwc { (1, h, w, 3) } else { (1, 3, h, w) };
        match i.dtype {
            DType::UInt8 => {
                let array =
                    Array4::from_shape_vec(shape, self.preprocessor.bytes()).map_err(|e| e.to_string())?;
                OrtTensor::from_array(array).map(|t| t.into_dyn()).map_err(|e| e.to_string())
            }
            DType::Float32 => {
                let array =
                    Array4::from_shape_vec(shape, self.preprocessor.floats()).map_err(|e| e.to_string())?;
                OrtTensor::from_array(array).map(|t| t.into_dyn()).map_err(|e| e.to_string())
            }
        }
    }
}

impl Detector for OrtDetector {
    fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectorError> {
        let placed = self.preprocessor.take(frame)?;
        let model = self.manifest.name.clone();
        let failed = |why: String| DetectorError::Inference { model: model.clone(), why };
        let input = self.input().map_err(failed)?;
        // A fresh flag for every run: a late stop of the last one cannot touch this one.
        let options = Arc::new(RunOptions::new().map_err(|e| failed(e.to_string()))?);
        let guard = self.watchdog.guard(&options);
        let outputs = self.session.run_with_options(ort::inputs![input], &*options);
        let stopped = guard.end();
        let outputs = outputs.map_err(|e| match stopped {
            Some(limit) => DetectorError::TimeLimit { model: model.clone(), limit_s: limit.as_secs_f64() },
            None => failed(e.to_string()),
        })?;
        let mut tensors = Vec::with_capacity(self.output_names.len());
        for name in &self.output_names {
            let value = outputs.get(name).ok_or_else(|| failed(format!("output {name} did not come")))?;
            let (_, data) = value.try_extract_tensor::<f32>().map_err(|e| failed(e.to_string()))?;
            tensors.push(Tensor { name, data });
        }
        decode::decode(&self.manifest, &self.ports, &tensors, placed)
    }
}

/// The bytes that were hashed are the bytes that are loaded.
fn read_model(manifest: &Manifest) -> Result<Vec<u8>, LoadError> {
    let path = &manifest.model;
    let read = |source| LoadError::Read { path: path.clone(), source };
    let size = std::fs::metadata(path).map_err(read)?.len();
    if size > MODEL_AT_MOST {
        let why = format!("{size} bytes are more than {MODEL_AT_MOST}");
        return Err(LoadError::Model { path: path.clone(), why });
    }
    let bytes = std::fs::read(path).map_err(read)?;
    let got = hash::hex(&hash::of(&bytes));
    if got != manifest.sha256 {
        let (manifest, want) = (manifest.path.clone(), manifest.sha256.clone());
        return Err(LoadError::ModelHash { path: path.clone(), manifest, want, got });
    }
    Ok(bytes)
}

fn environment(runtime: &Path) -> Result<Environment, LoadError> {
    let mut slot = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = slot.as_ref() {
        return Ok(environment.clone());
    }
    let path = std::path::absolute(runtime)
        .map_err(|source| LoadError::Read { path: runtime.to_owned(), source })?;
    check_runtime(&path)?;
    if !super::telemetry::is_off() {
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
fn check_runtime(path: &Path) -> Result<(), LoadError> {
    let read = |source| LoadError::Read { path: path.to_owned(), source };
    let (got, _) = std::fs::File::open(path).and_then(|mut file| hash::of_file(&mut file)).map_err(read)?;
    let vouched = std::env::var("KERBSIDE_ORT_SHA256").is_ok_and(|h| h.eq_ignore_ascii_case(&got));
    if vouched || KNOWN_RUNTIMES.contains(&got.as_str()) {
        return Ok(());
    }
    Err(LoadError::RuntimeHash { path: path.to_owned(), got })
}

fn build(environment: &Environment, model: &[u8]) -> Result<Session, String> {
    let session = || -> ort::Result<Session> {
        Session::builder(environment)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            // Shapes are fixed: one plan of the memory serves every run.
            .with_memory_pattern(true)?
            .commit_from_memory(model)
    };
    session().map_err(|e| e.to_string())
}

fn check_ports(manifest: &Manifest, session: &Session) -> Result<Ports, LoadError> {
    let shape_error =
        |port: String, why: String| LoadError::Shape { path: manifest.model.clone(), port, why };
    let i = &manifest.input;
    let (w, h) = (i64::from(i.width), i64::from(i.height));
    let want = if i.layout == Layout::Nhwc { [1, h, w, 3] } else { [1, 3, h, w] };
    let want_type =
        if i.dtype == DType::UInt8 { TensorElementType::Uint8 } else { TensorElementType::Float32 };
    let [input] = session.inputs() else {
        return Err(shape_error("inputs".to_owned(), format!("{}, one is expected", session.inputs().len())));
    };
    match tensor(input.dtype()) {
        Some((ty, shape)) if ty == want_type && shape == want => {}
        Some((ty, shape)) => {
            let why = format!("{ty} {shape:?}, but the manifest says {want_type} {want:?}");
            return Err(shape_error(format!("input {}", input.name()), why));
        }
        None => return Err(shape_error(format!("input {}", input.name()), "no tensor".to_owned())),
    }
    let mut outputs: Vec<Port> = Vec::new();
    for output in session.outputs() {
        match tensor(output.dtype()) {
            Some((TensorElementType::Float32, shape)) => outputs.push((output.name().to_owned(), shape)),
            _ => return Err(shape_error(format!("output {}", output.name()), "not float32".to_owned())),
        }
    }
    Ports::find(manifest, &outputs).map_err(|(port, why)| shape_error(port, why))
}

fn tensor(value: &ValueType) -> Option<(TensorElementType, Vec<i64>)> {
    match value {
        ValueType::Tensor { ty, shape, .. } => Some((*ty, shape.to_vec())),
        _ => None,
    }
}

enum Watch {
    Start(Arc<RunOptions>),
    End,
}

/// A thread that sleeps until a run takes too long, then tells the runtime to stop between two nodes.
struct Watchdog {
    limit: Duration,
    watch: Sender<Watch>,
    stopped: Receiver<bool>,
}

struct Guard<'a>(&'a Watchdog);

impl Watchdog {
    /// The thread ends when the watchdog is dropped.
    fn start(limit: Duration) -> Result<Self, LoadError> {
        let (watch, runs) = crossbeam_channel::bounded(2);
        let (say, stopped) = crossbeam_channel::bounded(2);
        let body = move || {
            while let Ok(Watch::Start(options)) = runs.recv() {
                let late = runs.recv_timeout(limit).is_err();
                if late {
                    // If even that fails, the run ends by itself or the stage is reported as stuck.
                    let _ = options.terminate();
                    if runs.recv().is_err() {
                        return;
                    }
                }
                if say.send(late).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ort-watchdog".to_owned());
        thread.spawn(body).map_err(LoadError::Thread)?;
        Ok(Watchdog { limit, watch, stopped })
    }

    fn guard(&self, options: &Arc<RunOptions>) -> Guard<'_> {
        let _ = self.watch.send(Watch::Start(Arc::clone(options)));
        Guard(self)
    }
}

impl Guard<'_> {
    /// The limit, if the run was stopped because of it.
    fn end(self) -> Option<Duration> {
        let _ = self.0.watch.send(Watch::End);
        self.0.stopped.recv().unwrap_or(false).then_some(self.0.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::frame_of;
    use super::*;
    use crate::LIVE_RUN_LIMIT;

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    fn load(name: &str) -> Result<OrtDetector, LoadError> {
        load_with(name, LIVE_RUN_LIMIT)
    }

    fn load_with(name: &str, limit: Duration) -> Result<OrtDetector, LoadError> {
        let runtime = std::env::var_os("KERBSIDE_ORT").map(PathBuf::from).unwrap_or_else(|| {
            repository().join(format!(".deps/onnxruntime/{}/{RUNTIME_FILE}", std::env::consts::ARCH))
        });
        OrtDetector::load(&repository().join(format!("models/{name}.toml")), Some(&runtime), limit)
    }

    fn halves() -> Frame {
        frame_of(32, 32, |x, _| if x < 16 { [204, 0, 102] } else { [51, 0, 153] })
    }

    fn said(detector: &mut OrtDetector, frame: &Frame) -> String {
        let line = |d: Detection| {
            let b = d.bbox;
            format!("{} {:.3} {} {} {} {}", d.label, d.confidence, b.x, b.y, b.x + b.w, b.y + b.h)
        };
        detector.detect(frame).unwrap().into_iter().map(line).collect::<Vec<_>>().join("; ")
    }

    /// What the tiny models say is arithmetic on the colours of the halves: see models/test/README.md.
    #[test]
    fn every_family_says_what_its_readme_says() {
        let table = [
            ("tiny-boxes", "person 0.800 0 0.25 0.5 1; bag 0.600 0.5 0 1 0.75"),
            ("tiny-yolox", "person 0.400 0 0 0.25 0.5"),
            ("tiny-yolov8", "person 0.800 0 0.125 0.5 0.875; bag 0.600 0.5 0 1 0.75"),
            ("tiny-ssd", "person 0.800 0 0.25 0.5 1; bag 0.600 0.5 0 1 0.75"),
        ];
        for (name, want) in table {
            let mut detector = load(&format!("test/{name}")).unwrap();
            assert_eq!(said(&mut detector, &halves()), want, "{name}");
            assert_eq!(said(&mut detector, &frame_of(32, 32, |_, _| [0; 3])), "", "{name}");
        }
    }

    #[test]
    fn an_endless_model_costs_one_error_and_no_worker() {
        let mut detector = load_with("test/loop", Duration::from_millis(200)).unwrap();
        for _ in 0..2 {
            let error = detector.detect(&halves()).expect_err("must be stopped");
            assert!(matches!(error, DetectorError::TimeLimit { .. }), "{error}");
        }
    }

    #[test]
    fn a_model_that_declares_terabytes_is_refused() {
        let error = load("test/huge").expect_err("must be refused").to_string();
        assert!(error.contains("output boxes: shape [1, 137438953472, 4] holds more than"), "{error}");
    }

    #[test]
    fn a_model_that_is_not_the_described_one_is_refused_before_it_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let test = repository().join("models/test");
        std::fs::copy(test.join("tiny-boxes.toml"), folder.path().join("tiny-boxes.toml")).unwrap();
        std::fs::copy(test.join("tiny-ssd.onnx"), folder.path().join("tiny-boxes.onnx")).unwrap();
        let error = OrtDetector::load(&folder.path().join("tiny-boxes.toml"), None, LIVE_RUN_LIMIT)
            .expect_err("must be refused");
        assert!(matches!(error, LoadError::ModelHash { .. }), "{error}");
    }

    #[test]
    fn a_library_that_nobody_knows_is_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libonnxruntime.so");
        std::fs::write(&path, b"no library").unwrap();
        assert!(matches!(check_runtime(&path), Err(LoadError::RuntimeHash { .. })));
    }

    #[test]
    fn the_shipped_model_loads_and_sees_nothing_in_grey() {
        let mut detector = load("street").unwrap();
        assert_eq!(said(&mut detector, &frame_of(640, 360, |_, _| [114; 3])), "");
    }
}
