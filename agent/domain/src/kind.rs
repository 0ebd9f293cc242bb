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
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] = [
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
        }
    }

    /// The kind that is written so.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.as_str() == text)
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
