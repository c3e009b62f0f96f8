//! The average of the numbers under a window.

use super::axes::Axes;
use super::pooling;
use crate::error::Result;
use crate::module::{Built, Layer, Scope, Spec};
use fb_tensor::{Float, Padding, PoolOptions};
use serde::{Deserialize, Serialize};

/// The average of each channel under a window that moves over `D` axes: [`AvgPool1d`] over time, [`AvgPool2d`] over
/// height and width.
///
/// Windows are side by side unless a stride is given. There is no padding unless told otherwise; it counts as zeros, as in
/// PyTorch, unless [left out](Self::count_padding), as in Keras.
///
/// # Shapes
/// - `x`: `[batch, height, width, channels]`, or `[batch, time, channels]`
/// - returns the same with fewer positions: one for each place of the window
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::AvgPool2d;
/// let network = Sequential::input([28, 28, 8]).layer("pool", AvgPool2d::new([2, 2])).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 14, 14, 8]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    transparent,
    bound(
        serialize = "[usize; D]: Serialize, [(usize, usize); D]: Serialize",
        deserialize = "[usize; D]: Deserialize<'de>, [(usize, usize); D]: Deserialize<'de>"
    )
)]
pub struct AvgPool<const D: usize>(PoolOptions<D>);

/// The average under a window that moves over time.
pub type AvgPool1d = AvgPool<1>;

/// The average under a window that moves over height and width.
pub type AvgPool2d = AvgPool<2>;

impl<const D: usize> AvgPool<D> {
    /// Windows of this size, side by side.
    pub fn new(window: [usize; D]) -> Self {
        Self(PoolOptions::new(window))
    }

    /// How far the window moves from one output to the next.
    #[must_use]
    pub fn stride(self, stride: [usize; D]) -> Self {
        Self(self.0.stride(stride))
    }

    /// How far the window may leave the input.
    #[must_use]
    pub fn padding(self, padding: Padding<D>) -> Self {
        Self(self.0.padding(padding))
    }

    /// Whether padding counts as zeros in the average.
    #[must_use]
    pub fn count_padding(self, count: bool) -> Self {
        Self(self.0.count_include_pad(count))
    }
}

impl Layer for AvgPool<1> {
    const KIND: &'static str = "AvgPool1d";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        pooling::build(scope, Self::KIND, inputs, self.0, Axes::avg_pool)
    }
}

impl Layer for AvgPool<2> {
    const KIND: &'static str = "AvgPool2d";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        pooling::build(scope, Self::KIND, inputs, self.0, Axes::avg_pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;

    #[test]
    fn a_window_must_fit() {
        let error = Sequential::input([3, 8, 2])
            .layer("pool", AvgPool2d::new([4, 2]))
            .build()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(
                "layer \"pool\" (AvgPool2d): expected a window, stride and padding that fit [batch, 3, 8, 2], found "
            ),
            "{error}"
        );
    }
}
