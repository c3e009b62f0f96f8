//! The largest number under a window.

use super::axes::Axes;
use super::pooling;
use crate::error::Result;
use crate::module::{Built, Layer, Scope, Spec};
use fb_tensor::{Float, Padding, PoolOptions};
use serde::{Deserialize, Serialize};

/// The largest number of each channel under a window that moves over `D` axes: [`MaxPool1d`] over time, [`MaxPool2d`] over
/// height and width.
///
/// Windows are side by side unless a stride is given. Padding is never the largest; there is none unless told otherwise.
///
/// # Shapes
/// - `x`: `[batch, height, width, channels]`, or `[batch, time, channels]`
/// - returns the same with fewer positions: one for each place of the window
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::MaxPool2d;
/// let network = Sequential::input([28, 28, 8]).layer("pool", MaxPool2d::new([2, 2])).build()?;
/// assert_eq!(network.output_spec().to_string(), "[batch, 14, 14, 8]");
/// # Ok::<(), fb_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(
        serialize = "[usize; D]: Serialize, [(usize, usize); D]: Serialize",
        deserialize = "[usize; D]: Deserialize<'de>, [(usize, usize); D]: Deserialize<'de>"
    )
)]
pub struct MaxPool<const D: usize> {
    window: [usize; D],
    stride: [usize; D],
    padding: Padding<D>,
}

/// The largest number under a window that moves over time.
pub type MaxPool1d = MaxPool<1>;

/// The largest number under a window that moves over height and width.
pub type MaxPool2d = MaxPool<2>;

impl<const D: usize> MaxPool<D> {
    /// Windows of this size, side by side.
    pub fn new(window: [usize; D]) -> Self {
        Self {
            window,
            stride: window,
            padding: Padding::Valid,
        }
    }

    /// How far the window moves from one output to the next.
    #[must_use]
    pub fn stride(self, stride: [usize; D]) -> Self {
        Self { stride, ..self }
    }

    /// How far the window may leave the input.
    #[must_use]
    pub fn padding(self, padding: Padding<D>) -> Self {
        Self { padding, ..self }
    }

    fn options(&self) -> PoolOptions<D> {
        PoolOptions::new(self.window)
            .stride(self.stride)
            .padding(self.padding)
    }
}

impl Layer for MaxPool<1> {
    const KIND: &'static str = "MaxPool1d";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        pooling::build(scope, Self::KIND, inputs, self.options(), Axes::max_pool)
    }
}

impl Layer for MaxPool<2> {
    const KIND: &'static str = "MaxPool2d";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        pooling::build(scope, Self::KIND, inputs, self.options(), Axes::max_pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;

    #[test]
    fn a_window_must_fit() {
        let error = Sequential::input([3, 8, 2])
            .layer("pool", MaxPool2d::new([4, 2]))
            .build()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(
                "layer \"pool\" (MaxPool2d): expected a window, stride and padding that fit [batch, 3, 8, 2], found "
            ),
            "{error}"
        );
    }
}
