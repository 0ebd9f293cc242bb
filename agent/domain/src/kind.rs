//! What a box reports: the kinds of incident, and whether somebody was seen doing it.

use serde::{Deserialize, Serialize};

/// What the box reports. Written on the wire as `stall.occupying`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    #[serde(rename = "stall.occupying")]
    StallOccupying,
    #[serde(rename = "stall.mobile_vendor")]
    StallMobileVendor,
    #[serde(rename = "shopfront.overflow")]
    ShopfrontOverflow,
    #[serde(rename = "waste.exposed")]
    WasteExposed,
    #[serde(rename = "waste.accumulated")]
    WasteAccumulated,
    #[serde(rename = "bin.overflow")]
    BinOverflow,
    #[serde(rename = "pile.goods")]
    PileGoods,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::StallOccupying,
        Kind::StallMobileVendor,
        Kind::ShopfrontOverflow,
        Kind::WasteExposed,
        Kind::WasteAccumulated,
        Kind::BinOverflow,
        Kind::PileGoods,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::StallOccupying => "stall.occupying",
            Kind::StallMobileVendor => "stall.mobile_vendor",
            Kind::ShopfrontOverflow => "shopfront.overflow",
            Kind::WasteExposed => "waste.exposed",
            Kind::WasteAccumulated => "waste.accumulated",
            Kind::BinOverflow => "bin.overflow",
            Kind::PileGoods => "pile.goods",
        }
    }

    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.as_str() == text)
    }
}

/// Whether somebody was seen doing it, or the result was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    InProgress,
    FoundAfter,
}
