//! Cameras that are paused by order of the centre: they are not judged for a while. Pure.

use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Moment, Mono};
use kerbside_seeing::incident::{Core, Input};
use kerbside_site::config::Site;

#[derive(Debug)]
struct Pause {
    until: Mono,
    /// The newest state that the source reported; it counts again when the pause ends.
    source: CameraState,
}

/// At most one pause a camera. While it lasts, the core gets nothing of the camera but that it is paused.
#[derive(Debug)]
pub(super) struct Pauses {
    by_camera: Vec<Option<Pause>>,
}

impl Pauses {
    pub(super) fn new(site: &Site) -> Self {
        Pauses { by_camera: site.cameras.iter().map(|_| None).collect() }
    }

    /// Begins or prolongs a pause; `for_s` 0 ends it. Returns the input for the core.
    pub(super) fn set(&mut self, camera: CameraIx, for_s: f64, core: &Core, now: Moment) -> Option<Input> {
        let pause = self.by_camera.get_mut(usize::from(camera.0))?;
        if for_s > 0.0 {
            let source = match (&pause, core.camera_state(camera)) {
                (Some(running), _) => running.source,
                (None, Some(off @ CameraState::Off(_))) => off,
                (None, _) => CameraState::Watching,
            };
            *pause = Some(Pause { until: now.mono.plus_s(for_s), source });
            return Some(Input::Camera { camera, at: now, state: CameraState::Off(Off::Paused) });
        }
        pause.take().map(|over| Input::Camera { camera, at: now, state: over.source })
    }

    /// Ends the pauses that are over. Returns the states that count again.
    pub(super) fn expire(&mut self, now: Moment) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (n, pause) in self.by_camera.iter_mut().enumerate() {
            if let Some(over) = pause.take_if(|p| p.until <= now.mono) {
                tracing::info!(camera = n, "pause over");
                inputs.push(Input::Camera { camera: CameraIx(n as u16), at: now, state: over.source });
            }
        }
        inputs
    }

    /// False: the input is of a paused camera, and the core must not get it.
    pub(super) fn admit(&mut self, input: &Input) -> bool {
        let camera = match input {
            Input::Observation(observation) => observation.camera,
            Input::Camera { camera, .. } => *camera,
            _ => return true,
        };
        let Some(Some(pause)) = self.by_camera.get_mut(usize::from(camera.0)) else { return true };
        if let Input::Camera { state, .. } = input {
            pause.source = *state;
        }
        false
    }

    pub(super) fn is_paused(&self, camera: CameraIx) -> bool {
        matches!(self.by_camera.get(usize::from(camera.0)), Some(Some(_)))
    }
}
