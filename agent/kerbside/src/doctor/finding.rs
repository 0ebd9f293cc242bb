//! A finding: what was checked, how it is, and how to correct it.

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing to do.
    Good,
    /// Works, but a person should know.
    Advice,
    /// Has to be corrected.
    Wrong,
}

/// What was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The wall clock of the machine.
    Clock,
    /// Memory of the machine.
    Memory,
    /// The disk of `data_dir`.
    Disk,
    /// Whether what lies on the disk can be read without the box.
    Encryption,
    /// Pictures and clips that lie on the box.
    Evidence,
    /// The site file.
    Configuration,
    /// Native libraries of the program.
    Libraries,
    /// What keeps the children in that decode.
    Confinement,
    /// Detection models.
    Model,
    /// A camera.
    Camera,
    /// The linkage centre's broker.
    Centre,
    /// A certificate of the link.
    Certificate,
    /// Whose word counts.
    Trust,
    /// The GNSS receiver.
    Gnss,
    /// The sensors' broker.
    Sensors,
    /// The port of the health page.
    Health,
}

impl Area {
    /// English and Chinese.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Area::Clock => ("clock", "时钟"),
            Area::Memory => ("memory", "内存"),
            Area::Disk => ("disk", "磁盘"),
            Area::Encryption => ("encryption at rest", "静态加密"),
            Area::Evidence => ("evidence", "证据"),
            Area::Configuration => ("configuration", "配置"),
            Area::Libraries => ("libraries", "程序库"),
            Area::Confinement => ("confinement", "隔离"),
            Area::Model => ("model", "检测模型"),
            Area::Camera => ("camera", "摄像机"),
            Area::Centre => ("centre", "联动中心"),
            Area::Certificate => ("certificate", "证书"),
            Area::Trust => ("keys", "密钥"),
            Area::Gnss => ("GNSS", "定位"),
            Area::Sensors => ("sensors", "传感器"),
            Area::Health => ("health", "健康接口"),
        }
    }
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was checked.
    pub area: Area,
    /// What was found.
    pub what: String,
    /// How to correct it; absent if it is good.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn good(area: Area, what: impl Into<String>) -> Self {
        Finding { level: Level::Good, area, what: what.into(), remedy: None }
    }

    pub(super) fn advice(area: Area, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { level: Level::Advice, area, what: what.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn wrong(area: Area, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { level: Level::Wrong, area, what: what.into(), remedy: Some(remedy.into()) }
    }
}

/// What is wrong with a device or a host, and how to correct it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) remedy: String,
}
