//! Streets in words: scripted frames in, effects out as golden text.

mod always;
mod cameras;
mod dates;
mod found;
mod lives;
mod street;
