//! Images of another size: the nearest pixel, or a mixture of the four around.

use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::resize::{self as kernel, Axis, Row, Sampling};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::threads;

/// Numbers that one core makes in a nanosecond, roughly.
const NUMBERS_PER_NS: usize = 2;
/// Bytes in a piece of work.
const PIECE_BYTES: usize = 128 << 10;

/// The sizes of a resize.
pub(crate) struct Resize {
    batch: usize,
    axes: [Axis; 2],
    channels: usize,
}

impl Resize {
    fn new(
        op: &'static str,
        shape: &Shape,
        outputs: [usize; 2],
        sampling: Sampling,
    ) -> Result<Self> {
        let wrong = |what: &str| Error::Argument {
            op,
            what: format!("{what}; the input is {shape}, the size {outputs:?}"),
        };
        let &[batch, height, width, channels] = &shape[..] else {
            return Err(wrong("images are [batch, height, width, channel]"));
        };
        let axis = |input: usize, output: usize| {
            if input == 0 && output > 0 {
                return Err(wrong("there are no pixels to make an image of"));
            }
            if input.checked_mul(output).is_none() {
                return Err(wrong("an image of this size does not fit in memory"));
            }
            Ok(Axis {
                input,
                output,
                sampling,
            })
        };
        let resize = Self {
            batch,
            axes: [axis(height, outputs[0])?, axis(width, outputs[1])?],
            channels,
        };
        Shape::try_new(&resize.output())?;
        Ok(resize)
    }

    fn input(&self) -> [usize; 4] {
        let [rows, columns] = &self.axes;
        [self.batch, rows.input, columns.input, self.channels]
    }

    fn output(&self) -> [usize; 4] {
        let [rows, columns] = &self.axes;
        [self.batch, rows.output, columns.output, self.channels]
    }

    /// Elements of an image of the input.
    fn image(&self) -> usize {
        self.input()[1..].iter().product()
    }

    /// Elements of a row of the output.
    fn line(&self) -> usize {
        self.axes[1].output * self.channels
    }

    fn row(&self, output: usize) -> Row<'_> {
        Row {
            sample: self.axes[0].sample(output),
            columns: &self.axes[1],
            channels: self.channels,
        }
    }

    fn cost(&self) -> usize {
        self.output().iter().product::<usize>() / NUMBERS_PER_NS
    }
}

/// The loops, compiled once for each type.
pub(crate) struct ResizeLoops<F: Float> {
    resize: fn(&Resize, &Tensor<F>) -> Tensor<F>,
    back: fn(&Resize, &Tensor<F>) -> Tensor<F>,
}

impl<F: Float> ResizeLoops<F> {
    pub(crate) const fn new() -> Self {
        Self { resize, back }
    }
}

fn resize<F: Float>(sizes: &Resize, x: &Tensor<F>) -> Tensor<F> {
    let x = x.contiguous();
    let x = x.as_slice().expect("made contiguous");
    let (line, lines, image) = (sizes.line(), sizes.axes[0].output, sizes.image());
    Tensor::filled_by(sizes.output(), |out| {
        let rows = (PIECE_BYTES / size_of::<F>() / line.max(1)).max(1);
        threads::for_each_chunk_mut(out, rows * line, sizes.cost(), |start, part| {
            for (k, out) in (start / line..).zip(part.chunks_exact_mut(line)) {
                let (n, i) = (k / lines, k % lines);
                kernel::row(&x[n * image..][..image], sizes.row(i), out);
            }
        });
    })
}

fn back<F: Float>(sizes: &Resize, gradient: &Tensor<F>) -> Tensor<F> {
    let gradient = gradient.contiguous();
    let gradient = gradient.as_slice().expect("made contiguous");
    let (line, lines, image) = (sizes.line(), sizes.axes[0].output, sizes.image());
    Tensor::filled_by(sizes.input(), |out| {
        threads::for_each_chunk_mut(out, image, sizes.cost(), |start, out| {
            out.fill(F::ZERO);
            for i in 0..lines {
                let gradient = &gradient[(start / image * lines + i) * line..][..line];
                kernel::row_back(gradient, sizes.row(i), out);
            }
        });
    })
}

impl<F: Float> Tensor<F> {
    /// Images of another size, each pixel the one at `⌊i·input / output⌋` (PyTorch's `"nearest"`).
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channel]`
    /// - returns `[batch, size[0], size[1], channel]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let image = Tensor::from_vec(vec![1.0, 2.0], [1, 1, 2, 1]);
    /// assert_eq!(image.resize_nearest([1, 4]).to_vec(), [1.0, 1.0, 2.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not four axes, or there are no pixels.
    #[track_caller]
    #[must_use]
    pub fn resize_nearest(&self, size: [usize; 2]) -> Self {
        self.try_resize_nearest(size).or_panic()
    }

    /// [`Tensor::resize_nearest`] for sizes that come from data.
    ///
    /// # Errors
    /// There are not four axes, or there are no pixels.
    pub fn try_resize_nearest(&self, size: [usize; 2]) -> Result<Self> {
        let sizes = Resize::new("resize_nearest", self.shape(), size, Sampling::Nearest)?;
        Ok((F::kernels().resize.resize)(&sizes, self))
    }

    /// The gradient of the input of [`Tensor::resize_nearest`]: `self` is that of the output.
    ///
    /// # Panics
    /// If the shapes are not those of a resize.
    #[track_caller]
    #[must_use]
    pub fn resize_nearest_gradient(&self, input: Shape) -> Self {
        gradient("resize_nearest_gradient", self, input, Sampling::Nearest).or_panic()
    }

    /// Images of another size, each pixel a mixture of the four around it.
    ///
    /// With `align_corners` the outermost pixels keep their centres: output `i` is at `i·(input − 1) / (output − 1)`. Without
    /// it the outer edges stay: at `(i + ½)·input / output − ½`, kept inside. Both as in PyTorch, whose default is the second.
    ///
    /// # Shapes
    /// - `self`: `[batch, height, width, channel]`
    /// - returns `[batch, size[0], size[1], channel]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let image = Tensor::from_vec(vec![0.0, 4.0], [1, 1, 2, 1]);
    /// assert_eq!(image.resize_bilinear([1, 5], true).to_vec(), [0.0, 1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(image.resize_bilinear([1, 4], false).to_vec(), [0.0, 1.0, 3.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not four axes, or there are no pixels.
    #[track_caller]
    #[must_use]
    pub fn resize_bilinear(&self, size: [usize; 2], align_corners: bool) -> Self {
        self.try_resize_bilinear(size, align_corners).or_panic()
    }

    /// [`Tensor::resize_bilinear`] for sizes that come from data.
    ///
    /// # Errors
    /// There are not four axes, or there are no pixels.
    pub fn try_resize_bilinear(&self, size: [usize; 2], align_corners: bool) -> Result<Self> {
        let sampling = Sampling::Bilinear { align_corners };
        let sizes = Resize::new("resize_bilinear", self.shape(), size, sampling)?;
        Ok((F::kernels().resize.resize)(&sizes, self))
    }

    /// The gradient of the input of [`Tensor::resize_bilinear`]: `self` is that of the output.
    ///
    /// # Panics
    /// If the shapes are not those of a resize.
    #[track_caller]
    #[must_use]
    pub fn resize_bilinear_gradient(&self, input: Shape, align_corners: bool) -> Self {
        let sampling = Sampling::Bilinear { align_corners };
        gradient("resize_bilinear_gradient", self, input, sampling).or_panic()
    }
}

fn gradient<F: Float>(
    op: &'static str,
    gradient: &Tensor<F>,
    input: Shape,
    sampling: Sampling,
) -> Result<Tensor<F>> {
    let misfit = || Error::Shapes {
        op,
        left: gradient.shape().to_string(),
        right: input.to_string(),
        help: "the gradient has the batch and the channels of the input",
    };
    let &[batch, height, width, channels] = gradient.dims() else {
        return Err(misfit());
    };
    let sizes = Resize::new(op, &input, [height, width], sampling)?;
    if (sizes.batch, sizes.channels) != (batch, channels) {
        return Err(misfit());
    }
    Ok((F::kernels().resize.back)(&sizes, gradient))
}
