//! Normalisation of each row of the last axis.

use super::{NormGradients, PICOSECONDS, added_to, factors, last_extent, rows_per_part};
use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::kernels::norm::{self as kernel, KEPT};
use crate::tensor::Tensor;
use crate::threads::for_each_part_mut;

/// Normalisation of each row by its own statistics: layer norm, or root-mean-square norm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowNorm {
    /// The method's name, for errors.
    pub op: &'static str,
    /// Whether the mean is taken away (layer norm).
    pub centred: bool,
    /// Added to the variance or mean square, ε.
    pub epsilon: f64,
}

/// A normalised tensor and what its gradient needs.
#[derive(Clone, Debug)]
pub struct RowNormed<F: Float> {
    /// What was normalised: the input without gaps, or its sum with the residual.
    pub input: Tensor<F>,
    /// The result.
    pub output: Tensor<F>,
    /// For each row the mean, what it lacks by rounding, and `1 / √(variance + ε)`.
    pub statistics: Tensor<F>,
}

impl RowNorm {
    /// Layer norm.
    pub fn layer(epsilon: f64) -> Self {
        Self {
            op: "layer_norm",
            centred: true,
            epsilon,
        }
    }

    /// Layer norm of a sum.
    pub fn add_layer(epsilon: f64) -> Self {
        Self {
            op: "add_layer_norm",
            ..Self::layer(epsilon)
        }
    }

    /// Root-mean-square norm.
    pub fn root_mean_square(epsilon: f64) -> Self {
        Self {
            op: "rms_norm",
            centred: false,
            epsilon,
        }
    }

    /// Normalises `input`, or its sum with `residual`, computed in the same pass.
    ///
    /// # Errors
    /// The shapes do not fit.
    pub fn forward<F: Float>(
        &self,
        input: &Tensor<F>,
        residual: Option<&Tensor<F>>,
        weight: Option<&Tensor<F>>,
        bias: Option<&Tensor<F>>,
    ) -> Result<RowNormed<F>> {
        (F::kernels().row_norm)(self, input, residual, weight, bias)
    }

    /// The gradients, given that of the output. That by the input is added to `arrived`, in place if nothing shares it.
    ///
    /// # Panics
    /// If `forward` did not make `normed` with these settings and this weight.
    #[must_use]
    pub fn backward<F: Float>(
        &self,
        input: &Tensor<F>,
        statistics: &Tensor<F>,
        weight: Option<&Tensor<F>>,
        gradient: &Tensor<F>,
        arrived: Option<Tensor<F>>,
    ) -> NormGradients<F> {
        (F::kernels().row_norm_backward)(self, input, statistics, weight, gradient, arrived)
    }
}

pub(crate) fn forward<F: Float>(
    norm: &RowNorm,
    input: &Tensor<F>,
    residual: Option<&Tensor<F>>,
    weight: Option<&Tensor<F>>,
    bias: Option<&Tensor<F>>,
) -> Result<RowNormed<F>> {
    let width = last_extent(norm.op, input)?;
    let weight = factors(norm.op, input, weight, width, F::ONE)?;
    let bias = factors(norm.op, input, bias, width, F::ZERO)?;
    if let Some(residual) = residual.filter(|residual| residual.shape() != input.shape()) {
        return Err(Error::Shapes {
            op: norm.op,
            left: input.shape().to_string(),
            right: residual.shape().to_string(),
            help: "what is added has the same shape",
        });
    }
    let shape = *input.shape();
    let input = input.contiguous();
    let rows = input.len().checked_div(width).unwrap_or(0);
    let per_part = rows_per_part(width);
    let parts = rows.div_ceil(per_part);
    let starts = |size: usize| move |part: usize| (part * per_part).min(rows) * size;
    let (by_element, by_row) = (starts(width), starts(KEPT));
    let cost = input.len() * PICOSECONDS / 1000;
    let x = input.as_slice().expect("made contiguous");
    let w = weight.as_slice().expect("made contiguous");
    let b = bias.as_slice().expect("made contiguous");
    let mut statistics = Tensor::filled_by([rows, KEPT], |_| {});
    let kept = statistics.make_mut();
    let (centred, epsilon) = (norm.centred, norm.epsilon);
    let Some(residual) = residual else {
        let output = Tensor::filled_by(shape, |out| {
            for_each_part_mut(
                [out, kept],
                parts,
                cost,
                |part| [by_element(part), by_row(part)],
                |part, [out, kept]| {
                    let x = &x[by_element(part)..][..out.len()];
                    kernel::normalise_rows(x, w, b, centred, epsilon, out, kept);
                },
            );
        });
        return Ok(RowNormed {
            input,
            output,
            statistics,
        });
    };
    let residual = residual.contiguous();
    let r = residual.as_slice().expect("made contiguous");
    let mut output = Tensor::filled_by(shape, |_| {});
    let out = output.make_mut();
    let input = Tensor::filled_by(shape, |sum| {
        for_each_part_mut(
            [sum, out, kept],
            parts,
            cost,
            |part| [by_element(part), by_element(part), by_row(part)],
            |part, [sum, out, kept]| {
                let from = by_element(part);
                let (x, r) = (&x[from..][..out.len()], &r[from..][..out.len()]);
                let outputs = [sum, out];
                kernel::add_and_normalise_rows([x, r], w, b, centred, epsilon, outputs, kept);
            },
        );
    });
    Ok(RowNormed {
        input,
        output,
        statistics,
    })
}

pub(crate) fn backward<F: Float>(
    norm: &RowNorm,
    input: &Tensor<F>,
    statistics: &Tensor<F>,
    weight: Option<&Tensor<F>>,
    gradient: &Tensor<F>,
    arrived: Option<Tensor<F>>,
) -> NormGradients<F> {
    let width = last_extent(norm.op, input).or_panic();
    let weight = factors(norm.op, input, weight, width, F::ONE).or_panic();
    assert!(
        gradient.shape() == input.shape() && statistics.len() * width == KEPT * input.len(),
        "{}: the gradient has shape {}, the input {}",
        norm.op,
        gradient.shape(),
        input.shape()
    );
    let (input, statistics) = (input.contiguous(), statistics.contiguous());
    let gradient = gradient.contiguous();
    let rows = input.len().checked_div(width).unwrap_or(0);
    let per_part = rows_per_part(width);
    let parts = rows.div_ceil(per_part);
    let start = |part: usize| (part * per_part).min(rows);
    let x = input.as_slice().expect("made contiguous");
    let kept = statistics.as_slice().expect("made contiguous");
    let w = weight.as_slice().expect("made contiguous");
    let g = gradient.as_slice().expect("made contiguous");
    let mut sums = Tensor::zeros_of([parts, 2, width]);
    let sums_of_parts = sums.make_mut();
    let by_input = added_to(arrived, &input, |out, fresh| {
        for_each_part_mut(
            [out, sums_of_parts],
            parts,
            2 * input.len() * PICOSECONDS / 1000,
            |part| [start(part) * width, part * 2 * width],
            |part, [out, sums]| {
                let elements = start(part) * width..start(part + 1) * width;
                let kept = &kept[start(part) * KEPT..start(part + 1) * KEPT];
                let inputs = [&x[elements.clone()], &g[elements]];
                let sums = sums.split_at_mut(width);
                let sums = [sums.0, sums.1];
                kernel::rows_backward(inputs, kept, w, norm.centred, fresh, out, sums);
            },
        );
    });
    let sums = sums.sum_axes(&[0], false);
    NormGradients {
        input: by_input,
        weight: sums.index_axis(0, 0),
        bias: sums.index_axis(0, 1),
    }
}

impl<F: Float> Tensor<F> {
    /// Layer normalisation of the last axis: `(x − mean) / √(variance + ε) · weight + bias`, with the mean and the
    /// variance (of the elements themselves, divided by their number) of each row.
    ///
    /// # Shapes
    /// - `self`: `[…, width]`
    /// - `weight`, `bias`: `[width]`; 1 and 0 if left out
    /// - returns `[…, width]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([[1.0_f64, 3.0], [-20.0, 20.0]]);
    /// assert_eq!(x.layer_norm(None, None, 0.0).to_vec(), [-1.0, 1.0, -1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no axis or the shapes do not fit.
    ///
    /// # References
    /// J. Ba, J. Kiros, G. Hinton, "Layer normalization", 2016, equation 4.
    #[track_caller]
    #[must_use]
    pub fn layer_norm(&self, weight: Option<&Self>, bias: Option<&Self>, epsilon: f64) -> Self {
        let normed = RowNorm::layer(epsilon).forward(self, None, weight, bias);
        normed.or_panic().output
    }

    /// Root-mean-square normalisation of the last axis: `x / √(mean(x²) + ε) · weight`.
    ///
    /// # Shapes
    /// - `self`: `[…, width]`
    /// - `weight`: `[width]`; 1 if left out
    /// - returns `[…, width]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let x = Tensor::from([[-2.0_f64, 2.0]]);
    /// assert_eq!(x.rms_norm(Some(&Tensor::from([5.0, 10.0])), 0.0).to_vec(), [-5.0, 10.0]);
    /// ```
    ///
    /// # Panics
    /// If there is no axis or the shapes do not fit.
    ///
    /// # References
    /// B. Zhang, R. Sennrich, "Root mean square layer normalization", 2019, equation 4.
    #[track_caller]
    #[must_use]
    pub fn rms_norm(&self, weight: Option<&Self>, epsilon: f64) -> Self {
        let normed = RowNorm::root_mean_square(epsilon).forward(self, None, weight, None);
        normed.or_panic().output
    }

    /// `x + residual` and the [`layer_norm`](Tensor::layer_norm) of that, in one pass: what stands between two blocks of
    /// a transformer.
    ///
    /// # Shapes
    /// - `self`, `residual`: `[…, width]`
    /// - `weight`, `bias`: `[width]`; 1 and 0 if left out
    /// - returns the sum and its normalisation, both `[…, width]`
    ///
    /// # Panics
    /// If there is no axis or the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn add_layer_norm(
        &self,
        residual: &Self,
        weight: Option<&Self>,
        bias: Option<&Self>,
        epsilon: f64,
    ) -> (Self, Self) {
        let normed = RowNorm::add_layer(epsilon).forward(self, Some(residual), weight, bias);
        let normed = normed.or_panic();
        (normed.input, normed.output)
    }
}
