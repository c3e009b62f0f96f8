//! The softmax of attention: scores are scaled, and some are left out.

use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::softmax::masked_softmax_row;
use crate::layout::Layout;
use crate::shape::MAX_RANK;
use crate::tensor::Tensor;
use crate::threads::for_each_chunk_mut;

/// Rough cost per element on one core.
const PICOSECONDS: usize = 1000;
/// Elements handed to a thread at a time.
const CHUNK: usize = 16 * 1024;

impl<F: Float> Tensor<F> {
    /// The softmax along the last axis of `scale · x` over the elements that the mask allows (where it is true), in one
    /// pass: what is not allowed gets 0, and so does a whole row of which nothing is.
    ///
    /// # Shapes
    /// - `self`: `[…, n]`
    /// - `mask`: broadcasts to the shape of `self`; everything is allowed if left out
    /// - returns `[…, n]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let scores = Tensor::from([[2.0, 2.0, 9.0], [1.0, 2.0, 3.0]]);
    /// let mask = Tensor::from([[true, true, false], [false, false, false]]);
    /// let p = scores.masked_softmax(0.5, Some(&mask));
    /// assert_eq!(p.to_vec(), [0.5, 0.5, 0.0, 0.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no axis or the mask does not broadcast to the shape.
    #[track_caller]
    #[must_use]
    pub fn masked_softmax(&self, scale: f64, mask: Option<&Tensor<bool>>) -> Self {
        self.try_masked_softmax(scale, mask).or_panic()
    }

    /// [`Tensor::masked_softmax`] for shapes that come from data.
    ///
    /// # Errors
    /// There is no axis or the mask does not broadcast to the shape.
    pub fn try_masked_softmax(&self, scale: f64, mask: Option<&Tensor<bool>>) -> Result<Self> {
        const NAME: &str = "masked_softmax";
        let Some(last) = self.rank().checked_sub(1) else {
            return Err(Error::Axis {
                op: NAME,
                axis: 0,
                shape: self.shape().to_string(),
            });
        };
        let kernels = F::kernels();
        let Some(mask) = mask else {
            return Ok(if scale >= 0.0 {
                (kernels.softmax)(self, last, F::from_f64(scale))
            } else {
                (kernels.softmax)(&self.mul_scalar(scale), last, F::ONE)
            });
        };
        if self.shape().broadcast(mask.shape(), NAME)? != *self.shape() {
            return Err(Error::Shapes {
                op: NAME,
                left: self.shape().to_string(),
                right: mask.shape().to_string(),
                help: "the mask broadcasts to the shape of the scores",
            });
        }
        Ok((kernels.masked_softmax)(self, F::from_f64(scale), mask))
    }
}

/// The mask with whole rows of `width` elements without gaps: stretched along the last axis alone, if need be.
fn with_whole_rows(mask: &Tensor<bool>, width: usize) -> Tensor<bool> {
    let mut shape = *mask.shape();
    match shape.len().checked_sub(1) {
        None => shape = [width].into(),
        Some(last) if shape[last] == width && matches!(mask.strides()[last], 1) => {
            return mask.clone();
        }
        Some(last) => shape = shape.with_extent(last, width),
    }
    mask.expand(shape).contiguous()
}

pub(crate) fn masked_softmax<F: Float>(
    scores: &Tensor<F>,
    factor: F,
    mask: &Tensor<bool>,
) -> Tensor<F> {
    let shape = *scores.shape();
    let width = shape[shape.len() - 1];
    let scores = scores.contiguous();
    let values = scores.as_slice().expect("made contiguous");
    let mask = with_whole_rows(mask, width);
    let of_rows = mask.layout().broadcast_to(shape).without(shape.len() - 1);
    let allowed = mask.storage_slice();
    Tensor::filled_by(shape, |out| {
        if out.is_empty() {
            return;
        }
        let chunk = (CHUNK / width).max(1) * width;
        let cost = out.len() * PICOSECONDS / 1000;
        for_each_chunk_mut(out, chunk, cost, |from, part| {
            let rows = values[from..].chunks_exact(width).enumerate();
            for ((row, scores), out) in rows.zip(part.chunks_exact_mut(width)) {
                let at = position_of_row(&of_rows, from / width + row);
                masked_softmax_row(scores, factor, &allowed[at..at + width], out);
            }
        });
    })
}

/// Where in storage the row of that number, in row-major order, starts.
fn position_of_row(rows: &Layout, mut number: usize) -> usize {
    let mut index = [0; MAX_RANK];
    for (place, &extent) in index.iter_mut().zip(rows.shape.iter()).rev() {
        *place = number % extent;
        number /= extent;
    }
    rows.position(&index[..rows.shape.len()])
}
