//! A session of one model: read, checked against its hash, built, and its ports checked against the manifest.

use kerbside_crypto::hash;
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{TensorElementType, ValueType};

use crate::decode::{OutputLayout, OutputSpec};
use crate::error::LoadError;
use crate::manifest::{DType, Layout, Manifest};
use crate::tuning::MAX_MODEL_BYTES;

/// The bytes that were hashed are the bytes that are loaded.
pub(super) fn read_model(manifest: &Manifest) -> Result<Vec<u8>, LoadError> {
    let path = &manifest.model;
    let read = |cause| LoadError::Read { path: path.clone(), cause };
    let size = std::fs::metadata(path).map_err(read)?.len();
    if size > MAX_MODEL_BYTES {
        let why = format!("{size} bytes are more than {MAX_MODEL_BYTES}");
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

pub(super) fn build(environment: &Environment, model: &[u8]) -> Result<Session, String> {
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

pub(super) fn check_layout(manifest: &Manifest, session: &Session) -> Result<OutputLayout, LoadError> {
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
            let cure = if shape.iter().any(|&side| side < 1) {
                "; export the model with fixed shapes (batch 1)"
            } else if ty == TensorElementType::Float16 {
                "; export the model in float32"
            } else {
                ""
            };
            let why = format!("{ty} {shape:?}, but the manifest says {want_type} {want:?}{cure}");
            return Err(shape_error(format!("input {}", input.name()), why));
        }
        None => return Err(shape_error(format!("input {}", input.name()), "no tensor".to_owned())),
    }
    let mut outputs: Vec<OutputSpec> = Vec::new();
    for output in session.outputs() {
        match tensor(output.dtype()) {
            Some((TensorElementType::Float32, shape)) => outputs.push((output.name().to_owned(), shape)),
            _ => return Err(shape_error(format!("output {}", output.name()), "not float32".to_owned())),
        }
    }
    OutputLayout::find(manifest, &outputs).map_err(|(port, why)| shape_error(port, why))
}

fn tensor(value: &ValueType) -> Option<(TensorElementType, Vec<i64>)> {
    match value {
        ValueType::Tensor { ty, shape, .. } => Some((*ty, shape.to_vec())),
        _ => None,
    }
}
