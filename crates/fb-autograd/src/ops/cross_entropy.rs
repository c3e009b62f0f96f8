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
            Tensor::chain_softmax_cross_entropy(&probabilities, &labels, &g)
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
        let (losses, logarithms) = self.tensor().softmax_cross_entropy_with(targets);
        let targets = targets.clone();
        unary(self, losses, move |g| {
            Tensor::chain_softmax_cross_entropy_with(&logarithms, &targets, &g)
        })
    }
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
