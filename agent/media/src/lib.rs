//! Media: cameras through capture children, the packet ring, clips and pictures. FFmpeg and OpenCV are used only here.

#![cfg_attr(not(test), deny(clippy::print_stdout))]

pub mod ring;
pub mod source;
