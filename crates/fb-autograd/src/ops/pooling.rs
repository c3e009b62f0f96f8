//! The largest number and the average of windows.

use super::node::unary;
use crate::var::Var;
use fb_tensor::{Float, MaxOffsets, PoolOptions, Result, Shape, Tensor};

/// Maxima, whose gradients go to where they were found.
#[track_caller]
fn max<F: Float>(
    x: &Var<F>,
    plain: impl FnOnce(&Tensor<F>) -> Tensor<F>,
    with_offsets: impl FnOnce(&Tensor<F>) -> Result<(Tensor<F>, MaxOffsets)>,
) -> Var<F> {
    if !x.requires_grad() {
        return Var::constant(plain(x.tensor()));
    }
    let (output, offsets) = match with_offsets(x.tensor()) {
        Ok(found) => found,
        Err(error) => panic!("{error}"),
    };
    let shape = *x.shape();
    unary(x, output, move |g| offsets.gradient(&g).reshape(shape))
}

/// A shape `[batch, …, channel]` as that of images.
fn images(shape: &Shape) -> Shape {
    let last = shape.len() - 1;
    let positions = shape[1..last].iter().product();
    match shape.len() {
        4 => *shape,
        _ => Shape::from([shape[0], 1, positions, shape[last]]),
    }
}

impl<F: Float> Var<F> {
    /// The largest number of each window of images; see [`Tensor::max_pool2d`]. Of equal ones the first gets the gradient.
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::{PoolOptions, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from_vec(vec![1.0, 3.0, 3.0, 2.0], [1, 2, 2, 1]));
    /// let y = x.max_pool2d(&PoolOptions::new([2, 2]));
    /// assert_eq!(y.sum().backward().get(&x).unwrap().to_vec(), [0.0, 1.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there are not four axes, or the windows do not fit into the images.
    #[track_caller]
    #[must_use]
    pub fn max_pool2d(&self, options: &PoolOptions<2>) -> Self {
        max(
            self,
            |x| x.max_pool2d(options),
            |x| x.try_max_pool2d_with_offsets(options),
        )
    }

    /// The largest number of each window of series; see [`Tensor::max_pool1d`]. Of equal ones the first gets the gradient.
    ///
    /// # Panics
    /// If there are not three axes, or the windows do not fit into the series.
    #[track_caller]
    #[must_use]
    pub fn max_pool1d(&self, options: &PoolOptions<1>) -> Self {
        max(
            self,
            |x| x.max_pool1d(options),
            |x| x.try_max_pool1d_with_offsets(options),
        )
    }

    /// The largest numbers of as many windows of images as wanted; see [`Tensor::adaptive_max_pool2d`].
    ///
    /// # Panics
    /// If there are not four axes, or an image has no pixels.
    #[track_caller]
    #[must_use]
    pub fn adaptive_max_pool2d(&self, outputs: [usize; 2]) -> Self {
        max(
            self,
            |x| x.adaptive_max_pool2d(outputs),
            |x| x.try_adaptive_max_pool2d_with_offsets(outputs),
        )
    }

    /// The largest numbers of as many windows of series as wanted; see [`Tensor::adaptive_max_pool1d`].
    ///
    /// # Panics
    /// If there are not three axes, or a series has no positions.
    #[track_caller]
    #[must_use]
    pub fn adaptive_max_pool1d(&self, outputs: usize) -> Self {
        max(
            self,
            |x| x.adaptive_max_pool1d(outputs),
            |x| x.try_adaptive_max_pool1d_with_offsets(outputs),
        )
    }

    /// The largest number of each channel over all positions; see [`Tensor::global_max_pool`].
    ///
    /// # Panics
    /// If there are fewer than three axes, or no positions.
    #[track_caller]
    #[must_use]
    pub fn global_max_pool(&self) -> Self {
        max(self, Tensor::global_max_pool, |x| {
            x.try_global_max_pool_with_offsets()
        })
    }

    /// The average of each window of images; see [`Tensor::avg_pool2d`].
    ///
    /// # Panics
    /// If there are not four axes, or the windows do not fit into the images.
    #[track_caller]
    #[must_use]
    pub fn avg_pool2d(&self, options: &PoolOptions<2>) -> Self {
        let (output, options, shape) = (self.tensor().avg_pool2d(options), *options, *self.shape());
        unary(self, output, move |g| {
            g.avg_pool2d_gradient(shape, &options)
        })
    }

    /// The average of each window of series; see [`Tensor::avg_pool1d`].
    ///
    /// # Panics
    /// If there are not three axes, or the windows do not fit into the series.
    #[track_caller]
    #[must_use]
    pub fn avg_pool1d(&self, options: &PoolOptions<1>) -> Self {
        let output = self.tensor().avg_pool1d(options);
        let (options, shape) = (options.over_two_axes(), *self.shape());
        unary(self, output, move |g| {
            let gradient = g.unsqueeze(1).avg_pool2d_gradient(images(&shape), &options);
            gradient.reshape(shape)
        })
    }

    /// Averages of as many windows of images as wanted; see [`Tensor::adaptive_avg_pool2d`].
    ///
    /// # Panics
    /// If there are not four axes, or an image has no pixels.
    #[track_caller]
    #[must_use]
    pub fn adaptive_avg_pool2d(&self, outputs: [usize; 2]) -> Self {
        let (output, shape) = (self.tensor().adaptive_avg_pool2d(outputs), *self.shape());
        unary(self, output, move |g| g.adaptive_avg_pool2d_gradient(shape))
    }

    /// Averages of as many windows of series as wanted; see [`Tensor::adaptive_avg_pool1d`].
    ///
    /// # Panics
    /// If there are not three axes, or a series has no positions.
    #[track_caller]
    #[must_use]
    pub fn adaptive_avg_pool1d(&self, outputs: usize) -> Self {
        let (output, shape) = (self.tensor().adaptive_avg_pool1d(outputs), *self.shape());
        unary(self, output, move |g| {
            let gradient = g.unsqueeze(1).adaptive_avg_pool2d_gradient(images(&shape));
            gradient.reshape(shape)
        })
    }

    /// The average of each channel over all positions; see [`Tensor::global_avg_pool`].
    ///
    /// # Panics
    /// If there are fewer than three axes, or no positions.
    #[track_caller]
    #[must_use]
    pub fn global_avg_pool(&self) -> Self {
        let (output, shape) = (self.tensor().global_avg_pool(), *self.shape());
        unary(self, output, move |g| {
            let g = g.unsqueeze(1).unsqueeze(1);
            g.adaptive_avg_pool2d_gradient(images(&shape))
                .reshape(shape)
        })
    }
}
