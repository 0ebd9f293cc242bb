//! The facts of a sheet as an officer reads them. What is unknown is left out, never guessed.

/// Where the thing is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlaceText {
    /// Longitude, WGS-84.
    pub lon_deg: f64,
    /// Latitude, WGS-84.
    pub lat_deg: f64,
    /// Radius that holds the place, m.
    pub accuracy_m: f64,
    /// The thing itself was placed, not the camera that sees it.
    pub is_measured: bool,
}

/// What stands on a sheet beside the pictures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caption {
    /// Chinese name of the matter, e.g. 占道经营.
    pub matter: String,
    /// Its code, with the scheme.
    pub code: Option<String>,
    /// When the newest picture was taken: `2026-11-21 08:31:05 +08:00`.
    pub at: String,
    /// False: nobody vouches for the box's clock.
    pub clock_synced: bool,
    /// What happened to the thing since, e.g. 已清除; empty while it stands.
    pub standing: String,
    /// How long the thing has stood, s.
    pub dwell_s: Option<f64>,
    /// Of the box.
    pub address: Option<String>,
    /// Code of the unit grid.
    pub grid: Option<String>,
    /// Further grids in question.
    pub grid_candidates: Vec<String>,
    /// The thing's place.
    pub place: Option<PlaceText>,
    /// The centre's number of the case.
    pub case_no: Option<String>,
    /// The box.
    pub edge_id: String,
    /// The camera.
    pub camera_id: String,
    /// The incident and its revision.
    pub incident: String,
    /// Heads and plates are masked.
    pub masked: bool,
}

/// Longest text of one field, characters: an address of a site file may be anything.
const LONGEST: usize = 80;

impl Caption {
    /// The first line, in large letters.
    pub fn title(&self) -> String {
        match self.standing.is_empty() {
            true => self.matter.clone(),
            false => format!("{}（{}）", self.matter, self.standing),
        }
    }

    /// The lines below it: what it is about, and what is said of that.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("时间", self.time())];
        lines.extend(self.address.as_ref().map(|address| ("地址", clipped(address))));
        lines.extend(self.position().map(|position| ("位置", position)));
        lines.extend(self.grid().map(|grid| ("网格", grid)));
        lines.extend(self.case_no.as_ref().map(|number| ("案号", clipped(number))));
        lines.push(("编号", format!("{}  设备 {} / {}", self.incident, self.edge_id, self.camera_id)));
        lines
    }

    /// What the sheet is, and what was done to it.
    pub fn footnote(&self) -> String {
        let masked = if self.masked { "行人头部和车牌已遮挡。" } else { "" };
        format!("自动发现的线索，须经现场核实，不作为处罚依据。{masked}")
    }

    fn time(&self) -> String {
        let dwell = self.dwell_s.map(|s| format!("  已停留 {}", duration(s))).unwrap_or_default();
        let clock = if self.clock_synced { "" } else { "  （时钟未校准）" };
        format!("{}{clock}{dwell}", self.at)
    }

    fn position(&self) -> Option<String> {
        let PlaceText { lon_deg, lat_deg, accuracy_m, is_measured } = self.place?;
        let (east, north) = (if lon_deg < 0.0 { "W" } else { "E" }, if lat_deg < 0.0 { "S" } else { "N" });
        let what = if is_measured { "现场位置" } else { "摄像机位置" };
        Some(format!(
            "{:.6}°{north} {:.6}°{east}  精度 ±{accuracy_m:.1} 米（{what}，WGS-84）",
            lat_deg.abs(),
            lon_deg.abs()
        ))
    }

    fn grid(&self) -> Option<String> {
        let grid = self.grid.as_ref()?;
        let others: Vec<&str> =
            self.grid_candidates.iter().filter(|c| *c != grid).map(String::as_str).collect();
        Some(match others.is_empty() {
            true => clipped(grid),
            false => clipped(&format!("{grid}（或 {}）", others.join("、"))),
        })
    }
}

/// As a person says it.
fn duration(s: f64) -> String {
    let s = s.max(0.0).round() as u64;
    match (s / 3600, s / 60 % 60, s % 60) {
        (0, 0, s) => format!("{s} 秒"),
        (0, m, s) => format!("{m} 分 {s} 秒"),
        (h, m, _) => format!("{h} 小时 {m} 分"),
    }
}

fn clipped(text: &str) -> String {
    let mut clipped: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if text.chars().count() > LONGEST {
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn caption() -> Caption {
        Caption {
            matter: "占道经营".to_owned(),
            code: Some("GB/T 47678.5-2026 09006".to_owned()),
            at: "2026-11-21 08:31:05 +08:00".to_owned(),
            clock_synced: true,
            standing: String::new(),
            dwell_s: Some(186.0),
            address: Some("上海市闵行区莘庄镇七莘路 201 号门前".to_owned()),
            grid: Some("310112001002003".to_owned()),
            grid_candidates: Vec::new(),
            place: Some(PlaceText {
                lon_deg: 121.376_123_4,
                lat_deg: 31.112_456_7,
                accuracy_m: 2.8,
                is_measured: true,
            }),
            case_no: None,
            edge_id: "mh-xz-017".to_owned(),
            camera_id: "cam1".to_owned(),
            incident: "01JD7Z6T6V8Q0M5N3K2H1G9F8E.1".to_owned(),
            masked: true,
        }
    }

    #[test]
    fn an_officer_reads_when_where_and_how_sure() {
        let lines = caption().lines();
        let of = |what: &str| lines.iter().find(|(label, _)| *label == what).map(|(_, text)| text.as_str());
        assert_eq!(of("时间"), Some("2026-11-21 08:31:05 +08:00  已停留 3 分 6 秒"));
        assert_eq!(of("位置"), Some("31.112457°N 121.376123°E  精度 ±2.8 米（现场位置，WGS-84）"));
        assert_eq!(of("网格"), Some("310112001002003"));
        assert_eq!(of("案号"), None, "no case yet");
        assert!(caption().footnote().contains("已遮挡"));
    }

    #[test]
    fn what_is_unknown_is_left_out_and_doubt_is_said() {
        let bare = Caption {
            matter: "暴露垃圾".into(),
            at: "1970-01-01 08:00:00 +08:00".into(),
            ..Caption::default()
        };
        let lines = bare.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].1.contains("时钟未校准"));
        assert!(!bare.footnote().contains("遮挡"));
        let two = Caption {
            grid_candidates: vec!["310112001002003".into(), "310112001002004".into()],
            ..caption()
        };
        assert!(two.lines().iter().any(|(_, text)| text == "310112001002003（或 310112001002004）"));
        let gone = Caption { standing: "已清除".into(), ..caption() };
        assert_eq!(gone.title(), "占道经营（已清除）");
        let endless = Caption { address: Some("路".repeat(5000)), ..caption() };
        assert!(endless.lines()[1].1.chars().count() <= LONGEST + 1);
    }
}
