//! Who speaks: the box, its cameras and its models, as every envelope names them.

use kerbside_domain::frame::CameraIx;
use kerbside_domain::model::ModelNames;
use kerbside_domain::time::{Moment, rfc3339};
use kerbside_site::config::{Camera, Site, Zone};

/// What every envelope needs of the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// GB/T 2260, six digits.
    pub division: String,
    /// The box's name in its division; also its MQTT client id and the CN of its certificate.
    pub edge_id: String,
    /// Offset of the site's time from UTC, s.
    pub utc_offset_s: i32,
    /// For people; stands in reports whose place has no address of its own.
    pub address: Option<String>,
    /// Indexed by `CameraIx`.
    pub cameras: Vec<CameraName>,
    /// The detectors in use.
    pub models: ModelNames,
    /// The program's version.
    pub version: String,
    /// Names the journal from which the numbers of messages come: with a lost journal they begin anew under another name. Absent
    /// where version 0.1 began it.
    pub journal_id: Option<String>,
    /// Public half of the box's own key, which signs `audit.checkpoint`.
    pub key: Option<String>,
}

/// A camera as the centre knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CameraName {
    /// As in the site file.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Names of its zones and rules.
    pub zones: Vec<ZoneName>,
    /// Its number in the video network of the city (GB/T 28181), 20 digits.
    pub gb28181_id: Option<String>,
}

/// What people call a zone and its rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ZoneName {
    /// As in the site file.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// Ids of its rules that have a name.
    pub rules: Vec<(String, String)>,
}

impl CameraName {
    /// What people call a zone, and a rule of it.
    pub(crate) fn zone_and_rule(&self, zone: &str, rule: &str) -> (Option<&str>, Option<&str>) {
        let Some(zone) = self.zones.iter().find(|z| z.id == zone) else { return (None, None) };
        let rule = zone.rules.iter().find(|(id, _)| id == rule).map(|(_, name)| name.as_str());
        (zone.name.as_deref(), rule)
    }
}

fn zone_name(zone: &Zone) -> ZoneName {
    let rules = zone.rules.iter().filter_map(|r| Some((r.id.clone(), r.name.clone()?)));
    ZoneName { id: zone.id.clone(), name: zone.name.clone(), rules: rules.collect() }
}

fn camera_names(site: &Site) -> Vec<CameraName> {
    let name = |camera: &Camera| CameraName {
        id: camera.id.clone(),
        name: camera.name.clone(),
        zones: camera.zones.iter().map(zone_name).collect(),
        gb28181_id: camera.gb28181_id.clone(),
    };
    site.cameras.iter().map(name).collect()
}

impl Identity {
    /// The box of a site file, without models and key.
    pub fn from_site(site: &Site) -> Self {
        Identity {
            division: site.device.division.clone(),
            edge_id: site.device.edge_id.clone(),
            utc_offset_s: site.device.utc_offset_s,
            address: site.device.address.clone(),
            cameras: camera_names(site),
            models: ModelNames::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            journal_id: None,
            key: None,
        }
    }

    /// The same with the names that a site file gives now: zones and rules may have changed while the box runs.
    pub fn with_names_of(&self, site: &Site) -> Self {
        Identity { cameras: camera_names(site), ..self.clone() }
    }

    /// The same with these models.
    pub fn with_models(mut self, models: ModelNames) -> Self {
        self.models = models;
        self
    }

    /// CloudEvents `source`.
    pub fn source(&self) -> String {
        format!("urn:kerbside:{}:{}", self.division, self.edge_id)
    }

    /// The camera's names; empty ones for a camera that the site does not have.
    pub fn camera(&self, ix: CameraIx) -> CameraName {
        self.cameras.get(usize::from(ix.0)).cloned().unwrap_or_default()
    }

    /// A moment as messages say it.
    pub fn time(&self, at: Moment) -> String {
        rfc3339(at.wall_ms, self.utc_offset_s)
    }
}
