//! What is known of one street: the background of each pixel, the regions on it, and where the camera stands off it.

use super::alignment::{self, Alignment};
use super::background::Background;
use super::regions::Regions;
use super::report::Scene;

/// Background, regions and alignment, which change together when the light or the camera does.
#[derive(Clone, Debug)]
pub(super) struct Street {
    pub(super) background: Background,
    pub(super) regions: Regions,
    pub(super) alignment: Alignment,
}

impl Street {
    pub(super) fn new(max_regions: usize) -> Self {
        Street {
            background: Background::new(),
            regions: Regions::new(max_regions),
            alignment: Alignment::new(),
        }
    }

    /// The background fits again: regions that still have their structure are taken as they look now.
    pub(super) fn accept_light(&mut self, picture: &[u8]) {
        self.regions.relight(&mut self.background, picture);
    }

    /// Whether the camera shows this street at some shift; then it is aligned to it.
    pub(super) fn find_place(&mut self, luma: &[u8]) -> bool {
        self.alignment.find_place(self.background.levels(), luma)
    }

    /// Whether a camera that was lost shows this street again, within a pixel.
    pub(super) fn is_shown_again(&self, luma: &[u8]) -> bool {
        alignment::shows_place_again(self.background.levels(), luma)
    }

    /// What a picture that does not fit is.
    pub(super) fn covered_or_moved(&self, luma: &[u8]) -> Scene {
        if alignment::is_covered(self.background.levels(), luma) { Scene::Covered } else { Scene::Moved }
    }
}
