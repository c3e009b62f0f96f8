//! Through which iterations of a loop the gradient flows.

mod bptt;

pub use bptt::Bptt;

use std::fmt::Debug;

/// A choice of the iterations whose computation is recorded, and so differentiated.
pub trait GradientStrategy: Debug + Send + Sync {
    /// The name of the kind, as it is reported.
    fn kind(&self) -> &'static str;

    /// Whether iteration `iteration` of `total` (from 1) is recorded. The others run on constants.
    fn records(&self, iteration: usize, total: usize) -> bool;
}
