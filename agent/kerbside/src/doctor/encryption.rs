//! Encryption at rest: whether whoever takes the disk has the evidence, the journal and the box's key. Kerbside encrypts nothing
//! itself; the disk (LUKS, key in the TPM) or the file system (fscrypt) does, and this says whether it does.

use std::path::{Path, PathBuf};

use super::finding::{Area, Finding};

/// Device mapper names a mapping by its kind: cryptsetup's begin with it.
const DM_CRYPT: &str = "CRYPT-";
/// A mapping over a mapping over a mapping: LVM on LUKS on RAID.
const DEEPEST: usize = 8;
const REMEDY: &str = "put data_dir on a LUKS volume whose key is in the TPM (systemd-cryptenroll --tpm2-device=auto), or encrypt \
    it with fscrypt: docs, Proof | 请把 data_dir 放在 LUKS 加密卷上，密钥存于 TPM，或用 fscrypt 加密：见文档“证明”";

/// Where the kernel tells; another place in tests.
pub(super) struct Kernel {
    pub(super) mounts: PathBuf,
    pub(super) blocks: PathBuf,
}

impl Default for Kernel {
    fn default() -> Self {
        Kernel { mounts: "/proc/self/mountinfo".into(), blocks: "/sys/dev/block".into() }
    }
}

/// How a folder lies on its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AtRest {
    /// dm-crypt, with the name of the mapping's kind.
    Disk(String),
    /// The folder itself is encrypted by its file system.
    Folder,
    Plain(String),
    Unknown(String),
}

pub(super) fn at_rest(data_dir: &Path) -> Finding {
    let folder = super::machine::existing_above(data_dir);
    let shown = data_dir.display();
    match of(&folder, &Kernel::default()) {
        AtRest::Disk(kind) => Finding::good(
            Area::Encryption,
            format!("{shown} lies on an encrypted disk ({kind}) | 位于加密磁盘"),
        ),
        AtRest::Folder => Finding::good(
            Area::Encryption,
            format!("{shown} is encrypted by its file system | 由文件系统加密"),
        ),
        AtRest::Plain(device) => {
            let what = format!(
                "{shown} lies unencrypted on {device}: whoever takes the disk has evidence, journal and the box's key | 未加密：\
                 取走磁盘的人即得到证据、存证日志和设备密钥"
            );
            Finding::advice(Area::Encryption, what, REMEDY)
        }
        AtRest::Unknown(why) => {
            let what = format!("it is not known whether {shown} is encrypted: {why} | 无法判断是否加密");
            Finding::advice(Area::Encryption, what, REMEDY)
        }
    }
}

pub(super) fn of(folder: &Path, kernel: &Kernel) -> AtRest {
    if is_fscrypt(folder) {
        return AtRest::Folder;
    }
    let Ok(folder) = folder.canonicalize() else {
        return AtRest::Unknown("the folder cannot be found".to_owned());
    };
    let Ok(text) = std::fs::read_to_string(&kernel.mounts) else {
        return AtRest::Unknown(format!("{} cannot be read", kernel.mounts.display()));
    };
    let Some(mount) =
        text.lines().filter_map(Mount::parse).filter(|m| folder.starts_with(&m.point)).last_deepest()
    else {
        return AtRest::Unknown("its mount is not listed".to_owned());
    };
    let device = mount.block(kernel);
    match device {
        None => AtRest::Unknown(format!("{} ({}) names no disk", mount.source, mount.kind)),
        Some(device) => match crypt(&device, DEEPEST) {
            Some(kind) => AtRest::Disk(kind),
            None => AtRest::Plain(format!("{} ({})", mount.source, mount.kind)),
        },
    }
}

/// statx says of a folder whether its file system encrypts it.
fn is_fscrypt(folder: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let found = statx(CWD, folder, AtFlags::empty(), StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::ENCRYPTED))
}

/// One line of mountinfo.
struct Mount {
    /// `major:minor`; file systems over several disks have one of their own, with major 0.
    device: String,
    point: PathBuf,
    kind: String,
    source: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Mount> {
        let (mounted, from) = line.split_once(" - ")?;
        let mut mounted = mounted.split(' ').skip(2);
        let (device, point) = (mounted.next()?.to_owned(), mounted.nth(1)?);
        let mut from = from.split(' ');
        let (kind, source) = (from.next()?.to_owned(), from.next()?.to_owned());
        // Blanks in a path are written as octal numbers.
        Some(Mount { device, point: point.replace("\\040", " ").into(), kind, source })
    }

    /// The disk's folder in sysfs.
    fn block(&self, kernel: &Kernel) -> Option<PathBuf> {
        let by_number = kernel.blocks.join(&self.device);
        if by_number.exists() {
            return Some(by_number);
        }
        use std::os::unix::fs::MetadataExt as _;
        let device = std::fs::metadata(&self.source).ok()?.rdev();
        let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        Some(kernel.blocks.join(number)).filter(|path| path.exists())
    }
}

/// The mount that covers the others: the deepest, and of those the newest.
trait LastDeepest: Iterator<Item = Mount> + Sized {
    fn last_deepest(self) -> Option<Mount> {
        self.max_by_key(|mount| mount.point.components().count())
    }
}

impl<I: Iterator<Item = Mount>> LastDeepest for I {}

/// The kind of the first encrypted mapping from this disk down.
fn crypt(block: &Path, depth: usize) -> Option<String> {
    let uuid = std::fs::read_to_string(block.join("dm/uuid")).unwrap_or_default();
    if let Some(rest) = uuid.trim().strip_prefix(DM_CRYPT) {
        return Some(rest.split('-').next().unwrap_or_default().to_owned());
    }
    let depth = depth.checked_sub(1)?;
    let slaves = std::fs::read_dir(block.join("slaves")).into_iter().flatten().filter_map(Result::ok);
    let slaves: Vec<PathBuf> = slaves.map(|e| e.path()).collect();
    // A volume over several disks is as safe as its weakest.
    let kinds: Vec<Option<String>> = slaves.iter().map(|slave| crypt(slave, depth)).collect();
    kinds.into_iter().collect::<Option<Vec<String>>>()?.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel that tells of these mounts and disks; each disk: number, its mapping's name, the numbers below it.
    fn kernel(dir: &Path, mounts: &str, disks: &[(&str, &str, &[&str])]) -> Kernel {
        let kernel = Kernel { mounts: dir.join("mountinfo"), blocks: dir.join("block") };
        std::fs::write(&kernel.mounts, mounts).unwrap();
        for (number, uuid, _) in disks {
            std::fs::create_dir_all(kernel.blocks.join(number).join("slaves")).unwrap();
            if !uuid.is_empty() {
                std::fs::create_dir(kernel.blocks.join(number).join("dm")).unwrap();
                std::fs::write(kernel.blocks.join(number).join("dm/uuid"), format!("{uuid}\n")).unwrap();
            }
        }
        for (number, _, below) in disks {
            for one in *below {
                let link = kernel.blocks.join(number).join("slaves").join(format!("disk-{one}"));
                std::os::unix::fs::symlink(kernel.blocks.join(one), link).unwrap();
            }
        }
        kernel
    }

    #[test]
    fn luks_is_seen_through_lvm_and_a_plain_disk_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().canonicalize().unwrap().join("my data");
        std::fs::create_dir(&data).unwrap();
        let point = data.display().to_string().replace(' ', "\\040");
        let mounts = |device: &str, kind: &str| {
            format!(
                "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n30 27 {device} / {point} rw shared:1 - {kind} /dev/mapper/x rw\n"
            )
        };
        let luks = "CRYPT-LUKS2-0123456789abcdef-data";
        let plain = AtRest::Plain("/dev/mapper/x (ext4)".to_owned());
        type Disks<'a> = &'a [(&'a str, &'a str, &'a [&'a str])];
        let table: [(Disks<'_>, AtRest); 5] = [
            (&[("254:0", "", &[]), ("253:0", luks, &[])], AtRest::Disk("LUKS2".to_owned())),
            (
                &[("253:0", "LVM-abc", &["253:1"]), ("253:1", luks, &["8:1"]), ("8:1", "", &[])],
                AtRest::Disk("LUKS2".to_owned()),
            ),
            (&[("253:0", "LVM-abc", &["8:1"]), ("8:1", "", &[])], plain.clone()),
            // Half of it is.
            (
                &[("253:0", "LVM-abc", &["8:1", "253:1"]), ("253:1", luks, &[]), ("8:1", "", &[])],
                plain.clone(),
            ),
            (&[("253:0", "", &[])], plain),
        ];
        for (i, (disks, expected)) in table.into_iter().enumerate() {
            let fake = dir.path().join(i.to_string());
            std::fs::create_dir(&fake).unwrap();
            assert_eq!(of(&data, &kernel(&fake, &mounts("253:0", "ext4"), disks)), expected, "{i}");
        }
        let fake = dir.path().join("tmpfs");
        std::fs::create_dir(&fake).unwrap();
        let found = of(&data, &kernel(&fake, &mounts("0:77", "tmpfs"), &[]));
        assert_eq!(found, AtRest::Unknown("/dev/mapper/x (tmpfs) names no disk".to_owned()));
    }

    #[test]
    fn what_is_said_of_this_machine_is_said_in_both_languages() {
        let dir = tempfile::tempdir().unwrap();
        let finding = at_rest(&dir.path().join("not/there/yet"));
        assert!(finding.what.contains("加密") && finding.area == Area::Encryption, "{finding:?}");
    }
}
