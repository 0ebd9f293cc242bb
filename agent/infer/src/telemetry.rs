//! ONNX Runtime reports to its maker from 1.29 on, also on Linux: a device id and a database in the home folder, session and model names
//! over HTTPS. `with_telemetry(false)` comes too late, the environment has spoken by then. Only a variable keeps it still, and it must be
//! set before any thread could read the environment.
#![allow(unsafe_code)]

/// What ONNX Runtime asks for before it starts anything (its pull request 27379).
const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Keeps ONNX Runtime silent. The first thing a program does.
///
/// # Safety
///
/// No other thread may run yet: the environment is no shared data.
pub unsafe fn off() {
    // SAFETY: the caller says that no other thread runs.
    unsafe { std::env::set_var(VARIABLE, "1") };
}

/// Whether it was said in time; without it the library is not loaded.
pub(super) fn is_off() -> bool {
    std::env::var(VARIABLE).is_ok_and(|v| v == "1")
}
