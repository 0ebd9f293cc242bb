//! Whether the files that vouch for the box were replaced, and how long they count.

use std::time::Duration;

use kerbside_domain::time::{Moment, Mono};
use tracing::warn;

use crate::certificates::{self, Stamps};
use crate::settings::LinkSettings;
use crate::tls;
use crate::tuning::WARNING_PERIOD_S;

/// The files as the connection uses them, and what was said about them.
#[derive(Debug)]
pub(crate) struct Renewal {
    period: tokio::time::Interval,
    in_use: Stamps,
    /// Why new ones cannot be used, said once.
    refused: Option<String>,
    warned_at: Option<Mono>,
}

impl Renewal {
    pub(crate) fn new(period_s: f64) -> Self {
        let period = tokio::time::interval(Duration::from_secs_f64(period_s));
        Renewal { period, in_use: Stamps::default(), refused: None, warned_at: None }
    }

    /// When it is time to look again.
    pub(crate) async fn due(&mut self) {
        self.period.tick().await;
    }

    /// A connection begins, with the files as they are now.
    pub(crate) fn in_use(&mut self, settings: &LinkSettings) {
        self.in_use = Stamps::of(settings.files());
    }

    /// True: other files are there than the connection uses, and they are whole.
    pub(crate) fn replaced(&mut self, settings: &LinkSettings) -> bool {
        if Stamps::of(settings.files()) == self.in_use {
            return false;
        }
        match settings.centre.tls.as_ref().map(tls::client_config) {
            None | Some(Ok(_)) => {
                self.refused = None;
                true
            }
            // Half of them were replaced, perhaps: the connection goes on as it is.
            Some(Err(error)) => {
                let why = error.to_string();
                if self.refused.as_ref() != Some(&why) {
                    warn!(why, "new certificates cannot be used yet");
                    self.refused = Some(why);
                }
                false
            }
        }
    }

    /// Once a day, and at the start.
    pub(crate) fn warn(&mut self, settings: &LinkSettings, now: Moment) {
        let Some(tls) = &settings.centre.tls else { return };
        if self.warned_at.is_some_and(|at| now.mono.since_s(at) < WARNING_PERIOD_S) {
            return;
        }
        self.warned_at = Some(now.mono);
        for warning in certificates::warnings(tls, now.wall_ms / 1000) {
            warn!(warning, "certificate");
        }
    }
}
