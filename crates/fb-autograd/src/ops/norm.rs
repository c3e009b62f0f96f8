//! Normalisation of rows (layer, root-mean-square) and of channels (batch, group).

use super::{common_node, index};
use crate::tape::{Backward, NodeRef, Sweep};
use crate::var::Var;
use fb_tensor::norm::{ChannelNorm, ChannelNormed, NormGradients, Over, RowNorm, RowNormed};
use fb_tensor::{Float, Tensor};

/// Where the gradients of a normalisation go.
struct Parents {
    input: Option<u32>,
    weight: Option<u32>,
    bias: Option<u32>,
}

impl Parents {
    fn new<F: Float>(input: &Var<F>, weight: Option<&Var<F>>, bias: Option<&Var<F>>) -> Self {
        Self {
            input: index(input),
            weight: weight.and_then(index),
            bias: bias.and_then(index),
        }
    }

    /// Hands out the gradients; `compute` is given what has arrived at the input already, and adds to it.
    fn share<F: Float>(
        &self,
        sweep: &mut Sweep<F>,
        compute: impl FnOnce(Option<Tensor<F>>) -> NormGradients<F>,
    ) {
        let arrived = self.input.and_then(|parent| sweep.take(parent));
        let gradients = compute(arrived);
        if let Some(parent) = self.input {
            sweep.add(parent, gradients.input);
        }
        if let Some(parent) = self.weight {
            sweep.add(parent, gradients.weight);
        }
        if let Some(parent) = self.bias {
            sweep.add(parent, gradients.bias);
        }
    }
}

struct Rows<F: Float> {
    norm: RowNorm,
    parents: Parents,
    input: Tensor<F>,
    statistics: Tensor<F>,
    weight: Option<Tensor<F>>,
}

impl<F: Float> Backward<F> for Rows<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        self.parents.share(sweep, |arrived| {
            let weight = self.weight.as_ref();
            self.norm
                .backward(&self.input, &self.statistics, weight, &gradient, arrived)
        });
    }
}

struct Channels<F: Float> {
    norm: ChannelNorm,
    parents: Parents,
    input: Tensor<F>,
    statistics: Tensor<F>,
    /// Whether the statistics were constants.
    given: bool,
    weight: Option<Tensor<F>>,
}

impl<F: Float> Backward<F> for Channels<F> {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        self.parents.share(sweep, |arrived| {
            let (input, weight) = (&self.input, self.weight.as_ref());
            let statistics = &self.statistics;
            self.norm
                .backward(input, statistics, self.given, weight, &gradient, arrived)
        });
    }
}

/// The node of the first operand that has one, after checking that all are on one tape.
#[track_caller]
fn node_of<'a, F: Float>(
    input: &'a Var<F>,
    weight: Option<&'a Var<F>>,
    bias: Option<&'a Var<F>>,
) -> Option<&'a NodeRef<F>> {
    let others = [weight, bias].into_iter().flatten();
    others.fold(input.node(), |node, other| match (node, other.node()) {
        (Some(a), Some(b)) => {
            a.same_tape(b);
            Some(a)
        }
        (a, b) => a.or(b),
    })
}

impl<F: Float> Var<F> {
    /// Layer normalisation of the last axis: `(x − mean) / √(variance + ε) · weight + bias`; see
    /// [`Tensor::layer_norm`].
    ///
    /// ```
    /// use fb_autograd::Tape;
    /// use fb_tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.leaf(Tensor::from([[1.0, 3.0]]));
    /// let bias = tape.leaf(Tensor::from([5.0, 5.0]));
    /// let y = x.layer_norm(None, Some(&bias), 0.0);
    /// assert_eq!(y.tensor().to_vec(), [4.0, 6.0]);
    /// assert_eq!(y.sum().backward().get(&bias).unwrap().to_vec(), [1.0, 1.0]);
    /// ```
    ///
    /// # Shapes
    /// - `self`: `[…, width]`
    /// - `weight`, `bias`: `[width]`; 1 and 0 if left out
    /// - returns `[…, width]`
    ///
    /// # Panics
    /// If there is no axis or the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn layer_norm(&self, weight: Option<&Self>, bias: Option<&Self>, epsilon: f64) -> Self {
        self.normalise_rows(RowNorm::layer(epsilon), weight, bias)
    }

    /// Root-mean-square normalisation of the last axis: `x / √(mean(x²) + ε) · weight`; see [`Tensor::rms_norm`].
    ///
    /// # Shapes
    /// - `self`: `[…, width]`
    /// - `weight`: `[width]`; 1 if left out
    /// - returns `[…, width]`
    ///
    /// # Panics
    /// If there is no axis or the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn rms_norm(&self, weight: Option<&Self>, epsilon: f64) -> Self {
        self.normalise_rows(RowNorm::root_mean_square(epsilon), weight, None)
    }

    #[track_caller]
    fn normalise_rows(&self, norm: RowNorm, weight: Option<&Self>, bias: Option<&Self>) -> Self {
        let values = (weight.map(Self::tensor), bias.map(Self::tensor));
        match norm.forward(self.tensor(), None, values.0, values.1) {
            Ok(normed) => self.normalised_rows(norm, normed, weight, bias),
            Err(error) => panic!("{error}"),
        }
    }

    /// The result of a normalisation of this variable's rows, recorded.
    #[track_caller]
    fn normalised_rows(
        &self,
        norm: RowNorm,
        normed: RowNormed<F>,
        weight: Option<&Self>,
        bias: Option<&Self>,
    ) -> Self {
        let Some(node) = node_of(self, weight, bias) else {
            return Self::constant(normed.output);
        };
        let op = Rows {
            norm,
            parents: Parents::new(self, weight, bias),
            input: normed.input,
            statistics: normed.statistics,
            weight: weight.map(|weight| weight.tensor().clone()),
        };
        node.record(normed.output, op)
    }

    /// `x + residual` and the [`layer_norm`](Var::layer_norm) of that, in one pass forward and one back: what stands
    /// between two blocks of a transformer.
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
        let norm = RowNorm::add_layer(epsilon);
        let values = (weight.map(Self::tensor), bias.map(Self::tensor));
        let normed = norm.forward(self.tensor(), Some(residual.tensor()), values.0, values.1);
        let normed = match normed {
            Ok(normed) => normed,
            Err(error) => panic!("{error}"),
        };
        let sum = match common_node(self, residual) {
            Some(node) => node.record(normed.input.clone(), Added([index(self), index(residual)])),
            None => Self::constant(normed.input.clone()),
        };
        let output = sum.normalised_rows(norm, normed, weight, bias);
        (sum, output)
    }

    /// Batch normalisation: each channel (position of the last axis) less its mean over all other axes, by the root of
    /// its variance: `(x − mean) / √(variance + ε) · weight + bias`; see [`Tensor::batch_norm`]. The gradient goes
    /// through mean and variance, which are returned, as values, for running statistics.
    ///
    /// # Shapes
    /// - `self`: `[…, channel]`
    /// - `weight`, `bias`: `[channel]`; 1 and 0 if left out
    /// - returns `[…, channel]`, `[channel]`, `[channel]`
    ///
    /// # Panics
    /// If there is no axis or the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn batch_norm(
        &self,
        weight: Option<&Self>,
        bias: Option<&Self>,
        epsilon: f64,
    ) -> (Self, Tensor<F>, Tensor<F>) {
        let over = Over::Batch;
        let norm = ChannelNorm { over, epsilon };
        let normed = self.normalise_channels(&norm, None, weight, bias);
        let of_channels = |t: &Tensor<F>| t.reshape([t.len()]);
        let moments = (of_channels(&normed.mean), of_channels(&normed.variance));
        let output = self.normalised_channels(norm, normed, false, weight, bias);
        (output, moments.0, moments.1)
    }

    /// [`Var::batch_norm`] by statistics that are given, as in evaluation; they are constants.
    ///
    /// # Shapes
    /// - `self`: `[…, channel]`
    /// - `mean`, `variance`, `weight`, `bias`: `[channel]`
    /// - returns `[…, channel]`
    ///
    /// # Panics
    /// If there is no axis or the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn batch_norm_with(
        &self,
        mean: &Tensor<F>,
        variance: &Tensor<F>,
        weight: Option<&Self>,
        bias: Option<&Self>,
        epsilon: f64,
    ) -> Self {
        let over = Over::Batch;
        let norm = ChannelNorm { over, epsilon };
        let normed = self.normalise_channels(&norm, Some((mean, variance)), weight, bias);
        self.normalised_channels(norm, normed, true, weight, bias)
    }

    /// Group normalisation: channels are split into groups of neighbours, and each sample's group is normalised by its
    /// own mean and variance: `(x − mean) / √(variance + ε) · weight + bias`; see [`Tensor::group_norm`].
    ///
    /// # Shapes
    /// - `self`: `[batch, …, channel]`
    /// - `weight`, `bias`: `[channel]`; 1 and 0 if left out
    /// - returns `[batch, …, channel]`
    ///
    /// # Panics
    /// If there are fewer than two axes, the channels do not split into the groups, or the shapes do not fit.
    #[track_caller]
    #[must_use]
    pub fn group_norm(
        &self,
        groups: usize,
        weight: Option<&Self>,
        bias: Option<&Self>,
        epsilon: f64,
    ) -> Self {
        let over = Over::Groups(groups);
        let norm = ChannelNorm { over, epsilon };
        let normed = self.normalise_channels(&norm, None, weight, bias);
        self.normalised_channels(norm, normed, false, weight, bias)
    }

    #[track_caller]
    fn normalise_channels(
        &self,
        norm: &ChannelNorm,
        moments: Option<(&Tensor<F>, &Tensor<F>)>,
        weight: Option<&Self>,
        bias: Option<&Self>,
    ) -> ChannelNormed<F> {
        let (x, weight, bias) = (
            self.tensor(),
            weight.map(Self::tensor),
            bias.map(Self::tensor),
        );
        let normed = match moments {
            Some(moments) => norm.forward_with(x, moments, weight, bias),
            None => norm.forward(x, weight, bias),
        };
        match normed {
            Ok(normed) => normed,
            Err(error) => panic!("{error}"),
        }
    }

    /// The result of a normalisation of this variable's channels, recorded.
    #[track_caller]
    fn normalised_channels(
        &self,
        norm: ChannelNorm,
        normed: ChannelNormed<F>,
        given: bool,
        weight: Option<&Self>,
        bias: Option<&Self>,
    ) -> Self {
        let Some(node) = node_of(self, weight, bias) else {
            return Self::constant(normed.output);
        };
        let op = Channels {
            norm,
            parents: Parents::new(self, weight, bias),
            input: self.tensor().clone(),
            statistics: normed.statistics,
            given,
            weight: weight.map(|weight| weight.tensor().clone()),
        };
        node.record(normed.output, op)
    }
}

/// A sum of two of one shape.
struct Added([Option<u32>; 2]);

impl<F: Float> Backward<F> for Added {
    fn backward(&self, gradient: Tensor<F>, sweep: &mut Sweep<F>) {
        if let [Some(parent), Some(_)] = self.0 {
            sweep.add(parent, gradient.clone());
        }
        if let [_, Some(parent)] | [Some(parent), None] = self.0 {
            sweep.add(parent, gradient);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Tape, Var};
    use fb_tensor::Tensor;

    /// What reaches the sum from elsewhere is added in the pass that computes the normalisation's share.
    #[test]
    fn a_fused_sum_has_the_gradients_of_its_parts() {
        let tape = Tape::<f64>::new();
        let at = |seed: usize| {
            Tensor::from_fn([3, 5], move |i| ((i[0] * 5 + i[1] * 3 + seed) as f64).sin())
        };
        let (x, residual) = (tape.leaf(at(1)), tape.leaf(at(2)));
        let weight = tape.leaf(Tensor::from([0.5, -1.0, 2.0, 1.5, 0.1]));
        let (sum, y) = x.add_layer_norm(&residual, Some(&weight), None, 1e-5);
        let plain = &x + &residual;
        let z = plain.layer_norm(Some(&weight), None, 1e-5);
        assert_eq!((sum.tensor(), y.tensor()), (plain.tensor(), z.tensor()));
        let fused = tape.gradients(&[(&y, at(3)), (&sum.square(), at(4))]);
        let parts = tape.gradients(&[(&z, at(3)), (&plain.square(), at(4))]);
        for leaf in [&x, &residual, &weight] {
            let (fused, parts) = (fused.get(leaf).unwrap(), parts.get(leaf).unwrap());
            for (a, b) in fused.iter().zip(parts.iter()) {
                assert!((a - b).abs() < 1e-13, "{a} {b}");
            }
        }
        assert_eq!(fused.get(&x), fused.get(&residual));
    }

    #[test]
    fn no_rows_have_no_gradients() {
        let tape = Tape::<f64>::new();
        let x = tape.leaf(Tensor::zeros_of([0, 3]));
        let w = tape.leaf(Tensor::ones_of([3]));
        let (y, mean, _) = x.batch_norm(Some(&w), Some(&w), 1e-5);
        assert!(mean.iter().all(f64::is_nan));
        for y in [
            y,
            x.layer_norm(Some(&w), Some(&w), 1e-5),
            x.group_norm(3, Some(&w), Some(&w), 1e-5),
        ] {
            let gradients = y.sum().backward();
            assert_eq!(gradients.get(&w).unwrap().to_vec(), [0.0; 3]);
            assert_eq!(*gradients.get(&x).unwrap().shape(), [0, 3]);
        }
    }

    #[test]
    #[should_panic(expected = "layer_norm: [2, 3] and [2] do not fit")]
    fn a_weight_of_another_width_is_refused() {
        let x = Var::constant(Tensor::zeros([2, 3]));
        let _ = x.layer_norm(Some(&Var::constant(Tensor::zeros([2]))), None, 1e-5);
    }

    #[test]
    #[should_panic(expected = "the 6 channels of shape [2, 6] do not split into 4 equal groups")]
    fn groups_that_leave_a_rest_are_refused() {
        let _ = Var::constant(Tensor::zeros([2, 6])).group_norm(4, None, None, 1e-5);
    }
}
