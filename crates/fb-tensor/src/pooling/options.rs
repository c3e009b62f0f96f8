//! What pooling is asked for, as a value that files can hold.

use crate::conv::Padding;
use serde::{Deserialize, Serialize};

/// Options of pooling over `D` axes: by default windows side by side, without padding.
///
/// ```
/// use fb_tensor::{Padding, PoolOptions};
/// let halving = PoolOptions::new([2, 2]);
/// assert_eq!(halving.stride, [2, 2]);
/// let smoothing = PoolOptions::new([3, 3]).stride([1, 1]).padding(Padding::Same);
/// assert!(smoothing.count_include_pad);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(
        serialize = "[usize; D]: Serialize, [(usize, usize); D]: Serialize",
        deserialize = "[usize; D]: Deserialize<'de>, [(usize, usize); D]: Deserialize<'de>"
    )
)]
pub struct PoolOptions<const D: usize> {
    /// Positions of a window.
    pub window: [usize; D],
    /// How far the window moves from one output to the next.
    pub stride: [usize; D],
    /// How far the window may leave the input; less than the window on each side.
    pub padding: Padding<D>,
    /// Whether an average counts padding as zeros (PyTorch's default) or leaves it out (as TensorFlow does). A maximum
    /// always leaves it out.
    pub count_include_pad: bool,
}

impl<const D: usize> PoolOptions<D> {
    /// Windows of this size side by side, without padding.
    #[must_use]
    pub const fn new(window: [usize; D]) -> Self {
        Self {
            window,
            stride: window,
            padding: Padding::Valid,
            count_include_pad: true,
        }
    }

    /// With this stride.
    #[must_use]
    pub const fn stride(mut self, stride: [usize; D]) -> Self {
        self.stride = stride;
        self
    }

    /// With this padding.
    #[must_use]
    pub const fn padding(mut self, padding: Padding<D>) -> Self {
        self.padding = padding;
        self
    }

    /// With or without padding in averages.
    #[must_use]
    pub const fn count_include_pad(mut self, count: bool) -> Self {
        self.count_include_pad = count;
        self
    }
}

impl PoolOptions<1> {
    /// The same for images that have one row.
    #[must_use]
    pub fn over_two_axes(&self) -> PoolOptions<2> {
        PoolOptions {
            window: [1, self.window[0]],
            stride: [1, self.stride[0]],
            padding: self.padding.over_two_axes(),
            count_include_pad: self.count_include_pad,
        }
    }
}
