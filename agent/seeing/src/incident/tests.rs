//! Streets in words: scripted frames in, effects out as golden text.

mod again;
mod always;
mod cameras;
mod dates;
mod due;
mod ended;
mod found;
mod lives;
mod patrol;
mod refusals;
mod sensors;
mod street;
mod sweep;
mod warned;
mod words;
