//! The affine map of a dense layer.

use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::gemm::MatMut;
use crate::linalg::{forwards, runs_backwards};
use crate::tensor::Tensor;

impl<F: Float> Tensor<F> {
    /// The affine map `x · w + b` of the last axis: a product whose rows start from the bias.
    ///
    /// # Shapes
    /// - `self`: `[…, in]`
    /// - `weight`: `[in, out]`
    /// - `bias`: `[out]`
    /// - returns `[…, out]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([[1.0, 2.0]]);
    /// let w = Tensor::from([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]);
    /// let b = Tensor::from([0.5, 0.5, 0.5]);
    /// assert_eq!(x.linear(&w, Some(&b)).to_vec(), [1.5, 2.5, 3.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn linear(&self, weight: &Self, bias: Option<&Self>) -> Self {
        self.try_linear(weight, bias).or_panic()
    }

    /// [`Tensor::linear`] for shapes that come from data.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn try_linear(&self, weight: &Self, bias: Option<&Self>) -> Result<Self> {
        let (Some(&width), &[inputs, outputs]) = (self.dims().last(), weight.dims()) else {
            return Err(misfit(self, weight));
        };
        if width != inputs {
            return Err(misfit(self, weight));
        }
        if let Some(bias) = bias
            && *bias.shape() != [outputs]
        {
            let (left, right) = (weight.shape().to_string(), bias.shape().to_string());
            return Err(Error::Shapes {
                op: "linear",
                left,
                right,
                help: "the bias has one number for each output",
            });
        }
        if runs_backwards(self, 1) || runs_backwards(weight, 2) {
            return forwards(self, 1).try_linear(&forwards(weight, 2), bias);
        }
        if self.rank() != 2 {
            let rows = self.as_rows();
            let shape = self.shape().try_with_extent(self.rank() - 1, outputs)?;
            return Ok(affine(&rows, weight, bias, outputs).reshape(shape));
        }
        Ok(affine(self, weight, bias, outputs))
    }
}

/// The product of two matrices, each row started from the bias.
fn affine<F: Float>(
    x: &Tensor<F>,
    weight: &Tensor<F>,
    bias: Option<&Tensor<F>>,
    outputs: usize,
) -> Tensor<F> {
    let rows = x.dim(0);
    Tensor::filled_by([rows, outputs], |data| {
        if let Some(bias) = bias {
            start_rows(data, bias);
        }
        let out = MatMut {
            data,
            rows,
            columns: outputs,
        };
        (F::kernels().product)(F::ONE, x.matrix(0), weight.matrix(0), bias.is_some(), out);
    })
}

/// Copies the bias into every row.
fn start_rows<F: Float>(data: &mut [F], bias: &Tensor<F>) {
    let Some(values) = bias.as_slice() else {
        return start_rows(data, &bias.contiguous());
    };
    if !values.is_empty() {
        data.chunks_exact_mut(values.len())
            .for_each(|row| row.copy_from_slice(values));
    }
}

#[cold]
fn misfit<F: Float>(x: &Tensor<F>, weight: &Tensor<F>) -> Error {
    let (left, right) = (x.shape().to_string(), weight.shape().to_string());
    Error::Shapes {
        op: "linear",
        left,
        right,
        help: "the last axis of the first meets the first of the [in, out] weight",
    }
}
