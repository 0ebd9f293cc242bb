//! Forged traces: somebody with everything but the box's key writes the journal anew, or changes evidence. Nothing forged may be
//! called proven or genuine; what nobody touched must be.

mod evidence;
mod journal;

use anyhow::Result;

use super::row::{Row, Scale};

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    Ok(vec![journal::row(scale)?, evidence::row(scale)?])
}
