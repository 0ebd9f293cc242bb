//! Wire: all that leaves the box and all that is understood of what comes in (invariant 11).
//!
//! Pure. It turns the words of the line into [`Message`]s: CloudEvents 1.0 with a topic, a lane and a quality of
//! service. The delivery gives a draft its sequence number and makes it a journal record; the bytes that are
//! published are a pure function of that record ([`published`]), so a re-send is the same bytes.
//!
//! Times are RFC 3339 with offset and milliseconds. What is unknown is absent, never 0 or "".

pub mod checkpoint;
pub mod chunk;
pub mod command;
pub mod down;
pub mod envelope;
pub mod grant;
pub mod matter;
pub mod other;
pub mod signed;
pub mod topic;

pub use command::{Command, Order};
pub use down::{Down, Refusal};
pub use envelope::{Message, MessageHead, Outgoing, Recorded, message_body, published};
pub use matter::matter;
pub use other::*;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
pub(crate) mod tests;

use kerbside_domain::model::ModelNames;
use kerbside_site::config::Site;

/// Who speaks: what every envelope needs of the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// GB/T 2260, six digits.
    pub division: String,
    pub edge_id: String,
    pub utc_offset_s: i32,
    pub address: Option<String>,
    /// Indexed by `CameraIx`.
    pub cameras: Vec<CameraName>,
    pub models: ModelNames,
    /// The program's version.
    pub version: String,
    /// Public half of the box's own key, which signs `audit.checkpoint`.
    pub key: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CameraName {
    pub id: String,
    pub gb28181_id: Option<String>,
}

impl Identity {
    pub fn from_site(site: &Site) -> Self {
        let cameras = site.cameras.iter();
        Identity {
            division: site.device.division.clone(),
            edge_id: site.device.edge_id.clone(),
            utc_offset_s: site.device.utc_offset_s,
            address: site.device.address.clone(),
            cameras: cameras
                .map(|c| CameraName { id: c.id.clone(), gb28181_id: c.gb28181_id.clone() })
                .collect(),
            models: ModelNames::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            key: None,
        }
    }

    pub fn with_models(mut self, models: ModelNames) -> Self {
        self.models = models;
        self
    }

    /// CloudEvents `source`.
    pub fn source(&self) -> String {
        format!("urn:kerbside:{}:{}", self.division, self.edge_id)
    }

    pub fn camera(&self, ix: kerbside_domain::frame::CameraIx) -> CameraName {
        self.cameras.get(usize::from(ix.0)).cloned().unwrap_or_default()
    }

    pub fn time(&self, at: kerbside_domain::time::Moment) -> String {
        kerbside_domain::time::rfc3339(at.wall_ms, self.utc_offset_s)
    }
}

/// `value` with `digits` decimals, as a number that prints short.
pub(crate) fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
