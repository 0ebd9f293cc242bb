//! The identity of the data folder: one that was emptied, and a disk that is not mounted, are noticed and not started upon.
//!
//! At the first start the folder gets a mark, and a *witness* outside of it notes the same. A folder without the mark that the
//! witness knows of is not this box's data: a new journal there would begin to count anew, with another key, and what waits for the
//! centre would wait on a disk that nobody looks for. A person says that it is right so: `kerbside adopt`.
//!
//! The witness lies in a folder of its own, which the package makes on the system's disk, or else beside the site file.

use std::fs;
use std::path::{Path, PathBuf};

use kerbside_site::config::Site;
use serde::{Deserialize, Serialize};

use crate::durable;

/// Name of the mark in the data folder.
const MARK: &str = "data-id";
/// Made by the package (kerbside.service). It is on the system's disk, also where the data folder is a disk of its own.
const WITNESSES: &str = "/var/lib/kerbside-witness";

/// The folder of one site, and who witnesses it.
#[derive(Clone, Debug)]
pub struct DataFolder {
    dir: PathBuf,
    config: PathBuf,
    /// In the order in which they are asked and written.
    witnesses: Vec<PathBuf>,
}

/// What a witness notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Witness {
    data_dir: PathBuf,
    data_id: String,
}

/// The folder is not this box's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotItsData {
    /// In English and in Chinese.
    what: [String; 2],
    /// The command that accepts it.
    pub cure: String,
}

impl NotItsData {
    /// What is wrong, in English.
    pub fn what(&self) -> &str {
        let [english, _] = &self.what;
        english
    }
}

impl std::fmt::Display for NotItsData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ([english, chinese], cure) = (&self.what, &self.cure);
        writeln!(
            f,
            "{english}\n  Mount the disk that belongs there and start again. If its data is really gone: {cure}"
        )?;
        write!(f, "{chinese}\n  请挂载原有磁盘后重新启动;若数据确已丢失,请执行:{cure}")
    }
}

impl DataFolder {
    /// Of a site that was read from `config`.
    pub fn of(site: &Site, config: &Path) -> Self {
        let config = absolute(config);
        let flat: Vec<_> =
            config.iter().filter_map(|part| part.to_str()).filter(|part| *part != "/").collect();
        let mut beside = config.clone().into_os_string();
        beside.push(format!(".{MARK}"));
        let own = Path::new(WITNESSES);
        let own = own.is_dir().then(|| own.join(format!("{}.{MARK}", flat.join("-"))));
        let witnesses = own.into_iter().chain([PathBuf::from(beside)]).collect();
        DataFolder { dir: absolute(&site.device.data_dir), config, witnesses }
    }

    /// Before anything in it is opened. The first start on a folder that nobody knows of is in order.
    pub fn check(&self) -> Result<(), NotItsData> {
        let (mark, witness) = (self.mark(), self.witness());
        let known = witness.filter(|w| w.data_dir == self.dir).map(|w| w.data_id);
        let dir = self.dir.display();
        match (mark, known, self.has_journal()) {
            (None, Some(known), false) => Err(self.refused([
                format!("{dir}: empty, but this box had its data there (data {known}): a disk that is not mounted, or a folder that was emptied"),
                format!("{dir}:目录为空,但本机的数据(标识 {known})原在此处:磁盘未挂载,或目录已被清空"),
            ])),
            (Some(mark), Some(known), _) if mark != known => Err(self.refused([
                format!("{dir}: holds data {mark}, and this box's is {known}: the disk of another box, or an older one"),
                format!("{dir}:其中的数据标识为 {mark},而本机的是 {known}:可能是另一台设备的磁盘或旧磁盘"),
            ])),
            (Some(mark), _, false) => Err(self.refused([
                format!("{dir}: its journal is gone, though its data {mark} began with one"),
                format!("{dir}:数据(标识 {mark})的日志已不存在"),
            ])),
            _ => Ok(()),
        }
    }

    fn refused(&self, what: [String; 2]) -> NotItsData {
        NotItsData { what, cure: format!("kerbside adopt --config {}", self.config.display()) }
    }

    /// After the journal was opened: mark and witness are written where they are missing.
    pub fn settle(&self) {
        let mark = self.mark().or_else(|| {
            let known = self.witness().filter(|w| w.data_dir == self.dir).map(|w| w.data_id);
            let id = known.unwrap_or_else(|| ulid::Ulid::generate().to_string());
            let written = write(&self.dir.join(MARK), &format!("{id}\n"));
            written
                .map_err(
                    |error| tracing::warn!(%error, dir = %self.dir.display(), "the data folder gets no mark"),
                )
                .ok()?;
            Some(id)
        });
        let Some(data_id) = mark else { return };
        let witness = Witness { data_dir: self.dir.clone(), data_id };
        let before = self.witness();
        if before.as_ref() == Some(&witness) {
            return;
        }
        if let Some(before) = before.filter(|b| b.data_dir != witness.data_dir) {
            let (from, to) = (before.data_dir.display(), witness.data_dir.display());
            tracing::warn!(%from, %to, "the site names another data folder than before: what waited there stays there");
        }
        if let Err(error) = self.note(&witness) {
            tracing::warn!(
                %error,
                folder = WITNESSES,
                "nobody notes which data is this box's, so an emptied data folder would not be noticed: make this folder writable"
            );
        }
    }

    /// A person says that what is there now, or nothing, is this box's data. Returns what was done, in English and Chinese.
    pub fn adopt(&self) -> std::io::Result<[String; 2]> {
        let dir = self.dir.display();
        let mark = self.mark().filter(|_| self.has_journal());
        if let Some(data_id) = mark {
            self.note(&Witness { data_dir: self.dir.clone(), data_id: data_id.clone() })?;
            return Ok([
                format!("{dir}: data {data_id} is this box's from now on"),
                format!("{dir}:已将数据(标识 {data_id})认定为本机数据"),
            ]);
        }
        for path in self.witnesses.iter().cloned().chain([self.dir.join(MARK)]) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(std::io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                }
                _ => {}
            }
        }
        Ok([
            format!("{dir}: the next start begins there anew, with a journal and a key of its own"),
            format!("{dir}:下次启动将在此重新建立日志和密钥"),
        ])
    }

    /// Whether anybody can note which data is this box's.
    pub fn is_witnessed(&self) -> bool {
        self.witness().is_some()
    }

    fn mark(&self) -> Option<String> {
        let text = fs::read_to_string(self.dir.join(MARK)).ok()?;
        Some(text.trim().to_owned()).filter(|id| !id.is_empty())
    }

    fn has_journal(&self) -> bool {
        let files = fs::read_dir(self.dir.join("journal")).into_iter().flatten().filter_map(Result::ok);
        files.into_iter().any(|file| file.path().extension().is_some_and(|e| e == "journal"))
    }

    /// The first that can be read.
    fn witness(&self) -> Option<Witness> {
        self.witnesses.iter().find_map(|path| serde_json::from_slice(&fs::read(path).ok()?).ok())
    }

    /// With the first that can be written.
    fn note(&self, witness: &Witness) -> std::io::Result<()> {
        let text = serde_json::to_string(witness)? + "\n";
        let mut last = Ok(());
        for path in &self.witnesses {
            last = write(path, &text);
            if last.is_ok() {
                break;
            }
        }
        last
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let named =
        |error: std::io::Error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    durable::write(path, text.as_bytes()).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        root: tempfile::TempDir,
        folder: DataFolder,
    }

    impl Bench {
        fn new() -> Bench {
            let root = tempfile::tempdir().unwrap();
            let path = |name: &str| root.path().join(name);
            let witnesses = vec![path("witness/site"), path("site.toml.data-id")];
            let folder = DataFolder { dir: path("data"), config: path("site.toml"), witnesses };
            Bench { root, folder }
        }

        /// Checked, opened and settled.
        fn start(&self) -> Result<String, String> {
            self.folder.check().map_err(|refused| refused.to_string())?;
            let journal = self.folder.dir.join("journal");
            fs::create_dir_all(&journal).unwrap();
            fs::write(journal.join("00000000000000000001.journal"), b"{}").unwrap();
            self.folder.settle();
            Ok(self.folder.mark().unwrap())
        }

        fn empty(&self) {
            fs::remove_dir_all(&self.folder.dir).unwrap();
        }
    }

    #[test]
    fn a_first_start_is_in_order_and_an_emptied_folder_is_not_started_upon() {
        let bench = Bench::new();
        let id = bench.start().unwrap();
        assert_eq!(bench.start().as_ref(), Ok(&id));
        for emptied in [true, false] {
            bench.empty();
            if emptied {
                fs::create_dir_all(&bench.folder.dir).unwrap();
            }
            let refused = bench.start().unwrap_err();
            let adopt = format!("kerbside adopt --config {}", bench.root.path().join("site.toml").display());
            assert!(
                refused.contains(&id) && refused.contains(&adopt) && refused.contains("数据"),
                "{refused}"
            );
        }
        assert!(!bench.folder.dir.join("journal").exists(), "nothing was begun");
        bench.folder.adopt().unwrap();
        let new = bench.start().unwrap();
        assert_ne!(new, id);
        assert_eq!(bench.start(), Ok(new));
    }

    #[test]
    fn the_data_of_another_box_and_a_lost_journal_are_noticed() {
        let (bench, other) = (Bench::new(), Bench::new());
        let (id, foreign) = (bench.start().unwrap(), other.start().unwrap());
        bench.empty();
        fs::rename(&other.folder.dir, &bench.folder.dir).unwrap();
        let refused = bench.start().unwrap_err();
        assert!(refused.contains(&id) && refused.contains(&foreign), "{refused}");
        let [english, chinese] = bench.folder.adopt().unwrap();
        assert!(english.contains(&foreign) && chinese.contains(&foreign));
        assert_eq!(bench.start(), Ok(foreign));

        fs::remove_dir_all(bench.folder.dir.join("journal")).unwrap();
        assert!(bench.start().unwrap_err().contains("journal is gone"));
        bench.folder.adopt().unwrap();
        bench.start().unwrap();
    }

    #[test]
    fn data_of_an_earlier_version_a_moved_folder_and_a_lost_witness_are_in_order() {
        let mut bench = Bench::new();
        fs::create_dir_all(bench.folder.dir.join("journal")).unwrap();
        fs::write(bench.folder.dir.join("journal/00000000000000000001.journal"), b"{}").unwrap();
        let id = bench.start().unwrap();
        // Restored from a copy that left the mark out.
        fs::remove_file(bench.folder.dir.join(MARK)).unwrap();
        assert_eq!(bench.start().as_ref(), Ok(&id));
        // Another installation of the system, with the disk of before.
        fs::remove_file(bench.root.path().join("site.toml.data-id")).unwrap();
        assert_eq!(bench.start().as_ref(), Ok(&id));
        assert!(bench.folder.is_witnessed());
        // The site says so.
        bench.folder.dir = bench.root.path().join("elsewhere");
        assert_ne!(bench.start().unwrap(), id);
        // The package's folder goes before the one beside the site.
        fs::create_dir(bench.root.path().join("witness")).unwrap();
        fs::remove_file(bench.root.path().join("site.toml.data-id")).unwrap();
        bench.start().unwrap();
        assert!(bench.root.path().join("witness/site").is_file());
        assert!(!bench.root.path().join("site.toml.data-id").exists());
    }
}
