//! The loss of classifiers.

use crate::element::Float;
use crate::error::{Error, OrPanic, Result};
use crate::index::check_indices;
use crate::kernels::softmax as kernel;
use crate::tensor::Tensor;
use crate::threads::{for_each_chunk_mut, for_each_part_mut};

/// Rough cost per element on one core.
const PICOSECONDS: usize = 1000;
/// Elements handed to a thread at a time.
const CHUNK: usize = 16 * 1024;

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

    /// The gradient by the scores of [`Tensor::softmax_cross_entropy`], from the probabilities that it gave and the
    /// gradient by the losses: `gradient · (softmax(x) − one_hot(label))`, in one pass.
    ///
    /// # Panics
    /// If the shapes do not fit or a label is not a class.
    #[track_caller]
    #[must_use]
    pub fn chain_softmax_cross_entropy(
        probabilities: &Self,
        labels: &Tensor<i64>,
        gradient: &Self,
    ) -> Self {
        (F::kernels().chain_cross_entropy)(probabilities, labels, gradient).or_panic()
    }

    /// For each row of scores the cross-entropy `Σ tⱼ (ln Σ eˣ − xⱼ)` of its softmax and a distribution `t`, and the
    /// logarithms of the softmax that its gradient is made from.
    ///
    /// # Shapes
    /// - `self`, `targets`: `[n, classes]`
    /// - returns losses `[n]` and logarithms `[n, classes]`
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn softmax_cross_entropy_with(&self, targets: &Self) -> (Self, Self) {
        assert!(
            self.shape() == targets.shape() && targets.rank() == 2,
            "softmax_cross_entropy_with: scores of shape {} and targets of shape {}; both must be [n, classes]",
            self.shape(),
            targets.shape()
        );
        (F::kernels().expected_losses)(self, targets)
    }

    /// The gradient by the scores of [`Tensor::softmax_cross_entropy_with`], from the logarithms that it gave and the
    /// gradient by the losses: `gradient · (softmax(x) · Σ t − t)`, in one pass.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn chain_softmax_cross_entropy_with(
        logarithms: &Self,
        targets: &Self,
        gradient: &Self,
    ) -> Self {
        assert!(
            logarithms.shape() == targets.shape()
                && targets.rank() == 2
                && *gradient.shape() == [targets.dim(0)],
            "softmax_cross_entropy_with: logarithms of shape {}, targets of shape {}, a gradient of shape {}",
            logarithms.shape(),
            targets.shape(),
            gradient.shape()
        );
        (F::kernels().chain_expected_losses)(logarithms, targets, gradient)
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
        if out.is_empty() {
            return;
        }
        let per_part = rows_per_part(classes);
        let start = |part: usize| (part * per_part).min(rows);
        for_each_part_mut(
            [out, loss_values],
            rows.div_ceil(per_part),
            values.len() * PICOSECONDS / 1000,
            |part| [start(part) * classes, start(part)],
            |part, [out, losses]| {
                let values = &values[start(part) * classes..][..out.len()];
                let labels = &labels[start(part)..][..losses.len()];
                kernel::cross_entropy(values, classes, labels, losses, out);
            },
        );
    });
    Ok((losses, probabilities))
}

fn rows_per_part(classes: usize) -> usize {
    (CHUNK / classes).max(1)
}

pub(crate) fn chain_softmax_cross_entropy<F: Float>(
    probabilities: &Tensor<F>,
    labels: &Tensor<i64>,
    gradient: &Tensor<F>,
) -> Result<Tensor<F>> {
    const NAME: &str = "softmax_cross_entropy";
    let &[rows, classes] = probabilities.dims() else {
        return Err(misfit(probabilities, labels));
    };
    if *labels.shape() != [rows] || *gradient.shape() != [rows] {
        return Err(misfit(probabilities, labels));
    }
    let (probabilities, labels) = (probabilities.contiguous(), labels.contiguous());
    check_indices(NAME, &labels, 1, probabilities.shape())?;
    let gradient = gradient.contiguous();
    let p = probabilities.as_slice().expect("made contiguous");
    let labels = labels.as_slice().expect("made contiguous");
    let g = gradient.as_slice().expect("made contiguous");
    Ok(by_rows(&probabilities, |rows, from, out| {
        let p = &p[from..][..out.len()];
        kernel::cross_entropy_backward(p, classes, &labels[rows.clone()], &g[rows], out);
    }))
}

/// A matrix of the shape of another, its parts made by `work` from the numbers of their rows and the place of their first
/// element.
fn by_rows<F: Float>(
    like: &Tensor<F>,
    work: impl Fn(std::ops::Range<usize>, usize, &mut [F]) + Sync,
) -> Tensor<F> {
    let classes = like.dim(1);
    Tensor::filled_by(*like.shape(), |out| {
        if out.is_empty() {
            return;
        }
        let cost = out.len() * PICOSECONDS / 1000;
        for_each_chunk_mut(out, rows_per_part(classes) * classes, cost, |from, part| {
            let first = from / classes;
            work(first..first + part.len() / classes, from, part);
        });
    })
}

pub(crate) fn expected_losses<F: Float>(
    scores: &Tensor<F>,
    targets: &Tensor<F>,
) -> (Tensor<F>, Tensor<F>) {
    let logarithms = crate::reduce::log_softmax(scores, 1);
    let (rows, classes) = (targets.dim(0), targets.dim(1));
    let targets = targets.contiguous();
    let y = logarithms.as_slice().expect("just computed");
    let t = targets.as_slice().expect("made contiguous");
    let losses = Tensor::filled_by([rows], |out| {
        if classes == 0 {
            return out.fill(F::ZERO);
        }
        let cost = t.len() * PICOSECONDS / 1000;
        for_each_chunk_mut(out, rows_per_part(classes), cost, |from, part| {
            let elements = from * classes..(from + part.len()) * classes;
            kernel::expected_losses(&y[elements.clone()], &t[elements], classes, part);
        });
    });
    (losses, logarithms)
}

pub(crate) fn chain_expected_losses<F: Float>(
    logarithms: &Tensor<F>,
    targets: &Tensor<F>,
    gradient: &Tensor<F>,
) -> Tensor<F> {
    let (logarithms, targets) = (logarithms.contiguous(), targets.contiguous());
    let gradient = gradient.contiguous();
    let y = logarithms.as_slice().expect("made contiguous");
    let t = targets.as_slice().expect("made contiguous");
    let g = gradient.as_slice().expect("made contiguous");
    by_rows(&logarithms, |rows, from, out| {
        let (y, t) = (&y[from..][..out.len()], &t[from..][..out.len()]);
        kernel::expected_losses_backward(y, t, targets.dim(1), &g[rows], out);
    })
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
