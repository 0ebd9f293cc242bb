//! Packet ring: the last seconds of a camera, still encoded. Bounded by seconds and bytes; the oldest group of pictures goes first.
