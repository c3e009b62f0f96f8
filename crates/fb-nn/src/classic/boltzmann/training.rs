//! Learning by contrastive divergence.

use super::{Boltzmann, HIDDEN_BIAS, VISIBLE_BIAS, WEIGHTS};
use crate::error::{Error, Result};
use fb_tensor::random::{Key, permutation};
use fb_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

/// How a [`Boltzmann`] machine learns: data pull the energy down where they are, and short Gibbs chains push it up where they
/// drift to.
///
/// `ΔW = rate · (⟨v·hᵀ⟩_data − ⟨v·hᵀ⟩_chain)`, and alike for the biases, with the probabilities of the hidden units in
/// place of the units. Chains start at the data, or go on from update to update
/// ([`persistent`](Self::persistent)).
///
/// # References
/// G. E. Hinton (2002), Training products of experts by minimizing contrastive divergence, Neural Computation 14,
/// 1771–1800; T. Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood gradient,
/// ICML.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContrastiveDivergence {
    steps: usize,
    persistent: Option<usize>,
    rate: f64,
    momentum: f64,
    decay: f64,
    epochs: usize,
    batch: usize,
    seed: u64,
}

/// The direction in which the likelihood of data grows, as chains see it.
#[derive(Clone, Debug)]
pub struct BoltzmannGradient<F: Float = f32> {
    /// `[visible, hidden]`
    pub weights: Tensor<F>,
    /// `[visible]`
    pub visible_bias: Tensor<F>,
    /// `[hidden]`
    pub hidden_bias: Tensor<F>,
}

impl ContrastiveDivergence {
    /// Chains of so many steps (CD-k) from the data, with a rate of 0.1, no momentum or decay, 100 epochs of batches of 32.
    pub fn new(steps: usize) -> Self {
        Self {
            steps,
            persistent: None,
            rate: 0.1,
            momentum: 0.0,
            decay: 0.0,
            epochs: 100,
            batch: 32,
            seed: 0,
        }
    }

    /// So many chains that go on from where the update before left them, instead of starting at the data (PCD).
    #[must_use]
    pub fn persistent(mut self, chains: usize) -> Self {
        self.persistent = Some(chains);
        self
    }

    /// The learning rate; it falls linearly to 0 over the epochs.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// The share of the last update that is added to the next.
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// The share of the weights that is taken off in each update, times the rate.
    #[must_use]
    pub fn weight_decay(mut self, decay: f64) -> Self {
        self.decay = decay;
        self
    }

    /// Passes over the data.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Rows for an update; the last batch of an epoch may have fewer.
    #[must_use]
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.batch = rows;
        self
    }

    /// The seed of orders and chains.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn check(&self) -> Result<()> {
        let fits = [
            (self.steps > 0, "steps", "at least 1", self.steps as f64),
            (
                self.persistent != Some(0),
                "persistent chains",
                "at least 1",
                0.0,
            ),
            (
                self.batch > 0,
                "batch size",
                "at least 1",
                self.batch as f64,
            ),
            (
                self.rate > 0.0 && self.rate.is_finite(),
                "rate",
                "a number above 0",
                self.rate,
            ),
            (
                (0.0..1.0).contains(&self.momentum),
                "momentum",
                "from 0 to below 1",
                self.momentum,
            ),
            (
                self.decay >= 0.0 && self.decay.is_finite(),
                "weight decay",
                "at least 0",
                self.decay,
            ),
        ];
        match fits.into_iter().find(|(fits, ..)| !fits) {
            None => Ok(()),
            Some((_, what, expected, found)) => Err(Error::Config {
                what: format!("the {what} of ContrastiveDivergence"),
                expected: expected.to_owned(),
                found: found.to_string(),
                help: String::new(),
            }),
        }
    }
}

impl<F: Float> Boltzmann<F> {
    /// The gradient that chains of so many steps from the data give (CD-k): the mean over rows. The longer the chains, the
    /// nearer is its expectation to the gradient of the log-likelihood.
    ///
    /// # Errors
    /// The data are not `[rows, visible]`, or no step is wanted.
    pub fn contrastive_divergence(
        &self,
        data: &Tensor<F>,
        steps: usize,
        key: Key,
    ) -> Result<BoltzmannGradient<F>> {
        let (data, _) = self.visible_rows(data)?;
        let drifted = self.sample(&data, steps, key)?;
        self.difference(&data, &drifted)
    }

    /// Statistics of the data less those of the chains.
    fn difference(&self, data: &Tensor<F>, chains: &Tensor<F>) -> Result<BoltzmannGradient<F>> {
        let [ours, theirs] = [self.statistics(data)?, self.statistics(chains)?];
        Ok(BoltzmannGradient {
            weights: ours.weights - theirs.weights,
            visible_bias: ours.visible_bias - theirs.visible_bias,
            hidden_bias: ours.hidden_bias - theirs.hidden_bias,
        })
    }

    /// Means of `v·hᵀ`, `v` and `h`.
    fn statistics(&self, visible: &Tensor<F>) -> Result<BoltzmannGradient<F>> {
        let hidden = self.hidden(visible)?;
        let share = F::from_f64(1.0 / visible.dim(0) as f64);
        Ok(BoltzmannGradient {
            weights: visible.transpose().try_matmul(&hidden)? * share,
            visible_bias: visible.mean_axes(&[0], false),
            hidden_bias: hidden.mean_axes(&[0], false),
        })
    }

    /// Learns the data. Gives the mean squared error of reconstructions after each epoch: it says that something is learned,
    /// not how likely the data are.
    ///
    /// # Shapes
    /// - `data`: `[rows, visible]`, from 0 to 1
    ///
    /// # Errors
    /// Another shape, other numbers, or a setting outside its domain.
    pub fn fit(&mut self, data: &Tensor<F>, settings: &ContrastiveDivergence) -> Result<Vec<f64>> {
        settings.check()?;
        let (data, _) = self.visible_rows(data)?;
        if let Some(found) = data.iter().find(|x| !(*x >= F::ZERO && *x <= F::ONE)) {
            return Err(Error::Data {
                place: "the data of Boltzmann::fit".to_owned(),
                expected: "numbers from 0 to 1".to_owned(),
                found: found.to_string(),
                help: "scale them, or cut them at a threshold".to_owned(),
            });
        }
        let key = Key::new(settings.seed).fold("contrastive_divergence");
        let rows = data.dim(0);
        let mut chains = settings.persistent.map(|count| {
            let shape = [count, data.dim(1)];
            Tensor::bernoulli(shape, 0.5, &mut key.fold("start").rng())
        });
        let mut last: Option<BoltzmannGradient<F>> = None;
        let mut errors = Vec::with_capacity(settings.epochs);
        let mut update = 0;
        for epoch in 0..settings.epochs {
            let rate = settings.rate * (1.0 - epoch as f64 / settings.epochs as f64);
            let order = permutation(rows, &mut key.fold("order").fold_index(epoch as u64).rng());
            for rows in order.chunks(settings.batch) {
                let batch = data.select_rows(rows);
                let key = key.fold("chain").fold_index(update);
                update += 1;
                let start = chains.as_ref().unwrap_or(&batch);
                let drifted = self.sample(start, settings.steps, key)?;
                let gradient = self.difference(&batch, &drifted)?;
                chains = chains.map(|_| drifted);
                last = Some(self.change(gradient, last, rate, settings));
            }
            let squares = (self.reconstruct(&data)? - &data).squared_norm();
            errors.push(squares / data.len() as f64);
        }
        Ok(errors)
    }

    /// Takes a step along the gradient and gives it back with what momentum adds.
    fn change(
        &mut self,
        gradient: BoltzmannGradient<F>,
        last: Option<BoltzmannGradient<F>>,
        rate: f64,
        settings: &ContrastiveDivergence,
    ) -> BoltzmannGradient<F> {
        let mut step = gradient;
        step.weights
            .add_scaled(self.weights(), F::from_f64(-settings.decay));
        if let Some(last) = last {
            let momentum = F::from_f64(settings.momentum);
            step.weights.add_scaled(&last.weights, momentum);
            step.visible_bias.add_scaled(&last.visible_bias, momentum);
            step.hidden_bias.add_scaled(&last.hidden_bias, momentum);
        }
        let rate = F::from_f64(rate);
        self.value_mut(WEIGHTS).add_scaled(&step.weights, rate);
        self.value_mut(VISIBLE_BIAS)
            .add_scaled(&step.visible_bias, rate);
        self.value_mut(HIDDEN_BIAS)
            .add_scaled(&step.hidden_bias, rate);
        step
    }
}
