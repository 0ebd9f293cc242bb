//! ONNX Runtime: loads the library and a model, runs it with a time limit. No type of `ort` or `ndarray` leaves this folder.
//!
//! One intra-op thread, no spinning, all optimisations: defaults cost two to three times the CPU at camera rates.

mod runtime;
mod session;
mod trial;
mod watchdog;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kerbside_domain::detection::Detection;
use kerbside_domain::frame::Frame;
use ndarray::Array4;
use ort::session::{RunOptions, Session};
use ort::value::{DynValue, Tensor as OrtTensor};

pub use self::runtime::find_runtime;
use self::watchdog::Watchdog;
use crate::decode::{self, OutputLayout, Tensor};
use crate::detector::Detector;
use crate::error::{DetectorError, LoadError};
use crate::heap::TrimOnDrop;
use crate::manifest::{DType, Family, Layout, Manifest};
use crate::preprocess::{Placement, Preprocessor};
use crate::tuning::SUSPECT_SCORE;

/// A model in ONNX Runtime. One per worker, never per camera.
pub struct OrtDetector {
    manifest: Manifest,
    /// The same with the lower thresholds of a suspicion.
    suspecting: Arc<Manifest>,
    session: Session,
    preprocessor: Preprocessor,
    output_names: Vec<String>,
    layout: OutputLayout,
    watchdog: Watchdog,
    _heap: TrimOnDrop,
}

impl std::fmt::Debug for OrtDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OrtDetector({} {})", self.manifest.name, self.manifest.version)
    }
}

impl OrtDetector {
    /// Reads the manifest, checks model and library against their hashes, makes the session and tries it on two frames.
    /// `library`: see [`find_runtime`]. `limit`: a run that takes longer is stopped and costs one error.
    pub fn load(manifest: &Path, library: Option<&Path>, limit: Duration) -> Result<Self, LoadError> {
        let manifest = Manifest::read(manifest)?;
        let bytes = session::read_model(&manifest)?;
        let environment = runtime::environment(&runtime::find_runtime(library)?)?;
        let refused = |why: String| LoadError::Model { path: manifest.model.clone(), why };
        let session = session::build(&environment, &bytes).map_err(refused)?;
        let layout = session::check_layout(&manifest, &session)?;
        let mut detector = OrtDetector {
            preprocessor: Preprocessor::new(&manifest.input, manifest.output.family),
            output_names: session.outputs().iter().map(|o| o.name().to_owned()).collect(),
            layout,
            session,
            watchdog: Watchdog::start(limit)?,
            suspecting: Arc::new(suspecting(&manifest)),
            manifest,
            _heap: TrimOnDrop,
        };
        detector.pass_trial()?;
        Ok(detector)
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
        self.run(frame, decode::decode)
    }

    fn suspect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectorError> {
        let suspecting = self.suspecting.clone();
        self.run(frame, |_, layout, tensors, placed| decode::decode(&suspecting, layout, tensors, placed))
    }
}

/// The manifest with thresholds that a suspicion needs to reach.
fn suspecting(manifest: &Manifest) -> Manifest {
    let mut manifest = manifest.clone();
    for label in &mut manifest.labels {
        label.min_score = label.min_score.min(SUSPECT_SCORE);
    }
    manifest
}

impl OrtDetector {
    /// Its numbers must be of its family, and it must see nobody in a plain grey picture.
    fn pass_trial(&mut self) -> Result<(), LoadError> {
        let (path, input) = (self.manifest.model.clone(), &self.manifest.input);
        let (grey, shades) =
            (trial::grey(input.width, input.height), trial::shades(input.width, input.height));
        let failed = |cause| LoadError::Trial { path: path.clone(), cause: Box::new(cause) };
        for frame in [&grey, &shades] {
            let values = self
                .run(frame, |manifest, layout, tensors, _| decode::check_values(manifest, layout, tensors));
            values.map_err(failed)?;
        }
        if self.manifest.output.family == Family::Words {
            return Ok(()); // It says how much each of its words fits whatever it is shown.
        }
        let seen = self.detect(&grey).map_err(failed)?;
        trial::nobody(&path, &seen)
    }

    /// Shows the network a frame, and its outputs to `judge`.
    fn run<T>(
        &mut self,
        frame: &Frame,
        judge: impl FnOnce(&Manifest, &OutputLayout, &[Tensor<'_>], Placement) -> Result<T, DetectorError>,
    ) -> Result<T, DetectorError> {
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
        judge(&self.manifest, &self.layout, &tensors, placed)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::runtime::{RUNTIME_FILE, check_runtime};
    use super::*;
    use crate::fake::frame_of;
    use crate::tuning::LIVE_RUN_LIMIT;

    fn repository() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    fn load(name: &str) -> Result<OrtDetector, LoadError> {
        load_with(name, LIVE_RUN_LIMIT)
    }

    fn load_with(name: &str, limit: Duration) -> Result<OrtDetector, LoadError> {
        load_from(&repository().join(format!("models/{name}.toml")), limit)
    }

    fn load_from(manifest: &Path, limit: Duration) -> Result<OrtDetector, LoadError> {
        let runtime = std::env::var_os("KERBSIDE_ORT").map(PathBuf::from).unwrap_or_else(|| {
            repository().join(format!(".deps/onnxruntime/{}/{RUNTIME_FILE}", std::env::consts::ARCH))
        });
        OrtDetector::load(manifest, Some(&runtime), limit)
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
            ("tiny-yolov5", "person 0.800 0 0.125 0.5 0.875; bag 0.600 0.5 0 1 0.75"),
            ("tiny-yolov8", "person 0.800 0 0.125 0.5 0.875; bag 0.600 0.5 0 1 0.75"),
            ("tiny-yolov8-turned", "person 0.800 0 0.125 0.5 0.875; bag 0.600 0.5 0 1 0.75"),
            ("tiny-nms", "person 0.800 0 0.125 0.5 0.875; bag 0.600 0.5 0 1 0.75"),
            ("tiny-ssd", "person 0.800 0 0.25 0.5 1; bag 0.600 0.5 0 1 0.75"),
        ];
        for (name, want) in table {
            let mut detector = load(&format!("test/{name}")).unwrap();
            assert_eq!(said(&mut detector, &halves()), want, "{name}");
            assert_eq!(said(&mut detector, &frame_of(32, 32, |_, _| [0; 3])), "", "{name}");
        }
    }

    /// The shipped witness on two crops of the synthetic clips: a fruit stall with its vendor, a car.
    #[test]
    fn the_witness_tells_goods_from_a_car() {
        let mut witness = load("witness").unwrap();
        let mut goods_share = |name: &str| {
            let seen = witness.detect(&ppm(&repository().join("models/test").join(name))).unwrap();
            let sum = |label: &str| seen.iter().find(|d| &*d.label == label).expect(label).confidence;
            assert_eq!(seen.len(), 4, "one detection a sum: {seen:?}");
            let (goods, movers) = (sum("stall"), sum("people or vehicles"));
            goods / (goods + movers)
        };
        let (stall, car) = (goods_share("stall.ppm"), goods_share("people-or-vehicles.ppm"));
        assert!(stall > 0.5 && car < 0.1, "{stall} {car}");
    }

    /// A picture of 8-bit PPM without comments.
    fn ppm(path: &Path) -> Frame {
        let bytes = std::fs::read(path).unwrap();
        let head: Vec<&[u8]> = bytes.splitn(5, |b| b.is_ascii_whitespace()).collect();
        let [b"P6", width, height, b"255", rgb] = head[..] else { panic!("{} is no P6", path.display()) };
        let number = |text: &[u8]| String::from_utf8_lossy(text).parse::<u32>().unwrap();
        let (width, height) = (number(width), number(height));
        frame_of(width, height, |x, y| {
            let at = ((y * width + x) * 3) as usize;
            [rgb[at], rgb[at + 1], rgb[at + 2]]
        })
    }

    #[test]
    fn an_endless_model_costs_one_error_and_no_worker() {
        for _ in 0..2 {
            let error = load_with("test/loop", Duration::from_millis(200)).expect_err("must be stopped");
            let LoadError::Trial { cause, .. } = &error else { panic!("{error}") };
            assert!(matches!(**cause, DetectorError::TimeLimit { .. }), "{error}");
        }
    }

    #[test]
    fn a_model_that_declares_terabytes_is_refused() {
        let error = load("test/huge").expect_err("must be refused").to_string();
        assert!(error.contains("output boxes: shape [1, 137438953472, 4] holds more than"), "{error}");
    }

    /// The right model under another family's name, and networks whose shapes fit and whose numbers do not.
    #[test]
    fn a_model_in_another_layout_is_refused_by_name() {
        let table = [
            (
                "tiny-yolov8",
                "yolov5",
                "this looks like an export of YOLOv8 or a successor (family = \"yolov8\")",
            ),
            ("tiny-yolov5", "yolov8", "this looks like an export of YOLOv5 or v7 (family = \"yolov5\")"),
            ("tiny-yolox", "yolov8", "7 numbers a box are yolov8 with 3 classes or yolox with 2"),
            ("tiny-nms", "yolov8", "this looks like an export with suppression inside (YOLOv10, `nms=True`)"),
            ("tiny-yolov8", "nms", "this looks like an export of YOLOv8 or a successor"),
            ("wrong-logits", "yolov8", "a score is -2"),
            ("wrong-shares", "yolov8", "they are shares of the picture"),
            ("wrong-person", "yolov8", "it sees person 0.90 in a plain grey picture"),
        ];
        for (name, family, want) in table {
            let folder = tempfile::tempdir().unwrap();
            let test = repository().join("models/test").join(name);
            let text = std::fs::read_to_string(test.with_extension("toml")).unwrap();
            let said = text.lines().map(|line| match line.starts_with("family") {
                true => format!("family = \"{family}\"\n"),
                false => format!("{line}\n"),
            });
            let manifest = folder.path().join("network.toml");
            std::fs::write(&manifest, said.collect::<String>()).unwrap();
            let model = Path::new(name).with_extension("onnx");
            std::fs::copy(test.with_extension("onnx"), folder.path().join(model)).unwrap();
            let error = load_from(&manifest, LIVE_RUN_LIMIT).expect_err(want).to_string();
            assert!(error.contains(want), "{name} as {family}: {error}");
        }
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
