//! What a convolution is asked for, as values that files can hold.

use serde::{Deserialize, Serialize};

/// How far the ends of each axis are extended with zeros before a window moves over it.
///
/// ```
/// use fb_tensor::Padding;
/// assert_eq!(Padding::both([1, 2]), Padding::Explicit([(1, 1), (2, 2)]));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(
        serialize = "[(usize, usize); D]: Serialize",
        deserialize = "[(usize, usize); D]: Deserialize<'de>"
    )
)]
pub enum Padding<const D: usize> {
    /// Not at all: the window stays inside.
    #[default]
    Valid,
    /// As far as is needed for an output of `⌈input / stride⌉` positions, an odd one at the end. With stride 1 this is
    /// PyTorch's `"same"`, with any stride that of TensorFlow.
    Same,
    /// So many positions before the first and after the last of each axis.
    Explicit([(usize, usize); D]),
}

impl<const D: usize> Padding<D> {
    /// As many positions before as after, for each axis: PyTorch's numbers.
    #[must_use]
    pub const fn both(width: [usize; D]) -> Self {
        let mut pairs = [(0, 0); D];
        let mut axis = 0;
        while axis < D {
            pairs[axis] = (width[axis], width[axis]);
            axis += 1;
        }
        Self::Explicit(pairs)
    }
}

/// Options of a convolution over `D` axes: by default stride 1, no padding, no dilation, one group.
///
/// ```
/// use fb_tensor::{ConvOptions, Padding};
/// let options = ConvOptions::new().stride([2, 2]).padding(Padding::Same).groups(4);
/// assert_eq!((options.stride, options.dilation), ([2, 2], [1, 1]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(
        serialize = "[usize; D]: Serialize, [(usize, usize); D]: Serialize",
        deserialize = "[usize; D]: Deserialize<'de>, [(usize, usize); D]: Deserialize<'de>"
    )
)]
pub struct ConvOptions<const D: usize> {
    /// How far the window moves from one output to the next.
    pub stride: [usize; D],
    /// Zeros around the input.
    pub padding: Padding<D>,
    /// The distance between neighbouring numbers of the kernel.
    pub dilation: [usize; D],
    /// Into how many groups the channels are cut: those of a group see each other only.
    pub groups: usize,
}

impl<const D: usize> ConvOptions<D> {
    /// Stride 1, no padding, no dilation, one group.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stride: [1; D],
            padding: Padding::Valid,
            dilation: [1; D],
            groups: 1,
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

    /// With this dilation.
    #[must_use]
    pub const fn dilation(mut self, dilation: [usize; D]) -> Self {
        self.dilation = dilation;
        self
    }

    /// With so many groups.
    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

impl<const D: usize> Default for ConvOptions<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// Options of a transposed convolution over `D` axes: those of the convolution that it is the transpose of, and the size
/// of its output where that leaves a choice.
///
/// ```
/// use fb_tensor::{ConvTransposeOptions, Padding};
/// let doubling = ConvTransposeOptions::new().stride([2, 2]).padding(Padding::Same);
/// assert_eq!(doubling.output_padding, [0, 0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    bound(
        serialize = "[usize; D]: Serialize, [(usize, usize); D]: Serialize",
        deserialize = "[usize; D]: Deserialize<'de>, [(usize, usize); D]: Deserialize<'de>"
    )
)]
pub struct ConvTransposeOptions<const D: usize> {
    /// How far apart neighbouring inputs are placed in the output.
    pub stride: [usize; D],
    /// What is cut off the ends of the output; [`Padding::Same`] cuts it to `input · stride`.
    pub padding: Padding<D>,
    /// The distance between neighbouring numbers of the kernel.
    pub dilation: [usize; D],
    /// Into how many groups the channels are cut.
    pub groups: usize,
    /// So many positions are added at the end of each axis of the output, fewer than the stride.
    pub output_padding: [usize; D],
}

impl<const D: usize> ConvTransposeOptions<D> {
    /// Stride 1, nothing cut off, no dilation, one group.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            stride: [1; D],
            padding: Padding::Valid,
            dilation: [1; D],
            groups: 1,
            output_padding: [0; D],
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

    /// With this dilation.
    #[must_use]
    pub const fn dilation(mut self, dilation: [usize; D]) -> Self {
        self.dilation = dilation;
        self
    }

    /// With so many groups.
    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// With so many positions added at the end.
    #[must_use]
    pub const fn output_padding(mut self, output_padding: [usize; D]) -> Self {
        self.output_padding = output_padding;
        self
    }

    /// The convolution that this is the transpose of.
    #[must_use]
    pub const fn transposed(&self) -> ConvOptions<D> {
        ConvOptions {
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            groups: self.groups,
        }
    }
}

impl<const D: usize> Default for ConvTransposeOptions<D> {
    fn default() -> Self {
        Self::new()
    }
}
