//! The affine map of a dense layer, with what often follows it.

use crate::conv;
use crate::element::Float;
use crate::elementwise::UnaryOp;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::gemm::{Finish, MatMut, MatRef, Update};
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
        affine("linear", self, weight, bias, None, None)
    }

    /// `op(x · w + b)`: [`Tensor::linear`] and a function of each element, done while the sums are in the cache.
    ///
    /// ```
    /// use fb_tensor::{Tensor, ops::unary::Relu};
    /// let x = Tensor::from([[1.0, 2.0]]);
    /// let w = Tensor::from([[1.0, -1.0], [1.0, -1.0]]);
    /// assert_eq!(x.linear_then(&w, None, &Relu {}).to_vec(), [3.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn linear_then<Op: UnaryOp>(&self, weight: &Self, bias: Option<&Self>, op: &Op) -> Self {
        let map = Op::loops::<F>().map_in_place;
        let finish = |part: &mut [F], _: usize, _: usize| map(part, op);
        affine("linear_then", self, weight, bias, None, Some(&finish)).or_panic()
    }

    /// [`Tensor::linear`] and what is done to each part of its result.
    pub(crate) fn try_linear_finished(
        &self,
        weight: &Self,
        bias: Option<&Self>,
        finish: Option<conv::Finish<'_, F>>,
    ) -> Result<Self> {
        let Some(finish) = finish else {
            return self.try_linear(weight, bias);
        };
        let finish = |part: &mut [F], _: usize, _: usize| finish(part);
        affine("linear", self, weight, bias, None, Some(&finish))
    }

    /// `x · w + b + residual`: [`Tensor::linear`] at the end of a branch that is added to what it branched off from.
    ///
    /// # Shapes
    /// - as [`Tensor::linear`]; `residual` is shaped as the result
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn linear_add(&self, weight: &Self, bias: Option<&Self>, residual: &Self) -> Self {
        affine("linear_add", self, weight, bias, Some(residual), None).or_panic()
    }
}

/// The product of the last axis with a matrix, each row started from the bias, `finish`ed and added to the residual.
fn affine<F: Float>(
    op: &'static str,
    x: &Tensor<F>,
    weight: &Tensor<F>,
    bias: Option<&Tensor<F>>,
    residual: Option<&Tensor<F>>,
    finish: Option<Finish<'_, F>>,
) -> Result<Tensor<F>> {
    let (Some(&width), &[inputs, outputs]) = (x.dims().last(), weight.dims()) else {
        return Err(misfit(op, x, weight));
    };
    if width != inputs {
        return Err(misfit(op, x, weight));
    }
    if let Some(bias) = bias
        && *bias.shape() != [outputs]
    {
        let (left, right) = (weight.shape().to_string(), bias.shape().to_string());
        return Err(Error::Shapes {
            op,
            left,
            right,
            help: "the bias has one number for each output",
        });
    }
    let shape = x.shape().try_with_extent(x.rank() - 1, outputs)?;
    if let Some(residual) = residual
        && *residual.shape() != shape
    {
        return Err(Error::Shapes {
            op,
            left: shape.to_string(),
            right: residual.shape().to_string(),
            help: "what is added is shaped as the result",
        });
    }
    if runs_backwards(x, 1) || runs_backwards(weight, 2) {
        let (x, weight) = (&forwards(x, 1), &forwards(weight, 2));
        return affine(op, x, weight, bias, residual, finish);
    }
    // Copies and other views are made only where the operands themselves will not do.
    let flat;
    let x = if x.rank() == 2 {
        x
    } else {
        flat = x.as_rows();
        &flat
    };
    let rows = x.dim(0);
    let (mut bias_copy, mut residual_copy) = (None, None);
    let bias = bias.map(|bias| slice_of(bias, &mut bias_copy));
    let residual = residual.map(|residual| slice_of(residual, &mut residual_copy));
    let start = match (bias, residual) {
        (Some(bias), _) => Some(MatRef::repeated(bias, rows)),
        (None, Some(residual)) => Some(MatRef::row_major(residual, rows, outputs)),
        (None, None) => None,
    };
    // The start holds one of the two; the other is added at the end.
    let late = bias.and(residual);
    let add = |part: &mut [F], row: usize, column: usize| {
        let residual = late.unwrap_or_default();
        let residual = &residual[row * outputs + column..][..part.len()];
        part.iter_mut().zip(residual).for_each(|(y, &r)| *y += r);
    };
    let update = Update {
        finish: if late.is_some() { Some(&add) } else { finish },
        ..start.map_or(Update::ASSIGN, Update::from)
    };
    Ok(Tensor::filled_by(shape, |data| {
        weight.as_right_factor(x, update, MatMut::row_major(data, rows, outputs));
    }))
}

/// The elements in row-major order, of a copy if they lie otherwise.
#[inline]
fn slice_of<'a, F: Float>(t: &'a Tensor<F>, copy: &'a mut Option<Tensor<F>>) -> &'a [F] {
    match t.as_slice() {
        Some(values) => values,
        None => copy
            .insert(t.contiguous())
            .as_slice()
            .expect("made contiguous"),
    }
}

#[cold]
fn misfit<F: Float>(op: &'static str, x: &Tensor<F>, weight: &Tensor<F>) -> Error {
    let (left, right) = (x.shape().to_string(), weight.shape().to_string());
    Error::Shapes {
        op,
        left,
        right,
        help: "the last axis of the first meets the first of the [in, out] weight",
    }
}
