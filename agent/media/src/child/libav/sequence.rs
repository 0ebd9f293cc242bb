//! What the packets of a stream say of how they are to be read: where decoding can begin, and new parameters, in every packing.

use bytes::Bytes;
use ffmpeg_next::Packet;
use ffmpeg_next::packet::side_data::Type;
use kerbside_domain::frame::{StreamInfo, Turn};

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
    /// How pictures from here on must be turned, where the stream says so.
    pub(super) turn: Option<Turn>,
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
        let Some(data) = packet.data().filter(|_| self.family.is_some() && self.packing == Packing::AnnexB)
        else {
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
        if let Some(extradata) =
            beside.filter(|extradata| !extradata.is_empty() && *extradata != info.extradata)
        {
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
        view.turn = nal::turn(family, &units);
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

#[cfg(test)]
mod tests {
    use ffmpeg_next::packet::Flags;

    use super::*;

    fn info(codec: &str, extradata: &[u8]) -> StreamInfo {
        StreamInfo {
            epoch: 1,
            codec: codec.into(),
            width: 640,
            height: 360,
            turn: Turn::NONE,
            time_base: (1, 1000),
            fps: 10.0,
            extradata: Bytes::copy_from_slice(extradata),
        }
    }

    fn key(data: &[u8]) -> Packet {
        let mut packet = Packet::copy(data);
        packet.set_flags(Flags::KEY);
        packet
    }

    const AVCC: [u8; 18] =
        [1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 5, 0x67, 0x42, 0xc0, 0x1e, 7, 1, 0, 2, 0x68, 3];

    #[test]
    fn parameters_inside_a_stream_of_lengths_are_seen_and_keep_the_packing() {
        let info = info("h264", &AVCC);
        let mut sequence = Sequence::of(&info);
        let idr = [0, 0, 0, 2, 0x65, 1];
        assert!(sequence.look(&key(&idr), &info).new_extradata.is_none());
        let same = [&[0, 0, 0, 5, 0x67, 0x42, 0xc0, 0x1e, 7][..], &idr].concat();
        assert!(sequence.look(&key(&same), &info).new_extradata.is_none(), "a repeated set is no news");
        let other = [&[0, 0, 0, 5, 0x67, 0x64, 0, 0x28, 9, 0, 0, 0, 2, 0x68, 4][..], &idr].concat();
        let view = sequence.look(&key(&other), &info);
        let extradata = view.new_extradata.unwrap();
        assert_eq!(
            extradata[..],
            [1, 0x64, 0, 0x28, 0xff, 0xe1, 0, 5, 0x67, 0x64, 0, 0x28, 9, 1, 0, 2, 0x68, 4]
        );
        assert_eq!(view.entry, Some(Entry::Key));
    }

    #[test]
    fn parameters_of_a_byte_stream_are_late_first_and_new_when_they_change() {
        let mut info = info("hevc", &[]);
        let mut sequence = Sequence::of(&info);
        let unit = |sps: u8| [&[0, 0, 0, 1, 33 << 1, 1, sps][..], &[0, 0, 1, 19 << 1, 1, 5]].concat();
        let view = sequence.look(&key(&unit(7)), &info);
        info.extradata = view.late_extradata.unwrap();
        assert_eq!(info.extradata[..], [0, 0, 0, 1, 33 << 1, 1, 7]);
        assert!(sequence.look(&key(&unit(7)), &info).new_extradata.is_none());
        assert_eq!(
            sequence.look(&key(&unit(8)), &info).new_extradata.unwrap()[..],
            [0, 0, 0, 1, 33 << 1, 1, 8]
        );
    }

    #[test]
    fn padding_goes_from_byte_streams_and_stays_where_lengths_count() {
        let stripped = |codec: &str, extradata: &[u8], data: &[u8]| {
            let mut packet = key(data);
            Sequence::of(&info(codec, extradata)).strip(&mut packet);
            packet.data().unwrap_or_default().to_vec()
        };
        let unit = [0, 0, 0, 1, 19 << 1, 1, 5, 0];
        assert_eq!(stripped("hevc", &[], &unit), unit[..7]);
        let padded = [0, 0, 0, 1, 0x68, 3, 0, 0, 0, 0, 1, 0x65, 9, 0];
        assert_eq!(stripped("h264", &[], &padded), [0, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 9]);
        assert_eq!(stripped("h264", &AVCC, &[0, 0, 0, 2, 0x65, 0]), [0, 0, 0, 2, 0x65, 0]);
        assert_eq!(stripped("mjpeg", &[], &[1, 0, 0]), [1, 0, 0]);
    }
}
