//! The sentences about refusals, in English and Chinese, from one table each for reasons, measures, kinds, groups and fates.
//! Timeline, annotated video, `kerbside why` and the console take them from here.

use kerbside_domain::detection::Group;
use kerbside_domain::kind::Kind;
use kerbside_domain::lang::Lang;

use super::check::{Check, Measure};
use super::why::{Miss, RefusalKind, WhyNot};
use super::{Fate, Thing};

/// English and Chinese.
type Pair = (&'static str, &'static str);

const fn reasons(kind: RefusalKind) -> Pair {
    match kind {
        RefusalKind::Bin => ("a bin in order", "完好的垃圾箱"),
        RefusalKind::Gone => ("gone or changed before its dwell", "未满停留时间即离开或改变"),
        RefusalKind::Hidden => ("never in sight when it was to be judged", "应判断时始终被遮挡"),
        RefusalKind::ImplausibleShape => {
            ("too long and thin for an object on the ground", "形状过于细长，不像地面物体")
        }
        RefusalKind::Interrupted => {
            ("the camera lost sight of the street before its dwell", "未满停留时间，摄像机即无法观察")
        }
        RefusalKind::KeepsChanging => ("does not look like itself for long", "外观不断变化"),
        RefusalKind::NoKindFits => ("no kind of the rule fits", "与规则所列类别均不相符"),
        RefusalKind::NotAnalysed => ("the detector was hardly shown it", "检测器几乎没有分析到"),
        RefusalKind::OnlyPeople => ("people or vehicles alone, no goods", "只见人或车辆，未见货物"),
        RefusalKind::OutsideSchedule => ("outside schedule", "不在规则时段内"),
        RefusalKind::Permitted => ("permitted by permit", "已获许可"),
        RefusalKind::Person => ("a person, or people before it", "是人，或被人遮挡"),
        RefusalKind::AlreadyReported => ("a sensor has reported it already", "传感器已上报"),
        RefusalKind::SensorDisagrees => ("the sensor says otherwise", "传感器条件不成立"),
        RefusalKind::SensorUnknown => ("the sensor cannot be believed", "传感器读数不可作证"),
        RefusalKind::TooLarge => ("too large for an object on the ground", "过大，不像地面物体"),
        RefusalKind::TooManyOpen => ("too many open incidents already", "未结案件已达上限"),
        RefusalKind::TooSmall => ("smaller than the rule asks", "小于规则要求的尺寸"),
        RefusalKind::Vacated => ("bare ground that something left", "物体离开后露出的地面"),
        RefusalKind::Vehicle => ("a vehicle that nobody sells from", "无人经营的车辆"),
    }
}

/// With `{v}` for the value and `{t}` for the threshold.
const fn measures(measure: Measure) -> Pair {
    match measure {
        Measure::DwellS => ("stood {v} of {t} s", "停留 {v} 秒，应满 {t} 秒"),
        Measure::AloneS => ("alone {v} of {t} s", "无人看管 {v} 秒，应满 {t} 秒"),
        Measure::AttendedShare => {
            ("somebody with it {v} of {t} of the time", "有人看守的时间占 {v}，应达 {t}")
        }
        Measure::SteadiestShare => {
            ("the same person with it {v} of {t} of the time", "同一人看守的时间占 {v}，应达 {t}")
        }
        Measure::Visits => ("{v} of {t} customers paused", "停留的顾客 {v} 人，应达 {t} 人"),
        Measure::FilledShare => ("fills {v} of {t} of its box", "填满外框的 {v}，应达 {t}"),
        Measure::Similarity => ("looks like itself by {v} of {t}", "外观保持度 {v}，应达 {t}"),
        Measure::AreaShare => ("{v} of {t} of the picture", "占画面 {v}，应达 {t}"),
        Measure::GroundM2 => ("{v} of {t} m2 on the ground", "占地 {v} 平方米，应达 {t} 平方米"),
        Measure::OverflowScore => ("full-bin score {v} of {t}", "满溢得分 {v}，应达 {t}"),
        Measure::GoodsShare => ("goods make {v} of {t} of what is seen", "所见中货物占 {v}，应达 {t}"),
        Measure::DetectorFrames => ("{v} of {t} frames analysed", "已分析 {v} 帧，应达 {t} 帧"),
        Measure::BinScore => ("bin score {v}, at most {t}", "垃圾箱得分 {v}，应不超过 {t}"),
        Measure::GoodsScore => ("goods score {v}, at most {t}", "货物得分 {v}，应不超过 {t}"),
        Measure::LargestAreaShare => ("{v} of the picture, at most {t}", "占画面 {v}，应不超过 {t}"),
        Measure::AspectRatio => {
            ("{v} times as long as wide, at most {t}", "长边为短边的 {v} 倍，应不超过 {t} 倍")
        }
        Measure::HiddenByPeopleShare => {
            ("covered by people {v} of the time, at most {t}", "被人遮挡的时间占 {v}，应不超过 {t}")
        }
        Measure::HiddenByVehiclesShare => {
            ("covered by vehicles {v} of the time, at most {t}", "被车辆遮挡的时间占 {v}，应不超过 {t}")
        }
        Measure::SameAsPersonS => {
            ("a person's own box for {v} s, at most {t} s", "与人的外框重合 {v} 秒，应不超过 {t} 秒")
        }
        Measure::SameAsVehicleS => {
            ("a vehicle's own box for {v} s, at most {t} s", "与车辆外框重合 {v} 秒，应不超过 {t} 秒")
        }
        Measure::ShadeShare => (
            "nothing but people and their shade {v} of the time, at most {t}",
            "只有人及其影子的时间占 {v}，应不超过 {t}",
        ),
        Measure::PeopleBeside => ("{v} pausing beside it, at most {t}", "旁边有 {v} 人停留，应为 {t} 人"),
        Measure::OpenIncidents => ("{v} open, at most {t}", "未结 {v} 件，上限 {t} 件"),
    }
}

const fn kinds(kind: Kind) -> Pair {
    match kind {
        Kind::StallOccupying => ("a stall", "占道经营"),
        Kind::StallMobileVendor => ("a mobile vendor", "无照经营游商"),
        Kind::ShopfrontOverflow => ("goods before a shop", "店外经营"),
        Kind::WasteExposed => ("rubbish", "暴露垃圾"),
        Kind::WasteAccumulated => ("a heap of rubbish", "积存垃圾渣土"),
        Kind::BinOverflow => ("a full bin", "垃圾箱满溢"),
        Kind::PileGoods => ("piled goods", "乱堆杂物"),
        Kind::FireSmoke => ("smoke", "烟雾火情"),
        Kind::NoiseExcessive => ("noise", "噪声超标"),
        Kind::DoorOpen => ("an open door", "门盖未关"),
        Kind::FacilityTilted => ("a leaning facility", "设施倾斜"),
        Kind::PresenceDetected => ("somebody's presence", "有人进入"),
        Kind::CallHelp => ("a call for help", "呼叫求助"),
    }
}

const fn groups(group: Group) -> Pair {
    match group {
        Group::Person => ("person", "人"),
        Group::Vehicle => ("vehicle", "车辆"),
        Group::Furniture => ("furniture", "桌椅"),
        Group::Waste => ("waste", "垃圾"),
        Group::Goods => ("goods", "货物"),
        Group::Stall => ("stall", "摊位"),
        Group::Bin => ("bin", "垃圾箱"),
        Group::Other => ("thing", "物体"),
    }
}

const fn fates(fate: &Fate) -> Pair {
    match fate {
        Fate::Standing => ("still there", "仍在原处"),
        Fate::Gone => ("gone", "已离开"),
        Fate::Joined => ("part of another thing since", "已并入另一物体"),
        Fate::LostSight => ("lost sight of", "已无法观察"),
        Fate::Reported { .. } => ("reported after all", "随后已上报"),
    }
}

/// The comma between values of one sentence.
const NEXT: Pair = ("; ", "；");
/// The colon between a reason and its values.
const COLON: Pair = (": ", "：");

fn pick(lang: Lang, (english, chinese): Pair) -> &'static str {
    lang.pick(english, chinese)
}

/// Why, with every value: `gone or changed before its dwell: stood 48 of 50 s`.
pub fn why(lang: Lang, why: &WhyNot) -> String {
    let reason = pick(lang, reasons(why.kind()));
    match why {
        WhyNot::OutsideSchedule { hours } => format!("{reason} {hours}"),
        WhyNot::Permitted { holder, hours } => format!("{reason} {holder} ({hours})"),
        WhyNot::AlreadyReported { with }
        | WhyNot::SensorDisagrees { with }
        | WhyNot::SensorUnknown { with } => format!("{reason}{}{with}", pick(lang, COLON)),
        WhyNot::Vacated => reason.to_owned(),
        WhyNot::NoKindFits { misses } if misses.is_empty() => reason.to_owned(),
        _ => {
            let values = why.checks().into_iter().map(|(kind, measured)| match kind {
                Some(kind) => miss(lang, &Miss { kind, check: measured }),
                None => check(lang, &measured),
            });
            let values: Vec<String> = values.collect();
            format!("{reason}{}{}", pick(lang, COLON), values.join(pick(lang, NEXT)))
        }
    }
}

/// What a thing lacks for one kind: `no stall: ...`.
fn miss(lang: Lang, miss: &Miss) -> String {
    let (kind, value) = (pick(lang, kinds(miss.kind)), check(lang, &miss.check));
    lang.pick(format!("for {kind}: {value}"), format!("作为{kind}：{value}"))
}

/// One value against its threshold: `stood 48 of 50 s`.
pub fn check(lang: Lang, check: &Check) -> String {
    let (value, threshold) = figures(check);
    pick(lang, measures(check.measure)).replace("{v}", &value).replace("{t}", &threshold)
}

/// In a few ASCII characters, to stand on a picture: `gone 48 of 50`.
pub fn short(why: &WhyNot) -> String {
    let reason = why.kind().as_str().replace('_', " ");
    let Some((_, check)) = why.checks().into_iter().next() else { return reason };
    let (value, threshold) = figures(&check);
    let between = if check.measure.is_at_most() { ">" } else { "of" };
    format!("{reason} {value} {between} {threshold}")
}

/// What it is: the detector's label in English, the group's name in Chinese.
pub fn thing(lang: Lang, thing: &Thing) -> String {
    let group = pick(lang, groups(thing.group.unwrap_or(Group::Other)));
    let label = thing.label.as_deref().unwrap_or(group);
    lang.pick(label, group).to_owned()
}

/// What became of it.
pub fn fate(lang: Lang, fate: &Fate) -> &'static str {
    pick(lang, fates(fate))
}

/// Value and threshold, with as many decimals as it takes to tell them apart.
fn figures(check: &Check) -> (String, String) {
    let least = match check.measure {
        Measure::Visits | Measure::PeopleBeside | Measure::OpenIncidents | Measure::DetectorFrames => 0,
        Measure::DwellS | Measure::AloneS | Measure::SameAsPersonS | Measure::SameAsVehicleS => {
            usize::from(check.threshold.fract() != 0.0)
        }
        Measure::GroundM2 | Measure::AspectRatio => 1,
        Measure::AreaShare => 4,
        _ => 2,
    };
    let at =
        |decimals: usize| (format!("{:.decimals$}", check.value), format!("{:.decimals$}", check.threshold));
    (least..4).map(at).find(|(value, threshold)| value != threshold).unwrap_or_else(|| at(4))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sentences_in_both_languages() {
        let stood = Check::new(Measure::DwellS, 48.2, 50.0);
        let alone = Miss { kind: Kind::WasteExposed, check: Check::new(Measure::AloneS, 12.0, 20.0) };
        let changing = Check::new(Measure::Similarity, 0.698_f32, 0.7_f32);
        let all = [
            WhyNot::Gone { check: stood },
            WhyNot::OutsideSchedule { hours: "07:00-21:00".into() },
            WhyNot::Permitted { holder: "market".into(), hours: "06:00-12:00".into() },
            WhyNot::Vacated,
            WhyNot::NoKindFits { misses: vec![] },
            WhyNot::NoKindFits { misses: vec![alone] },
            WhyNot::KeepsChanging { check: changing, misses: vec![alone] },
        ];
        let lines = |lang| all.iter().map(|w| why(lang, w) + "\n").collect::<String>();
        expect_test::expect![[r#"
            gone or changed before its dwell: stood 48 of 50 s
            outside schedule 07:00-21:00
            permitted by permit market (06:00-12:00)
            bare ground that something left
            no kind of the rule fits
            no kind of the rule fits: for rubbish: alone 12 of 20 s
            does not look like itself for long: looks like itself by 0.698 of 0.700; for rubbish: alone 12 of 20 s
        "#]]
        .assert_eq(&lines(Lang::En));
        expect_test::expect![[r#"
            未满停留时间即离开或改变：停留 48 秒，应满 50 秒
            不在规则时段内 07:00-21:00
            已获许可 market (06:00-12:00)
            物体离开后露出的地面
            与规则所列类别均不相符
            与规则所列类别均不相符：作为暴露垃圾：无人看管 12 秒，应满 20 秒
            外观不断变化：外观保持度 0.698，应达 0.700；作为暴露垃圾：无人看管 12 秒，应满 20 秒
        "#]]
        .assert_eq(&lines(Lang::Zh));
        let shorts: Vec<String> = all.iter().map(short).collect();
        assert_eq!(shorts[0], "gone 48 of 50");
        assert!(shorts.iter().all(|s| s.is_ascii()), "{shorts:?}");
    }

    /// Every word is there in both languages, no two are alike, and Chinese is Chinese.
    #[test]
    fn no_text_is_missing_or_said_twice() {
        let tables: [Vec<Pair>; 4] = [
            RefusalKind::ALL.map(reasons).to_vec(),
            Measure::ALL.map(measures).to_vec(),
            Kind::ALL.map(kinds).to_vec(),
            [Fate::Standing, Fate::Gone, Fate::Joined, Fate::LostSight].iter().map(fates).collect(),
        ];
        for table in tables {
            let english: BTreeSet<&str> = table.iter().map(|t| t.0).collect();
            let chinese: BTreeSet<&str> = table.iter().map(|t| t.1).collect();
            assert_eq!((english.len(), chinese.len()), (table.len(), table.len()), "{table:?}");
            let is_han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
            assert!(english.iter().all(|t| !t.is_empty() && t.is_ascii()), "{english:?}");
            assert!(chinese.iter().all(|t| t.chars().any(is_han)), "{chinese:?}");
        }
        for measure in Measure::ALL {
            let (english, chinese) = measures(measure);
            for text in [english, chinese] {
                assert!(text.contains("{v}") && text.contains("{t}"), "{text}");
            }
        }
    }
}
