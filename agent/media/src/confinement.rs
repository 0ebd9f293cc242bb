//! What keeps a child in: the words that parent, child and the agent's pages share.
//!
//! A child decodes what strangers send. Three walls stand around it: it reaches no file beyond those it needs, no network beyond
//! its camera, and no system call beyond those of a decoder.

use std::fmt;

/// How far one wall stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wall {
    /// It stands; how it is built.
    Whole(String),
    /// It stands for a part of the child's life, or for a part of the ways; what is missing.
    Part(String),
    /// It does not stand, and why.
    None(String),
}

/// The three walls of one child, as they really stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// Only the files and folders that it needs.
    pub files: Wall,
    /// Only its camera.
    pub network: Wall,
    /// Only the system calls of a decoder.
    pub system_calls: Wall,
}

impl Wall {
    /// The whole wall stands.
    pub fn is_whole(&self) -> bool {
        matches!(self, Wall::Whole(_))
    }

    /// Why it stands only in part, or not at all.
    pub fn gap(&self) -> Option<&str> {
        match self {
            Wall::Whole(_) => None,
            Wall::Part(why) | Wall::None(why) => Some(why),
        }
    }

    fn chinese(&self) -> String {
        match self {
            Wall::Whole(_) => "已隔离".to_owned(),
            Wall::Part(_) => "部分隔离".to_owned(),
            Wall::None(_) => "未隔离".to_owned(),
        }
    }
}

impl Confinement {
    /// Each wall with its name, as metrics label it.
    pub fn walls(&self) -> [(&'static str, &Wall); 3] {
        [("files", &self.files), ("network", &self.network), ("system_calls", &self.system_calls)]
    }

    /// What a site that demands confinement misses: files and system calls must be whole, and the network at least from the
    /// first picture on.
    pub fn shortfall(&self) -> Option<String> {
        let network = matches!(self.network, Wall::None(_)).then_some(&self.network);
        let whole = [&self.files, &self.system_calls].into_iter().filter(|wall| !wall.is_whole());
        let missing: Vec<&str> = whole.chain(network).filter_map(Wall::gap).collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    /// The same sentence in Chinese, for `doctor`.
    pub fn chinese(&self) -> String {
        let [files, network, calls] = [&self.files, &self.network, &self.system_calls].map(Wall::chinese);
        format!("文件：{files}；网络：{network}；系统调用：{calls}")
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wall::Whole(how) => write!(f, "yes ({how})"),
            Wall::Part(why) => write!(f, "in part: {why}"),
            Wall::None(why) => write!(f, "no: {why}"),
        }
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files {}, network {}, system calls {}", self.files, self.network, self.system_calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_both_languages_and_judged() {
        let whole = || Wall::Whole("Landlock ABI 2".to_owned());
        let part = Wall::Part("kernel 6.1 has no rules for TCP".to_owned());
        let mut box_61 = Confinement { files: whole(), network: part, system_calls: whole() };
        let text = "files yes (Landlock ABI 2), network in part: kernel 6.1 has no rules for TCP, system calls yes (Landlock ABI 2)";
        assert_eq!(box_61.to_string(), text);
        assert_eq!(box_61.chinese(), "文件：已隔离；网络：部分隔离；系统调用：已隔离");
        assert_eq!(box_61.shortfall(), None, "the network is closed from the first picture on");
        box_61.files = Wall::None("kernel 5.10 has no Landlock".to_owned());
        assert_eq!(box_61.shortfall().as_deref(), Some("kernel 5.10 has no Landlock"));
    }
}
