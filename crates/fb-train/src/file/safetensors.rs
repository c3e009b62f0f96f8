//! The safetensors format, the only place that names its library.

mod parse;
mod write;

pub(super) use parse::{Contents, parse};
pub(crate) use write::Layout;

/// The library refuses longer headers, so we do not write them.
const LONGEST_HEADER: usize = 100_000_000;

/// The name under which the format keeps metadata.
const METADATA: &str = "__metadata__";
