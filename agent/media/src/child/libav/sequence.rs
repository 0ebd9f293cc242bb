//! What the packets of a stream say of how they are to be read: where decoding can begin, and new parameters, in every packing.

use bytes::Bytes;
use ffmpeg_next::Packet;
use ffmpeg_next::packet::side_data::Type;
use kerbside_domain::frame::StreamInfo;

use crate::child::nal::{self, Entry, Family, Packing, ParameterSets};

/// The parameters in force.
pub(super) struct Sequence {
    family: Option<Family>,
    packing: Packing,
    sets: ParameterSets,
}

/// What one packet says.
#[derive(Debug, Default)]
pub(super) struct PacketView {
    pub(super) entry: Option<Entry>,
    /// Packets from this one on need other extradata.
    pub(super) new_extradata: Option<Bytes>,
    /// Extradata that the stream lacked so far: what it says holds for all of it.
    pub(super) late_extradata: Option<Bytes>,
}

impl Sequence {
    pub(super) fn of(info: &StreamInfo) -> Self {
        let family = Family::of(&info.codec);
        let packing = family.map_or(Packing::AnnexB, |family| Packing::of(family, &info.extradata));
        let of_family = |family| ParameterSets::of_extradata(family, &info.extradata);
        Sequence { family, packing, sets: family.map(of_family).unwrap_or_default() }
    }

    /// Takes the padding out of a packet: FFmpeg's parser leaves a zero of the next start code at the end of a picture, and the
    /// camera signed what it sent.
    pub(super) fn strip(&self, packet: &mut Packet) {
        let Some(data) = packet.data().filter(|_| self.family.is_some() && self.packing == Packing::AnnexB) else {
            return;
        };
        let bare = data.len() - nal::trailing_zeros(data);
        if let Some(without) = nal::without_padding(&data[..bare]) {
            packet.shrink(without.len());
            if let Some(data) = packet.data_mut() {
                data.copy_from_slice(&without);
            }
        } else if bare < data.len() {
            packet.shrink(bare);
        }
    }

    /// Reads one packet of the stream `info`.
    pub(super) fn look(&mut self, packet: &Packet, info: &StreamInfo) -> PacketView {
        let beside = packet.side_data().find(|side| side.kind() == Type::NewExtraData);
        let beside = beside.map(|side| Bytes::copy_from_slice(side.data()));
        let mut view = PacketView::default();
        if let Some(extradata) = beside.filter(|extradata| !extradata.is_empty() && *extradata != info.extradata) {
            let stated = StreamInfo { extradata: extradata.clone(), ..info.clone() };
            *self = Sequence::of(&stated);
            view.new_extradata = Some(extradata);
        }
        let Some(family) = self.family else {
            view.entry = packet.is_key().then_some(Entry::Key);
            return view;
        };
        let units = self.packing.units(packet.data().unwrap_or_default());
        view.entry = nal::entry(family, &units, packet.is_key());
        let sets = ParameterSets::of_units(family, &units);
        if sets.is_empty() {
            return view;
        }
        if self.sets.is_empty() {
            view.late_extradata = Some(Bytes::from(sets.extradata(family, self.packing, &info.extradata)));
            self.sets = sets;
        } else if sets.is_new_sequence(family, &self.sets) {
            let before = view.new_extradata.as_ref().unwrap_or(&info.extradata);
            view.new_extradata = Some(Bytes::from(sets.extradata(family, self.packing, before)));
            self.sets = sets;
        }
        view
    }
}
