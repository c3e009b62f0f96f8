//! The whole loop.

use super::GradientStrategy;
use fb_tensor::Float;

/// Backpropagation through time: the gradient flows through every iteration. Exact; memory grows with the iterations.
///
/// # References
/// P. Werbos, "Backpropagation through time: what it does and how to do it", Proc. IEEE 78(10), 1990.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bptt;

impl<F: Float> GradientStrategy<F> for Bptt {
    fn kind(&self) -> &'static str {
        "Bptt"
    }
}
