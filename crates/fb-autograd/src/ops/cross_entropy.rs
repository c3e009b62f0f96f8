//! Cross-entropy of scores against classes, as one node.

use super::node::unary;
use crate::var::Var;
use fb_tensor::{Float, Result, Tensor};

impl<F: Float> Var<F> {
    /// For each row of scores `x`, the cross-entropy `ln Σ eˣ − x[label]` of their softmax and the label.
    ///
    /// # Shapes
    /// - `self`: `[n, classes]`
    /// - `labels`: `[n]`
    /// - returns `[n]`
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let scores = tape.leaf(Tensor::from([[0.0, 0.0]]));
    /// let loss = scores.softmax_cross_entropy(&Tensor::from([1_i64])).mean();
    /// assert_eq!(loss.backward().get(&scores).unwrap().to_vec(), [0.5, -0.5]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit or a label is not a class.
    #[track_caller]
    #[must_use]
    pub fn softmax_cross_entropy(&self, labels: &Tensor<i64>) -> Self {
        match self.try_softmax_cross_entropy(labels) {
            Ok(losses) => losses,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`Var::softmax_cross_entropy`] for labels that come from data.
    ///
    /// # Errors
    /// The shapes do not fit or a label is not a class.
    #[track_caller]
    pub fn try_softmax_cross_entropy(&self, labels: &Tensor<i64>) -> Result<Self> {
        let (losses, probabilities) = self.tensor().try_softmax_cross_entropy(labels)?;
        let labels = labels.contiguous();
        Ok(unary(self, losses, move |g| {
            gradient_by_scores(&probabilities, &labels, &g)
        }))
    }

    /// For each row of scores `x`, the cross-entropy `Σ tⱼ (ln Σ eˣ − xⱼ)` of their softmax and the distribution `t`.
    ///
    /// The targets need not add up to 1: class weights may be multiplied in.
    ///
    /// # Shapes
    /// - `self` and `targets`: `[n, classes]`
    /// - returns `[n]`
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn softmax_cross_entropy_with(&self, targets: &Tensor<F>) -> Self {
        assert!(
            self.shape() == targets.shape() && targets.rank() == 2,
            "softmax_cross_entropy_with: scores of shape {} and targets of shape {}; both must be [n, classes]",
            self.shape(),
            targets.shape()
        );
        let logarithms = self.tensor().log_softmax(1);
        let targets = targets.contiguous();
        let losses = Tensor::filled_by([targets.dim(0)], |out| {
            for (loss, (t, y)) in out.iter_mut().zip(rows(&targets).zip(rows(&logarithms))) {
                // What is impossible and not expected costs nothing, where 0 · −∞ would be NaN.
                let expected = t.iter().zip(y).filter(|(t, _)| **t != F::ZERO);
                *loss = -expected.map(|(&t, &y)| t * y).sum::<F>();
            }
        });
        unary(self, losses, move |g| {
            gradient_by_logits(&logarithms, &targets, &g)
        })
    }
}

/// `g · (softmax − one_hot)` of each row.
fn gradient_by_scores<F: Float>(
    probabilities: &Tensor<F>,
    labels: &Tensor<i64>,
    g: &Tensor<F>,
) -> Tensor<F> {
    let labels = labels.as_slice().expect("made contiguous");
    let classes = probabilities.dim(1);
    Tensor::filled_by(*probabilities.shape(), |out| {
        let out = out
            .chunks_exact_mut(classes.max(1))
            .zip(rows(probabilities));
        for ((out, p), (&label, g)) in out.zip(labels.iter().zip(g.iter())) {
            out.iter_mut().zip(p).for_each(|(y, &p)| *y = g * p);
            out[label as usize] -= g;
        }
    })
}

/// `g · (softmax · Σ t − t)` of each row.
fn gradient_by_logits<F: Float>(
    logarithms: &Tensor<F>,
    targets: &Tensor<F>,
    g: &Tensor<F>,
) -> Tensor<F> {
    let mut result = logarithms.exp();
    let classes = targets.dim(1).max(1);
    for ((y, t), g) in result
        .make_mut()
        .chunks_exact_mut(classes)
        .zip(rows(targets))
        .zip(g.iter())
    {
        let total: F = t.iter().copied().sum();
        y.iter_mut()
            .zip(t)
            .for_each(|(y, &t)| *y = g * (total * *y - t));
    }
    result
}

/// The rows of a contiguous matrix.
fn rows<F: Float>(matrix: &Tensor<F>) -> impl Iterator<Item = &[F]> {
    matrix
        .as_slice()
        .expect("made contiguous")
        .chunks_exact(matrix.dim(1).max(1))
}

#[cfg(test)]
mod tests {
    use crate::{Tape, Var};
    use fb_tensor::Tensor;

    #[test]
    fn labels_are_distributions_with_one_class() {
        let tape = Tape::<f64>::new();
        let x = tape.leaf(Tensor::from([[0.3, -1.2, 2.0], [1.0, 0.0, -5.0]]));
        let labels = Tensor::from([2_i64, 1]);
        let a = x.softmax_cross_entropy(&labels);
        let b = x.softmax_cross_entropy_with(&Tensor::one_hot_of(&labels, 3));
        let by_parts = -&x.log_softmax(1).gather(1, &labels.unsqueeze(1)).flatten();
        let gradients: Vec<_> = [&a, &b, &by_parts]
            .map(|y| y.sum().backward().take(&x).unwrap().to_vec())
            .into();
        for (y, g) in [&a, &b].iter().zip(&gradients) {
            for (got, want) in y.tensor().iter().zip(by_parts.tensor().iter()) {
                assert!((got - want).abs() < 1e-14);
            }
            for (got, want) in g.iter().zip(&gradients[2]) {
                assert!((got - want).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn an_impossible_class_that_is_not_expected_costs_nothing() {
        let x = Var::constant(Tensor::from([[0.0, f32::NEG_INFINITY]]));
        assert_eq!(
            x.softmax_cross_entropy_with(&Tensor::from([[1.0, 0.0]]))
                .item(),
            0.0
        );
    }

    #[test]
    fn a_label_that_is_no_class_is_an_error() {
        let x = Var::constant(Tensor::zeros([2, 3]));
        let error = x
            .try_softmax_cross_entropy(&Tensor::from([0_i64, 3]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("softmax_cross_entropy") && error.contains('3'),
            "{error}"
        );
    }

    #[test]
    #[should_panic(
        expected = "scores of shape [2, 3] and targets of shape [2]; both must be [n, classes]"
    )]
    fn distributions_are_not_broadcast() {
        let _ =
            Var::constant(Tensor::zeros([2, 3])).softmax_cross_entropy_with(&Tensor::zeros([2]));
    }
}
