//! What a box reports: the kinds of incident, and whether somebody was seen doing it.

use serde::{Deserialize, Serialize};

/// What the box reports. Written on the wire as `stall.occupying`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A stall that takes up public space (占道经营).
    #[serde(rename = "stall.occupying")]
    StallOccupying,
    /// A vendor who sells from a vehicle or cart (无照经营游商).
    #[serde(rename = "stall.mobile_vendor")]
    StallMobileVendor,
    /// Goods before a shop's own front (店外经营).
    #[serde(rename = "shopfront.overflow")]
    ShopfrontOverflow,
    /// Rubbish in the open (暴露垃圾).
    #[serde(rename = "waste.exposed")]
    WasteExposed,
    /// Rubbish in a heap (积存垃圾渣土).
    #[serde(rename = "waste.accumulated")]
    WasteAccumulated,
    /// A bin that overflows (垃圾站（箱）满溢).
    #[serde(rename = "bin.overflow")]
    BinOverflow,
    /// Goods that merely stand there (乱堆杂物).
    #[serde(rename = "pile.goods")]
    PileGoods,
    /// Smoke, as a sensor measures it.
    #[serde(rename = "fire.smoke")]
    FireSmoke,
    /// Louder than allowed, as a sensor measures it.
    #[serde(rename = "noise.excessive")]
    NoiseExcessive,
    /// A door or lid that stands open.
    #[serde(rename = "door.open")]
    DoorOpen,
    /// A pole, cover or cabinet that leans.
    #[serde(rename = "facility.tilted")]
    FacilityTilted,
    /// Somebody is where nobody should be.
    #[serde(rename = "presence.detected")]
    PresenceDetected,
    /// Somebody calls for help with a button.
    #[serde(rename = "call.help")]
    CallHelp,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 13] = [
        Kind::StallOccupying,
        Kind::StallMobileVendor,
        Kind::ShopfrontOverflow,
        Kind::WasteExposed,
        Kind::WasteAccumulated,
        Kind::BinOverflow,
        Kind::PileGoods,
        Kind::FireSmoke,
        Kind::NoiseExcessive,
        Kind::DoorOpen,
        Kind::FacilityTilted,
        Kind::PresenceDetected,
        Kind::CallHelp,
    ];
    /// Those that a camera can see, which a rule may name.
    pub const SEEN: [Kind; 7] = [
        Kind::StallOccupying,
        Kind::StallMobileVendor,
        Kind::ShopfrontOverflow,
        Kind::WasteExposed,
        Kind::WasteAccumulated,
        Kind::BinOverflow,
        Kind::PileGoods,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::StallOccupying => "stall.occupying",
            Kind::StallMobileVendor => "stall.mobile_vendor",
            Kind::ShopfrontOverflow => "shopfront.overflow",
            Kind::WasteExposed => "waste.exposed",
            Kind::WasteAccumulated => "waste.accumulated",
            Kind::BinOverflow => "bin.overflow",
            Kind::PileGoods => "pile.goods",
            Kind::FireSmoke => "fire.smoke",
            Kind::NoiseExcessive => "noise.excessive",
            Kind::DoorOpen => "door.open",
            Kind::FacilityTilted => "facility.tilted",
            Kind::PresenceDetected => "presence.detected",
            Kind::CallHelp => "call.help",
        }
    }

    /// The heading of grid work under which it is usually counted.
    pub fn category(self) -> Category {
        match self {
            Kind::StallOccupying | Kind::StallMobileVendor | Kind::ShopfrontOverflow => Category::StreetOrder,
            Kind::WasteExposed | Kind::WasteAccumulated | Kind::BinOverflow | Kind::PileGoods => {
                Category::CityAppearance
            }
            Kind::FireSmoke => Category::PublicSafety,
            Kind::NoiseExcessive => Category::Environment,
            Kind::DoorOpen | Kind::FacilityTilted => Category::PublicFacilities,
            Kind::PresenceDetected => Category::SocialOrder,
            Kind::CallHelp => Category::Livelihood,
        }
    }

    /// The kind that is written so.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// The eight headings under which grid work is counted. What a site calls them is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// How the city looks (市容环境).
    CityAppearance,
    /// Order in the street (街面秩序).
    StreetOrder,
    /// What the city has put up (公用设施).
    PublicFacilities,
    /// Air, water, noise (生态环境).
    Environment,
    /// Fire, gas, buildings (公共安全).
    PublicSafety,
    /// Crime and disturbance (社会治安).
    SocialOrder,
    /// People at odds (矛盾纠纷).
    Disputes,
    /// Help for residents (民生服务).
    Livelihood,
}

impl Category {
    /// All of them.
    pub const ALL: [Category; 8] = [
        Category::CityAppearance,
        Category::StreetOrder,
        Category::PublicFacilities,
        Category::Environment,
        Category::PublicSafety,
        Category::SocialOrder,
        Category::Disputes,
        Category::Livelihood,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Category::CityAppearance => "city_appearance",
            Category::StreetOrder => "street_order",
            Category::PublicFacilities => "public_facilities",
            Category::Environment => "environment",
            Category::PublicSafety => "public_safety",
            Category::SocialOrder => "social_order",
            Category::Disputes => "disputes",
            Category::Livelihood => "livelihood",
        }
    }

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Category::CityAppearance => "市容环境",
            Category::StreetOrder => "街面秩序",
            Category::PublicFacilities => "公用设施",
            Category::Environment => "生态环境",
            Category::PublicSafety => "公共安全",
            Category::SocialOrder => "社会治安",
            Category::Disputes => "矛盾纠纷",
            Category::Livelihood => "民生服务",
        }
    }

    /// The category that is written so.
    pub fn parse(text: &str) -> Option<Category> {
        Category::ALL.into_iter().find(|c| c.as_str() == text)
    }
}

/// Whether somebody was seen doing it, or the result was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Somebody was seen leaving it, or is at it.
    InProgress,
    /// The result was found.
    FoundAfter,
}
