//! A running average of weights.

use fb_nn::Params;
use fb_nn::param::StateDict;
use fb_tensor::Float;

/// The exponential moving average of all weights over optimizer steps, `a ← d·a + (1 − d)·w`, from the weights at its start.
/// Buffers and frozen weights are taken as they are.
#[derive(Clone, Debug)]
pub(crate) struct Average<F: Float> {
    pub(crate) decay: f64,
    pub(crate) values: StateDict<F>,
}

impl<F: Float> Average<F> {
    pub(crate) fn new(decay: f64, params: &Params<F>) -> Self {
        Self {
            decay,
            values: params.state_dict(),
        }
    }

    /// Takes in the weights after a step.
    pub(crate) fn update(&mut self, params: &Params<F>) {
        let old = F::from_f64(self.decay);
        let new = F::from_f64(1.0 - self.decay);
        for (_, param) in params.iter() {
            let Some(average) = self.values.get_mut(param.name()) else {
                continue;
            };
            *average = if param.trainable() {
                &*average * old + &(&param.value * new)
            } else {
                param.value.clone()
            };
        }
    }
}
