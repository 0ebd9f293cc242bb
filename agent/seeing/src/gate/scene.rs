//! Scene: what became of the picture as a whole. It is learnt, it is clear, much of it changed at once, or it fits its
//! background nowhere.

use kerbside_domain::time::Mono;

use super::alignment;
use super::config::GateConfig;
use super::illumination::Illumination;
use super::report::Scene;
use super::street::Street;
use super::tuning::{frames::LEARN_AT_MOST, scene as tuning};

/// Where a gate stands between frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Mode {
    /// The background is being learnt.
    #[default]
    Learning,
    /// The background fits.
    Clear,
    /// Much changed at once.
    Unsettled(Unsettled),
    /// The picture does not fit its background: covered or moved.
    Lost { since: Mono, scene: Scene },
}

/// Since when much has changed, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unsettled {
    since: Mono,
    /// Since when nothing moves any more.
    calm_since: Option<Mono>,
    /// The light explains it.
    relit: bool,
}

impl Unsettled {
    fn new(since: Mono, relit: bool) -> Self {
        Unsettled { since, calm_since: None, relit }
    }

    fn is_calm(&self, at: Mono) -> bool {
        self.calm_since.is_some_and(|calm| at > calm && at.since_s(calm) >= tuning::SETTLE_S)
    }
}

/// One frame that is compared with the background.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'a> {
    /// The picture moved back onto the background.
    pub(super) picture: &'a [u8],
    /// The picture as it came.
    pub(super) luma: &'a [u8],
    pub(super) at: Mono,
    /// The light of the whole picture jumped.
    pub(super) jumped: bool,
    /// Share of the picture that changed, 0..1.
    pub(super) changed: f32,
    /// Share that moves, 0..1.
    pub(super) moving: f32,
}

/// Judges the scene of one camera.
#[derive(Clone, Debug, Default)]
pub(super) struct SceneJudge {
    mode: Mode,
    /// Frames of the background that is being learnt, and since when.
    learnt_frames: Vec<Vec<u8>>,
    learning_since: Option<Mono>,
    /// The last change of light: when it began, and when the background fitted again.
    relit: Option<(Mono, Mono)>,
    light_changes: u64,
    views_lost: u64,
}

impl SceneJudge {
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// Jumps of the light over the whole picture until now.
    pub(super) fn light_changes(&self) -> u64 {
        self.light_changes
    }

    /// Times that the picture no longer fitted its background until now.
    pub(super) fn views_lost(&self) -> u64 {
        self.views_lost
    }

    /// One frame more for the first background.
    pub(super) fn learn(
        &mut self,
        street: &mut Street,
        picture: &[u8],
        at: Mono,
        config: &GateConfig,
    ) -> Scene {
        let since = *self.learning_since.get_or_insert(at);
        if self.learnt_frames.len() < LEARN_AT_MOST {
            self.learnt_frames.push(picture.to_vec());
        }
        let enough = self.learnt_frames.len() >= config.learn_frames && at.since_s(since) >= config.learn_s;
        if !enough {
            return Scene::Learning;
        }
        street.background.learn(&std::mem::take(&mut self.learnt_frames), at);
        street.regions.clear();
        self.learning_since = None;
        self.mode = Mode::Clear;
        Scene::Clear
    }

    /// Brings the background into the light of this frame. True if the light jumped.
    pub(super) fn relight(&self, street: &mut Street, picture: &[u8]) -> bool {
        let background = &street.background;
        let is_clear = self.mode == Mode::Clear;
        let illumination = Illumination::fit(
            |ix| background.long_term(ix),
            picture,
            |ix| background.is_owned(ix) || background.is_changed(ix) && is_clear,
        );
        let jumps = illumination.jump() > tuning::LIGHT_JUMP;
        // A cover before the lens is explained by "no contrast at all", also while it is drawn over it. A jump counts only
        // if the structure stays in most of the picture.
        let believed = illumination.explained > tuning::BELIEVED
            && (!jumps
                || alignment::median_correlation(background.levels(), picture) > tuning::SAME_PLACE_RELIT);
        if believed {
            street.background.relight(illumination);
        }
        jumps && believed
    }

    /// What a frame, compared with the background, says of the scene.
    pub(super) fn judge(&mut self, street: &mut Street, frame: Comparison<'_>) -> Scene {
        let Comparison { at, jumped, changed, moving, .. } = frame;
        match self.mode {
            Mode::Clear if jumped || changed > tuning::GLOBAL_CHANGE => {
                self.light_changes += u64::from(jumped);
                self.mode = Mode::Unsettled(Unsettled::new(at, jumped));
                Scene::LightChanged
            }
            Mode::Unsettled(Unsettled { since, calm_since, relit }) => {
                let calm_since = if moving < tuning::CALM { calm_since.or(Some(at)) } else { None };
                let unsettled = Unsettled { since, calm_since, relit: relit || jumped };
                self.mode = Mode::Unsettled(unsettled);
                self.settle(street, unsettled, frame)
            }
            _ => Scene::Clear,
        }
    }

    /// After much changed at once: what was it? `Clear` when the background fits again or was brought up to date.
    fn settle(&mut self, street: &mut Street, unsettled: Unsettled, frame: Comparison<'_>) -> Scene {
        let Comparison { picture, luma, at, changed, .. } = frame;
        let is_calm = unsettled.is_calm(at);
        // What the light does not explain is little, or does not move any more.
        let explained = changed < if unsettled.relit { tuning::EXPLAINED } else { tuning::FITS };
        if explained || (is_calm && changed < tuning::FITS) {
            if unsettled.relit {
                self.relit = Some((unsettled.since, at));
            }
            street.accept_light(picture);
            self.mode = Mode::Clear;
            return Scene::Clear;
        }
        if !is_calm && at.since_s(unsettled.since) < tuning::JUDGE_AT_LATEST_S {
            return Scene::LightChanged;
        }
        if street.find_place(luma) {
            street.background.absorb_unowned();
            street.accept_light(picture);
            self.mode = Mode::Clear;
            return Scene::Clear;
        }
        let scene = street.covered_or_moved(luma);
        self.views_lost += 1;
        self.mode = Mode::Lost { since: at, scene };
        scene
    }

    /// One frame of a camera that is covered or points elsewhere: `scene`, since `since`.
    pub(super) fn look_for_place(
        &mut self,
        street: &mut Street,
        luma: &[u8],
        at: Mono,
        (since, scene): (Mono, Scene),
        config: &GateConfig,
    ) -> Scene {
        if street.is_shown_again(luma) {
            self.mode = Mode::Unsettled(Unsettled::new(at, true));
            return Scene::LightChanged;
        }
        if scene == Scene::Moved && at.since_s(since) >= config.relearn_moved_s {
            self.mode = Mode::Learning;
            street.alignment.reset_shift();
            return Scene::Learning;
        }
        // A hand before the lens goes and a turned camera is left: the scene is what it is now.
        let now = street.covered_or_moved(luma);
        if now != scene {
            self.mode = Mode::Lost { since: at, scene: now };
        }
        now
    }

    /// While a switched lamp still shines unevenly: since when.
    pub(super) fn shine_since(&self, at: Mono) -> Option<Mono> {
        self.relit.filter(|(_, settled)| at.since_s(*settled) < tuning::SHINE_S).map(|(since, _)| since)
    }
}
