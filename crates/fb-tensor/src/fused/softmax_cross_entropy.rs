//! The loss of classifiers.

use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::index::check_indices;
use crate::kernels::softmax::cross_entropy;
use crate::tensor::Tensor;

impl<F: Float> Tensor<F> {
    /// For each row of scores the cross-entropy `ln Σ eˣ − x[label]`, and the softmax that its gradient
    /// `softmax(x) − one_hot(label)` is made from.
    ///
    /// # Shapes
    /// - `self`: `[n, classes]`
    /// - `labels`: `[n]`
    /// - returns losses `[n]` and probabilities `[n, classes]`
    ///
    /// ```
    /// use fb_tensor::Tensor;
    /// let scores = Tensor::from([[0.0_f64, 0.0], [0.0, 100.0]]);
    /// let (losses, probabilities) = scores.softmax_cross_entropy(&Tensor::from([1_i64, 1]));
    /// assert_eq!(losses.to_vec(), [2.0_f64.ln(), 0.0]);
    /// assert_eq!(probabilities.slice(0, 0..1).to_vec(), [0.5, 0.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit or a label is not a class.
    #[track_caller]
    #[must_use]
    pub fn softmax_cross_entropy(&self, labels: &Tensor<i64>) -> (Self, Self) {
        self.try_softmax_cross_entropy(labels).or_panic()
    }

    /// [`Tensor::softmax_cross_entropy`] for labels that come from data.
    ///
    /// # Errors
    /// The shapes do not fit or a label is not a class.
    pub fn try_softmax_cross_entropy(&self, labels: &Tensor<i64>) -> Result<(Self, Self)> {
        (F::kernels().cross_entropy)(self, labels)
    }
}

pub(crate) fn softmax_cross_entropy<F: Float>(
    scores: &Tensor<F>,
    labels: &Tensor<i64>,
) -> Result<(Tensor<F>, Tensor<F>)> {
    const NAME: &str = "softmax_cross_entropy";
    let &[rows, classes] = scores.dims() else {
        return Err(misfit(scores, labels));
    };
    if *labels.shape() != [rows] {
        return Err(misfit(scores, labels));
    }
    let (scores, labels) = (scores.contiguous(), labels.contiguous());
    check_indices(NAME, &labels, 1, scores.shape())?;
    let values = scores.as_slice().expect("made contiguous");
    let labels = labels.as_slice().expect("made contiguous");
    let mut losses = Tensor::zeros_of([rows]);
    let loss_values = losses.make_mut();
    let probabilities = Tensor::filled_by(*scores.shape(), |out| {
        if !out.is_empty() {
            cross_entropy(values, classes, labels, loss_values, out);
        }
    });
    Ok((losses, probabilities))
}

#[cold]
fn misfit<F: Float>(scores: &Tensor<F>, labels: &Tensor<i64>) -> Error {
    let (left, right) = (scores.shape().to_string(), labels.shape().to_string());
    let help = "scores are [n, classes], labels [n]";
    Error::Shapes {
        op: "softmax_cross_entropy",
        left,
        right,
        help,
    }
}
