//! The site file, read again while the box runs (SIGHUP): what can change is changed, what cannot is named, and a file with a problem
//! changes nothing.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Sender;
use kerbside_site::config::{self, Problems, Site};
use kerbside_trace::delivery::Delivery;
use kerbside_trace::journal::RecordKind;
use kerbside_wire::MustSign;
use serde_json::json;

/// Sites on their way to the core: the newest is all that counts, and it is taken at once.
pub(super) const SITES: usize = 4;

/// What reads the file, and whom it tells.
pub(super) struct Reload {
    pub(super) path: PathBuf,
    /// The file as it was read when the program started, with what has changed since.
    pub(super) as_read: Site,
    /// What the stages run with.
    pub(super) running: Arc<Site>,
    pub(super) delivery: Delivery,
    pub(super) sites: Sender<Arc<Site>>,
}

impl Reload {
    /// Reads the file once more. Blocks on disk and journal.
    pub(super) fn read(&mut self) {
        match config::load(&self.path) {
            Ok(new) => self.apply(&new),
            Err(problems) => refuse(&problems),
        }
    }

    fn apply(&mut self, new: &Site) {
        new.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        self.as_read = merged(&self.as_read, new);
        let waits = differences(&self.as_read, new);
        let running = Arc::new(merged(&self.running, new));
        let keys: Vec<&str> = running.centre.keys.iter().map(|key| key.id.as_str()).collect();
        let note = json!({"site_read_again": {"keys": keys, "needs_a_restart": waits}});
        let trusted = self.delivery.trust(running.centre.keys.clone(), MustSign::of(&running.centre));
        if let Err(error) = trusted.and_then(|()| self.delivery.note(RecordKind::Note, note)) {
            tracing::error!(%error, "that the site file was read again is not journalled");
        }
        if self.sites.try_send(running.clone()).is_err() {
            tracing::error!("zones and rules stay as they were: the core is busy; send SIGHUP again");
        }
        tracing::info!(?keys, "the site file was read again: keys, zones, rules and limits are in force");
        for what in waits {
            tracing::warn!(what, "the site file differs here too, which needs a restart");
        }
        self.running = running;
    }
}

fn refuse(problems: &Problems) {
    for problem in problems.iter() {
        let (line, column) = problems.position(problem).unzip();
        tracing::error!(line, column, "site file: {}", problem.what);
    }
    tracing::error!(problems = problems.len(), "the site file was not taken: what was in force stays");
}

/// `running` with what of `new` can change while it runs.
fn merged(running: &Site, new: &Site) -> Site {
    let mut site = running.clone();
    site.centre.keys.clone_from(&new.centre.keys);
    site.centre.signed_receipts = new.centre.signed_receipts;
    site.centre.signed_cases = new.centre.signed_cases;
    site.patrol = new.patrol.clone();
    site.evidence.max_bytes = new.evidence.max_bytes;
    site.evidence.max_age_days = new.evidence.max_age_days;
    if same_cameras(&site, new) {
        for (camera, new) in site.cameras.iter_mut().zip(&new.cameras) {
            camera.zones.clone_from(&new.zones);
        }
    }
    site
}

fn same_cameras(a: &Site, b: &Site) -> bool {
    a.cameras.iter().map(|c| &c.id).eq(b.cameras.iter().map(|c| &c.id))
}

/// Tables in which the file still says something else.
fn differences(site: &Site, new: &Site) -> Vec<String> {
    let tables = [
        ("[device]", site.device != new.device),
        ("[centre]", site.centre != new.centre),
        ("[models]", site.models != new.models),
        ("[codes]", site.codes != new.codes),
        ("[grid]", site.grid != new.grid),
        ("[health]", site.health != new.health),
        ("[evidence]", site.evidence != new.evidence),
        ("[gnss]", site.gnss != new.gnss),
        ("[sensors]", site.sensors != new.sensors),
        ("[[output]]", site.outputs != new.outputs),
    ];
    let mut found: Vec<String> =
        tables.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect();
    if !same_cameras(site, new) {
        found.push("[[camera]]: added, removed or in another order; their zones and rules too".to_owned());
        return found;
    }
    let cameras = site.cameras.iter().zip(&new.cameras).filter(|(a, b)| a != b);
    found.extend(cameras.map(|(camera, _)| format!("[[camera]] {:?}", camera.id)));
    found
}

#[cfg(test)]
mod tests {
    use kerbside_domain::time::SystemClock;
    use kerbside_trace::delivery::DeliverySettings;
    use kerbside_wire::testing::who;

    use super::*;

    const TEXT: &str = r#"
schema = 1
[device]
edge_id = "a"
division = "310112"
data_dir = "data"
point = [121.37608, 31.11240]
[centre]
url = "mqtt://127.0.0.1"
[[centre.key]]
id = "ops"
public = "ed25519:9bc28447019f8300ae52a81a8f0f6483c5ddd5038cd6852abc509819eff7d3b9"
[[camera]]
id = "c"
url = "clip.mp4"
[[camera.zone]]
id = "z"
polygon_norm = [[0, 0], [1, 0], [1, 1]]
[[camera.zone.rule]]
id = "r"
kinds = ["waste.exposed"]
"#;

    #[test]
    fn keys_zones_and_rules_change_a_broken_file_changes_nothing_and_the_rest_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("site.toml");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        let parsed = |text: &str| config::parse(text, &path).unwrap();
        write(TEXT);
        let site = config::load(&path).unwrap();
        let (delivery, opened) =
            Delivery::open(DeliverySettings::new(dir.path(), true), who(), Arc::new(SystemClock::new()))
                .unwrap();
        let (sites, taken) = crossbeam_channel::bounded(SITES);
        let running = Arc::new(site.clone());
        let mut reload = Reload { path: path.clone(), as_read: site, running, delivery, sites };

        // The second key, a smaller zone, another dwell; and a host that waits for a restart.
        let second = TEXT.replace("id = \"ops\"", "id = \"desk\"").replace("[1, 1]]", "[1, 0.5]]");
        let second = second
            .replace("id = \"r\"", "id = \"r\"\ndwell_s = 7")
            .replace("mqtt://127.0.0.1", "mqtt://127.0.0.2");
        write(&second);
        reload.read();
        let site = taken.try_recv().unwrap();
        assert_eq!(site.centre.keys.iter().map(|k| k.id.as_str()).collect::<Vec<_>>(), ["desk"]);
        let zone = &site.cameras[0].zones[0];
        assert_eq!((zone.polygon_norm[2], zone.rules[0].dwell_s), ((1.0, 0.5), 7.0));
        assert_eq!(site.centre.host, "127.0.0.1", "as it runs");
        assert_eq!(differences(&reload.as_read, &config::load(&path).unwrap()), ["[centre]"]);

        // What no log shows differs too.
        let by_proxy = |password: &str| {
            let proxy = format!("[centre]\nproxy = \"http://u:{password}@127.0.0.1:3128\"\n");
            parsed(&second.replace("[centre]\n", &proxy))
        };
        assert_eq!(differences(&by_proxy("a"), &by_proxy("a")), [""; 0]);
        assert_eq!(differences(&by_proxy("a"), &by_proxy("b")), ["[centre]"]);

        write(&second.replace("dwell_s = 7", "dwell_s = \"soon\""));
        reload.read();
        assert!(taken.try_recv().is_err(), "a file with a problem reaches nobody");

        write(&TEXT.replace("id = \"c\"", "id = \"d\""));
        reload.read();
        let site = taken.try_recv().unwrap();
        assert_eq!((site.cameras[0].id.as_str(), site.cameras[0].zones[0].rules[0].dwell_s), ("c", 7.0));
        assert_eq!(site.centre.keys[0].id, "ops", "the keys of the newest file");
        reload.delivery.close().unwrap();
        drop(opened);
        let journal = dir.path().join("journal");
        let text: String = std::fs::read_dir(journal)
            .unwrap()
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect();
        assert!(
            text.contains(r#""site_read_again":{"keys":["desk"],"needs_a_restart":["[centre]"]}"#),
            "{text}"
        );
    }
}
