//! What several examples share.
#![forbid(unsafe_code)]

mod control;
mod effort;
mod output;
mod spread;
mod table;

pub use control::{dense_multiply_adds, dense_parameters, nearest_width};
pub use effort::Effort;
pub use output::folder;
pub use spread::Spread;
pub use table::Table;
