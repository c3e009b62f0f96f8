//! Features brought to mean 0 and variance 1 over the batch.

use super::misfit;
use super::norm::{Affine, check_epsilon};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::module::{Built, Context, Layer, Mode, Scope, SimpleModule, Spec, Streaming, simple};
use crate::param::{ParamId, Role};
use fb_autograd::Var;
use fb_tensor::{Float, Shape, Tensor};
use serde::{Deserialize, Serialize};

/// Brings each feature to mean 0 and variance 1, then scales and shifts it: in training over the batch and all positions,
/// in evaluation by running statistics.
///
/// `y = weight · (x − mean) / √(variance + epsilon) + bias`
///
/// **Running statistics** are buffers: `running = (1 − momentum) · running + momentum · of the batch`, with momentum 0.1
/// and the unbiased variance, as in PyTorch. Keras names the other share: its `momentum=0.99` is 0.01 here. Epsilon is
/// 10⁻⁵ (Keras: 10⁻³).
///
/// **In a loop** each iteration is one use, as if a PyTorch module were called that often: in training it is normalised by
/// its own statistics of the batch, and updates the running ones in its turn, so that `n` iterations move them by
/// `1 − (1 − momentum)ⁿ`. In evaluation all iterations see the same running statistics. So a loop whose iterations differ
/// much is better served by [`LayerNorm`](super::LayerNorm) or [`GroupNorm`](super::GroupNorm), which are the same in
/// both modes.
///
/// **Frozen** ([`Params::freeze`](crate::Params::freeze) with the layer's name) it uses the running statistics in training
/// too, and leaves them as they are, as in Keras.
///
/// # Shapes
/// - `x`: `[batch, …, features]`; in training more than one number for each feature
/// - `weight`, `bias`, `running_mean`, `running_variance`: `[features]`, from 1, 0, 0, 1
/// - returns the shape of `x`
///
/// # Examples
/// ```
/// use fb_nn::Sequential;
/// use fb_nn::layers::{BatchNorm, Dense};
/// let network = Sequential::input([4])
///     .layer("hidden", Dense::new(8).bias(false))
///     .layer("norm", BatchNorm::new())
///     .build()?;
/// assert!(network.params().id("norm/running_mean").is_some());
/// # Ok::<(), fb_nn::Error>(())
/// ```
///
/// # References
/// S. Ioffe, C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate shift",
/// ICML 2015, algorithms 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    momentum: f64,
    epsilon: f64,
    scale: bool,
    bias: bool,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchNorm {
    /// With momentum 0.1 and a scale and a bias for each feature.
    pub fn new() -> Self {
        Self {
            momentum: 0.1,
            epsilon: 1e-5,
            scale: true,
            bias: true,
        }
    }

    /// The share of the running statistics that a batch replaces, PyTorch's convention: above 0, up to 1.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// What is added to the variance.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// Whether each feature has a learned scale.
    #[must_use]
    pub fn scale(self, scale: bool) -> Self {
        Self { scale, ..self }
    }

    /// Whether each feature has a learned bias.
    #[must_use]
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }
}

impl Layer for BatchNorm {
    const KIND: &'static str = "BatchNorm";

    fn build<F: Float>(&self, scope: &mut Scope<F>, inputs: &[Spec]) -> Result<Built<F>> {
        check_epsilon(scope, Self::KIND, self.epsilon)?;
        if !(self.momentum > 0.0 && self.momentum <= 1.0) {
            return Err(scope.error(
                Self::KIND,
                "a momentum above 0 and up to 1",
                self.momentum.to_string(),
                "it is the share that a batch replaces: Keras's 0.99 is 0.01 here",
            ));
        }
        let wanted = "[batch, …, features]";
        let (shape, features) = scope.features(Self::KIND, inputs, 1..=5, wanted)?;
        let affine = Affine::build(scope, features, self.scale, self.bias)?;
        let ones = Initializer::Constant(1.0);
        let mut buffer = |name, init| scope.param(name, [features], init, Role::Buffer);
        Ok(Built {
            module: simple(BatchNormModule {
                affine,
                running_mean: buffer("running_mean", &Initializer::Zeros)?,
                running_variance: buffer("running_variance", &ones)?,
                momentum: self.momentum,
                epsilon: self.epsilon,
                input: shape,
            }),
            output: Spec::float(shape),
            sum: None,
            description: format!("BatchNorm {features}"),
        })
    }
}

#[derive(Debug)]
struct BatchNormModule {
    affine: Affine,
    running_mean: ParamId,
    running_variance: ParamId,
    momentum: f64,
    epsilon: f64,
    input: Shape,
}

impl<F: Float> SimpleModule<F> for BatchNormModule {
    fn forward(&self, cx: &mut Context<'_, F>, x: &Var<F>) -> Result<Var<F>> {
        misfit::features(cx, x, &self.input)?;
        let (weight, bias) = self.affine.values(cx);
        let (weight, bias) = (weight.as_ref(), bias.as_ref());
        if cx.mode() == Mode::Eval || cx.params().get(self.running_mean).is_frozen() {
            let stored = |id| &cx.params().get(id).value;
            let (mean, variance) = (stored(self.running_mean), stored(self.running_variance));
            return Ok(x.batch_norm_with(mean, variance, weight, bias, self.epsilon));
        }
        let features = self.input[self.input.len() - 1];
        let numbers = x.tensor().len() / features;
        if numbers < 2 {
            return Err(Error::Data {
                place: cx.place(),
                expected: "more than one number for each feature in training".to_owned(),
                found: x.shape().to_string(),
                help: "the statistics of one number say nothing: use a larger batch, or freeze the layer"
                    .to_owned(),
            });
        }
        let (y, mean, variance) = x.batch_norm(weight, bias, self.epsilon);
        self.update(cx, self.running_mean, mean);
        let unbiased = numbers as f64 / (numbers - 1) as f64;
        self.update(cx, self.running_variance, variance * F::from_f64(unbiased));
        Ok(y)
    }

    fn streaming(&self) -> Streaming<'_, F> {
        Streaming::Pointwise
    }
}

impl BatchNormModule {
    fn update<F: Float>(&self, cx: &mut Context<'_, F>, id: ParamId, of_batch: Tensor<F>) {
        let kept = cx.buffer(id) * F::from_f64(1.0 - self.momentum);
        cx.update_buffer(id, kept + of_batch * F::from_f64(self.momentum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sequential;
    use fb_autograd::Tape;
    use fb_tensor::random::Key;

    #[test]
    fn bad_configurations_are_errors() {
        let error = |layer: BatchNorm| {
            Sequential::input([3])
                .layer("norm", layer)
                .build()
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(BatchNorm::new().momentum(0.0)),
            "layer \"norm\" (BatchNorm): expected a momentum above 0 and up to 1, found 0\n  \
             help: it is the share that a batch replaces: Keras's 0.99 is 0.01 here"
        );
        for (epsilon, found) in [(f64::NAN, "NaN"), (1e-300, "1e-300"), (1e300, "1e300")] {
            let text = error(BatchNorm::new().epsilon(epsilon));
            let expected = format!("expected a finite epsilon above 0 in f32, found {found}\n");
            assert!(text.contains(&expected), "{text}");
        }
    }

    #[test]
    fn frozen_it_uses_and_keeps_the_running_statistics() {
        let mut network = Sequential::input([3])
            .layer("norm", BatchNorm::new())
            .build()
            .unwrap();
        let mean = network.params().id("norm/running_mean").unwrap();
        network.params_mut().get_mut(mean).value = Tensor::from([1.0, 2.0, 3.0]);
        let x = Var::constant(Tensor::normal([4, 3], 0.0, 1.0, &mut Key::new(1).rng()));
        let run = |network: &crate::Network, mode| {
            let mut cx = Context::new(network.params(), Tape::new(), mode);
            let y = network.forward(&mut cx, x.clone()).unwrap();
            (
                y.as_float().unwrap().tensor().clone(),
                cx.take_buffer_updates().len(),
            )
        };
        let (evaluated, none) = run(&network, Mode::Eval);
        let (trained, two) = run(&network, Mode::Train);
        assert!((evaluated.clone() - &trained).norm() > 0.1);
        assert_eq!((none, two), (0, 2));
        network.params_mut().freeze("norm").unwrap();
        assert_eq!(run(&network, Mode::Train), (evaluated, 0));
    }

    #[test]
    fn one_number_has_no_variance() {
        let network = Sequential::input([3])
            .layer("norm", BatchNorm::new())
            .build()
            .unwrap();
        let mut cx = Context::new(network.params(), Tape::new(), Mode::Train);
        let error = network
            .forward(&mut cx, Var::constant(Tensor::ones([1, 3])))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "layer \"norm\": expected more than one number for each feature in training, found [1, 3]\n  \
             help: the statistics of one number say nothing: use a larger batch, or freeze the layer"
        );
    }
}
