//! Each channel of an image under filters of its own.

use super::axes;
use super::{Activation, Conv2d};
use crate::error::Result;
use crate::init::Initializer;
use crate::module::{Built, Layer, Scope, Spec};
use fb_tensor::{Float, Padding};
use serde::{Deserialize, Serialize};

/// A convolution over height and width in which each channel is seen by filters of its own only: a
/// [`Conv2d`](super::Conv2d) with as many groups as channels.
///
/// With a 1×1 [`Conv2d`](super::Conv2d) after it, it is a separable convolution. Feedback joins the sum before the
/// activation.
///
/// # Shapes
/// - `x`: `[batch, height, width, channels]`
/// - `weight`: `[kernel height, kernel width, 1, channels · multiplier]`; `bias`: `[channels · multiplier]`
/// - returns `[batch, height, width, channels · multiplier]`, the filters of a channel side by side
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{Conv2d, DepthwiseConv2d};
/// let network = Sequential::input([9, 9, 8])
///     .layer("depthwise", DepthwiseConv2d::new([3, 3]).same())
///     .layer("pointwise", Conv2d::new(16, [1, 1]))
///     .build()?;
/// assert_eq!(network.params().elements(), 3 * 3 * 8 + 8 + 8 * 16 + 16);
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// A. Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DepthwiseConv2d(
    /// The filters are those of a channel, the groups are set when the channels are known.
    Conv2d,
);

impl DepthwiseConv2d {
    /// One filter a channel with a kernel of this size, a bias, and no activation.
    pub fn new(kernel: [usize; 2]) -> Self {
        Self(Conv2d::new(1, kernel))
    }

    /// So many filters a channel.
    #[must_use]
    pub fn multiplier(self, filters: usize) -> Self {
        Self(self.0.filters(filters))
    }

    /// How far the kernel moves from one output to the next.
    #[must_use]
    pub fn stride(self, stride: [usize; 2]) -> Self {
        Self(self.0.stride(stride))
    }

    /// Zeros around the input.
    #[must_use]
    pub fn padding(self, padding: Padding<2>) -> Self {
        Self(self.0.padding(padding))
    }

    /// Zeros around the input so that there are as many outputs as inputs, or as many as strides fit.
    #[must_use]
    pub fn same(self) -> Self {
        Self(self.0.same())
    }

    /// The distance between neighbouring numbers of the kernel.
    #[must_use]
    pub fn dilation(self, dilation: [usize; 2]) -> Self {
        Self(self.0.dilation(dilation))
    }

    /// The nonlinearity.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        Self(self.0.activation(activation))
    }

    /// Whether there is a bias.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self(self.0.bias(bias))
    }

    /// Where the weights start.
    #[must_use]
    pub fn weight_init(self, weight_init: Initializer) -> Self {
        Self(self.0.weight_init(weight_init))
    }
}

impl Layer for DepthwiseConv2d {
    const KIND: &'static str = "DepthwiseConv2d";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        let (_, channels) = axes::input::<F, 2>(scope, Self::KIND, inputs)?;
        if self.0.group_count() != 1 {
            return Err(scope.error(
                Self::KIND,
                "1 group in its options",
                self.0.group_count().to_string(),
                "each channel becomes a group when it is built; for other groups use Conv2d",
            ));
        }
        self.0
            .of_each_channel(channels)
            .build_as(scope, Self::KIND, inputs)
    }
}
