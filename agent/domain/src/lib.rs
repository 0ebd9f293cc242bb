//! What all of Kerbside speaks of: time, frames and boxes, kinds of incident, reports, readings, evidence.
//!
//! Plain data without I/O. Every other crate may use it; it uses none of them. What a frame goes through, in the order of
//! these modules:
//!
//! | module | from where to where |
//! |---|---|
//! | [`time`] | the only module that reads clocks (invariant 1) |
//! | [`frame`], [`boxes`] | packets and frames from a source; boxes in shares of a picture |
//! | [`camera_state`] | whether a camera can see, and if not, why |
//! | [`detection`], [`model`] | labelled boxes of one frame; the networks that gave them |
//! | [`kind`] | what a box reports, and whether somebody was seen doing it |
//! | [`report`] | a statement about one incident |
//! | [`evidence`] | the files that prove it |
//! | [`patrol`] | the account of a period |
//! | [`case`] | what the centre answers |
//! | [`lang`] | the two languages of texts for people |
//! | [`panics`] | which panics are caught where they happen, and what was running |
//! | [`reading`], [`position`] | sensors; where the box is |
//!
//! What is stored or leaves the box keeps its words: where a name here is newer than the journal's, serde has the old one.

#![cfg_attr(not(test), deny(clippy::print_stdout))]
#![warn(missing_docs)]

pub mod boxes;
pub mod camera_state;
pub mod case;
pub mod detection;
pub mod evidence;
pub mod frame;
pub mod kind;
pub mod lang;
pub mod model;
pub mod panics;
pub mod patrol;
pub mod position;
pub mod reading;
pub mod report;
pub mod time;
