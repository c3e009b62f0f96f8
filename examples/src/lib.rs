//! What several examples share.
#![forbid(unsafe_code)]

mod output;

pub use output::folder;
